"""The conversation of a program: its id, its transcript, and which ones a directory has.

``kind`` is that of the program's transcript everywhere here, as ``[answer] transcript`` in its
profile names it. What a conversation says is in ``torch_cli.programs.transcript``.
"""

import contextlib
import glob
import json
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Protocol

from torch_cli import procs
from torch_cli.procs import Process
from torch_cli.programs.json_lines import object_of
from torch_cli.programs.record import LARGEST_RECORD_BYTES, conversation_of_claude, rollouts_of
from torch_cli.programs.setup import config_dir
from torch_cli.programs.transcript import gemini, kilo, opencode, qwen
from torch_cli.programs.transcript.lines import text_of, written_at

RESUMED = ("claude", "codex", "gemini", "kilo", "opencode", "qwen")
"""The kinds whose conversations can be found again by their id."""

HEAD_BYTES = 1 << 18
"""The most bytes of the start of a transcript that are searched for its directory."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CODEX_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Kept(Protocol):
    """How a kind keeps its conversations, if its own module knows that."""

    def file_with(self, session: str, environ: Mapping[str, str]) -> str: ...

    def newest_session(self, directory: str, environ: Mapping[str, str]) -> str: ...

    def said_in(self, path: str, session: str) -> Iterable[str]: ...

    def used_at(self, path: str, session: str) -> float: ...


_KEPT: Mapping[str, _Kept] = {"gemini": gemini, "kilo": kilo, "opencode": opencode, "qwen": qwen}


def conversation_of(kind: str, process: Process) -> str:
    """Return the id of the conversation that a program has, '' if it does not say.

    Claude Code says so until its record is removed, also of a program that was killed.
    """
    try:
        if kind == "claude":
            found = conversation_of_claude(process)
            return found if _ID.fullmatch(found) else ""
        if kind == "codex":
            return _of_codex(process)
    except (OSError, ValueError):
        pass
    return ""


def _of_codex(process: Process) -> str:
    """Return the id in the name of the one rollout that may be the program's."""
    family = [process.pid, *(one.pid for one in procs.descendants(process.pid))]
    paths = {path for pid in family for path in _open_rollouts(pid)} or set(rollouts_of(process))
    return _codex_id(paths.pop()) if len(paths) == 1 else ""


def _open_rollouts(pid: int) -> Iterator[str]:
    """Yield the rollouts that a process has open; none where that is not told (macOS)."""
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/{pid}/fd/{number}")
                if os.path.basename(path).startswith("rollout-"):
                    yield path


def _codex_id(path: str) -> str:
    found = _CODEX_ID.findall(os.path.basename(path))
    return found[-1] if found else ""


def began_since(
    kind: str,
    directory: str,
    environ: Mapping[str, str],
    since: float,
    but: Container[str] = (),
) -> str:
    """Return the one conversation of ``directory`` that began after ``since`` (epoch seconds).

    '' if none or several did, none of ``but`` counted, or the kind does not say when its
    conversations began.
    """
    if kind != "gemini":
        return ""
    began = gemini.sessions_since(directory, environ, since)
    found = [one for one in began if one not in but]
    return found[0] if len(found) == 1 and _ID.fullmatch(found[0]) else ""


def transcript_of(kind: str, conversation: str, environ: Mapping[str, str]) -> str:
    """Return the transcript of a conversation, '' if the program with ``environ`` has none.

    opencode has one file for all conversations.
    """
    if kind not in RESUMED or not _ID.fullmatch(conversation):
        return ""
    if kept := _KEPT.get(kind):
        return kept.file_with(conversation, environ)
    found = glob.glob(_pattern(kind, environ, conversation))
    return found[0] if found else ""


def why_none(kind: str, conversation: str, environ: Mapping[str, str]) -> str:
    """Return why a program has no transcript of a conversation, '' if Torch does not know."""
    if kind == "gemini" and gemini.has_lost_its_head(conversation, environ):
        return (
            "another one, started in the same directory before anything was said, has deleted its "
            "beginning"
        )
    return ""


def used_at(kind: str, conversation: str, environ: Mapping[str, str]) -> float:
    """Return when (epoch seconds) something was last said in a conversation, 0 if nobody knows."""
    path = transcript_of(kind, conversation, environ)
    if not path:
        return 0.0
    kept = _KEPT.get(kind)
    return kept.used_at(path, conversation) if kept else written_at(path)


def said_in(kind: str, path: str, conversation: str) -> Iterator[str]:
    """Yield what was said to the program in a conversation, which is in the file ``path``."""
    if kept := _KEPT.get(kind):
        yield from kept.said_in(path, conversation)
        return
    with contextlib.suppress(OSError), open(path, "rb") as file:
        for line in file:
            if b'"user"' in line or b'"UserMessage"' in line:
                yield from _message_in(object_of(line))


def _message_in(value: Mapping[str, Any]) -> Iterator[str]:
    payload = value.get("payload")
    inner = payload.get("item") if isinstance(payload, dict) else value.get("message")
    if isinstance(inner, dict):
        yield text_of(inner.get("content"))


def holds_anything(kind: str, path: str) -> bool:
    """Return whether a transcript has a line that can be read.

    Claude Code knows no conversation of which nothing can be read, and ends (2.1.330, 2026-11-29);
    what is damaged in the middle or cut off at its end it leaves out.
    """
    if kind in ("kilo", "opencode"):
        return True  # its file was read to find the conversation
    with contextlib.suppress(OSError), open(path, "rb") as file:
        while line := file.readline(LARGEST_RECORD_BYTES):
            with contextlib.suppress(ValueError):
                if isinstance(json.loads(line), dict):
                    return True
    return False


def latest_in(kind: str, directory: str, environ: Mapping[str, str]) -> str:
    """Return the conversation of a directory that was written last, '' if there is none."""
    if kept := _KEPT.get(kind):
        found = kept.newest_session(directory, environ)
        return found if _ID.fullmatch(found) else ""
    paths = glob.glob(_pattern(kind, environ, "*")) if kind in RESUMED else []
    where = os.path.realpath(directory)
    for path in sorted(paths, key=written_at, reverse=True):
        name = os.path.basename(path).removesuffix(".jsonl")
        found = _codex_id(path) if kind == "codex" else name
        if _ID.fullmatch(found) and _began_in(path) == where:
            return found
    return ""


def _pattern(kind: str, environ: Mapping[str, str], conversation: str) -> str:
    if kind == "codex":
        home = environ.get("CODEX_HOME") or os.path.join(
            environ.get("HOME") or os.path.expanduser("~"), ".codex"
        )
        return os.path.join(
            glob.escape(home), "sessions", "*", "*", "*", f"rollout-*{conversation}.jsonl"
        )
    return os.path.join(glob.escape(config_dir(environ)), "projects", "*", f"{conversation}.jsonl")


def _began_in(path: str) -> str:
    """Return the directory in which a conversation with a message began, '' if there is none.

    The program itself offers no conversation in which nobody has said anything.
    """
    where, said = "", False
    with contextlib.suppress(OSError), open(path, "rb") as file:
        for line in file.read(HEAD_BYTES).split(b"\n"):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if not isinstance(value, dict):
                    continue
                inner = value.get("payload")
                place = (inner if isinstance(inner, dict) else value).get("cwd")
                where = where or (place if isinstance(place, str) else "")
                said = said or value.get("type") in ("user", "event_msg")
            if where and said:
                return os.path.realpath(where)
    return ""


def held_by(kind: str, conversation: str, environ: Mapping[str, str]) -> int:
    """Return the process that has a conversation open, 0 if no program is known to have it."""
    if kind != "claude":
        return 0
    for path in glob.glob(os.path.join(glob.escape(config_dir(environ)), "sessions", "*.json")):
        stem = os.path.basename(path).removesuffix(".json")
        process = procs.identify(int(stem)) if stem.isdecimal() else None
        if process is None or not procs.alive(process):
            continue
        with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
            written = json.loads(file.read(LARGEST_RECORD_BYTES))
            same = str(written.get("procStart") or process.started) == process.started
            if same and written.get("sessionId") == conversation:
                return process.pid
    return 0
