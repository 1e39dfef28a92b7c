"""``torch ack``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options


@click.command("ack")
@click.argument("words", default="", metavar="[WORDS]")
@common_options
def command(common: Common, words: str) -> None:
    """Acknowledge the briefing that you, an agent, were given last; 'torch ps' shows it.

    To be run by the agent itself, in its own pane. WORDS are what it wants to say to it.

    \b
    Examples:
      torch ack
      torch ack "Understood, but I cannot reach the network."
    """
    from torch_cli.cli.present import print_json, say
    from torch_cli.cli.schema import timestamp
    from torch_cli.store import Store
    from torch_cli.team.acknowledge import acknowledge

    with Store() as store:
        done = acknowledge(store, words)
    if common.json:
        facts = {"agent": done.agent, "message": done.briefed.message, "name": done.briefed.name}
        at = timestamp(done.briefed.acknowledged)
        print_json({"schema": "torch.ack/1", **facts, "acknowledged": at})
        return
    say(f"acknowledged  {done.briefed.name}  {done.briefed.message}")
