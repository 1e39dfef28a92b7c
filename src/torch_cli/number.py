"""How large a number from a person or a file may be."""

LARGEST_NUMBER = 10**9
"""The largest number that can be asked for: SQLite and tmux have limits."""
