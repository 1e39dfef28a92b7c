"""``torch wake``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import SECONDS, common_options
from torch_cli.cli.several import agents_argument, for_each
from torch_cli.errors import DONE


@click.command("wake")
@agents_argument
@click.option(
    "--wait",
    "seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="The most seconds until it is ready (default: the profile's).",
)
@common_options
def command(
    common: Common, names: tuple[str, ...], everyone: bool, team: str, seconds: float | None
) -> int:
    """Start the programs of hibernated agents again, in their conversations.

    Each starts in its window, and gets no message about it. An agent that is awake stays as it is.
    A message wakes an agent as well, so you need this only to have it ready before. Who may send
    an agent a message may wake it.

    One that cannot continue its conversation sleeps on: 'torch restart' says why, and begins a new
    one with --fresh. So does one that is frozen.

    \b
    Examples:
      torch wake dev
      torch wake --all
      torch wake dev --json | jq -r .pane
    """
    from torch_cli.cli.progress import StepPrinter
    from torch_cli.lifecycle.several import chosen
    from torch_cli.lifecycle.wake import wake
    from torch_cli.store import Store

    with Store() as store:
        meant = chosen(
            store, common.socket, names, everyone=everyone, team=team, nothing="nothing was woken"
        )

        def act(name: str) -> int:
            with StepPrinter(common) as progress:
                done = wake(store, name, seconds, progress)
            agent = done.agent
            common.show(
                {
                    "schema": "torch.wake/1",
                    "agent": name,
                    "already": done.already,
                    "pane": agent.pane,
                    "pid": agent.pane_pid,
                    "conversation": agent.conversation or None,
                },
                f"woken  {name}" + ("  it was awake" if done.already else ""),
            )
            return DONE

        return for_each(common, meant, act, not_done="were not woken")
