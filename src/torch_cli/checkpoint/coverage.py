"""Which directories get no checkpoints, because they are in no git repository."""

import contextlib

from torch_cli.checkpoint.settings import load_settings
from torch_cli.errors import TorchError
from torch_cli.git.worktree import top_of

OUTSIDE_GIT_ADVICE = "'git init' there, or 'torch checkpoint init DIR --shadow', has them made"
"""What to do about a directory that gets no checkpoints."""


def is_outside_git(directory: str) -> bool:
    """Return whether ``directory`` gets no checkpoints although they are wanted.

    It costs microseconds. Of an agent whose directory is not known ('') nothing is said.
    """
    with contextlib.suppress(TorchError):  # wrong settings: the doctor and the scheduler say so
        if not load_settings().every:
            return False
    return bool(directory) and top_of(directory) is None


def outside_git(directory: str) -> str:
    """Say that ``directory`` gets no checkpoints, and what to do; '' if it gets them."""
    if not is_outside_git(directory):
        return ""
    return f"no checkpoints: {directory} is outside git; {OUTSIDE_GIT_ADVICE}"
