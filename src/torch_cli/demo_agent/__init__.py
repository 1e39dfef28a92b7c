"""A small full-screen program that behaves like a coding agent, for demos and for tests.

It takes text, pastes and keys like a real one, works for a moment, asks before it runs a command,
and fails on request. Its log has what it was given, byte for byte.

``keys`` turns bytes into events, ``message`` holds the input box and reads markers, ``agent``
decides, ``view`` draws, ``program`` touches the terminal, the clock and processes.
"""

VERSION = "1.0"
