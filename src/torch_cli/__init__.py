"""Torch: a thin toolkit over tmux for people who run teams of coding agents."""

__version__ = "0.1.0"
