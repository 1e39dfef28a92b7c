"""``torch ps``."""

import time
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options

if TYPE_CHECKING:
    from torch_cli.store.briefings import Briefed
    from torch_cli.watch.listing import Line


@click.command("ps")
@common_options
def command(common: Common) -> int:
    """List the agents: name, role, profile, state and since when, pane, directory, last message.

    An agent whose pane is gone is shown as 'dead'. If Torch cannot look at an agent, it shows
    'unknown' with the reason, and the exit status is that of the first such error. -L or -S lists
    the agents of that server only. With --json, one object for each agent; -v adds the evidence for
    each state, and the agent's tmux server.

    \b
    Examples:
      torch ps
      torch ps --json | jq -r 'select(.state == "waiting").name'
    """
    from torch_cli.cli.present import note, print_json
    from torch_cli.cli.schema import agent_object
    from torch_cli.errors import DONE
    from torch_cli.store import Store
    from torch_cli.watch.listing import agents_on, list_agents

    with Store() as store:
        lines = list_agents(store, agents_on(store, common.socket))
        lost = len(store.messages.undelivered(untold=True))
        overdue = len(store.checkins.overdue())
    if common.json:
        for line in lines:
            print_json(agent_object(line))
    elif lines:
        _print(lines)
    else:
        note("no agents; 'torch spawn NAME' starts one", quiet=common.quiet)
    for line in lines:
        words = f"{line.agent.name}: {line.evidence} (tmux server {line.agent.socket})"
        common.tell(words)
        if line.safety:
            common.tell(f"{line.agent.name}, protection: {line.safety.sentence}")
    errors = [line.error for line in lines if line.error]
    if not common.json:
        _explain(lines)
    if lost:
        words = "1 message" if lost == 1 else f"{lost} messages"
        note(f"torch: {words} did not arrive: torch outbox list", quiet=common.quiet)
    if overdue:
        words = "1 check-in is" if overdue == 1 else f"{overdue} check-ins are"
        ways = "'torch checkin list' shows them, 'torch checkin remove NAME' removes one"
        note(f"torch: {words} overdue: {ways}", quiet=common.quiet)
    return errors[0].exit_code if errors else DONE


def _explain(lines: "list[Line]") -> None:
    """Say why Torch could not look at some agents, once for each reason."""
    from torch_cli.cli.present import print_error
    from torch_cli.errors import TorchError

    for error in dict.fromkeys(line.error for line in lines if line.error):
        names = ", ".join(line.agent.name for line in lines if line.error is error)
        print_error(TorchError(f"{names}: {error.message}", hint=error.hint), as_json=False)


def _print(lines: "list[Line]") -> None:
    from torch_cli.cli.present import age, print_table
    from torch_cli.delivery.receipt import receipt_of

    now = time.time()
    print_table(
        [
            "NAME",
            "ROLE",
            "PROFILE",
            "STATE",
            "SINCE",
            "PANE",
            "BRIEFED",
            "DIRECTORY",
            "LAST MESSAGE",
        ],
        [
            [
                line.agent.name,
                line.agent.role,
                line.agent.profile,
                line.state,
                age(now - line.since) if line.since else "",
                f"{line.agent.session}:{line.agent.window} {line.agent.pane}",
                _briefed(line.briefed, now),
                line.agent.directory,
                f"{line.message.id} {receipt_of(line.message).state} "
                f"{age(now - line.message.created)} ago"
                if line.message
                else "",
            ]
            for line in lines
        ],
    )


def _briefed(one: "Briefed | None", now: float) -> str:
    from torch_cli.cli.present import age

    if one is None:
        return ""
    if one.acknowledged is None:
        return f"{one.name}, not acknowledged"
    return f"{one.name}, acknowledged {age(now - one.acknowledged)} ago"
