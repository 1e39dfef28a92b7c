"""``torch stop``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.several import agents_argument, consent, for_each
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from torch_cli.lifecycle.stop import Stopped

DROPPED_CHARACTERS = 60
"""How many characters of a dropped message's body are shown."""

_HOW = {
    "asked": "ended when asked",
    "terminated": "ended by SIGTERM",
    "killed": "ended by SIGKILL",
    "gone": "had ended already",
    "forgotten": "is no longer an agent; its program was left alone",
}


@click.command("stop")
@agents_argument
@click.option(
    "--forget", is_flag=True, help="Only remove the agent's record; its program continues."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether all are meant.")
@common_options
def command(
    common: Common,
    names: tuple[str, ...],
    everyone: bool,
    team: str,
    forget: bool,
    yes: bool,
) -> int:
    """Ask the agents to end, wait, and then end what Torch started and nothing else.

    Torch asks as the agent's profile says: by a command typed into its empty box, else by keys such
    as C-c, which also decline an open dialog. Torch closes its window if Torch opened it. An
    adopted program that does not end is left alone. Messages that wait for the agent are not typed
    any more: Torch names them. It also names the check-ins for it, and who gets those now.

    They are stopped one after the other, each with its own result. The exit status is the first
    that is not 0. --all and --team ask first; without a terminal they want --yes.

    \b
    Examples:
      torch stop dev
      torch stop --all --yes
      torch stop helper --forget
    """
    from torch_cli.lifecycle.several import chosen
    from torch_cli.lifecycle.stop import stop
    from torch_cli.store import Store

    with Store() as store:
        meant = chosen(
            store, common.socket, names, everyone=everyone, team=team, nothing="nothing was stopped"
        )
        if not (names or yes):
            consent(common, meant, "stop")

        def act(name: str) -> int:
            _show(common, stop(store, name, forget=forget))
            return DONE

        return for_each(common, meant, act, not_done="were not stopped")


def _show(common: Common, stopped: "Stopped") -> None:
    from torch_cli.programs.state import one_line

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
    common.show(
        {"schema": "torch.stop/1", **facts},
        f"stopped  {stopped.name}  {_HOW[stopped.how]}",
        *notes,
    )
