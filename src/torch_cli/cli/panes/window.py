"""``torch window``: a window in a directory, and the proof that its process is there."""

from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.opened import explain
from torch_cli.cli.options import ANY_BYTES, common_options
from torch_cli.cli.present import error_object, note, print_json, printable, say
from torch_cli.errors import DONE, TorchError

if TYPE_CHECKING:
    from torch_cli.tmux.window import OpenedWindow


@click.command()
@click.argument("name")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD …]")
@click.option(
    "--session",
    metavar="S",
    help="The session to use or create (default: the one you are in, else named after the "
    "directory).",
)
@click.option(
    "--dir",
    "directory",
    type=ANY_BYTES,
    metavar="D",
    help="The window's directory (default: here; with --reuse, where the window is found).",
)
@click.option(
    "--env",
    "given",
    type=ANY_BYTES,
    metavar="K[=V]",
    multiple=True,
    help="Set a variable, or pass on your own K. K=V is visible among torch's own arguments in "
    "process lists; K alone and --env-file are not.",
)
@click.option(
    "--env-file",
    "files",
    type=ANY_BYTES,
    metavar="F",
    multiple=True,
    help="Set the variables of a dotenv file; quoted values may have several lines.",
)
@click.option("--reuse", is_flag=True, help="Take an existing window of that name.")
@common_options
def command(
    common: Common,
    name: str,
    argv: tuple[str, ...],
    session: str | None,
    directory: str | None,
    given: tuple[str, ...],
    files: tuple[str, ...],
    reuse: bool,
) -> int:
    """Open a window in a directory, and prove that it is there.

    \b
    Examples:
      torch window dev
      torch window api --session work --dir '~/my project'
      torch window tests --env CI=1 --env-file .env -- make watch

    The directory is checked first. Then the window's own process is looked at: exit code 1 if it,
    or the program in the foreground, is elsewhere; the window stays. CMD is run without a
    shell; a CMD that ends within 0.4 s is an error with its output, and leaves no window.
    """
    from torch_cli.envfile import read_environment
    from torch_cli.lifecycle.window import create_window
    from torch_cli.store import Store

    environment = read_environment(given, files)
    # The store is opened first, so that no window is opened that cannot be recorded.
    with Store() as store:
        opened = create_window(
            store,
            common.socket,
            name=name,
            directory=directory,
            session=session,
            environment=environment,
            command=argv,
            reuse=reuse,
        )
    strays = None if opened.rooted else _strays(opened)
    if common.json:
        print_json(_object(opened, strays))
    else:
        say(printable(f"{opened.pane.id}  {opened.pane.place}  {opened.directory}"))
    for words in opened.notes:
        note(f"torch: {printable(words)}", quiet=common.quiet and opened.rooted)
    if strays:
        note(f"       {strays.hint}")
    explain(opened, common)
    return strays.exit_code if strays else DONE


def _strays(opened: "OpenedWindow") -> TorchError:
    """Return the error for a window whose process is in another directory."""
    return TorchError(
        "; ".join(opened.notes),
        hint=f"The window {opened.pane.id} was not changed; 'cd' in it, or close it.",
        code="not-rooted",
    )


def _object(opened: "OpenedWindow", strays: TorchError | None) -> dict[str, Any]:
    pane = opened.pane
    return {
        "schema": "torch.window/1",
        "session": pane.session,
        "window": pane.window,
        "pane": pane.id,
        "pid": pane.pid,
        "dir": opened.directory,
        "rooted": opened.rooted,
        "created_session": opened.created_session,
        "reused": opened.reused,
        "notes": list(opened.notes),
        **({"error": error_object(strays)} if strays else {}),
    }
