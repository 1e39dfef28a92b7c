"""A program's own record of what it is doing now. Torch reads it and never writes it.

Claude Code keeps a file for each process with the word "busy", "waiting", "idle" or "shell" (idle,
with a shell in the background; 2.1.330, 2026-11-28). Codex writes the beginning and the end of each
turn into its rollout (0.169.0). Another Codex in the same directory has its rollout there, too.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch_cli import procs
from torch_cli.procs import Process
from torch_cli.programs.json_lines import TAILS, lines_back, object_of

LARGEST_RECORD_BYTES = 1 << 20
"""The most bytes of a record, or of a rollout's first line."""

FILE_TIME_LAG_SECONDS = 0.02
"""Seconds by which a file's time may be behind the clock. The kernel stamps files with the time of
its last tick, which comes every 1 to 10 ms, and later on a busy virtual machine.
"""

RECORDED = ("claude", "codex")
"""The kinds of transcript whose programs record whether they work."""

_ROLLOUT = {"task_started": True, "task_complete": False, "turn_aborted": False}
_WORD = re.compile(r"[A-Za-z0-9-]{1,64}")  # what the program calls a job or a session
_STATUS = {"busy": True, "waiting": True, "idle": False, "shell": False}


class TurnRecord(NamedTuple):
    """Whether a turn is ``running``, when that was written (epoch seconds), and where.

    ``current`` says that the program keeps the record up to date until it ends. Otherwise the end
    of a turn may be missing. ``asks`` says that the turn waits for a person.
    """

    running: bool
    at: float
    evidence: str
    current: bool
    asks: bool = False


def record_of(kind: str, process: Process | int) -> TurnRecord | None:
    """Return the record of a running program; ``None`` if it keeps none or it cannot be read.

    ``kind`` is that of its transcript, as ``[answer] transcript`` in its profile names it.
    """
    reader = {"claude": _claude, "codex": _codex}.get(kind)
    if reader is None:
        return None
    known = procs.identify(process) if isinstance(process, int) else process
    try:
        return reader(known) if known is not None else None
    except (OSError, ValueError):
        return None


def wrote_at(kind: str, process: Process) -> float:
    """Return when a program last wrote into its transcript, or those of its own agents.

    In epoch seconds, 0 if that is not known. ``kind`` is as for ``record_of``.
    """
    finder = {"claude": _claude_files, "codex": _codex_files}.get(kind)
    try:
        return (
            max((os.stat(path).st_mtime for path in finder(process)), default=0.0)
            if finder
            else 0.0
        )
    except (OSError, ValueError):
        return 0.0


def has_shell_behind(kind: str, process: Process) -> bool:
    """Return whether the program says that it has a command of its own in the background."""
    if kind != "claude":
        return False
    try:
        return claude_session(process).get("status") == "shell"
    except (OSError, ValueError):
        return False


def transcript_of_claude(process: Process) -> list[str]:
    """Return the transcript of a running Claude Code, as a list: it may have none.

    Raises as ``claude_session`` does.
    """
    import glob  # 1 ms, and a message needs it seldom

    found = _places_of_claude(process)
    return glob.glob(f"{found}.jsonl") if found else []


def _places_of_claude(process: Process) -> str:
    """Return a pattern for the name of its transcript, without its end; '' if it has none."""
    import glob  # as above

    session = str(claude_session(process).get("sessionId"))
    projects = os.path.join(glob.escape(os.path.join(_config_of(process), "projects")), "*")
    return os.path.join(projects, session) if _WORD.fullmatch(session) else ""


def _claude_files(process: Process) -> list[str]:
    import glob  # as above

    found = _places_of_claude(process)
    below = glob.glob(os.path.join(found, "**", "*.jsonl"), recursive=True) if found else []
    return [*transcript_of_claude(process), *below]


def _codex_files(process: Process) -> list[str]:
    begun = procs.begun(process)
    return list(_rollouts(_codex_sessions(process), begun)) if begun is not None else []


def shows_another(kind: str, process: Process | int) -> str:
    """Say why a program's pane may show another session, '' if it shows the program's own.

    Claude Code's view of all agents moves the session of the pane into the background. Then any
    other session can be opened in its place, with the same box (2.1.330, 2026-11-28). ``kind`` is
    as for ``record_of``.
    """
    known = procs.identify(process) if isinstance(process, int) else process
    if kind != "claude" or known is None:
        return ""
    try:
        written = claude_session(known)
    except FileNotFoundError:
        return ""  # this version, or this machine, keeps no record
    except (OSError, ValueError):
        return "its record cannot be read, so this box may be another session's"
    if not (job := written.get("parkedJobId")):
        return ""
    moved = "its session was moved to the background, so this box may be another session's"
    session = _to_resume(_config_of(known), str(job), str(written.get("sessionId")))
    return f"{moved}: to continue it, stop the agent and restart it{session}"


def _to_resume(config: str, job: str, before: str) -> str:
    """Return the option that resumes the background job ``job``, '' if none is known."""
    session = _resumable(config, job, before)
    return f" with '-- --resume {session}'" if session else ""


def _resumable(config: str, job: str, before: str) -> str:
    """Return the session of the background job ``job`` that has a transcript, '' if none has.

    Its session is a copy of the session ``before``, with a transcript of its own from its first
    prompt on.
    """
    sessions = [before]
    if _WORD.fullmatch(job):
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(config, "jobs", job, "state.json"), "rb") as file:
                written = json.loads(file.read(LARGEST_RECORD_BYTES))
            if isinstance(written, dict):
                sessions.insert(0, str(written.get("sessionId")))
    import glob  # as in _claude_files

    projects = glob.escape(os.path.join(config, "projects"))
    for session in sessions:
        if _WORD.fullmatch(session) and glob.glob(os.path.join(projects, "*", f"{session}.jsonl")):
            return session
    return ""


def conversation_of_claude(process: Process) -> str:
    """Return the session that a Claude Code has, or had when it was killed; '' if none is known.

    A program that ends by itself removes its record. Raises as ``claude_session`` does.
    """
    folder = os.path.join(_config_of(process), "sessions")
    here = _nearest(folder, process.pid)
    with open(os.path.join(folder, f"{here}.json"), "rb") as file:
        written = json.loads(file.read(LARGEST_RECORD_BYTES))
    known = process if here == process.pid else procs.identify(here)
    if not isinstance(written, dict) or known is None:
        return ""
    started = written.get("procStart") or (known.started if procs.alive(known) else "")
    if str(started) != known.started:
        return ""
    session = str(written.get("sessionId") or "")
    job = written.get("parkedJobId")
    return (_resumable(_config_of(process), str(job), session) if job else "") or session


def claude_session(process: Process) -> dict[str, Any]:
    """Return Claude Code's record of its running process, empty if there is none.

    It is in ``sessions/PID.json`` in the directory of the program's settings. The program may run
    below ``process``. ``sessionId`` names its transcript. Raises ``OSError`` or ``ValueError`` if
    it cannot be read.
    """
    folder = os.path.join(_config_of(process), "sessions")
    here = _nearest(folder, process.pid)
    with open(os.path.join(folder, f"{here}.json"), "rb") as file:
        written = json.loads(file.read(LARGEST_RECORD_BYTES))
    if not isinstance(written, dict):
        raise ValueError("not an object")
    known = procs.identify(here)
    if known is None:
        return {}
    # Otherwise the record is that of an earlier process with that number.
    return written if str(written.get("procStart") or known.started) == known.started else {}


def _config_of(process: Process) -> str:
    """Return the directory of a running program's settings."""
    from torch_cli.programs.setup import config_dir

    return config_dir(procs.environment(process.pid) or os.environ)


def _nearest(folder: str, pid: int) -> int:
    """Return the process with a record: ``pid``, or the nearest below it (started by a shell)."""
    if os.path.exists(os.path.join(folder, f"{pid}.json")):
        return pid
    stems = (name.removesuffix(".json") for name in os.listdir(folder))
    above = {int(stem): procs.ancestors(int(stem)) for stem in stems if stem.isdecimal()}
    below = [one for one in above if pid in above[one]]
    return min(below, key=lambda one: above[one].index(pid), default=pid)


def _claude(process: Process) -> TurnRecord | None:
    written = claude_session(process)
    running = _STATUS.get(str(written.get("status")))
    if running is None:
        return None
    stamp = written.get("statusUpdatedAt")
    at = stamp / 1000 if isinstance(stamp, int | float) else 0.0
    words = f"its own record says '{written['status']}'"
    if isinstance(asked := written.get("waitingFor"), str):
        words += f" ({' '.join(asked.split())[:60]})"
    asks = written["status"] == "waiting"
    return TurnRecord(running, at, words, current=True, asks=asks)


def _codex(process: Process) -> TurnRecord | None:
    """Read the rollouts that were written in the program's directory since it began.

    If there are several, only what all of them say counts, because one may be another program's.
    Of one with a turn that has no end the daemon is asked, if there is one.
    """
    found = {
        path: TurnRecord(
            running, os.stat(path).st_mtime, f"its rollout ends with '{word}'", current=False
        )
        for path in rollouts_of(process)
        if (word := _last_word(path))
        for running in [_ROLLOUT[word]]
    }
    if not any(one.running for one in found.values()):
        return max(found.values(), key=lambda one: one.at, default=None)
    if len(found) > 1:
        return None
    ((path, record),) = found.items()
    return _by_daemon(process, path, record)


def _by_daemon(process: Process, path: str, record: TurnRecord) -> TurnRecord:
    """Return the ``record`` of a turn without an end in its rollout ``path``, as the daemon has it.

    If the daemon says that it has ended, the record stays: it counts until all has been still.
    """
    from torch_cli.programs.codex_daemon import status_of, thread_of  # 5 ms, seldom needed

    thread = thread_of(path)
    status = status_of(os.path.dirname(_codex_sessions(process)), thread) if thread else None
    if status is None or not status.active:
        return record
    waits = f" ({', '.join(status.waits)})" if status.waits else ""
    words = f"Codex's daemon says that its thread is active{waits}"
    return TurnRecord(True, time.time(), words, current=True, asks=bool(status.waits))


def rollouts_of(process: Process) -> list[str]:
    """Return the rollouts that may be those of a running Codex.

    They were written since it began, by a program that was started in its directory. Raises
    ``OSError`` if they cannot be listed.
    """
    where, begun = procs.directory(process.pid), procs.begun(process)
    if where is None or begun is None:
        return []
    rollouts = _rollouts(_codex_sessions(process), begun)
    return [path for path in rollouts if _begun_in(path) == where]


def _codex_sessions(process: Process) -> str:
    """Return the directory of the rollouts of a running program."""
    environ = procs.environment(process.pid) or os.environ
    home = environ.get("CODEX_HOME") or os.path.join(
        environ.get("HOME") or os.path.expanduser("~"), ".codex"
    )
    return os.path.join(home, "sessions")


def _rollouts(home: str, since: float) -> Iterator[str]:
    """Yield the rollouts of the days from ``since`` (epoch seconds) on that were written since."""
    first = time.strftime("%Y/%m/%d", time.localtime(since - 86_400))
    for day in _days(home):
        if day < first:
            return
        for name in os.listdir(os.path.join(home, day)):
            path = os.path.join(home, day, name)
            if (
                name.startswith("rollout-")
                and os.stat(path).st_mtime >= since - FILE_TIME_LAG_SECONDS
            ):
                yield path


def _days(home: str) -> Iterator[str]:
    """Yield the directories of days, ``YYYY/MM/DD``, the newest first."""
    for year in sorted(os.listdir(home), reverse=True):
        for month in sorted(os.listdir(os.path.join(home, year)), reverse=True):
            for day in sorted(os.listdir(os.path.join(home, year, month)), reverse=True):
                yield f"{year}/{month}/{day}"


_places: dict[str, str] = {}


def _begun_in(path: str) -> str:
    """Return the directory in which a rollout began, '' if it does not say."""
    if path not in _places:
        with open(path, "rb") as file:
            place = _payload(object_of(file.readline(LARGEST_RECORD_BYTES))).get("cwd")
        _places[path] = os.path.realpath(place) if isinstance(place, str) else ""
    return _places[path]


def _last_word(path: str) -> str:
    """Return the last beginning or end of a turn in a rollout, '' if there is none."""
    for line in lines_back(path, TAILS):
        if b"task_" in line or b"turn_aborted" in line:
            said = object_of(line)
            word = str(_payload(said).get("type"))
            if said.get("type") == "event_msg" and word in _ROLLOUT:
                return word
    return ""


def _payload(written: dict[str, Any]) -> dict[str, Any]:
    payload = written.get("payload")
    return payload if isinstance(payload, dict) else {}
