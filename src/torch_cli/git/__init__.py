"""The only place that runs git: processes, worktrees, and what git's configuration may do."""
