"""Agent programs: what each looks like on a screen, as data, and what its screens mean.

Values and pure functions only. Nothing here talks to tmux, starts a program or writes a file.
"""
