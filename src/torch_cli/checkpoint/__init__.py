"""Checkpoints: what a worktree holds, kept in its own repository, off every branch."""
