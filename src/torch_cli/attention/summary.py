"""What happened since a moment, for a person who was away: what was done, what failed, what was
committed, and what came late.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch_cli.attention.answers_told import answers_told
from torch_cli.attention.stream import first_line, message_in
from torch_cli.delivery.ending import CANCELLED, NOTHING_TYPED, STOPPED
from torch_cli.duration import words as duration
from torch_cli.errors import TorchError
from torch_cli.git.command import Git
from torch_cli.programs.state import AT_WORK, ENDED, State
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import Run
from torch_cli.store.events import HEARD, RULE, STATE, Event
from torch_cli.store.messages import Excerpt

MOST_EVENTS = 50_000
"""Events that are read at most, the newest. They take 0.6 s of CPU time (2026-11-28), and are those
of a day with 20,000 messages."""

LATE_SECONDS = 60.0
"""Seconds after which a check-in came late. A tick of cron comes once a minute."""

LATE_MESSAGE_SECONDS = 300.0
"""Seconds after which a message came late. One that waits for the end of a turn is not late yet."""

STOP_EXPLAINS_SECONDS = 60.0
"""Seconds around the end of a program in which 'torch stop' explains it."""

MOST_NAMED = 5
"""Agents that one line names."""

_LIVES = {
    "spawn": "started",
    "adopt": "adopted",
    "stop": "stopped",
    "hibernate": "hibernated",
    "wake": "woken",
}
"""Agents that came and went, by the verb of the event, in words."""

_ARRIVED = ("submitted", "confirmed")
"""The states of a message that has arrived."""

_IN_A_TURN = (*AT_WORK, State.WAITING, State.UNKNOWN)
"""The states that do not end a turn."""

MOST_COMMITS = 50
"""Commits of one worktree that are read at most."""

GIT_PATIENCE_SECONDS = 10.0
"""Seconds that git may take for one worktree: it is left out then."""


class Happening(NamedTuple):
    """Something that happened at ``at`` (epoch seconds) with ``who``: an agent, or a directory."""

    at: float
    who: str
    words: str


class Summary(NamedTuple):
    """What happened, each part in the order of time.

    ``begins`` (epoch seconds) is later than what was asked for if there were too many events.
    """

    begins: float
    done: list[Happening]
    failed: list[Happening]
    committed: list[Happening]
    late: list[Happening]


class _Knowledge(NamedTuple):
    """The events, and what the store knows of the messages and runs that they name."""

    events: Sequence[Event]
    excerpts: dict[str, Excerpt]
    runs: dict[str, tuple[Run, str]]
    since: float

    def of(self, *verbs: str) -> Iterable[Event]:
        """Return the events with these verbs."""
        return (event for event in self.events if event.verb in verbs)


def summary(store: Store, since: float, agents: Sequence[Agent]) -> Summary:
    """Return what happened since ``since`` (epoch seconds), to the agents and without them.

    In the worktrees of ``agents`` it also finds commits that were made without Torch.
    """
    events = store.events.read(since=since, limit=MOST_EVENTS + 1, newest=True)
    begins = since
    if len(events) > MOST_EVENTS:
        events = events[1:]
        begins = events[0].at
    named = {message_in(event) for event in events} - {""}
    runs = {run.id: (run, name) for run, name in store.checkins.runs_since(begins)}
    known = _Knowledge(events, store.messages.excerpts(named), runs, begins)
    return Summary(
        begins,
        done=_in_order(_done(known)),
        failed=_in_order(_failed(known)),
        committed=_in_order([*_committed(known), *_commits(known, agents)]),
        late=_in_order(_late(known)),
    )


def _in_order(items: Iterable[Happening]) -> list[Happening]:
    return sorted(items, key=lambda item: item.at)


# -- done ------------------------------------------------------------------------------------------


def _done(known: _Knowledge) -> Iterable[Happening]:
    for event in _last_of_tasks(known):
        if event.detail.get("state") == "done":
            yield _of_task(event)
    for event in known.of("restart"):
        yield Happening(event.at, event.target, f"restarted: {event.detail.get('why')}")
    yield from _begun_and_ended(known)
    yield from _work(known)
    for at, who, words in answers_told(known.of("answer", HEARD)):
        yield Happening(at, who, words)
    yield from _ruled(known)
    arrived = [event for event in _last_of_messages(known) if _state(event) in _ARRIVED]
    if arrived:
        yield Happening(arrived[-1].at, "", f"{_number(len(arrived), 'message')} delivered")
    made = list(known.of("checkpoint"))
    if made:
        yield Happening(made[-1].at, "", f"{_number(len(made), 'checkpoint')} made")


def _work(known: _Knowledge) -> Iterable[Happening]:
    """Yield for each agent how long it worked, and how many turns it ended.

    A turn may end by way of a question or of what cannot be read, as in ``looking.turn_ended``.
    """
    spent, turns, last = dict[str, float](), dict[str, int](), dict[str, Event]()
    begun = set[str]()
    for event in known.of(STATE):
        lasted, before = event.detail.get("lasted"), event.detail.get("before")
        who = event.target
        if before in AT_WORK and isinstance(lasted, int | float):
            spent[who] = spent.get(who, 0.0) + min(float(lasted), event.at - known.since)
            last[who] = event
            begun.add(who)
        if _state(event) not in _IN_A_TURN and who in begun:
            turns[who] = turns.get(who, 0) + (_state(event) == State.IDLE)
            begun.remove(who)
    for who, event in last.items():
        ended = f", {_number(turns[who], 'turn')} ended" if turns.get(who) else ""
        yield Happening(event.at, who, f"worked for {duration(spent[who])}{ended}")


def _begun_and_ended(known: _Knowledge) -> Iterable[Happening]:
    """Yield which agents were started, adopted, stopped, hibernated and woken.

    A restart is told by itself.
    """
    again = [(event.target, event.at) for event in known.of("restart", "wake")]
    for verb, words in _LIVES.items():
        told = verb == "wake"
        found = [event for event in known.of(verb) if told or not _is_near(event, again)]
        if not found:
            continue
        names = list(dict.fromkeys(event.target for event in found))
        if len(names) == 1:
            yield Happening(found[-1].at, names[0], words)
            continue
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        who = f"{', '.join(names[:MOST_NAMED])}{more}"
        yield Happening(found[-1].at, "", f"{len(names)} agents {words}: {who}")


def _ruled(known: _Knowledge) -> Iterable[Happening]:
    """Yield for each agent how many of its permission requests rules have answered."""
    told = dict[str, list[Event]]()
    for event in known.of(RULE):
        if event.detail.get("acted"):
            told.setdefault(event.target, []).append(event)
    for who, events in told.items():
        denied = sum(event.detail.get("decision") == "deny" for event in events)
        parts = {"allowed": len(events) - denied, "denied": denied}
        words = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
        number = _number(len(events), "request")
        yield Happening(events[-1].at, who, f"rules answered {number}: {words}")


def _last_of_tasks(known: _Knowledge) -> Iterable[Event]:
    return {str(event.detail.get("task")): event for event in known.of("task")}.values()


def _last_of_messages(known: _Knowledge) -> list[Event]:
    return list({message_in(event): event for event in known.of("deliver")}.values())


def _of_task(event: Event) -> Happening:
    task, title, said = (event.detail.get(key) for key in ("task", "title", "words"))
    extra = "" if said == title else said
    words = _joined(f"{event.detail.get('state')}: {task}", title, extra)
    return Happening(event.at, event.target or event.actor, words)


# -- failed ----------------------------------------------------------------------------------------


def _failed(known: _Knowledge) -> Iterable[Happening]:
    for event in _last_of_messages(known):
        if _state(event) in ("failed", "unknown") and not _is_a_persons_will(event, known):
            yield Happening(event.at, event.target, _of_message(event, known, _state(event)))
    for event in _last_of_tasks(known):
        if event.detail.get("state") == "failed":
            yield _of_task(event)
    for run, name in known.runs.values():
        if run.state in ("missed", "failed"):
            words = _joined(f"check-in {name} {run.state}", run.reason)
            yield Happening(run.fired, run.recipient, words)
    for event in known.of("give-up"):
        words = _joined("not restarted any more", event.detail.get("why"))
        yield Happening(event.at, event.target, words)
    for event in known.of("verify"):
        if _state(event) in ("failed", "broken"):
            version, said = (event.detail.get(key) for key in ("version", "words"))
            yield Happening(
                event.at, event.target, _joined(f"proof of {version} {_state(event)}", said)
            )
    yield from _not_back(known)
    yield from _states(known)


def _is_a_persons_will(event: Event, known: _Knowledge) -> bool:
    """Return whether a message did not arrive because its sender cancelled it.

    A person's message that waited for an agent is dropped with it, and they are told of that if it
    was they who stopped the agent.
    """
    reason, excerpt = event.detail.get("reason"), known.excerpts.get(message_in(event))
    if reason == CANCELLED:
        return True
    dropped = reason == STOPPED % event.target
    return dropped and not event.actor and excerpt is not None and excerpt.told


def _not_back(known: _Knowledge) -> Iterable[Happening]:
    """Yield which agents could not be brought back after their tmux server was gone."""
    for event in known.of("resurrect"):
        failed = event.detail.get("failed")
        for name, why in failed.items() if isinstance(failed, dict) else ():
            yield Happening(event.at, name, _joined("not brought back", why))


def _states(known: _Knowledge) -> Iterable[Happening]:
    """Yield ends of programs that nobody asked for, errors that ended turns, and usage limits."""
    stopped = [(event.target, event.at) for event in known.of("stop", "retire")]
    again = {event.target: event.at for event in known.of("restart")}
    for event in known.of(STATE):
        # A program that reports its end is seen to have ended once more, as its pane's process.
        ended = _state(event) in ENDED and event.detail.get("before") not in ENDED
        restarted = event.at <= again.get(event.target, 0.0)  # told as such, with why
        if ended and not restarted and not _is_near(event, stopped):
            yield Happening(event.at, event.target, _joined("ended", event.detail.get("evidence")))
        if _state(event) == State.ERROR:
            words = _joined("ended a turn with an error", event.detail.get("evidence"))
            yield Happening(event.at, event.target, words)
        if _state(event) == State.LIMITED:
            reset = event.detail.get("reset")
            until = f"until {reset}" if reset else event.detail.get("evidence")
            yield Happening(event.at, event.target, _joined("reached a usage limit", until))


def _is_near(event: Event, others: Iterable[tuple[str, float]]) -> bool:
    """Return whether one of ``others`` was with the same agent at about the same time."""
    return any(
        name == event.target and abs(at - event.at) < STOP_EXPLAINS_SECONDS for name, at in others
    )


# -- committed -------------------------------------------------------------------------------------


def _committed(known: _Knowledge) -> Iterable[Happening]:
    """Yield what was committed, branched and tagged through Torch."""
    for event in known.of("commit", "branch", "tag"):
        said = event.detail
        commit, who = str(said.get("commit"))[:9], event.actor or os.path.basename(event.target)
        if event.verb == "commit":
            words = _joined(commit, said.get("subject"), f"on {said.get('branch')}")
        else:
            words = f"{event.verb} {said.get(event.verb)} at {commit}"
        yield Happening(event.at, who, words)


def _commits(known: _Knowledge, agents: Sequence[Agent]) -> Iterable[Happening]:
    """Yield the commits in the worktrees of ``agents`` that were made without Torch."""
    seen = {str(event.detail.get("commit")) for event in known.of("commit")}
    for directory in dict.fromkeys(agent.directory for agent in agents):
        # The directory may be gone, or no repository: there is nothing to tell then.
        with contextlib.suppress(TorchError, ValueError):
            for commit, at, author, subject in _log(directory, known.since):
                if commit not in seen and float(at) >= known.since:
                    seen.add(commit)
                    words = f"{commit[:9]}  {first_line(subject)}  by {first_line(author)}"
                    yield Happening(float(at), os.path.basename(directory), words)


def _log(directory: str, since: float) -> list[list[str]]:
    """Return the newest commits: hash, time, author, subject."""
    form = "--format=%H%x00%ct%x00%an%x00%s"
    when = ("--no-show-signature", f"--max-count={MOST_COMMITS}", f"--since=@{int(since)}")
    said = Git(directory, timeout=GIT_PATIENCE_SECONDS).text("log", *when, form, "--")
    rows = [line.split("\0", 3) for line in said.split("\n")]
    return [row for row in rows if len(row) == 4]


# -- late ------------------------------------------------------------------------------------------


def _late(known: _Knowledge) -> Iterable[Happening]:
    for run, name in known.runs.values():
        if run.state in ("sent", "overdue") and run.fired - run.due >= LATE_SECONDS:
            how = f"check-in {name} came {duration(run.fired - run.due)} late"
            yield Happening(
                run.fired, run.recipient, _joined(how, run.delay or "the reason is not known")
            )
    held = {
        message_in(event): str(event.detail.get("reason", "")).removesuffix(NOTHING_TYPED)
        for event in known.of("deliver")
        if _state(event) == "held"
    }
    for event in _last_of_messages(known):
        excerpt = known.excerpts.get(message_in(event))
        if (
            excerpt
            and _state(event) in _ARRIVED
            and event.at - excerpt.created > LATE_MESSAGE_SECONDS
        ):
            waited = f"came {duration(event.at - excerpt.created)} after it was sent"
            why = held.get(message_in(event), "")
            words = _of_message(event, known, f"{waited}  {why}" if why else waited)
            yield Happening(event.at, event.target, words)


# -- words -----------------------------------------------------------------------------------------


def _of_message(event: Event, known: _Knowledge, what: str) -> str:
    excerpt = known.excerpts.get(message_in(event))
    sender = f" from {event.actor}" if event.actor else ""
    text = f'"{first_line(excerpt.beginning)}"' if excerpt else ""
    return _joined(f"{message_in(event)}{sender} {what}", event.detail.get("reason"), text)


def _state(event: Event) -> str:
    return str(event.detail.get("state", ""))


def _joined(*words: object) -> str:
    return "  ".join(str(word) for word in words if word)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def shares(counts: Sequence[int], room: int) -> list[int]:
    """Return how many rows each part gets of ``room``: as many as it has, or as even as can be."""
    given = [0] * len(counts)
    while sum(given) < room and (short := [n for n, c in enumerate(counts) if given[n] < c]):
        for number in short[: room - sum(given)]:
            given[number] += 1
    return given
