"""Tasks: what is to be done, who does it, whether it is done, and who is told of it."""
