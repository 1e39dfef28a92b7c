"""``torch state``."""

from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options

if TYPE_CHECKING:
    from torch_cli.watch.state import StateOf


@click.command("state")
@click.argument("targets", nargs=-1, shell_complete=complete_agents)
@common_options
def command(common: Common, targets: tuple[str, ...]) -> None:
    """Show the state of TARGETs (default: every agent), since when, and on what evidence.

    A dialog is shown with its text and the hash that 'torch press --dialog' wants. With --json,
    one object is printed for each target.

    \b
    Examples:
      torch state dev
      torch state dev qa %7 --json
    """
    from torch_cli.cli.present import print_json
    from torch_cli.store import Store
    from torch_cli.watch.state import states_of

    with Store() as store:
        found = states_of(store, common.socket, targets)
    for one in found:
        if common.json:
            print_json(as_json(one))
        else:
            show(one, common)


def as_json(one: "StateOf") -> dict[str, Any]:
    """Return a state under its published schema."""
    from datetime import UTC, datetime

    dialog = one.state.dialog
    return {
        "schema": "torch.state/1",
        "target": one.target,
        "pane": one.pane,
        "state": str(one.state.state),
        "since": datetime.fromtimestamp(one.since, UTC).isoformat(timespec="milliseconds"),
        "evidence": one.state.evidence,
        "draft": one.state.box.text if one.state.box else None,
        "reset": one.state.reset,
        "dialog": (
            {
                "kind": dialog.kind,
                "question": dialog.question,
                "rows": list(dialog.rows),
                "hash": dialog.hash,
            }
            if dialog
            else None
        ),
    }


def show(one: "StateOf", common: Common) -> None:
    """Print one state for people."""
    import time

    from torch_cli.cli.present import age, note, printable

    held = age(time.time() - one.since)
    words = (f"{one.state.state:<9}", one.target, one.pane, f"for {held}", one.state.evidence)
    click.echo("  ".join(printable(word) for word in words))
    dialog = one.state.dialog
    if dialog is not None:
        for row in dialog.rows:
            click.echo(f"    {printable(row)}")
        note(
            f"    answer with: torch press {one.target} KEY --dialog {dialog.hash}",
            quiet=common.quiet,
        )
