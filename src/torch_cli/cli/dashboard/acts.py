"""What the keys of ``torch top`` do, each by what the command of that name does.

Each function opens the state file itself, for it runs in a thread of its own, and returns what
became of it in words.
"""

import subprocess
import time
from typing import TYPE_CHECKING

from torch_cli.errors import DONE, HeldError, TorchError
from torch_cli.store import Store
from torch_cli.tmux.socket import Socket

if TYPE_CHECKING:
    from torch_cli.lifecycle.restart import RestartPlan
    from torch_cli.tmux.attach import AttachCommand


def answer(socket: Socket, name: str, said: str, dialog: str, text: str | None = None) -> str:
    """Answer the dialog with the hash ``dialog``, and no other."""
    from torch_cli.attention.answer import answer

    with Store() as store:
        done = answer(store, socket, name, said, dialog, text)
    chosen = f"{done.name}: {done.option.key} {done.option.words}"
    return f"{done.outcome}  {chosen}: {done.words}"


def send(socket: Socket, name: str, message: str) -> str:
    """Send a message, and wait for it as ``torch send`` does."""
    from torch_cli.delivery.send import Request, send

    receipt = send(socket, Request(name, message.encode("utf-8", "surrogateescape")))
    words = f"{receipt.state}  {receipt.id}  {name}"
    if receipt.exit_code == DONE:
        return words
    kept = "; it waits in the outbox" if receipt.kept else ""
    return f"{words}: {receipt.reason}{kept}"


def plan_restart(name: str) -> "RestartPlan":
    """Return what a restart would do, and what it would cost."""
    from torch_cli.lifecycle.restart import plan_restart

    with Store() as store:
        return plan_restart(store, name)


def restart(name: str, agreed: "RestartPlan") -> str:
    """Restart an agent, if it costs no more than a person has agreed to."""
    from torch_cli.lifecycle.restart import plan_restart, restart

    with Store() as store:
        plan = plan_restart(store, name)
        more = [one for one in plan.losses if one not in agreed.losses]
        if more or plan.agent.identity != agreed.agent.identity:
            raise HeldError(
                f"agent '{name}' was not restarted, for it has changed since: {'; '.join(more)}",
                hint="Press r again.",
                code="changed",
            )
        done = restart(store, plan)
    which = f"in a new conversation: {done.why_new}" if done.why_new else "in its conversation"
    return f"restarted  {name}  {which}"


def checkpoint(directory: str) -> str:
    """Make a checkpoint of the worktree of ``directory``."""
    from torch_cli.checkpoint.author import author_in
    from torch_cli.checkpoint.record import Occasion, take
    from torch_cli.checkpoint.retention import prune
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.git.worktree import locate

    settings, worktree = load_settings(), locate(directory)
    outcome = take(worktree, settings, Occasion("manual", author_in(worktree)))
    if outcome.checkpoint is None:
        return f"unchanged  {outcome.top}"
    prune(worktree, settings, time.time(), size=False)
    left = f", {len(outcome.left_out)} left out" if outcome.left_out else ""
    return f"checkpoint  {outcome.checkpoint.id}  {outcome.top}{left}"


def seen(identity: str, name: str) -> str:
    """Note that a person has looked at an agent."""
    with Store() as store:
        store.looks.note(identity, time.time())
    return f"seen  {name}"


def attach_command(socket: Socket, name: str) -> "AttachCommand":
    """Return the command that shows an agent."""
    from torch_cli.delivery.waking import sleeper, wake
    from torch_cli.roster.registry import find
    from torch_cli.tmux.attach import attach_command, client_here

    with Store() as store:
        if (asleep := sleeper(store, socket, name)) is not None:
            wake(asleep, 0.0)  # it starts in the pane that is shown
        found = find(store, socket, name)
    command = attach_command(found.socket, found.pane)
    here = client_here(found.socket) if command.switches else None
    if here is not None:  # tmux itself may take the connection over which the agents are seen
        behind = command.words.index("switch-client") + 1
        command.words[behind:behind] = ["-c", here.name]
    return command


def run_attach(command: "AttachCommand") -> str:
    """Run the command; return '' or why it failed."""
    quiet = subprocess.PIPE if command.switches else None
    done = subprocess.run(
        command.words, env=command.environment, stderr=quiet, text=True, check=False
    )
    return (done.stderr or f"tmux ended with {done.returncode}").strip() if done.returncode else ""


def words_of(error: TorchError) -> str:
    """Return an error in one line."""
    return f"{error.message.rstrip('.')}. {error.hint}".strip()
