"""What Torch does on a person's branch, only on request: commits, branches, tags.

Nothing here pushes, rewrites, stashes, resets, or deletes a branch.
"""
