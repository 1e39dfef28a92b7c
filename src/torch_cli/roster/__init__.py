"""Who is who: the registry of agents, who is above whom, who may do what, and which project."""
