"""``torch ps``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options


@click.command("ps")
@common_options
def command(common: Common) -> None:
    """List the agents: name, role, profile, state and since when, pane, directory, last message.

    An agent whose pane is gone is shown as 'vanished'. With --json, one object for each agent.

    \b
    Examples:
      torch ps
      torch ps --json | jq -r 'select(.state == "waiting").name'
    """
    from torch_cli.cli.present import age, note, print_json, print_table
    from torch_cli.store import Store
    from torch_cli.watch.listing import list_agents

    with Store() as store:
        lines = list_agents(store)
    if common.json:
        for line in lines:
            agent = line.agent
            print_json(
                {
                    "schema": "torch.agent/1",
                    "name": agent.name,
                    "role": agent.role,
                    "profile": agent.profile,
                    "parent": agent.parent,
                    "state": line.state,
                    "since": line.since,
                    "evidence": line.evidence,
                    "pane": agent.pane,
                    "session": agent.session,
                    "window": agent.window,
                    "dir": agent.directory,
                    "message": line.message.id if line.message else None,
                    "message_state": line.message.state if line.message else None,
                }
            )
        return
    if not lines:
        note("no agents; start one with 'torch spawn NAME'", quiet=common.quiet)
        return
    now = time.time()
    print_table(
        ["NAME", "ROLE", "PROFILE", "STATE", "SINCE", "PANE", "DIRECTORY", "LAST MESSAGE"],
        [
            [
                line.agent.name,
                line.agent.role,
                line.agent.profile,
                line.state,
                age(now - line.since) if line.since else "",
                f"{line.agent.session}:{line.agent.window} {line.agent.pane}",
                line.agent.directory,
                f"{line.message.id} {line.message.state} {age(now - line.message.created)} ago"
                if line.message
                else "",
            ]
            for line in lines
        ],
    )
