"""The delivery of one message: gate, read, paste, see, submit, prove.

Three promises are kept here. No key is pressed unless tmux finds, in the same step, our own text
standing in the box. What may have been typed is never typed again. And the receipt says no more
than was seen or reported.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch_cli.agents.observe import Sight, observe
from torch_cli.agents.state import Box, State
from torch_cli.delivery import evidence
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.obstacle import PATIENCE, obstacle, question
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.recipient import Recipient
from torch_cli.delivery.text import same
from torch_cli.store import Store
from torch_cli.store.messages import Message
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.modes import leave_mode

SEE = 10.0
"""Seconds for a paste to show. Gemini CLI froze for longer than this on typed text, on none that
was pasted (2026-11-22). After it the receipt is ``unknown`` or ``held``; nothing is repeated."""

PROOF = 5.0
"""Seconds after the last submit key in which evidence may still come."""

HOOK_GRACE = 3.0
"""Seconds that a program's own report is waited for once the screen shows that the message went
out. Measured with Claude Code: 0.06 to 0.18 s in the median (2026-11-22)."""

STEADY = 0.5
"""Seconds that the box of a program which has just started must stand before it counts as ready:
Claude Code may ask about its permission mode 0.1 s after its first box (2026-11-22)."""

YOUNG = 5.0
"""Seconds after its start in which a program counts as just started."""

PRESSES = 4
"""Presses of the submit key at most: one, and three repetitions while the text still stands."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When to type (``ready``, ``idle`` or ``now``) and how many seconds to wait for that."""

    when: str = "ready"
    timeout: float = 30.0


class _Ended(Exception):  # noqa: N818 - an outcome, not an error
    """The delivery has come to its end, with this outcome and the step to be recorded."""

    def __init__(self, outcome: Outcome, reason: str, *, step: str = "done") -> None:
        super().__init__(reason)
        self.outcome, self.reason, self.step = outcome, reason, step


def _held(reason: str, *, left: bool = False) -> _Ended:
    """Return the end of a message that something stands in the way of.

    ``left`` says that our text stands in the box: the next delivery to this pane finishes it.
    """
    reason = f"{reason}; the text was left in the box" if left else f"{reason}; nothing was typed"
    return _Ended(Outcome.HELD, reason, step="seen" if left else "accepted")


def deliver(
    client: ControlClient,
    store: Store,
    recipient: Recipient,
    message: Message,
    policy: Policy,
    on_step: Callable[[str], None] = lambda step: None,
    notes: Sequence[str] = (),
) -> Receipt:
    """Deliver an accepted message and return its receipt, which is also in the store.

    ``on_step`` is told each step as it begins; ``notes`` go into the receipt's evidence. Raises
    ``HeldError`` if another sender keeps the pane for longer than the policy's timeout,
    ``NotFoundError`` if the pane is gone; nothing has been typed then.
    """
    pane = recipient.pane
    with pane_lock(pane.server, pane.id, message.id, policy.timeout):
        for earlier in store.messages.unfinished(pane.server, pane.id, pane.pid):
            if earlier.id != message.id:
                _Delivery(client, store, recipient, earlier, policy, on_step).finish()
        return _Delivery(client, store, recipient, message, policy, on_step, notes).run()


class _Delivery:
    """One message on its way to one pane; the pane's lock is held throughout."""

    def __init__(
        self,
        client: ControlClient,
        store: Store,
        recipient: Recipient,
        message: Message,
        policy: Policy,
        on_step: Callable[[str], None],
        notes: Sequence[str] = (),
    ) -> None:
        self.client, self.store, self.recipient = client, store, recipient
        self.pane, self.profile = recipient.pane, recipient.profile
        self.message, self.policy, self.on_step = message, policy, on_step
        self.before = Baseline.from_json(message.baseline)
        self.notes = [*message.evidence, *notes]
        self.attempts = message.attempts
        self.began = time.monotonic()
        self.deadline = self.began + policy.timeout

    def run(self) -> Receipt:
        """Deliver the message from the beginning."""
        try:
            while not self._paste(self._await_open()):
                pass
            self._submit(self._see())
        except _Ended as ended:
            return self._settle(ended)
        raise AssertionError("a delivery ends by saying how")

    def finish(self) -> Receipt:
        """Settle a message whose sender died on the way, without ever pasting it again."""
        try:
            self._prove_by_report()
            sight = self._look()
            box = sight.state.box
            if box is None:
                # What hides the box holds the next message, too; this one is settled after it.
                return receipt_of(self.message)
            if evidence.is_ours(box, self.message.typed, self.before, self.profile):
                self._submit(self._see())
            first_line = self.message.typed.split("\n")[0]
            if evidence.echoed(sight.screen, first_line, self.before, self.profile):
                raise _Ended(Outcome.SUBMITTED, "found on the screen after its sender had ended")
            raise _Ended(
                Outcome.UNKNOWN,
                "its sender ended on the way, and neither the box nor the screen shows the text",
            )
        except _Ended as ended:
            return self._settle(ended)

    # -- read ----------------------------------------------------------------------------------

    def _look(self) -> Sight:
        return observe(
            self.client, self.store, self.pane, self.profile, since=self.recipient.started
        )

    def _obstacle(self, sight: Sight) -> tuple[str, float]:
        if sight.screen.in_mode:
            person = leave_mode(self.client, self.pane)
            return f"copy mode, and {person} looks on" if person else "copy mode", PATIENCE
        return obstacle(sight, self.recipient, self.message.typed, when=self.policy.when)

    def _is_young(self) -> bool:
        return not self.recipient.ready and time.time() - self.recipient.started < YOUNG

    def _await_open(self) -> Sight:
        """Return a sight of the pane in which the message may be pasted, or end as held."""
        patient_until: float | None = None
        steady: tuple[Box, float] | None = None
        while True:
            heard = self.client.output.get(self.pane.id, 0)
            sight = self._look()
            now = time.monotonic()
            reason, patience = self._obstacle(sight)
            box = sight.state.box
            if not reason and box is not None and self._is_young():
                if steady is None or steady[0] != box:
                    steady = (box, now)
                if now - steady[1] < STEADY:
                    reason, patience = "just started", STEADY
            if not reason:
                return sight
            patient_until = patient_until or now + patience
            limit = now if self.policy.when == "now" else min(self.deadline, patient_until)
            if reason in ("starting", "working", "just started") and self.policy.when != "now":
                limit, patient_until = self.deadline, None
            if now >= limit:
                raise _held(reason)
            self.client.wait_output(self.pane.id, heard, min(limit - now, 0.25))

    # -- paste and see -------------------------------------------------------------------------

    def _paste(self, sight: Sight) -> bool:
        """Paste through the gate; ``False`` if the pane was no longer as ``sight`` showed it."""
        box = sight.state.box
        assert box is not None
        self.before = evidence.baseline(
            sight.screen, sight.state, self.profile, self.store.hooks.last_id()
        )
        self._step("attempting", self.before)
        outcome = gate.paste(
            self.client,
            self.pane,
            self.message.typed.encode(),
            framed=True,
            conditions=gate.rows_stand([box.rows[0]], prompt=self.profile.box.prompt),
            buffer=f"torch-{self.message.id}",
        )
        if not outcome.done:
            self.store.messages.step(self.message.id, "accepted")
            if outcome.reason in ("input-off", "synchronized", "dead", "gone", "replaced"):
                raise _held(_GATE_REASONS[outcome.reason])
        return outcome.done

    def _see(self) -> Sight:
        """Return the sight of our text in the box, whole, once it stood for the settle time."""
        first: tuple[Box, float] | None = None
        deadline = time.monotonic() + SEE
        while True:
            heard = self.client.output.get(self.pane.id, 0)
            sight = self._look()
            now = time.monotonic()
            box, wait = sight.state.box, deadline - now
            if sight.state.state in (State.WAITING, State.EXITED, State.DEAD):
                raise self._hidden(sight)
            if box and evidence.is_ours(box, self.message.typed, self.before, self.profile):
                if first is None or first[0].rows != box.rows:
                    first = (box, now)
                wait = first[1] + self.profile.paste.settle - now
                if wait <= 0:
                    self._step("seen")
                    return sight
            elif now >= deadline:
                raise self._not_ours(box)
            self.client.wait_output(self.pane.id, heard, min(max(wait, 0.001), 0.25))

    def _not_ours(self, box: Box | None) -> _Ended:
        if box is not None and not box.empty:
            return _held("draft: the box holds other text than ours alone", left=True)
        return _Ended(
            Outcome.UNKNOWN, "the text was pasted, and never seen in the box", step="seen"
        )

    def _hidden(self, sight: Sight) -> _Ended:
        """Return the end for a box that went out of sight with our text in it."""
        if sight.state.state is State.WAITING:
            return _held(f"dialog: the program asks '{question(sight)}'", left=True)
        return _Ended(Outcome.UNKNOWN, f"the program ended: {sight.state.evidence}")

    # -- submit and prove ----------------------------------------------------------------------

    def _submit(self, sight: Sight) -> None:
        """Press the submit key and prove it, again while our text still stands; never returns."""
        key = self.recipient.submit
        for pause in (*key.retries[: PRESSES - 1], PROOF):
            if not key.while_working:
                self._await_idle()
            self._step("submitting")
            sight = self._press(key.keys, sight)
            self._prove(sight, pause)
        raise _held(f"not submitted: {self.attempts} presses left the text standing", left=True)

    def _await_idle(self) -> None:
        """Wait until the program is idle: a plain Enter goes to no other state."""
        while True:
            heard = self.client.output.get(self.pane.id, 0)
            sight = self._look()
            if sight.state.state is State.WAITING or sight.state.box is None:
                raise self._hidden(sight)
            if sight.state.state is State.IDLE:
                return
            left = self.deadline - time.monotonic()
            if left <= 0 or self.policy.when == "now":
                raise _held("working", left=True)
            self.client.wait_output(self.pane.id, heard, min(left, 0.25))

    def _press(self, keys: tuple[str, ...], sight: Sight) -> Sight:
        """Press through the positive gate; return the sight that it was built from."""
        for _ in range(PRESSES):
            outcome = gate.press(self.client, self.pane, keys, self._standing(sight))
            if outcome.done:
                self.attempts += 1
                return sight
            if outcome.reason == "mode":
                person = leave_mode(self.client, self.pane)
                if person:
                    raise _held(f"copy mode, and {person} looks on", left=True)
            elif outcome.reason != "changed":
                raise _held(_GATE_REASONS[outcome.reason], left=True)
            now = self._look()
            box = now.state.box
            if box is None:
                raise self._hidden(now)
            if not evidence.is_ours(box, self.message.typed, self.before, self.profile):
                # Somebody typed, or submitted it for us: only evidence can tell.
                self._prove(sight, PROOF)
                raise _held("draft: the text in the box was changed", left=True)
            sight = now
        raise _held("not visible: the box keeps changing", left=True)

    def _standing(self, sight: Sight) -> list[str]:
        """Return the gate's conditions: our rows stand in the box as ``sight`` showed them."""
        box, spec = sight.state.box, self.profile.box
        assert box is not None
        rows = list(dict.fromkeys((box.rows[0], box.rows[-1])))
        if not rows[0].startswith(spec.prompt):
            # A box lower than the text hides its prompt; the rule above it counts hidden rows.
            rows.insert(0, sight.screen.rows[box.first - 1].text)
        conditions = gate.rows_stand(rows, prompt=spec.prompt)
        return conditions + (gate.cursor_at(sight.screen.cursor) if spec.cursor_real else [])

    def _prove(self, pressed: Sight, seconds: float) -> None:
        """Look for evidence for ``seconds``; return if our text still stands as it did."""
        until = time.monotonic() + seconds
        box = pressed.state.box
        assert box is not None
        shown = evidence.first_row(box, self.profile)
        cleared_at = 0.0
        while True:
            heard = self.client.output.get(self.pane.id, 0)
            self._prove_by_report()
            sight = self._look()
            now, standing = time.monotonic(), sight.state.box
            if standing is not None and standing.rows == box.rows:
                if now >= until:
                    return
            elif self._went_out(sight, shown):
                cleared_at = cleared_at or now
                if not self.recipient.hooks or now >= cleared_at + HOOK_GRACE:
                    raise _Ended(Outcome.SUBMITTED, "; ".join(self.notes) or "box cleared")
            elif now >= max(until, self.began + PROOF):
                if standing is None:
                    raise self._hidden(sight)
                if evidence.is_ours(standing, self.message.typed, self.before, self.profile):
                    return
                raise _Ended(
                    Outcome.UNKNOWN, "the box was cleared, and nothing shows where the text went"
                )
            self.client.wait_output(self.pane.id, heard, 0.01)

    def _prove_by_report(self) -> None:
        """End as confirmed if the program's own hook has reported our text."""
        for report in self.store.hooks.after(
            self.pane.socket_path, self.pane.id, self.before.report
        ):
            if report.prompt and same(report.prompt, self.message.typed, self.profile):
                queued = self.before.state == State.WORKING
                self._note(f"hook {report.name} carried the text")
                raise _Ended(Outcome.CONFIRMED, "queued by the program" if queued else "")

    def _went_out(self, sight: Sight, shown: str) -> bool:
        """Say whether the screen shows that our text left the box by being submitted."""
        box = sight.state.box
        if evidence.echoed(sight.screen, shown, self.before, self.profile):
            self._note("the box is empty and the message is echoed above it")
            return box is None or box.empty
        if box is None or not box.empty:
            return False
        if sight.state.queued:
            self._note("the box is empty and the program shows a queued message")
            return True
        if sight.state.state is State.WORKING and self.before.state == State.IDLE:
            self._note("the box is empty and the program began to work")
            return True
        return False

    # -- bookkeeping ---------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _step(self, step: str, before: Baseline | None = None) -> None:
        """Write the step down, then tell the caller."""
        self.store.messages.step(
            self.message.id, step, baseline=before.as_json() if before else None
        )
        self.on_step(step)

    def _settle(self, ended: _Ended) -> Receipt:
        # An unknown message stays open: its text may yet be found in the box.
        message = self.store.messages.settle(
            self.message.id,
            state=str(ended.outcome),
            reason=ended.reason,
            step=ended.step,
            attempts=self.attempts,
            evidence=self.notes,
            elapsed_ms=(time.monotonic() - self.began) * 1000,
        )
        self.store.events.add(
            "deliver",
            self.message.recipient,
            {"message": message.id, "state": message.state, "reason": message.reason},
            actor=message.sender,
        )
        self.on_step("settled")
        return receipt_of(message)


_GATE_REASONS = {
    "input-off": "the pane's input is off (select-pane -d)",
    "synchronized": "the window's panes are synchronised: every one would get the text",
    "dead": "dead: the pane's process has ended",
    "gone": "gone: the pane was closed",
    "replaced": "another process runs in the pane now",
}
