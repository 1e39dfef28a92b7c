"""``torch window``: a window rooted in a directory, and the proof that it is."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import note, print_json, printable
from torch_cli.envfile import read_environment
from torch_cli.errors import DONE, FAILURE
from torch_cli.store import Store
from torch_cli.tmux.window import OpenedWindow, open_window


@click.command()
@click.argument("name")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD …]")
@click.option(
    "--session",
    metavar="S",
    help="Session to use or create. Default: the one you are in, else named after the directory.",
)
@click.option(
    "--dir", "directory", metavar="D", default=".", help="Where it stands. Default: here."
)
@click.option(
    "--env",
    "given",
    metavar="K[=V]",
    multiple=True,
    help="Set a variable, or hand on your own K. K=V is visible among torch's own arguments in"
    " process lists; K alone and --env-file are not.",
)
@click.option(
    "--env-file",
    "files",
    metavar="F",
    multiple=True,
    help="Set the variables of a dotenv file; quoted values may span lines.",
)
@click.option("--reuse", is_flag=True, help="Take the window of that name if there is one.")
@common_options
def command(
    common: Common,
    name: str,
    argv: tuple[str, ...],
    session: str | None,
    directory: str,
    given: tuple[str, ...],
    files: tuple[str, ...],
    reuse: bool,
) -> int:
    """Open a window rooted in a directory, and prove it.

    \b
    Examples:
      torch window dev
      torch window api --session work --dir '~/my project'
      torch window tests --env CI=1 --env-file .env -- make watch

    The directory is checked first. Then the window's own process is looked at: exit code 1 if it,
    or the program in the foreground, stands elsewhere; the window stays. CMD is run without a
    shell; one that ends within 0.4 s is an error with what it printed, and leaves no window.
    """
    environment = read_environment(given, files)
    # The store is opened first: a window that cannot be remembered is not opened.
    with Store() as store:
        opened = open_window(
            common.socket,
            name=name,
            directory=directory,
            session=session,
            environment=environment,
            command=argv,
            reuse=reuse,
        )
        if not opened.reused:
            store.windows.add(
                opened.pane,
                name=name,
                directory=opened.directory,
                created_session=opened.created_session,
            )
    _show(common, opened)
    return DONE if opened.rooted else FAILURE


def _show(common: Common, opened: OpenedWindow) -> None:
    pane = opened.pane
    if common.json:
        print_json(
            {
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
            }
        )
    else:
        click.echo(printable(f"{pane.id}  {pane.place}  {opened.directory}"))
    for words in opened.notes:
        note(f"torch: {printable(words)}", quiet=common.quiet and opened.rooted)
    if not opened.rooted:
        note(f"       The window {pane.id} was left as it is; 'cd' in it, or close it.")
