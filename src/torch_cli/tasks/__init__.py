"""Tasks: the work, who does it, whether it is done, and who is told."""
