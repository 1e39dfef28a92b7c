"""``torch trust``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_PROJECT, common_options
from torch_cli.cli.present import note, print_json, print_text, printable, say


@click.command("trust")
@click.option("--dry-run", is_flag=True, help="Show what is new, and accept nothing.")
@IN_PROJECT
@common_options
def command(common: Common, dry_run: bool, directory: str) -> None:
    """Accept a changed torch.toml, and show what is new in it.

    The daemon restarts agents, grows pools and gives out tasks only by a file that a person has
    accepted, by this or by 'torch up'. Agents can write to the file, so they cannot accept it.

    \b
    Examples:
      torch trust --dry-run
      torch trust --dir ~/project
    """
    from torch_cli.store import Store
    from torch_cli.teamfile.load import find_file, load_team
    from torch_cli.teams.trust import TrustState, accept, changes, scripts_of, trust_of

    team = load_team(find_file(directory))
    with Store() as store:
        before = trust_of(store, team) if dry_run else accept(store, team)
    accepted = not dry_run or before.state is TrustState.SAME
    if common.json:
        facts: dict[str, Any] = {"path": team.path, "before": before.state, "accepted": accepted}
        facts["scripts"] = [{"member": name, "path": path} for name, path in scripts_of(team)]
        print_json({"schema": "torch.trust/1", **facts, "changes": changes(team, before) or None})
        return
    print_text(changes(team, before))
    say(printable(f"{'accepted' if accepted else before.state}  {team.path}"))
    if before.state is TrustState.CHANGED and not changes(team, before):
        note("  its variables (env_files) have changed", quiet=common.quiet)
    for name, path in scripts_of(team):
        words = f"  not looked at: {path}, which '{name}' runs, and which anybody may change"
        note(printable(words), quiet=common.quiet)
