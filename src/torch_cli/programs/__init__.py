"""Agent programs: how each is started, what its screens, hooks and records mean, and its set-up."""
