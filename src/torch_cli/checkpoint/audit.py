"""The log of what was done to a worktree."""

import contextlib
from collections.abc import Mapping

from torch_cli.errors import TorchError
from torch_cli.git.worktree import Worktree
from torch_cli.store import Store
from torch_cli.store.database import storable


def note_event(
    verb: str, worktree: Worktree, detail: Mapping[str, object], *, actor: str = ""
) -> None:
    """Record that ``actor`` (an agent's name, or '' for a person) did ``verb`` to ``worktree``.

    The act is done by then, so a log that cannot be written is not an error.
    """
    with contextlib.suppress(TorchError), Store() as store:
        store.events.add(verb, storable(worktree.top), detail, actor)
