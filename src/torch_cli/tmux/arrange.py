"""Arranging panes in windows: what is there, and how it is made again.

Names and directories go to tmux as formats that expand to exactly them, on standard input.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from torch_cli.tmux import quote
from torch_cli.tmux.control import TmuxError, no_server
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import Completed, run
from torch_cli.tmux.socket import Socket

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_LOOK = "#{window_id} #{?automatic-rename,1,0} #{window_layout}"


class WindowLook(NamedTuple):
    """The ``layout`` of a window as tmux writes it, and whether tmux names it by what runs there.

    The layout of a zoomed window is the one that it has otherwise.
    """

    layout: str
    automatic: bool


def looks_at(socket: Socket) -> dict[str, WindowLook]:
    """Return how each window of the server looks, by its id.

    Raises ``NotFoundError`` if there is no server.
    """
    done = run(socket, "-N", "list-windows", "-a", "-F", _LOOK)
    if done.status != 0:
        raise no_server(socket, done.error)
    rows = (line.split(" ", 2) for line in done.out.splitlines())
    return {row[0]: WindowLook(row[2], row[1] == "1") for row in rows if len(row) == 3}


def variables_of(socket: Socket, sessions: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of the variables that were set for each of the ``sessions``, by their ids.

    Those that tmux takes from its clients (``update-environment``) do not count.
    """
    asked = {one: ["show-environment", "-t", one] for one in sessions}
    said = _answers(socket, {**asked, "usual": ["show-options", "-gqv", "update-environment"]})
    usual = set(said.pop("usual", "").split())
    found = {one: sorted(set(_names(text)) - usual) for one, text in said.items()}
    # A line of a value can look like a variable, and must not be taken for the name of one.
    pairs = [(one, name) for one, names in found.items() for name in names]
    exact = {f"{one} {name}": ["show-environment", "-t", one, name] for one, name in pairs}
    known = _answers(socket, exact) if exact else {}
    return {
        one: tuple(name for name in names if known.get(f"{one} {name}", "").startswith(f"{name}="))
        for one, names in found.items()
    }


def _names(text: str) -> Collection[str]:
    return {found[1] for line in text.split("\n") if (found := _NAME.match(line))}


def _answers(socket: Socket, asked: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return what tmux says to each command that is asked, by the same keys; '' for an error."""
    mark = os.urandom(8).hex()
    lines = []
    for key, words in asked.items():
        lines += [quote.line("display-message", "-p", f"{mark}{key}"), quote.line(*words)]
    said = _source(socket, *lines).out.split(mark)[1:]
    parts = (one.partition("\n") for one in said)
    return {key: text for key, _, text in parts}


def give(socket: Socket, pane: str, variables: Mapping[str, str]) -> None:
    """Set ``variables`` for the session of ``pane``, and the windows that it gets later."""
    if variables:
        lines = [
            quote.line("set-environment", "-t", pane, name, value)
            for name, value in variables.items()
        ]
        _source(socket, *lines)


def split(
    socket: Socket,
    beside: str,
    directory: str,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Open a pane with a shell in ``directory`` behind the pane ``beside``; return its id.

    ``environment`` are variables for that shell.

    The panes of the window are made equal first, because a small one cannot be split.
    """
    words = ["split-window", "-d", "-P", "-F", "#{pane_id}", "-t", beside]
    words += ["-c", quote.format_literal(directory)]
    for name, value in {"PWD": directory, **environment}.items():
        words += ["-e", f"{name}={value}"]
    done = _source(socket, _even(beside), quote.line(*words))
    made = done.out.strip()
    if not made.startswith("%"):
        raise TmuxError(f"tmux split-window: {done.error or 'no answer'}")
    return made


def join(socket: Socket, pane: str, beside: str) -> None:
    """Move ``pane`` behind the pane ``beside``, into its window. Raises ``TmuxError``."""
    act = quote.line("join-pane", "-d", "-v", "-s", pane, "-t", beside)
    done = _source(socket, _even(beside), act)
    if done.error:
        raise TmuxError(f"tmux join-pane: {done.error}")


def swap(socket: Socket, pane: str, other: str) -> None:
    """Let two panes change places, and neither get the keys of who looks. Raises ``TmuxError``."""
    done = _source(socket, quote.line("swap-pane", "-d", "-s", pane, "-t", other))
    if done.error:
        raise TmuxError(f"tmux swap-pane: {done.error}")


def lay_out(socket: Socket, pane: str, layout: str) -> None:
    """Give the window of ``pane`` that layout and its size. Raises ``TmuxError``."""
    done = _source(socket, quote.line("select-layout", "-t", pane, layout))
    if done.error:
        raise TmuxError(f"tmux select-layout: {done.error}")


def replace_window(socket: Socket, old: Pane, pane: str) -> None:
    """Put the window of ``pane`` in the place of the window of ``old``, which ends.

    If ``old`` is not where it was, nothing is done. tmux checks that in the same step.
    """
    facts = f"{old.server_pid}/{old.session_id}/{old.window_index}/{old.pid}"
    same = "#{==:#{pid}/#{session_id}/#{window_index}/#{pane_pid},%s}" % facts
    act = f"move-window -d -k -s {pane} -t {old.session_id}:{old.window_index}"
    _source(socket, quote.line("if-shell", "-F", "-t", old.id, same, act))


def call(socket: Socket, pane: str, name: str, *, automatic: bool) -> None:
    """Name the window of ``pane``; ``automatic``: tmux may name it by what runs there."""
    lines = [quote.line("rename-window", "-t", pane, "--", quote.format_literal(name))]
    if automatic:
        options = ("automatic-rename", "allow-rename")
        lines += [quote.line("set-option", "-w", "-u", "-t", pane, one) for one in options]
    _source(socket, *lines)


def bring_forward(socket: Socket, pane: str, *, window: bool) -> None:
    """Make ``pane`` the one that is active in its window, and with ``window`` that in its session.

    Nothing is done while a terminal shows the session: the next key of whoever looks at it would
    go to another pane.
    """
    if is_shown(socket, pane):
        return
    lines = [quote.line("select-pane", "-t", pane)]
    lines += [quote.line("select-window", "-t", pane)] if window else []
    _source(socket, *lines)


def is_shown(socket: Socket, pane: str) -> bool:
    """Return whether a terminal is attached to the session of ``pane``; Torch's own are none."""
    done = run(socket, "-N", "list-clients", "-t", pane, "-F", "#{client_control_mode}")
    return "0" in done.out.split()


def _even(pane: str) -> bytes:
    return quote.line("select-layout", "-t", pane, "tiled")


def _source(socket: Socket, *lines: bytes) -> Completed:
    done = run(socket, "-N", "source-file", "-", stdin=b"\n".join([*lines, b""]))
    return done._replace(error=done.error.removeprefix("-:1: ").removeprefix("-:2: "))
