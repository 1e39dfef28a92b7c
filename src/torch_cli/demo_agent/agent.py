"""What the agent does: events and time in, a new state and effects out.

Nothing here touches a terminal, a clock or a process. Times are seconds of any monotonic clock,
always passed in. ``program`` carries out the effects, ``view`` draws the state.
"""

import base64
import math
from collections import deque

from torch_cli.demo_agent.keys import Event, KeyPress, Pasted, Text, to_bytes
from torch_cli.demo_agent.message import InputBox, Submission, answer_to, markers, normalise
from torch_cli.demo_agent.model import (
    ERRORS,
    MODES,
    SPINNER_SECONDS,
    DemoTurn,
    Effect,
    Hook,
    Kind,
    LogLine,
    Options,
    Question,
    ShellRun,
    TranscriptEntry,
)


class DemoState:
    """The state of the agent, and what each event and the passing of time do to it."""

    def __init__(self, options: Options, cwd: str) -> None:
        self.options = options
        self.cwd = cwd
        self.box = InputBox()
        self.transcript: list[TranscriptEntry] = [
            TranscriptEntry(Kind.PLAIN, f"Torch demo agent · {cwd}")
        ]
        self.queue: list[Submission] = []
        self.job: DemoTurn | None = None
        self.dialogs: deque[Question] = deque()
        self.limit = ""  # what the limit line says about the reset, while a limit lasts
        self.mode = 0  # which of MODES
        self.leaving = False  # C-c was pressed once
        self.deaf_until = -math.inf
        self.exit_status: int | None = None
        self._limit_ends = math.inf
        self._lifted = False
        self._planned: list[tuple[float, str]] = []  # dialogs to come: (time, command)
        self._lost = 0
        self._commands = 0
        self._effects: list[Effect] = []

    def take_effects(self) -> list[Effect]:
        """Return what is to be done in the world, in order, and forget it."""
        effects, self._effects = self._effects, []
        return effects

    @property
    def limit_line(self) -> str:
        """What is on the screen while a usage limit lasts."""
        return f"Usage limit reached · resets {self.limit}" if self.limit else ""

    # Time

    def start(self, now: float) -> None:
        """Begin: the program is ready for input."""
        if self.options.dialog_after is not None:
            self._plan(now + self.options.dialog_after, self.options.dialog_command)
        if self.options.trust:
            self._open(Question("trust"))
        else:
            self._hook("SessionStart", source="startup")

    def next_change(self, now: float) -> float:
        """Return the time at which the state or the picture changes without any input."""
        times = [self._limit_ends, *(time for time, _ in self._planned)]
        if self.job and not self.dialogs:
            ticks = math.floor((now - self.job.started) / SPINNER_SECONDS) + 1
            times += [self.job.until, self.job.started + ticks * SPINNER_SECONDS]
        return min(times)

    def tick(self, now: float) -> None:
        """Do what is due."""
        due = [command for time, command in self._planned if time <= now]
        self._planned = [plan for plan in self._planned if plan[0] > now]
        for command in due:
            self.open_dialog(command)
        if self._limit_ends <= now:
            self._lift_limit(now)
        if self.job and not self.dialogs and self.job.until <= now:
            self._finish(self.job, now)

    # Input

    def handle(self, event: Event, now: float) -> None:
        """Take one event from the terminal."""
        placeholder = isinstance(event, Pasted) and not self.dialogs and self.box.paste(event.text)
        self._log_input(event, placeholder)
        if event is KeyPress.INTERRUPT:
            self._interrupt(now)
        else:
            self.leaving = False
            self._take(event, now)

    def _take(self, event: Event, now: float) -> None:
        if self.dialogs:
            self._answer_dialog(event, now)
        elif isinstance(event, Text):
            self.box.type(event.text)
        elif isinstance(event, KeyPress):
            self._press(event, now)

    def _press(self, key: KeyPress, now: float) -> None:
        if key is KeyPress.SUBMIT or (key is KeyPress.ENTER and not self.box.continue_line()):
            self._submit(now)
        elif key is KeyPress.BACKSPACE:
            self.box.erase()
        elif key is KeyPress.CLEAR:
            self.box.clear()
        elif key is KeyPress.END and not self.box:
            self.quit(0, "C-d")
        elif key is KeyPress.UP and not self.box and self.queue:
            self.box.type("\n".join(message.text for message in self.queue))
            self.queue.clear()
        elif key is KeyPress.MODE:
            self.mode = (self.mode + 1) % len(MODES)
        elif key is KeyPress.ESCAPE and self.job:
            self._stop_job(now)

    def _interrupt(self, now: float) -> None:
        """C-c stops what is going on, and quits the second time."""
        if self.leaving:
            self.quit(0, "C-c")
            return
        self.leaving = True
        if self.dialogs:
            self._close_dialog(False, now)
        elif self.job:
            self._stop_job(now)
        else:
            self.box.clear()

    def _log_input(self, event: Event, placeholder: bool) -> None:
        if isinstance(event, KeyPress):
            self._log("typed", key=event.value)
            return
        fields = {"text": normalise(event.text), "raw_base64": _base64(to_bytes(event.text))}
        if isinstance(event, Pasted):
            self._log("paste", **fields, placeholder=placeholder)
        else:
            self._log("typed", **fields)

    # Messages

    def _submit(self, now: float) -> None:
        message = self.box.message()
        if not message.text:
            return
        if self._lost < self.options.lose_submits:
            self._lost += 1
            return
        self.box.clear()
        fields = {"text": message.text, "raw_base64": _base64(message.raw)}
        if message.text.startswith("!"):
            self._say(Kind.USER, message.shown)
            self._log("ran", **fields)
            self._run(message.text[1:])
        elif message.command:
            self._command(message, fields)
        else:
            busy = self.job is not None
            self._log("queued" if busy else "submit", **fields)
            self._hook("UserPromptSubmit", prompt=message.text)
            for marker in markers(message.text):
                if marker.name == "DIALOGAT":
                    self._plan(now + marker.seconds, marker.value.partition(",")[2].strip())
                elif marker.name == "SLEEP":
                    self.deaf_until = now + marker.seconds
            if busy:
                self.queue.append(message)
            else:
                self._begin([message], now)

    def _command(self, message: Submission, fields: dict[str, str]) -> None:
        self._say(Kind.USER, message.shown)
        if message.command == "exit":
            self._say(Kind.PLAIN, "Bye.")
            self.quit(0, "/exit")
        elif message.command == "compact":
            self._say(Kind.NOTICE, "Compacted.")
            self._hook("SessionStart", source="compact")
        else:
            self._log("swallowed", **fields)
            self._say(Kind.NOTICE, f"Unknown command: /{message.command}")

    def _begin(self, messages: list[Submission], now: float) -> None:
        for message in messages:
            self._say(Kind.USER, message.shown)
        if self._lifted:
            self.limit, self._lifted = "", False
        if self.limit:
            self._say(Kind.NOTICE, self.limit_line)
            return
        found = [marker for message in messages for marker in markers(message.text)]
        delays = [marker.seconds for marker in found if marker.name == "DELAY"]
        self.job = DemoTurn(messages, now, now + (delays[0] if delays else self.options.work))
        self.job.asks.extend(marker.value for marker in found if marker.name == "DIALOG")
        self.job.retries = next((marker.value for marker in found if marker.name == "RETRY"), "")

    def _finish(self, job: DemoTurn, now: float) -> None:
        """The answer is due: give it, unless a marker wants something else first."""
        found = {
            marker.name: marker for message in job.messages for marker in markers(message.text)
        }
        if crash := found.get("CRASH"):
            status = int(crash.seconds) or 1
            self._say(Kind.PLAIN, f"Traceback (most recent call last):\nRuntimeError: {status}")
            self.quit(status, "crash")
        elif limit := found.get("LIMIT"):
            self.limit, self._lifted = limit.value or "later", False
            self._limit_ends = now + self.options.limit_lifts
            self._log("limited", resets=self.limit)
            self._next_job(now)
        elif error := found.get("ERROR"):
            self._fail(error.value, now)
        elif job.asks:
            self.open_dialog(job.asks.popleft(), of_job=True)
        else:
            answer = answer_to(job.messages)
            self._say(Kind.AGENT, answer)
            self._log("answer", text=answer, prompts=[message.text for message in job.messages])
            self._hook("Stop", last_assistant_message=answer)
            self._next_job(now)

    def _fail(self, words: str, now: float) -> None:
        """End the turn with an error, which stands where an answer would."""
        said = f"API Error: {words}"
        self._say(Kind.AGENT, said)
        self._log("failed", words=words)
        kind = ERRORS.get(words[:3], "unknown")
        self._hook("StopFailure", error=kind, last_assistant_message=said)
        self._next_job(now)

    def _stop_job(self, now: float) -> None:
        self._say(Kind.NOTICE, "Interrupted")
        self._log("interrupted")
        self._next_job(now)

    def _next_job(self, now: float) -> None:
        self.job = None
        if self.queue:
            waiting, self.queue = self.queue, []
            self._begin(waiting, now)

    # Dialogs and commands

    def open_dialog(self, command: str, *, of_job: bool = False) -> None:
        """Ask for permission to run ``command``, after any question that is open already."""
        self._open(Question("permission", command, of_job))
        self._hook("PermissionRequest", tool_name="Bash", tool_input={"command": command})

    def _open(self, dialog: Question) -> None:
        self.dialogs.append(dialog)
        self._log("dialog", kind=dialog.kind, command=dialog.command)

    def _answer_dialog(self, event: Event, now: float) -> None:
        if isinstance(event, Text):
            for index, character in enumerate(event.text):
                if character in "12":
                    self._close_dialog(character == "1", now)
                    if rest := event.text[index + 1 :]:
                        self._take(Text(rest), now)
                    return
        elif event is KeyPress.ENTER:
            self._close_dialog(self.dialogs[0].chosen == 0, now)
        elif event is KeyPress.ESCAPE:
            self._close_dialog(False, now)
        elif event in (KeyPress.UP, KeyPress.DOWN):
            self.dialogs[0].chosen = 0 if event is KeyPress.UP else 1

    def decide(self, command: str, approved: bool, now: float) -> None:
        """Answer the question about ``command`` as the hook has decided, if it is still open."""
        for dialog in self.dialogs:
            if (dialog.kind, dialog.command) == ("permission", command):
                self.dialogs.remove(dialog)
                self._close(dialog, approved, now)
                return

    def _close_dialog(self, approved: bool, now: float) -> None:
        self._close(self.dialogs.popleft(), approved, now)

    def _close(self, dialog: Question, approved: bool, now: float) -> None:
        self._log("approved" if approved else "declined", kind=dialog.kind, command=dialog.command)
        if dialog.kind == "trust":
            if approved:
                self._hook("SessionStart", source="startup")
            else:
                self.quit(1, "not trusted")
            return
        self._say(Kind.NOTICE, f"{'Ran' if approved else 'Declined'}: {dialog.command}")
        number = self._run(dialog.command) if approved else 0
        if dialog.of_job and self.job and approved:
            self.job.running, self.job.until = number, math.inf
        elif dialog.of_job:
            self._next_job(now)

    def command_ended(self, number: int, now: float) -> None:
        """Go on with the work that waited for the command with this number, if any did."""
        if self.job and self.job.running == number:
            self.job.running, self.job.until = 0, now

    def _lift_limit(self, now: float) -> None:
        self._limit_ends, self._lifted = math.inf, True
        self._log("lifted")
        if self.options.after_limit != "shown":
            self.limit = ""
        if self.options.after_limit == "continue" and self.job is None:
            self._log("continued")
            self._begin([Submission("Continue.", b"Continue.", "Continue.")], now)

    def end_work(self, now: float) -> None:
        """Have the work be done now, however long it was to take."""
        if self.job and not self.job.running:
            self.job.until = min(self.job.until, now)

    def quit(self, status: int, reason: str) -> None:
        """End, with ``status`` as the process's exit status."""
        if self.exit_status is None:
            self.exit_status = status
            self._log("exit", status=status, reason=reason)
            self._hook("SessionEnd", reason=reason)

    # Small steps

    def _plan(self, time: float, command: str) -> None:
        self._planned.append((time, command or self.options.dialog_command))

    def _run(self, command: str) -> int:
        self._commands += 1
        self._effects.append(ShellRun(self._commands, command))
        return self._commands

    def _say(self, kind: Kind, text: str) -> None:
        self.transcript.append(TranscriptEntry(kind, text))

    def _log(self, event: str, **fields: object) -> None:
        self._effects.append(LogLine(event, fields))

    def _hook(self, event: str, **fields: object) -> None:
        self._effects.append(Hook(event, fields))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
