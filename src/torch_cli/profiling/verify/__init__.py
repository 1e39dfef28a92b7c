"""Proof on this machine: an installed program runs against a stub, and the result is kept."""
