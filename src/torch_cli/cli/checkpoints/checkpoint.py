"""``torch checkpoint``: what is on disk, kept off every branch."""

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from torch_cli.cli.asking import confirmed
from torch_cli.cli.checkpoints.checkpoint_shown import (
    CHECKPOINT_COLUMNS,
    checkpoint_object,
    counts_object,
    print_checkpoint,
    print_checkpoints,
    print_outcomes,
)
from torch_cli.cli.checkpoints.checkpoint_watch import status_command, watch_command
from torch_cli.cli.checkpoints.restoring import restore
from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_checkpoints
from torch_cli.cli.options import COUNT, IN_DIR, common_options, table_options
from torch_cli.cli.present import print_json, print_text, printable, say
from torch_cli.cli.table import TableForm
from torch_cli.cli.verbs import Verbs
from torch_cli.errors import RefusedError, TorchError

if TYPE_CHECKING:
    from torch_cli.checkpoint.settings import Settings
    from torch_cli.git.worktree import Worktree


@click.group("checkpoint", cls=Verbs)
def command() -> None:
    """Save the files of a worktree, off every branch, and restore them.

    A checkpoint is a tree in the repository itself, under refs/torch/. HEAD, the index and the
    files stay untouched, no hook runs, and 'git log --all', 'git push' and 'git clone' do not see
    it. Secrets, and files that are too large, are left out and named. Every 30 minutes 'torch
    daemon' or 'torch tick' makes one of every agent's directory.

    \b
    Examples:
      torch checkpoint now -m "before the big change"
      torch checkpoint list
      torch checkpoint diff
      torch checkpoint restore src/app.py --from c-4afefc20
      torch checkpoint watch ~/project --every 10m --on-idle
    """


@command.command("now")
@click.argument("directories", metavar="[DIR]...", nargs=-1, type=click.Path())
@click.option(
    "-m", "--note", default="", metavar="NOTE", help="A note for the list: why you made it."
)
@common_options
def now_command(common: Common, directories: tuple[str, ...], note: str) -> int:
    """Make a checkpoint of the worktree of each DIR (default: this directory), if it has changed.

    Submodules, and repositories in the worktree, get their own.

    \b
    Examples:
      torch checkpoint now
      torch checkpoint now -m "tests pass" ~/project ~/other
    """
    from torch_cli.checkpoint.author import author_in
    from torch_cli.checkpoint.record import CheckpointOutcome, Occasion, take
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.git.command import NICENESS
    from torch_cli.git.worktree import locate

    settings = load_settings()
    os.nice(NICENESS)  # it is less urgent than a message
    outcomes = []
    done: set[str] = set()
    for directory in directories or (".",):
        try:
            worktree = locate(directory)
            if worktree.git_dir in done:
                continue
            done.add(worktree.git_dir)
            occasion = Occasion("manual", author_in(worktree), note)
            outcomes.append(take(worktree, settings, occasion))
            if outcomes[-1].checkpoint:
                _thin_out(worktree, settings)
        except TorchError as error:
            if len(directories) <= 1:
                raise
            outcomes.append(CheckpointOutcome(directory, error=error))
    return print_outcomes(outcomes, common)


def _thin_out(worktree: "Worktree", settings: "Settings") -> None:
    from torch_cli.checkpoint.retention import prune

    prune(worktree, settings, time.time(), size=False)


@command.command("list")
@click.argument("directory", default=".", type=click.Path())
@click.option(
    "--all", "every", is_flag=True, help="Checkpoints of all worktrees of the repository."
)
@click.option("-n", "--number", type=COUNT, help="The newest N only.")
@common_options
@table_options(CHECKPOINT_COLUMNS)
def list_command(
    common: Common, look: TableForm, directory: str, every: bool, number: int | None
) -> None:
    """List the checkpoints of the worktree of DIRECTORY, the newest last.

    With --json, one object for each checkpoint. --all also lists those of removed worktrees. A mark
    shows which one 'latest' means: the newest that no restore has made.

    \b
    Examples:
      torch checkpoint list
      torch checkpoint list --all -n 5
    """
    from torch_cli.checkpoint.record import checkpoints, latest
    from torch_cli.cli.present import note, print_json
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    found = checkpoints(worktree, every=every)
    newest = latest([one for one in found if one.ref.startswith(worktree.refs)])
    marked = newest.id if newest else ""
    found = found[-number:] if number else found
    if common.json:
        for one in found:
            print_json(checkpoint_object(one, latest=one.id == marked))
    elif found:
        print_checkpoints(found, look, every=every, latest=marked)
    else:
        note("no checkpoints; 'torch checkpoint now' makes one", quiet=common.quiet)


@command.command("show")
@click.argument("checkpoint", default="latest", shell_complete=complete_checkpoints)
@IN_DIR
@common_options
def show_command(common: Common, checkpoint: str, directory: str) -> None:
    """Show a checkpoint (default: the latest): why it was made, and which files had changed.

    \b
    Examples:
      torch checkpoint show
      torch checkpoint show c-4afefc20 --json
    """
    from torch_cli.checkpoint.record import checkpoints, find_checkpoint
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    one = find_checkpoint(worktree, checkpoint)
    if common.json:
        print_json(checkpoint_object(one))
        return
    print_checkpoint(one)
    chain = [c for c in checkpoints(worktree, every=True) if _same_worktree(c.ref, one.ref)]
    before = chain[chain.index(one) - 1] if one in chain[1:] else None
    if before is not None:
        say(f"\nsince {before.id}:")
        _print_diff(worktree, before.tree, one.tree, (), stat=True)


def _same_worktree(one: str, other: str) -> bool:
    return one.rpartition("/")[0] == other.rpartition("/")[0]


@command.command("diff")
@click.argument("before", metavar="[A]", required=False, shell_complete=complete_checkpoints)
@click.argument("after", metavar="[B]", required=False, shell_complete=complete_checkpoints)
@click.option(
    "--path", "paths", multiple=True, type=click.Path(), help="Only below this path; repeatable."
)
@click.option("--stat", is_flag=True, help="List the files, with the number of changed lines.")
@IN_DIR
@common_options
def diff_command(
    common: Common,
    before: str | None,
    after: str | None,
    paths: tuple[str, ...],
    stat: bool,
    directory: str,
) -> None:
    """Show what changed between checkpoint A (default: the latest) and B (default: the disk).

    Files that checkpoints leave out are left out here.

    \b
    Examples:
      torch checkpoint diff
      torch checkpoint diff c-4afefc20 --path src/app.py
      torch checkpoint diff c-4afefc20 c-9c01d2e3 --stat
    """
    from torch_cli.checkpoint.record import find_checkpoint
    from torch_cli.checkpoint.restore import pathspecs
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.checkpoint.snapshot import snapshot
    from torch_cli.git.counts import count
    from torch_cli.git.worktree import locate, locked

    worktree = locate(directory)
    first = find_checkpoint(worktree, before or "latest")
    wanted = pathspecs(worktree, paths, directory)
    if after is not None:
        tree = find_checkpoint(worktree, after).tree
    else:
        with locked(worktree) as lock:
            now = snapshot(worktree, load_settings(), lock, lambda: first.tree)
        tree = now.tree if first.exact else now.stored
    if common.json:
        counts = counts_object(count(worktree.git(), first.tree, tree, wanted))
        ends = {"from": first.id, "to": after, "from_tree": first.tree, "to_tree": tree}
        print_json({"schema": "torch.checkpoint-diff/1", **ends, **counts})
        return
    _print_diff(worktree, first.tree, tree, wanted, stat=stat)


def _print_diff(
    worktree: "Worktree",
    before: str,
    after: str,
    paths: "tuple[str, ...] | list[str]",
    *,
    stat: bool,
) -> None:
    colour = "always" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else "never"
    options = ["--no-ext-diff", "--no-textconv", f"--color={colour}", *(["--stat"] if stat else [])]
    shown = worktree.git().run("diff", *options, before, after, "--", *(p or "." for p in paths))
    print_text(shown.decode("utf-8", "surrogateescape"), colours=True)


@command.command("restore")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path())
@click.option(
    "--from",
    "source",
    metavar="ID",
    shell_complete=complete_checkpoints,
    help="The checkpoint; 'latest' is the newest that no restore has made.",
)
@click.option("--all", "whole", is_flag=True, help="Restore the whole worktree.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@IN_DIR
@common_options
def restore_command(
    common: Common,
    paths: tuple[str, ...],
    source: str | None,
    whole: bool,
    yes: bool,
    dry_run: bool,
    directory: str,
) -> int:
    """Restore files, directories, or with --all the whole worktree, from a checkpoint.

    First Torch shows what will change, and asks. Then it makes a checkpoint of the present files.
    Files made since the checkpoint, among those to be restored, are deleted. Ignored files, and
    files in no checkpoint, are left alone. HEAD and the index stay as they are. 'latest' is the
    newest checkpoint that no restore has made; 'torch checkpoint list' marks it.

    \b
    Examples:
      torch checkpoint restore src/app.py --from c-4afefc20
      torch checkpoint restore --all --from latest --dry-run
    """
    from torch_cli.checkpoint.record import find_checkpoint
    from torch_cli.checkpoint.restore import Source, pathspecs
    from torch_cli.git.worktree import locate

    if source is None:
        raise RefusedError(
            "say which checkpoint: --from ID; nothing was restored",
            hint="'torch checkpoint list' shows them.",
            code="usage",
        )
    if bool(paths) == whole:
        raise RefusedError("give a PATH, or --all; nothing was restored", code="usage")
    worktree = locate(directory)
    found = find_checkpoint(worktree, source)
    wanted = pathspecs(worktree, paths, directory)
    return restore(worktree, Source.of(found), wanted, common, yes=yes, dry_run=dry_run)


@command.command("prune")
@click.argument("directory", default=".", type=click.Path())
@click.option("--dry-run", is_flag=True, help="Show what would be pruned, and prune nothing.")
@common_options
def prune_command(common: Common, directory: str, dry_run: bool) -> None:
    """Remove the checkpoints that need not be kept: by age, and by the quota.

    Torch keeps all of today, the newest of each hour for a week and of each day for 90 days, and
    those with a note for 90 days. It deletes only its own refs; git's own gc frees the rest.

    \b
    Examples:
      torch checkpoint prune --dry-run
    """
    from torch_cli.checkpoint.record import checkpoints
    from torch_cli.checkpoint.retention import prune, size_of
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    gone = prune(worktree, load_settings(), time.time(), dry_run=dry_run)
    rest = [one for one in checkpoints(worktree) if one not in gone]
    size = size_of(worktree.git(), rest)
    done = "would be pruned" if dry_run else "pruned"
    if common.json:
        ids = [one.id for one in gone]
        kept = {"kept": len(rest), "kept_bytes": size}
        print_json({"schema": "torch.prune/1", "dry_run": dry_run, "pruned": ids, **kept})
        return
    for one in gone:
        say(f"{done}  {one.id}  {time.strftime('%Y-%m-%d %H:%M', time.localtime(one.at))}")
    note(f"  {len(rest)} kept, about {size / 1048576:,.1f} MiB", quiet=common.quiet)


@command.command("init")
@click.argument("directory", type=click.Path())
@click.option(
    "--shadow",
    is_flag=True,
    required=True,
    help="Keep the repository beside Torch's state; required.",
)
@common_options
def init_command(common: Common, directory: str, shadow: bool) -> None:
    """Keep checkpoints of a DIRECTORY outside of any repository.

    Torch makes a repository beside its own state and touches nothing in DIRECTORY.

    \b
    Examples:
      torch checkpoint init ~/notes --shadow
    """
    from torch_cli.checkpoint.shadow import make_shadow

    made = make_shadow(directory)
    if common.json:
        facts = {"dir": made.top, "repository": made.git_dir}
        print_json({"schema": "torch.checkpoint-shadow/1", **facts})
        return
    say(f"made  {printable(made.git_dir)}  for {printable(made.top)}")


@command.command("trust")
@click.argument("directory", default=".", type=click.Path())
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@common_options
def trust_command(common: Common, directory: str, yes: bool) -> None:
    """Allow the filters that a repository's own configuration names, and its hooks, to run.

    They are programs that anybody who works in the repository can put there. Until you allow them,
    checkpoints leave out the files of these filters, and worktrees are made without filters and
    hooks. If one of them changes, it is no longer trusted. The hooks of a commit run without this.

    \b
    Examples:
      torch checkpoint trust ~/project
    """
    from torch_cli.cli.present import note, printable, say
    from torch_cli.git.filters import read_configuration, trust
    from torch_cli.git.hooks import contents, read_hooks
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    filters = read_configuration(worktree, worktree.git()).filters
    hooks = {} if worktree.shadow else contents(read_hooks(worktree).found)
    if not filters and not hooks:
        note("  the repository has no filters and no hooks of its own", quiet=common.quiet)
        return
    for name, value in sorted({**filters, **hooks}.items()):
        say(f"{printable(name)} = {printable(value)}")
    if not yes and not (sys.stdin.isatty() and confirmed("Allow these to run?", err=True)):
        raise RefusedError("nothing was trusted", hint="--yes does not ask.", code="not-confirmed")
    for commands in filter(None, (filters, hooks)):
        trust(worktree, commands)
    note("  trusted", quiet=common.quiet)


command.add_command(watch_command)
command.add_command(status_command)
