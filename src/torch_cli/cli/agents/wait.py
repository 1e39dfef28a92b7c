"""``torch wait``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import SECONDS, common_options


@click.command("wait")
@click.argument("target", shell_complete=complete_agents)
@click.option(
    "--for",
    "wanted",
    required=True,
    metavar="STATE[,STATE]",
    help="starting, idle, error, working, retrying, stalled, waiting, limited, exited, dead, "
    "unknown",
)
@click.option(
    "--timeout",
    type=SECONDS,
    required=True,
    metavar="SECONDS",
    help="The most seconds to wait for the state.",
)
@common_options
def command(common: Common, target: str, wanted: str, timeout: float) -> None:
    """Wait until TARGET is in one of the states, and print it. Exit status 6 if the time runs out.

    An agent that tries again after an error ('retrying') is 'working', too, and so is one of which
    the daemon has seen no sign of progress for long ('stalled'). If you wait for 'idle'
    and its last turn ended with an error ('error'), that is said at once: exit status 9.

    \b
    Examples:
      torch wait dev --for idle --timeout 600
      torch wait dev --for waiting,limited,dead --timeout 3600 && notify-send "dev needs you"
    """
    from torch_cli.cli.agents.state import show
    from torch_cli.cli.progress import check_reader
    from torch_cli.store import Store
    from torch_cli.watch.wait import wait_until

    names = [word.strip() for word in wanted.split(",") if word.strip()]
    with Store() as store:
        one = wait_until(store, common.socket, target, names, timeout, check_reader)
    show(one, common)
