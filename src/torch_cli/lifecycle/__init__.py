"""The life of an agent in its window: start, adoption, moves, names, end; its worktree."""
