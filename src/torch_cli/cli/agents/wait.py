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
    help="starting, idle, working, waiting, limited, exited, dead, unknown",
)
@click.option(
    "--timeout",
    type=SECONDS,
    required=True,
    metavar="SECONDS",
    help="The most seconds to wait for it.",
)
@common_options
def command(common: Common, target: str, wanted: str, timeout: float) -> None:
    """Wait until TARGET is in one of the states, and print it. Exit status 6 when time runs out.

    \b
    Examples:
      torch wait dev --for idle --timeout 600
      torch wait dev --for waiting,limited,dead --timeout 3600 && notify-send "dev needs you"
    """
    from torch_cli.cli.agents.state import show
    from torch_cli.cli.progress import check_reader
    from torch_cli.errors import RefusedError
    from torch_cli.programs.state import State
    from torch_cli.roster.registry import find
    from torch_cli.store import Store
    from torch_cli.tmux.control import ControlClient
    from torch_cli.watch.state import profile_of, remember
    from torch_cli.watch.wait import wait_for

    names = [word.strip() for word in wanted.split(",") if word.strip()]
    strange = [name for name in names if name not in set(State)]
    if strange or not names:
        hint = f"States: {', '.join(State)}."
        if "vanished" in strange:
            hint += " A pane that has vanished is 'dead' here."
        raise RefusedError(f"'{', '.join(strange) or wanted}' is no state", hint=hint, code="usage")
    with Store() as store:
        found = find(store, common.socket, target)
        with ControlClient(found.socket, found.pane.session_id) as client:
            profile = profile_of(client, store, found)
            states = [State(name) for name in names]
            sight = wait_for(client, store, found, profile, states, timeout, check_reader)
        one = remember(store, found, sight)
    show(one, common)
