"""``torch spawn``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_briefings, complete_profiles
from torch_cli.cli.options import ANY_BYTES, POLICIES, SECONDS, STALLED, common_options
from torch_cli.cli.present import note, print_json, printable, say
from torch_cli.cli.progress import StepPrinter

if TYPE_CHECKING:
    from torch_cli.lifecycle.begin import Begun
    from torch_cli.store.agents import Agent
    from torch_cli.tmux.window import OpenedWindow


@click.command("spawn")
@click.argument("name")
@click.argument("arguments", metavar="[-- ARGS]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--profile",
    default="claude",
    show_default=True,
    shell_complete=complete_profiles,
    help="The agent program's profile.",
)
@click.option(
    "--dir",
    "directory",
    type=ANY_BYTES,
    default=".",
    show_default=True,
    metavar="DIR",
    help="The agent's directory.",
)
@click.option("--session", metavar="SESSION", help="The tmux session; made if it does not exist.")
@click.option("--role", default="", metavar="ROLE", help="The agent's role.")
@click.option(
    "--parent",
    default="",
    metavar="AGENT",
    shell_complete=complete_agents,
    help="The agent's parent.",
)
@click.option(
    "--env",
    "variables",
    type=ANY_BYTES,
    multiple=True,
    metavar="K[=V]",
    help="Set K for the agent, or pass on the caller's K. K=V shows in torch's own arguments.",
)
@click.option(
    "--env-file",
    "env_files",
    type=ANY_BYTES,
    multiple=True,
    metavar="FILE",
    help="Read variables from a dotenv file.",
)
@click.option(
    "--brief",
    type=ANY_BYTES,
    metavar="FILE|NAME|-",
    shell_complete=complete_briefings,
    help="Send this briefing once the agent is ready: a name ('torch briefing list'), or a file.",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value="last",
    metavar="[ID|last]",
    help="Continue an earlier conversation: the one with this id, or the last of the directory.",
)
@click.option(
    "--restart",
    type=click.Choice(POLICIES),
    help="When the daemon restarts it after its program has ended (default: as before for an agent "
    "that was lost, else never).",
)
@click.option(
    "--stalled",
    type=click.Choice(STALLED),
    help="What the daemon does if it makes no progress (default: tell).",
)
@click.option(
    "--hibernate",
    metavar="TIME|never",
    help="After which time of idleness its program is ended until it is needed (default: as "
    "[health] hibernate in config.toml says).",
)
@click.option(
    "--wait",
    "seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="The most seconds until it is ready (default: the profile's); 0 does not wait: a briefing "
    "goes into the outbox (exit code 4).",
)
@common_options
def command(
    common: Common,
    name: str,
    arguments: tuple[str, ...],
    profile: str,
    directory: str,
    session: str | None,
    role: str,
    parent: str,
    variables: tuple[str, ...],
    env_files: tuple[str, ...],
    brief: str | None,
    resume: str | None,
    restart: str | None,
    stalled: str | None,
    hibernate: str | None,
    seconds: float | None,
) -> int:
    """Open a window with an agent program in it; return once its input is ready.

    If the program first asks a question (trust, a login) or ends, Torch prints its screen and
    answers nothing. ARGS behind -- go to the program. An agent that runs this becomes the parent.
    --resume continues an earlier conversation, if the profile knows how and no other program has it
    open; 'torch ps --json' shows the id of each agent's.

    With --restart on-failure the daemon restarts it in its conversation when its program has failed
    or was killed, with 'always' also when it has ended well. 'torch health' shows and changes that.

    The number of agents that agents may start is limited ('max_agents' and more in torch.toml).

    \b
    Examples:
      torch spawn dev --profile claude --dir ~/project
      torch spawn qa --dir ~/project --role qa --parent dev --brief developer
      torch spawn dev --env-file .env -- --model opus
      torch spawn dev --dir ~/project --resume
      torch spawn dev --restart on-failure
    """
    from torch_cli.checkpoint.coverage import outside_git
    from torch_cli.cli.opened import explain
    from torch_cli.envfile import read_environment
    from torch_cli.lifecycle.begin import begin
    from torch_cli.lifecycle.hibernate import unfit
    from torch_cli.lifecycle.spawn import SpawnOrder
    from torch_cli.programs.unclear import advice
    from torch_cli.roster.registry import profile_named
    from torch_cli.roster.safety import caution_of
    from torch_cli.store.health import NEVER

    def opened(window: "OpenedWindow") -> None:
        # At once: a program that asks something first ends the command with an error.
        explain(window, common)
        bare = outside_git(window.directory)
        if bare and not common.json:
            note(f"torch: {bare}", quiet=common.quiet)

    order = SpawnOrder(
        name=name,
        profile=profile,
        directory=directory,
        session=session,
        role=role,
        parent=parent,
        environment=read_environment(variables, env_files),
        arguments=arguments,
        conversation=resume or "",
        restart=restart or "",
        stalled=stalled or "",
        hibernate=hibernate or "",
    )
    with StepPrinter(common) as progress:
        begun, text = begin(
            common.socket,
            order,
            brief=brief or "",
            seconds=seconds,
            on_open=opened,
            on_step=progress,
        )
    state = "starting" if begun.state is None else str(begun.state.state)
    caution = caution_of(profile_named(profile), begun.agent.version)
    bare = outside_git(begun.window.directory) if common.json else ""
    kept = begun.kept and (
        f"restart = {begun.kept}, as it was set for this agent before; "
        f"'torch health {begun.agent.name} --restart never' changes that"
    )
    todo = begun.state and advice(begun.state, begun.agent.name)
    awake = unfit(begun.agent) if hibernate not in (None, NEVER) else ""
    awake = awake and f"it is never hibernated: {awake}"
    notes = (*begun.window.notes, *filter(None, [caution, todo, bare, kept, awake]))
    _print(common, begun.agent, begun.window, state, notes)
    return _brief(common, begun, text, brief) if brief else 0


def _print(
    common: Common, agent: "Agent", window: "OpenedWindow", state: str, notes: Sequence[str]
) -> None:
    from torch_cli.roster.safety import safety_for

    safety = safety_for(agent)
    if common.json:
        print_json(
            {
                "schema": "torch.window/1",
                "session": window.pane.session,
                "window": window.pane.window,
                "pane": agent.pane,
                "pid": agent.pane_pid,
                "dir": window.directory,
                "agent": agent.name,
                "profile": agent.profile,
                "conversation": agent.conversation or None,
                "state": state,
                "submit": safety.as_json() if safety else None,
                "notes": list(notes),
            }
        )
        return
    words = (state, agent.name, f"{window.pane.place} ({agent.pane})", window.directory)
    say("  ".join(printable(word) for word in words))
    for line in (*notes, *([f"protection: {safety.sentence}"] if safety else [])):
        note(f"  {printable(line)}", quiet=common.quiet)


def _brief(common: Common, begun: "Begun", text: str, brief: str) -> int:
    """Deliver the briefing and print its receipt."""
    from torch_cli.cli.sending import print_receipt
    from torch_cli.lifecycle.begin import send_briefing

    return print_receipt(send_briefing(common.socket, begun, text, brief), common)
