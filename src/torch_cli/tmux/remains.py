"""What a pane shows and keeps when its program has ended."""

from torch_cli.tmux import quote
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

DEAD_FORMAT = "remain-on-exit-format"
"""New in tmux 3.3."""

TOKEN = "TORCH_START"
"""The variable with the token of the start that has begun a program."""

TOKEN_OPTION = "@torch_start"
"""The same, kept with the pane: of a program that has ended nobody can read the variables."""

_PATH = "@torch_path"


def keeps_dead(socket: Socket, pane: Pane) -> bool:
    """Return whether ``pane`` stays when its program ends, also if that succeeds."""
    asked = ("-N", "show-options", "-pAv", "-t", pane.id, "remain-on-exit")
    return run(socket, *asked).out.strip() == "on"


def say_when_dead(socket: Socket, pane: Pane, words: str) -> None:
    """Have ``pane`` show ``words`` when its program has ended, '' for what tmux says itself."""
    value = ["-u", "-t", pane.id, DEAD_FORMAT] if not words else ["-t", pane.id, DEAD_FORMAT]
    told = [quote.format_literal(words)] if words else []
    run(socket, "-N", "source-file", "-", stdin=quote.line("set-option", "-p", "-q", *value, *told))


def token_of(socket: Socket, pane: Pane) -> str:
    """Return the token of the start that has begun the program of ``pane``, '' if none has."""
    return run(socket, "-N", "show-options", "-pqv", "-t", pane.id, TOKEN_OPTION).out.rstrip("\n")


def note_path(socket: Socket, pane: Pane, path: str) -> None:
    """Have ``pane`` keep the ``PATH`` of its program: tmux gives a new one that of its client."""
    told = quote.line("set-option", "-p", "-t", pane.id, _PATH, path)
    run(socket, "-N", "source-file", "-", stdin=told)


def noted_path(socket: Socket, pane: Pane) -> str:
    """Return the ``PATH`` that ``pane`` keeps, '' if it keeps none."""
    return run(socket, "-N", "show-options", "-pqv", "-t", pane.id, _PATH).out.rstrip("\n")
