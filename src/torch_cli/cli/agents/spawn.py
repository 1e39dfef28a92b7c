"""``torch spawn``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_briefings, complete_profiles
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options

if TYPE_CHECKING:
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
    help="The agent program.",
)
@click.option(
    "--dir",
    "directory",
    type=ANY_BYTES,
    default=".",
    show_default=True,
    metavar="DIR",
    help="Where it works.",
)
@click.option("--session", metavar="SESSION", help="The tmux session; made if it is missing.")
@click.option("--role", default="", metavar="ROLE", help="What the agent is for.")
@click.option(
    "--parent", default="", metavar="AGENT", shell_complete=complete_agents, help="Its superior."
)
@click.option(
    "--env",
    "variables",
    type=ANY_BYTES,
    multiple=True,
    metavar="K[=V]",
    help="Set K for the agent, or hand on the caller's K. K=V shows in torch's own arguments.",
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
    help="Deliver this briefing once it is ready: a name ('torch briefing list'), or a text.",
)
@click.option(
    "--wait",
    "seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="How long it may take to be ready (default: the profile's); 0 does not wait: a briefing "
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
    seconds: float | None,
) -> int:
    """Open a window with an agent program in it; return once its input is really ready.

    If it asks something first (a trust question, a login) or ends, what it shows is printed and
    nothing is answered. ARGS behind -- are given to the program. An agent that runs this becomes
    the parent; how many agents may start is bounded ('max_agents' and more in torch.toml).

    \b
    Examples:
      torch spawn dev --profile claude --dir ~/project
      torch spawn qa --dir ~/project --role qa --parent dev --brief developer
      torch spawn dev --env-file .env -- --model opus
    """
    from torch_cli.cli.panes.window import explain
    from torch_cli.cli.teams.briefing import facts
    from torch_cli.envfile import read_environment
    from torch_cli.errors import TorchError
    from torch_cli.lifecycle.kept import check_start
    from torch_cli.lifecycle.limits import check_spawn
    from torch_cli.lifecycle.spawn import Order, await_ready, spawn
    from torch_cli.roster.actor import actor
    from torch_cli.roster.membership import enlist, team_of
    from torch_cli.roster.registry import profile_named
    from torch_cli.store import Store
    from torch_cli.teamfile import briefing
    from torch_cli.tmux.control import ControlClient
    from torch_cli.tmux.socket import Socket

    with Store() as store:
        spawner = actor(store).agent
        if spawner is not None:  # an agent that starts another is its parent
            check_spawn(store, spawner)
            parent = parent or spawner.name
        check_start(store, name, spawner)
    text = briefing.read(brief, facts(name, role, parent, directory)) if brief else None
    order = Order(
        name=name,
        profile=profile,
        directory=directory,
        session=session,
        role=role,
        parent=parent,
        environment=read_environment(variables, env_files),
        arguments=arguments,
    )
    with Store() as store:
        agent, window = spawn(store, common.socket, order)
        if spawner is not None:
            enlist(store, team_of(store, spawner), agent, window.pane)
        explain(window, common)
        chosen = profile_named(profile)
        limit = chosen.launch.ready_timeout if seconds is None else seconds
        state = "starting"
        if limit > 0:
            common.tell(f"waiting up to {limit:g} s for its input to be ready")
            socket = Socket(path=agent.socket)
            try:
                with ControlClient(socket, window.pane.session_id) as client:
                    sight = await_ready(client, store, agent, chosen, limit)
            except TorchError as error:
                if text is not None:
                    error.message += "; the briefing was not sent"
                raise
            state = str(sight.state.state)
            common.tell(f"it is ready: {sight.state.evidence}")
        now = store.agents.get(agent.name) or agent  # with the version that its screen said
    _print(common, now, window, state, chosen.caution)
    if text is None:
        return 0
    return _brief(common, agent, text, brief or "", at_once=limit > 0)


def _print(
    common: Common, agent: "Agent", window: "OpenedWindow", state: str, caution: str
) -> None:
    from torch_cli.cli.present import note, print_json, printable
    from torch_cli.roster.safety import safety_for

    safety = safety_for(agent)
    notes = [*window.notes, *filter(None, [caution])]
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
                "state": state,
                "submit": safety.as_json() if safety else None,
                "notes": notes,
            }
        )
        return
    words = (state, agent.name, f"{window.pane.place} ({agent.pane})", window.directory)
    click.echo("  ".join(printable(word) for word in words))
    for line in (*notes, *([f"messages are {safety.sentence}"] if safety else [])):
        note(f"  {printable(line)}", quiet=common.quiet)


def _brief(common: Common, agent: "Agent", text: str, brief: str, *, at_once: bool) -> int:
    """Deliver the briefing and print its receipt; it goes before what waits for the agent.

    Not ``at_once`` it goes into the outbox, if the agent does not happen to be ready.
    """
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.send import Request, send
    from torch_cli.store.messages import PRIORITIES

    request = Request(
        *(agent.name, text.encode()), priority=PRIORITIES["high"], free=True, briefing=brief
    )
    request = request if at_once else request._replace(timeout=0.0)
    return print_receipt(send(common.socket, request), common)
