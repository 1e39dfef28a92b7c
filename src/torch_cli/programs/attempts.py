"""Attempts of a program that its screen does not show, or not whole: those it tells otherwise.

The plugin of opencode and Kilo reports each attempt, with its time (1.18.33 and 7.7.9, 2026-11-30).

Gemini CLI tries again after an error of its API, for hours if the API says so, and shows only
"Thinking…". It writes each attempt into the file that ``GEMINI_DEBUG_LOG_FILE`` in its environment
names, a file of Torch's if Torch has started it (0.61.0, 2026-11-30).
"""

import contextlib
import datetime
import os
import re

from torch_cli import duration, paths, procs
from torch_cli.procs import Process
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import AgentState, Attempt, HookEvent, State, Trouble, one_line
from torch_cli.programs.trouble import MOST_CHARACTERS, code_in, kind_of, trouble_words

LOG_VARIABLE = "GEMINI_DEBUG_LOG_FILE"

UNSEEN = "Torch cannot see when it tries again after an error of its API"
UNSEEN_ADVICE = "'torch spawn' sets it; if you start it yourself, set it to a file's absolute path"
"""What a person should know of a program without such a log, and can do."""

LOG_TAIL_BYTES = 1 << 15
"""The end of a log that is searched. An attempt writes about 2,000 bytes."""

MOST_LOG_BYTES = 1 << 20
"""A log of Torch's that is larger is emptied."""

LOG_SECONDS = 7 * 86_400.0
"""Seconds for which a log of Torch's is kept after the last line."""

_FIRST_SECONDS, _LONGEST_SECONDS, _JITTER = 5.0, 30.0, 1.3
"""How long the program waits if its API does not say: twice as long each time."""

OVERDUE_SECONDS = 10.0
"""Seconds after its time for which a reported attempt still counts as the next one. The report of
its beginning comes within one, on a busy machine within a few."""

_ATTEMPT = re.compile(
    r"^\[(?P<at>\d{4}-[0-9T:.-]{5,20}Z)\] \[WARN\] Attempt (?P<number>\d{1,3}) failed"
    r"(?: with status (?P<code>\d{3})\. Retrying with backoff\.\.\. (?P<backed>[^\n]*)"
    r"|: (?P<words>(?:(?!^\[).){0,2000}?) Retrying after (?P<wait>\d{1,12})ms\.\.\.)",
    re.MULTILINE | re.DOTALL,
)
_MESSAGE = re.compile(r'"message": ?"((?:[^"\\]|\\.)*)"')

_logs: dict[Process, str] = {}


def with_attempt(
    state: AgentState,
    profile: Profile,
    process: Process | int,
    event: HookEvent | None,
    now: float,
) -> AgentState:
    """Return ``state`` of a program that works, with the attempt that it waits for.

    Its latest report, ``event``, says it, or its log. ``now`` is in epoch seconds.
    """
    if state.state is not State.WORKING:
        return state
    if event is not None and event.attempt is not None:
        return _with_reported(state, event.attempt, now)
    if state.trouble is not None:
        return state
    if profile.answer.transcript != "gemini":
        return state
    known = procs.identify(process) if isinstance(process, int) else process
    path = _log_of(known) if known is not None else ""
    try:
        waits = attempt_in(_tail(path), now) if path else None
    except OSError:
        return state
    if waits is None:
        return state
    return state._replace(trouble=waits, evidence=trouble_words(waits))


def _with_reported(state: AgentState, attempt: Attempt, now: float) -> AgentState:
    """Return ``state`` with a reported attempt, unless it must have begun long ago."""
    left = attempt.at - now
    if attempt.at and left < -OVERDUE_SECONDS:
        return state
    code = code_in(attempt.words)
    kind = kind_of(attempt.words, code)
    said = duration.words(left) if left > 0 else ""
    waits = Trouble(
        State.RETRYING, attempt.words, kind, code, attempt.number, wait=said, source="hook"
    )
    return state._replace(trouble=waits, evidence=trouble_words(waits))


def attempt_in(log: str, now: float) -> Trouble | None:
    """Return the attempt that a program waits for ``now``, by the end of its ``log``.

    ``None`` if it waits for none. When the one after the last failure begins is not written if it
    went well: so the longest wait counts.
    """
    found = list(_ATTEMPT.finditer(log))
    if not found:
        return None
    last = found[-1]
    number = int(last["number"])
    wait = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** min(number - 1, 9)) * _JITTER
    if last["wait"]:
        wait = int(last["wait"]) / 1000
    try:
        left = datetime.datetime.fromisoformat(last["at"]).timestamp() + wait - now
    except ValueError:
        return None
    if not 0 < left <= wait + 1:
        return None
    named = _MESSAGE.search(last["backed"] or "")
    words = named[1] if named else last["words"] or last["backed"] or ""
    code = int(last["code"]) if last["code"] else code_in(words)
    kind = kind_of(words, code)
    if last["wait"] and kind != "overloaded":
        kind = "rate-limited"  # the API has named a time
    said = duration.words(left) if last["wait"] else ""
    words = one_line(words, MOST_CHARACTERS)
    return Trouble(State.RETRYING, words, kind, code, number + 1, wait=said, source="record")


def unlogged(profile: Profile, process: Process | int) -> str:
    """Return a sentence for a person if the attempts of this program cannot be seen, else ''."""
    known = procs.identify(process) if isinstance(process, int) else process
    if profile.answer.transcript != "gemini" or known is None or _log_of(known):
        return ""
    if procs.environment(known.pid) is None:
        return ""  # nobody knows
    return f"{UNSEEN}: it runs without {LOG_VARIABLE}. {UNSEEN_ADVICE}"


def sweep_logs(now: float) -> None:
    """Remove logs of Torch's into which nothing was written for long, and empty large ones."""
    with contextlib.suppress(OSError), os.scandir(paths.program_logs()) as found:
        for one in found:
            with contextlib.suppress(OSError):
                if one.stat().st_mtime < now - LOG_SECONDS:
                    os.unlink(one.path)
                elif one.stat().st_size > MOST_LOG_BYTES:
                    os.truncate(one.path, 0)  # the program appends


def _log_of(process: Process) -> str:
    """Return the path of a program's log, '' if it has none."""
    if process not in _logs:
        if len(_logs) > 1000:
            _logs.clear()
        given = procs.environment(process.pid)
        if given is None:
            return ""
        path = given.get(LOG_VARIABLE, "")
        _logs[process] = path if os.path.isabs(path) else ""
    return _logs[process]


def _tail(path: str) -> str:
    """Return the end of a file; raises ``OSError``."""
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL_BYTES))
        return file.read(LOG_TAIL_BYTES).decode("utf-8", "replace")
