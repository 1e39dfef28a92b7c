"""How large a number from a person or a file may be."""

MOST = 10**9
"""The largest number that can be asked for: SQLite and tmux have limits."""
