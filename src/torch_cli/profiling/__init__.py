"""Profiles of programs: drafted for one that Torch does not know, verified for one that is there."""
