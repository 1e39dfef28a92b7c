"""``torch send`` and ``torch ask`` without click, for the calls that agents make all day.

Importing click costs a quarter of a whole delivery (25 of 97 ms of CPU time, 2026-11-23). This
module handles only plain, well-formed calls. click handles everything else, help and mistakes too,
so that there is one place for what people read. A test gives both the same words.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from torch_cli.cli.common import LONGEST_SECONDS, Common, as_utf8
from torch_cli.cli.present import drop_output, run
from torch_cli.cli.signals import ignore
from torch_cli.tmux.socket import Socket

_ASK = {
    "-L": "socket_name",
    "--socket-name": "socket_name",
    "-S": "socket_path",
    "--socket-path": "socket_path",
    "--timeout": "timeout",
    "--from": "sender",
}
_SEND = {
    **_ASK,
    "--when": "when",
    "--wait": "wait",
    "--expires": "expires",
    "--priority": "priority",
    "--key": "key",
}
VALUES = {"ask": _ASK, "send": _SEND}
"""The options with a value, by command, and the parameter of each."""

FLAGS = {
    "--json": "as_json",
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
    "--plain": "plain",
    "--clean": "clean",
}
WHEN = ("ready", "idle", "now")
PRIORITIES = ("low", "normal", "high")
_SECONDS = ("timeout", "wait")


def execute(command: str, words: Sequence[str]) -> None:
    """Send or ask as ``words`` say, and end the process. If click must look, return and do nothing.

    ``command`` is a key of ``VALUES``.
    """
    given = None if "_TORCH_COMPLETE" in os.environ else parse(command, words)
    if given is None:
        return
    socket = Socket.choose(given.pop("socket_name", None), given.pop("socket_path", None))
    flags = (given.pop(name, False) for name in ("as_json", "quiet", "verbose"))
    common = Common(socket, *flags)
    from torch_cli.cli import sending

    does = sending.run_ask if command == "ask" else sending.run_send
    _end(run(lambda: does(common, **given), as_json=common.json))


def parse(command: str, words: Sequence[str]) -> dict[str, Any] | None:
    """Return the parameters in ``words``, or ``None`` if click must read them."""
    values = VALUES[command]
    given: dict[str, Any] = {}
    places: list[str] = []
    cursor = iter(words)
    for word in cursor:
        if word == "--":
            places += cursor
        elif word == "-" or not word.startswith("-"):
            places.append(word)
        elif word in FLAGS:
            given[FLAGS[word]] = True
        else:
            name, equals, value = word.partition("=")
            if equals and not name.startswith("--"):
                return None  # to click it is "-L" with the value "=..."
            value = value if equals else next(cursor, "-")
            if name not in values or value.startswith("-"):
                return None
            given[values[name]] = value
    if len(places) != 2 or not _sound(given) or not _readable([*given.values(), places[0]]):
        return None
    return {**given, "target": places[0], "message": places[1]}


def _readable(values: Sequence[Any]) -> bool:
    """Return whether every text in ``values`` is UTF-8. The message has its own error."""
    try:
        return all(as_utf8(value) == value for value in values if isinstance(value, str))
    except UnicodeDecodeError:
        return False


def _sound(given: dict[str, Any]) -> bool:
    """Return whether click would accept the values; convert the seconds to numbers."""
    try:
        given |= {name: float(given[name]) for name in _SECONDS if name in given}
    except ValueError:
        return False
    if not all(0 <= given.get(name, 0) <= LONGEST_SECONDS for name in _SECONDS):
        return False
    return given.get("when", WHEN[0]) in WHEN and given.get("priority", PRIORITIES[0]) in PRIORITIES


def _end(status: int) -> NoReturn:
    """End the process at once, because a normal end costs as much as a tmux command."""
    ignore()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        drop_output()
    os._exit(status)
