"""The only place that talks to tmux: sockets, exact targets, windows, typing, screens."""
