"""The agents of the soak, and what they themselves say that they got.

A demo agent writes a log; of Claude Code the requests at a stub of its API tell. Nothing here asks
Torch for anything but to start them.
"""

import contextlib
import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent import whole_lines
from e2e import claude
from e2e.program import rows_of
from soak.oracle import Arrival
from soak.texts import drafts_in, messages_in
from torch_cli.profiling.houses import claude as house
from torch_cli.profiling.stub import StubServer
from torch_cli.profiling.stub.messages import MessagesHandler

WIDTH, HEIGHT = 120, 40


class Agent(ABC):
    """An agent and its log. ``lock`` keeps two persons from touching its pane at once."""

    profile: str

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory
        self.pane = ""
        self.pid = 0
        self.lock = threading.Lock()

    @property
    def variables(self) -> Mapping[str, str]:
        """What its program needs in its environment."""
        return {}

    @property
    @abstractmethod
    def arguments(self) -> list[str]:
        """What its program is given on its command line."""

    @abstractmethod
    def expected(self, body: str) -> str:
        """Return ``body`` as the program is known to change it."""

    @abstractmethod
    def arrivals(self) -> list[Arrival]:
        """Return the messages that it got, in order."""

    @abstractmethod
    def drafts(self) -> list[tuple[str, float]]:
        """Return the drafts of persons that it got, and when."""

    @abstractmethod
    def approved(self) -> list[float]:
        """Return the moments at which its dialogs were approved."""

    @abstractmethod
    def read(self, captured: str) -> tuple[str | None, bool]:
        """Return the text of the input box (``None``: no box) and whether a dialog is up."""


# -- the demo agent --------------------------------------------------------------------------------


class Demo(Agent):
    """The demo agent; its log says what it got, and by which key."""

    profile = "demo"

    def __init__(self, name: str, root: Path) -> None:
        directory = root / name
        directory.mkdir()
        super().__init__(name, directory)
        self._log = root / f"{name}.log"

    @property
    def arguments(self) -> list[str]:
        return ["--log", str(self._log)]

    def expected(self, body: str) -> str:
        return body.replace("\t", "    ")

    def events(self) -> list[dict[str, Any]]:
        """Return all that stands in its log."""
        return whole_lines(self._log)

    def arrivals(self) -> list[Arrival]:
        taken = [one for one in self.events() if one["event"] in ("submit", "queued")]
        return [
            Arrival(
                *(self.name, found.number, found.text, event["t"], order),
                *(found.sender, found.id, found.due),
                mixed=bool(drafts_in(event["text"])),
            )
            for order, event in enumerate(taken)
            for found in messages_in(event["text"])
        ]

    def drafts(self) -> list[tuple[str, float]]:
        taken = [one for one in self.events() if one["event"] in ("submit", "queued")]
        return [(word, event["t"]) for event in taken for word in drafts_in(event["text"])]

    def approved(self) -> list[float]:
        return [event["t"] for event in self.events() if event["event"] == "approved"]

    def read(self, captured: str) -> tuple[str | None, bool]:
        rows = rows_of(captured)
        rules = [at for at, row in enumerate(rows) if row and set(row) == {"─"}]
        below = rows[rules[-1] :] if rules else []
        if any("Do you want to proceed?" in row for row in below):
            return None, True
        if len(rules) < 2:
            return None, False
        box = "\n".join(rows[rules[-2] + 1 : rules[-1]])
        return box.removeprefix("»").strip().removeprefix("Type a message"), False


# -- Claude Code -----------------------------------------------------------------------------------


class SoakStub(StubServer):
    """The stub, which also keeps each conversation as the program tells it with every request.

    The program repeats all that was said before, so what it was given twice stands there twice,
    and what it asks for again after an error stands there once.
    """

    def __init__(self, log: Path, arrivals: Path) -> None:
        super().__init__(ConversationHandler, log)
        self._arrivals = arrivals.open("a")
        self._told = threading.Lock()
        self.seen: dict[tuple[str, int, str], Arrival] = {}
        self.times: dict[tuple[str, int, str], int] = {}
        self.drafted: dict[str, float] = {}
        self.agent = ""

    def hear(self, body: dict[str, Any]) -> None:
        """Take down the messages in a request that were not in one before."""
        session = str((body.get("metadata") or {}).get("user_id", ""))
        texts = list(_texts_of_user(body))
        now = time.time()
        counted: Counter[tuple[str, int, str]] = Counter()
        with self._told:
            for text in texts:
                drafts = drafts_in(text)
                for word in drafts:
                    self.drafted.setdefault(word, now)
                for found in messages_in(text):
                    key = (session, found.number, found.due)
                    counted[key] += 1
                    if key in self.seen:
                        continue
                    self.seen[key] = Arrival(
                        *(self.agent, found.number, found.text, now, len(self.seen)),
                        *(found.sender, found.id, found.due),
                        mixed=bool(drafts),
                    )
                    self._arrivals.write(json.dumps([session, found, now]) + "\n")
                    self._arrivals.flush()
            for key, times in counted.items():
                self.times[key] = max(times, self.times.get(key, 0))


class ConversationHandler(MessagesHandler):
    """The Messages API, with an ear for the whole conversation."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        stub = self.server_stub
        of_conversation = any(tool.get("name") == "Bash" for tool in body.get("tools") or [])
        if path == "/v1/messages" and of_conversation and isinstance(stub, SoakStub):
            stub.hear(body)
        super().serve(path, body)


def _texts_of_user(body: dict[str, Any]) -> list[str]:
    texts: list[str] = []
    for message in body.get("messages") or []:
        if message.get("role") != "user":
            continue
        content = message.get("content") or []
        if isinstance(content, str):
            texts.append(content)
        else:
            texts += [block["text"] for block in content if block.get("type") == "text"]
    return texts


class Claude(Agent):
    """The real Claude Code, against a stub on loopback; no other address can be reached."""

    profile = "claude"

    def __init__(self, name: str, root: Path, program: Path) -> None:
        place = root / name
        place.mkdir()
        self.home = house.make_home(place)
        super().__init__(name, self.home.work)
        self.program = program
        self.stub = SoakStub(root / f"{name}-requests.jsonl", root / f"{name}-arrivals.jsonl")
        self.stub.agent = name
        self.stub.start()

    @property
    def variables(self) -> Mapping[str, str]:
        # A proxy that is not there keeps all but loopback out of reach.
        nowhere = "http://127.0.0.1:9"
        own = house.environment(self.home, self.stub.url)
        return {**own, "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_PROXY": "127.0.0.1"}

    @property
    def arguments(self) -> list[str]:
        return []

    def expected(self, body: str) -> str:
        return claude.expected(body)

    def arrivals(self) -> list[Arrival]:
        return [
            arrival
            for key, arrival in list(self.stub.seen.items())
            for _ in range(self.stub.times[key])
        ]

    def drafts(self) -> list[tuple[str, float]]:
        return list(self.stub.drafted.items())

    def approved(self) -> list[float]:
        with contextlib.suppress(FileNotFoundError):
            return [os.stat(self.directory / "approved").st_mtime]
        return []

    def read(self, captured: str) -> tuple[str | None, bool]:
        view = claude.view(captured, WIDTH)
        return view.box, view.asks
