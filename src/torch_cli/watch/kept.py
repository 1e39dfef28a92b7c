"""How the sessions of agents were arranged, as it is kept: the values, and their text."""

import functools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

FORMAT = 1
"""Of what is kept. Another Torch may have written another."""


class KeptPane(NamedTuple):
    """A pane: its ``directory``, and the identity of its ``agent``, '' for a shell.

    ``process`` is the name of the process of the team file ``team`` that ran there, '' for none.
    """

    directory: str
    agent: str = ""
    team: str = ""
    process: str = ""


class KeptWindow(NamedTuple):
    """A window and its panes in order. ``automatic``: tmux named it by what ran there.

    ``front`` is the place of its active pane, and ``active`` says that it was the active window.
    ``linked`` names the session that has it, if it was linked into this one: it has no panes here.
    """

    name: str
    layout: str = ""
    automatic: bool = False
    active: bool = False
    front: int = 0
    panes: tuple[KeptPane, ...] = ()
    linked: str = ""


class KeptSession(NamedTuple):
    """A session of the tmux server ``server``, and its windows in order.

    ``variables`` are the names of those that were set for it. ``alone`` says that it had one
    window, and its server no other: who closed that ended the server.
    """

    name: str
    server: str
    windows: tuple[KeptWindow, ...]
    variables: tuple[str, ...] = ()
    alone: bool = False

    @property
    def agents(self) -> frozenset[str]:
        """The identities of the agents in it."""
        return frozenset(pane.agent for one in self.windows for pane in one.panes if pane.agent)


def written(sessions: Sequence[KeptSession]) -> str:
    """Return ``sessions`` as text, '' for none. Bytes that are not UTF-8 are kept."""
    return json.dumps({"format": FORMAT, "sessions": _plain(sessions)}) if sessions else ""


def _plain(value: Any) -> Any:
    """Return values as lists. An older Torch knows no processes of panes, so none is no field."""
    if isinstance(value, KeptPane):
        return value if value.team or value.process else value[:2]
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value


def read(text: str) -> list[KeptSession]:
    """Return what ``written`` has written; nothing of what another Torch has."""
    return list(_read(text))


@functools.lru_cache(16)
def _read(text: str) -> tuple[KeptSession, ...]:
    """Return what ``text`` says. The scheduler compares it every few seconds."""
    try:
        known = json.loads(text) if text else {}
        if known.get("format") != FORMAT:
            return ()
        return tuple(_session(*one) for one in known["sessions"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return ()


def _session(
    name: str,
    server: str,
    windows: Sequence[Any],
    variables: Sequence[str] = (),
    alone: bool = False,
) -> KeptSession:
    there = tuple(_window(*one) for one in windows)
    return KeptSession(name, server, there, tuple(variables), alone is True)


def _window(*known: Any) -> KeptWindow:
    name, layout, automatic, active, front, panes, linked = known
    there = tuple(KeptPane(*one) for one in panes)
    return KeptWindow(name, layout, automatic, active, front, there, linked)


def was_alone(sessions: Sequence[KeptSession], server: str, agent: str) -> bool:
    """Return whether the window of the agent of that identity was the last of its tmux server, as
    far as ``sessions`` tell.
    """
    here = [one for one in sessions if one.server == server and agent in one.agents]
    return all(one.alone for one in here)
