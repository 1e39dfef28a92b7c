"""Checks for unsubmitted text in an agent's box, so that nobody ends that agent by accident."""

from torch_cli.errors import HeldError, TorchError
from torch_cli.programs.observe import observe
from torch_cli.roster.registry import find, profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket


def check_no_draft(store: Store, agent: Agent) -> None:
    """Raise ``HeldError`` if there is unsubmitted text in the agent's box."""
    try:
        found = find(store, Socket(path=agent.socket), agent.name)
        profile = profile_named(agent.profile)
        with ControlClient(found.socket, found.pane.session_id) as client:
            box = observe(client, store, found.pane, profile).state.box
    except TorchError:  # nobody types into a pane that cannot be read
        return
    if box is not None and not box.empty:
        raise HeldError(
            f"the box of '{agent.name}' holds a text that was not submitted; nothing was done",
            hint=f"Submit or delete it: torch attach {agent.name}. 'torch retire --force' ends the "
            "agent all the same, and saves its screen.",
            code="draft",
        )
