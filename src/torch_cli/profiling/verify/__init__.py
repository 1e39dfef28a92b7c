"""Proof on this machine: an installed program is run against a stub, and what it does is kept."""
