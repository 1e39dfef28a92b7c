"""The health of agents: which have ended and why, and what is done about it."""
