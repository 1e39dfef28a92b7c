"""``torch adopt``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_profiles
from torch_cli.cli.options import common_options


@click.command("adopt")
@click.argument("target")
@click.argument("name")
@click.option(
    "--profile",
    metavar="PROFILE",
    shell_complete=complete_profiles,
    help="The program's profile (default: recognised).",
)
@common_options
def command(common: Common, target: str, name: str, profile: str | None) -> None:
    """Register the program in pane TARGET as the agent NAME.

    'torch stop' asks an adopted program to end, but never forces it.

    \b
    Examples:
      torch adopt %7 dev
      torch adopt work:editor.1 helper --profile claude
      torch adopt . me
    """
    from torch_cli.cli.present import note, print_json, printable
    from torch_cli.cli.schema import agent_object
    from torch_cli.lifecycle.spawn import adopt
    from torch_cli.roster.registry import profile_named
    from torch_cli.roster.safety import caution_of, safety_for
    from torch_cli.store import Store
    from torch_cli.watch.listing import list_agents

    with Store() as store:
        agent = adopt(store, common.socket, target, name, profile)
        line = list_agents(store, [agent])[0] if common.json else None
    if line is not None:
        print_json(agent_object(line))
    else:
        click.echo(f"adopted  {agent.name}  {agent.profile}  {printable(agent.pane)}")
    caution = caution_of(profile_named(agent.profile), agent.version)
    safety = safety_for(agent)
    for words in filter(None, [caution, safety and f"protection: {safety.sentence}"]):
        note(f"  {words}", quiet=common.quiet)
