"""``torch wait``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import SECONDS, common_options
from torch_cli.cli.several import for_each
from torch_cli.errors import DONE


@click.command("wait")
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_agents)
@click.option(
    "--for",
    "wanted",
    required=True,
    metavar="STATE[,STATE]",
    help="starting, idle, error, working, retrying, stalled, waiting, limited, exited, dead, "
    "hibernated, unknown",
)
@click.option(
    "--timeout",
    type=SECONDS,
    required=True,
    metavar="SECONDS",
    help="The most seconds to wait for the state.",
)
@common_options
def command(common: Common, targets: tuple[str, ...], wanted: str, timeout: float) -> int:
    """Wait until each of TARGETS is in one of the states, and print it. Exit status 6 if the time
    runs out.

    An agent whose program has ended, or ends meanwhile, is said at once: exit status 3, unless you
    wait for 'dead', 'exited' or 'hibernated'. One that is woken meanwhile is waited for on.

    Several are waited for one after the other, within one time, each with its own result: one that
    is printed may have come to be in another state since. The exit status is the first that is not
    0.

    An agent that tries again after an error ('retrying') is 'working', too, and so is one of which
    the daemon has seen no sign of progress for long ('stalled'). If you wait for 'idle'
    and its last turn ended with an error ('error'), that is said at once: exit status 9. An agent
    that is hibernated counts as 'idle', and is not woken.

    \b
    Examples:
      torch wait dev --for idle --timeout 600
      torch wait dev qa --for idle --timeout 3600
      torch wait dev --for waiting,limited,dead --timeout 3600 && notify-send "dev needs you"
    """
    from torch_cli.cli.agents.state import show
    from torch_cli.cli.progress import ProgressPrinter
    from torch_cli.store import Store
    from torch_cli.watch.wait import wait_until

    names = [word.strip() for word in wanted.split(",") if word.strip()]
    deadline = time.monotonic() + timeout
    on_wait = ProgressPrinter(common, f"until it is {' or '.join(names)}, {timeout:g} s at most")
    with Store() as store:

        def act(target: str) -> int:
            left = timeout if len(targets) == 1 else max(0.0, deadline - time.monotonic())
            show(wait_until(store, common.socket, target, names, left, on_wait), common)
            return DONE

        return for_each(common, targets, act, not_done="were not waited for")
