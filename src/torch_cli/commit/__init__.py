"""What Torch does on a person's branch, only on request: commits, branches, tags.

This room does not push, rewrite, stash, reset, or delete a branch.
"""
