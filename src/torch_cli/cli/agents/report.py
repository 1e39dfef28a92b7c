"""``torch report``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_reportable
from torch_cli.cli.options import common_options
from torch_cli.cli.present import print_json, printable, say


@click.command("report")
@click.argument("state", shell_complete=complete_reportable)
@click.option("--message", "-m", "words", default="", metavar="WORDS", help="What about, in words.")
@common_options
def command(common: Common, state: str, words: str) -> None:
    """Report STATE for the program in this pane: starting, idle, working, waiting or limited.

    For programs that no profile can read: 'torch state', 'ps', 'wait' and 'why' show the report
    where the screen tells nothing. Any script may set the pane's option instead; the time, as date
    +%s has it, is optional. After ten minutes a report does not count any more.

    A report never makes Torch type. A message goes only into an input box that Torch sees.

    \b
    Examples:
      torch report working --message "step 3 of 5"
      torch report waiting -m "may I delete the branch?"
      tmux set-option -p @torch_state "idle $(date +%s)"
    """
    from torch_cli.cli.schema import report_object
    from torch_cli.store import Store
    from torch_cli.watch.reported import report

    with Store() as store:
        made = report(store, state, words)
    if common.json:
        place = {"pane": made.pane, "agent": made.agent or None}
        print_json({"schema": "torch.report/1", **place, **(report_object(made.report) or {})})
        return
    shown = filter(None, ["reported", str(made.report.state), made.agent or made.pane, words])
    say(printable("  ".join(shown)))
