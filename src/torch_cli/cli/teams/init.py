"""``torch init``."""

from pathlib import Path

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, common_options
from torch_cli.cli.present import print_text
from torch_cli.errors import NotFoundError


@click.command("init")
@click.argument("directory", type=ANY_BYTES, default=".")
@click.option("--print", "only_print", is_flag=True, help="Print the file, and write nothing.")
@common_options
def command(common: Common, directory: str, only_print: bool) -> None:
    """Write a commented torch.toml for the project in DIRECTORY (default: this one).

    Torch detects the project's kind, its package manager and its dev server. You change the rest.

    \b
    Examples:
      torch init
      torch init ~/project --print
    """
    from torch_cli.store import Store
    from torch_cli.teamfile.generate import template, write_file

    root = Path(directory).expanduser().resolve()
    if not root.is_dir():
        raise NotFoundError(f"no directory {directory}", code="no-directory")
    with Store() as store:
        taken = {one.name for one in store.agents.all()}
        taken |= {name for path in store.teams.paths() for name in store.teams.members(path)}
    text, project = template(root, taken)
    if only_print:
        print_text(text)
        return
    path = write_file(root, text)
    facts = {"path": str(path), "kind": project.kind, "server": list(project.server) or None}
    common.show(
        {"schema": "torch.init/1", **facts},
        f"written  {path}  {project.kind}",
        "look at it, then: torch up --dry-run",
    )
