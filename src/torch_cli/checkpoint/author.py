"""The author of a checkpoint or commit."""

import os

from torch_cli import paths
from torch_cli.git.worktree import Worktree, top_of
from torch_cli.store import Store


def author_in(worktree: Worktree) -> str:
    """Return the agent that runs this process, else the agents that work in the worktree, '' if
    none.
    """
    if not os.path.exists(paths.database()):
        return ""
    with Store() as store:
        from torch_cli.roster.actor import own_name

        if own := own_name(store):
            return own
        here = (one.name for one in store.agents.all() if top_of(one.directory) == worktree.top)
        return ", ".join(here)
