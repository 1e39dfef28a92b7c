"""Reports that programs make of themselves: making one, and weighing the one in a pane's option."""

import os
import time
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.own_report import (
    LONGEST_WORDS,
    OPTION,
    REPORTABLE,
    counted,
    report_of,
    said_in,
    value_of,
    written_now,
)
from torch_cli.programs.state import AgentState, OwnReport, State
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket


class Reported(NamedTuple):
    """A report that was made: of the pane, and of the agent in it, '' if it has none."""

    pane: str
    agent: str
    report: OwnReport


def with_report(store: Store, pane: Pane, state: AgentState, value: str) -> AgentState:
    """Return ``state`` as the report in the pane's option, which holds ``value``, makes it."""
    said = said_in(value) if value else None
    if said is None:
        return state
    now = time.time()
    # When it was first seen; the store remembers that for every thing that is observed.
    seen = (
        now
        if said.at
        else store.observations.record(pane.server, f"{pane.id} {OPTION}", pane.pid, value, "")
    )
    return counted(state, report_of(said, seen, now), now)


def report(store: Store, state: str, words: str) -> Reported:
    """Report ``state`` for the program in the pane that this process runs in.

    Raises ``RefusedError`` for a state that cannot be reported, words that are too long, or a
    process that runs in no pane.
    """
    if state not in REPORTABLE:
        hint = f"States: {', '.join(REPORTABLE)}."
        raise RefusedError(f"'{state}' is not a state to report", hint=hint, code="usage")
    if len(words) > LONGEST_WORDS:
        raise RefusedError(
            f"the message has {len(words)} characters; at most {LONGEST_WORDS} can be reported",
            code="usage",
        )
    pane = own_pane()
    said = written_now(State(state), words)
    socket = Socket(path=pane.socket_path)
    before = run(socket, "-N", "show-options", "-p", "-v", "-q", "-t", pane.id, OPTION).out
    with ControlClient(socket, pane.session_id) as client:
        client.call("set-option", "-p", "-t", pane.id, OPTION, value_of(said))
    agent = store.agents.in_pane(pane.server, pane.id, pane.pid)
    name = agent.name if agent else ""
    old = said_in(before.rstrip("\n"))
    if old is None or (old.state, old.words) != (said.state, said.words):
        detail = {"report": state, "words": said.words, "pane": pane.id}
        identity = agent.identity if agent else ""
        store.events.add("report", name or pane.id, detail, actor=name, agent=identity)
    return Reported(pane.id, name, OwnReport(said.state, said.at, said.words))


def own_pane() -> Pane:
    """Return the pane that this process runs in, by the processes above it.

    The environment says only which server to ask. Raises ``RefusedError`` if it runs in none.
    """
    path = os.environ.get("TMUX", "").rsplit(",", 2)[0]
    above = {os.getpid(), *procs.ancestors(os.getpid())}
    try:
        panes = list_panes(Socket(path=path)) if path else []
    except NotFoundError:
        panes = []
    for pane in panes:
        if pane.pid in above:
            return pane
    raise RefusedError(
        "this command does not run in a pane of tmux; nothing was reported",
        hint=f"Run it in the program's pane, or set its option: tmux set-option -p {OPTION} STATE",
        code="no-pane",
    )
