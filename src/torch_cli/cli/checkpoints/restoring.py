"""Restoring files, as ``torch checkpoint restore`` and ``torch recover`` do it."""

import sys
from typing import TYPE_CHECKING

from torch_cli.cli.asking import confirmed
from torch_cli.cli.checkpoints.checkpoint_shown import print_plan
from torch_cli.cli.common import Common

if TYPE_CHECKING:
    from torch_cli.checkpoint.restore import RestorePlan, Source
    from torch_cli.checkpoint.settings import Settings
    from torch_cli.git.worktree import Worktree


def restore(
    worktree: "Worktree",
    source: "Source",
    paths: list[str],
    common: Common,
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Show what restoring from ``source`` changes, ask, and do it; return the exit status."""
    from torch_cli.checkpoint.restore import carry_out, plan
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.cli.present import note
    from torch_cli.errors import DONE, HELD

    settings = load_settings()
    planned = plan(worktree, settings, source, paths)
    if not planned.changes:
        _print_nothing(worktree, settings, planned, paths, common)
        return HELD if planned.skipped and not dry_run else DONE
    if dry_run:
        print_plan(planned, common)
        return DONE
    if not yes:
        _ask(planned, common)
    saved = carry_out(worktree, settings, planned)
    if yes or common.json:
        print_plan(planned, common, saved=saved.id)
    note(f"  the files from before are in {saved.id}", quiet=common.quiet or common.json)
    return HELD if planned.skipped else DONE


def _print_nothing(
    worktree: "Worktree",
    settings: "Settings",
    planned: "RestorePlan",
    paths: list[str],
    common: Common,
) -> None:
    """Say that nothing would change, and which earlier checkpoint would change something."""
    import time

    from torch_cli.checkpoint.restore import earlier
    from torch_cli.cli.present import note
    from torch_cli.git.counts import number

    before = earlier(worktree, settings, planned.source.tree, paths)
    print_plan(planned, common, earlier=before)
    if common.json:
        return
    note(f"  nothing to restore: the files are as in {planned.source.name}", quiet=common.quiet)
    if before:
        one = before.checkpoint
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))
        note(
            f"  the newest one before it that differs is {one.id} of {at} ({one.reason}): "
            f"--from {one.id} would change {number(before.files, 'file')}",
            quiet=common.quiet,
        )


def _ask(planned: "RestorePlan", common: Common) -> None:
    """Ask a person to agree; raise if there is no terminal, or the answer is no."""
    from torch_cli.errors import RefusedError
    from torch_cli.git.counts import number

    files = number(len(planned.changes), "file")
    if common.json or not sys.stdin.isatty():
        raise RefusedError(
            f"{files} would change, and there is no terminal to ask you; nothing was restored",
            hint="--yes restores without asking, --dry-run shows the changes.",
            code="not-confirmed",
        )
    print_plan(planned, common)
    if not confirmed(f"Restore {files} from {planned.source.name}?", err=True):
        raise RefusedError("nothing was restored", code="not-confirmed")
