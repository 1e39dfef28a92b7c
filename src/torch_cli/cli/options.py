"""Options that mean the same in every command, and the context they fill."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click

from torch_cli.tmux.socket import Socket

F = TypeVar("F", bound=Callable[..., Any])


class Common(NamedTuple):
    """What the common options said: the tmux server, the form of the output, how much to say."""

    socket: Socket
    json: bool
    quiet: bool
    verbose: bool


def common_options(function: F) -> F:
    """Add ``-L``, ``-S``, ``--json``, ``-q`` and ``-v``; pass them as one ``common`` argument."""

    @click.option("-L", "--socket-name", metavar="NAME", help="tmux server by name, as tmux -L.")
    @click.option("-S", "--socket-path", metavar="PATH", help="tmux server by path, as tmux -S.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON; errors too.")
    @click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
    @click.option("-v", "--verbose", is_flag=True, help="Say more about what is done.")
    @wraps(function)
    def wrapper(
        socket_name: str | None,
        socket_path: str | None,
        as_json: bool,
        quiet: bool,
        verbose: bool,
        **others: Any,
    ) -> Any:
        socket = Socket.choose(socket_name, socket_path)
        return function(common=Common(socket, as_json, quiet, verbose), **others)

    return wrapper  # type: ignore[return-value]
