"""Each source of what is known of an agent's state, and which one decided."""

from typing import NamedTuple

from torch_cli.programs.attempts import unlogged
from torch_cli.programs.beside import SUB_AGENT, beside_in, words_of
from torch_cli.programs.classify import classify
from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.programs.record import record_of
from torch_cli.programs.state import State
from torch_cli.programs.turn import event_of, turn_of
from torch_cli.roster.registry import Found
from torch_cli.store import Store

_MEANINGS = {
    "submitted": State.WORKING,
    "working": State.WORKING,
    "compacting": State.WORKING,
    "retrying": State.RETRYING,
    "idle": State.IDLE,
    "failed": State.ERROR,
    "waiting": State.WAITING,
    "exited": State.EXITED,
}
"""What the meanings of a profile's hook events say of the state. The others say nothing of it."""

_BY_RULE = {
    "hook": "hook",
    "own report": "report",
    "another session": "record",
    "process": "process",
}
"""The source behind each built-in rule; all other rules are read from the screen."""


class StateSource(NamedTuple):
    """What one source says of an agent.

    ``name`` is ``screen``, ``hook`` (the program's latest report through its hooks), ``sub-agent``
    (what its hooks say of those), ``record`` (the file in which the program keeps what it does),
    ``log`` (its log of attempts, if it has none), ``report`` (``torch report``), ``process`` or
    ``history``. ``state`` is what it says, '' if it
    says nothing of that. ``rule`` is the profile's rule or the name of the event, ``at`` when it
    was written (epoch seconds; for the screen, when it last changed), 0 if that is not known.
    ``decides`` says that the agent's state is taken from it.
    """

    name: str
    state: str
    evidence: str
    rule: str = ""
    at: float = 0.0
    decides: bool = False


def sources_of(
    store: Store, found: Found, profile: Profile, sight: Sight
) -> tuple[StateSource, ...]:
    """Return what each source says of the agent in ``found``; ``sight`` is the look that counts.

    A program without hooks, record or reports of its own has fewer of them.
    """
    state, pane, screen = sight.state, found.pane, sight.screen
    program = found.program or pane.pid
    plain = classify(screen, profile)
    sources = [
        StateSource("screen", str(plain.shown), plain.evidence, plain.rule, float(screen.wrote))
    ]
    place, aside = (pane.server, pane.id), profile.hooks.aside
    report = store.hooks.latest(*place, since=found.started, besides=aside)
    event = event_of(store, profile, report, *place, found.started)
    if event is not None:
        says = _MEANINGS.get(profile.hooks.events.get(event.name, ""), "")
        words = f"its latest report is {event.name}"
        sources.append(StateSource("hook", str(says), words, event.name, event.at))
    beside = beside_in(store, profile, *place, found.started)
    helpers = [one for one in beside if one.what == SUB_AGENT]
    if helpers:
        words = f"its hooks say that these work: {words_of(helpers)}"
        first = helpers[0]
        sources.append(StateSource(SUB_AGENT, str(State.WORKING), words, first.rule, first.at))
    record = record_of(profile.answer.transcript, program)
    if record is not None:
        does = State.WORKING if record.running else State.IDLE
        does = State.WAITING if record.asks else does
        sources.append(StateSource("record", str(does), record.evidence, "", record.at))
    if unseen := unlogged(profile, program):
        sources.append(StateSource("log", "", unseen))
    if (own := state.report) is not None:
        words = own.words or "its own report"
        words = f"{words} (too old to count)" if own.stale else words
        sources.append(StateSource("report", str(own.state), words, "", own.at))
    if state.rule == "process":
        sources.append(StateSource("process", str(state.state), state.evidence))
    trouble = state.trouble
    if trouble is not None and trouble.source == "history":
        sources.append(StateSource("history", str(trouble.state), trouble.words))
    if trouble is not None:
        deciding = trouble.source
    elif state.rule == "turn":
        turn = turn_of(profile, program, event, screen.wrote)
        deciding = turn.source if turn is not None else "hook"
    else:
        deciding = _BY_RULE.get(state.rule, "screen")
    return tuple(one._replace(decides=one.name == deciding) for one in sources)
