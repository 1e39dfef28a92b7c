"""Panes that look like agents, and that nobody has registered.

It costs next to nothing where there are none: profiles are read only for programs that one of them
names, and screens only of those panes.
"""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.programs.classify import classify
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, State
from torch_cli.roster.registry import AGENT_NAME, RESERVED, profiles_naming, program_in
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Glance, Pane, capture_rows, list_panes, look_over, screen_of
from torch_cli.tmux.socket import Socket
from torch_cli.watch.listing import Lookout

_INTERPRETER = re.compile(r"node|nodejs|bun|deno|python[\d.]*")
"""Programs that run others: the first word behind them names the agent program."""

_ANSWERS = ("y", "yes", "n", "no", "q", "quit")
"""What a person answers to the question of ``torch adopt --all``: it proposes no such name."""

_NOT_IN_A_NAME = re.compile(r"[^\w.-]+")


class Stranger(NamedTuple):
    """A pane with an agent program that is not registered, as it is now.

    ``named`` says that the program is known by the name of its process, so that ``torch adopt``
    recognises it. ``name`` is free, and is what it could be called.
    """

    pane: Pane
    profile: Profile
    state: AgentState
    directory: str
    named: bool
    name: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the command that registers it."""
        profile = () if self.named else ("--profile", self.profile.name)
        return ("torch", "adopt", self.pane.id, self.name, *profile)


def strangers(store: Store, socket: Socket, lookout: Lookout) -> list[Stranger]:
    """Return the strangers at the servers that ``lookout`` looks at, and at ``socket``.

    A server that cannot be looked at has none.
    """
    agents = store.agents.all()
    search = _Search({(agent.server, agent.pane, agent.pane_pid) for agent in agents})
    found: list[Stranger] = []
    for sweep in lookout.sweeps.values():
        with contextlib.suppress(TorchError):
            found += search.among(sweep.client, sweep.glances)
    if not any(socket.leads_to(path) for path in lookout.sweeps):
        with contextlib.suppress(TorchError):
            found += search.at(socket)
    return _with_names(found, {agent.name for agent in agents})


def stranger_in(client: ControlClient, pane: Pane) -> Stranger | None:
    """Return the stranger in ``pane``, without a name; ``None`` if it does not look like one."""
    glances = [one for one in look_over(client) if one.pane.id == pane.id]
    return next(iter(_Search(()).among(client, glances)), None)


class _Search:
    """One search; ``known`` are the panes that have agents."""

    def __init__(self, known: Collection[tuple[str, str, int]]) -> None:
        self._known = known
        self._by_word: dict[str, list[Profile]] = {}

    def at(self, socket: Socket) -> list[Stranger]:
        """Return the strangers at a server; it is connected to only if there may be any."""
        panes = list_panes(socket)
        if not any(self._profiles(pane) for pane in self._unknown(panes)):
            return []
        with ControlClient(socket, panes[0].session_id, hears=False) as client:
            return self.among(client, look_over(client))

    def among(self, client: ControlClient, glances: Sequence[Glance]) -> list[Stranger]:
        """Return the strangers among the panes of a server, whose screens are read at once."""
        facts = {one.pane.id: one.facts for one in glances}
        panes = self._unknown(one.pane for one in glances)
        wanted = [(pane, fits) for pane in panes if (fits := self._profiles(pane))]
        rows = capture_rows(client, [pane for pane, _ in wanted]) if wanted else []
        found = []
        for (pane, fits), shown in zip(wanted, rows, strict=True):
            for profile, named in fits if shown is not None else ():
                state = classify(screen_of(facts[pane.id], shown or ""), profile)
                if profile.unread or state.state is not State.UNKNOWN:
                    program = program_in(pane)
                    place = procs.directory(program.pid) if program else None
                    found.append(Stranger(pane, profile, state, place or "", named))
                    break
        return found

    def _unknown(self, panes: Iterable[Pane]) -> list[Pane]:
        """Return the living panes without an agent; a linked window is listed more than once."""
        each = {pane.id: pane for pane in panes if not pane.dead}
        return [
            pane for pane in each.values() if (pane.server, pane.id, pane.pid) not in self._known
        ]

    def _profiles(self, pane: Pane) -> list[tuple[Profile, bool]]:
        """Return the profiles of agent programs that may fit, and whether by the process's name."""
        named = [one for one in self._naming(pane.command) if pane.command in one.process.names]
        if named or not _INTERPRETER.fullmatch(pane.command):
            return [(one, True) for one in named]
        program = program_in(pane)
        words = procs.arguments(program.pid) if program else None
        script = os.path.basename(words[1]) if words and len(words) > 1 else ""
        return [
            (one, False)
            for one in self._naming(script)
            if script == os.path.basename(one.launch.command[0])
        ]

    def _naming(self, word: str) -> list[Profile]:
        if word not in self._by_word:
            fits = profiles_naming(word) if word else ()
            self._by_word[word] = [one for one in fits if not one.process.shells]
        return self._by_word[word]


# -- names -----------------------------------------------------------------------------------------


def _with_names(found: list[Stranger], taken: set[str]) -> list[Stranger]:
    """Give each a free name: of its window, else of its directory, else of its profile."""
    named = []
    for one in found:
        name = _free(_name_of(one), taken)
        taken = taken | {name}
        named.append(one._replace(name=name))
    return named


def _name_of(one: Stranger) -> str:
    pane = one.pane
    own = pane.window if pane.window not in (pane.command, one.profile.name) else ""
    for words in (own, os.path.basename(one.directory)):
        name = _NOT_IN_A_NAME.sub("-", words).strip("-.")[:60]
        free = name.casefold() not in _ANSWERS and name not in RESERVED
        if name and not name.isdecimal() and free and AGENT_NAME.fullmatch(name):
            return name
    return one.profile.name


def _free(name: str, taken: Collection[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
