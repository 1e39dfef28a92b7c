"""What stands in the way on this machine: it looks at everything, and everything is below it."""
