"""Asking: a message, the wait for the end of the turn, and the answer."""

import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.delivery.ending import waits
from torch_cli.delivery.evidence import echo_at
from torch_cli.delivery.hand import told_late
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.obstacle import question
from torch_cli.delivery.reading import Policy, Reader
from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.recipient import recipient
from torch_cli.delivery.send import Request, check_permitted, send
from torch_cli.delivery.text import same
from torch_cli.delivery.waking import sleeper, wake
from torch_cli.errors import (
    DONE,
    FAILURE,
    UNKNOWN,
    HeldError,
    TimedOutError,
    TorchError,
    TurnFailedError,
)
from torch_cli.programs import turn as turns
from torch_cli.programs.answer import answer_on, before_next
from torch_cli.programs.asked import answer_command
from torch_cli.programs.observe import Sight
from torch_cli.programs.record import RECORDED
from torch_cli.programs.state import ENDED, State
from torch_cli.programs.transcript import Transcript, open_transcript, turn_of
from torch_cli.programs.trouble import error_of, trouble_object
from torch_cli.programs.turn import may_hide_work
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store
from torch_cli.store.messages import Message
from torch_cli.tmux.capture import last_lines
from torch_cli.tmux.panes import listen
from torch_cli.tmux.socket import Socket

REPORT_POLL_SECONDS = 0.05
"""Seconds between looks for a hook's report. It comes through the store, which does not wake us."""

IDLE_POLL_SECONDS = 0.02
"""The same once the program is idle, when its report or transcript may come at any moment."""

REPORT_GRACE_SECONDS = 3.0
"""Seconds that an idle program has to report the end of its turn. A turn that a person interrupted
is not reported."""


DIALOG_ENDS_ASK_SECONDS = 2.0
"""Seconds that a dialog must stay to end an ``ask``: an answer that quotes one looks the same while
it is being written. Seen with aider 0.86.2, 2026-11-24, for more than half a second on a machine
with seven times more work than cores.
"""


class Answer(NamedTuple):
    """An answer, or the reason why there is none: ``text`` is ``None`` if the message was not
    delivered.

    ``source`` is ``hook`` if the program itself reported the text, ``transcript`` if the program's
    transcript has it, ``screen`` if it was read from the pane and may differ in spaces, line ends
    and drawings. It is not ``complete`` if its beginning was out of sight and the pane's history
    does not have it.
    """

    receipt: Receipt
    text: str | None = None
    source: str = ""
    elapsed_ms: float = 0.0
    complete: bool = True


def ask(
    socket: Socket, request: Request, on_step: Callable[[str], None] = lambda step: None
) -> Answer:
    """Send ``request`` when its recipient is idle, wait for the end of the turn, return the answer.

    ``request.timeout`` (seconds) limits all of it. Several askers of one pane take turns. Raises
    ``HeldError`` if the program asks a question or reaches a limit meanwhile, ``TimedOutError`` if
    it has not answered in time, and the errors of ``send``.
    """
    began = time.monotonic()
    deadline = began + request.timeout
    with Store() as store:
        found = _awake(store, socket, request, on_step)
        pane = found.pane
        with pane_lock(
            *(pane.server, f"{pane.id}.ask", "torch ask", request.timeout),
            on_wait=lambda by: on_step(waits(found.name, f"{by} asks it a question")),
        ):
            left = max(0.0, deadline - time.monotonic())
            receipt = send(socket, request._replace(when="idle", timeout=left, keep=False), on_step)
            if receipt.exit_code != DONE:
                return Answer(receipt)
            try:
                on_step("asked")
                answer = _await(store, found, receipt, deadline, on_step)
            except KeyboardInterrupt as interrupt:
                late = ", and Torch no longer waits for its answer"
                raise told_late(interrupt, receipt, what=late) from interrupt
            except TorchError as error:
                raise _of_answer(error, receipt) from error
    return answer._replace(elapsed_ms=(time.monotonic() - began) * 1000)


def _awake(store: Store, socket: Socket, request: Request, on_step: Callable[[str], None]) -> Found:
    """Return the recipient, woken if it was hibernated."""
    if (agent := sleeper(store, socket, request.target)) is not None:
        check_permitted(store, agent, "nothing was sent")
        on_step(f"waking '{agent.name}', which is hibernated")
        if why := wake(agent, request.timeout):
            raise HeldError(f"{why}; nothing was sent", code="hibernated")
    return find(store, socket, request.target)


def _await(
    store: Store,
    found: Found,
    receipt: Receipt,
    deadline: float,
    on_step: Callable[[str], None],
) -> Answer:
    """Wait for the answer to a message that was delivered."""
    message = store.messages.get(receipt.id)
    with listen(found.socket, found.pane) as client:
        policy = Policy("idle", max(0.0, deadline - time.monotonic()))
        reader = Reader(client, store, recipient(store, found, client), policy, on_step)
        turn = _Turn(reader, found, message)
        text, source = turn.await_answer()
    return Answer(receipt, text, source, complete=turn.complete)


def _of_answer(error: TorchError, receipt: Receipt) -> TorchError:
    """Return ``error`` with what is known: the message was delivered, whatever failed after it."""
    if receipt.id not in error.message:
        error.message = f"{receipt.id} was delivered ({receipt.state}), and then: {error.message}"
        error.hint = (
            f"Do not send it again. To see its answer: torch capture {receipt.target} --history"
        )
        error.details.setdefault("id", receipt.id)
        if error.exit_code == FAILURE:
            error.exit_code = UNKNOWN
    return error


class _Turn:
    """One turn of a program, from a delivered message to its end."""

    def __init__(self, reader: Reader, found: Found, message: Message) -> None:
        self.reader, self.store, self.found, self.message = reader, reader.store, found, message
        self.profile = reader.recipient.profile
        self.complete = True
        self.expected = self.reader.recipient.hooks  # whether a report of the end is expected
        self.begun = False  # reported by the program
        self.transcript = self._open_transcript()

    def await_answer(self) -> tuple[str, str]:
        """Return the answer and its source once the turn has ended, by the deadline."""
        idle: tuple[float, str] | None = None
        asked = 0.0
        while True:
            heard = self.reader.heard()
            reported = self._reported()
            if reported is not None:
                return reported, "hook"
            sight = self.reader.look()
            now = time.monotonic()
            asked = (asked or now) if sight.state.state is State.WAITING else 0.0
            if not asked or now >= asked + DIALOG_ENDS_ASK_SECONDS:
                self._check_goes_on(sight)
            if sight.state.state is not State.IDLE or sight.state.queued:
                idle = None
            else:
                written = self._written()
                if written is not None:
                    return written, "transcript"
                shown = sight.screen.text
                idle = idle if idle and idle[1] == shown else (now, shown)
                doubted = self._may_go_on(sight)
                if now >= idle[0] + (turns.QUIET_TURN_SECONDS if doubted else self._quiet):
                    self._check_ended(sight)
                    if doubted:
                        raise self._half()
                    text = self._on_screen(sight)
                    if text or now >= idle[0] + REPORT_GRACE_SECONDS:
                        return text, "screen"
            if now >= self.reader.deadline:
                raise TimedOutError(
                    f"'{self.found.name}' has not finished answering {self.message.id}: it is "
                    f"{sight.state.state} ({sight.state.evidence})",
                    hint=f"It continues. Later: torch capture {self.found.name} --history",
                )
            self.reader.tell(f"its answer, {sight.state.state}")
            pause = REPORT_POLL_SECONDS if idle is None else IDLE_POLL_SECONDS
            self.reader.wait(heard, min(pause, self.reader.deadline - now))

    def _open_transcript(self) -> Transcript | None:
        kind = self.profile.answer.transcript
        if not kind:
            return None
        return open_transcript(kind, self.reader.recipient.pid, self.message.created)

    def _written(self) -> str | None:
        """Return the answer that is in the program's transcript, if it has one."""
        if self.transcript is None:
            return None
        turn = turn_of(self.transcript, lambda text: same(text, self.message.typed, self.profile))
        self.expected |= turn is not None
        self.begun |= turn is not None
        if turn is not None and turn.failed is not None:
            raise self._failed(turn.failed)
        if turn is not None and turn.stopped is not None:
            raise TorchError(
                f"a hook of '{self.found.name}' stopped the turn of {self.message.id} before an "
                f"answer began: {turn.stopped}",
                hint="The program keeps the message, and takes it along with the next one.",
                code="unanswered",
            )
        return turn.answer if turn else None

    @property
    def _quiet(self) -> float:
        """Seconds that an idle screen must stay before it counts as the end of the turn."""
        return REPORT_GRACE_SECONDS if self.expected else max(0.3, self.profile.launch.steady)

    def _may_go_on(self, sight: Sight) -> bool:
        """Return whether the program may still work although its screen shows an empty box.

        A screen can hide work. If a program records whether it works, the record decides. If that
        cannot be read, nobody knows.
        """
        kind = self.profile.answer.transcript
        return kind in RECORDED and not self.begun and may_hide_work(sight.state)

    def _half(self) -> TorchError:
        """Return the error for an answer that may not be whole."""
        name = self.found.name
        error = TorchError(
            f"'{name}' may have answered {self.message.id}: its screen has not changed for "
            f"{turns.QUIET_TURN_SECONDS:.0f} s, but no hook and no file of its own tells of the "
            "turn's end",
            hint=f"What it shows may be half an answer: torch capture {name} --history",
            code="unknown",
        )
        error.exit_code = UNKNOWN
        return error

    def _check_ended(self, sight: Sight) -> None:
        """Raise if the screen shows an error, or the program reported no end of the turn.

        Then the screen shows what was left when the turn was interrupted.
        """
        if sight.state.shown is State.ERROR and sight.state.trouble is not None:
            raise self._failed(sight.state.trouble.words)
        if self.begun:
            name = self.found.name
            raise TorchError(
                f"'{name}' stopped before it answered {self.message.id}: it is idle, and did "
                "not report the end of the turn. This happens when a person interrupts it",
                hint=f"See what it had said: torch capture {name} --history",
                code="unanswered",
            )

    def _check_goes_on(self, sight: Sight) -> None:
        """Raise if the turn cannot end by itself."""
        state, name, identity = sight.state.state, self.found.name, self.message.id
        if state is State.WAITING:
            dialog = sight.state.dialog
            raise HeldError(
                f"'{name}' asks '{question(sight)}' before it answers {identity}",
                hint=f"Answer it: {answer_command(name, dialog)}"
                if dialog
                else f"Look: torch state {name}",
                code="dialog",
            )
        if state is State.LIMITED:
            raise HeldError(
                f"'{name}' reached a limit before it answered {identity}: {sight.state.evidence}",
                code="limited",
            )
        if state in ENDED:
            raise TorchError(
                f"'{name}' ended before it answered {identity}: {sight.state.evidence}",
                code="exited",
            )

    def _reported(self) -> str | None:
        """Return the answer that the program's hook gave for our message, if it has."""
        pane, events = self.found.pane, self.profile.hooks.events
        ours: str | None = None
        for report in self.store.hooks.after(
            pane.server, pane.id, int(self.message.baseline.get("report", 0))
        ):
            if report.prompt and same(report.prompt, self.message.typed, self.profile):
                ours = str(self.store.hooks.detail(report.id).get("prompt_id", ""))
                self.begun = True
            elif ours is not None and events.get(report.name) in ("idle", "failed"):
                detail = self.store.hooks.detail(report.id)
                if detail.get("prompt_id", "") != ours:
                    continue
                text = detail.get("last_assistant_message")
                if events[report.name] == "failed":
                    kind = str(detail.get("error") or "")
                    raise self._failed(str(text or kind or report.name), kind)
                if isinstance(text, str):
                    return text
        return None

    def _failed(self, words: str, kind: str = "") -> TorchError:
        """Return the error for a turn that the program itself ended with one.

        ``kind`` is the program's word for what kind of error that is.
        """
        name = self.found.name
        return TurnFailedError(
            f"'{name}' ended the turn of {self.message.id} with an error, and did not answer: "
            f"{' '.join(words.split())}",
            hint=f"The message arrived. See what is left of the turn: torch capture {name}",
            details={"error": trouble_object(error_of(words, kind, ""))},
        )

    def _on_screen(self, sight: Sight) -> str:
        """Return the answer as it is between our message and the box, history included."""
        box, pane = sight.state.box, self.found.pane
        if box is None:
            return ""
        below = len(sight.screen.rows) - (box.first - self.profile.box.frame)
        lines = last_lines(self.found.socket, pane, history=True)
        # Blank rows at the end of the screen are not among the lines.
        blank = len(sight.screen.rows) - max(
            (n for n, row in enumerate(sight.screen.rows, 1) if row.text), default=0
        )
        lines = lines[: len(lines) - (below - blank)]
        first = echo_at(lines, self.message.typed, self.profile)
        self.complete = first is not None
        answer = lines[first + 1 :] if first is not None else lines
        if self.profile.paste.queues:  # otherwise no other message can have come between
            answer = list(before_next(answer, self.profile.box))
        return answer_on(answer, self.profile.answer, sight.screen.width, within=not self.complete)
