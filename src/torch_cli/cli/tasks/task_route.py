"""``torch task route``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import EVERYWHERE, common_options
from torch_cli.cli.present import note, print_error
from torch_cli.cli.tasks.task_shown import print_choice
from torch_cli.cli.tasks.task_told import send_about
from torch_cli.errors import DONE, TorchError
from torch_cli.teamfile.schema import STRATEGIES


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
@EVERYWHERE
@common_options
def command(
    common: Common,
    strategy: str | None,
    explain: bool,
    dry_run: bool,
    no_send: bool,
    everywhere: bool,
) -> int:
    """Give the tasks of this project to idle agents that have the skills and lead nobody.

    Urgent tasks come first; a waiting task gains a step of priority with each hour. An agent gets
    one task, of its own project or of none. -L or -S means the agents of that tmux server only.

    \b
    Examples:
      torch task route --dry-run --explain
      torch task route --strategy best-skilled
    """
    from torch_cli.roster.actor import actor
    from torch_cli.roster.edges import may_write
    from torch_cli.roster.project import project_here, project_of
    from torch_cli.store import Store
    from torch_cli.tasks.assignment import decide, give_out, rules_in
    from torch_cli.tasks.text import order
    from torch_cli.tasks.title import show_task
    from torch_cli.watch.listing import agents_on

    status = DONE
    with Store() as store:
        who = actor(store)
        agents = agents_on(store, common.socket)
        if who.agent is not None:
            agents = [one for one in agents if may_write(store, who.agent, one)]
        project = "" if everywhere else project_here(store, who.agent)
        agents = [one for one in agents if not project or project_of(store, one) == project]
        rules = rules_in(project or ".")
        rules = rules._replace(strategy=strategy) if strategy else rules
        choices = decide(store, agents, rules, project)
        given = {}
        if not dry_run:
            for choice, task in give_out(store, choices, who):
                given[choice.task.id] = task
                show_task(store, task.agent if task else "")
    for choice in choices:
        print_choice(choice, choice.task.id in given, common, explain=explain)
        task = given.get(choice.task.id)
        if task is None or choice.agent is None or no_send:
            continue
        try:
            status = send_about(common, choice.agent.name, order(task), "task") or status
        except TorchError as error:  # the other agents are still told
            print_error(error, common.json)
            status = status or error.exit_code
    if not choices and not common.json:
        note("  no task of the pool can be given now", quiet=common.quiet)
    return status
