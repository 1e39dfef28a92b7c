"""Watching panes: waiting for states, the list of agents, and what stands in the way here."""
