"""``torch rename``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options


@click.command("rename")
@click.argument("name", shell_complete=complete_agents)
@click.argument("new")
@common_options
def command(common: Common, name: str, new: str) -> None:
    """Rename the agent NAME to NEW; its program notices nothing.

    Its messages and their threads, the agents that it has spawned, and its later messages have the
    new name. Its window is renamed too, if Torch made it and it had the agent's name.

    \b
    Examples:
      torch rename dev backend
    """
    from torch_cli.lifecycle.rename import rename
    from torch_cli.store import Store

    with Store() as store:
        done = rename(store, name, new)
    agent = done.agent
    facts = {"agent": agent.name, "before": done.before, "pane": agent.pane, "window": done.window}
    common.show(
        {"schema": "torch.rename/1", **facts},
        f"renamed  {done.before} -> {agent.name}  {agent.pane}  window {done.window}",
    )
