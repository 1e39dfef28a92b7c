"""The only place that talks to tmux: sockets, exact targets, rooted windows, typing, screens."""
