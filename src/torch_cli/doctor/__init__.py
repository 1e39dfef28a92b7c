"""Finds the problems of this machine. This room may import from all rooms below it."""
