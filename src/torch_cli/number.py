"""How great a number may be that a person or a file gives."""

MOST = 10**9
"""The most of anything that can be asked for: SQLite and tmux take no number without end."""
