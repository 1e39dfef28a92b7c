"""``torch seen``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options


@click.command("seen")
@click.argument("agents", nargs=-1, shell_complete=complete_agents)
@click.option("--all", "every", is_flag=True, help="All agents.")
@common_options
def command(common: Common, agents: tuple[str, ...], every: bool) -> None:
    """Say that you have looked at each AGENT, so that 'torch status' no longer lists it as done.

    While a daemon runs, it sees by itself when the pane of an agent is the active one of your
    terminal. An agent is done again once it has ended another turn. With --json, one object.

    \b
    Examples:
      torch seen dev
      torch seen --all
    """
    from torch_cli.cli.present import print_json, printable, say
    from torch_cli.errors import NotFoundError, RefusedError
    from torch_cli.store import Store
    from torch_cli.watch.listing import agents_on

    if every == bool(agents):
        raise RefusedError("name the agents, or give --all; nothing was changed", code="usage")
    with Store() as store:
        known = {agent.name: agent for agent in agents_on(store, common.socket)}
        for name in agents:
            if name not in known:
                raise NotFoundError(
                    f"no agent named '{name}'; nothing was changed",
                    hint="'torch ps' lists the agents.",
                    code="no-agent",
                )
        names = list(known) if every else list(dict.fromkeys(agents))
        now = time.time()
        for name in names:
            store.looks.note(known[name].identity, now)
    if common.json:
        print_json({"schema": "torch.seen/1", "names": names})
        return
    for name in names:
        say(f"seen  {printable(name)}")
