"""The command line: it parses, calls the core, and prints. It does nothing else.

``group`` is the whole command line, made with click. Each section of ``torch --help`` is a folder,
and each command is a module in it. The modules here are shared by commands. ``direct`` handles
calls that are made a thousand times a day without click.
"""
