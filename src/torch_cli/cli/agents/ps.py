"""``torch ps``."""

import click

from torch_cli.cli.agents import ps_shown
from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, table_options
from torch_cli.cli.table import TableForm


@click.command("ps")
@common_options
@table_options(ps_shown.AGENT_COLUMNS)
@click.option("--watch", is_flag=True, help="Show the list until Ctrl-C or q, always as it is now.")
def command(common: Common, look: TableForm, watch: bool) -> int:
    """List the agents: name, state and since when, role, profile, pane, directory, last message.

    On a terminal the list fits its width: cells are cut, and columns without room are left out, the
    least important first; name and state stay. Who needs you comes first. In a pipe or a file the
    list does not depend on the terminal: every column, nothing cut, agents by name.

    Panes that look like agents and are not registered are below the list, each with the command
    that registers it; in a pipe they are only counted, on stderr. 'torch adopt --all' asks you
    about each.

    An agent whose pane is gone is shown as 'dead'. If Torch cannot look at an agent, it shows
    'unknown' with the reason, and the exit status is that of the first such error. Why another one
    is 'unknown', and what to do, is said below the list ('advice' with --json). -L or -S lists the
    agents of that server only; exit status 3 if it does not run and has none. -v adds to each agent
    the evidence for its state, what protects messages to it, and its tmux server. With --json, one
    object for each agent.

    \b
    Examples:
      torch ps
      torch ps --watch
      torch ps -o name,state,message,evidence --wide
      torch ps --json | jq -r 'select(.state == "waiting").name'
    """
    return ps_shown.show(common, look, watch=watch)
