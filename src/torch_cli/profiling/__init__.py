"""Profiles of programs: a draft for an unknown program, a proof for an installed one."""
