"""``torch inhibit``."""

import contextlib
import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import note

if TYPE_CHECKING:
    from torch_cli.health.awake import Wakefulness


@click.command("inhibit")
@click.option("--for", "duration", metavar="DURATION", help="End after this time (30m, 8h).")
@click.option("--until-rest", is_flag=True, help="End when no agent has worked for a minute.")
@common_options
def command(common: Common, duration: str | None, until_rest: bool) -> None:
    """Keep this machine awake while agents are at work, until Ctrl-C.

    A lock of the system (systemd-inhibit, caffeinate) is held while an agent works, and for a
    minute after that, because turns follow each other. An agent that waits for you is not at work.
    The lock ends with this command, however that ends. A laptop whose lid you close sleeps all the
    same. Sleep that you ask for is refused meanwhile: 'systemctl suspend -i' overrides that.

    \b
    Examples:
      torch inhibit --for 8h
      torch inhibit --until-rest && notify-send 'the agents rest'
    """
    from torch_cli.duration import parse
    from torch_cli.health.awake import stay_awake
    from torch_cli.store import Store
    from torch_cli.watch.listing import agents_on, list_agents

    seconds = parse(duration) if duration is not None else None

    def states() -> list[tuple[str, str]]:
        with Store() as store:
            lines = list_agents(store, agents_on(store, common.socket))
        return [(line.agent.name, str(line.state)) for line in lines]

    quiet = common.quiet or common.json
    # Closed here, so that an interrupt between two changes gives the lock back at once.
    with contextlib.closing(stay_awake(states, seconds=seconds, until_rest=until_rest)) as changes:
        note("  the machine may sleep until an agent works; Ctrl-C ends this", quiet=quiet)
        for change in changes:
            common.show(_object(change), _line(change))


def _object(change: "Wakefulness") -> dict[str, Any]:
    from torch_cli.cli.schema import timestamp

    return {
        "schema": "torch.inhibit/1",
        "at": timestamp(time.time()),
        "awake": bool(change.keeps_away),
        "keeps_away": change.keeps_away or None,
        "agents": list(change.agents),
    }


def _line(change: "Wakefulness") -> str:
    at = time.strftime("%H:%M:%S")
    if not change.keeps_away:
        return f"{at}  may sleep  no agent is at work"
    return f"{at}  awake  at work: {', '.join(change.agents)} (no {change.keeps_away})"
