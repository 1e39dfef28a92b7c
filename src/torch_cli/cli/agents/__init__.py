"""Agents: started, listed, looked at, moved and ended."""
