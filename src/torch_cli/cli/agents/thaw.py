"""``torch thaw``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.several import agents_argument, for_each
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from torch_cli.lifecycle.freeze import Thawed


@click.command("thaw")
@agents_argument
@common_options
def command(common: Common, names: tuple[str, ...], everyone: bool, team: str) -> int:
    """Let agents go on that 'torch freeze' has stopped.

    What waited for them is delivered now, in its order, by the daemon or the next 'torch tick'. A
    turn that was interrupted does not go on by itself: send a message.

    \b
    Examples:
      torch thaw --all
      torch thaw dev && torch send dev "Please continue."
    """
    from torch_cli.cli.present import note, unscheduled
    from torch_cli.lifecycle.freeze import thaw
    from torch_cli.lifecycle.several import chosen
    from torch_cli.store import Store

    waits = False
    with Store() as store:
        meant = chosen(
            store, common.socket, names, everyone=everyone, team=team, nothing="nothing was thawed"
        )
        if everyone:
            frozen = {one.name for one in store.agents.all() if one.frozen is not None}
            meant = [name for name in meant if name in frozen]
            if not meant:
                note("no agent is frozen", quiet=common.quiet)

        def act(name: str) -> int:
            nonlocal waits
            done = thaw(store, name)
            waits = waits or bool(done.waiting and not done.held)
            notes = [_of_messages(done)] if done.waiting else []
            if done.cut:
                more = f"torch send {name} 'Please continue.'"
                notes.append(f"its turn was interrupted, and does not go on by itself: {more}")
            common.show(
                {
                    "schema": "torch.thaw/1",
                    "agent": name,
                    "already": done.already,
                    "interrupted": done.cut,
                    "waiting": done.waiting,
                    "held": done.held or None,
                },
                f"not frozen  {name}" if done.already else f"thawed  {name}",
                *notes,
            )
            return DONE

        status = for_each(common, meant, act, not_done="were not thawed")
        missing = unscheduled(store) if waits else ""
    if missing:
        note(f"torch: messages wait, and {missing}", quiet=common.quiet)
    return status


def _of_messages(done: "Thawed") -> str:
    """Return what becomes of the messages that wait."""
    if done.held:
        return f"messages that go on waiting: {done.waiting}, because {done.held}"
    if done.already:
        return f"messages that wait: {done.waiting}: torch outbox list"
    return f"messages that go out now: {done.waiting}"
