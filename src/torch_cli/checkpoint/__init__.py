"""Checkpoints: the files of a worktree, kept in its own repository, off every branch."""
