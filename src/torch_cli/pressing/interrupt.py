"""Ending the turn of a working agent by its program's own key, only where that is known to be safe.

The key is pressed once: a second one can be another command of the program's. Only where the
program itself asks for a second one it is pressed again, as long as it asks. Some programs end at
two of it within a time, also if a turn began between them: see ``apart``.
"""

import time
from typing import NamedTuple

from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.typist import REASONS, Typist
from torch_cli.errors import TorchError
from torch_cli.pressing import apart
from torch_cli.programs.foot import below_box
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import State
from torch_cli.roster.registry import Found
from torch_cli.store import Store
from torch_cli.tmux import gate
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import await_drawn
from torch_cli.tmux.keys import latest
from torch_cli.watch.state import profile_of

STOPS_WITHIN_SECONDS = 5.0
"""Seconds that a program may take to end its turn after the key."""

LATELY_SECONDS = 600.0
"""Seconds since a key in a terminal that shows a program without its box: longer than a turn of
it, as a rule."""

ASKS_WITHIN_SECONDS = 3.0
"""Seconds in which a program asks for the key a second time. opencode asks for five seconds."""

BOTTOM_ROWS = 3
"""The last rows with text, in which a program that hides its box says that it works."""

TYPING_ENDS_SECONDS = 10.0
"""Seconds to wait for a message that is being typed there."""

INTERRUPT_LOOKS = 4
"""How often the screen is looked at again if it has changed between the look and the key."""

_INTERRUPT_POLL_SECONDS = 0.1


class Interruption(NamedTuple):
    """What became of the turn of an agent.

    ``before`` is the state in which it was found, ``ended`` says that a turn was ended. ``why`` is
    why it may work on, '' if it does not. ``left`` is the text that the program has put back into
    its box.
    """

    before: State
    ended: bool = False
    why: str = ""
    left: str = ""


def interrupt(store: Store, found: Found) -> Interruption:
    """End the turn of the agent in a pane, if it works; nothing is pressed if Torch is not sure."""
    pane = found.pane
    try:
        with (
            ControlClient(found.socket, pane.session_id) as client,
            pane_lock(pane.server, pane.id, "torch freeze", TYPING_ENDS_SECONDS),
        ):
            return _Interrupter(client, store, found, profile_of(client, store, found)).end()
    except TorchError as error:  # tmux does not answer, or another process types there
        words = error.message.removesuffix("; nothing was typed")
        return Interruption(State.UNKNOWN, why=words)


class _Interrupter:
    """The turn of one program. The pane's lock is held all the time."""

    def __init__(self, client: ControlClient, store: Store, found: Found, profile: Profile) -> None:
        self.client, self.store, self.found, self.profile = client, store, found, profile

    def end(self) -> Interruption:
        """Press the key, unless something speaks against it, and see that the turn has ended."""
        for _ in range(INTERRUPT_LOOKS):
            await_drawn(self.client, self.found.pane, self.profile.box.draws_within)
            sight = self._look()
            state = sight.state.state
            if state is not State.WORKING:
                return Interruption(state, why=_unsure(sight))
            hidden = _row_without_box(sight, self.profile)
            if hidden is None:
                why = _objection(sight, self.profile)
            else:
                why = self._typed_ahead() or _quoted(sight, self.profile, hidden)
            if why:
                return Interruption(state, why=why)
            if before := self._earlier():
                if why := self._unsafe(before):
                    return Interruption(state, why=why)
                self._await_free(before)
                continue
            shows = self.profile.launch.interrupt_shows
            outcome = self._press(
                box_stands(sight, self.profile)
                if hidden is None
                else gate.row_has(shows, hidden, unbroken=True)
            )
            if outcome.done:
                return self._again() or self._ended()
            if outcome.reason == "typing":
                return Interruption(state, why="somebody is typing there")
            if outcome.reason != "changed":
                return Interruption(state, why=REASONS.get(outcome.reason, outcome.reason))
        return Interruption(State.WORKING, why="its screen keeps changing")

    def _press(self, conditions: list[str]) -> gate.GateOutcome:
        """Press the key while ``conditions`` hold; it is recorded before that."""
        launch, agent = self.profile.launch, self.found.agent
        if agent is not None:
            apart.record(self.store, agent, launch)
        typist = Typist(self.client, self.found.pane)
        outcome = typist.press(list(launch.interrupt), conditions, unless=typist.keys_wait)
        if agent is not None and not outcome.done:
            apart.withdraw(self.store, agent, launch)
        return outcome

    def _earlier(self) -> apart.EarlierKey | None:
        """Return the key before, if a second one could end the program now."""
        agent, launch = self.found.agent, self.profile.launch
        return agent and apart.earlier(self.store, agent, launch, time.time())

    def _unsafe(self, before: apart.EarlierKey) -> str:
        """Return why no second key may be pressed, '' if one may be after a short wait."""
        launch, now = self.profile.launch, time.time()
        if before.seen and before.free - now <= launch.interrupt_apart + apart.KEY_MARGIN_SECONDS:
            return ""
        keys, title = " ".join(launch.interrupt), self.profile.title or self.profile.name
        ago = max(0, round(now - before.at))
        return f"{keys} was pressed {ago} s ago and may still take effect: two of it end {title}"

    def _await_free(self, before: apart.EarlierKey) -> None:
        """Wait until a second key is safe after ``before``, or the turn has ended by itself."""
        deadline = time.monotonic() + before.free - time.time()
        while (left := deadline - time.monotonic()) > 0:
            heard = self.client.output.get(self.found.pane.id, 0)
            if self._look().state.state is not State.WORKING:
                return
            # The report of its end may come after the last that it draws.
            self.client.wait_output(self.found.pane.id, heard, min(left, _INTERRUPT_POLL_SECONDS))

    def _typed_ahead(self) -> str:
        """Return why the key could lose what a person has typed for the next prompt, '' if not.

        What the terminal keeps until there is a prompt cannot be seen.
        """
        age = time.time() - latest(self.client, self.found.pane.id)
        return "somebody has typed there lately, and may lose it" if age < LATELY_SECONDS else ""

    def _again(self) -> Interruption | None:
        """Press the key a second time if the program asks for that.

        Returns why it was not pressed, ``None`` if it was, or need not be.
        """
        wanted = self.profile.launch.interrupt_again
        if not wanted:
            return None
        deadline, why = time.monotonic() + ASKS_WITHIN_SECONDS, "it did not ask for it again"
        while time.monotonic() < deadline:
            heard = self.client.output.get(self.found.pane.id, 0)
            sight = self._look()
            if sight.state.state is not State.WORKING:
                return None  # the turn has ended
            if _shows(sight, wanted) and (why := _objection(sight, self.profile)):
                break
            asks = _row_in_footer(sight, self.profile, wanted)
            if asks is not None:
                outcome = self._press(
                    [*box_stands(sight, self.profile), *gate.row_has(wanted, asks)]
                )
                if outcome.done:
                    return None
                why = REASONS.get(outcome.reason, outcome.reason)
            self.client.wait_output(self.found.pane.id, heard, _INTERRUPT_POLL_SECONDS)
        keys = " ".join(self.profile.launch.interrupt)
        return Interruption(State.WORKING, why=f"{keys} was pressed once, and not again: {why}")

    def _ended(self) -> Interruption:
        """Wait until the program no longer works."""
        deadline = time.monotonic() + STOPS_WITHIN_SECONDS
        while True:
            heard = self.client.output.get(self.found.pane.id, 0)
            sight = self._look()
            state, box = sight.state.state, sight.state.box
            if state not in (State.WORKING, State.WAITING) and not _unsure(sight):
                left = box.text if box is not None else ""
                return Interruption(State.WORKING, ended=True, left=left)
            if time.monotonic() >= deadline:
                keys = " ".join(self.profile.launch.interrupt)
                return Interruption(
                    State.WORKING, why=f"{keys} was pressed, and it is {state} all the same"
                )
            self.client.wait_output(self.found.pane.id, heard, _INTERRUPT_POLL_SECONDS)

    def _look(self) -> Sight:
        found = self.found
        return observe(
            *(self.client, self.store, found.pane, self.profile),
            since=found.started,
            program=found.program,
        )


def _unsure(sight: Sight) -> str:
    """Return why a program that does not seem to work may do so, '' if it does not."""
    state = sight.state
    if state.state in (State.UNKNOWN, State.STARTING):
        return f"it is {state.state} ({state.evidence}), so no key was pressed"
    return ""


def _row_without_box(sight: Sight, profile: Profile) -> int | None:
    """Return the row in which a program that hides its box says that it works, if it does.

    The row of a turn that was interrupted stays, with the ``^C`` that ended it.
    """
    words, state = profile.launch.interrupt_shows, sight.state
    if not words or state.box is not None or state.elsewhere or sight.screen.in_mode:
        return None
    rows = [row.text for row in sight.screen.rows]
    last = [at for at, row in enumerate(rows) if row.strip()][-BOTTOM_ROWS:]
    return next((at for at in reversed(last) if _says(rows[at], words)), None)


def _quoted(sight: Sight, profile: Profile, row: int) -> str:
    """Return why it is not sure that ``row`` says that the program works, '' if it is."""
    words = profile.launch.interrupt_shows
    if any(_says(one.text, words) for one in sight.screen.rows[:row]):
        return f"'{words.strip()}' is also further up on its screen, so no key was pressed"
    return ""


def _says(row: str, words: str) -> bool:
    before, found, _ = row.partition(words)
    return bool(found) and "^" not in before


def _shows(sight: Sight, words: str) -> bool:
    return any(words in row.text for row in sight.screen.rows)


def _row_in_footer(sight: Sight, profile: Profile, words: str) -> int | None:
    """Return the row below the box that has ``words``; above it an answer may quote them."""
    box = sight.state.box
    footer = range(0) if box is None else below_box(sight.screen, box, profile.box)[0]
    rows = sight.screen.rows
    return next((at for at in reversed(footer) if words in rows[at].text), None)


def _objection(sight: Sight, profile: Profile) -> str:
    """Return why no key may be pressed in a working program, '' if one may."""
    state = sight.state
    if not profile.launch.interrupt:
        return f"no key is known that only interrupts {profile.title or profile.name}"
    if sight.screen.in_mode:
        return "its pane is in copy mode"
    if state.box is None or state.elsewhere:
        return "its input box is out of sight"
    if not state.box.empty:
        return "a text is in its input box"
    if state.queued:
        return "messages wait in its program's own queue, which the key would disturb"
    return ""
