"""``torch move``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_sessions
from torch_cli.cli.options import SECONDS, common_options


@click.command("move")
@click.argument("name", shell_complete=complete_agents)
@click.option(
    "--session",
    metavar="SESSION",
    shell_complete=complete_sessions,
    help="Move it to this session, into a window of its own.",
)
@click.option("--create", is_flag=True, help="Make the session if it does not exist.")
@click.option(
    "--window",
    "target",
    metavar="TARGET",
    shell_complete=complete_agents,
    help="Move it beside other panes, in this window: SESSION:WINDOW, or another agent.",
)
@click.option(
    "--vertical/--horizontal",
    default=None,
    help="Put it below the other pane (default), or to its right; as tmux names the two.",
)
@click.option("--apart", is_flag=True, help="Move it out of a shared window, into one of its own.")
@click.option("--follow", is_flag=True, help="Take the people along who are looking at it.")
@click.option(
    "--timeout",
    type=SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds to wait while a message is delivered to it.",
)
@common_options
def command(
    common: Common,
    name: str,
    session: str | None,
    create: bool,
    target: str | None,
    vertical: bool | None,
    apart: bool,
    follow: bool,
    timeout: float,
) -> None:
    """Move the agent NAME to another session or window of its tmux server.

    Its pane and its program stay the same, and so do its name, its messages and its log. If other
    panes share its window, the agent leaves alone. Nobody's window or focus changes: if a person is
    looking at the agent, it is not moved, unless you --follow. A session that loses its only window
    ends.

    \b
    Examples:
      torch move dev --session review
      torch move dev --session night --create
      torch move dev --window work:build --horizontal
      torch move dev --window .
      torch move dev --apart
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.errors import RefusedError
    from torch_cli.lifecycle.move import Destination, move
    from torch_cli.store import Store

    given = sum((session is not None, target is not None, apart))
    misused = (
        "say where to move it: give one of --session, --window and --apart"
        if given != 1
        else "--create needs --session"
        if create and session is None
        else "--vertical and --horizontal need --window"
        if vertical is not None and target is None
        else ""
    )
    if misused:
        raise RefusedError(misused, hint="See 'torch move --help'.", code="usage")
    wanted = Destination(session, create, target, horizontal=vertical is False, follow=follow)
    with Store() as store:
        moved = move(store, common.socket, name, wanted, timeout=timeout)
    before, now = moved.before, moved.now
    if common.json:
        print_json(
            {
                "schema": "torch.move/1",
                "agent": moved.agent.name,
                "moved": moved.done,
                "pane": now.id,
                "pid": now.pid,
                "session": now.session,
                "window": now.window,
                "before": {"session": before.session, "window": before.window},
                "created_session": moved.created_session,
                "ended_sessions": list(moved.ended),
                "notes": list(moved.notes),
            }
        )
        return
    way = f"moved  {moved.agent.name}  {before.place} -> {now.place}  {now.id}"
    stays = f"stays  {moved.agent.name}  {now.place}  {now.id}: it is there already"
    say(printable(way if moved.done else stays))
    for words in moved.notes:
        note(f"  {printable(words)}", quiet=common.quiet)
