"""What an agent program's hook calls: one event on standard input becomes one row of the store.

It runs at every prompt of every agent, and the program waits for it. So it imports as little as it
can, always ends with 0, and never creates the store. It prints nothing, unless a rule answers what
the program asks permission for.
"""

import os
import select
import time
from collections.abc import Callable

LARGEST_EVENT_BYTES = 10 * 1024 * 1024
"""The most bytes of standard input. A larger event is dropped."""

EVENT_READ_SECONDS = 2.0
"""Seconds to wait for the whole event."""

STORE_LOCK_SECONDS = 3.5
"""Seconds to wait for another writer of the store. The program gives a hook 5 seconds. A lost
report leaves its turn open until the screen has been still for long."""

DETAIL = (
    "prompt_id",
    "transcript_path",
    "cwd",
    "message",
    "notification_type",
    "tool_name",
    "source",
    "reason",
    "error",
    "last_assistant_message",
    "agent_id",
    "agent_type",
    "trigger",
    "attempt",
    "next",
)
"""The fields that are kept beside the prompt. The input of a tool is not kept, because it can
contain secrets."""

OF_A_SUB_AGENT = ("agent_id", "agent_type")
"""What is kept of the end of a sub-agent, and what an event of one carries. What the sub-agent has
said is no answer of the agent's."""

SUB_AGENT_ENDS = {"StopFailure": "SubagentStopFailure", "SubagentStop": "SubagentStop"}
"""How a sub-agent's end is recorded, by its event. That it failed is reported under the name of the
turn's own failure while the turn goes on (Claude Code 2.1.330, 2026-11-30). What the program sends
by itself, to compact its context, has an ``agent_id`` and no ``agent_type``."""

INSERT = """
    INSERT INTO hook_events(at, socket, pane, agent, name, session, prompt, detail, server)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

INSERT_ONCE = """
    INSERT INTO hook_events(at, socket, pane, agent, name, session, prompt, detail, server)
    SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (
        SELECT 1 FROM
            (SELECT * FROM hook_events WHERE socket = ? AND pane = ? ORDER BY id DESC LIMIT 20)
        WHERE name = ? AND session = ? AND prompt = ? AND detail = ?)
"""
"""A program that has the hooks twice, from its settings and from ``torch spawn``, reports a prompt
twice. A late second report could look like the proof of a later message."""


BEFORE_26 = """
    INSERT INTO hook_events(at, socket, pane, agent, name, session, prompt, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
"""``INSERT`` for a store that does not have the column ``server`` yet."""

PERMISSION_REQUEST = "PermissionRequest"
"""The event that a hook may answer: the program asks a person whether it may use a tool."""

ANY_RULES = "SELECT EXISTS (SELECT 1 FROM team_accepted WHERE rules <> '')"


def main(arguments: list[str], answer: Callable[[bytes], bytes]) -> None:
    """Record the event on standard input if there is a store; end the process with 0.

    If it is a ``PERMISSION_REQUEST`` and there are rules, print what ``answer`` returns for it. An
    error prints nothing: then the question is a person's.
    """
    try:
        raw = _record()
        if raw and (said := answer(raw)):
            os.write(1, said)
    except BaseException:
        pass  # not even an interrupt may disturb the agent program
    finally:
        # There is nothing to flush or to clean up, and an error in that would be printed.
        os._exit(0)


def _record() -> bytes:
    """Record the event; return it if it is one that rules may answer."""
    from torch_cli import paths

    raw = _read()
    store = paths.database()
    if not raw or not os.path.isfile(store):
        return b""
    row = event_row(raw, dict(os.environ), time.time())
    import sqlite3

    # "mode=rw" does not create the file. These three characters are special in a URI.
    quoted = store.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = sqlite3.connect(
        f"file:{quoted}?mode=rw", uri=True, timeout=STORE_LOCK_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    if row[4] == "UserPromptSubmit" and '"prompt_id"' in row[7]:
        again: tuple[object, ...] = (row[1], row[2], *row[4:8])
        statement, values = INSERT_ONCE, (*row, *again)
    else:
        statement, values = INSERT, (*row,)
    try:
        connection.execute(statement, values)
    except sqlite3.OperationalError as error:
        if "no column named server" not in str(error):
            raise
        # The store is that of an older Torch, until a command of this one opens it.
        connection.execute(BEFORE_26, row[:8])
    ruled = row[4] == PERMISSION_REQUEST and connection.execute(ANY_RULES).fetchone()[0]
    connection.close()
    return raw if ruled else b""


def _read() -> bytes:
    """Return standard input to its end; nothing if it is a terminal, too large, or never ends.

    An input that is too large is read nevertheless, because a full pipe may block the program.
    """
    parts: list[bytes] = []
    size = 0
    deadline = time.monotonic() + (0.0 if os.isatty(0) else EVENT_READ_SECONDS)
    while select.select([0], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(0, 1 << 16)
        if not piece:
            return b"".join(parts) if size <= LARGEST_EVENT_BYTES else b""
        size += len(piece)
        if size <= LARGEST_EVENT_BYTES:
            parts.append(piece)
        if time.monotonic() > deadline:
            break
    return b""


def event_row(
    raw: bytes, environ: dict[str, str], now: float
) -> tuple[float, str, str, str, str, str, str, str, int | None]:
    """Return the values of ``INSERT`` for the event ``raw``, JSON from a program with ``environ``.

    Raises ``ValueError`` or ``AttributeError`` if it is not a JSON object.
    """
    import json

    event = json.loads(raw.decode("utf-8", "replace"))
    # $TMUX is "path,server pid,session"; only the last two commas are tmux's own.
    socket, server, _ = [*environ.get("TMUX", "").rsplit(",", 2), "", ""][:3]
    name = _text(event.get("hook_event_name"))
    kept: tuple[str, ...] = DETAIL
    if name in SUB_AGENT_ENDS and all(event.get(field) for field in OF_A_SUB_AGENT):
        name, kept = SUB_AGENT_ENDS[name], OF_A_SUB_AGENT
    detail = {field: event[field] for field in kept if event.get(field) is not None}
    if isinstance(tasks := event.get("background_tasks"), list) and kept is DETAIL:
        detail["background"] = [one["id"] for one in tasks if isinstance(one, dict) and "id" in one]
    return (
        now,
        _text(socket),
        _text(environ.get("TMUX_PANE", "")),
        _text(environ.get("TORCH_AGENT", "")),
        name,
        _text(event.get("session_id")),
        _text(event.get("prompt")),
        json.dumps(detail),
        int(server) if server.isdigit() else None,
    )


def _text(value: object) -> str:
    """Return a text that SQLite can hold (no lone surrogates), '' for other values."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""
