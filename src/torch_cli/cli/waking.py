"""Waking an agent before somebody looks at it."""

from typing import TYPE_CHECKING

from torch_cli.cli.common import Common

if TYPE_CHECKING:
    from torch_cli.store import Store


def wake_first(common: Common, store: "Store", target: str) -> None:
    """Wake the agent ``target`` if it is hibernated; if that fails, say why.

    None of another tmux server than the caller has named.
    """
    agent = store.agents.get(target)
    if agent is None or agent.hibernated is None or agent.stopped is not None:
        return
    if common.socket.demanded and not common.socket.leads_to(agent.socket):
        return
    from torch_cli.cli.present import note
    from torch_cli.cli.progress import StepPrinter
    from torch_cli.errors import TorchError
    from torch_cli.lifecycle.wake import wake

    try:
        with StepPrinter(common) as progress:
            wake(store, agent.name, on_step=progress)
    except TorchError as error:
        note(f"torch: {error.message}", quiet=common.quiet)
