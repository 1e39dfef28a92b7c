"""Opens one dialog around a delivery to Claude Code, and judges whether it was answered.

The message is sent, and the screen looked at, from this process: the procedure is that of ``torch
send``, and hundreds of dialogs would wait for new processes otherwise.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from conftest import TMUX
from e2e.conftest import PATIENCE, World
from e2e.program import View
from torch_cli.delivery.send import Request, send
from torch_cli.profiling.stub import Behaviour, Hold, StubRequest
from torch_cli.profiling.verify.texts import prose, tag
from torch_cli.tmux.control import ControlClient

HELD_SECONDS = 1.0
"""Seconds that Torch waits for a dialog to go away."""

LOOK_SECONDS = 0.02
"""Seconds between two looks for the dialog while the message is on its way."""

SEEN_SECONDS = 0.5
"""Seconds after a person's key from which on a program at rest has acted on it: the dialog that it
declined has gone, or the draft that it cleared. None is waiting to be read, then."""

APART_SECONDS = 2.0
"""Seconds between two such keys if the first was acted on; else the kit's pause."""

STANDS_SECONDS = 0.4
"""Seconds, after the message has its receipt, for which all looks must show the dialog."""

GONE_SECONDS = 5.0
"""Seconds in which that must come about, before the dialog counts as answered."""


@dataclass(frozen=True)
class Opened:
    """What became of one dialog. ``why`` says by what it counts as answered, '' if it does not."""

    moment: str
    state: str
    why: str
    cut_short: bool
    screen: str


@dataclass
class Sending:
    """A message on its way: its state at the end, when each step was, when a dialog came up."""

    state: str = ""
    began: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    asked: float = 0.0

    def moment(self) -> str:
        """Say when the dialog came up, seen from the delivery."""
        if self.asked < self.steps.get("attempting", float("inf")):
            return "before the paste"
        if self.asked < self.steps.get("submitting", float("inf")):
            return "between paste and key"
        return "after the key"


class Near(World):
    """A world that is looked at through one open connection to its tmux server."""

    client: ControlClient | None = None

    def settle(self) -> None:
        """Bring the program to rest; go on when it has acted on the last key, not by the clock."""
        self.pending = SEEN_SECONDS
        super().settle()
        acted_on = time.monotonic() + APART_SECONDS - self.kit.pause
        self.pressed = min(self.pressed, acted_on)

    def connection(self) -> ControlClient:
        """Open a connection to the agent's session."""
        words = ["display-message", "-p", "-t", self.pane, "#{session_id}"]
        return ControlClient(self.server.socket, self.server.cmd(*words), hears=False)

    @contextlib.contextmanager
    def near(self) -> Iterator[None]:
        """Look through a connection inside the block, and send with this world's Torch."""
        os.environ["TORCH_HOME"] = str(self.directory / "torch")
        os.environ["TORCH_TMUX"] = TMUX
        with self.connection() as self.client:
            try:
                yield
            finally:
                self.client = None

    def view(self) -> View:
        """Return what the pane shows."""
        return super().view() if self.client is None else self.seen_by(self.client)

    def seen_by(self, client: ControlClient) -> View:
        """Return what the pane shows, through this connection."""
        width = client.call("display-message", "-p", "-t", self.pane, "#{pane_width}").text
        shown = client.call("capture-pane", "-p", "-e", "-t", self.pane).text
        return self.kit.view(shown, int(width))

    def deliver_near(self, *, looking: bool = False) -> Sending:
        """Send a message that a dialog could take for an answer; ``looking``: look for one."""
        sending, over = Sending(), threading.Event()

        def look() -> None:
            with self.connection() as client:
                while not (over.is_set() or sending.asked):
                    if self.seen_by(client).asks:
                        sending.asked = time.monotonic()
                    over.wait(LOOK_SECONDS)

        looker = threading.Thread(target=look)
        if looking:
            looker.start()
        sending.began = time.monotonic()
        text = f"{tag()} no, please stop".encode()
        request = Request(self.name, text, timeout=HELD_SECONDS, envelope=False, keep=False)

        def step(name: str) -> None:
            sending.steps.setdefault(name, time.monotonic())

        try:
            receipt = send(self.server.socket, request, step)
        finally:
            over.set()
            if looking:
                looker.join(PATIENCE)
        sending.state = str(receipt.state)
        return sending


def until_paste(world: Near) -> float:
    """Return the seconds from the start of a send into the working program to its paste."""
    hold, _ = _busy(world)
    sending = world.deliver_near()
    hold.release(Behaviour())
    assert "attempting" in sending.steps, sending
    return sending.steps["attempting"] - sending.began


def opened(
    world: Near, dialog: Behaviour, offset: float, after: Callable[[], object] = lambda: None
) -> Opened:
    """Let a dialog be asked for ``offset`` seconds after the start of a send, or before it.

    ``after`` is done when the message has its receipt, and before the dialog is judged.
    """
    hold, asking = _busy(world)
    mark = len(world.stub.requests)
    opener = threading.Timer(max(0.0, offset), hold.release, [dialog])
    opener.start()
    time.sleep(max(0.0, -offset))  # the trial itself: the dialog has this much of a start
    sending = world.deliver_near(looking=True)
    opener.join()
    approved = world.home.work / "approved"

    def heard() -> bool:
        """Whether somebody has run what it asks about, or told the API what came of it."""
        late = world.stub.requests[mark:]
        return approved.exists() or any(one.brings_result for one in late)

    def shown() -> bool:
        return world.view().asks or asking.outcome == "aborted" or heard()

    world.wait(shown, "the dialog")
    sending.asked = sending.asked or time.monotonic()
    after()
    cut = asking.outcome == "aborted"
    why = "" if cut else _judged(world, heard)
    screen = world.server.screen(world.pane).rstrip()
    if not why:
        world.settle()
        why = "the program acted on an answer, late" if heard() and not cut else ""
    return Opened(sending.moment(), sending.state, why, cut, screen)


def _busy(world: Near) -> tuple[Hold, StubRequest]:
    """Let the program work on a question until the hold is released; return its request, too."""
    world.settle()
    working = any(one.outcome == "open" for one in world.stub.requests)
    assert working == (world.kept is not None), "the sub-agent has ended"
    hold, text = world.stub.hold(), prose(30)
    mark = len(world.stub.requests)
    world.ask(text)
    hold.wait(PATIENCE)
    world.wait(lambda: world.view().working, "a program that says that it works")
    mine = [one for one in world.stub.requests[mark:] if text in "\n".join(one.texts)]
    assert mine, "another request took the hold"
    return hold, mine[0]


def _judged(world: Near, heard: Callable[[], bool]) -> str:
    """Return by what the dialog counts as answered; '' if it stands and nobody has."""
    since, deadline = 0.0, time.monotonic() + GONE_SECONDS
    while True:
        now = time.monotonic()
        since = (since or now) if world.view().asks else 0.0
        if heard():
            return "the program acted on an answer"
        if since and now - since >= STANDS_SECONDS:
            return ""
        if now > deadline:
            return "the dialog is gone"
        time.sleep(LOOK_SECONDS)
