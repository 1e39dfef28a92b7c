"""``torch agreement``."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_PROJECT, common_options
from torch_cli.cli.present import note, print_json, printable, say
from torch_cli.cli.verbs import Verbs
from torch_cli.errors import DONE, FAILURE


@click.group("agreement", cls=Verbs)
def command() -> None:
    """Check the rules of work that a team's torch.toml names.

    \b
    Examples:
      torch agreement check
    """


@command.command("check")
@IN_PROJECT
@common_options
def check_command(common: Common, directory: str) -> int:
    """List each breach of [agreement] with its evidence; exit status 1 if there are any.

    With --json, one object for each breach.

    \b
    Examples:
      torch agreement check
      torch agreement check --json | jq -r .words
    """
    from torch_cli.store import Store
    from torch_cli.teamfile.load import find_file, load_team
    from torch_cli.teams.agreement import check

    team = load_team(find_file(directory))
    with Store() as store:
        breaches = check(store, team, time.time())
    for one in breaches:
        if common.json:
            facts = {"rule": one.rule, "agent": one.agent, "words": one.words}
            print_json({"schema": "torch.breach/1", **facts, "evidence": dict(one.evidence)})
            continue
        shown = ", ".join(f"{name} {value}" for name, value in one.evidence.items())
        say(printable(f"{one.rule}  {one.agent}  {one.words}"))
        note(printable(f"  {shown}"), quiet=common.quiet)
    if not breaches and not common.json:
        note("  no breach of the agreement", quiet=common.quiet)
    return FAILURE if breaches else DONE
