"""Running one command in the shell of a pane: its output, and its true exit status."""

import contextlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch_cli import procs
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.typist import Typist
from torch_cli.errors import (
    Abandoned,
    HeldError,
    Interrupted,
    NotFoundError,
    RefusedError,
    TimedOutError,
    TorchError,
)
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import State
from torch_cli.roster.registry import Found, find, profile_named
from torch_cli.shell.prompt import EDITORS, edits_line, runs_script
from torch_cli.shell.script import Between, typed_line, wrapper
from torch_cli.store import Store
from torch_cli.store.database import after
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket

LINE_SHOWN_SECONDS = 3.0
"""Seconds in which the typed line must show behind the prompt. fish redraws it a moment later."""

PROMPT_BACK_SECONDS = 0.5
"""If the prompt is back this many seconds without a status, the command counts as broken off."""


class Ran(NamedTuple):
    """A command that ended: its exit status, and the milliseconds from its Enter to its end."""

    pane: str
    shell: str
    status: int
    elapsed_ms: float


def run(
    store: Store,
    socket: Socket,
    target: str,
    command: Sequence[str],
    *,
    timeout: float,
    apart: bool = False,
    on_output: Callable[[bytes], None],
    on_wait: Callable[[], None] = lambda: None,
) -> Ran:
    """Run ``command`` in the shell of ``target`` and return how it ended.

    One word is a line of shell, several words are a program and its arguments. The command has the
    pane's own terminal. Its changes to the shell (``cd``, variables) stay, unless it runs ``apart``
    in a subshell. ``on_output`` gets the output as it comes, and ``on_wait`` is called meanwhile.
    If that raises ``Abandoned``, nobody reads the output any more.

    Raises ``RefusedError`` if the pane's program is not a shell, ``HeldError`` if the shell is not
    at its prompt; nothing was typed then. Raises ``TimedOutError`` after ``timeout`` seconds; the
    command continues. Raises ``TorchError`` if the command ended without a status: by Ctrl-C,
    ``exec`` or ``exit``.
    """
    found = find(store, socket, target)
    pane, profile = found.pane, _shell_profile(found.pane.command)
    if profile is None:
        raise RefusedError(
            f"pane {pane.id} ({pane.place}) runs '{pane.command}', which is not a shell; "
            "nothing was typed",
            hint=f"To talk to an agent: torch send {target} MESSAGE",
            code="no-shell",
        )
    directory = tempfile.mkdtemp(prefix="torch-run-")
    one: _Run | None = None
    try:
        with (
            pane_lock(pane.server, pane.id, "torch run", min(timeout, 10.0)),
            ControlClient(found.socket, pane.session_id) as client,
        ):
            one = _Run(client, store, found, profile, directory)
            one.type(command, apart=apart)
            with after(f"the command was typed into pane {pane.id}"):
                store.events.add("run", found.name, {"pane": pane.id, "shell": pane.command})
            return one.wait(timeout, on_output, on_wait)
    except (BrokenPipeError, Abandoned) as error:
        if one is None or not one.entered:
            raise
        raise TorchError(
            f"nobody reads the output of the command in pane {pane.id} any more; the command "
            "continues",
            hint=f"Interrupt it with 'torch press {pane.id} C-c'.",
            code="output",
        ) from error
    except KeyboardInterrupt as interrupt:
        raise _interrupted(interrupt, pane.id, one) from interrupt
    finally:
        # A command that continues has already read its files. One that will begin needs them.
        if one is None or not one.pending:
            shutil.rmtree(directory, ignore_errors=True)


def _interrupted(interrupt: KeyboardInterrupt, pane: str, one: "_Run | None") -> Interrupted:
    """Return what is known of a command whose run was interrupted from outside."""
    number = Interrupted.number_of(interrupt)
    details = {"pane": pane}
    if one is None or not one.typed:
        return Interrupted(number, "interrupted, nothing was typed", details=details)
    if not one.entered:
        return Interrupted(
            number,
            f"interrupted; the line that runs the command may be in pane {pane}, and Enter was "
            "not pressed",
            hint=f"Look, and clear the line: torch capture {pane}",
            details=details,
        )
    return Interrupted(
        number,
        f"interrupted; the command in pane {pane} continues",
        hint=f"Interrupt it with 'torch press {pane} C-c'.",
        details=details,
    )


def _shell_profile(command: str) -> Profile | None:
    """Return the profile of the shell named ``command``, ``None`` if it is not a shell."""
    for name in (command, "shell"):
        with contextlib.suppress(NotFoundError):
            profile = profile_named(name)
            if profile.process.shells and command in profile.process.names:
                return profile
    return None


class _Run:
    """One command on its way through one shell. The pane's lock is held all the time."""

    def __init__(
        self,
        client: ControlClient,
        store: Store,
        found: Found,
        profile: Profile,
        directory: str,
    ) -> None:
        self.client, self.store, self.found, self.profile = client, store, found, profile
        self.pane, self.shell, self.directory = found.pane, found.pane.command, directory
        self.group = procs.foreground(self.pane.pid)
        self.process = procs.identify(self.pane.pid)
        self.typist = Typist(client, found.pane)
        self.between = Between(word := os.urandom(8).hex())
        self.word = word
        self.heard = client.listen(self.pane.id)
        self.tty = client.call("display-message", "-p", "-t", self.pane.id, "#{pane_tty}").text
        self.edits = self.shell in EDITORS or edits_line(self.tty, self.shell)
        self.prompt = ""
        self.typed = self.entered = False

    @property
    def pending(self) -> bool:
        """Whether Enter was pressed and the shell has not begun to run the line."""
        return self.entered and not self.between.started and self._lives()

    def _lives(self) -> bool:
        return self.process is not None and procs.alive(self.process)

    def type(self, command: Sequence[str], *, apart: bool) -> None:
        """Type the line at the shell's prompt and press Enter, each through the gate."""
        text = command[0] if len(command) == 1 else shlex.join(command)
        given, sourced = (os.path.join(self.directory, name) for name in "cr")
        _write(given, f"{text}\n")
        _write(sourced, wrapper(self.shell, self.word, given, apart=apart))
        line = typed_line(self.shell, sourced)
        sight = self._at_prompt()
        assert sight.state.box is not None
        self.prompt = sight.state.box.rows[0]
        buffer = f"torch-run-{self.word}"
        if not self.typist.load(buffer, os.fsencode(line)):
            raise self._not_at_prompt("the pane is gone")
        self.typed = True  # a signal cannot know more exactly
        stands = box_stands(sight, self.profile)
        # What somebody has typed there, and the shell has not read, it would run, too.
        self.typed = self.typist.paste(buffer, stands, unless=self.typist.keys_wait).done
        if not self.typed:
            raise self._not_at_prompt("its prompt has changed")
        self._enter(self.prompt + line)

    def _at_prompt(self) -> Sight:
        """Return the sight of the shell at its prompt; raise ``HeldError`` if it is not."""
        sight = observe(self.client, self.store, self.pane, self.profile)
        box = sight.state.box
        if sight.state.state is not State.IDLE or box is None or not box.empty:
            raise self._not_at_prompt(sight.state.evidence)
        if self.group is None:
            raise self._not_at_prompt("no process has its terminal")
        if runs_script(self.group):
            raise self._not_at_prompt(f"process {self.group} runs a script")
        if self.edits and not edits_line(self.tty, self.shell):
            raise self._not_at_prompt("its terminal does not wait for a command line")
        return sight

    def _not_at_prompt(self, why: str) -> HeldError:
        return HeldError(
            f"the shell in pane {self.pane.id} ({self.pane.place}) is not at its prompt: {why}; "
            "nothing was run",
            hint=f"Look with 'torch capture {self.pane.id}'.",
            code="not-at-prompt",
        )

    def _enter(self, wanted: str) -> None:
        """Press Enter once exactly the whole line is there; raise if it does not come."""
        deadline = time.monotonic() + LINE_SHOWN_SECONDS
        while time.monotonic() < deadline:
            count = self.client.output.get(self.pane.id, 0)
            sight = observe(self.client, self.store, self.pane, self.profile)
            joined = self.client.call("capture-pane", "-p", "-J", "-t", self.pane.id).printed
            last = joined.rstrip().rpartition("\n")[2]
            if "".join(last.split()) == "".join(wanted.split()):
                row = next(row.text for row in reversed(sight.screen.rows) if row.text)
                stands = [*gate.rows_stand([row]), *gate.cursor_at(sight.screen.cursor)]
                self.entered = True
                self.entered = self.typist.press(
                    ["Enter"], stands, unless=self.typist.keys_wait
                ).done
                if self.entered:
                    return
            self.client.wait_output(self.pane.id, count, 0.05)
        raise TorchError(
            f"the line that runs the command was typed into pane {self.pane.id}, but was not "
            "seen there alone; Enter was not pressed",
            hint="A person may be typing there: look, and clear the line.",
            code="not-seen",
        )

    def wait(
        self, timeout: float, on_output: Callable[[bytes], None], on_wait: Callable[[], None]
    ) -> Ran:
        """Pass the output on until the command has ended."""
        began = time.monotonic()
        back: float | None = None
        while True:
            count = self.client.output.get(self.pane.id, 0)
            data = bytes(self.heard)
            self.heard.clear()
            out = self.between.feed(data)
            if out:
                on_output(out)
            now = time.monotonic()
            if self.between.status is not None:
                elapsed = (now - began) * 1000
                return Ran(self.pane.id, self.shell, self.between.status, elapsed)
            back = None if data or not self._is_back() else back or now
            if back is not None and now >= back + PROMPT_BACK_SECONDS:
                raise self._broken_off()
            if now >= began + timeout:
                raise self._too_slow(timeout)
            if self.client.closed and self._lives():
                raise TorchError(
                    f"tmux no longer reports the output of pane {self.pane.id}: its session has "
                    "ended, or the server; how the command ends will not be known",
                    hint="If the pane moved to another session, the command continues there.",
                    code="not-heard",
                )
            on_wait()
            self.client.wait_output(self.pane.id, count, min(0.1, began + timeout - now))

    def _is_back(self) -> bool:
        """Say whether the shell waits for its next line, or no longer exists."""
        if procs.foreground(self.pane.pid) != self.group:
            return procs.foreground(self.pane.pid) is None
        if self.edits and not edits_line(self.tty, self.shell):
            return False
        sight = observe(self.client, self.store, self.pane, self.profile)
        box = sight.state.box
        if sight.state.state is not State.IDLE or box is None or not box.empty:
            return sight.state.state is State.DEAD
        return self.edits or box.rows[0] == self.prompt

    def _too_slow(self, timeout: float) -> TimedOutError:
        what = "not ended within {:g} s; it continues"
        if not self.between.started:
            what = "not begun within {:g} s; the shell runs it as soon as it reads again"
        return TimedOutError(
            f"the command in pane {self.pane.id} has {what.format(timeout)}",
            hint=f"Interrupt it with 'torch press {self.pane.id} C-c'.",
        )

    def _broken_off(self) -> TorchError:
        what = "ended without a status" if self.between.started else "was not run"
        if not self._lives():
            what = "ended without a status, or never began"  # tmux may drop the last output
        return TorchError(
            f"the command in pane {self.pane.id} {what}: it was interrupted, or it ended its shell",
            code="interrupted",
        )


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
