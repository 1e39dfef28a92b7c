"""``torch mute``."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options
from torch_cli.cli.present import note

if TYPE_CHECKING:
    from torch_cli.attention.mute import Muted


@click.command("mute")
@click.argument("name", required=False, shell_complete=complete_agents)
@click.argument("duration", required=False)
@click.option("--off", is_flag=True, help="Send notices about the agent again.")
@common_options
def command(common: Common, name: str | None, duration: str | None, off: bool) -> None:
    """Send no notices about the agent NAME for DURATION (30m, 2h), at most 7 days.

    'torch status' and 'torch events' show it as before. If it still waits at the end of that time,
    the daemon tells you then. Without NAME, list the agents that are muted.

    \b
    Examples:
      torch mute dev 2h
      torch mute dev --off
      torch mute
    """
    from torch_cli.attention.mute import mute, muted
    from torch_cli.duration import parse
    from torch_cli.errors import RefusedError
    from torch_cli.store import Store

    if name is None and off:
        raise RefusedError("--off needs the name of an agent; nothing was changed", code="usage")
    if name is not None and (duration is None) != off:
        words = "give a duration, or --off; nothing was changed"
        raise RefusedError(words, hint="For example: torch mute dev 2h", code="usage")
    with Store() as store:
        if name is None:
            found = muted(store)
        else:
            found = [mute(store, name, parse(duration) if duration is not None else 0.0)]
    for one in found:
        common.show(muted_object(one), _line(one))
    if not found and not common.json:
        note("no agent is muted", quiet=common.quiet)


def _line(one: "Muted") -> str:
    if not one.until:
        return f"unmuted  {one.agent.name}"
    until = time.strftime("%a %Y-%m-%d %H:%M:%S", time.localtime(one.until))
    return f"muted  {one.agent.name}  until {until}"


def muted_object(one: "Muted") -> dict[str, Any]:
    """Return an agent that is muted, or is not any more, under its published schema."""
    from torch_cli.cli.schema import timestamp

    return {
        "schema": "torch.mute/1",
        "agent": one.agent.name,
        "until": timestamp(one.until or None),
    }
