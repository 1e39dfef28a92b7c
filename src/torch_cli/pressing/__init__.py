"""Keys that are pressed on purpose: by name, or to switch the mode of a program."""
