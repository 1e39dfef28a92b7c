"""What a program's own transcript says of the tools that its model wanted to use.

A call is recorded before the program asks a person about it, and its result after the answer. So
the result tells what was chosen, whoever chose it. Seen with Claude Code 2.1.330 and Codex 0.169.0.
"""

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from torch_cli.regular import open_regular

CALL_KINDS = ("claude", "codex")
"""The kinds of transcript that record a call before it is decided. Gemini CLI records it after
that, and none that was declined (0.61.0, 2026-11-29)."""

CALLS_TAIL_BYTES = 1024 * 1024
"""The bytes at the end of a transcript that are read. The open calls are at its end, and a line of
Claude Code's that repeats what it sent takes some 100 KB."""

_REJECTED = "The user doesn't want to proceed with this tool use."
_ABORTED = ("aborted by user", "rejected by user")


class Call(NamedTuple):
    """A tool that the model wanted to use. ``given`` are the texts among its arguments.

    ``result`` is what came of it, ``None`` while that is open. ``declined`` says that a person
    wanted it not to be done, ``None`` if the record does not say.
    """

    given: tuple[str, ...]
    result: str | None = None
    declined: bool | None = None


def calls_in(kind: str, path: str) -> dict[str, Call]:
    """Return the newest calls of a transcript by their ids.

    Raises ``OSError`` if it cannot be read.
    """
    read = {"claude": _read_claude, "codex": _read_codex}[kind]
    found: dict[str, Call] = {}
    for line in _tail(path):
        read(line, found)
    return found


def _tail(path: str) -> Iterator[dict[str, Any]]:
    with open_regular(path) as file:
        file.seek(max(0, os.path.getsize(path) - CALLS_TAIL_BYTES))
        for line in file:
            try:
                value = json.loads(line)
            except ValueError:
                continue  # the first one may be cut, and the last one not whole yet
            if isinstance(value, dict):
                yield value


def _read_claude(line: dict[str, Any], found: dict[str, Call]) -> None:
    message = line.get("message")
    parts = message.get("content") if isinstance(message, dict) else None
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") == "tool_use":
            found[str(part.get("id"))] = Call(tuple(_strings(part.get("input"))))
        call = found.get(str(part.get("tool_use_id")))
        if part.get("type") == "tool_result" and call is not None:
            said = "\n".join(_strings(part.get("content")))
            decision = line.get("permissionDecision")
            accepted = isinstance(decision, dict) and decision.get("decision") == "accept"
            declined = True if said.startswith(_REJECTED) else False if accepted else None
            found[str(part["tool_use_id"])] = call._replace(result=said, declined=declined)


def _read_codex(line: dict[str, Any], found: dict[str, Call]) -> None:
    payload = line.get("payload")
    if line.get("type") != "response_item" or not isinstance(payload, dict):
        return
    identity = str(payload.get("call_id"))
    if payload.get("type") == "function_call":
        try:
            given = json.loads(str(payload.get("arguments")))
        except ValueError:
            given = None
        found[identity] = Call(tuple(_strings(given)))
    elif payload.get("type") == "function_call_output" and identity in found:
        said = "\n".join(_strings(payload.get("output")))
        ended = said.rstrip().endswith(_ABORTED)
        found[identity] = found[identity]._replace(result=said, declined=ended)


def _strings(value: object) -> Iterable[str]:
    """Return all texts in a value of JSON."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for each in inner for one in _strings(each)]
