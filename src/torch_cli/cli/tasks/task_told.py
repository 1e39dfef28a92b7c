"""What agents are told of tasks, through the outbox, with its receipt in a line."""

from typing import TYPE_CHECKING

from torch_cli.cli.common import Common
from torch_cli.cli.present import note, printable
from torch_cli.errors import TorchError

if TYPE_CHECKING:
    from torch_cli.roster.actor import Actor
    from torch_cli.store.tasks import Task


def send_about(common: Common, target: str, text: str, kind: str, *, free: bool = False) -> int:
    """Send a message about a task; it waits in the outbox if it must."""
    from torch_cli.delivery.send import Request, send

    receipt = send(
        common.socket, Request(target=target, body=text.encode(), timeout=5.0, kind=kind, free=free)
    )
    words = f"  {receipt.state}  {receipt.id}  {target}"
    note(printable("  ".join(filter(None, [words, receipt.reason]))), quiet=common.quiet)
    return receipt.exit_code


def tell_ended(common: Common, task: "Task", who: "Actor") -> None:
    """Tell who made the task, and the parent of who had it, how it ended."""
    from torch_cli.store import Store
    from torch_cli.tasks.life import concerned
    from torch_cli.tasks.text import result

    with Store() as store:
        found = [one for one in concerned(store, task) if one.name != who.name]
    for agent in found:
        try:
            send_about(common, agent.name, result(task), "message", free=True)
        except TorchError as error:
            words = f"  {agent.name} was not told: {error.message}"
            note(printable(words), quiet=common.quiet)
