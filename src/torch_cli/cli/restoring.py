"""Restoring files, as ``torch checkpoint restore`` and ``torch recover`` do it."""

import sys
from typing import TYPE_CHECKING

import click

from torch_cli.cli.checkpoint_shown import print_plan
from torch_cli.cli.common import Common

if TYPE_CHECKING:
    from torch_cli.checkpoint.restore import Plan
    from torch_cli.git.worktree import Worktree


def restore(
    worktree: "Worktree",
    tree: str,
    paths: list[str],
    source: str,
    common: Common,
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Show what restoring from ``tree`` changes, ask, and do it; return the exit status."""
    from torch_cli.checkpoint.restore import carry_out, plan
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.cli.present import note
    from torch_cli.errors import DONE, HELD

    settings = load_settings()
    planned = plan(worktree, settings, tree, paths, source)
    if dry_run or not planned.changes:
        print_plan(planned, common, done=False)
        if not planned.changes and not common.json:
            note(f"  nothing to restore: {source} has it as it is", quiet=common.quiet)
        return DONE if dry_run or not planned.skipped else HELD
    if not yes:
        _ask(planned, source, common)
    done = carry_out(worktree, settings, planned, source)
    if yes or common.json:
        print_plan(done, common, done=True)
    note(f"  what was there is in {done.saved.id}", quiet=common.quiet or common.json)
    return HELD if done.skipped else DONE


def _ask(planned: "Plan", source: str, common: Common) -> None:
    """Have a person agree; raise if there is none, or the answer is no."""
    from torch_cli.errors import RefusedError
    from torch_cli.git.counts import number

    files = number(len(planned.changes), "file")
    if common.json or not sys.stdin.isatty():
        raise RefusedError(
            f"{files} would change, and nobody is there to be asked; nothing was restored",
            hint="--yes does it, --dry-run shows what it does.",
            code="not-confirmed",
        )
    print_plan(planned, common, done=False)
    if not click.confirm(f"Restore {files} from {source}?", err=True):
        raise RefusedError("nothing was restored", code="not-confirmed")
