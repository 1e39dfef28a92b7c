"""``torch log``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options
from torch_cli.cli.present import note, print_json, say
from torch_cli.errors import RefusedError


@click.command("log")
@click.argument("target", shell_complete=complete_agents)
@click.option("--off", is_flag=True, help="End the log; its files stay.")
@click.option("--path", "ask", is_flag=True, help="Print the file's path, and change nothing.")
@common_options
def command(common: Common, target: str, off: bool, ask: bool) -> None:
    """Log the output of TARGET's pane from now on, as text without colours, until the pane ends.

    At 10 MB the file is put aside. Torch keeps four old files (NAME.log.1 is the newest), and only
    you may read them. tmux pipes the pane to a process of Torch's. If the pane has another pipe,
    that pipe is left alone. If the disk is full, the pane continues, and the file says how much it
    lacks. If a program draws on the alternate screen, the file has each row as often as it is
    redrawn; what is said is in the program's transcript, and Torch names it if it is known.

    \b
    Examples:
      torch log dev
      tail -F "$(torch log dev --path)"
      torch log dev --off
    """
    from torch_cli.store import Store
    from torch_cli.watch.log import log_of, start_log, stop_log

    if off and ask:
        raise RefusedError("give --off or --path, not both; nothing was done", code="usage")
    act = stop_log if off else log_of if ask else start_log
    with Store() as store:
        log = act(store, common.socket, target)
    if common.json:
        print_json(
            {
                "schema": "torch.log/1",
                "target": log.target,
                "pane": log.pane,
                "path": log.path,
                "on": log.on,
                "keeps_history": not log.alternate,
                "transcript": log.transcript or None,
            }
        )
    elif ask:
        say(log.path, exact=True)
    else:
        say(f"{'logging' if log.on else 'not logged'}  {log.target}  {log.pane}  {log.path}")
        if log.on and log.alternate:
            said = (
                f"what is said is in {log.transcript}: torch capture {log.target} --history"
                if log.transcript
                else "no transcript of its program is known"
            )
            note(
                f"  {log.target} draws on the alternate screen: the log has its rows each time "
                f"they are redrawn, and nothing from before; {said}",
                quiet=common.quiet,
            )
