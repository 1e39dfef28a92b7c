"""Errors that ended a turn and look like a message on the screen: by the program's own transcript.

opencode and Kilo show an error as they show a message. Their plugin reports it, which adopted
programs do not have. Their transcript keeps it beside the answer that failed (opencode 1.18.33,
2026-11-30). It counts if its words are on the screen: several programs may share one transcript.
"""

import os
import re
from typing import Any, NamedTuple

from torch_cli import procs
from torch_cli.procs import Process
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, HookEvent, State, Trouble
from torch_cli.programs.transcript.opencode import last_answers, sessions_file
from torch_cli.programs.trouble import error_of, trouble_words

KINDS = ("opencode", "kilo")
"""The kinds of transcript that keep such errors."""

SHOWN_CHARACTERS = 60
"""So much of an error's words must be on the screen; a narrow one shows less of the rest."""

_UNSEEN = re.compile(r"\x1b\[[0-9;:]*m|[\s┃│█]+")
_MOST_PLACES = 1000

Stamps = tuple[int, ...]


class _Read(NamedTuple):
    """The errors of a directory's sessions, and when the transcript had been written."""

    stamps: Stamps
    errors: tuple[Trouble, ...]


_places: dict[Process, tuple[str, str, float]] = {}
_read: dict[tuple[str, str], _Read] = {}


def with_failure(
    state: AgentState, profile: Profile, process: Process | int, event: HookEvent | None, rows: str
) -> AgentState:
    """Return ``state`` of an idle program with the error that ended its last turn, if one did.

    ``event`` is its latest report: if it reports the ends of turns, that counts. ``rows`` is what
    it shows.
    """
    if state.state is not State.IDLE or state.trouble is not None:
        return state
    if profile.answer.transcript not in KINDS or (event is not None and event.ended):
        return state
    known = procs.identify(process) if isinstance(process, int) else process
    errors = _errors_of(profile.answer.transcript, known) if known is not None else ()
    if not errors:
        return state
    shown = _UNSEEN.sub("", rows)
    for one in errors:
        words = _UNSEEN.sub("", _bare(one.words))[:SHOWN_CHARACTERS]
        if words and words in shown:
            return state._replace(trouble=one, evidence=trouble_words(one))
    return state


def _errors_of(kind: str, process: Process) -> tuple[Trouble, ...]:
    """Return the errors with which the sessions of a program's directory have ended."""
    path, directory, begun = _place_of(kind, process)
    if not path or not directory:
        return ()
    stamps = _stamps(path)
    before = _read.get((path, directory))
    if before is None or before.stamps != stamps:
        if len(_read) > _MOST_PLACES:
            _read.clear()
        answers = last_answers(path, directory, begun)
        errors = tuple(one for one in map(_error_in, answers) if one is not None)
        before = _read[path, directory] = _Read(stamps, errors)
    return before.errors


def _place_of(kind: str, process: Process) -> tuple[str, str, float]:
    """Return the transcript of a program, its directory, and when it began (epoch seconds)."""
    if process not in _places:
        if len(_places) > _MOST_PLACES:
            _places.clear()
        environ, where = procs.environment(process.pid), procs.directory(process.pid)
        if environ is None:
            return "", "", 0.0
        path = sessions_file(environ, kind)
        _places[process] = path, where or "", procs.begun(process) or 0.0
    return _places[process]


def _stamps(path: str) -> Stamps:
    """Return what changes when a file is written: its times and sizes, and those of its log."""
    found: list[int] = []
    for one in (path, f"{path}-wal"):
        try:
            status = os.stat(one)
        except OSError:
            continue
        found += (status.st_mtime_ns, status.st_size)
    return tuple(found)


def _error_in(answer: dict[str, Any]) -> Trouble | None:
    """Return the error of an answer, ``None`` if it has none, or a person has broken it off."""
    error = answer.get("error")
    if not isinstance(error, dict) or error.get("name") == "MessageAbortedError":
        return None
    data = error.get("data")
    said = data if isinstance(data, dict) else {}
    words = str(said.get("message") or error.get("name") or "")
    code = said.get("statusCode")
    return error_of(f"API Error: {code} {words}" if code else words, "", "record")


def _bare(words: str) -> str:
    """Return the words of an error as the program shows them, without what was cut off."""
    return re.sub(r"^API Error: \d+ ", "", words).removesuffix("…")
