"""``torch next``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.waking import wake_first


@click.command("next")
@click.option(
    "--client", metavar="NAME", help="The tmux client to switch, for key bindings: #{client_name}."
)
@common_options
def command(common: Common, client: str | None) -> None:
    """Bring this terminal to the agent that needs you and has waited longest.

    Inside tmux the client is switched; 'torch back' returns to where you were. Elsewhere this
    terminal is attached. Once you look at that agent, it goes to the next one that needs you. With
    --json Torch switches nothing, and says who it is.

    \b
    Examples:
      torch next
      tmux bind-key N run-shell "torch next --client '#{client_name}'"
    """
    from torch_cli.attention.next import go, next_step
    from torch_cli.cli.attention.status_shown import need_object
    from torch_cli.cli.present import note, print_json, printable
    from torch_cli.store import Store
    from torch_cli.tmux.attach import attach
    from torch_cli.tmux.socket import Socket

    with Store() as store:
        step = next_step(store, common.socket, client)
    if isinstance(step, str):
        alone = f"nobody needs you but {step}, which you look at" if step else "nobody needs you"
        note(printable(alone), quiet=common.quiet)
        return
    if common.json:
        print_json(need_object(step.need))
        return
    note(printable(f"{step.need.agent.name}: {step.need.words}"), quiet=common.quiet)
    with Store() as store:
        wake_first(common, store, step.need.agent.name)
    if step.client is not None:
        go(step)
    else:
        attach(Socket(path=step.pane.socket_path), step.pane)
