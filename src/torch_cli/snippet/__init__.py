"""What Torch shows in a person's own tmux: the snippet for ``tmux.conf``, the marks, the menu."""
