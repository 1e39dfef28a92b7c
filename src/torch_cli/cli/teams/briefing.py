"""``torch briefing``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_briefings
from torch_cli.cli.options import IN_PROJECT, common_options, table_options
from torch_cli.cli.present import note, print_json, print_text, say
from torch_cli.cli.table import Column, TableForm
from torch_cli.cli.verbs import Verbs
from torch_cli.errors import NotFoundError
from torch_cli.paths import config_dir, make_private

if TYPE_CHECKING:
    from torch_cli.teamfile.briefing import Facts

_COLUMNS = (Column("name", 0, 24), Column("from", 1, 20, "path"))


@click.group("briefing", cls=Verbs)
def command() -> None:
    """List, show, render and edit briefings: an agent's first message, by its role.

    A briefing is a Jinja2 template, NAME.md. Torch looks in the directory briefings/ of the
    project, then in your own configuration, then among those that come with Torch.

    \b
    Examples:
      torch briefing list
      torch briefing render developer --agent dev --parent pm
      torch spawn dev --role developer --brief developer
    """


@command.command("list")
@IN_PROJECT
@common_options
@table_options(_COLUMNS)
def list_command(common: Common, look: TableForm, directory: str) -> None:
    """List the briefings, and where each comes from.

    \b
    Examples:
      torch briefing list
    """
    from torch_cli.teamfile.briefing import find, names, project_of

    root = project_of(directory)
    known = names(root)
    objects = (
        {"schema": "torch.briefing/1", "name": name, "from": origin, "path": str(find(name, root))}
        for name, origin in known.items()
    )
    common.show_all(objects, _COLUMNS, known.items(), look)


@command.command("show")
@click.argument("name", shell_complete=complete_briefings)
@IN_PROJECT
@common_options
def show_command(common: Common, name: str, directory: str) -> None:
    """Print a briefing's file, the template.

    \b
    Examples:
      torch briefing show developer
    """
    from torch_cli.teamfile.briefing import find, project_of

    path = find(name, project_of(directory))
    text = path.read_text("utf-8")
    if common.json:
        facts = {"name": name, "path": str(path), "text": text}
        print_json({"schema": "torch.briefing/1", **facts})
        return
    print_text(text)
    note(f"  {path}", quiet=common.quiet)


@command.command("render")
@click.argument("name", shell_complete=complete_briefings)
@click.option(
    "--agent", default="NAME", show_default=True, help="The agent that the briefing is for."
)
@click.option("--role", default="", help="The agent's role (default: the briefing's name).")
@click.option("--parent", default="", help="The agent's parent.")
@IN_PROJECT
@common_options
def render_command(
    common: Common, name: str, agent: str, role: str, parent: str, directory: str
) -> None:
    """Print a briefing as an agent would get it.

    \b
    Examples:
      torch briefing render qa --agent qa1 --parent pm --dir ~/project
    """
    from torch_cli.teamfile.briefing import render

    text = render(name, facts(agent, role or name, parent, directory))
    if common.json:
        print_json({"schema": "torch.briefing/1", "name": name, "text": text})
        return
    print_text(text)


def facts(agent: str, role: str, parent: str, directory: str) -> "Facts":
    """Return the facts of an agent, among those that are registered now."""
    from torch_cli.store import Store
    from torch_cli.teamfile.briefing import facts_for

    with Store() as store:
        return facts_for(agent, role, parent, directory, store.agents.all())


@command.command("edit")
@click.argument("name", shell_complete=complete_briefings)
@click.option("--project", is_flag=True, help="The project's briefings, not your own.")
@IN_PROJECT
@common_options
def edit_command(common: Common, name: str, project: bool, directory: str) -> None:
    """Edit a briefing in $EDITOR: a copy of your own, or of the project's.

    If there is no copy yet, it begins as the briefing that Torch would use without it.

    \b
    Examples:
      torch briefing edit developer
      torch briefing edit developer --project
    """
    from torch_cli.teamfile.briefing import check_briefing_name, find, project_of, render

    check_briefing_name(name)
    root = project_of(directory)
    home = root if project else Path(config_dir())
    path = home / "briefings" / f"{name}.md"
    if not path.exists():
        try:
            text = find(name, root).read_text("utf-8")
        except NotFoundError:
            text = '{% include "_common.md" %}\n\n{% include "_end.md" %}\n'
        make_private(str(path.parent))
        path.write_text(text, "utf-8")
    click.edit(filename=str(path))
    say(str(path), exact=True)
    render(name, facts("NAME", name, "", directory))
    note("  it can be rendered", quiet=common.quiet)
