"""The continuous log of a pane: tmux pipes the pane's output to a process of Torch."""

import os
import shlex
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.errors import HeldError, RefusedError, TorchError
from torch_cli.paths import state_dir
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket
from torch_cli.watch import log_writer
from torch_cli.watch.spoken import transcript_of

LOG_OPTION = "@torch_log"
"""The pane's option that holds the path of its log."""

WRITER_SECONDS = 30.0
"""Seconds in which the writer must begin, or end. It needs some 0.05 (2026-11-24), and took more
than 5 once, on an overloaded machine (2026-11-28)."""

OTHER_LOG_SECONDS = 1.0
"""Seconds to wait for another ``torch log`` that has begun the pane's pipe."""

_TAKEN = "torch: this pane has a pipe"


class Log(NamedTuple):
    """The log of one pane. ``on`` says that it is being written now.

    ``alternate`` says that its program draws on the alternate screen now. The lines of the log are
    then redrawn rows. ``transcript`` is the file in which its program keeps what is said, '' if
    that is not known.
    """

    target: str
    pane: str
    path: str
    on: bool
    alternate: bool = False
    transcript: str = ""


def log_of(store: Store, socket: Socket, target: str) -> Log:
    """Return where the log of ``target`` is, and whether it is being written."""
    found = find(store, socket, target)
    with ControlClient(found.socket, found.pane.session_id) as client:
        return _log_of(client, found)


def start_log(store: Store, socket: Socket, target: str) -> Log:
    """Log the output of the pane of ``target`` from now on; return the log.

    Waits for an earlier writer of the file to end. Raises ``HeldError`` if the pane has another
    pipe, which stays, ``RefusedError`` if its program has ended, and ``TorchError`` if the file
    cannot be written.
    """
    found = find(store, socket, target)
    pane = found.pane
    with ControlClient(found.socket, pane.session_id) as client:
        log = _log_of(client, found)
        if log.on:
            return log
        if pane.dead:
            raise _ended(found)

        def begun() -> bool:  # by another 'torch log'
            return _log_of(client, found).on

        _is_free(log.path, WRITER_SECONDS, begun)
        try:
            _check_writable(log.path)
        except HeldError:
            if begun():
                return log._replace(on=True)
            raise
        client.call("set-option", "-p", "-t", pane.id, LOG_OPTION, log.path)
        taken = quote.line("display-message", "-p", _TAKEN)
        pipe = quote.line("pipe-pane", "-O", "-t", pane.id, _writer(log.path))
        choice = [os.fsdecode(command) for command in (taken, pipe)]
        replies = client.ask(quote.line("if-shell", "-F", "-t", pane.id, "#{pane_pipe}", *choice))
        theirs = any(_TAKEN in reply.text for reply in replies)
        if not _begins(client, found, OTHER_LOG_SECONDS if theirs else WRITER_SECONDS):
            raise _piped(found) if theirs else _no_writer(found, log)
    store.events.add("log", found.name, {"on": True, "path": log.path})
    return log._replace(on=True)


def stop_log(store: Store, socket: Socket, target: str) -> Log:
    """End the log of ``target`` and return it. The files stay, and so does a pipe of others.

    The file has everything that reached the writer. Output that tmux still held back is lost.
    """
    found = find(store, socket, target)
    with ControlClient(found.socket, found.pane.session_id) as client:
        log = _log_of(client, found)
        if log.on:
            if found.pane.dead:
                raise _ended(found)
            client.call("pipe-pane", "-t", found.pane.id)
            _is_free(log.path, WRITER_SECONDS)
            store.events.add("log", found.name, {"on": False, "path": log.path})
    return log._replace(on=False)


def _log_of(client: ControlClient, found: Found) -> Log:
    shown = f"#{{version}} #{{pane_pipe}} #{{?alternate_on,1,0}} #{{{LOG_OPTION}}}"
    said = client.call("display-message", "-p", "-t", found.pane.id, shown).text.rstrip("\n")
    version, piped, alternate, path = said.split(" ", 3)
    path = quote.printed(path, version)
    # Another pipe in place of ours has ended our writer.
    on = piped == "1" and bool(path) and log_writer.is_locked(path)
    if not path or not on:
        path = _path_for(found)
    transcript = transcript_of(found) if alternate == "1" else ""
    return Log(found.name, found.pane.id, path, on, alternate == "1", transcript)


def _path_for(found: Found) -> str:
    """Return the path of a new log, named after the agent, or after tmux's numbers of the pane."""
    pane = found.pane
    name = found.name if found.agent else f"pane-{pane.server_pid}-{pane.id.removeprefix('%')}"
    return os.path.join(state_dir(), "logs", f"{name}.log")


def _is_free(path: str, seconds: float, unless: Callable[[], bool] = lambda: False) -> bool:
    """Wait at most ``seconds`` until nobody writes to ``path``; return whether that is so.

    The wait also ends once ``unless`` returns true.
    """
    deadline = time.monotonic() + seconds
    while log_writer.is_locked(path):
        if time.monotonic() >= deadline or unless():
            return False
        time.sleep(0.01)
    return True


def _check_writable(path: str) -> None:
    try:
        log_writer.Rotated(path).close()
    except OSError as error:
        raise TorchError(
            f"{path} cannot be written: {error.strerror}; nothing is logged",
            hint="Check the state directory, or set TORCH_HOME.",
            code="not-writable",
        ) from error
    if log_writer.is_locked(path):
        raise HeldError(
            f"{path} is being written by another process; nothing is logged",
            hint="A program writes it for a pane whose agent had this name, until 'torch log PANE "
            "--off', or writes out what this pane printed before: then try again.",
            code="log-taken",
        )


def _writer(path: str) -> str:
    """Return the shell command that tmux runs, quoted so that tmux expands nothing in it."""
    # -I and -S: without the user's Python settings, and without site packages.
    words = [sys.executable, "-I", "-S", log_writer.__file__, path]
    return quote.format_literal("exec " + shlex.join(words)).replace("%", "%%")


def _begins(client: ControlClient, found: Found, seconds: float) -> bool:
    """Return whether the pane is being logged; waits at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while not _log_of(client, found).on:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _piped(found: Found) -> HeldError:
    return HeldError(
        f"pane {found.pane.id} of '{found.name}' has a pipe that does not lead to Torch; it was "
        "left alone, and nothing is logged",
        hint=f"To end that pipe: tmux pipe-pane -t {found.pane.id}. If Torch's writer was killed, "
        "tmux ends it when the pane writes next.",
        code="piped",
    )


def _ended(found: Found) -> RefusedError:
    return RefusedError(
        f"the program in pane {found.pane.id} of '{found.name}' has ended, and tmux then "
        "neither begins nor ends a pipe; nothing was done",
        hint="A log ends with its pane.",
        code="dead",
    )


def _no_writer(found: Found, log: Log) -> TorchError:
    return TorchError(
        f"the log of '{found.name}' did not begin within {WRITER_SECONDS:g} s; {log.path} may lack "
        "output",
        code="no-writer",
    )
