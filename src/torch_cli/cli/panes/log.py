"""``torch log``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options


@click.command("log")
@click.argument("target", shell_complete=complete_agents)
@click.option("--off", is_flag=True, help="End the log; its files stay.")
@click.option("--path", "ask", is_flag=True, help="Change nothing; print the file's path.")
@common_options
def command(common: Common, target: str, off: bool, ask: bool) -> None:
    """Log what TARGET's pane writes from now on, as text without colours, until it ends.

    The file is put aside at 10 MB, four such are kept (NAME.log.1 is the newest), and only you may
    read it. tmux pipes the pane to a process of Torch's; another pipe that the pane has is left
    alone. When the disk is full the pane goes on, and the file says how much it lacks. Of a program
    that draws on the alternate screen the file has rows as they are redrawn, again and again.

    \b
    Examples:
      torch log dev
      tail -F "$(torch log dev --path)"
      torch log dev --off
    """
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.errors import RefusedError
    from torch_cli.store import Store
    from torch_cli.watch.log import log_of, start_log, stop_log

    if off and ask:
        raise RefusedError("--off and --path exclude each other; nothing was done", code="usage")
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
            }
        )
    elif ask:
        say(log.path)
    else:
        say(f"{'logging' if log.on else 'not logged'}  {log.target}  {log.pane}  {log.path}")
        if log.on and log.alternate:
            note(
                f"  {log.target} draws on the alternate screen: the log has its rows as they are "
                "redrawn, and nothing from before",
                quiet=common.quiet,
            )
