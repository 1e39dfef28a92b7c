"""``torch team``."""

import os
from pathlib import Path

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, EVERYWHERE, common_options
from torch_cli.cli.present import note, print_text
from torch_cli.cli.verbs import Verbs
from torch_cli.store.teams import MemberKind


@click.group("team", cls=Verbs)
def command() -> None:
    """Write a torch.toml of what is running.

    \b
    Examples:
      torch team freeze > torch.toml
    """


@command.command("freeze")
@click.argument("directory", type=ANY_BYTES, default=".")
@EVERYWHERE
@common_options
def freeze_command(common: Common, directory: str, everywhere: bool) -> None:
    """Print a torch.toml of the agents and the team's processes in the project in DIRECTORY.

    Torch knows no variables, and knows arguments only of programs that a team file has started: add
    env and args by hand. -L or -S takes the agents of that tmux server only.

    \b
    Examples:
      torch team freeze > torch.toml
    """
    from torch_cli.roster.project import place_of, project_of
    from torch_cli.store import Store
    from torch_cli.teamfile.generate import frozen
    from torch_cli.watch.listing import agents_on

    root = Path(directory).expanduser().resolve()
    project = "" if everywhere else place_of(str(root)).project
    with Store() as store:
        agents = [
            one
            for one in agents_on(store, common.socket)
            if not project or project_of(store, one) == project
        ]
        known = {one.identity: store.teams.member_of(one.identity) for one in agents}
        members = {identity: one for identity, one in known.items() if one is not None}
        processes = [
            one
            for path in store.teams.paths()
            for one in store.teams.members(path).values()
            if one.kind == MemberKind.PROCESS and (not project or os.path.dirname(path) == project)
        ]
    if not agents:
        where = f" in {project}" if project else ""
        note(f"torch: no agents are registered{where}", quiet=common.quiet)
    print_text(frozen(root, agents, members, processes))
