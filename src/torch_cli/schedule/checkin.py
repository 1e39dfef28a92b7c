"""Check-ins: making them, changing them, and what is known about them."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch_cli import duration, procs
from torch_cli.delivery.recipient import no_shell, recipient
from torch_cli.delivery.send import check_permitted
from torch_cli.delivery.text import decode, prepare
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.profile import Guard, Profile
from torch_cli.roster.actor import own_name
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.registry import AGENT_NAME, Found, find, no_agent, profile_named
from torch_cli.schedule.trigger import AT, next_after, shortest_gap
from torch_cli.store import Store
from torch_cli.store.checkin import (
    Address,
    AgentRef,
    Bounds,
    Checkin,
    CheckinState,
    Run,
    RunState,
    Trigger,
    new_id,
)
from torch_cli.tmux.panes import listen
from torch_cli.tmux.socket import Socket

HEADER_BYTES = 600
"""The most bytes before a note in its message: an envelope and three lines."""

WORDS_OF_NAME = 3
"""How many words of the note become the name of a check-in without a name."""


class CheckinOrder(NamedTuple):
    """A check-in to make: for whom, what it says, and when.

    ``target`` is an agent's name, a tmux target, or ``.`` for the caller's pane. If ``name`` is '',
    the name is made from the note. ``until`` is a moment (epoch seconds), ``runs`` the most runs,
    ``jitter`` and ``grace`` are seconds, ``condition`` is ``idle`` or ``always``, ``fallback`` an
    agent's name. ``clean`` strips characters that cannot be sent from the note.
    """

    target: str
    note: bytes
    trigger: Trigger
    name: str = ""
    until: float | None = None
    runs: int | None = None
    jitter: float = 0.0
    grace: float | None = None
    condition: str = "always"
    fallback: str = ""
    clean: bool = False


def add(store: Store, socket: Socket, order: CheckinOrder, now: float) -> tuple[Checkin, Found]:
    """Make a check-in; return it and where its target is now.

    Raises ``RefusedError`` or ``NotFoundError`` for a target, note, name or fallback that cannot be
    used; nothing was made then.
    """
    _check_limits(order, now)
    fallback = store.agents.get(order.fallback) if order.fallback else None
    if order.fallback and (fallback is None or fallback.stopped is not None):
        raise no_agent(store, order.fallback, " for --fallback; no check-in was made")
    found = find(store, *_whereabouts(socket, order.target))
    for to in (found.agent, fallback):
        check_permitted(store, to, "no check-in was made")
    note = _checked(decode(order.note), _profile(store, found), clean=order.clean)
    nominal = first_nominal(order.trigger, order.until, now)
    agent, own = found.agent, own_name(store)
    maker = store.agents.get(own) if own else None
    living = maker is not None and maker.stopped is None
    checkin = Checkin(
        id=new_id("ci"),
        name=order.name or _name_for(store, note),
        to=Address(found.name, agent.identity if agent else "", found.pane.at),
        note=note,
        trigger=order.trigger,
        bounds=Bounds(order.until, order.runs, order.jitter, order.grace),
        condition=order.condition,
        fallback=AgentRef(order.fallback, fallback.identity if fallback else ""),
        parent=_ref(store, agent.parent if agent else ""),
        creator=_ref(store, own) if living else AgentRef(own),
        nominal=nominal,
        due=jittered(nominal, order.jitter),
        created=now,
        changed=now,
    )
    store.checkins.add(checkin)
    detail = {"checkin": checkin.id, "name": checkin.name}
    store.events.add("checkin", checkin.to.name, detail, actor=checkin.creator.name)
    return checkin, found


def _ref(store: Store, name: str) -> AgentRef:
    agent = store.agents.get(name) if name else None
    return AgentRef(name, agent.identity if agent else "")


def first_nominal(trigger: Trigger, until: float | None, now: float) -> float:
    """Return when it is due first; raises ``RefusedError`` if that is never."""
    at = next_after(trigger, now)
    if at is None or (until is not None and at > until):
        raise RefusedError("it would never fire before --until; no check-in was made", code="never")
    return at


def jittered(at: float, jitter: float) -> float:
    """Return ``at`` delayed at random by up to ``jitter`` seconds."""
    if not jitter:
        return at
    return at + jitter * int.from_bytes(os.urandom(4)) / 2**32


def upcoming(checkin: Checkin, count: int) -> list[float]:
    """Return the next moments at which it is due, at most ``count``. Only the first has jitter."""
    if checkin.state != CheckinState.ACTIVE or checkin.due is None or checkin.nominal is None:
        return []
    until, remaining = checkin.bounds.until, checkin.bounds.remaining
    most = count if remaining is None else min(count, remaining)
    found, at = [checkin.due], max(checkin.nominal, checkin.due)
    while len(found) < most:
        following = next_after(checkin.trigger, at)
        if following is None or (until is not None and following > until):
            break
        found.append(following)
        at = following
    return found


def find_checkin(store: Store, name: str, *, living: bool = True) -> Checkin:
    """Return the check-in with that name or id; raises ``NotFoundError``.

    With ``living`` it must be active or paused.
    """
    found = store.checkins.get(name) or store.checkins.last_named(name)
    if found is None:
        raise NotFoundError(
            f"no check-in named '{name}'",
            hint="'torch checkin list' shows them.",
            code="no-checkin",
        )
    if living and found.state not in (CheckinState.ACTIVE, CheckinState.PAUSED):
        raise NotFoundError(
            f"check-in '{name}' is {found.state}; nothing was changed",
            hint="'torch checkin list' shows the others.",
            code="ended",
        )
    return found


def _find_to_change(store: Store, name: str) -> Checkin:
    """Return the check-in with that name or id.

    Raises ``NotFoundError`` if it is not there or has ended, ``RefusedError`` if the agent that
    runs this process may not change it.
    """
    _check_may_change(store, name)
    return find_checkin(store, name)


def _check_may_change(store: Store, name: str) -> None:
    from torch_cli.roster.authority import check_over_checkin  # to make one needs none of it

    check_over_checkin(store, find_checkin(store, name, living=False))


def cancel(store: Store, *names: str) -> list[Checkin]:
    """End check-ins, and their overdue runs. What has fired and waits in the outbox stays there.

    One that is not there, has ended, or may not be changed by the agent that runs this process, is
    refused before any is ended.
    """
    found = [_find_to_cancel(store, name) for name in names]
    return [_cancel(store, *one) for one in {one[0].id: one for one in found}.values()]


def _find_to_cancel(store: Store, name: str) -> tuple[Checkin, list[Run]]:
    """Return the check-in, and its overdue run if it has one; with one it may have ended."""
    _check_may_change(store, name)
    checkin = find_checkin(store, name, living=False)
    overdue = [run for run in store.checkins.waiting_runs(checkin.id) if not run.message]
    return checkin if overdue else find_checkin(store, name), overdue


def _cancel(store: Store, checkin: Checkin, overdue: Sequence[Run]) -> Checkin:
    with store.database.transaction():
        for run in overdue:
            store.checkins.change_run(run, state=RunState.SUPERSEDED, reason="cancelled")
    return _change(
        store, checkin, {"state": CheckinState.CANCELLED, "nominal": None, "due": None}, "remove"
    )


def pause(store: Store, name: str) -> Checkin:
    """Pause a check-in until it is resumed."""
    return _change(store, _find_to_change(store, name), {"state": CheckinState.PAUSED}, "pause")


def resume(store: Store, name: str, now: float) -> Checkin:
    """Resume a paused check-in.

    Moments during the pause are not made up. But a check-in that fires only once, and was due
    during the pause, fires now.
    """
    checkin = _find_to_change(store, name)
    if checkin.state == CheckinState.ACTIVE:
        return checkin
    changes: dict[str, object] = {"state": CheckinState.ACTIVE}
    trigger, until = checkin.trigger, checkin.bounds.until
    if trigger.kind != AT and checkin.due is not None and checkin.due <= now:
        nominal = next_after(trigger, now)
        if nominal is None or (until is not None and nominal > until):
            changes |= {"state": CheckinState.DONE, "nominal": None, "due": None}
        else:
            changes |= {"nominal": nominal, "due": jittered(nominal, checkin.bounds.jitter)}
    return _change(store, checkin, changes, "resume")


def snooze(store: Store, name: str, seconds: float, now: float) -> Checkin:
    """Delay the next firing by ``seconds``, from its due time or, if that has passed, from now."""
    checkin = _find_to_change(store, name)
    if checkin.due is None:
        raise RefusedError(f"check-in '{name}' will not fire again", code="ended")
    return _change(store, checkin, {"due": max(checkin.due, now) + seconds}, "snooze")


def _change(store: Store, checkin: Checkin, changes: Mapping[str, object], verb: str) -> Checkin:
    while True:
        with store.database.transaction():
            done = store.checkins.change(checkin, changes)
        now = store.checkins.get(checkin.id)
        assert now is not None
        if done:
            store.events.add(verb, checkin.to.name, {"checkin": checkin.id, "name": checkin.name})
            return now
        # It has fired, or was changed, since it was read.
        checkin = find_checkin(store, checkin.id)


def _whereabouts(socket: Socket, target: str) -> tuple[Socket, str]:
    if target != ".":
        return socket, target
    pane, server = os.environ.get("TMUX_PANE", ""), os.environ.get("TMUX", "")
    if not pane or not server:
        raise RefusedError(
            "'.' means the own pane, but this is not run in a tmux pane; no check-in was made",
            hint="Name an agent, or a tmux target.",
            code="no-pane",
        )
    return Socket(path=server.rsplit(",", 2)[0]), pane


def _profile(store: Store, found: Found) -> Profile:
    """Return the profile of the recipient; raises ``RefusedError`` for a shell."""
    asleep = found.agent is not None and is_without_program(found.agent)
    if found.program is not None and not procs.alive(found.program) and not asleep:
        raise NotFoundError(
            f"the program of agent '{found.name}' has ended (process {found.program.pid}); no "
            "check-in was made",
            hint=f"Start it again with 'torch spawn {found.name}'.",
            code="ended",
        )
    if found.agent is not None:
        return no_shell(profile_named(found.agent.profile), found.agent.name)
    with listen(found.socket, found.pane) as client:
        return recipient(store, found, client).profile


def _checked(note: str, profile: Profile, *, clean: bool) -> str:
    """Return the note without spaces at its end; raise ``RefusedError`` if it cannot be sent."""
    most = profile.paste.max_bytes - HEADER_BYTES
    taking = profile._replace(guard=Guard(), paste=profile.paste._replace(max_bytes=most))
    try:
        return prepare(note, taking, clean=clean).typed
    except RefusedError as refused:
        words = refused.message.replace("the message", "the note").replace(
            "nothing was sent", "no check-in was made"
        )
        raise RefusedError(words, hint=refused.hint, code=refused.code) from None


def _check_limits(order: CheckinOrder, now: float) -> None:
    if order.name and not AGENT_NAME.fullmatch(order.name):
        raise RefusedError(
            f"'{order.name}' is not a valid check-in name; no check-in was made",
            hint="Use at most 64 letters, digits, '_', '-' and '.', with neither "
            "'-' nor '.' first.",
            code="bad-name",
        )
    trigger = order.trigger
    limited = order.runs is not None or order.until is not None
    if trigger.kind == AT and limited:
        raise RefusedError(
            "--count and --until need --every or --cron; no check-in was made",
            code="usage",
        )
    between = shortest_gap(trigger, now) if order.jitter else None
    if between is not None and order.jitter >= between:
        raise RefusedError(
            f"the jitter is not shorter than the {duration.words(between)} between two firings; "
            "no check-in was made",
            code="bad-jitter",
        )


def _name_for(store: Store, note: str) -> str:
    """Return a free name made of the first words of the note."""
    words = re.findall(r"[a-z0-9]+", note.lower())[:WORDS_OF_NAME]
    base = "-".join(words)[:30].strip("-") or "check-in"
    taken = store.checkins.names()
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
