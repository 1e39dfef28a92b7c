"""Teams of agents: brought up, kept up, brought down, and held to their agreement."""
