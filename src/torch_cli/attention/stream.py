"""Everything that happened, as one stream: kinds of events, their words, and cursors.

A cursor names an event of one state file. Who reads on after it misses nothing: if events behind it
have been deleted meanwhile, it has expired, and that is an error.
"""

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from torch_cli.duration import words as duration
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.state import one_line
from torch_cli.store import Store
from torch_cli.store.events import (
    END,
    FREEZE,
    HEARD,
    LIMIT_OVER,
    NOT_PRESSED,
    PRESS,
    RESURRECT,
    RULE,
    STATE,
    Event,
)

EVENT_KINDS: Mapping[str, frozenset[str]] = {
    "state": frozenset({STATE}),
    "message": frozenset({"deliver", "cancel", "edit", "retry"}),
    "answer": frozenset({"answer", HEARD, RULE}),
    "checkin": frozenset({"fire", "checkin", "pause", "resume", "snooze", "remove"}),
    "task": frozenset({"task", "delegate", "handoff"}),
    "checkpoint": frozenset({"checkpoint", "restore"}),
    "commit": frozenset({"commit", "branch", "tag"}),
    "restart": frozenset({"restart", "not-restarted", "give-up", "policy", "nudge", RESURRECT}),
    "agent": frozenset(
        {
            *("spawn", "adopt", "end", "stop", "retire", "rename", "move", "mode", "log", "mute"),
            *("report", FREEZE, "thaw", "hibernate", "wake", LIMIT_OVER),
        }
    ),
    "key": frozenset({PRESS, NOT_PRESSED, "run"}),
    "team": frozenset({"brief", "acknowledge", "trust"}),
    "profile": frozenset({"verify", "install", "uninstall"}),
    "notice": frozenset({"tell"}),
}
"""The kinds, and the verbs of each."""

OTHER_KIND = "other"
"""The kind of an event whose verb is in none, as a later version may write."""

TEXT_CHARACTERS = 80
"""Characters of a message's first line that an event shows."""

_KIND_OF = {verb: kind for kind, verbs in EVENT_KINDS.items() for verb in verbs}
_DONE = {
    "checkin": "made",
    "checkpoint": "made",
    "commit": "committed",
    "fire": "fired",
    FREEZE: "frozen",
    "hibernate": "hibernated",
    "install": "installed",
    LIMIT_OVER: "its usage limit is over",
    NOT_PRESSED: "not pressed after all",
    "nudge": "nudged",
    "restart": "restarted",
    "tell": "told",
    "thaw": "thawed",
    "uninstall": "removed",
    "wake": "woken",
}
"""The words for verbs that would only repeat the kind."""

_STOPPED = {
    "asked": "it ended when asked",
    "terminated": "it was terminated",
    "killed": "it was killed",
    "gone": "it had ended before",
    "forgotten": "only its record was removed",
}
"""What is known of an agent that was stopped, by how it ended."""

_BECAME = {
    "answered": "the program has recorded this choice",
    "overtaken": "somebody else's answer came first",
    "unknown": "the question still shows",
}
"""What is known of an answer that was pressed, by its outcome."""

_CURSOR = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


class Entry(NamedTuple):
    """An event of the stream, with the ``cursor`` behind it and its ``words`` in one line.

    ``subject`` is whom or what it is about, for people. ``text`` is the beginning of the message
    that it is about, '' if it is about none, or that one is not kept any more.
    """

    cursor: str
    kind: str
    subject: str
    words: str
    event: Event
    text: str = ""


class Part(NamedTuple):
    """A part of the stream; ``cursor`` is where it ends, and ``more`` says that it was cut short:
    later events follow, or with ``newest`` earlier ones were left out.
    """

    entries: list[Entry]
    cursor: str
    more: bool


class Wanted(NamedTuple):
    """Which events: of the agent of that name, and of these kinds; all if nothing is said."""

    agent: str = ""
    kinds: Collection[str] = ()


def read(
    store: Store,
    wanted: Wanted,
    *,
    after: str | None = None,
    since: float = 0.0,
    limit: int | None = None,
) -> Part:
    """Return the events after the cursor ``after``, or at or after ``since`` (epoch seconds).

    Behind a cursor the first ``limit`` events, else the last of them. Raises ``RefusedError`` for a
    cursor that is not one, or has expired, and for a kind that is not known; ``NotFoundError`` for
    an agent of which nothing is known.
    """
    verbs = _verbs(wanted.kinds)
    stream = store.events.stream()
    start = 0 if after is None else position(store, after)
    found = store.events.read(
        after=start,
        until=stream.newest,
        since=since,
        verbs=verbs,
        limit=-1 if limit is None else limit + 1,
        newest=after is None,
        **_agent(store, wanted.agent),
    )
    more = limit is not None and len(found) > limit
    end = stream.newest
    if more:
        assert limit is not None
        found = found[-limit:] if after is None else found[:limit]
        end = stream.newest if after is None else found[-1].id
    return Part(
        entries_of(store, found, stream.identity),
        f"{stream.identity}-{max(end, start)}",
        more,
    )


def position(store: Store, cursor: str) -> int:
    """Return the id of the event that ``cursor`` names; raises ``RefusedError`` as ``read``."""
    matched = _CURSOR.fullmatch(cursor)
    if matched is None:
        hint = "A cursor is printed by 'torch events', for example 3f9a1c55-1204."
        raise RefusedError(f"'{cursor}' is not a cursor", hint=hint, code="bad-cursor")
    stream = store.events.stream()
    identity, number = matched[1], int(matched[2])
    if identity != stream.identity or number > stream.newest:
        why = "it is of another state file, or of a later copy of this one"
    elif number < stream.deleted:
        why = "events after it have been deleted since"
    else:
        return number
    raise RefusedError(
        f"the cursor '{cursor}' has expired: {why}",
        hint="Begin again without --after, for example with --since 1d.",
        code="cursor-expired",
        details={"oldest": f"{stream.identity}-{stream.deleted}"},
    )


def cursor_of(store: Store, identity: int) -> str:
    """Return the cursor behind the event of that id."""
    return f"{store.events.stream().identity}-{identity}"


def entries_of(store: Store, events: Sequence[Event], identity: str) -> list[Entry]:
    """Return ``events`` as entries of the stream of that ``identity``."""
    excerpts = store.messages.excerpts({message_in(event) for event in events} - {""})
    found = []
    for event in events:
        excerpt = excerpts.get(message_in(event))
        text = first_line(excerpt.beginning) if excerpt else ""
        kind, subject = _KIND_OF.get(event.verb, OTHER_KIND), event.target or event.actor
        cursor, words = f"{identity}-{event.id}", words_of(event, text)
        found.append(Entry(cursor, kind, subject, words, event, text))
    return found


def message_in(event: Event) -> str:
    """Return the id of the message that ``event`` is about, '' if it is about none."""
    identity = event.detail.get("message")
    return identity if isinstance(identity, str) else ""


def first_line(text: str) -> str:
    """Return the first line of ``text`` that says anything, short and without odd characters."""
    line = next(filter(None, map(str.strip, text.splitlines())), "")
    visible = "".join(char if char.isprintable() else " " for char in line)
    return one_line(visible, TEXT_CHARACTERS)


def words_of(event: Event, text: str = "") -> str:
    """Return what happened in one line; it may hold text of others', such as a question.

    ``text`` is the beginning of the message that it is about.
    """
    by = f" by {event.actor}" if event.actor and event.actor != event.target else ""
    if event.verb in _WORDS_OF:
        return _WORDS_OF[event.verb](event, by, text)
    return _joined(f"{_DONE.get(event.verb, event.verb)}{by}", _said(event), _quoted(text))


def _quoted(text: str) -> str:
    return f'"{text}"' if text else ""


def _said(event: Event) -> str:
    """Return the details of ``event``. What its kind or verb names already has no name here."""
    plain = {_KIND_OF.get(event.verb, OTHER_KIND), event.verb}
    said = [
        _value(value) if name in plain else f"{name} {_value(value)}"
        for name, value in event.detail.items()
        if value not in ("", None)
    ]
    return ", ".join(said)


def _of_state(known: Mapping[str, Any]) -> str:
    lasted = known.get("lasted")
    after = ""
    if known.get("before"):
        spent = f" for {duration(lasted)}" if isinstance(lasted, int | float) else ""
        after = f"after {known['before']}{spent}"
    said = known.get("question") or known.get("evidence")
    return _joined(known.get("state"), said, after)


def _of_rule(known: Mapping[str, Any]) -> str:
    """Return what a rule answered to a permission request, or why it did not."""
    rule = f"rule {os.path.basename(str(known.get('rule')))}"
    done = "denied" if known.get("decision") == "deny" else "allowed"
    if known.get("acted"):
        return f"{done} by {rule}"
    if known.get("dry_run"):
        return f"left to you, would be {done} by {rule} (dry_run)"
    return f"left to you, {rule} waits: the file has changed since it was accepted (torch trust)"


def _of_delivery(event: Event, by: str, text: str) -> str:
    known = event.detail
    sender = f"from {event.actor}" if event.actor else ""
    said = (known.get("state"), known.get("message"), sender, known.get("reason"))
    return _joined(*said, _quoted(text))


def _of_task(event: Event, by: str, text: str) -> str:
    known = event.detail
    said = known.get("words")
    extra = "" if said == known.get("title") else said
    return _joined(f"{known.get('what')}{by}", known.get("task"), known.get("title"), extra)


def _of_answer(event: Event, by: str, text: str) -> str:
    chosen = f"{event.detail.get('option')} {event.detail.get('words')}"
    return _joined(f"pressed{by}", chosen, event.detail.get("question"))


def _of_heard(event: Event, by: str, text: str) -> str:
    chosen = f"{event.detail.get('option')} {event.detail.get('words')}"
    outcome = event.detail.get("outcome")
    return _joined(outcome, chosen, _BECAME.get(str(outcome)))


def _of_rule_used(event: Event, by: str, text: str) -> str:
    known = event.detail
    return _joined(_of_rule(known), f"{known.get('tool')}: {known.get('what')}")


def _of_commit(event: Event, by: str, text: str) -> str:
    """Return a commit, its subject, the branch that it is on, and the checkpoint before it."""
    known = event.detail
    branch, checkpoint = known.get("branch"), known.get("checkpoint")
    return _joined(
        f"committed{by}",
        str(known.get("commit"))[:9],
        known.get("subject"),
        f"on {branch}" if branch else "",
        f"after {checkpoint}" if checkpoint else "",
    )


def _of_checkpoint(event: Event, by: str, text: str) -> str:
    """Return a checkpoint: what is made at times is made for an agent, not by it."""
    by = by if event.detail.get("reason") == "manual" else by.replace(" by ", " for ", 1)
    return _joined(f"made{by}", _said(event))


def _of_stop(event: Event, by: str, text: str) -> str:
    how, left = event.detail.get("how"), event.detail.get("leftovers")
    also = f"with what it had left running ({left})" if left else ""
    return _joined(f"stop{by}", _STOPPED.get(str(how), how), also)


def _of_mute(event: Event, by: str, text: str) -> str:
    left = float(event.detail.get("until") or 0.0) - event.at
    return f"muted{by} for {duration(left)}" if left > 0 else f"unmuted{by}"


_WORDS_OF: Mapping[str, Callable[[Event, str, str], str]] = {
    STATE: lambda event, by, text: _of_state(event.detail),
    END: lambda event, by, text: _joined("ended", event.detail.get("words")),
    RESURRECT: lambda event, by, text: _joined(event.detail.get("words")),
    "deliver": _of_delivery,
    "task": _of_task,
    "answer": _of_answer,
    HEARD: _of_heard,
    RULE: _of_rule_used,
    "commit": _of_commit,
    "mute": _of_mute,
    "checkpoint": _of_checkpoint,
    "stop": _of_stop,
}
"""What has words of its own, by its verb: given who did it, as ' by NAME' or '', and the beginning
of the message that it is about."""


def _joined(*words: object) -> str:
    return "  ".join(str(word) for word in words if word)


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _verbs(kinds: Collection[str]) -> list[str]:
    strange = [kind for kind in kinds if kind not in EVENT_KINDS]
    if strange:
        hint = f"Kinds: {', '.join(EVENT_KINDS)}."
        raise RefusedError(f"unknown kind '{', '.join(strange)}'", hint=hint, code="usage")
    return sorted(verb for kind in kinds for verb in EVENT_KINDS[kind])


def _agent(store: Store, name: str) -> dict[str, str]:
    if not name:
        return {}
    agent = store.agents.get(name)
    if agent is None and not store.events.read(name=name, limit=1, newest=True):
        raise NotFoundError(
            f"nothing is known of an agent '{name}'",
            hint="'torch ps' lists the agents.",
            code="no-agent",
        )
    return {"name": name, "agent": agent.identity if agent else ""}
