"""Firing: a check-in that is due becomes a message in the outbox, once.

A firing is one transaction: the run, which is unique for a check-in and its moment, the message,
and the next moment. A scheduler that is killed leaves all three or none. This module types nothing.
The outbox does that, because it knows what may have been typed already.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch_cli.delivery.send import check_permitted
from torch_cli.delivery.text import prepare
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.programs.state import State
from torch_cli.roster.authority import check_over_checkin
from torch_cli.roster.registry import profile_named
from torch_cli.schedule.addressee import Addressee, Panes, addressee_of, gone
from torch_cli.schedule.checkin import jittered
from torch_cli.schedule.delay import delay, lateness
from torch_cli.schedule.trigger import AT, next_after, passed, show
from torch_cli.store import Store, StoreError
from torch_cli.store.checkin import (
    Checkin,
    CheckinState,
    Run,
    RunState,
    new_id,
)
from torch_cli.store.messages import CHECKIN, PRIORITIES, new_message
from torch_cli.store.messages import new_id as new_message_id


class FencedError(TorchError):
    """Another scheduler has the lease, so this one may not fire any more."""

    code = "fenced"


class Due(NamedTuple):
    """The next run: for which moment, and how many earlier moments it includes.

    The trigger continues after the moment ``nominal``.
    """

    at: float
    coalesced: int
    nominal: float


def fire_due(
    store: Store,
    now: float,
    token: int,
    on_error: Callable[[TorchError], None] = lambda error: None,
) -> list[Run]:
    """Fire every check-in that is due at ``now`` (epoch seconds), and overdue ones; return the
    runs.

    ``token`` is that of the lease; 0 is not checked. Raises ``FencedError`` if the lease has
    another token. If the tmux server of a check-in does not answer, the check-in waits for the next
    pass, and ``on_error`` is called once for that server.
    """
    panes = Panes(on_error)
    due = [(one.name, partial(_fire, store, one)) for one in store.checkins.due(now)]
    due += [(one.id, partial(_take_up, store, one)) for one in store.checkins.overdue()]
    done = []
    for name, fires in due:
        try:
            run = fires(now, token, panes)
        except (FencedError, StoreError):
            raise
        except Exception as error:  # an error of one check-in must not stop the others
            on_error(TorchError(f"check-in '{name}' did not fire: {type(error).__name__}: {error}"))
            continue
        if run is not None:
            _log(store, run)
            done.append(run)
    return done


def _log(store: Store, run: Run) -> None:
    detail = {"run": run.id, "checkin": run.checkin, "state": run.state, "message": run.message}
    store.events.add("fire", run.recipient, detail)


def next_due(store: Store) -> float | None:
    """Return when something is due next (epoch seconds); ``None`` if nothing is."""
    return store.checkins.next_due()


def run_now(store: Store, checkin: Checkin, now: float) -> Run:
    """Fire a check-in now, beside its trigger. Its next due time stays.

    Raises ``RefusedError`` if the agent that runs this process may not change the check-in, or may
    not write to its target. Nothing fires then.
    """
    check_over_checkin(store, checkin)
    check_permitted(store, store.agents.known_as(checkin.to.agent), "it was not fired")
    addressee = addressee_of(store, checkin, Panes())
    with store.database.transaction():
        due = Due(now, _moments(_supersede(store, checkin)), now)
        run = _write(store, checkin, due, addressee, now, 0)
    _log(store, run)
    return run


def _fire(store: Store, checkin: Checkin, now: float, token: int, panes: Panes) -> Run | None:
    due = _due(checkin, now)
    missed = checkin.bounds.grace is not None and now - due.at > checkin.bounds.grace
    try:
        addressee = None if missed else addressee_of(store, checkin, panes)
    except TorchError:
        return None
    with store.database.transaction():
        _check_token(store, token)
        if store.checkins.get(checkin.id) != checkin:
            return None  # it was changed or fired since it was read
        replaced = [] if missed else _supersede(store, checkin)
        # Nobody has got what was replaced, so the new run counts for it. Those by hand never count.
        counts = not missed and not any(run.token for run in replaced)
        store.checkins.change(checkin, _advanced(checkin, due, counts=counts))
        if missed:
            return _write_missed(store, checkin, due, now, token)
        due = due._replace(coalesced=due.coalesced + _moments(replaced))
        return _write(store, checkin, due, addressee, now, token)


def _take_up(store: Store, run: Run, now: float, token: int, panes: Panes) -> Run | None:
    """Send the note of an overdue run if an agent is there for it now."""
    checkin = store.checkins.get(run.checkin)
    if checkin is None:
        return None
    if checkin.bounds.grace is not None and now - run.due > checkin.bounds.grace:
        return _give_up(store, checkin, run, now)
    try:
        addressee = addressee_of(store, checkin, panes)
    except TorchError:
        return None
    if addressee is None or _failed(store, checkin, addressee):
        return None
    with store.database.transaction():
        _check_token(store, token)
        if store.checkins.get_run(run.id).state != RunState.OVERDUE:
            return None
        return _send(store, checkin, run._replace(fired=now), addressee)


def _give_up(store: Store, checkin: Checkin, run: Run, now: float) -> Run | None:
    """End an overdue run that would come later than its grace."""
    with store.database.transaction():
        if store.checkins.get_run(run.id).state != RunState.OVERDUE:
            return None
        reason = f"{run.reason}; its grace of {checkin.bounds.grace:g} s is over"
        return store.checkins.change_run(run, state=RunState.MISSED, reason=reason, fired=now)


def _check_token(store: Store, token: int) -> None:
    if token and not store.lease.is_token(token):
        raise FencedError("another scheduler has taken over; nothing more was fired")


# -- when ----------------------------------------------------------------------------------------


def _due(checkin: Checkin, now: float) -> Due:
    """Return the run that is due. If several moments were missed, it is for the last of them."""
    assert checkin.nominal is not None
    assert checkin.due is not None
    base = max(checkin.nominal, checkin.due)
    if checkin.trigger.kind == AT:
        return Due(checkin.due, 0, base)
    latest = now if checkin.bounds.until is None else min(now, checkin.bounds.until)
    last, count = passed(checkin.trigger, base, latest)
    return Due(checkin.due if last is None else last, count, base if last is None else last)


def _advanced(checkin: Checkin, due: Due, *, counts: bool) -> dict[str, object]:
    """Return what the run changes in the check-in. ``counts``: it is one of ``remaining``."""
    left = checkin.bounds.remaining
    if left is not None and counts:
        left -= 1
    following = next_after(checkin.trigger, max(due.nominal, due.at))
    ends = (
        following is None
        or (left is not None and left <= 0)
        or (checkin.bounds.until is not None and following > checkin.bounds.until)
    )
    if ends or following is None:
        return {"remaining": left, "state": CheckinState.DONE, "nominal": None, "due": None}
    return {
        "remaining": left,
        "nominal": following,
        "due": jittered(following, checkin.bounds.jitter),
    }


# -- what ----------------------------------------------------------------------------------------


def _write_missed(store: Store, checkin: Checkin, due: Due, now: float, token: int) -> Run:
    assert checkin.bounds.grace is not None
    why = lateness(now - due.at, delay(store, due.at, now)) or f"{now - due.at:.0f} s late"
    reason = f"{why}; its grace is {checkin.bounds.grace:g} s"
    run = Run(
        *(new_id("r"), checkin.id, due.at, now, RunState.MISSED),
        reason=reason,
        coalesced=due.coalesced,
        token=token,
    )
    store.checkins.add_run(run)
    return run


def _write(
    store: Store,
    checkin: Checkin,
    due: Due,
    addressee: Addressee | None,
    now: float,
    token: int,
) -> Run:
    """Save the run and its message. Without an addressee the run is overdue."""
    why = delay(store, due.at, now) if lateness(now - due.at, "") else ""
    run = Run(
        *(new_id("r"), checkin.id, due.at, now, RunState.OVERDUE),
        delay=why,
        coalesced=due.coalesced,
        token=token,
    )
    failed = _failed(store, checkin, addressee)
    if failed:
        run = run._replace(reason=failed)
        store.checkins.add_run(run)
        return run
    if addressee is None:
        own = store.agents.known_as(checkin.to.agent) if checkin.to.agent else None
        run = run._replace(reason=f"{checkin.to.name}, {gone(own)}; no other agent takes its place")
        store.checkins.add_run(run)
        return run
    store.checkins.add_run(run)
    return _send(store, checkin, run, addressee)


def _failed(store: Store, checkin: Checkin, to: Addressee | None) -> str:
    """Say why ``to`` does not count as idle although nothing goes on there, '' if it does."""
    if checkin.condition != "idle" or to is None or not to.address.agent:
        return ""
    last = store.events.last_state(to.address.agent)
    if last is None or last.detail.get("state") != State.ERROR:
        return ""
    return f"the last turn of {to.address.name} ended with an error: {last.detail.get('evidence')}"


def _supersede(store: Store, checkin: Checkin) -> list[Run]:
    """End earlier runs that were not typed, and return them."""
    ended = []
    for run in store.checkins.waiting_runs(checkin.id):
        if run.message and not store.messages.supersede(run.message, "a later run replaced it"):
            continue
        store.checkins.change_run(run, state=RunState.SUPERSEDED, reason="a later run replaced it")
        ended.append(run)
    return ended


def _moments(replaced: Sequence[Run]) -> int:
    """Return for how many moments runs came that a later one has replaced."""
    return sum(1 + run.coalesced for run in replaced)


def _send(store: Store, checkin: Checkin, run: Run, to: Addressee) -> Run:
    """Put the note into the outbox, as part of the caller's transaction."""
    identity, idle = new_message_id(), checkin.condition == "idle"
    made_by = checkin.creator
    creator = store.agents.known_as(made_by.identity) if made_by.identity else None
    try:
        text = _text(checkin, run, to, identity)
        if to.profile:
            prepared = prepare(text, profile_named(to.profile), clean=True)
            text, evidence = prepared.typed, prepared.changes
        else:
            evidence = ()
    except (NotFoundError, RefusedError) as refused:
        return store.checkins.change_run(run, state=RunState.FAILED, reason=refused.message)
    message = store.messages.insert(
        new_message(
            identity,
            key=f"run:{run.id}",
            sender=made_by.name,
            recipient=to.address.name,
            kind=CHECKIN,
            body=checkin.note,
            typed=text,
            **to.address.at.columns,
            evidence=evidence,
            agent=to.address.agent,
            kept=True,
            deadline=None if checkin.bounds.grace is None else run.due + checkin.bounds.grace,
            # A note that waits for the end of a turn must not delay messages of others.
            priority=PRIORITIES["low" if idle else "normal"],
            type_when="idle" if idle else "ready",
            author=creator.identity if creator else "",
            free=bool(to.instead),  # the sender did not choose this recipient
        )
    )
    return store.checkins.change_run(
        run,
        state=RunState.SENT,
        fired=run.fired,
        message=message.id,
        recipient=to.address.name,
        reason=to.instead,
    )


def _text(checkin: Checkin, run: Run, to: Addressee, identity: str) -> str:
    """Return the message: the envelope, when it was due, remarks, and the note."""
    sender = f"from {checkin.creator.name} · " if checkin.creator.name else ""
    lines = [f"[{sender}check-in {checkin.name} · {identity}]"]
    late = lateness(run.fired - run.due, run.delay)
    lines.append(f"due {show(run.due, checkin.trigger.zone)}" + (f", {late}" if late else ""))
    if run.coalesced:
        times = "time" if run.coalesced == 1 else "times"
        lines.append(f"it was due {run.coalesced} {times} before, and comes once for all")
    if to.instead:
        lines.append(f"you get it because {to.instead}")
    return "\n".join([*lines, "", checkin.note])
