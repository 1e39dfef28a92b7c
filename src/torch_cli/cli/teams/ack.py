"""``torch ack``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options


@click.command("ack")
@click.argument("words", default="", metavar="[WORDS]")
@common_options
def command(common: Common, words: str) -> None:
    """Acknowledge your newest briefing, as an agent; 'torch ps' shows it.

    The agent itself runs this, in its own pane. WORDS are its comment on the briefing. The first
    time, its parent is told that the agent is there: its directory, its branch, and its skills.

    \b
    Examples:
      torch ack
      torch ack "Understood, but I cannot reach the network."
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.cli.schema import timestamp
    from torch_cli.errors import TorchError
    from torch_cli.store import Store
    from torch_cli.teams.acknowledge import acknowledge, introduce

    with Store() as store:
        done = acknowledge(store, words)
        receipt, unsaid = None, ""
        try:
            receipt = introduce(store, done)
        except TorchError as error:  # it is acknowledged nevertheless
            unsaid = error.message
    if common.json:
        facts = {
            "agent": done.agent.name,
            "message": done.briefed.message,
            "name": done.briefed.name,
        }
        at = timestamp(done.briefed.acknowledged)
        told = receipt.as_json() if receipt else None
        print_json({"schema": "torch.ack/1", **facts, "acknowledged": at, "introduction": told})
        return
    say(printable(f"acknowledged  {done.briefed.name}  {done.briefed.message}"))
    parent = done.agent.parent
    if receipt is not None:
        words = f"  {parent} is told that you are here: {receipt.state}  {receipt.id}"
        note(printable(words), quiet=common.quiet)
    elif unsaid:
        note(printable(f"  {parent} was not told that you are here: {unsaid}"), quiet=common.quiet)
