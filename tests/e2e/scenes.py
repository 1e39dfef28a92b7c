"""What is sent to every agent program, and the scenes that it is sent into.

Messages of every size and kind, dialogs that open around a delivery, people who look on.
"""

import math
import os
import pty
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from conftest import TMUX, Result
from e2e.conftest import FULL, PATIENCE, Sent, Setup, World, describe
from e2e.report import Report, upper_bound
from torch_cli.profiling.stub import Behaviour, Hold, StubMode
from torch_cli.profiling.verify.texts import lines, prose, tag


class Amount(NamedTuple):
    """How many of one thing: with Claude Code and its chord, in its other set-ups, elsewhere."""

    chord: int
    others: int
    programs: int


SIZED = Amount(30, 30, 30) if FULL else Amount(30, 1, 3)
"""Messages of each of the five sizes."""

SPECIAL = Amount(30, 30, 5) if FULL else Amount(5, 1, 1)
"""Messages of each other content, and of each scene."""

RACES = Amount(100, 100, 100) if FULL else Amount(100, 15, 10)
"""Dialogs opened around a delivery."""

CRASHES = Amount(30, 30, 10) if FULL else Amount(10, 10, 3)
"""Deliveries during which the program is killed."""

WINDOW = 0.5
"""Seconds around paste and submit over which the dialogs of the race are spread."""

EARLY = 0.15
"""How much of that time lies before the paste; a delivery takes about 0.15 s."""

SEED = int(os.environ.get("TORCH_E2E_SEED", "20261122"))
"""Of everything that is left to chance; another one gives other moments."""

DIALOG = Behaviour(StubMode.TOOL)
"""An answer that makes the program ask whether it may run ``touch approved``."""


def how_many(setup: Setup, amount: Amount) -> int:
    """Return how many there are of a thing in this set-up."""
    if setup in (Setup.SPAWNED, Setup.ADOPTED):
        return amount.programs
    return amount.chord if setup is Setup.CHORD else amount.others


SIZES: dict[str, Callable[[], str]] = {
    "40 characters": lambda: prose(40),
    "2,000 characters": lambda: prose(2000),
    "10,000 characters": lambda: prose(10_000),
    "5 lines": lambda: lines(5),
    "200 lines": lambda: lines(200),
}

UNSENDABLE = {
    "NUL": "\x00",
    "ESC": "\x1b",
    "a CSI sequence": "\x1b[31m",
    "the end of a paste": "\x1b[201~",
    "BEL": "\x07",
    "backspace": "\x08",
    "Ctrl-C": "\x03",
    "DEL": "\x7f",
    "C1": "\x9b",
    "zero-width space": "\u200b",
    "right-to-left mark": "\u200f",
    "right-to-left override": "\u202e",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
}

REPLIES = ("no, please stop", "yes", "1", "2", "y")
"""What is sent while a dialog asks; each would be an answer to somebody's question."""


BEFORE = frozenset(Path.cwd().glob("ran*"))
"""What was here already."""


def ran(world: World) -> list[Path]:
    """Return the files that a message made by being run."""
    places = (world.home.work, world.home.path, world.directory, Path.cwd())
    return [found for place in places for found in place.glob("ran*") if found not in BEFORE]


def assert_nothing_ran(world: World) -> None:
    assert ran(world) == []
    assert not (world.home.work / "approved").exists()


def deliver_many(
    world: World, kind: str, make: Callable[[], str], count: int, report: Report
) -> None:
    """Deliver ``count`` messages; each must be reported as delivered, and have arrived exact."""
    tally = report.tally(world.setup, kind)
    for _ in range(count):
        world.deliver(make(), tally)
    assert_nothing_ran(world)
    assert not tally.failures, describe(tally.failures)
    assert tally.exact == tally.sent == sum(tally.states[one] for one in ("confirmed", "submitted"))
    if world.setup in (Setup.CHORD, Setup.HOOKS):
        assert set(tally.states) == {"confirmed"}, "its own hook reports every message"


@dataclass
class Watched:
    """A ``torch send`` of which the steps were timed, and when a dialog came up meanwhile."""

    sent: Sent
    began: float
    steps: dict[str, float]
    asked: float = 0.0

    def moment(self) -> str:
        """Say when the dialog came up, seen from the delivery."""
        if self.asked < self.steps.get("attempting", math.inf):
            return "before the paste"
        if self.asked < self.steps.get("submitting", math.inf):
            return "between paste and key"
        return "after the key"


def watch(world: World, text: str, *, looking: bool = False) -> Watched:
    """Send ``text`` and time the steps; ``looking`` looks for a dialog all the while."""
    began = time.monotonic()
    process, mark = world.begin_send("-v", "--timeout", "3")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    words, steps, asked = process.stderr, dict[str, float](), 0.0

    def listen() -> None:
        for line in words:
            steps.setdefault(line.decode().removeprefix("torch: ").strip(), time.monotonic())

    listener = threading.Thread(target=listen)
    listener.start()
    process.stdin.write(text.encode())
    process.stdin.close()
    while looking and process.poll() is None:
        if not asked and world.view().asks:
            asked = time.monotonic()
        time.sleep(0.005)  # not to take the processor from what is watched
    out = process.stdout.read()
    process.wait(PATIENCE)
    listener.join(PATIENCE)
    return Watched(
        Sent(text, Result(process.returncode, out.decode(), ""), mark), began, steps, asked
    )


def until_paste(world: World, *, working: bool = False, looking: bool = False) -> float:
    """Return the seconds from the start of ``torch send`` to its paste, in the median.

    ``working``: into a working program. ``looking``: while the screen is looked at all the time,
    which takes its time from the sender.
    """
    leads = []
    for _ in range(5):
        hold = busy(world) if working else None
        if hold is None:
            world.settle()
        watched = watch(world, prose(40), looking=looking)
        if hold is not None:
            hold.release(Behaviour())
        assert watched.sent.delivered, watched.sent
        # The program may take its time to begin on it, and look idle until then.
        assert world.await_arrival(watched.sent), world.server.screens()
        leads.append(watched.steps["attempting"] - watched.began)
    return median(leads)


def until_dialog(world: World, dialog: Behaviour = DIALOG, times: int = 5) -> float:
    """Return the seconds from the stub's answer to the dialog on the screen, in the median."""
    lags = []
    for _ in range(times):
        hold = busy(world)
        began = time.monotonic()
        hold.release(dialog)
        world.wait(lambda: world.view().asks, "the dialog")
        lags.append(time.monotonic() - began)
        world.settle()
    return median(lags)


def busy(world: World) -> Hold:
    """Let the program work on a question until the hold is released."""
    world.settle()
    hold = world.stub.hold()
    world.ask(prose(30))
    hold.wait()
    world.wait(lambda: world.view().working, "a program that says that it works")
    return hold


@dataclass
class Race:
    """What came of one dialog that opened around a delivery, ``offset`` seconds after its start."""

    offset: float
    state: str
    moment: str
    approved: bool
    interrupted: bool
    arrivals: int


FOLLOWS = 0.05
"""By which part of the window the moment of the next dialog follows the last."""

TOO_EARLY = {"before the paste": 1, "after the key": -1}
"""Whether a dialog that came up at this moment was too early for the race, or too late."""


def race_many(
    world: World, trials: int, report: Report, *, queues: bool, window: float = WINDOW
) -> list[Race]:
    """Open dialogs over ``window`` seconds around paste and submit; report what came of them.

    ``queues``: messages are typed into the working program, so the dialogs are spread around that.
    No message may arrive twice.
    """
    chance = random.Random(SEED)
    lead = until_paste(world, working=queues, looking=True)
    first = lead - until_dialog(world) - EARLY
    races = []
    for _ in range(trials):
        races.append(race(world, first + chance.uniform(0, window)))
        # What was measured once is soon over: the machine gets slower, or quicker.
        first += FOLLOWS * window * TOO_EARLY.get(races[-1].moment, 0)
    approved = sum(one.approved for one in races)
    report.notes.append(
        f"{world.kit.title}, {world.setup}: {trials} dialogs opened over {window * 1000:.0f} ms "
        f"around paste and submit (seed {SEED}): {approved} approved (95 % upper bound "
        f"{upper_bound(approved, trials):.1%}), {sum(one.interrupted for one in races)} times the "
        f"work was cut short; came up {counts(Counter(one.moment for one in races))}; receipts: "
        f"{counts(Counter(f'{one.state} ({one.moment})' for one in races))}"
    )
    assert all(one.arrivals <= 1 for one in races), "a message arrived twice"
    return races


def assert_not_approved(races: Sequence[Race]) -> None:
    """No dialog was answered."""
    approved = [one.offset for one in races if one.approved]
    assert not approved, f"approved at offsets {approved} (s after the start of torch send)"


def assert_spread(races: Sequence[Race]) -> None:
    """Of a hundred dialogs or more, enough came at the moments that the race is about."""
    moments = Counter(one.moment for one in races)
    if len(races) >= 100:
        assert moments["before the paste"] + moments["between paste and key"] >= len(races) / 10
        assert moments["after the key"] >= len(races) / 10


def race(world: World, offset: float) -> Race:
    """Let a dialog be asked for ``offset`` seconds after the start of a send, or before it."""
    hold = busy(world)
    asking = world.stub.requests[-1]
    approved = world.home.work / "approved"
    opener = threading.Timer(max(0.0, offset), hold.release, [DIALOG])
    opener.start()
    time.sleep(max(0.0, -offset))  # the trial itself: the dialog has this much of a start
    watched = watch(world, f"{tag()} no, please stop", looking=True)
    opener.join()

    def opened() -> bool:
        return world.view().asks or approved.exists() or asking.outcome == "aborted"

    world.wait(opened, "the dialog")
    watched.asked = watched.asked or time.monotonic()
    world.settle()
    outcome = Race(
        offset,
        watched.sent.state,
        watched.moment(),
        approved.exists(),
        asking.outcome == "aborted",
        world.arrivals(watched.sent),
    )
    approved.unlink(missing_ok=True)
    return outcome


def counts(counted: Counter[str]) -> str:
    """Return the counts in words."""
    return ", ".join(f"{count} {what}" for what, count in counted.most_common())


@contextmanager
def attached(world: World) -> Iterator[None]:
    """Let a person look on: a client attached to the session."""
    main, child = pty.openpty()
    client = subprocess.Popen(
        [TMUX, "-u", *world.server.socket.arguments, "attach-session", "-t", "=e2e"],
        stdin=child,
        stdout=child,
        stderr=child,
        env=world.environment,
        start_new_session=True,
    )
    os.close(child)
    drain = threading.Thread(target=_drain, args=(main,), daemon=True)
    drain.start()
    try:
        world.wait(lambda: world.server.cmd("list-clients", "-F", "#{client_name}"), "the client")
        yield
    finally:
        client.terminate()
        client.wait(PATIENCE)
        drain.join(10)
        os.close(main)


def _drain(descriptor: int) -> None:
    """Read what a terminal is shown until it closes: a full one would stop the client."""
    try:
        while os.read(descriptor, 1 << 16):
            pass
    except OSError:
        return


def in_copy_mode(world: World) -> bool:
    words = ["display-message", "-p", "-t", world.pane, "#{pane_in_mode}"]
    return world.server.cmd(*words) != "0"


def assert_out_of_reach(world: World) -> None:
    """The program has ended: a message says so, and the tmux server lives (3.3a could crash)."""
    world.wait(lambda: not world.alive, "the end of the program")
    sent = world.send(prose(40), "--timeout", "2")
    assert sent.result.code in (3, 4), sent
    assert world.server.cmd("list-sessions", "-F", "#{session_name}") == "e2e"
    assert world.arrivals(sent) == 0
