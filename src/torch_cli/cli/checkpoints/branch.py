"""``torch branch``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_DIR, common_options
from torch_cli.cli.verbs import Verbs


@click.group("branch", cls=Verbs)
def command() -> None:
    """Start a branch.

    \b
    Examples:
      torch branch start feature/parser
    """


@command.command("start")
@click.argument("name")
@click.option("--clean", is_flag=True, help="Refuse if there are changes.")
@IN_DIR
@common_options
def start_command(common: Common, name: str, clean: bool, directory: str) -> None:
    """Make the branch NAME from the current commit, and switch to it; changes come along.

    \b
    Examples:
      torch branch start feature/parser
      torch branch start fix-login --clean -C ~/project
    """
    from torch_cli.commit.branch import start_branch
    from torch_cli.git.worktree import locate

    worktree = locate(directory)
    made = start_branch(worktree, name, clean=clean)
    common.show(
        {"schema": "torch.branch/1", "dir": worktree.top, **made._asdict()},
        f"on branch  {made.branch}  from {made.before}",
        *([f"{made.carried} changed paths came along"] if made.carried else []),
    )
