"""``torch task route``."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import EVERYWHERE, SECONDS, common_options
from torch_cli.cli.present import note, print_error, printable
from torch_cli.cli.tasks.task_shown import print_choice
from torch_cli.cli.tasks.task_told import send_about
from torch_cli.errors import DONE, TIMED_OUT, RefusedError, TorchError
from torch_cli.teamfile.schema import STRATEGIES

if TYPE_CHECKING:
    from torch_cli.store.tasks import Task
    from torch_cli.tasks.ranking import Choice


@click.command("route")
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    help="How to rank the agents that can take a task (default: as torch.toml says, or "
    "least-loaded).",
)
@click.option("--explain", is_flag=True, help="Say of each agent why it was not chosen.")
@click.option("--dry-run", is_flag=True, help="Show what would be given, and give nothing.")
@click.option("--no-send", is_flag=True, help="Do not send the agents a message.")
@click.option(
    "--wait",
    type=SECONDS,
    default=0.0,
    metavar="SECONDS",
    help="Wait this long for agents to end their turns, and give what they can take then.",
)
@EVERYWHERE
@common_options
def command(
    common: Common,
    strategy: str | None,
    explain: bool,
    dry_run: bool,
    no_send: bool,
    wait: float,
    everywhere: bool,
) -> int:
    """Give the tasks of this project to idle agents that have the skills and lead nobody.

    Urgent tasks come first; a waiting task gains a step of priority with each hour. An agent gets
    one task, of its own project or of none. -L or -S means the agents of that tmux server only.
    An agent that has just reported a finished task is still in its turn: --wait waits for its end.

    \b
    Examples:
      torch task route --dry-run --explain
      torch task route --wait 120
    """
    from torch_cli.roster.actor import actor
    from torch_cli.roster.project import project_here
    from torch_cli.store import Store
    from torch_cli.tasks.assignment import decide_as, give_in_time, rules_in
    from torch_cli.tasks.text import order
    from torch_cli.tasks.title import show_task

    if wait and dry_run:
        raise RefusedError(
            "--dry-run gives nothing, so there is nothing to --wait for; nothing was done",
            code="usage",
        )
    status, late = DONE, False
    with Store() as store:
        who = actor(store)
        project = "" if everywhere else project_here(store, who.agent)
        rules = rules_in(project or ".")
        rules = rules._replace(strategy=strategy) if strategy else rules
        decided = partial(decide_as, store, common.socket, who, rules, project)
        found: Iterator[tuple[Choice, Task | None]]
        if dry_run:
            found = iter([(choice, None) for choice in decided()])
        else:
            found = give_in_time(store, decided, who, wait, partial(_say_waiting, common))
        choice: Choice | None = None
        for choice, task in found:
            print_choice(choice, task is not None, common, explain=explain)
            if task is None or choice.agent is None:
                late = late or bool(choice.soon)
                continue
            show_task(store, task.agent)
            if no_send:
                continue
            try:
                status = send_about(common, choice.agent.name, order(task), "task") or status
            except TorchError as error:  # the other agents are still told
                print_error(error, common.json)
                status = status or error.exit_code
    if choice is None and not common.json:
        note("  no task of the pool can be given now", quiet=common.quiet)
    if late and not wait and not common.json:
        note("  'torch task route --wait 120' waits for the end of that turn", quiet=common.quiet)
    return status or (TIMED_OUT if late and wait else DONE)


def _say_waiting(common: Common, left: "Sequence[Choice]") -> None:
    if common.json:
        return
    for one in left:
        names = f", for {', '.join(one.soon)}" if one.soon else ""
        note(printable(f"  {one.task.id} waits{names}"), quiet=common.quiet)
