"""``torch task start``, ``done``, ``fail``, ``block`` and ``release``, for a task's agent."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_tasks
from torch_cli.cli.options import common_options, seconds_option
from torch_cli.cli.tasks.task_shown import print_task
from torch_cli.cli.tasks.task_told import tell_ended

if TYPE_CHECKING:
    from torch_cli.store.tasks import Task

REASON_OPTION = click.option("-m", "--message", default="", metavar="WORDS", help="The reason.")


def _act(
    common: Common, name: str, act: "Callable[..., Task]", done: str, *given: str | float
) -> None:
    """Do ``act`` with a task, and say what was ``done``; ``given`` are its further arguments."""
    from torch_cli.roster.actor import actor
    from torch_cli.store import Store
    from torch_cli.tasks.life import find_task
    from torch_cli.tasks.title import show_task

    with Store() as store:
        who = actor(store)
        before = find_task(store, name)
        task = act(store, before, who, *given)
        show_task(store, task.agent or before.agent)
        print_task(task, done, common)
    if task.state in ("done", "failed"):
        tell_ended(common, task, who)


@click.command("start")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@common_options
def start_command(common: Common, name: str) -> None:
    """Say that work on TASK has begun; this also takes a task from the pool.

    \b
    Examples:
      torch task start t-4afefc20
    """
    from torch_cli.tasks.life import start

    _act(common, name, start, "started")


@click.command("done")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON_OPTION
@seconds_option("--timeout", 600.0, "The most seconds for the check.")
@common_options
def done_command(common: Common, name: str, message: str, timeout: float) -> None:
    """Say that TASK is done; its check runs first, in the agent's directory.

    If the check does not exit with 0, the task continues, and the check's last lines are shown. The
    maker of the task, and your parent, are told.

    \b
    Examples:
      torch task done t-4afefc20 -m "Commit 3f2a1b0; 214 tests pass."
    """
    from torch_cli.tasks.life import done

    _act(common, name, done, "done", message, timeout)


@click.command("fail")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON_OPTION
@common_options
def fail_command(common: Common, name: str, message: str) -> None:
    """End TASK: it will not be done. Its maker, and your parent, are told.

    \b
    Examples:
      torch task fail t-4afefc20 -m "The service is gone."
    """
    from torch_cli.tasks.life import fail

    _act(common, name, fail, "failed", message)


@click.command("block")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON_OPTION
@common_options
def block_command(common: Common, name: str, message: str) -> None:
    """Say that TASK waits for somebody else; it stays yours, and its lease is paused.

    \b
    Examples:
      torch task block t-4afefc20 -m "Needs the key of the test server."
    """
    from torch_cli.tasks.life import block

    _act(common, name, block, "blocked", message)


@click.command("release")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON_OPTION
@common_options
def release_command(common: Common, name: str, message: str) -> None:
    """Give TASK back to the pool.

    \b
    Examples:
      torch task release t-4afefc20 -m "Not my field."
    """
    from torch_cli.tasks.life import release

    _act(common, name, release, "released", message)


COMMANDS = (start_command, done_command, fail_command, block_command, release_command)
