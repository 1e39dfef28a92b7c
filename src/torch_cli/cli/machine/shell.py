"""``torch shell``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.verbs import Verbs

if TYPE_CHECKING:
    from torch_cli.programs.changes import FileChange
    from torch_cli.snippet.conf import Installed


@click.group("shell", cls=Verbs)
def command() -> None:
    """Show who needs you in your own tmux.

    \b
    Examples:
      torch shell tmux
      torch shell tmux --install
      torch shell menu
    """


@command.command("tmux")
@click.option("--install", is_flag=True, help="Add one line to your tmux.conf that sources it.")
@click.option("--remove", is_flag=True, help="Remove that line, and what servers have read.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@common_options
def tmux_command(common: Common, install: bool, remove: bool, dry_run: bool) -> None:
    """Print a snippet for tmux.conf that shows who needs you.

    The status line says who needs you, names of windows are marked, borders of panes have colours,
    and keys behind the prefix key are for 'torch answer' in a popup (A), 'torch next' (N), 'torch
    back' (B) and a menu of the agents (T).
    What you have set stays: the snippet adds to it, and takes no key that is bound. It works from
    tmux 3.2 on and costs tmux no process; the daemon says what is shown ('torch daemon start').

    --install writes the snippet to a file of Torch's and adds one line to the last of your files
    that tmux reads (~/.tmux.conf, $XDG_CONFIG_HOME/tmux/tmux.conf, ~/.config/tmux/tmux.conf), or
    makes the first. --remove restores that file byte for byte, and takes Torch's keys and marks out
    of the servers that run: those of your agents, the default one, and the one you are in.

    \b
    Examples:
      torch shell tmux
      torch shell tmux --install --dry-run
      torch shell tmux --install
      torch shell tmux --remove
    """
    from torch_cli.cli.present import print_json, say
    from torch_cli.errors import RefusedError
    from torch_cli.schedule.command import words_for_tmux
    from torch_cli.snippet import conf
    from torch_cli.snippet.running import servers
    from torch_cli.snippet.text import snippet

    if install and remove:
        words = "give --install or --remove, not both; nothing was changed"
        raise RefusedError(words, code="usage")
    if dry_run and not (install or remove):
        raise RefusedError("--dry-run needs --install or --remove", code="usage")
    if install or remove:
        changes = conf.plan(words_for_tmux()) if install else conf.plan_removal()
        _change(common, changes, [] if install else servers(), install=install, dry_run=dry_run)
    elif common.json:
        print_json({"schema": "torch.snippet/1", "text": snippet(words_for_tmux())})
    else:
        say(snippet(words_for_tmux()).rstrip("\n"), exact=True)


def _taken(dry_run: bool) -> str:
    return "would be taken out" if dry_run else "taken out"


def _change(
    common: Common,
    changes: "list[FileChange]",
    servers: list[str],
    *,
    install: bool,
    dry_run: bool,
) -> None:
    """Make the changes, also in the ``servers`` that run, and say what is different now."""
    from torch_cli.cli.present import note, print_json, print_text
    from torch_cli.snippet.conf import carry_out
    from torch_cli.snippet.running import take_back

    needed = [change for change in changes if change.needed]
    if not dry_run:
        carry_out(changes)
        for path in servers:
            take_back(path)
    if common.json:
        print_json(
            {
                "schema": "torch.shell-tmux/1",
                "applied": bool(needed or servers) and not dry_run,
                "changes": [
                    {"path": one.path, "changed": one.needed, "diff": one.diff} for one in changes
                ],
                "servers": servers,
            }
        )
        return
    for change in needed:
        if dry_run:
            print_text(change.diff)
        else:
            note(f"{change.path}: {_done(change)}", quiet=common.quiet)
    for path in servers:
        note(f"the tmux server {path}: keys and marks {_taken(dry_run)}", quiet=common.quiet)
    if not (needed or servers):
        words = "It is installed already." if install else "Nothing is installed."
        note(words, quiet=common.quiet)
    elif dry_run:
        note("Nothing was changed (--dry-run).", quiet=common.quiet)
    elif install:
        _conclude(common)


def _conclude(common: Common) -> None:
    """Say which line and keys were installed, and how a server that runs reads them."""
    from torch_cli.cli.present import note
    from torch_cli.snippet.conf import installed, snippet_file

    for line in _says(installed()):
        note(f"  {line}", quiet=common.quiet)
    note(f"In a server that runs: tmux source-file '{snippet_file()}'", quiet=common.quiet)


def _says(now: "Installed") -> list[str]:
    """Return which line was added, and which keys it binds."""
    from torch_cli.snippet.text import KEYS

    keys = [f"prefix {one.key}: {one.words}" for one in KEYS]
    return [f"the line: {now.line}", *keys, "A key that is bound already is not taken."]


def _done(change: "FileChange") -> str:
    if change.before is None:
        return "made"
    return "deleted" if change.after is None else "changed"


@command.command("menu")
@click.option("--client", metavar="NAME", default="", help="The terminal, as tmux names it.")
@common_options
def menu_command(common: Common, client: str) -> None:
    """Show a menu of the agents in a tmux terminal, who needs you first.

    The agents are those of this tmux server. The one that you choose is shown in that terminal. The
    snippet of 'torch shell tmux' has a key for it.

    \b
    Examples:
      torch shell menu
    """
    from torch_cli.attention.needs import needs
    from torch_cli.snippet.menu import show_menu
    from torch_cli.store import Store

    socket = common.socket._replace(demanded=True)
    with Store() as store:
        found = needs(store, socket)
    show_menu(socket, found, client)
