"""What is proven about a program beside its keys: start, texts, queue, draft, states, reports.

Each check counts what passed. If something fails, the check raises ``Failed`` with a sentence, or
gives it to the ledger and continues if the next thing can still be proven.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.delivery.receipt import Outcome
from torch_cli.delivery.text import prepare, same
from torch_cli.errors import RefusedError, TorchError
from torch_cli.profiling.verify.plan import Plan
from torch_cli.profiling.verify.stage import Failed, Stage
from torch_cli.profiling.verify.texts import SPECIALS, lines, prose
from torch_cli.programs.observe import Sight
from torch_cli.programs.state import State
from torch_cli.programs.transcript import open_transcript, turn_of

HELD_WITHIN_SECONDS = 1.0
"""Seconds that Torch tries to deliver a message that the test expects to be held."""

WORKING_FACTOR = 4
"""How many times its patience a program gets to bring a text to its API while it says it works:
at a load of 35 on 2 cores Kilo took more than 30 s (2026-11-29)."""

TEXTS: dict[str, Callable[[], str]] = {
    "40 characters": lambda: prose(40),
    "2,000 characters": lambda: prose(2000),
    "10,000 characters": lambda: prose(10_000),
    "5 lines": lambda: lines(5),
    "120 lines": lambda: lines(120),
}


class Ledger(NamedTuple):
    """Where findings go: ``held`` counts what passed, ``failed`` takes what did not."""

    held: Callable[[], None]
    failed: Callable[[Failed], None]


def contents(plan: Plan) -> dict[str, Callable[[], str]]:
    """Return the texts that ``plan`` wants, each by the name of what makes it difficult."""
    texts = {name: TEXTS[name] for name in plan.texts}
    specials = SPECIALS if plan.specials is None else {n: SPECIALS[n] for n in plan.specials}
    return {**texts, **specials}


def check_text(stage: Stage, kind: str, text: str) -> None:
    """Send one text: it must arrive once and exactly, or be refused before anything is typed."""
    stage.settle()
    mark, reported = stage.subject.mark(), stage.store.hooks.last_id()
    try:
        typed = prepare(text, stage.profile).typed
        receipt = stage.send(text)
    except RefusedError:
        _nothing_came(stage, mark, f"{kind}: refused, and something arrived")
        return
    if receipt.state not in (Outcome.CONFIRMED, Outcome.SUBMITTED):
        raise Failed(f"{kind}: {receipt.state}, {receipt.reason}", stage.screen())
    await_text(stage, mark, typed, kind)
    stage.settle()
    came = [one for one in stage.subject.texts(mark) if same(one, typed, stage.profile)]
    if len(came) != 1:
        raise Failed(f"{kind}: it arrived {len(came)} times", stage.screen())
    if stage.profile.hooks.kind and receipt.state is not Outcome.CONFIRMED:
        _await_report(stage, reported, typed, kind)


def await_text(stage: Stage, mark: int, typed: str, kind: str) -> None:
    """Wait until the program has the text; raise with what it has instead."""

    def came(_: object) -> bool:
        return any(same(one, typed, stage.profile) for one in stage.subject.texts(mark))

    for _ in range(WORKING_FACTOR):
        try:
            stage.wait(came, f"{kind}: reported as delivered, and did not arrive")
            return
        except Failed as late:
            failed = late
        if not stage.works():
            break
    others = "; ".join(repr(one[:80]) for one in stage.subject.texts(mark)) or "nothing"
    raise Failed(f"{failed.sentence}; what arrived: {others}", failed.screen)


def _await_report(stage: Stage, after: int, typed: str, kind: str) -> None:
    """Wait until a hook has reported the text; a busy machine may do so after the receipt."""
    assert stage.pane is not None
    where = (stage.pane.server, stage.pane.id)

    def reported(_: object) -> bool:
        reports = stage.store.hooks.after(*where, after)
        return any(one.prompt and same(one.prompt, typed, stage.profile) for one in reports)

    stage.wait(reported, f"{kind}: it arrived, and its hook did not report it")


def _nothing_came(stage: Stage, mark: int, sentence: str) -> None:
    box = stage.look().state.box
    if stage.subject.texts(mark) or box is None or not box.empty:
        raise Failed(sentence, stage.screen())


def check_queue(stage: Stage) -> None:
    """Send messages to the working program: each must arrive, once, when it is done.

    Two, unless the program makes one of all that wait: then the second waits for its turn in Torch.
    """
    stage.settle()
    stage.subject.work(stage)
    stage.wait(lambda sight: sight.state.state is State.WORKING, "work was not seen")
    mark = stage.subject.mark()
    texts = (prose(40), lines(5))[: 1 if stage.profile.paste.queue_joins else 2]
    for text in texts:
        receipt = stage.send(text)
        if receipt.state not in (Outcome.CONFIRMED, Outcome.SUBMITTED):
            raise Failed(f"while it works: {receipt.state}, {receipt.reason}", stage.screen())
    stage.subject.rest(stage)
    for text in texts:
        # Some programs make one message of all that wait.
        stage.wait(
            lambda _, text=text: any(text in one for one in stage.subject.texts(mark)),  # type: ignore[misc]
            "a message to the working program did not arrive",
        )
    stage.settle()
    times = [sum(one.count(text) for one in stage.subject.texts(mark)) for text in texts]
    if any(one != 1 for one in times):
        raise Failed(f"messages to the working program arrived {times} times", stage.screen())


def check_draft(stage: Stage) -> None:
    """Leave a half-written line in the box: a message must be held, and the line must stay."""
    stage.settle()
    draft = "half a tho"
    stage.paste(draft)
    stage.wait(
        lambda sight: sight.state.box is not None and sight.state.box.text == draft,
        "a half-written line is not seen in the input box",
    )
    mark = stage.subject.mark()
    receipt = stage.send("not now", timeout=HELD_WITHIN_SECONDS)
    box = stage.look().state.box
    if receipt.state is not Outcome.HELD or box is None or box.text != draft:
        raise Failed(
            f"a half-written line was not kept: the message was {receipt.state}", stage.screen()
        )
    if stage.subject.texts(mark):
        raise Failed("a half-written line was sent", stage.screen())
    stage.settle()


def check_states(stage: Stage, size: tuple[int, int]) -> None:
    """Check that rest, work and a dialog are read correctly in a pane of ``size``."""
    where = f"at {size[0]}x{size[1]}"
    stage.resize(*size)
    try:
        stage.settle()
        kind = stage.subject.dialogs[0]
        stage.subject.prepare(stage, kind)
        stage.subject.work(stage)
        stage.wait(lambda sight: sight.state.state is State.WORKING, f"work was not seen {where}")
        stage.subject.open(stage, kind)
        check_read(stage, kind, where)
    except Failed as failed:
        words = failed.sentence if where in failed.sentence else f"{failed.sentence}, {where}"
        raise Failed(words, failed.screen) from None
    finally:
        stage.settle()
        stage.resize(120, 40)


def check_read(stage: Stage, kind: str, where: str = "") -> None:
    """Wait for the dialog; raise if Torch reads it as something other than ``kind``.

    A program that redraws its screen shows no box for a moment, too.
    """
    since = 0.0

    def is_read(sight: Sight) -> bool:
        return sight.state.dialog is not None and sight.state.dialog.kind == kind

    def shown(sight: Sight) -> bool:
        nonlocal since
        now = time.monotonic()
        opened = sight.state.box is None or sight.state.state is State.WAITING
        since = (since or now) if opened else 0.0
        return is_read(sight) or (opened and now - since >= stage.short)

    sight = stage.wait(shown, f"the {kind} dialog did not open")
    if not is_read(sight):
        words = misread(kind, sight.state.state, sight.state, where)
        raise Failed(words, sight.screen.text.rstrip())


def misread(kind: str, state: State, found: object, where: str) -> str:
    """Return a sentence: how a ``kind`` dialog is misread, its last row, and what follows."""
    from torch_cli.programs.state import AgentState

    assert isinstance(found, AgentState)
    dialog = found.dialog
    read = f"a '{dialog.kind}' dialog" if dialog else f"'{state}' ({found.evidence})"
    last = next((row.strip() for row in reversed(dialog.rows) if row.strip()), "") if dialog else ""
    row = f"; its last row reads '{last}'" if last else ""
    held = state not in (State.IDLE, State.WORKING)
    follows = "messages wait, nothing is typed" if held else "messages would be typed into it"
    place = f" {where}" if where else ""
    return f"the {kind} dialog{place} is read as {read}{row}; {follows}"


def check_transcript(stage: Stage) -> bool:
    """Return whether there is a transcript; raise if it does not have one of our turns."""
    kind = stage.profile.answer.transcript
    if not kind:
        return False
    stage.settle()
    assert stage.agent is not None
    assert stage.pane is not None
    text = prose(40)
    stage.send(text)
    transcript = open_transcript(kind, stage.agent.program_pid, stage.agent.created)

    def written(_: object) -> bool:
        turn = turn_of(transcript, lambda one: same(one, text, stage.profile))
        return turn is not None and turn.answer is not None

    stage.wait(written, "the transcript was not found, or does not have this turn")
    return True


def describe(error: TorchError) -> str:
    """Return an error as the sentence of a finding."""
    return error.message
