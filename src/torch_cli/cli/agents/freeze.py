"""``torch freeze``."""

from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.several import agents_argument, for_each
from torch_cli.errors import DONE, HELD

if TYPE_CHECKING:
    from torch_cli.lifecycle.freeze import Frozen


@click.command("freeze")
@agents_argument
@click.option("--no-interrupt", is_flag=True, help="Let a working agent end its turn.")
@common_options
def command(
    common: Common, names: tuple[str, ...], everyone: bool, team: str, no_interrupt: bool
) -> int:
    """Stop agents for now: nothing happens to them until 'torch thaw'.

    The turn of a working agent is interrupted, and its program goes on running. Messages wait in
    the outbox, check-ins too; it gets no tasks, keeps its own, and is not restarted. That survives
    the daemon and a reboot. A message that is being typed is finished.

    Torch interrupts only where the profile names a key for it, the agent certainly works, its input
    box is empty and nobody types. Otherwise it presses nothing, says why, and freezes the agent all
    the same: exit status 4, because its turn may go on. A question stays open.

    \b
    Examples:
      torch freeze --all
      torch freeze dev qa --no-interrupt
      torch freeze --team shop --json | jq -r 'select(.works_on).agent'
    """
    from torch_cli.lifecycle.freeze import freeze
    from torch_cli.lifecycle.several import chosen
    from torch_cli.store import Store

    with Store() as store:
        meant = chosen(
            store, common.socket, names, everyone=everyone, team=team, nothing="nothing was frozen"
        )

        def act(name: str) -> int:
            done = freeze(store, name, interrupts=not no_interrupt)
            common.show(_object(done), f"frozen  {name}  {_words(done)}", *_notes(done))
            return HELD if done.works_on else DONE

        return for_each(common, meant, act, not_done="were not frozen")


def _object(done: "Frozen") -> dict[str, Any]:
    from torch_cli.cli.schema import timestamp

    turn = done.turn
    return {
        "schema": "torch.freeze/1",
        "agent": done.agent.name,
        "frozen": timestamp(done.agent.frozen),
        "already": done.already,
        "before": str(turn.before) if turn else None,
        "interrupted": turn is not None and turn.ended,
        "works_on": done.works_on,
        "why": (turn.why or None) if turn else None,
        "left": (turn.left or None) if turn else None,
        "waiting": done.waiting,
    }


def _words(done: "Frozen") -> str:
    turn = done.turn
    if turn is None:
        return "it was already" if done.already else "its turn, if any, goes on to its end"
    if turn.ended:
        return "its turn was interrupted"
    if turn.why:
        return f"not interrupted: {turn.why}"
    return f"it was {turn.before}" + (", and frozen already" if done.already else "")


def _notes(done: "Frozen") -> list[str]:
    notes = []
    if done.turn is not None and done.turn.left:
        notes.append(
            "its program has put a text back into its input box: after 'torch thaw' messages wait "
            "until that is sent or deleted there"
        )
    if done.waiting:
        count = "1 message waits" if done.waiting == 1 else f"{done.waiting} messages wait"
        notes.append(f"{count} for it: torch outbox list")
    return notes
