"""What was said in a program's conversation, as lines of text from its own transcript.

For programs on the alternate screen, of which tmux keeps no history. Claude Code names the file of
its session (2.1.330), Codex has one for each conversation (0.169.0). Torch reads it only.
"""

import glob
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch_cli import procs
from torch_cli.procs import Process
from torch_cli.programs.record import claude_session, rollouts_of, shows_another
from torch_cli.programs.setup import config_dir
from torch_cli.programs.state import one_line
from torch_cli.programs.transcript.lines import text_of
from torch_cli.regular import open_regular

MOST_BYTES = 16 * 1024 * 1024
"""Bytes at the end of a transcript that are read. Results of tools, which are not shown, are most
of it."""

_TOOL_LETTERS = 200


class Transcribed(NamedTuple):
    """What was said. ``path`` is the transcript; ``whole`` is false if its beginning is missing."""

    path: str
    lines: list[str]
    whole: bool


def said_by(kind: str, process: Process | int) -> Transcribed | None:
    """Return what was said with a running program, ``None`` if its transcript is not known.

    The parameters are those of ``transcript_path``. A message begins with "> ", as its further
    lines do; what a tool was told is one line in brackets.
    """
    path = transcript_path(kind, process)
    try:
        return _read(path, {"claude": _of_claude, "codex": _of_codex}[kind]) if path else None
    except OSError:
        return None


def transcript_path(kind: str, process: Process | int) -> str:
    """Return the one file that is certainly the transcript of a running program, '' if none is.

    ``kind`` is that of its transcript, as ``[answer] transcript`` in its profile names it.
    """
    known = procs.identify(process) if isinstance(process, int) else process
    if known is None or kind not in ("claude", "codex") or shows_another(kind, known):
        return ""
    try:
        return _path(kind, known)
    except (OSError, ValueError):
        return ""


def _path(kind: str, process: Process) -> str:
    if kind == "codex":
        found = rollouts_of(process)
    else:
        session = str(claude_session(process).get("sessionId") or "")
        home = config_dir(procs.environment(process.pid) or os.environ)
        place = os.path.join(glob.escape(home), "projects", "*")
        found = glob.glob(os.path.join(place, f"{glob.escape(session)}.jsonl")) if session else []
    return found[0] if len(found) == 1 else ""


def _read(path: str, read: Callable[[dict[str, Any]], Iterator[str]]) -> Transcribed:
    """Return what ``read`` makes of each line of a transcript."""
    lines: list[str] = []
    with open_regular(path) as file:
        skipped = max(0, file.seek(0, os.SEEK_END) - MOST_BYTES)
        file.seek(skipped)
        for row in file:
            try:
                value = json.loads(row)
            except ValueError:
                continue  # the first one may have been cut, the last one not be whole yet
            for part in read(value) if isinstance(value, dict) else ():
                lines += ["", *part.split("\n")] if lines else part.split("\n")
    return Transcribed(path, lines, not skipped)


def _of_claude(line: dict[str, Any]) -> Iterator[str]:
    """Give the texts of one line. Each block of an answer is a line of its own."""
    message = line.get("message")
    if not isinstance(message, dict) or line.get("isSidechain") or line.get("isMeta"):
        return
    content = message.get("content")
    text = text_of(content).strip("\n")
    if line.get("type") == "user" and text:
        yield _message(text)
    elif line.get("type") == "assistant":
        yield from [text] if text else []
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_use":
                yield _tool(str(block.get("name")), block.get("input"))


def _of_codex(line: dict[str, Any]) -> Iterator[str]:
    """Give the texts of one line."""
    payload = line.get("payload")
    item = payload.get("item") if isinstance(payload, dict) else None
    if not isinstance(item, dict) or line.get("type") != "event_msg":
        return
    if payload is None or payload.get("type") != "item_completed":
        return
    text = text_of(item.get("content"), ("text", "Text", "")).strip("\n")
    if item.get("type") == "UserMessage" and text:
        yield _message(text)
    elif item.get("type") == "AgentMessage" and text:
        yield text
    elif item.get("type") == "CommandExecution":
        yield _tool("shell", item.get("command"))


def _message(text: str) -> str:
    return "\n".join(f"> {row}".rstrip() for row in text.split("\n"))


def _tool(name: str, given: object) -> str:
    """Return one line about the use of a tool: its command, its file, or all that it was given."""
    told = given
    if isinstance(given, dict):
        told = next((given[key] for key in ("command", "file_path", "path") if key in given), given)
    elif isinstance(given, list) and given:
        told = given[-1]
    words = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return f"[{name}] {one_line(words, _TOOL_LETTERS)}"
