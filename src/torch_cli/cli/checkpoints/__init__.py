"""Work that is kept: checkpoints, commits, branches, tags."""
