"""Answers to a dialog that somebody else answers meanwhile, so that another one takes its place.

Torch declines the first dialog, the other person approves it, at any moment around that. So what
became of the second one tells whose key it got: nobody declines that one but a key that was meant
for the first.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from e2e.conftest import PATIENCE, World
from e2e.report import Report, upper_bound
from e2e.scenes import SEED, counts
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import prose

ROUNDS = int(os.environ.get("TORCH_E2E_ANSWERS", "8"))
"""Dialogs that are replaced around an answer; `make answers` takes more."""

KEPT = os.environ.get("TORCH_E2E_KEPT", "")
"""A directory where each round is kept, so that a run that was ended goes on where it was."""

LIMIT_SECONDS = 1800 + 20 * ROUNDS
"""For all of them; a round takes some five seconds, and several times that on a busy machine."""

SPREAD = (0.6, 0.4)
"""Seconds before and after the moment of Torch's key over which the other person's is spread."""

FOLLOWS = 0.05
"""Seconds by which that moment is taken to be later if the other person was first, else sooner: a
machine has more to do at one time than at another, and without this nearly all rounds go to one."""

STANDS = 3
"""Looks in a row that must show the second dialog, before it counts as left alone."""

RESTS = 1.0
"""Seconds of rest after which its turn has ended: what was approved is not on its way any more."""

UNHEARD = 10.0
"""Seconds for which the first dialog must stand after both, before nobody counts as heard."""


@dataclass
class Round:
    """What came of one dialog that was answered by two.

    ``approved``: the other person's yes came first. ``came``: the second dialog was asked for.
    ``wrong``: it was declined. ``said`` is Torch's word for it; ``screen`` was there at the end.
    ``claimed``: Torch said that the program had taken its no, and the yes was taken; or the other
    way about.

    Without the second one the program heard both keys at the first: it did what it was asked, and
    ended the turn.
    """

    approved: bool
    came: bool
    wrong: bool
    said: str
    screen: str
    claimed: bool


def answer_many(world: World, rounds: int, report: Report) -> list[Round]:
    """Have ``rounds`` dialogs answered by two; report what came of them."""
    chance = random.Random(SEED)
    kept = Path(KEPT, f"{world.kit.name}-{SEED}.jsonl") if KEPT else None
    lines = kept.read_text().splitlines() if kept and kept.exists() else []
    done = [Round(**json.loads(line)) for line in lines]
    early, late = SPREAD
    moments = [chance.uniform(-early, late) for _ in range(rounds)]
    lead = median(_until_declined(world, number) for number in range(3))
    try:
        for number in range(len(done), rounds):
            done.append(_round(world, number, max(0.0, lead + moments[number])))
            lead += FOLLOWS if done[-1].approved else -FOLLOWS
            if kept:
                with kept.open("a") as file:
                    file.write(json.dumps(asdict(done[-1])) + "\n")
    finally:  # what was seen counts, whatever ends the rest
        report.notes.append(_note(world, done))
    return done


def _note(world: World, done: list[Round]) -> str:
    wrong, claimed = sum(one.wrong for one in done), sum(one.claimed for one in done)
    said = Counter(f"{one.said} ({_first(one)} first)" for one in done)
    bound = upper_bound(wrong, len(done))
    return (
        f"{world.kit.title}, {world.setup}: {len(done)} dialogs that somebody else answered around "
        f"`torch answer`, another one after each (seed {SEED}): {wrong} times the other one was "
        f"answered (95 % upper bound {bound:.1%}), {claimed} times Torch said what was not so; "
        f"{counts(said)}"
    )


def _first(one: Round) -> str:
    if one.approved and not one.came:
        return "both at the first dialog, other"
    if one.approved:
        return "other"
    return "Torch" if one.said in ("answered", "pressed") else "nobody"


def _open(world: World, *names: str) -> str:
    """Have it ask whether it may make the first file, and then each other; return the hash."""
    world.settle()
    world.stub.behaviour = _making(world, names)
    world.ask(prose(30))
    world.wait(lambda: _asks(world, names[0]), "the first dialog")
    world.stub.behaviour = _making(world, names[1:])
    return str(world.state()["dialog"]["hash"])


def _making(world: World, names: tuple[str, ...]) -> Behaviour:
    """Return the answer that has the program ask whether it may make the first of these files."""
    if not names:
        return Behaviour()
    if world.kit.questions_at_once:
        blocks = "\n\n".join(f"```bash\ntouch {name}\n```" for name in names)
        return Behaviour(answer=f"Run this:\n\n{blocks}\n")
    return Behaviour(StubMode.TOOL, command=f"touch {names[0]}", again=True)


def _asks(world: World, name: str) -> bool:
    """Whether its permission dialog for this file is up."""
    view = world.view()
    rows = view.rows[-world.kit.dialog_rows :]
    return view.asks and any(f"touch {name}" in row for row in rows)


def _until_declined(world: World, number: int) -> float:
    """Return the seconds from the start of ``torch answer`` until the dialog has gone."""
    dialog = _open(world, f"early{number}")
    began = time.monotonic()
    process = world.popen("answer", world.name, world.kit.consent[1], "--hash", dialog, "--json")
    world.wait(lambda: not world.view().asks, "the end of the dialog")
    took = time.monotonic() - began
    process.communicate(timeout=PATIENCE)
    return took


def _round(world: World, number: int, moment: float) -> Round:
    """Let Torch decline a dialog, and another person approve it ``moment`` seconds after it began.

    That brings the second dialog, unless Torch's answer has ended the turn.
    """
    first, second = (f"{which}{number:03}" for which in ("first", "second"))
    work, no = world.home.work, world.kit.consent[1]
    dialog = _open(world, first, second)
    process = world.popen("answer", world.name, no, "--hash", dialog, "--json")
    other = threading.Timer(moment, world.keys, world.kit.approve)
    other.start()
    out, err = process.communicate(timeout=PATIENCE)
    other.join()
    stood, rested, kept = 0, 0.0, 0.0

    def over() -> bool:
        nonlocal stood, rested, kept
        if (work / second).exists():
            world.stub.behaviour = Behaviour()  # it would ask for the same again, and again
        stood = stood + 1 if _asks(world, second) else 0
        view = world.view()
        # What the other person pressed after Torch's answer may stand in the box as a letter.
        resting = view.box is not None and not (view.working or view.asks or world.stub.busy)
        now = time.monotonic()
        rested = (rested or now) if resting else 0.0
        # A busy program may lose keys, and both if it reads them together: nobody answered.
        kept = (kept or now) if process.returncode and _asks(world, first) else 0.0
        unheard = kept > 0 and now - kept >= UNHEARD
        return stood >= STANDS or unheard or (resting and now - rested >= RESTS)

    world.wait(over, "the second dialog, or the end of the turn")
    approved, both = (work / first).exists(), (work / second).exists()
    rows = world.view().rows
    came = any(second in row for row in rows)
    world.stub.behaviour = Behaviour()
    world.settle()
    for name in (first, second):
        (work / name).unlink(missing_ok=True)
    assert process.returncode in (0, 4, 5), (out, err, world.server.screens())
    known = json.loads(out) if out.strip() else {}
    said = str(known.get("outcome") or f"exit {process.returncode}")
    wrong = approved and came and not both and stood < STANDS
    claimed = said == ("answered" if approved else "overtaken")
    return Round(approved, came, wrong, said, "\n".join(rows), claimed)
