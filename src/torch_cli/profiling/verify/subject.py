"""A program under proof: its home, how its dialogs are opened, and which messages reached it.

What reached it is read from the stub or from its own log, never from a screen.
"""

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch_cli.profiling.houses import Home
from torch_cli.profiling.stub import Behaviour, Handler, Hold, StubMode, StubServer

APPROVED = "approved"
"""The file that a command would make if somebody approved it. Nobody may."""

ASKS = Behaviour(StubMode.TOOL, command=f"touch {APPROVED}")
"""An answer that makes a program ask whether it may run that command."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that does not exist, so that nothing leaves this machine."""


class Acts(Protocol):
    """What can be done to the running program. ``patience`` is in seconds."""

    patience: float

    def ask(self, text: str) -> None:
        """Submit a message to the idle program as a person does."""

    def keys(self, *keys: str) -> None:
        """Press keys, whatever the program shows."""

    def kill(self, number: int) -> None:
        """Send the program a signal."""

    def mode(self, wanted: str) -> None:
        """Switch the program to another of its modes."""

    def works(self) -> bool:
        """Return whether the screen says that the program works."""


class Subject(ABC):
    """One program in one home.

    ``dialogs`` are the kinds that open while it works, ``at_start`` those that can open at a start,
    ``commands`` those that one of its own commands opens. ``decline`` says no to a question and
    stops work, at most once in ``decline_gap`` seconds where a second one sooner would end the
    program; ``clear`` empties a row of the box. ``renderers`` are the ways in which it can draw,
    each with the environment variables for it. ``first_is_slow`` says that its first answer takes
    as long as a start: one is waited for before anything is proven.
    """

    dialogs: ClassVar[tuple[str, ...]] = ("permission",)
    at_start: ClassVar[tuple[str, ...]] = ()
    commands: ClassVar[Mapping[str, str]] = {}
    decline: ClassVar[str] = "Escape"
    decline_gap: ClassVar[float] = 0.0
    clear: ClassVar[str] = "C-u"
    renderers: ClassVar[Mapping[str, Mapping[str, str]]] = {"": {}}
    first_is_slow: ClassVar[bool] = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home.at(root)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments at its start."""
        return ()

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings of this run, for the record."""
        return {}

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the variables with which it talks to the stub and to nothing else."""

    def refusal(self, screen: str) -> str:
        """Return the key that says no to what the screen shows, and stops work."""
        return self.decline

    def ask_at_start(self, kind: str) -> None:
        """Have the next start ask the question ``kind``, or none if that is ''."""
        if kind:
            raise ValueError(f"no question '{kind}' is known that it asks at its start")

    def prepare(self, stage: Acts, kind: str) -> None:
        """Bring the program into a state in which the dialog ``kind`` can open."""
        return

    @abstractmethod
    def mark(self) -> int:
        """Return a mark of this moment, for ``texts``."""

    @abstractmethod
    def texts(self, mark: int) -> list[str]:
        """Return the messages that reached it since ``mark``, exactly as they arrived."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether a request of the program is not answered yet."""

    @abstractmethod
    def work(self, stage: Acts) -> None:
        """Have it work until ``rest``, or until a dialog opens."""

    @abstractmethod
    def open(self, stage: Acts, kind: str) -> None:
        """Have the working program open the dialog ``kind`` at once."""

    @abstractmethod
    def rest(self, stage: Acts) -> None:
        """Have it finish its work."""

    def approved(self) -> bool:
        """Return whether the command that nobody may approve has run."""
        return (self.home.work / APPROVED).exists()

    def close(self) -> None:
        """Release everything."""
        return


class Stubbed(Subject):
    """A program whose API is a stub. ``raises`` says which answer opens which dialog."""

    handler: ClassVar[type[Handler]]
    raises: ClassVar[Mapping[str, Behaviour]] = {"permission": ASKS}

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.stub = StubServer(self.handler, root / "requests.jsonl").start()
        self._hold: Hold | None = None

    @property
    def quiet(self) -> dict[str, str]:
        """Proxy variables that keep the program from reaching any other machine."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        near = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return dict.fromkeys(names, NOWHERE) | near

    def mark(self) -> int:
        """Return the number of requests so far."""
        return len(self.stub.requests)

    def texts(self, mark: int) -> list[str]:
        """Return the text blocks that reached the stub since then."""
        return self.stub.texts(mark)

    @property
    def busy(self) -> bool:
        """Whether a request is open."""
        return self.stub.busy

    def work(self, stage: Acts) -> None:
        """Send a message that the stub begins to answer and does not finish."""
        self._hold = self.stub.hold()
        stage.ask("work")
        self._hold.wait(stage.patience)

    def open(self, stage: Acts, kind: str) -> None:
        """Finish that answer with a tool call for which the program asks permission."""
        assert self._hold is not None
        self._hold.release(self.raises[kind])

    def rest(self, stage: Acts) -> None:
        """Finish every answer with text."""
        for hold in self.stub.holds():
            hold.release(Behaviour())

    def close(self) -> None:
        """End the stub."""
        self.stub.stop()


class Signalled(Subject):
    """A program that opens its permission dialog at SIGUSR1: the demo agent."""

    at_start: ClassVar[tuple[str, ...]] = ("trust",)

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.log = root / "demo.jsonl"
        self.log.touch()
        self._trust = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """Its log file shows what reached it. Its times are short."""
        trust = ("--trust",) if self._trust else ()
        command = f"touch {self.home.work / APPROVED}"
        given = ("--log", str(self.log), "--work", "0.05", "--dialog-command", command)
        return (*given, *trust)

    def environment(self) -> dict[str, str]:
        """It needs nothing but its home."""
        return {"HOME": str(self.home.path)}

    def ask_at_start(self, kind: str) -> None:
        """Have it ask about its directory, or not ask any more."""
        self._trust = kind == "trust"

    def _events(self) -> list[dict[str, Any]]:
        import json

        whole = self.log.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.split(b"\n") if line]

    def mark(self) -> int:
        """Return how many things have happened."""
        return len(self._events())

    def texts(self, mark: int) -> list[str]:
        """Return the messages that its log says it got since then."""
        events = self._events()[mark:]
        return [one["text"] for one in events if one["event"] in ("submit", "queued")]

    @property
    def busy(self) -> bool:
        """Never: only its screen shows whether it works."""
        return False

    def work(self, stage: Acts) -> None:
        """Give it work that takes longer than the proof."""
        stage.ask("DELAY(600)")

    def open(self, stage: Acts, kind: str) -> None:
        """Send it the signal."""
        stage.kill(signal.SIGUSR1)

    def rest(self, stage: Acts) -> None:
        """Stop its work, as a person does."""
        if stage.works():
            stage.keys(self.decline)
