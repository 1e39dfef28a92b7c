"""Agent programs: how each starts, what its screens, hooks and records mean, and its set-up."""
