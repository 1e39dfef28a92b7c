"""The marks in a person's tmux: user options that the daemon sets where the snippet was sourced.

tmux draws its status line and borders again whenever an option is set. So nothing is set unless it
has changed, and nothing at all on a server where nobody reads it.
"""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch_cli.attention.groups import URGENT, group_of
from torch_cli.attention.looking import Unseen
from torch_cli.errors import TorchError
from torch_cli.programs.state import one_line
from torch_cli.snippet.text import CLIENT, COLUMNS, DO, DONE_UNSEEN, LINE, SOURCED
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.watch.end import is_shell

ASKED_SECONDS = 5.0
"""Seconds after which a server that had not sourced the snippet is asked again."""


class _ServerMarks(NamedTuple):
    """What one server shows, ``marks`` by pane, and whether all of it is ours and true (``ours``).

    ``ended`` are the panes of agents that have ended a turn unseen. ``asked`` (monotonic) is when
    the server was asked whether the snippet was ``sourced`` there.
    """

    client: ControlClient
    sourced: bool
    asked: float
    marks: Mapping[str, str]
    ended: frozenset[str] = frozenset()
    line: str = ""
    ours: bool = False


class Marks:
    """Keeps the marks of all servers true. One scheduler has one."""

    def __init__(self) -> None:
        self._servers: dict[str, _ServerMarks] = {}
        self._unseen: Unseen | None = None

    def show(
        self,
        store: Store,
        agents: Iterable[Agent],
        states: Mapping[str, str],
        rests: Mapping[str, float],
        clients: Mapping[str, ControlClient],
    ) -> None:
        """Have each server show what its ``agents`` need.

        ``states`` are the states by an agent's identity, ``rests`` since when it is at rest if it
        is, ``clients`` the open connections by the socket of their server. A server that does not
        answer is tried again at the next call.
        """
        self._servers = {path: one for path, one in self._servers.items() if path in clients}
        here: dict[str, list[tuple[Agent, str]]] = {path: [] for path in clients}
        ended: dict[str, set[str]] = {path: set() for path in clients}
        unseen = self._look(store, rests)
        for agent in agents:
            is_done = agent.identity in unseen and not is_shell(agent)
            if is_done and agent.socket in ended:
                ended[agent.socket].add(agent.pane)
            state = states.get(agent.identity)
            group = group_of(state) if state is not None else ""
            if group in URGENT and agent.socket in here:
                here[agent.socket].append((agent, group))
        for path, client in clients.items():
            try:
                self._show_at(path, client, here[path], frozenset(ended[path]))
            except TorchError:
                self._servers.pop(path, None)

    def _look(self, store: Store, rests: Mapping[str, float]) -> frozenset[str]:
        """Return who has ended a turn that nobody has looked at, if any server shows that."""
        if not any(one.sourced for one in self._servers.values()):
            self._unseen = None
            return frozenset()
        self._unseen = self._unseen or Unseen()
        return self._unseen.look(store, rests)

    def leave(self, path: str, client: ControlClient) -> None:
        """Remove the marks of a server that has no agents any more."""
        shown = self._servers.pop(path, None)
        if shown is not None and shown.sourced and shown.client is client:
            unset = [_set("-pu", "-t", pane, DO) for pane in shown.marks]
            unset += [_set("-pu", "-t", pane, DONE_UNSEEN) for pane in shown.ended]
            unset += [_set("-gu", LINE), _set("-gu", CLIENT)]
            try:
                client.ask_all(unset)
            except TorchError:
                return  # the server has ended

    def _show_at(
        self,
        path: str,
        client: ControlClient,
        found: list[tuple[Agent, str]],
        ended: frozenset[str],
    ) -> None:
        shown = self._servers.get(path)
        known = shown is not None and shown.client is client
        if shown is None or not known or _is_to_be_asked(shown):
            shown = self._servers[path] = _ask(client)
        wanted = shown._replace(
            marks={agent.pane: group for agent, group in found},
            ended=ended,
            line=segment(found),
            ours=True,
        )
        if not shown.sourced or wanted == shown:
            return
        lines = [
            _set("-p", "-t", pane, DO, what)
            for pane, what in wanted.marks.items()
            if shown.marks.get(pane) != what
        ]
        lines += [_set("-pu", "-t", pane, DO) for pane in shown.marks if pane not in wanted.marks]
        lines += [_set("-p", "-t", pane, DONE_UNSEEN, "1") for pane in ended - shown.ended]
        lines += [_set("-pu", "-t", pane, DONE_UNSEEN) for pane in shown.ended - ended]
        if not shown.ours or wanted.line != shown.line:
            lines.append(_set("-g", LINE, wanted.line))
        if not shown.ours:
            lines.append(_set("-g", CLIENT, _name(client)))
        client.ask_all(lines)
        self._servers[path] = wanted


def _is_to_be_asked(shown: _ServerMarks) -> bool:
    return not shown.sourced and time.monotonic() - shown.asked >= ASKED_SECONDS


def _ask(client: ControlClient) -> _ServerMarks:
    """Return what the server of ``client`` shows, maybe of an earlier daemon."""
    sourced = client.call("display-message", "-p", f"#{{{SOURCED}}}").text
    form = f"#{{pane_id}} #{{{DO}}} #{{{DONE_UNSEEN}}}"
    rows = client.call("list-panes", "-a", "-F", form).lines if sourced else ()
    found = [row.split(" ") for row in rows]
    marks = {pane: do for pane, do, _ in found if do}
    ended = frozenset(pane for pane, _, done in found if done)
    return _ServerMarks(client, bool(sourced), time.monotonic(), marks, ended)


def _name(client: ControlClient) -> str:
    """Return the name of our connection, as tmux says it when the connection ends."""
    return client.call("display-message", "-p", "#{client_name}").text


def _set(*words: str) -> bytes:
    return quote.line("set-option", "-q", *words)


def segment(found: list[tuple[Agent, str]]) -> str:
    """Return who needs a person, for the status line; '' if nobody does.

    Names of agents have no character that tmux would expand; the words are cut to ``COLUMNS``.
    """
    groups = [group for _, group in found]
    counted = ", ".join(f"{groups.count(name)} to {name}" for name in URGENT if name in groups)
    names = [agent.name for name in URGENT for agent, group in found if group == name]
    return one_line(f"{counted}: {', '.join(names)}", COLUMNS) if found else ""
