"""What Torch does on a person's branch, and only when it is asked to: commits, branches, tags.

Nothing here pushes, rewrites, stashes, resets, or deletes a branch.
"""
