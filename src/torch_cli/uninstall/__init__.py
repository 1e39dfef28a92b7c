"""What Torch has put on this machine, and taking it away again."""
