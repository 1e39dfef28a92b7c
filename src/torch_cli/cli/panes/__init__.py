"""Panes and windows, whatever runs in them."""
