"""Tests a submit key against dialogs that open around paste and key, or that are already open.

The key passes if it submits, and if it closes no dialog and moves no selection.
"""

import statistics
import time
from collections.abc import Callable

from torch_cli.errors import TorchError
from torch_cli.profiling.verify.checks import Ledger, misread
from torch_cli.profiling.verify.plan import Tried
from torch_cli.profiling.verify.stage import Failed, Stage
from torch_cli.profiling.verify.texts import prose
from torch_cli.programs.observe import Sight
from torch_cli.programs.state import State

SPREAD_SECONDS = 0.3
"""Seconds around paste and key over which dialogs are spread."""

BEFORE_PASTE_SECONDS = 0.1
"""How much of that lies before the paste."""

PASTE_TO_KEY_SECONDS = 0.06
"""Seconds between paste and key beside the profile's settle time, as in a delivery."""

OPENING_TRIES = 4
"""At most this many tries for each dialog that is wanted, because some keys come too early."""

SOONER_SECONDS = 0.05
"""For each key that came too early and cut the work short, the next dialog opens this many seconds
sooner: on a busy machine a dialog shows later than was measured."""

DIALOG_STAYS_SECONDS = 0.15
"""Seconds that a dialog must stay after the key."""

PASTED_TEXT = "no, please stop"
"""The text that is pasted. A dialog that took it would take it as an answer."""


class Answered(Failed):
    """A key changed a dialog."""


def check_submits(stage: Stage, tried: Tried, keys: tuple[str, ...]) -> None:
    """Check that ``keys`` submit the box of the idle program."""
    stage.settle()
    text = prose(40)
    stage.paste(text)
    stage.wait(
        lambda sight: sight.state.box is not None and sight.state.box.text == text,
        "a pasted text was not seen in the input box",
    )
    stage.submit(keys, text)
    tried.submitted += 1


def check_openings(
    stage: Stage,
    tried: Tried,
    keys: tuple[str, ...],
    kind: str,
    count: int,
    ledger: Ledger,
    *,
    working: bool,
) -> None:
    """Open ``count`` dialogs of ``kind`` around paste and key.

    ``working``: the key may be pressed while the program works. Otherwise it comes with the dialog.
    """
    lag = _lag(stage, kind)
    done = missed = 0
    for number in range(OPENING_TRIES * count):
        if done == count:
            return
        share = (number % count + 0.5) / count
        paste, key = 0.0, stage.profile.paste.settle + PASTE_TO_KEY_SECONDS
        # When the dialog shows: before the key, if the key must not be pressed during work.
        shown = share * SPREAD_SECONDS - BEFORE_PASTE_SECONDS if working else key - share * 0.1
        try:
            opened = _open_around(
                stage, keys, kind, shown - lag - missed * SOONER_SECONDS, paste, key
            )
        except Failed as failed:
            tried.broken = True
            tried.met(kind, openings=1, answered=int(isinstance(failed, Answered)))
            ledger.failed(failed)
            return
        if opened:
            done += 1
            tried.met(kind, openings=1)
            ledger.held()
        else:
            missed += 1
    if done < count:
        words = f"{' '.join(keys)} cut the work short {missed} times; {done} dialogs opened"
        tried.broken = True
        ledger.failed(Failed(words, stage.screen()))


def _lag(stage: Stage, kind: str) -> float:
    """Return the median seconds from the answer that opens a dialog until the dialog shows."""
    lags = []
    for _ in range(2):
        _work(stage, kind)
        began = time.monotonic()
        stage.subject.open(stage, kind)
        stage.wait(_opened(stage), f"the {kind} dialog did not open")
        lags.append(time.monotonic() - began)
        stage.settle()
    return statistics.median(lags)


def _work(stage: Stage, kind: str) -> None:
    stage.settle()
    stage.subject.prepare(stage, kind)
    stage.subject.work(stage)
    stage.wait(lambda sight: sight.state.state is State.WORKING, "work was not seen")


def _open_around(
    stage: Stage, keys: tuple[str, ...], kind: str, opens: float, paste: float, key: float
) -> bool:
    """Open, paste and press at the given times (seconds). Return whether the dialog opened.

    Raises ``Failed`` if the key answered it.
    """
    _work(stage, kind)
    acts = sorted([(opens, "open"), (paste, "paste"), (key, "key")])
    zero = time.monotonic() - min(0.0, opens)
    for at, act in acts:
        time.sleep(max(0.0, zero + at - time.monotonic()))
        if act == "open":
            stage.subject.open(stage, kind)
        elif act == "paste":
            stage.paste(PASTED_TEXT)
        else:
            stage.keys(*keys)
    ended = (State.IDLE, State.EXITED, State.DEAD)
    opened = _opened(stage)
    sight = stage.wait(
        lambda sight: opened(sight) or sight.state.state in ended or stage.subject.approved(),
        f"the {kind} dialog did not open",
    )
    if not _asks(sight):  # the key cut the work short
        _check_approved(stage, keys, kind)
        stage.settle()
        return False
    _check_stays(stage, sight, keys, kind, selection=False)
    stage.settle()
    _check_approved(stage, keys, kind)
    return True


def check_presses(
    stage: Stage, tried: Tried, keys: tuple[str, ...], kind: str, count: int, ledger: Ledger
) -> None:
    """Press ``keys`` at an open dialog ``count`` times, each time after a pasted text."""
    try:
        sight = stage.wait(lambda sight: sight.state.state is State.WAITING, "")
    except Failed:
        sight = stage.look()
    found = sight.state
    if found.dialog is None or found.dialog.kind != kind:
        tried.broken = True
        words = misread(kind, found.state, found, "")
        if found.state is State.IDLE:
            words = (
                f"the {kind} dialog was not seen: 'idle' ({found.evidence}); no key was tried on it"
            )
        ledger.failed(Failed(words, stage.screen()))
        return
    stage.paste(PASTED_TEXT)  # some dialogs take words for an answer, and keep them until Enter
    time.sleep(DIALOG_STAYS_SECONDS)
    sight = stage.look()
    for number in range(count):
        stage.keys(*keys)
        seconds = DIALOG_STAYS_SECONDS if number in (0, count - 1) else 0.01
        try:
            _check_stays(stage, sight, keys, kind, seconds)
        except Failed as failed:
            tried.broken = True
            tried.met(kind, presses=1, answered=1)
            ledger.failed(failed)
            return
        tried.met(kind, presses=1)
        ledger.held()


def _asks(sight: Sight) -> bool:
    """Return whether something other than work is shown in place of the box."""
    state = sight.state
    return state.state is State.WAITING or (state.box is None and state.state is State.UNKNOWN)


def _opened(stage: Stage) -> Callable[[Sight], bool]:
    """Return a condition for ``wait``: something is asked, and the screen is not just redrawn."""
    since = 0.0

    def opened(sight: Sight) -> bool:
        nonlocal since
        if sight.state.state is State.WAITING:
            return True
        now = time.monotonic()
        since = (since or now) if _asks(sight) else 0.0
        return bool(since) and now - since >= stage.short

    return opened


def _check_stays(
    stage: Stage,
    before: Sight,
    keys: tuple[str, ...],
    kind: str,
    seconds: float = DIALOG_STAYS_SECONDS,
    *,
    selection: bool = True,
) -> None:
    """Raise ``Answered`` unless the dialog stays unchanged for ``seconds``.

    ``selection``: the same row must be selected too. The paste may have selected another.
    """
    deadline = time.monotonic() + seconds
    name = " ".join(keys)
    while True:
        try:
            sight = stage.look()
        except TorchError as error:
            words = f"{name} ended the program at the {kind} dialog: {error.message}"
            raise Answered(words) from None
        if not _asks(sight):
            raise Answered(f"{name} answered the {kind} dialog", sight.screen.text.rstrip())
        now, then = sight.state.dialog, before.state.dialog
        if selection and now and then and _selected(now.rows) != _selected(then.rows):
            raise Answered(
                f"{name} moved the selection of the {kind} dialog", sight.screen.text.rstrip()
            )
        if time.monotonic() >= deadline:
            return
        time.sleep(0.02)


def _selected(rows: tuple[str, ...]) -> list[str]:
    """Return the rows of a menu that carry its cursor."""
    return [row.strip() for row in rows if row.strip()[:1] in "❯›>»" and row.strip()]


def _check_approved(stage: Stage, keys: tuple[str, ...], kind: str) -> None:
    if stage.subject.approved():
        raise Answered(f"{' '.join(keys)} approved the {kind} dialog", stage.screen())
