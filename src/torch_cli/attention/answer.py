"""Answering a dialog: the one that was shown, or none.

The key is pressed only while every row of the dialog is there, and the same row is selected, in
the same step of the tmux server. One answer at a time goes to a pane, and it ends when the dialog
has gone: so a second one cannot fall to what comes after.
"""

import os
import time
from collections.abc import Callable

from torch_cli.attention.answer_text import NOT_ANSWERED, check_text, chosen, shows_text
from torch_cli.attention.given import AnswerGiven, Waiting, dialog_of, unknown_keys
from torch_cli.attention.heard import AnswerOutcome, Witness
from torch_cli.attention.reply import DRAWN_SECONDS, is_closed, open_requests, reply_to
from torch_cli.attention.waits import take_out
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.send import check_permitted
from torch_cli.delivery.still import await_still
from torch_cli.delivery.typist import Typist
from torch_cli.errors import HeldError, Interrupted, NotFoundError, RefusedError
from torch_cli.programs.asked import Asked, Option, asked, asked_by, with_directory
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.standing import MOUSE, dialog_stands, mark_of, place_stands
from torch_cli.programs.state import AgentState, Dialog, State
from torch_cli.roster.actor import actor
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store
from torch_cli.store.database import after
from torch_cli.store.events import HEARD
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.gate import GateOutcome
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import profile_of

DIALOG_GONE_SECONDS = 10.0
"""Seconds in which a dialog must have gone after its key. The programs take less than 0.5; an
overloaded machine took 4."""

MOVED_STANDS_SECONDS = 0.1
"""For so long a selection must stand before the next key, or it may not be drawn whole yet."""

AFTER_STANDS_SECONDS = 0.3
"""Seconds that what comes after must stand: a program may clear its screen first."""

_ANSWER_POLL_SECONDS = 0.05


def waiting(store: Store, socket: Socket, target: str) -> Waiting:
    """Return the dialog that ``target`` shows now. Raises ``HeldError`` if it shows none."""
    found = find(store, socket, target)
    with ControlClient(found.socket, found.pane.session_id) as client:
        profile = profile_of(client, store, found)
        dialog = dialog_of(found, _look(client, store, found, profile))
    directory = found.agent.directory if found.agent else ""
    return Waiting(found, dialog, with_directory(asked(dialog), dialog, directory))


def answer(
    store: Store, socket: Socket, target: str, said: str, dialog: str, text: str | None = None
) -> AnswerGiven:
    """Answer the dialog with the hash ``dialog`` that ``target`` shows, by the option ``said``.

    ``text`` is typed for an option that takes one; ``said`` may be '' if only one does. Waits until
    the dialog has gone, for ``DIALOG_GONE_SECONDS``. Raises ``HeldError`` if another dialog shows,
    or none, or the gate refuses the pane, and ``RefusedError`` if it has no such option, the option
    takes no text, or nobody knows which key chooses it. Nothing was chosen then.
    """
    found = find(store, socket, target)
    check_permitted(store, found.agent, "nothing was pressed")
    pane = found.pane
    try:
        with (
            ControlClient(found.socket, pane.session_id) as client,
            pane_lock(pane.server, f"{pane.id}-answer", "torch answer", 2 * DIALOG_GONE_SECONDS),
        ):
            profile = profile_of(client, store, found)
            return _Answering(client, store, found, profile).give(said, dialog, text)
    except HeldError as held:
        if held.code != "locked":
            raise
        raise HeldError(
            f"somebody else is answering '{target}' now; nothing was pressed",
            hint="'torch status' says whether it still asks.",
            code="locked",
        ) from None


class _Answering:
    """One answer on its way. The lock for answers to the pane is held all the time."""

    def __init__(self, client: ControlClient, store: Store, found: Found, profile: Profile) -> None:
        self.client, self.store, self.found, self.profile = client, store, found, profile
        self.requests: frozenset[str] = frozenset()

    def give(self, said: str, meant: str, text: str | None) -> AnswerGiven:
        sight = self._drawn(meant) if self.profile.hooks.replies else self._look_for(meant)
        shown = dialog_of(self.found, sight)
        one = asked(shown)
        if not one.choose:
            raise unknown_keys(self.found, self.profile, shown)
        option = chosen(one, said, text)
        witness = Witness(self.profile, self.found.program, shown)
        reply, taken = "", False
        if text is None:
            reply, taken = reply_to(self.found, self.profile, shown, option, self.requests)
        if reply:
            keys: tuple[str, ...] = (f"reply {reply}",)
        elif text is None:
            keys = self._choose(one.choose, option, sight)
        else:
            text = check_text(text, sight.screen.width)
            one, keys = self._choose_with(text, option, sight)
        detail = self._note(one, option, keys, meant, text)
        try:
            gone, state = self._await_gone(one)
            outcome = AnswerOutcome.UNKNOWN  # also if a reply was taken and not answered
            if gone and taken:
                outcome = AnswerOutcome.ANSWERED
            elif gone and not reply:
                outcome = witness.wait(one, option, text)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(
                Interrupted.number_of(interrupt),
                f"'{option.key} {option.words}' was chosen in '{self.found.name}'; what became of "
                "it was not awaited",
                hint=f"Look with 'torch state {self.found.name}'.",
            ) from None
        if outcome is not AnswerOutcome.PRESSED:
            self._record(HEARD, {**detail, "outcome": str(outcome)})
        take_out(self.store)
        name, pane = self.found.name, self.found.pane.id
        asks = asked_by(state)
        return AnswerGiven(name, pane, meant, one.words, option, keys, outcome, gone, state, asks)

    def _look_for(self, meant: str) -> Sight:
        """Return a sight of the dialog with this hash. Raises ``HeldError`` if it does not show."""
        sight = self._look()
        shown = dialog_of(self.found, sight)
        if shown.hash == meant:
            return sight
        raise HeldError(
            f"'{self.found.name}' shows another dialog: '{shown.question}'; nothing was pressed",
            hint=f"'torch answer {self.found.name}' shows it with its options.",
            code="dialog",
            details={
                "pane": self.found.pane.id,
                "dialog": shown.hash,
                "question": shown.question,
            },
        )

    def _drawn(self, meant: str) -> Sight:
        """Return a sight of a dialog that still stands when what came before it is drawn.

        A program that tells of its requests closes one before its screen shows that. So the dialog
        may have been answered already; and from now on, the end of a request says so at once.
        """
        until = time.monotonic() + DRAWN_SECONDS
        while True:
            heard = self._heard()
            sight = self._look_for(meant)
            # Each time: the plugin may tell of a request after the screen does.
            self.requests |= open_requests(self.profile, self.found.program)
            if (left := until - time.monotonic()) <= 0:
                return sight
            self.client.wait_output(self.found.pane.id, heard, left)

    # -- choosing ------------------------------------------------------------------------------

    def _choose(self, how: str, option: Option, sight: Sight) -> tuple[str, ...]:
        """Choose ``option`` by the profile's ``choose``; return what was pressed for it."""
        if how == "click":
            return self._click(sight, option)
        moves: list[str] = []
        if how == "arrows":
            sight = self._select(sight, option, moves)
        last = {"digit": (option.key,), "letter": (option.key, "Enter")}.get(how, ("Enter",))
        self._press(last, sight, moves)
        return (*moves, *last)

    def _choose_with(
        self, text: str, option: Option, sight: Sight
    ) -> tuple[Asked, tuple[str, ...]]:
        """Choose ``option`` with a ``text``; return what it asked then, and what was pressed."""
        moves: list[str] = []
        shown = sight.state.dialog
        assert shown is not None
        opens = shown.text_keys
        if shown.choose == "digit":
            opens = (option.key, *opens)
        else:
            sight = self._select(sight, option, moves)
        assert sight.state.dialog is not None
        before, digest = sight.state.dialog.hash, asked(shown).digest
        if opens:  # a field for it
            self._press(opens, sight, moves)
            moves += opens
        stood = ("", 0.0)

        def is_open(now: Dialog) -> bool:
            """Whether it is drawn whole: Gemini CLI draws the row first, and then the last one."""
            nonlocal stood
            if now.hash != stood[0]:
                stood = (now.hash, time.monotonic())
            ready = asked(now).digest == digest and (not opens or now.hash != before)
            return ready and time.monotonic() - stood[1] >= AFTER_STANDS_SECONDS

        sight = self._await(is_open, option, moves)
        field = sight.state.dialog
        assert field is not None
        typist = Typist(self.client, self.found.pane)
        typed, stands = text.encode(), dialog_stands(sight)
        buffer = f"torch-answer-{os.getpid()}"
        self._act(lambda unless: typist.type(typed, buffer, stands, unless=unless), sight, moves)
        moves.append("text")
        sight = self._await(lambda now: shows_text(field, now, text), option, moves)
        assert sight.state.dialog is not None
        self._press(("Enter",), sight, moves)
        return asked(sight.state.dialog), (*moves, "Enter")

    def _await(self, shown: Callable[[Dialog], bool], option: Option, moves: list[str]) -> Sight:
        """Return a sight of a dialog that is as it should be after what was pressed."""
        deadline = time.monotonic() + DIALOG_GONE_SECONDS
        while True:
            heard = self._heard()
            sight = self._look()
            if sight.state.dialog is not None and shown(sight.state.dialog):
                return sight
            if time.monotonic() >= deadline:
                raise self._not_selected(option, moves)
            self.client.wait_output(self.found.pane.id, heard, _ANSWER_POLL_SECONDS)

    def _select(self, sight: Sight, option: Option, moves: list[str]) -> Sight:
        """Move the selection to ``option``, and return a sight that shows it there."""
        dialog = sight.state.dialog
        assert dialog is not None
        if not mark_of(dialog):
            raise unknown_keys(self.found, self.profile, dialog)
        most = 2 * len(dialog.rows)
        while dialog.marked != option.row:
            assert dialog.marked is not None
            key = "Down" if option.row > dialog.marked else "Up"
            if len(moves) >= most:
                raise self._not_selected(option, moves)
            self._press((key,), sight, moves)
            moves.append(key)
            sight = self._await_moved(dialog, option, moves)
            assert sight.state.dialog is not None
            dialog = sight.state.dialog
        return sight

    def _await_moved(self, before: Dialog, option: Option, moves: list[str]) -> Sight:
        """Return a sight of the same dialog with another row selected."""
        one, stood = asked(before), ("", 0.0)

        def moved(now: Dialog) -> bool:
            """Whether it is drawn whole: Gemini CLI draws parts of one selection after another."""
            nonlocal stood
            if now.hash != stood[0]:
                stood = (now.hash, time.monotonic())
            other = bool(mark_of(now)) and now.marked != before.marked
            other = other and time.monotonic() - stood[1] >= MOVED_STANDS_SECONDS
            return other and (asked(now).digest, asked(now).options) == (one.digest, one.options)

        return self._await(moved, option, moves)

    def _not_selected(self, option: Option, moves: list[str]) -> HeldError:
        self._note_moves(moves)
        what = "the text" if "text" in moves else "the selection"
        return HeldError(
            f"{what} in '{self.found.name}' did not come to '{option.words}' by "
            f"{' '.join(moves)}; nothing was chosen",
            hint=f"Look at it: torch attach {self.found.name}",
            code="not-selected",
        )

    def _press(self, keys: tuple[str, ...], sight: Sight, moves: list[str]) -> None:
        typist = Typist(self.client, self.found.pane)
        stands = dialog_stands(sight)
        self._act(lambda unless: typist.press(list(keys), stands, unless=unless), sight, moves)

    def _click(self, sight: Sight, option: Option) -> tuple[str, ...]:
        """Click on ``option`` with the mouse, and return the words for it.

        Which option is selected does not matter to a click. So that is the way where only a colour
        shows it, which tmux cannot look for.
        """
        pane = self.found.pane
        if self.client.call("display-message", "-p", "-t", pane.id, MOUSE).text != "1":
            raise RefusedError(
                f"'{self.found.name}' does not listen to the mouse, and this dialog is answered by "
                "a click; nothing was pressed",
                hint=f"Answer it there: torch attach {self.found.name}",
                code="no-mouse",
            )
        row, conditions = place_stands(sight, option.row)
        place = f"{option.column + 1};{row + 1}"
        # Button 1 goes down and up there, as xterm writes it in the coding SGR (mode 1006).
        sequence = f"\x1b[<0;{place}M\x1b[<0;{place}m".encode()
        typist, buffer = Typist(self.client, pane), f"torch-click-{os.getpid()}"
        self._act(
            lambda unless: typist.type(sequence, buffer, conditions, framed=False, unless=unless),
            sight,
            [],
        )
        return (f"click {option.column + 1},{row + 1}",)

    def _act(
        self, act: Callable[[Callable[[], bool]], GateOutcome], sight: Sight, moves: list[str]
    ) -> None:
        """Do ``act``; raise if the gate refuses it, or somebody's keys are on their way.

        It is given the last question: such keys may close the dialog before the screen shows it.
        """
        assert sight.state.dialog is not None
        meant, pane, draws = sight.state.dialog, self.found.pane, self.profile.box.draws_within
        outcome = await_still(self.client, pane, draws, self._look, meant) or act(self._is_answered)
        if outcome.done:
            return
        self._note_moves(moves)
        moved = f"; the selection was moved by {' '.join(moves)}" if moves else ""
        raise HeldError(
            f"'{self.found.name}' was not answered: "
            f"{NOT_ANSWERED.get(outcome.reason, outcome.reason)}; nothing was chosen{moved}",
            hint=f"Look with 'torch state {self.found.name}'.",
            code=outcome.reason,
        )

    def _is_answered(self) -> bool:
        """Whether somebody else's answer is on its way, or has come and is not drawn yet."""
        return Typist(self.client, self.found.pane).keys_wait() or is_closed(self.requests)

    # -- what became of it ---------------------------------------------------------------------

    def _await_gone(self, one: Asked) -> tuple[bool, AgentState]:
        """Return whether the dialog has gone, and the state that has stood since."""
        deadline = time.monotonic() + DIALOG_GONE_SECONDS
        stood: tuple[State, str] | None = None
        since = 0.0
        while True:
            heard = self._heard()
            try:
                state = self._look().state
            except NotFoundError:
                pane = self.found.pane.id
                return True, AgentState(State.DEAD, f"pane {pane} is gone", "gone")
            now, asks = time.monotonic(), asked_by(state)
            gone = state.dialog is None or not asks.is_still(one)
            shown = (state.state, asks.digest) if gone else None
            if shown != stood:
                stood, since = shown, now
            clear = state.state is not State.UNKNOWN
            if now >= deadline or (gone and clear and now >= since + AFTER_STANDS_SECONDS):
                return gone, state
            self.client.wait_output(self.found.pane.id, heard, _ANSWER_POLL_SECONDS)

    def _look(self) -> Sight:
        return _look(self.client, self.store, self.found, self.profile)

    def _heard(self) -> int:
        return self.client.output.get(self.found.pane.id, 0)

    # -- what is kept --------------------------------------------------------------------------

    def _note(
        self, one: Asked, option: Option, keys: tuple[str, ...], dialog: str, text: str | None
    ) -> dict[str, object]:
        """Record the answer before its end is awaited; return its details."""
        detail: dict[str, object] = {
            "option": option.key,
            "words": option.words,
            "question": one.words,
            "keys": list(keys),
            "dialog": dialog,
            **({} if text is None else {"text": text}),
        }
        with after(f"'{option.key} {option.words}' was chosen in pane {self.found.pane.id}"):
            self._record("answer", detail)
        return detail

    def _record(self, verb: str, detail: dict[str, object]) -> None:
        agent, own = self.found.agent, actor(self.store).agent
        self.store.events.add(
            verb,
            self.found.name,
            detail,
            actor=own.name if own else "",
            agent=agent.identity if agent else "",
        )

    def _note_moves(self, moves: list[str]) -> None:
        if moves:
            with after(f"{' '.join(moves)} was pressed in pane {self.found.pane.id}"):
                self.store.events.add("press", self.found.name, {"keys": moves, "dialog": ""})


def _look(client: ControlClient, store: Store, found: Found, profile: Profile) -> Sight:
    return observe(client, store, found.pane, profile, since=found.started, program=found.program)
