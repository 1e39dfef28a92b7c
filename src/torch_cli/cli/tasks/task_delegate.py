"""``torch task delegate``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_profiles, complete_tasks
from torch_cli.cli.options import ANY_BYTES, common_options
from torch_cli.cli.present import note, print_json, printable, say
from torch_cli.cli.progress import StepPrinter

if TYPE_CHECKING:
    from torch_cli.delivery.receipt import Receipt
    from torch_cli.tasks.delegate import Delegated


@click.command("delegate")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@click.argument("arguments", metavar="[-- ARGS]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--to", "child", metavar="NAME", help="The new agent's name (default: yours, and a number)."
)
@click.option("--role", default="developer", show_default=True, help="Its role, and its briefing.")
@click.option(
    "--profile",
    shell_complete=complete_profiles,
    help="Its program's profile (default: your own, or claude).",
)
@click.option(
    "--dir", "directory", type=ANY_BYTES, metavar="DIR", help="Its directory (default: your own)."
)
@click.option(
    "--worktree",
    "branch",
    default="",
    metavar="BRANCH",
    help="Start it in a git worktree of this branch.",
)
@click.option("--session", metavar="SESSION", help="The tmux session (default: your own).")
@common_options
def command(
    common: Common,
    name: str,
    arguments: tuple[str, ...],
    child: str | None,
    role: str,
    profile: str | None,
    directory: str | None,
    branch: str,
    session: str | None,
) -> int:
    """Start a new agent, and give it TASK, which is in the pool or your own.

    As an agent you become its parent, and are told how the task ends. The number of agents is
    limited, as with 'torch spawn'. --worktree makes a git worktree of BRANCH beside the project.
    ARGS behind -- go to the program.

    \b
    Examples:
      torch task delegate t-4afefc20 --worktree fix/parser
      torch task delegate t-4afefc20 --to reader --role researcher
    """
    from torch_cli.roster.actor import actor
    from torch_cli.store import Store
    from torch_cli.tasks.delegate import NewAgent, delegate, free_name
    from torch_cli.tasks.life import find_task
    from torch_cli.tasks.title import show_task

    with Store() as store:
        who = actor(store)
        task, own = find_task(store, name), who.agent
        wanted = NewAgent(
            name=child or free_name(store, own.name if own else role, own),
            role=role,
            profile=profile or (own.profile if own else "claude"),
            directory=directory or (own.directory if own else "."),
            branch=branch,
            session=session or (own.session if own else None),
            arguments=arguments,
        )
        with StepPrinter(common) as progress:
            done = delegate(store, common.socket, who, task, wanted, progress)
        for identity in (done.task.agent, task.agent):
            show_task(store, identity)
    _print(common, done)
    receipts = [one for one in (done.briefing, done.order) if one is not None]
    return max(one.exit_code for one in receipts)


def _print(common: Common, done: "Delegated") -> None:
    task = done.task
    if common.json:
        sent = {"briefing": _receipt(done.briefing), "order": _receipt(done.order)}
        where = {"dir": done.directory, "branch": done.branch or None}
        facts = {"id": task.id, "agent": task.holder, **where, **sent}
        print_json({"schema": "torch.task-delegate/1", **facts})
        return
    say(printable(f"delegated  {task.id}  {task.holder}  {task.title}"))
    branch = f", branch {done.branch}" if done.branch else ""
    note(printable(f"  it works in {done.directory}{branch}"), quiet=common.quiet)
    for what, receipt in (("briefing", done.briefing), ("task", done.order)):
        if receipt is not None:
            words = [f"  {what}", str(receipt.state), receipt.id, receipt.reason]
            note(printable("  ".join(filter(None, words))), quiet=common.quiet)


def _receipt(receipt: "Receipt | None") -> "dict[str, object] | None":
    return dict(receipt.as_json()) if receipt else None
