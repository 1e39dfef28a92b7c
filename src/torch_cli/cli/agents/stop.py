"""``torch stop``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options

DROPPED_CHARACTERS = 60
"""How many characters of a dropped message's body are shown."""


@click.command("stop")
@click.argument("name", shell_complete=complete_agents)
@click.option(
    "--forget", is_flag=True, help="Only remove the agent's record; its program continues."
)
@common_options
def command(common: Common, name: str, forget: bool) -> None:
    """Ask the agent NAME to end, wait, and then end what Torch started and nothing else.

    Torch asks as the agent's profile says: by a command typed into its empty box, else by keys such
    as C-c, which also decline an open dialog. Torch closes its window if Torch opened it. An
    adopted program that does not end is left alone. Messages that wait for the agent are not typed
    any more: Torch names them. It also names the check-ins for it, and who gets those now.

    \b
    Examples:
      torch stop dev
      torch stop helper --forget
    """
    from torch_cli.lifecycle.stop import stop
    from torch_cli.programs.state import one_line
    from torch_cli.store import Store

    with Store() as store:
        stopped = stop(store, name, forget=forget)
    facts = {
        "agent": stopped.name,
        "how": stopped.how,
        "leftovers": stopped.leftovers,
        "dropped": [message.id for message in stopped.dropped],
        "checkins": [{"name": one, "goes_to": to or None} for one, to in stopped.checkins],
    }
    notes = [
        f"dropped, nothing was typed: {message.id}  {one_line(message.body, DROPPED_CHARACTERS)}"
        for message in stopped.dropped
    ]
    notes += [
        f"check-in {one} goes to {to} from now on"
        if to
        else f"check-in {one} stays, and nobody gets it: 'torch checkin remove {one}' ends it"
        for one, to in stopped.checkins
    ]
    if stopped.leftovers:
        notes.insert(0, f"{stopped.leftovers} processes it left behind were ended")
    words = {
        "asked": "ended when asked",
        "terminated": "ended by SIGTERM",
        "killed": "ended by SIGKILL",
        "gone": "had ended already",
        "forgotten": "is no longer an agent; its program was left alone",
    }
    common.show(
        {"schema": "torch.stop/1", **facts},
        f"stopped  {stopped.name}  {words[stopped.how]}",
        *notes,
    )
