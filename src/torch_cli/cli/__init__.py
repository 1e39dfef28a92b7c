"""The command line: it parses, calls the core, and prints. Nothing else lives here.

``group`` is the whole command line, made of click; each command is a module with its name.
``direct`` takes the calls that are made a thousand times a day past click.
"""
