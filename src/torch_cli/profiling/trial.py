"""A trial run of an unknown program in a scratch pane: how it starts, and how it takes text.

This module waits for screens, and pastes and erases one harmless word. ``infer`` decides what the
screens mean. Enter is pressed only if the caller asks for it.
"""

import os
import shlex
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from torch_cli.delivery.typist import Typist
from torch_cli.errors import HeldError, NotFoundError, TimedOutError, TorchError
from torch_cli.profiling.draft import TrialFindings, misread, profile_of
from torch_cli.profiling.infer import (
    Frame,
    asks,
    infer_box,
    infer_continuation,
    infer_enter,
    longest_pause,
    moving,
    row_of,
)
from torch_cli.programs.box import find_box
from torch_cli.programs.profile import Launch, Profile
from torch_cli.programs.program import find_program
from torch_cli.tmux import gate
from torch_cli.tmux.capture import shown
from torch_cli.tmux.opening import Order
from torch_cli.tmux.panes import capture_one
from torch_cli.tmux.scratch import SIZE, Scratch, scratch_pane
from torch_cli.tmux.screen import Screen
from torch_cli.tmux.server import Server
from torch_cli.tmux.window import check_directory

PROBE_WORD = "zubzub"
"""The word that is pasted. It is not a word of a prompt or a menu, and it has none of the letters
that menus usually take as an answer (y, n, a, q, digits)."""

STEADY_SECONDS = 1.0
"""A screen counts as steady after this many seconds without a change. Claude Code asked at most
0.46 s after its first box (2.1.330, loaded machine, 2026-11-22).
"""

WORD_SHOWN_SECONDS = 5.0
"""Seconds in which a pasted word must show, or an erased word must disappear."""

ANSWER_WATCH_SECONDS = 30.0
"""The screen is watched for this many seconds after Enter, or until it is steady."""

_STILL_SECONDS = 0.3
"""Seconds without a change after a paste before the box is read, because redraws come in steps."""

_TRIAL_POLL_SECONDS = 0.05
"""Seconds after which a silent pane is looked at again."""

_BRACKETED_ON, _BRACKETED_OFF = b"\x1b[?2004h", b"\x1b[?2004l"


class TrialRequest(NamedTuple):
    """What to try: ``command`` in ``directory`` with ``environment`` added.

    The screen must be steady within ``timeout`` seconds. ``enter`` is the text to submit with
    Enter, ``None`` for no Enter.
    """

    name: str
    command: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    timeout: float = 30.0
    enter: str | None = None


def try_out(
    request: TrialRequest, *, today: str, tell: Callable[[str], None] = lambda step: None
) -> TrialFindings:
    """Run the program, watch it, end it, and return what was seen; ``today`` is for the heading.

    Before it starts anything, raises ``NotFoundError`` if there is no such program, and
    ``TorchError`` if the directory cannot be used. Later raises ``TorchError`` if the program ends
    by itself, ``TimedOutError`` if its screen never becomes steady, and ``HeldError`` if it asks
    something first; nothing is typed then.
    """
    named = Profile(request.name, launch=Launch(command=request.command))
    program = find_program(named, {**os.environ, **request.environment})
    if program is None:
        raise NotFoundError(
            f"no program '{request.command[0]}' on the PATH; nothing was started",
            hint="Install it, or give its path in --command.",
            code="no-program",
        )
    order = Order(
        name=request.name,
        directory=check_directory(request.directory),
        environment=request.environment,
        command=(program, *request.command[1:]),
        keep_dead=True,
    )
    tell(f"starting {shlex.join(request.command)} in a scratch pane of {SIZE[0]}x{SIZE[1]}")
    try:
        with scratch_pane(order) as scratch:
            return _Trial(scratch, request, tell).run(today)
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        raise _ended(request) from None  # tmux 3.2: the server ended with its only pane


class _Trial:
    """One run: ``began`` is the moment of its start (monotonic seconds)."""

    def __init__(
        self, scratch: Scratch, request: TrialRequest, tell: Callable[[str], None]
    ) -> None:
        self.client, self.pane, self.written = scratch
        self._typist = Typist(self.client, self.pane)
        self.request, self.tell = request, tell
        self.began = time.monotonic()

    def run(self, today: str) -> TrialFindings:
        """Return what was seen, from the start to the last key."""
        empty, frames = self._await_ready()
        seen = TrialFindings(
            self.request.name,
            self.request.command,
            ready=frames[-1].at,
            pause=longest_pause(frames),
            process=self._process(),
            today=today,
            tmux=self.pane.version,
            size=(empty.width, empty.height),
        )
        self.tell(f"its screen has stopped changing after {seen.ready:.1f} s")
        question = asks(empty)
        if question:
            self._refuse_question(question, empty)
        return self._try_typing(seen._replace(framed=self._framed()), empty)

    def _try_typing(self, seen: TrialFindings, empty: Screen) -> TrialFindings:
        """Paste the probe and erase it, then longer texts. Press Enter last, if asked for."""
        plain = "without a frame, because it did not ask for one"
        self.tell(f"pasting '{PROBE_WORD}' {'in a frame' if seen.framed else plain}")
        filled = self._paste(PROBE_WORD, _shows(PROBE_WORD))
        box = infer_box(empty, filled, PROBE_WORD)
        seen = seen._replace(box=box)
        if row_of(filled, PROBE_WORD) is None:
            return seen
        seen = seen._replace(erased=self._erase(len(PROBE_WORD), PROBE_WORD))
        if box.kind != "none":
            wrong = misread(seen, empty, filled, PROBE_WORD)
            if wrong:
                seen = seen._replace(box=box._replace(kind="none", why=wrong))
        if seen.erased and seen.framed and seen.box.kind == "ruled":
            seen = self._try_two_lines(seen)
        elif seen.erased and seen.box.kind == "prompt" and box.cursor_real:
            seen = self._try_long_line(seen)
        if seen.erased and seen.box.kind != "none" and self.request.enter is not None:
            seen = self._press_enter(seen, self.request.enter)
        return seen

    def _try_two_lines(self, seen: TrialFindings) -> TrialFindings:
        """See how the second row of a box begins."""
        first, second = PROBE_WORD, PROBE_WORD[::-1]
        two = self._paste(f"{first}\n{second}", _shows(second))
        more = infer_continuation(two, first, second)
        erased = self._erase(len(first) + 1 + len(second), first, second)
        return seen._replace(box=seen.box._replace(continuation=more), erased=erased)

    def _try_long_line(self, seen: TrialFindings) -> TrialFindings:
        """See whether a text that is longer than a row can be read."""
        wrapped = seen._replace(box=seen.box._replace(wraps=True))
        profile = profile_of(wrapped)
        text = PROBE_WORD * (SIZE[0] // len(PROBE_WORD) + 2)

        def reads(screen: Screen) -> bool:
            box = find_box(screen, profile)
            return box is not None and "".join(box.text.split()) == text

        read = reads(self._paste(text, reads))
        erased = self._erase(len(text), PROBE_WORD)
        return (wrapped if read else seen)._replace(erased=erased)

    def _press_enter(self, seen: TrialFindings, text: str) -> TrialFindings:
        """Type ``text``, see it in the box, press Enter, and watch what it does."""
        profile = profile_of(seen)
        before = self._paste(text, _shows(text))
        box = find_box(before, profile)
        if box is None or box.text != text:
            return seen
        self.tell(f"pressing Enter after '{text}'")
        conditions = gate.rows_stand([box.rows[0]], prompt=profile.box.mark)
        if profile.box.cursor_real:
            conditions += gate.cursor_at(before.cursor)
        pressed = time.monotonic()
        if not self._typist.press(["Enter"], conditions).done:
            return seen
        frames = self._watch(pressed, ANSWER_WATCH_SECONDS, STEADY_SECONDS)
        return seen._replace(enter=infer_enter(before, frames, profile, text))

    # -- acts ----------------------------------------------------------------------------------

    def _paste(self, text: str, shows: Callable[[Screen], bool]) -> Screen:
        """Paste ``text`` and return the screen once it ``shows`` and is steady.

        After ``WORD_SHOWN_SECONDS`` returns the screen as it is.
        """
        done = self._typist.type(text.encode(), "probe", [], framed=self._framed())
        if not done.done:
            self._ended()
        return self._await(shows)

    def _erase(self, count: int, *words: str) -> bool:
        """Press Backspace ``count`` times. Return whether all of ``words`` have disappeared."""
        self._typist.press(["BSpace"] * count)

        def clear(screen: Screen) -> bool:
            return all(row_of(screen, word) is None for word in words)

        return clear(self._await(clear))

    def _framed(self) -> bool:
        """Whether the program last switched bracketed paste on, not off."""
        return self.written.rfind(_BRACKETED_ON) > self.written.rfind(_BRACKETED_OFF)

    # -- looks ---------------------------------------------------------------------------------

    def _await_ready(self) -> tuple[Screen, list[Frame]]:
        """Return the first steady screen, and the different ones before it."""
        frames = self._watch(self.began, self.request.timeout, STEADY_SECONDS, blank=False)
        last = frames[-1]
        if last.screen.dead:
            self._ended()
        waited = time.monotonic() - self.began
        if not last.screen.text.strip():
            raise TimedOutError(
                f"'{self.request.command[0]}' showed nothing in {waited:.0f} s; the program was "
                "ended, and nothing was written",
                hint="Give it more time with --timeout, or look at it in a terminal of your own.",
            )
        if waited - last.at < STEADY_SECONDS:
            raise TimedOutError(
                f"the screen of '{self.request.command[0]}' never stayed the same for "
                f"{STEADY_SECONDS:g} s in {waited:.0f} s: {moving(frames)}; the program was ended, "
                "and nothing was written",
                hint="Give it more time with --timeout, or turn off what moves on its screen.",
                code="restless",
            )
        return last.screen, frames

    def _await(self, condition: Callable[[Screen], bool]) -> Screen:
        """Return the screen once ``condition`` holds and it is steady.

        After ``WORD_SHOWN_SECONDS`` it is returned as it is.
        """
        began = time.monotonic()
        while True:
            left = began + WORD_SHOWN_SECONDS - time.monotonic()
            screen = self._watch(time.monotonic(), max(0.0, left), _STILL_SECONDS)[-1].screen
            if screen.dead:
                self._ended()
            if condition(screen) or left <= 0:
                return screen

    def _watch(
        self, since: float, seconds: float, still: float, *, blank: bool = True
    ) -> list[Frame]:
        """Return each different screen until one stays for ``still`` seconds, at most ``seconds``.

        Each has the time at which it was first seen, in seconds after ``since``. Without ``blank``
        an empty screen does not count as steady.
        """
        frames: list[Frame] = []
        while True:
            heard = self.client.output.get(self.pane.id, 0)
            screen = self._look()
            now = time.monotonic()
            if not frames or frames[-1].screen.lines != screen.lines or screen.dead:
                frames.append(Frame(now - since, screen))
            else:
                frames[-1] = frames[-1]._replace(screen=screen)
            shows = blank or bool(screen.text.strip())
            steady = shows and now - since - frames[-1].at >= still
            if screen.dead or steady or now - since >= seconds:
                return frames
            self.client.wait_output(self.pane.id, heard, _TRIAL_POLL_SECONDS)

    def _process(self) -> str:
        """Return what tmux calls the program that runs in the pane."""
        with Server(self.client.socket) as server:
            pane = server.pane(self.pane.id)
            return (pane and pane.pane_current_command) or ""

    def _look(self) -> Screen:
        try:
            return capture_one(self.client, self.pane)
        except NotFoundError:  # tmux 3.2: the pane and the server ended with the program
            self._ended()

    # -- ends ----------------------------------------------------------------------------------

    def _ended(self) -> NoReturn:
        """Raise the error for a program that ended, with its last words."""
        try:
            seen = shown(self.client.socket, self.pane, history=True, join=True).lines
        except NotFoundError:
            seen = []
        rows = [row.rstrip() for row in seen if row.strip()]
        said = ":\n" + "\n".join(f"  {row}" for row in rows[-12:]) if rows else ""
        raise _ended(self.request, said)

    def _refuse_question(self, question: str, screen: Screen) -> NoReturn:
        rows = "\n".join(f"  {row}" for row in screen.text.split("\n") if row.strip())
        raise HeldError(
            f"'{self.request.command[0]}' first asks a question ({question}); nothing was "
            f"typed, the program was ended, and nothing was written:\n{rows}",
            hint="Start it yourself in that directory, answer, and try again. Or give its option "
            "that avoids the question in --command.",
            code="dialog",
        )


def _ended(request: TrialRequest, said: str = "") -> TorchError:
    """Return the error for a program that ended by itself; ``said`` are its last words."""
    return TorchError(
        f"'{request.command[0]}' ended before it could be looked at; nothing was written{said}",
        hint="A profile is for a program that keeps running. Start it in a terminal to see why it "
        "ended.",
        code="ended",
    )


def _shows(text: str) -> Callable[[Screen], bool]:
    return lambda screen: row_of(screen, text) is not None
