"""``torch tag``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_DIR, common_options
from torch_cli.cli.present import note, print_json, printable, say
from torch_cli.cli.verbs import Verbs


@click.group("tag", cls=Verbs)
def command() -> None:
    """Tag a stable state.

    \b
    Examples:
      torch tag stable login
    """


@command.command("stable")
@click.argument("name")
@click.option("-m", "--message", default="", help="The tag's message (default: 'Stable: NAME').")
@IN_DIR
@common_options
def stable_command(common: Common, name: str, message: str, directory: str) -> None:
    """Make the annotated tag stable-NAME-YYYYMMDD-HHMMSS of the current commit.

    The time is local. Uncommitted changes are not in the tag, and Torch says so.

    \b
    Examples:
      torch tag stable login
      torch tag stable login -m "All 214 tests pass" -C ~/project
    """
    from torch_cli.commit.branch import tag_stable
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    made = tag_stable(worktree, name, message, time.time())
    if common.json:
        print_json({"schema": "torch.tag/1", "dir": worktree.top, **made._asdict()})
        return
    say(f"tagged  {printable(made.tag)}  {made.commit[:10]}")
    if made.loose:
        note(f"  {made.loose} changed paths are not in it: they are not committed", quiet=False)
