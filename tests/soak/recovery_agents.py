"""The agents of the soak of recovery: which of their programs run, and what these say they got.

A demo agent writes a log. Of a Claude Code a hook in its user's settings tells, which Torch does
not know, and the whole conversations that reach a stub of its API.
"""

import contextlib
import json
import os
import shlex
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from soak.agents import Demo
from torch_cli import procs
from torch_cli.profiling.houses import claude as house
from torch_cli.profiling.stub import Behaviour, StubServer
from torch_cli.profiling.stub.messages import MessagesHandler

TURN_SECONDS = 0.5
"""How long a Claude Code works on a message."""

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there keeps all but loopback out of reach."""


class Worker(Protocol):
    """An agent of the soak, as it sees itself."""

    name: str
    directory: Path
    profile: str
    arguments: list[str]

    def running(self) -> list[int]:
        """Return the numbers of its programs that run."""

    def times(self, key: str) -> int:
        """Return how often it got the message with ``key``."""

    def crash(self, pid: int) -> bool:
        """Have the program crash; return whether that was done, or a message must do it."""


class DemoWorker:
    """A demo agent."""

    profile = "demo"

    def __init__(self, name: str, root: Path) -> None:
        self._demo = Demo(name, root)
        self.name, self.directory = name, self._demo.directory
        self.arguments = self._demo.arguments

    def running(self) -> list[int]:
        log = self.arguments[1]
        started = {one["pid"] for one in self._demo.events() if one["event"] == "start"}
        return [pid for pid in started if log in (procs.arguments(pid) or ())]

    def times(self, key: str) -> int:
        taken = [one for one in self._demo.events() if one["event"] in ("submit", "queued")]
        return sum(key in one["text"] for one in taken)

    def crash(self, pid: int) -> bool:
        return False


class Conversations(MessagesHandler):
    """The Messages API, with an ear for the whole conversation of each request."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        stub = self.server_stub
        if path == "/v1/messages" and body.get("tools") and isinstance(stub, ConversationStub):
            stub.hear(body)
        super().serve(path, body)


class ConversationStub(StubServer):
    """The stub, which keeps the longest form of each conversation.

    A program repeats with each request all that was said before: what it got twice stands there
    twice, and what it asks for again stands there once.
    """

    def __init__(self, log: Path) -> None:
        super().__init__(Conversations, log)
        self.behaviour = Behaviour(delay=TURN_SECONDS)
        self._told = threading.Lock()
        self._said: dict[str, list[str]] = {}

    def hear(self, body: dict[str, Any]) -> None:
        """Take down the user's texts of a request."""
        session = str((body.get("metadata") or {}).get("user_id", ""))
        texts = [text for one in body.get("messages") or [] for text in _texts_of(one)]
        with self._told:
            if len(texts) >= len(self._said.get(session, [])):
                self._said[session] = texts

    def times(self, key: str) -> int:
        """Return how often the message with ``key`` stands in a conversation, at most."""
        with self._told:
            return max((sum(key in one for one in said) for said in self._said.values()), default=0)


def _texts_of(message: dict[str, Any]) -> list[str]:
    if message.get("role") != "user":
        return []
    content = message.get("content") or []
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content if block.get("type") == "text"]


class ClaudeHouse:
    """What the Claude Codes of the soak share: a home, a stub, and the variables for both."""

    def __init__(self, root: Path, program: Path) -> None:
        place = root / "claude"
        place.mkdir()
        self.home = house.make_home(place)
        self.program = program
        self.taken = root / "taken.jsonl"
        self.stub = ConversationStub(root / "requests.jsonl")
        self.stub.start()
        command = f"{{ cat; echo; }} >> {shlex.quote(str(self.taken))}"
        settings = json.loads(self.home.settings.read_text())
        hook = {"hooks": [{"type": "command", "command": command}]}
        settings["hooks"] = {"UserPromptSubmit": [hook]}
        self.home.settings.write_text(json.dumps(settings))

    def variables(self, path: str) -> Mapping[str, str]:
        """Return the variables of whoever starts them; ``path`` is the ``PATH`` until now."""
        own = house.environment(self.home, self.stub.url)
        own |= {"HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1"}
        return own | {"PATH": os.pathsep.join([str(self.program.parent), path])}

    def trust(self, directory: Path) -> None:
        """Have the program trust a directory, as a person does once."""
        state = json.loads(self.home.state.read_text())
        state["projects"][str(directory)] = {"hasTrustDialogAccepted": True}
        self.home.state.write_text(json.dumps(state))

    def prompts(self) -> list[dict[str, Any]]:
        """Return what the hook has written of the messages that programs took."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.taken.read_text().splitlines():
                with contextlib.suppress(ValueError):  # a hook was killed
                    found.append(json.loads(line))
        return found


class ClaudeWorker:
    """A real Claude Code."""

    profile = "claude"

    def __init__(self, name: str, root: Path, shared: ClaudeHouse) -> None:
        self.name, self.directory = name, root / name
        self.directory.mkdir()
        self.arguments: list[str] = []
        self._shared = shared
        shared.trust(self.directory)

    def running(self) -> list[int]:
        here = str(self.directory)
        found = {one.pid for one in procs.descendants(0) if self._is_program(one, here)}
        return [pid for pid in found if not found & set(procs.ancestors(pid)[1:])]

    def _is_program(self, one: procs.Process, here: str) -> bool:
        if procs.directory(one.pid) != here or not procs.alive(one):
            return False
        words = procs.arguments(one.pid) or ("",)
        return os.path.basename(words[0]) == "claude"

    def times(self, key: str) -> int:
        here = str(self.directory)
        prompts = [one for one in self._shared.prompts() if one.get("cwd") == here]
        taken = sum(key in str(one.get("prompt", "")) for one in prompts)
        return max(taken, self._shared.stub.times(key)) if taken else 0

    def crash(self, pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSEGV)
        return True
