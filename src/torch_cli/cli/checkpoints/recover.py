"""``torch recover``."""

import sys
import time
from typing import TYPE_CHECKING

import click

from torch_cli.cli.asking import typed
from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_DIR, common_options, table_options
from torch_cli.cli.table import Column, TableForm

if TYPE_CHECKING:
    from torch_cli.commit.recover import Item

_COLUMNS = (
    Column("number", 0, 0, heading=""),
    Column("name", 0, 16),
    Column("age", 1, 0),
    Column("effect", 0, 20, heading="FILES IT WOULD CHANGE"),
    Column("kind", 3, 0),
    Column("words", 2, 10, heading=""),
)


@click.command("recover")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path())
@click.option("--item", metavar="ITEM", help="Go back to this one: its number or its name.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@IN_DIR
@common_options
@table_options(_COLUMNS)
def command(
    common: Common,
    look: TableForm,
    paths: tuple[str, ...],
    item: str | None,
    yes: bool,
    directory: str,
) -> int:
    """Show what you can go back to, with what each would change, and go back to one.

    The list has the last commits, the checkpoints, the stashes, and the places where HEAD was.
    Torch does nothing until you choose. Then it restores the files of your choice, or PATHs of it,
    as 'torch checkpoint restore' does: after a checkpoint of the present files. No branch, stash or
    index is touched. In a repository with SHA-256 names the list has checkpoints only.

    \b
    Examples:
      torch recover
      torch recover src/app.py --item HEAD@{2}
    """
    from torch_cli.checkpoint.restore import Source, pathspecs
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.cli.checkpoints.restoring import restore
    from torch_cli.cli.present import note
    from torch_cli.commit.recover import find_item, items
    from torch_cli.errors import DONE
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    wanted = pathspecs(worktree, paths, directory)
    found = items(worktree, load_settings())
    if item is None:
        _print(found, common, look)
        if not found:
            note("  nothing differs from the present files", quiet=common.quiet)
        item = _choice() if found and not common.json else None
    if item is None:
        return DONE
    chosen = find_item(found, item)
    source = Source(chosen.name, chosen.tree, chosen.exact)
    return restore(worktree, source, wanted, common, yes=yes, dry_run=False)


def _choice() -> str | None:
    """Ask which one; ``None`` if there is no terminal, or the answer is empty."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return typed("Which one? Its number, or nothing: ") or None


def _print(found: "list[Item]", common: Common, look: TableForm) -> None:
    from torch_cli.cli.checkpoints.checkpoint_shown import counts_object
    from torch_cli.cli.present import age, print_json
    from torch_cli.cli.schema import timestamp
    from torch_cli.cli.table import print_table

    if common.json:
        for number, one in enumerate(found, 1):
            facts = {"number": number, "name": one.name, "kind": one.kind, "words": one.words}
            effect = {**counts_object(one.effect), "at": timestamp(one.at), "tree": one.tree}
            print_json({"schema": "torch.recover/1", **facts, **effect})
        return
    now = time.time()
    rows = [
        [str(n), one.name, age(now - one.at), _effect(one), one.kind, one.words]
        for n, one in enumerate(found, 1)
    ]
    if rows:
        print_table(_COLUMNS, rows, look)


def _effect(one: "Item") -> str:
    effect = one.effect
    changed = effect.files - effect.new - effect.vanished
    parts = ((effect.new, "restored"), (changed, "changed back"), (effect.vanished, "removed"))
    return ", ".join(f"{number:,} {what}" for number, what in parts if number)
