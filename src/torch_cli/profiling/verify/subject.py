"""A program under proof: how it is housed, how its dialogs are raised, and what reached it.

What it says here comes from the stub or from its own log, never from a screen.
"""

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch_cli.profiling.houses import Home
from torch_cli.profiling.stub import Behaviour, Handler, Hold, Mode, StubServer

APPROVED = "approved"
"""The file that a command makes which nobody may approve."""

ASKS = Behaviour(Mode.TOOL, command=f"touch {APPROVED}")
"""An answer that makes a program ask whether it may run that command."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: what is not for this machine goes to nobody."""


class Acts(Protocol):
    """What is done to the running program. ``patience`` is in seconds."""

    patience: float

    def ask(self, text: str) -> None:
        """Put a message to the idle program as a person does."""

    def keys(self, *keys: str) -> None:
        """Press keys, whatever the program shows."""

    def kill(self, number: int) -> None:
        """Send the program a signal."""

    def mode(self, wanted: str) -> None:
        """Bring the program into a mode of its own."""

    def works(self) -> bool:
        """Say whether the program works, by its screen."""


class Subject(ABC):
    """One program in one home.

    ``dialogs`` are the kinds that open while it works, ``at_start`` those that a start can raise,
    ``commands`` those that a command of its own opens. ``decline`` says no to a question and stops
    work, ``clear`` empties a row of the box. ``renderers`` are the ways in which it can draw, each
    with what its environment needs for that.
    """

    dialogs: ClassVar[tuple[str, ...]] = ("permission",)
    at_start: ClassVar[tuple[str, ...]] = ()
    commands: ClassVar[Mapping[str, str]] = {}
    decline: ClassVar[str] = "Escape"
    clear: ClassVar[str] = "C-u"
    renderers: ClassVar[Mapping[str, Mapping[str, str]]] = {"": {}}
    queues: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home.at(root)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that it is started with."""
        return ()

    @property
    def configuration(self) -> dict[str, Any]:
        """What was set for this run, for the record."""
        return {}

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the variables by which it talks to the stub and to nobody else."""

    def ask_at_start(self, kind: str) -> None:
        """Let the next start raise the question ``kind``."""
        raise NotImplementedError

    def prepare(self, stage: Acts, kind: str) -> None:
        """Bring the program to where the dialog ``kind`` can be raised."""
        return

    @abstractmethod
    def mark(self) -> int:
        """Return a mark for ``texts``: from now on."""

    @abstractmethod
    def texts(self, mark: int) -> list[str]:
        """Return the messages that reached it since ``mark``, as it was given them."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether it has not been answered yet."""

    @abstractmethod
    def work(self, stage: Acts) -> None:
        """Let it work until ``rest``, or a dialog."""

    @abstractmethod
    def open(self, stage: Acts, kind: str) -> None:
        """Have the working program open the dialog ``kind`` at once."""

    @abstractmethod
    def rest(self, stage: Acts) -> None:
        """Let it finish what it works on."""

    def approved(self) -> bool:
        """Say whether what nobody may approve was done."""
        return (self.home.work / APPROVED).exists()

    def close(self) -> None:
        """Let go of everything."""
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
        """Variables that keep whatever heeds a proxy from any other machine."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        near = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return dict.fromkeys(names, NOWHERE) | near

    def mark(self) -> int:
        """Return the number of requests so far."""
        return len(self.stub.requests)

    def texts(self, mark: int) -> list[str]:
        """Return the text blocks that the stub was given since then."""
        return self.stub.texts(mark)

    @property
    def busy(self) -> bool:
        """Whether a request is open."""
        return self.stub.busy

    def work(self, stage: Acts) -> None:
        """Ask something that the stub begins to answer and does not finish."""
        self._hold = self.stub.hold()
        stage.ask("work")
        self._hold.wait(stage.patience)

    def open(self, stage: Acts, kind: str) -> None:
        """Finish that answer with the call of a tool that is asked about."""
        assert self._hold is not None
        self._hold.release(self.raises[kind])

    def rest(self, stage: Acts) -> None:
        """Finish every answer with words."""
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
        """Its log is what reached it; it is quick."""
        trust = ("--trust",) if self._trust else ()
        command = f"touch {self.home.work / APPROVED}"
        given = ("--log", str(self.log), "--work", "0.05", "--dialog-command", command)
        return (*given, *trust)

    def environment(self) -> dict[str, str]:
        """It needs nothing but its home."""
        return {"HOME": str(self.home.path)}

    def ask_at_start(self, kind: str) -> None:
        """Let it ask about its directory, or not any more."""
        self._trust = kind == "trust"

    def _events(self) -> list[dict[str, Any]]:
        import json

        whole = self.log.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.split(b"\n") if line]

    def mark(self) -> int:
        """Return how many things have happened."""
        return len(self._events())

    def texts(self, mark: int) -> list[str]:
        """Return the messages that it says it was given since then."""
        events = self._events()[mark:]
        return [one["text"] for one in events if one["event"] in ("submit", "queued")]

    @property
    def busy(self) -> bool:
        """Its screen says it."""
        return False

    def work(self, stage: Acts) -> None:
        """Give it something that takes longer than the proof."""
        stage.ask("DELAY(600)")

    def open(self, stage: Acts, kind: str) -> None:
        """Send it the signal."""
        stage.kill(signal.SIGUSR1)

    def rest(self, stage: Acts) -> None:
        """Stop its work, as a person does."""
        if stage.works():
            stage.keys(self.decline)
