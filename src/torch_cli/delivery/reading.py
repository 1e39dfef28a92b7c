"""Reading a pane before Torch types into it: looks, and waits until no obstacle is left."""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.delivery.ending import Ended, held, unknown, waits
from torch_cli.delivery.obstacle import OBSTACLE_SECONDS, frozen, obstacle, question
from torch_cli.delivery.receipt import Outcome
from torch_cli.delivery.recipient import Recipient
from torch_cli.delivery.restored import named
from torch_cli.errors import Abandoned
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.state import Box, State
from torch_cli.store import Store
from torch_cli.tmux import keys
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import Drawn, await_drawn
from torch_cli.tmux.modes import leave_mode

YOUNG_SECONDS = 5.0
"""Seconds after its start in which a program counts as just started."""

SILENT_LOOK_SECONDS = 0.25
"""Seconds after which a silent pane is looked at again."""


HALF_DRAWN_SECONDS = 0.1
"""Seconds to wait for a screen that may be half drawn. On a machine with four times more work than
cores, one of some 900 deliveries met such a screen of Claude Code (2.1.330, 2026-11-23)."""


TYPING_SECONDS = 2.0
"""Seconds since somebody's latest key in which they may be about to press the next. tmux tells its
time in whole seconds, so it is at least one second (``client_activity``)."""

SOMEBODY_TYPES = "draft: somebody is typing there"


class Policy(NamedTuple):
    """When to type (``ready``, ``idle`` or ``now``) and how many seconds to wait for that."""

    when: str = "ready"
    timeout: float = 30.0


class Reader:
    """Looks at the recipient's pane. Waiting ends ``policy.timeout`` seconds from now."""

    def __init__(
        self,
        client: ControlClient,
        store: Store,
        recipient: Recipient,
        policy: Policy,
        on_step: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.client, self.store, self.recipient, self.policy = client, store, recipient, policy
        self.on_step = on_step
        self.pane = recipient.pane
        self.deadline = time.monotonic() + policy.timeout
        self._asked = False
        self._terminal = ""
        self._drawn = Drawn(recipient.pane.pid, recipient.profile.box.draws_within)

    def heard(self) -> int:
        """Return how often the pane has written. Give the number to ``wait`` after a look."""
        return self.client.output.get(self.pane.id, 0)

    def look(self) -> Sight:
        """Return what the pane shows now.

        Torch looks at a dialog twice: a half-drawn screen has no box either, and an answer that
        quotes a dialog then looks like one.
        """
        heard = self.heard()
        sight = self._observe()
        if sight.state.state is State.WAITING and not self._asked:
            self.wait(heard, HALF_DRAWN_SECONDS)
            sight = self._observe()
        self._asked = sight.state.state is State.WAITING
        return sight

    def _observe(self) -> Sight:
        self._drawn.note()
        recipient = self.recipient
        return observe(
            self.client,
            self.store,
            self.pane,
            recipient.profile,
            since=recipient.started,
            program=recipient.program,
        )

    def tell(self, what: str, *, typed: bool = False) -> None:
        """Tell the caller what Torch waits for.

        Once the text is ``typed``, Torch submits it even if nobody reads the receipt.
        """
        with contextlib.suppress(*((Abandoned,) if typed else ())):
            self.on_step(waits(self.recipient.name, what))

    def wait(self, heard: int, seconds: float) -> None:
        """Wait until the pane has written more than ``heard``, at most ``seconds``."""
        self.client.wait_output(self.pane.id, heard, max(0.001, min(seconds, SILENT_LOOK_SECONDS)))

    def await_open(self, typed: str) -> Sight | Ended:
        """Return a sight of the pane into which ``typed`` may be pasted, or the end ``held``."""
        patient_until: float | None = None
        left_mode = False
        steady: tuple[Box | None, float] | None = None
        while True:
            heard = self.heard()
            sight = self.look()
            now = time.monotonic()
            if sight.screen.in_mode and not left_mode and not self.leave_mode():
                left_mode = True  # look again at once; if it is on again, a person has entered it
                continue
            reason, patience = self._obstacle(sight, typed)
            if not reason and self._is_young():
                if steady is None or steady[0] != sight.state.box:
                    steady = (sight.state.box, now)
                reason = (
                    "starting" if now - steady[1] < self.recipient.profile.launch.steady else ""
                )
            if not reason and self._drawn_and_typed_into():
                reason, patience = SOMEBODY_TYPES, 2 * TYPING_SECONDS
            if not reason:
                return sight
            if self.policy.when == "now" and reason != SOMEBODY_TYPES:
                limit = now
            elif reason in ("starting", "working") or self._may_start(sight):
                limit, patient_until = self.deadline, None
            else:
                patient_until = patient_until or now + patience
                limit = min(self.deadline, patient_until)
            if now >= limit:
                return held(reason)
            self.tell(reason)
            self.wait(heard, limit - now)

    def _drawn_and_typed_into(self) -> bool:
        self.await_drawn()
        return self.somebody_types()

    def has_drawn(self) -> bool:
        """Return whether the program has drawn all that it has read, as far as one can know."""
        return self._drawn.all()

    def await_drawn(self) -> None:
        """Wait until the program has drawn what it has read, half a second at most."""
        await_drawn(self.client, self.pane, self._drawn)

    def keys_wait(self) -> bool:
        """Return whether keys wait in the pane's terminal that no program has read yet."""
        # tmux is not asked again: it may no longer answer, and this is the last question.
        self._terminal = self._terminal or keys.terminal_of(self.client, self.pane.id)
        return keys.unread(self._terminal) > 0

    def somebody_types(self) -> bool:
        """Return whether keys of somebody else may be on their way to the program.

        A key of Torch's would be read with theirs, before the screen shows these: it would submit
        their words with ours. And a program takes Esc and the next byte, read together, for another
        key: Claude Code then knows only the second half of Torch's chord (2.1.330, 2026-11-28).
        """
        latest = keys.latest(self.client, self.pane.id)
        # tmux writes a key just after the command that sent it. Its answer to us comes later still.
        return self.keys_wait() or time.time() < latest + TYPING_SECONDS

    def await_idle(self, *, pressed: bool) -> Ended | None:
        """Wait until the program is idle, because in other states the key may do something else.

        Returns the end if that does not come. ``pressed`` says that a submit key may have reached
        the program.
        """
        while True:
            heard = self.heard()
            sight = self.look()
            if sight.state.state is State.IDLE and sight.state.box is not None:
                return None
            left = self.deadline - time.monotonic()
            if sight.state.state in (State.WAITING, State.EXITED, State.DEAD):
                return out_of_sight(sight, pressed=pressed)
            if left <= 0 or self.policy.when == "now":
                return held(f"{sight.state.state}", left=True)
            self.tell(f"{sight.state.state}, with the text in its box", typed=True)
            self.wait(heard, left)

    def leave_mode(self) -> str:
        """End the pane's modes; return '' or the name of the client whose person is looking."""
        return leave_mode(self.client, self.pane)

    def _obstacle(self, sight: Sight, typed: str) -> tuple[str, float]:
        if ice := frozen(self.store, self.recipient):
            return ice, 0.0
        if sight.screen.in_mode:
            person = self.leave_mode()
            looked_at = f", and {person} is looking at it" if person else ""
            return f"copy mode{looked_at}", OBSTACLE_SECONDS
        reason, patience = obstacle(sight, self.recipient, typed, when=self.policy.when)
        return named(reason, self.store, self.recipient, sight), patience

    def _may_start(self, sight: Sight) -> bool:
        """Return whether an unknown screen may be one of a program that starts.

        Codex shows a picture while it starts, and below it a box with another footer (0.169.0,
        2026-11-28): two seconds of patience were too few on a busy machine.
        """
        to = self.recipient
        started = time.time() - to.started < to.profile.launch.ready_timeout
        return sight.state.state is State.UNKNOWN and started and not to.ready

    def _is_young(self) -> bool:
        return not self.recipient.ready and time.time() - self.recipient.started < YOUNG_SECONDS


def not_here(sight: Sight) -> Ended | None:
    """Hold a message whose text is in a box that may no longer be the agent's."""
    if not sight.state.elsewhere:
        return None
    return held(f"unknown screen: {sight.state.evidence}", left=True)


def out_of_sight(sight: Sight, *, pressed: bool = True, seen: bool = True) -> Ended:
    """Return the end for a box that went out of sight with our text in it.

    ``pressed`` says that a submit key may have reached the program, ``seen`` that the text was seen
    in the box before.
    """
    state = sight.state
    if state.state is State.WAITING:
        return held(f"dialog: the program asks '{question(sight)}'", left=True, seen=seen)
    if state.state in (State.EXITED, State.DEAD):
        if not pressed:
            reason = f"the program ended before the text was submitted: {state.evidence}"
            return Ended(Outcome.FAILED, reason)
        return Ended(Outcome.UNKNOWN, f"the program ended: {state.evidence}")
    return unknown(f"the input box is out of sight: {state.evidence}")
