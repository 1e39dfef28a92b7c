"""Profiles of programs: drafted for one that is not known, verified for one that is there."""
