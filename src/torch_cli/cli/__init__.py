"""The command line: it parses, calls the core, and prints. Nothing else lives here.

``group`` is the whole command line, made of click. Each section of ``torch --help`` is a folder,
and each command in it a module with its name; what is here is what commands share. ``direct`` takes
the calls that are made a thousand times a day past click.
"""
