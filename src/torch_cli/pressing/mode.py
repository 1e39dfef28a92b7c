"""The mode of an agent program: how much it asks before it acts. Reading it, and switching it.

The mode is read from the screen after each key. A pressed key alone proves nothing.
"""

import time
from typing import NamedTuple

from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.obstacle import question
from torch_cli.delivery.send import check_permitted
from torch_cli.delivery.typist import Typist
from torch_cli.errors import HeldError, RefusedError, TimedOutError
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import State
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store
from torch_cli.store.database import after
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import await_drawn
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import profile_of

MODE_SHOWN_SECONDS = 3.0
"""Seconds in which a key must show another mode. Claude Code 2.1.330, Codex 0.169.0, Gemini CLI
0.61.0 and opencode 1.18.33 take less than 0.3 (2026-11-24)."""

MODE_STAYS_SECONDS = 0.15
"""Seconds that a mode must stay before it counts: a redraw may be half done."""

_MODE_POLL_SECONDS = 0.05


class ModeOf(NamedTuple):
    """The mode of one target, its mode before, and how often a key was pressed in between."""

    target: str
    pane: str
    mode: str
    before: str
    presses: int = 0


def mode_of(store: Store, socket: Socket, target: str) -> ModeOf:
    """Return the mode that the program of ``target`` shows.

    Raises ``RefusedError`` if its profile has no modes, ``HeldError`` if the screen shows none.
    """
    found = find(store, socket, target)
    with ControlClient(found.socket, found.pane.session_id) as client:
        profile = profile_of(client, store, found)
        _names_of(profile, target)
        mode = _shown(_look(client, store, found, profile), target)
    return ModeOf(target, found.pane.id, mode, mode)


def set_mode(
    store: Store, socket: Socket, target: str, wanted: str, timeout: float = 10.0
) -> ModeOf:
    """Switch the program of ``target`` to the mode ``wanted`` and return the result.

    The program must be idle with an empty box, and show its mode. Torch waits for that for
    ``timeout`` seconds. Raises ``RefusedError`` for a mode that the profile does not know, or that
    the program did not show in a whole round; the program is then in its earlier mode.
    ``HeldError`` and ``TimedOutError`` say which mode it is in then.
    """
    found = find(store, socket, target)
    check_permitted(store, found.agent, "no key was pressed")
    pane = found.pane
    with (
        ControlClient(found.socket, pane.session_id) as client,
        pane_lock(pane.server, pane.id, f"torch mode {wanted}", timeout),
    ):
        profile = profile_of(client, store, found)
        names = _names_of(profile, target)
        if wanted not in names:
            raise RefusedError(
                f"unknown mode '{wanted}' of {profile.title or profile.name}; nothing was pressed",
                hint=f"Its modes: {', '.join(names)}.",
                code="no-mode",
            )
        switch = _Switch(client, store, found, profile)
        try:
            return switch.to(wanted, time.monotonic() + timeout)
        finally:
            if switch.presses:
                detail = {"wanted": wanted, "mode": switch.mode, "presses": switch.presses}
                with after(f"the key for the mode was pressed in pane {found.pane.id}"):
                    store.events.add("mode", found.name, detail)


class _Switch:
    """One program on its way to another mode. The pane's lock is held all the time."""

    def __init__(self, client: ControlClient, store: Store, found: Found, profile: Profile) -> None:
        self.client, self.store, self.found, self.profile = client, store, found, profile
        self.target = found.name
        self.known = {mode.name: mode for mode in profile.modes.known}
        self.mode = ""
        self.presses = 0

    def to(self, wanted: str, deadline: float) -> ModeOf:
        """Press until ``wanted`` is shown."""
        sight = self._await_open(deadline)
        before = self.mode = _shown(sight, self.target)
        seen = [before]
        while self.mode != wanted:
            keys = self._keys(wanted)
            sight = self._press(keys, sight)
            if self.mode in seen and self.mode != wanted:
                raise RefusedError(
                    f"'{self.target}' does not offer the mode '{wanted}': it showed "
                    f"{', '.join(seen)} and is in {self.mode} mode again",
                    hint="Some modes must be allowed in the program's own settings.",
                    code="no-mode",
                )
            seen.append(self.mode)
        return ModeOf(self.target, self.found.pane.id, self.mode, before, self.presses)

    def _keys(self, wanted: str) -> tuple[str, ...]:
        """Return the keys of the next step: a mode's own keys, else those to the next mode."""
        here, there = self.known[self.mode], self.known[wanted]
        return here.keys or there.keys or self.profile.modes.cycle

    def _await_open(self, deadline: float) -> Sight:
        """Return a sight of the idle program with an empty box and its mode.

        What else stands where the mode is shown, such as how to leave, goes after a few seconds.
        """
        while True:
            heard = self._heard()
            sight = _look(self.client, self.store, self.found, self.profile)
            reason, late = _obstacle(sight), time.monotonic() >= deadline
            if not reason and (sight.state.mode or late):
                return sight
            if reason and (late or sight.state.state is State.WAITING):
                raise HeldError(f"'{self.target}' {reason}; no key was pressed", code="busy")
            self._wait(heard, _MODE_POLL_SECONDS)

    def _press(self, keys: tuple[str, ...], sight: Sight) -> Sight:
        """Press once, and return the sight that shows another mode."""
        conditions = box_stands(sight, self.profile)
        await_drawn(self.client, self.found.pane, self.profile.box.draws_within)
        typist = Typist(self.client, self.found.pane)
        outcome = typist.press(list(keys), conditions, unless=typist.keys_wait)
        if not outcome.done:
            raise HeldError(
                f"the screen of '{self.target}' changed meanwhile ({outcome.reason}); it is now "
                f"in {self.mode} mode",
                hint="Try again when nobody types there.",
                code=outcome.reason,
            )
        self.presses += 1
        return self._await_other(self.mode, keys)

    def _await_other(self, old: str, keys: tuple[str, ...]) -> Sight:
        deadline = time.monotonic() + MODE_SHOWN_SECONDS
        shown: tuple[str, float] = ("", 0.0)
        while True:
            heard = self._heard()
            sight = _look(self.client, self.store, self.found, self.profile)
            now, mode = time.monotonic(), sight.state.mode
            if sight.state.state is State.WAITING:
                raise HeldError(
                    f"'{self.target}' asks '{question(sight)}' on the way from {old} mode",
                    hint=f"Look at it: torch state {self.target}",
                    code="dialog",
                )
            if mode and mode != old and not _obstacle(sight):
                shown = shown if shown[0] == mode else (mode, now)
                if now >= shown[1] + MODE_STAYS_SECONDS:
                    self.mode = mode
                    return sight
            if now >= deadline and mode and mode != old:
                self.mode = mode
                raise HeldError(
                    f"'{self.target}' shows {mode} mode, but {_obstacle(sight) or 'not for long'}; "
                    f"no key was pressed after {' '.join(keys)}",
                    hint="Try again when nobody types there and it is idle.",
                    code="busy",
                )
            if now >= deadline:
                raise TimedOutError(
                    f"'{self.target}' shows no other mode than {old} after {' '.join(keys)}",
                    hint=f"Look at it: torch capture {self.target}",
                )
            self._wait(heard, _MODE_POLL_SECONDS)

    def _heard(self) -> int:
        return self.client.output.get(self.found.pane.id, 0)

    def _wait(self, heard: int, seconds: float) -> None:
        self.client.wait_output(self.found.pane.id, heard, seconds)


def _look(client: ControlClient, store: Store, found: Found, profile: Profile) -> Sight:
    return observe(client, store, found.pane, profile, since=found.started, program=found.program)


def _names_of(profile: Profile, target: str) -> list[str]:
    names = [mode.name for mode in profile.modes.known]
    if not names:
        raise RefusedError(
            f"the profile '{profile.name}' of '{target}' has no modes; nothing was pressed",
            code="no-modes",
        )
    return names


def _shown(sight: Sight, target: str) -> str:
    """Return the mode on the screen; raises ``HeldError`` if there is none."""
    if sight.state.mode:
        return sight.state.mode
    raise HeldError(
        f"'{target}' shows no mode: it is {sight.state.state} ({sight.state.evidence})",
        hint=f"Look at it: torch capture {target}",
        code="no-mode-shown",
    )


def _obstacle(sight: Sight) -> str:
    """Return why no key may be pressed now, '' if one may."""
    state, box = sight.state.state, sight.state.box
    if state is State.WAITING:
        return f"asks '{question(sight)}'"
    if sight.screen.in_mode:
        return "is in copy mode"
    if state is not State.IDLE or box is None:
        return f"is {state} ({sight.state.evidence})"
    return "" if box.empty else "has a draft in its box"
