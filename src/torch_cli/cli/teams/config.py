"""``torch config``."""

import json

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_PROJECT, common_options
from torch_cli.cli.verbs import Verbs


@click.group("config", cls=Verbs)
def command() -> None:
    """Check a project's torch.toml, and print its schema.

    \b
    Examples:
      torch config check
      torch config schema > torch.schema.json
    """


@command.command("schema")
@common_options
def schema_command(common: Common) -> None:
    """Print the JSON schema of torch.toml, for editors that complete by it.

    \b
    Examples:
      torch config schema > torch.schema.json
    """
    from torch_cli.teamfile.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@command.command("check")
@IN_PROJECT
@common_options
def check_command(common: Common, directory: str) -> None:
    """Read torch.toml and list its mistakes, each with its line.

    \b
    Examples:
      torch config check
    """
    from torch_cli.teamfile.load import find_file, load_team

    team = load_team(find_file(directory))
    members = [{"name": one.name, "kind": one.kind} for one in team.members]
    facts = {"schema": "torch.config/1", "path": team.path, "members": members}
    common.show(facts, f"good  {team.path}  {len(team.members)} members")
