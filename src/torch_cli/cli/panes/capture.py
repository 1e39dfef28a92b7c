"""``torch capture``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import COUNT, common_options
from torch_cli.cli.present import note, print_json, print_text


@click.command("capture")
@click.argument("target", shell_complete=complete_agents)
@click.option(
    "-n",
    "--lines",
    type=COUNT,
    metavar="LINES",
    help="The last N lines; lines above the screen come from the history, or the transcript.",
)
@click.option(
    "--history", is_flag=True, help="All lines that tmux, or the program's transcript, has."
)
@click.option("--ansi", is_flag=True, help="Keep colours and attributes.")
@click.option("--join", is_flag=True, help="Join wrapped lines.")
@common_options
def command(
    common: Common, target: str, lines: int | None, history: bool, ansi: bool, join: bool
) -> None:
    """Print the screen of TARGET's pane, without the blank lines at its end.

    If an agent's program draws on the alternate screen (Claude Code's full-screen renderer, Codex,
    opencode), tmux keeps no history. Then the lines above the screen are what was said, from the
    program's own transcript, and Torch says so (Claude Code and Codex). Otherwise only the present
    screen exists.

    \b
    Examples:
      torch capture dev
      torch capture dev -n 200 --join
      torch capture %7 --history > session.txt
    """
    from torch_cli.roster.registry import find
    from torch_cli.store import Store
    from torch_cli.watch.spoken import spoken

    with Store() as store:
        found = find(store, common.socket, target)
    pane = found.pane
    seen = spoken(found, count=lines, history=history, ansi=ansi, join=join)
    size = f"{pane.width}x{pane.height}"
    common.tell(f"pane {pane.id} ({pane.place}), {size}, {len(seen.lines)} lines")
    if seen.alternate and (history or (lines or 0) > pane.height):
        why = f"{found.name} draws on the alternate screen, of which tmux keeps no history"
        if seen.said is not None:
            rest = f"this is {seen.origin}"
        else:
            rest = (
                f"its {pane.height} rows are all that exists, because no transcript of its program "
                "is known; lines above them are from before it began"
            )
        note(f"torch: {why}: {rest}", quiet=common.quiet)
    if common.json:
        print_json(
            {
                "schema": "torch.capture/1",
                "target": found.name,
                "pane": pane.id,
                "keeps_history": not seen.alternate,
                "transcript": seen.said.path if seen.said else None,
                "lines": seen.lines,
            }
        )
    else:
        print_text("".join(f"{line}\n" for line in seen.lines), colours=ansi)
