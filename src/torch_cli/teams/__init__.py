"""Teams of agents: starting, keeping and ending them, and checking their agreement."""
