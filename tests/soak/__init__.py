"""The soak: many messages to many agents for minutes, while all kinds of things go wrong.

``python -m soak`` runs it (``make soak``). What arrived is taken from the agents' own logs and the
requests at the stub of the API, and compared with what Torch said; docs/soak.md tells more.
"""
