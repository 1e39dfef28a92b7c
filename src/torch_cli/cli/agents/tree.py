"""``torch tree``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import age, note, print_json, printable, say
from torch_cli.cli.schema import agent_object
from torch_cli.errors import DONE


@click.command("tree")
@common_options
def command(common: Common) -> int:
    """Show the agents, each below its parent, with their states and tasks.

    With --json, one object for each agent, a parent before its children.

    \b
    Examples:
      torch tree
    """
    from torch_cli.cli.table import cut_to_terminal
    from torch_cli.roster.membership import superior
    from torch_cli.store import Store
    from torch_cli.tasks.title import current
    from torch_cli.watch.listing import agents_on, list_agents
    from torch_cli.watch.tree import tree

    with Store() as store:
        lines = list_agents(store, agents_on(store, common.socket))
        ordered = list(tree(lines, lambda agent: superior(store, agent)))
        tasks = {one.agent.name: current(store, one.agent.identity) for one in lines}
    if not lines:
        note("no agents; start one with 'torch spawn NAME', or 'torch up'", quiet=common.quiet)
    for depth, line in ordered:
        task = tasks[line.agent.name]
        if common.json:
            own = {"id": task.id, "state": task.state, "title": task.title} if task else None
            print_json({**agent_object(line), "depth": depth, "task": own})
            continue
        since = f" for {age(time.time() - line.since)}" if line.since else ""
        role = f" ({line.agent.role})" if line.agent.role else ""
        doing = f"  {task.id} ({task.state}) {printable(task.title)}" if task else ""
        shown = f"{'   ' * depth}{line.agent.name}{printable(role)}  {line.shown}{since}{doing}"
        say(cut_to_terminal(shown), exact=True)
    errors = [line.error for line in lines if line.error]
    return errors[0].exit_code if errors else DONE
