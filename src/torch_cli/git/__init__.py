"""The only place that runs git: its processes, the worktrees, and what its configuration may do."""
