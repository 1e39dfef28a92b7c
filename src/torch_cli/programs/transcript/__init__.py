"""A program's own transcript of a conversation. Torch reads it and never writes it.

Each kind of transcript has a module of its own. ``[answer] transcript`` in the profile names it. A
transcript counts only if exactly one has our message, because two programs that get the same text
at the same moment cannot be distinguished.
"""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple, Protocol

from torch_cli import procs

SKEW_SECONDS = 0.01
"""Seconds by which a program's time may be older than ours, because it is cut to milliseconds."""


class Origin(NamedTuple):
    """A program whose transcript is wanted: its directory, its environment, since when.

    ``since`` is in epoch seconds. ``pid`` is its process, 0 if that is not known.
    """

    directory: str
    environ: Mapping[str, str]
    since: float
    pid: int = 0

    @property
    def home(self) -> str:
        """The home directory of the program."""
        return self.environ.get("HOME") or os.path.expanduser("~")


class Turn(NamedTuple):
    """A message in the transcript. ``answer`` is None until the turn has ended.

    ``refused`` is the text of a user's hook that stopped the message, ``stopped`` that of a hook
    that ended the turn before it began, ``failed`` that of the error with which the program ended
    it.
    """

    answer: str | None = None
    refused: str | None = None
    failed: str | None = None
    stopped: str | None = None


class Transcript(Protocol):
    """Looks for turns. It remembers what it has read, so another look is cheap."""

    def turns(self, is_ours: Callable[[str], bool]) -> list[Turn]:
        """Return the newest turn of each transcript that began with one of our messages."""


TRANSCRIPT_KINDS = ("aider", "claude", "codex", "gemini", "kilo", "opencode", "pi", "qwen")
"""The known kinds, each a module of this package."""

REFUSALS = ("claude",)
"""The kinds that record a message that a user's hook refused."""


NAMED = ("claude",)
"""The kinds whose programs say which file their transcript is."""


def open_transcript(kind: str, pid: int, since: float) -> Transcript:
    """Return the transcripts that the program ``pid`` may write to.

    Messages before ``since`` (epoch seconds) are ignored.
    """
    module = import_module(f"torch_cli.programs.transcript.{kind}")
    transcript: Transcript = module.open_transcript(_origin(pid, since))
    return transcript


def _origin(pid: int, since: float) -> Origin:
    where = procs.directory(pid) or ""
    return Origin(where, procs.environment(pid) or os.environ, since - SKEW_SECONDS, pid)


def is_silent(kind: str, pid: int, since: float, text: str) -> bool:
    """Say whether the program ``pid`` has got no message since, nor ``text`` in anything else.

    ``since`` is in epoch seconds. ``False`` if it does not name its transcript, or that cannot be
    read whole.
    """
    if kind not in NAMED:
        return False
    module = import_module(f"torch_cli.programs.transcript.{kind}")
    try:
        lines = module.open_transcript(_origin(pid, since), lambda _: module.Anything(text))
        return lines.named and not lines.turns(lambda _: True) and lines.whole
    except (OSError, ValueError):
        return False


def turn_of(transcript: Transcript, is_ours: Callable[[str], bool]) -> Turn | None:
    """Return the turn that our message began, None if there is none or more than one.

    ``is_ours`` is called with the text of each message. A file that cannot be read is ignored.
    """
    try:
        turns = transcript.turns(is_ours)
    except (OSError, ValueError):
        return None
    return turns[0] if len(turns) == 1 else None
