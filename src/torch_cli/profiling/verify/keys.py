"""A submit key against dialogs: they open around paste and key, or stand when it is pressed.

The key passes if it submits, and if no dialog is gone, or its selection moved, after it.
"""

import statistics
import time

from torch_cli.errors import TorchError
from torch_cli.profiling.verify.checks import Ledger, await_text, misread
from torch_cli.profiling.verify.plan import Tried
from torch_cli.profiling.verify.stage import Failed, Stage
from torch_cli.profiling.verify.texts import prose
from torch_cli.programs.observe import Sight
from torch_cli.programs.state import State

WINDOW = 0.3
"""Seconds around paste and key over which dialogs are spread."""

BEFORE = 0.1
"""How much of that lies before the paste."""

GAP = 0.06
"""Seconds between paste and key beside the profile's settle time, as in a delivery."""

TRIES = 4
"""How often as many dialogs are tried to open as are wanted: some keys come too early."""

SOONER = 0.05
"""Seconds by which a dialog opens sooner for each key that came before it and cut the work short:
a busy machine shows it later than it did when that was measured."""

STANDS = 0.15
"""Seconds that a dialog must stay after the key."""

WORDS = "no, please stop"
"""What is pasted: an answer to a question, if it were taken for one."""


class Answered(Failed):
    """A key did something to a dialog."""


def check_submits(stage: Stage, tried: Tried, keys: tuple[str, ...]) -> None:
    """See that ``keys`` submit the box of the idle program."""
    stage.settle()
    text, mark = prose(40), stage.subject.mark()
    stage.paste(text)
    stage.wait(
        lambda sight: sight.state.box is not None and sight.state.box.text == text,
        "a pasted text was not seen in the input box",
    )
    time.sleep(stage.profile.paste.settle)
    name = " ".join(keys)
    for repeat in range(3):
        stage.keys(*keys)
        try:
            stage.wait(
                lambda sight: sight.state.box is None or sight.state.box.text != text,
                f"{name} does not submit",
                seconds=stage.profile.submit.chord_retry,
            )
            break
        except Failed:
            if repeat == 2:
                raise
    await_text(stage, mark, text, name)
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

    ``working``: the key may be pressed while the program works; else it comes as the dialog does.
    """
    lag = _lag(stage, kind)
    done = missed = 0
    for number in range(TRIES * count):
        if done == count:
            return
        share = (number % count + 0.5) / count
        paste, key = 0.0, stage.profile.paste.settle + GAP
        # The dialog shows between these times: where the key may not meet work, before it.
        shown = share * WINDOW - BEFORE if working else key - share * 0.1
        try:
            opened = _open_around(stage, keys, kind, shown - lag - missed * SOONER, paste, key)
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
    """Return the seconds from the answer that opens a dialog until it shows, in the median."""
    lags = []
    for _ in range(2):
        _work(stage, kind)
        began = time.monotonic()
        stage.subject.open(stage, kind)
        stage.wait(_asks, f"the {kind} dialog did not open")
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
    """Do the three at their times (seconds); say whether the dialog opened, and stood.

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
            stage.paste(WORDS)
        else:
            stage.keys(*keys)
    ended = (State.IDLE, State.EXITED, State.DEAD)
    sight = stage.wait(
        lambda sight: _asks(sight) or sight.state.state in ended or stage.subject.approved(),
        f"the {kind} dialog did not open",
    )
    if not _asks(sight):  # the key has cut the work short
        _check_approved(stage, keys, kind)
        stage.settle()
        return False
    _check_stands(stage, sight, keys, kind, selection=False)
    stage.settle()
    _check_approved(stage, keys, kind)
    return True


def check_presses(
    stage: Stage, tried: Tried, keys: tuple[str, ...], kind: str, count: int, ledger: Ledger
) -> None:
    """Press ``keys`` at a dialog that stands, ``count`` times, with a text pasted before."""
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
    stage.paste(WORDS)  # some dialogs take words for an answer, and keep them until Enter
    time.sleep(STANDS)
    sight = stage.look()
    for number in range(count):
        stage.keys(*keys)
        stands = STANDS if number in (0, count - 1) else 0.01
        try:
            _check_stands(stage, sight, keys, kind, stands)
        except Failed as failed:
            tried.broken = True
            tried.met(kind, presses=1, answered=1)
            ledger.failed(failed)
            return
        tried.met(kind, presses=1)
        ledger.held()


def _asks(sight: Sight) -> bool:
    """Say whether something is in place of the box that is no work."""
    state = sight.state
    return state.state is State.WAITING or (state.box is None and state.state is State.UNKNOWN)


def _check_stands(
    stage: Stage,
    before: Sight,
    keys: tuple[str, ...],
    kind: str,
    seconds: float = STANDS,
    *,
    selection: bool = True,
) -> None:
    """Raise ``Answered`` unless the dialog stands as it did for ``seconds``.

    ``selection``: with the same row selected; what was pasted may have selected another.
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
