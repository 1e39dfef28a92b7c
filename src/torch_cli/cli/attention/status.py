"""``torch status``."""

import click

from torch_cli.cli.attention import status_shown
from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options


@click.command("status")
@click.option("--line", is_flag=True, help="Print one line of at most 80 columns.")
@common_options
def command(common: Common, line: bool) -> int:
    """Show who needs you, grouped by what you have to do next, the longest waiting first.

    answer: a dialog waits; its question and its options are shown, and the command that answers it,
    only while exactly these words are up. look: Torch cannot tell what the agent does, it works
    without a sign of progress (only a daemon can tell), or the text of a message is in its input
    box and was not submitted. fix: its program has ended, its turn ended with an error of its API,
    or it cannot be looked at. done: it is idle after a turn, and you have not looked at its pane
    since ('torch seen' says that you have). wait: a limit, a start, another attempt after an error,
    or 'torch freeze'. nothing: it works, or is idle.

    Torch looks at every agent now. While a scheduler runs, the time comes from the history of
    states, and Torch knows who is done. Messages that wait are named at the end, or what else waits
    for a scheduler. Exit status 8 if anybody needs you (answer, look, fix), 0 if nobody does. With
    --json, one object for each agent. -L or -S shows the agents of that server only; exit status 3
    if it does not run and has none. The daemon tells you when an agent begins to need you: see
    'torch notify -h'.

    \b
    Examples:
      torch status
      torch status --line
      torch status --json | jq -r 'select(.do == "answer").steps[0].line'
    """
    return status_shown.show(common, line=line)
