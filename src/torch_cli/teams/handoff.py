"""What an agent leaves behind: its handoff note, and what tmux still has of its pane."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from torch_cli.delivery.ask import ask
from torch_cli.delivery.send import Request
from torch_cli.errors import TorchError
from torch_cli.paths import make_private, state_dir
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.socket import Socket
from torch_cli.watch.spoken import spoken

HANDOFF_SECONDS = 120.0
"""Seconds that an agent has to write its note."""

NOTE_REQUEST = """\
You are about to be relieved. Write a handoff note now, as your answer, in at most 20 lines:
state: the state of the work (branch, commits, what is not committed)
open: what is left
next: the next step
risks: what may go wrong
Start nothing new.
"""


class Note(NamedTuple):
    """A handoff note. If there is none, ``text`` is '' and ``why`` says why."""

    text: str
    why: str = ""


def ask_for_note(agent: Agent, deadline: float = HANDOFF_SECONDS) -> Note:
    """Ask an agent for its handoff note, and wait for it for at most ``deadline`` seconds.

    An agent that works, or asks something itself, is not interrupted. Then there is no note.
    """
    request = Request(
        agent.name, NOTE_REQUEST.encode(), timeout=deadline, envelope=False, free=True
    )
    try:
        answer = ask(Socket(path=agent.socket), request)
    except TorchError as error:
        return Note("", error.message.partition("\n")[0])
    if answer.text is None:
        return Note("", answer.receipt.reason or str(answer.receipt.state))
    return Note(answer.text.strip(), "" if answer.text.strip() else "its answer was empty")


def folder(agent: Agent, at: float) -> Path:
    """Return the directory that keeps what ``agent`` left at ``at`` (epoch seconds)."""
    when = time.strftime("%Y%m%d-%H%M%S", time.localtime(at))
    return Path(state_dir()) / "handoffs" / f"{agent.name}-{when}"


class Saved(NamedTuple):
    """Where the note and the pane are saved, and a sentence about what is missing of the pane.

    ``transcript`` is the file from which what was said is, '' if tmux had kept it.
    """

    folder: Path
    lacks: str = ""
    transcript: str = ""


def save(store: Store, agent: Agent, note: Note, at: float) -> Saved:
    """Save the note, and all that tmux has kept of the agent's pane, or else its transcript.

    Raises ``TorchError`` if that cannot be written. Of a pane that is gone nothing is saved.
    """
    place, lacks, transcript = folder(agent, at), "", ""
    try:
        make_private(str(place))
        if note.text:
            _write(place / "note.md", note.text + "\n")
        try:
            found = find(store, Socket(path=agent.socket), agent.name)
            seen = spoken(found, history=True, join=True)
            transcript = seen.said.path if seen.said else ""
            lacks = f"it has {seen.origin}" if seen.alternate and not seen.said else ""
            _write(place / "screen.txt", "\n".join([*seen.lines, ""]))
        except TorchError as error:
            lacks = f"it is empty: {error.message}"
            _write(place / "screen.txt", f"{error.message}\n")
    except OSError as error:
        raise TorchError(
            f"the note and screen of '{agent.name}' could not be saved in {place}: "
            f"{error.strerror}; it continues",
            hint="Check that the state directory is writable and not full, or set TORCH_HOME.",
            code="store",
        ) from error
    return Saved(place, lacks, transcript)


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
