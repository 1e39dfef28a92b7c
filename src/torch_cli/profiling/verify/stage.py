"""The program under proof, as an agent of a private Torch on a private tmux server."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from torch_cli import procs
from torch_cli.delivery.receipt import Receipt
from torch_cli.delivery.send import Request, send
from torch_cli.delivery.text import same
from torch_cli.delivery.typist import Typist
from torch_cli.errors import TimedOutError, TorchError
from torch_cli.lifecycle.spawn import SpawnOrder, await_ready, spawn
from torch_cli.pressing.mode import set_mode
from torch_cli.profiling.verify.plan import PATIENCE_SECONDS
from torch_cli.profiling.verify.subject import Subject
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import State
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.server import LIBTMUX_ERRORS, Server
from torch_cli.tmux.socket import Socket

SESSION = "verify"
SIZE = (120, 40)
"""Columns and rows of the pane, unless a check names another size."""

START_FACTOR = 3
"""How many times its profile's own time a program gets to start: several start here at once."""

CALM_SECONDS = 0.06
"""The program counts as at rest when its box has been idle for this many seconds."""

KEY_GAP_SECONDS = 0.6
"""Seconds between two keys that decline or empty. A second one at once may mean something else."""

REFUSAL_GAP_SECONDS = 6.0
"""Seconds between two keys that say no to one question. In an idle Claude Code a second Esc opens
its list of checkpoints, and on an overloaded machine the first Esc takes effect late."""

KEY_PRESSES = 3
"""How often a submit key is pressed while the text stays in the box: a busy program loses keys, and
takes one that comes right behind a paste for a newline."""

SHORT_SECONDS = 2.0
"""Seconds for what takes a program no time, as between two such presses."""

_SUBJECT_POLL_SECONDS = 0.03


class Failed(Exception):  # noqa: N818 - a finding, not an error of Torch's
    """Something failed in the proof. ``screen`` is what the program showed then."""

    def __init__(self, sentence: str, screen: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.screen = sentence, screen


class Stage:
    """One program, started as often as needed. ``patience`` is in seconds."""

    def __init__(
        self, root: Path, subject: Subject, profile: Profile, store: Store, patience: float
    ) -> None:
        self.subject, self.profile, self.store = subject, profile, store
        self.socket = Socket(path=str(root / "s"))
        self.patience = patience
        self._declined = self._odd = self._refused = 0.0
        self.agent: Agent | None = None
        self.client: ControlClient | None = None
        self.pane: Pane | None = None
        self._number, self._starts = root.name, 0
        self._start_server()

    def _start_server(self) -> None:
        width, height = SIZE
        with Server(self.socket, config_file="/dev/null") as server:
            try:
                session = server.new_session(
                    SESSION, x=width, y=height, window_command="sleep 86400"
                )
                session.set_option("default-size", f"{width}x{height}", global_=True)
            except LIBTMUX_ERRORS as error:
                raise TorchError(f"tmux could not start a server of its own: {error}") from error

    # -- the program -------------------------------------------------------------------------------

    def start(self, environment: Mapping[str, str] = {}, *, ready: bool = True) -> float:
        """Start the program again; return the seconds until its input was ready.

        Without ``ready`` it does not wait. Raises ``TorchError`` as ``await_ready`` does.
        """
        self.end()
        self._starts += 1
        began = time.monotonic()
        order = SpawnOrder(
            name=f"{self.profile.name}{self._number}.{self._starts}",
            profile=self.profile.name,
            directory=str(self.subject.home.work),
            session=SESSION,
            environment={**self.subject.environment(), **environment},
            arguments=self.subject.arguments,
        )
        self.agent, window = spawn(self.store, self.socket, order)
        self.client = ControlClient(self.socket, window.pane.session_id)
        self.pane = find(self.store, self.socket, self.agent.name).pane
        self.resize(*SIZE)
        if ready:
            limit = START_FACTOR * self.profile.launch.ready_timeout * self.slowness
            await_ready(self.client, self.store, self.agent, self.profile, limit)
        took = time.monotonic() - began
        if ready and self.subject.first_is_slow:
            self._await_first_answer(limit)
        return took

    def _await_first_answer(self, seconds: float) -> None:
        """Ask something and wait ``seconds`` for the answer."""
        mark = self.subject.mark()
        self.ask("hello", seconds)

        def answered(sight: Sight) -> bool:
            came = self.subject.texts(mark) and not self.subject.busy
            return bool(came and sight.state.state is State.IDLE)

        self.wait(answered, "the first question was not answered", seconds=seconds)

    def end(self) -> None:
        """End the program with its pane, and wait until it is gone; the server stays."""
        if self.client is not None and self.pane is not None:
            program = procs.identify(self.pane.pid)
            self.client.close()
            with Server(self.socket) as server:
                pane = server.pane(self.pane.id)
                if pane is not None:
                    pane.kill()
            deadline = time.monotonic() + self.patience
            while program and procs.alive(program) and time.monotonic() < deadline:
                time.sleep(_SUBJECT_POLL_SECONDS)
        if self.agent is not None:
            self.store.agents.stopped(self.agent.name)
        self.agent = self.client = self.pane = None

    def kill(self, number: int) -> None:
        """Send the program a signal."""
        assert self.pane is not None
        os.kill(self.pane.pid, number)

    def resize(self, width: int, height: int) -> None:
        """Give the program's window this size."""
        assert self.pane is not None
        with Server(self.socket) as server:
            window = server.window(self.pane.window_id)
            if window is not None:
                window.resize(width=width, height=height)

    @property
    def short(self) -> float:
        """Seconds for what takes the program no time on a quiet machine."""
        return SHORT_SECONDS * self.slowness

    @property
    def slowness(self) -> float:
        """How much longer than on a quiet machine everything may take, by the patience; 1 or more.

        What is waited for in any case has this limit, too: else patience is no help.
        """
        return max(1.0, self.patience / PATIENCE_SECONDS)

    def mode(self, wanted: str) -> None:
        """Switch the program to another of its modes.

        On a busy machine a key takes effect late: another one is pressed long after, or never.
        Raises ``TimedOutError`` if a key has shown no other mode.
        """
        assert self.agent is not None
        deadline = time.monotonic() + self.patience
        while self.look().state.mode != wanted:
            try:
                set_mode(self.store, self.socket, self.agent.name, wanted)
            except TimedOutError:
                if time.monotonic() >= deadline:
                    raise
                shown = self.look().state.mode
                with suppress(Failed):
                    self.wait(_shows_other(shown), "", seconds=self.patience / 3)

    # -- looks -------------------------------------------------------------------------------------

    def look(self) -> Sight:
        """Return what Torch makes of the program's screen now."""
        assert self.client is not None
        assert self.pane is not None
        assert self.agent is not None
        since = self.agent.created
        return observe(self.client, self.store, self.pane, self.profile, since=since)

    def screen(self) -> str:
        """Return what the program shows, for the record."""
        try:
            return self.look().screen.text.rstrip()
        except (AssertionError, TorchError) as error:
            return str(error)

    def wait(
        self, condition: Callable[[Sight], object], what: str, seconds: float | None = None
    ) -> Sight:
        """Return the first sight for which the condition holds; raise ``Failed`` with ``what``."""
        assert self.client is not None
        assert self.pane is not None
        limit = self.patience if seconds is None else seconds
        deadline = time.monotonic() + limit
        while True:
            heard = self.client.output.get(self.pane.id, 0)
            sight = self.look()
            if condition(sight):
                return sight
            if time.monotonic() >= deadline:
                raise Failed(f"{what}, not within {limit:g} s", sight.screen.text.rstrip())
            self.client.wait_output(self.pane.id, heard, _SUBJECT_POLL_SECONDS)

    def works(self) -> bool:
        """Return whether the screen says that the program works."""
        return self.look().state.state is State.WORKING

    # -- acts --------------------------------------------------------------------------------------

    def send(self, text: str, *, timeout: float = 10.0, when: str = "ready") -> Receipt:
        """Send a message in the same way as any other message is sent."""
        assert self.agent is not None
        request = Request(
            *(self.agent.name, text.encode()),
            when=when,
            timeout=timeout,
            envelope=False,
            keep=False,
        )
        return send(self.socket, request)

    def paste(self, text: str) -> None:
        """Paste ``text`` as a person does, as a bracketed paste."""
        assert self.client is not None
        assert self.pane is not None
        Typist(self.client, self.pane).type(text.encode(), "verify", [])

    def keys(self, *keys: str) -> None:
        """Press keys, whatever the program shows."""
        assert self.client is not None
        assert self.pane is not None
        Typist(self.client, self.pane).press(keys)

    def ask(self, text: str, seconds: float | None = None) -> None:
        """Submit a message to the idle program as a person does; it has ``seconds`` to arrive."""
        self._declined = 0.0  # the next question is another one
        self.paste(text)
        self.wait(
            lambda sight: sight.state.box is not None and text in sight.state.box.text,
            "a pasted text was not seen in the input box",
        )
        self.submit(("Enter",), text, seconds)

    def submit(self, keys: tuple[str, ...], text: str, seconds: float | None = None) -> None:
        """Press ``keys`` at ``text`` in the box, again while it stays there, until it has arrived.

        Only what arrived counts: a box that is redrawn shows nothing for a moment, or other text.
        """
        mark, name = self.subject.mark(), " ".join(keys)

        def came(_: object = None) -> bool:
            return any(same(one, text, self.profile) for one in self.subject.texts(mark))

        def stands(sight: Sight) -> bool:
            return sight.state.box is not None and text in sight.state.box.text

        time.sleep(self.profile.paste.settle)
        deadline = time.monotonic() + (self.patience if seconds is None else seconds)
        for _ in range(KEY_PRESSES):
            self.keys(*keys)
            with suppress(Failed):
                self.wait(came, name, seconds=self.short)
                return
            left = max(0.0, deadline - time.monotonic())
            sight = self.wait(
                lambda sight: came() or stands(sight),
                f"{name} took the text out of the box, and it did not arrive",
                seconds=left,
            )
            if came():
                return
        raise Failed(f"{name} does not submit", sight.screen.text.rstrip())

    def _decline(self, sight: Sight) -> None:
        """Press the key that says no, once for each question: a second press opens another dialog.

        An unknown screen is left alone until it has stayed for ``REFUSAL_GAP_SECONDS``.
        """
        now, asked = time.monotonic(), sight.state.state is State.WAITING
        if now - self._refused < self.subject.decline_gap:
            return
        if not asked:
            self._odd = self._odd or now
        if (
            now - (self._declined if asked else max(self._odd, self._declined))
            >= REFUSAL_GAP_SECONDS
        ):
            self.keys(self.subject.refusal(sight.screen.text))
            self._declined, self._odd, self._refused = now, 0.0, now

    def settle(self) -> None:
        """Bring the program to rest as a person would: decline, let it finish, empty the box."""
        pressed, calm, then = 0.0, 0.0, ""

        def at_rest(sight: Sight) -> bool:
            nonlocal pressed, calm, then
            now, state = time.monotonic(), sight.state
            resting = state.state is State.IDLE and state.box is not None and state.box.empty
            if resting and not self.subject.busy:
                calm = calm or now
                return now - calm >= CALM_SECONDS
            calm = 0.0
            if state.state == then and now - pressed < KEY_GAP_SECONDS:
                return False
            if state.state is State.WORKING:
                self.subject.rest(self)
            elif state.state is State.WAITING or state.box is None:
                self._decline(sight)
            elif state.state is State.IDLE and not state.box.empty:
                self.keys(*[self.subject.clear] * len(state.box.rows))
            pressed, then = now, str(state.state)
            return False

        self.subject.rest(self)
        self.wait(at_rest, "the program did not come to rest")


def _shows_other(mode: str) -> Callable[[Sight], bool]:
    """Return whether a sight shows a mode, and not this one."""
    return lambda sight: sight.state.mode not in ("", mode)
