"""Options that mean the same in every command, and the context they fill."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from torch_cli.cli.common import LONGEST, Common
from torch_cli.tmux.socket import Socket

F = TypeVar("F", bound=Callable[..., Any])


class _Seconds(click.FloatRange):
    """A number of seconds that a clock can count."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if not seconds <= LONGEST:  # so written because "nan" compares with nothing
            self.fail(f"{value} is no time that can be waited for.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0)


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
