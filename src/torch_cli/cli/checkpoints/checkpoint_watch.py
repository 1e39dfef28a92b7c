"""``torch checkpoint watch`` and ``status``: the worktrees that are recorded by themselves."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, table_options
from torch_cli.cli.present import age, note, print_json, printable, say, unscheduled
from torch_cli.cli.schema import timestamp
from torch_cli.cli.table import Column, TableForm
from torch_cli.errors import RefusedError

_COLUMNS = (
    Column("directory", 0, 20, "path"),
    Column("last", 0, 0),
    Column("outcome", 1, 16),
    Column("every", 2, 0),
    Column("agents", 3),
    Column("commits", 4),
)


@click.command("watch")
@click.argument("directory", default=".", type=click.Path())
@click.option("--every", metavar="DURATION", help="30m, 2h; 0: never.")
@click.option(
    "--on-idle/--no-on-idle", default=None, help="Also when an agent there has finished its turn."
)
@click.option("--default", "forget", is_flag=True, help="Use the settings again.")
@common_options
def watch_command(
    common: Common, directory: str, every: str | None, on_idle: bool | None, forget: bool
) -> None:
    """Have the daemon, or tick, make checkpoints of the worktree of DIRECTORY.

    Without this, Torch watches the directory of every agent, every 30 minutes.

    \b
    Examples:
      torch checkpoint watch ~/project --every 10m --on-idle
      torch checkpoint watch ~/project --every 0
      torch checkpoint watch ~/project --default
    """
    from torch_cli import duration
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.git.worktree import locate
    from torch_cli.store import Store

    if forget == (every is not None or on_idle is not None):
        raise RefusedError(
            "give --every or --on-idle, or --default; nothing was changed", code="usage"
        )
    seconds = None
    if every is not None:
        seconds = 0.0 if every.strip() == "0" else duration.parse(every)
    settings = load_settings()
    worktree = locate(directory)
    with Store() as store:
        known = store.watches.get(worktree.top)
        if not forget:
            seconds = known.every if every is None else seconds
            on_idle = known.on_idle if on_idle is None else on_idle
            seconds = settings.every if seconds is None and on_idle else seconds
        store.watches.set(worktree.top, every=seconds, on_idle=on_idle)
    _print_watch(worktree.top, seconds, on_idle, common)


def _print_watch(top: str, every: float | None, on_idle: bool | None, common: Common) -> None:
    from torch_cli import duration
    from torch_cli.store import Store

    if common.json:
        said = {"dir": top, "every_s": every, "on_idle": on_idle}
        print_json({"schema": "torch.checkpoint-watch/1", **said})
        return
    often = "as the settings say" if every is None else f"every {duration.words(every)}"
    often = "not watched" if every == 0 else often
    say(f"{often}{', and when idle' if on_idle else ''}  {printable(top)}")
    with Store() as store:
        if every != 0 and (missing := unscheduled(store)):
            note(f"  {missing}", quiet=common.quiet)


@click.command("status")
@common_options
@table_options(_COLUMNS)
def status_command(common: Common, look: TableForm) -> None:
    """Show which directories are watched, and the outcome of the last attempt in each.

    \b
    Examples:
      torch checkpoint status
      torch checkpoint status --json
    """
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.schedule.worktrees import watched
    from torch_cli.store import Store

    with Store() as store:
        found = watched(store, load_settings())
    now = time.time()
    objects = (
        {
            "schema": "torch.checkpoint-status/1",
            "dir": one.top,
            "repository": one.repository,
            "agents": [agent.name for agent in one.agents],
            "every_s": one.every,
            "on_idle": one.on_idle,
            "commit_every_s": one.watch.commit_every,
            "attempted": timestamp(one.watch.attempted or None),
            "due": timestamp(one.due()) if one.watch.attempted else None,
            "failed": one.watch.failed,
            "said": one.watch.said or None,
            "checkpoint": one.watch.checkpoint or None,
            "commit_said": one.watch.commit_said or None,
        }
        for one in found
    )
    rows = (
        [
            one.top,
            f"{age(now - one.watch.attempted)} ago" if one.watch.attempted else "not yet",
            ("failed: " if one.watch.failed else "") + one.watch.said,
            (age(one.every) if one.every else "never") + (", idle" if one.on_idle else ""),
            one.names,
            one.watch.commit_said,
        ]
        for one in found
    )
    nothing = "nothing is watched: there are no agents, and no 'torch checkpoint watch'"
    common.show_all(objects, _COLUMNS, rows, look, nothing)
