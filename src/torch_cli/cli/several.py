"""Commands that take one agent, several, a team, or all: each has its own result."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from torch_cli.cli.asking import confirmed
from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES
from torch_cli.errors import DONE, Interrupted, RefusedError, TorchError

F = TypeVar("F", bound=Callable[..., Any])

_ALL = click.option("--all", "everyone", is_flag=True, help="All agents, but not yourself.")
_TEAM = click.option(
    "--team", type=ANY_BYTES, default="", metavar="TEAM", help="A team, by name or by its file."
)


def agents_argument(function: F) -> F:
    """Add the names of agents, ``--all`` and ``--team``."""
    return click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_agents)(
        _ALL(_TEAM(function))
    )


def for_each(
    common: Common, names: Sequence[str], act: Callable[[str], int], *, not_done: str
) -> int:
    """Call ``act`` for each name; return the first exit status that is not 0.

    An error of one agent is printed, and the others have their turn. ``not_done`` says, behind
    their names, what did not happen to the rest if a signal ends the command.
    """
    if len(names) == 1:
        return act(names[0])
    status = DONE
    for number, name in enumerate(names, 1):
        try:
            code = act(name)
        except Interrupted as interrupt:
            if rest := names[number:]:
                interrupt.message = f"{interrupt.message or 'interrupted'}; {', '.join(rest)} "
                interrupt.message += not_done
            raise
        except TorchError as error:
            _print_error(common, name, error)
            code = error.exit_code
        status = status or code
    return status


def _print_error(common: Common, name: str, error: TorchError) -> None:
    from torch_cli.cli.present import error_object, print_error, print_json

    if common.json:
        print_json({"agent": name, "error": error_object(error)})
    else:
        print_error(error, as_json=False)


def consent(common: Common, names: Sequence[str], what: str) -> None:
    """Ask the person at the terminal whether to do ``what`` to so many agents; raise if not.

    Without a terminal, raises ``RefusedError``, which names ``--yes``.
    """
    from torch_cli.cli.present import printable

    listed = printable(", ".join(names))
    if common.json or not sys.stdin.isatty():
        raise RefusedError(
            f"{len(names)} agents are meant: {listed}; nothing was done",
            hint=f"--yes will {what} them without asking.",
            code="no-consent",
        )
    if not confirmed(f"{what.capitalize()} {len(names)} agents ({listed})?", err=True):
        raise RefusedError("nothing was done", code="no-consent")
