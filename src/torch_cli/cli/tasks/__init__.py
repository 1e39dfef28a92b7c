"""Tasks: said, taken, given out, done."""
