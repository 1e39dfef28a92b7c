"""``torch notify``: how a person is told that an agent needs them."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, table_options
from torch_cli.cli.present import note, print_json
from torch_cli.cli.table import Column, TableForm, print_table
from torch_cli.cli.verbs import Verbs

_COLUMNS = (Column("channel", 0, 0), Column("state", 0, 0, "state"), Column("words", 1, 20))


@click.group("notify", cls=Verbs)
def command() -> None:
    """Try how you are told that an agent needs you.

    The daemon tells you when an agent begins to wait for an answer, cannot be read, or has ended:
    in the status line of every attached terminal, by their bell, on the desktop, and by a command,
    a webhook, ntfy or apprise if config.toml names one. It does not tell you while you look at the
    agent's pane, nor in quiet hours.

    The settings are in the table [notify] of config.toml: tmux, bell, desktop (true or false),
    command (a list of words), webhook, ntfy (an address), apprise (a list of addresses), dwell,
    cooldown, timeout (durations), quiet ("22:00-07:00"), severity (low, normal, high).

    \b
    Examples:
      torch notify test
    """


@command.command("test")
@common_options
@table_options(_COLUMNS)
def test_command(common: Common, look: TableForm) -> int:
    """Tell you something now by each channel, and say what became of it.

    Exit status 0 if you were told, 1 if no channel reached you, or one failed.

    \b
    Examples:
      torch notify test
      torch notify test --json | jq -r '.channels[] | select(.state == "failed").words'
    """
    from torch_cli.attention.trial import try_channels
    from torch_cli.errors import DONE, FAILURE
    from torch_cli.store import Store

    with Store() as store:
        tried = try_channels(store, common.socket)
    states = [one.state for one in tried]
    if common.json:
        channels = [one._asdict() for one in tried]
        print_json({"schema": "torch.notify/1", "channels": channels})
    else:
        print_table(_COLUMNS, tried, look)
        if "told" not in states:
            note("torch: you were not told by any channel", quiet=common.quiet)
            note(
                '       Attach to tmux, or name a command in config.toml: [notify] command = ["…"]',
                quiet=common.quiet,
            )
    return DONE if "told" in states and "failed" not in states else FAILURE
