"""A look at a pane: what it shows, what its program last reported, and the state that makes."""

from dataclasses import dataclass

from torch_cli.agents.classify import classify
from torch_cli.agents.profile import Profile
from torch_cli.agents.state import AgentState, HookEvent
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, capture_one
from torch_cli.tmux.screen import Screen


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look found: the screen, and the state it was classified as."""

    screen: Screen
    state: AgentState


def observe(
    client: ControlClient, store: Store, pane: Pane, profile: Profile, *, since: float = 0.0
) -> Sight:
    """Look at ``pane`` once. Hook reports before ``since`` (epoch seconds) do not count.

    Raises ``NotFoundError`` if the pane is gone or runs another process.
    """
    screen = capture_one(client, pane)
    report = store.hooks.latest(pane.socket_path, pane.id, since=since)
    event = HookEvent(report.name, report.at) if report else None
    return Sight(screen, classify(screen, profile, event))
