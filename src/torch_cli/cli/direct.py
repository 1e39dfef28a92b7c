"""``send``, ``ask``, ``ps`` and ``status`` without click, for the calls that are made all day.

Importing click costs a quarter of a whole delivery (25 of 97 ms of CPU time, 2026-11-23), and as
much as all of tmux in a list of 64 agents. This module handles only plain, well-formed calls. click
handles everything else, help and mistakes too, so that there is one place for what people read. A
test gives both the same words.
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
_SERVER = {name: _ASK[name] for name in ("-L", "--socket-name", "-S", "--socket-path")}
VALUES = {"ask": _ASK, "ps": _SERVER, "send": _SEND, "status": _SERVER}
"""The options with a value, by command, and the parameter of each."""

_COMMON = {
    "--json": "as_json",
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
}
_MESSAGE = {**_COMMON, "--plain": "plain", "--clean": "clean"}
FLAGS = {"ask": _MESSAGE, "ps": _COMMON, "send": _MESSAGE, "status": {**_COMMON, "--line": "line"}}
"""The options without a value, likewise."""

_ARGUMENTS = {"ask": ("target", "message"), "send": ("target", "message")}
"""What is not an option, by command: of the others nothing."""

WHEN = ("ready", "idle", "now")
PRIORITIES = ("low", "normal", "high")
_SECONDS = ("timeout", "wait")


def execute(command: str, words: Sequence[str]) -> None:
    """Do what ``words`` say, and end the process. If click must look, return and do nothing.

    ``command`` is a key of ``VALUES``.
    """
    given = None if "_TORCH_COMPLETE" in os.environ else parse(command, words)
    if given is None:
        return
    socket = Socket.choose(given.pop("socket_name", None), given.pop("socket_path", None))
    flags = (given.pop(name, False) for name in ("as_json", "quiet", "verbose"))
    common = Common(socket, *flags)
    _end(run(lambda: _does(command, common, given), as_json=common.json))


def _does(command: str, common: Common, given: dict[str, Any]) -> int:
    if command == "ps":
        from torch_cli.cli.agents import ps_shown
        from torch_cli.cli.table import TableForm

        return ps_shown.show(common, TableForm(evidence=common.verbose))
    if command == "status":
        from torch_cli.cli.attention import status_shown

        return status_shown.show(common, **given)
    from torch_cli.cli import sending

    return (sending.run_ask if command == "ask" else sending.run_send)(common, **given)


def parse(command: str, words: Sequence[str]) -> dict[str, Any] | None:
    """Return the parameters in ``words``, or ``None`` if click must read them."""
    values, flags = VALUES[command], FLAGS[command]
    given: dict[str, Any] = {}
    places: list[str] = []
    cursor = iter(words)
    for word in cursor:
        if word == "--":
            places += cursor
        elif word == "-" or not word.startswith("-"):
            places.append(word)
        elif word in flags:
            given[flags[word]] = True
        else:
            name, equals, value = word.partition("=")
            if equals and not name.startswith("--"):
                return None  # to click it is "-L" with the value "=..."
            value = value if equals else next(cursor, "-")
            if name not in values or value.startswith("-"):
                return None
            given[values[name]] = value
    names = _ARGUMENTS.get(command, ())
    readable = _readable([*given.values(), *places[:1]])
    if len(places) != len(names) or not _sound(given) or not readable:
        return None
    return {**given, **dict(zip(names, places, strict=True))}


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
