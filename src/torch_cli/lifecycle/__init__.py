"""The life of an agent in its window: started, adopted, moved, renamed, stopped; its worktree."""
