"""``torch ack``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.schema import timestamp
from torch_cli.errors import TorchError


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
    from torch_cli.store import Store
    from torch_cli.teams.acknowledge import acknowledge, introduce

    with Store() as store:
        done = acknowledge(store, words)
        receipt, unsaid = None, ""
        try:
            receipt = introduce(store, done)
        except TorchError as error:  # it is acknowledged nevertheless
            unsaid = error.message
    facts = {
        "schema": "torch.ack/1",
        "agent": done.agent.name,
        "message": done.briefed.message,
        "name": done.briefed.name,
        "acknowledged": timestamp(done.briefed.acknowledged),
        "introduction": receipt.as_json() if receipt else None,
    }
    notes = []
    if receipt is not None:
        told = f"is told that you are here: {receipt.state}  {receipt.id}"
        notes = [f"{done.agent.parent} {told}"]
    elif unsaid:
        notes = [f"{done.agent.parent} was not told that you are here: {unsaid}"]
    common.show(facts, f"acknowledged  {done.briefed.name}  {done.briefed.message}", *notes)
