"""``torch profile new``: a draft of a profile, from one run of the program."""

import os
from pathlib import Path

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options


@click.command("new")
@click.argument("name")
@click.option(
    "--command", "line", required=True, metavar="CMD", help="The program, with its arguments."
)
@click.option(
    "--dir",
    "directory",
    type=ANY_BYTES,
    default=".",
    show_default=True,
    metavar="DIR",
    help="The directory to start it in.",
)
@click.option(
    "--env",
    "variables",
    type=ANY_BYTES,
    multiple=True,
    metavar="K[=V]",
    help="Set K for this run, or pass on the caller's K. K does not go into the profile.",
)
@click.option(
    "--timeout",
    type=SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds until its screen stops changing.",
)
@click.option(
    "--press-enter",
    "enter",
    is_flag=False,
    flag_value="hello",
    metavar="[TEXT]",
    help="Also type TEXT (hello) and press Enter, to see how a sent message shows. Enter can run "
    "things: the program decides what TEXT means.",
)
@click.option(
    "--output",
    type=ANY_BYTES,
    metavar="FILE",
    help="Write the draft to FILE, or to stdout for - (default: your profile directory).",
)
@click.option("--force", is_flag=True, help="Replace an existing profile.")
@common_options
def new_command(
    common: Common,
    name: str,
    line: str,
    directory: str,
    variables: tuple[str, ...],
    timeout: float,
    enter: str | None,
    output: str | None,
    force: bool,
) -> None:
    """Start an unknown program, look at it, and write a draft of a profile for it.

    The program runs in a pane of 120x40 on a private tmux server, which is ended afterwards with
    everything in it. Torch pastes one harmless word into its input box and erases it again. If the
    program first asks a question, nothing is typed and nothing is written (exit code 4). Torch
    presses Enter with --press-enter only. The draft says what was seen and what is missing.
    docs/writing-a-profile.md continues from there.

    \b
    Examples:
      torch profile new mine --command "mine --no-update"
      torch profile new mine --command mine --dir ~/project --press-enter "say hello"
      torch profile new mine --command mine --output - | less
    """
    from datetime import date

    from torch_cli.cli.present import note, print_json, print_text, say
    from torch_cli.cli.progress import StepPrinter
    from torch_cli.envfile import read_environment
    from torch_cli.profiling.draft import draft_text, unproven
    from torch_cli.profiling.trial import TrialRequest, try_out

    path = _place(name, output, force=force)
    if output is None:
        _check_person()
    request = TrialRequest(
        name=name,
        command=_split(line),
        directory=directory,
        environment=read_environment(variables),
        timeout=timeout,
        enter=None if enter is None else _check_enter(enter),
    )
    with StepPrinter(common) as progress:
        seen = try_out(request, today=date.today().isoformat(), tell=progress)
    text = draft_text(seen)
    if path is None and not common.json:
        print_text(text)
        return
    if path is not None:
        _write(path, text, force=force)
    if output is None:
        _accept(name, text)
    missing = unproven(seen)
    if common.json:
        where = None if path is None else str(path)
        found = {"file": where, "draft": text, "unproven": missing}
        print_json({"schema": "torch.profile-new/1", "profile": name, **found})
        return
    say(str(path), exact=True)
    note(f"a draft for '{name}': a {seen.box.kind} box; missing:", quiet=common.quiet)
    for sentence in missing:
        note(f"  {sentence}", quiet=common.quiet)


def _check_person() -> None:
    """Refuse an agent: what is in the directory of profiles decides which keys are pressed."""
    from torch_cli.errors import RefusedError
    from torch_cli.profiling.install import check_person
    from torch_cli.store import Store

    try:
        with Store() as store:
            check_person(store, "install a profile", "nothing was started")
    except RefusedError as error:
        error.hint = "Write the draft to a file with --output, and ask a person to install it."
        raise


def _accept(name: str, text: str) -> None:
    """Accept the draft, which a person has just made."""
    from torch_cli.profiling.install import put
    from torch_cli.store import Store

    with Store() as store:
        put(store, name, text)


def _place(name: str, output: str | None, *, force: bool) -> Path | None:
    """Return the file to write, ``None`` for stdout; refuse an existing file or an invalid name."""
    from torch_cli.errors import RefusedError
    from torch_cli.programs.loading import check_profile_name, list_profiles
    from torch_cli.roster.registry import profiles_dir

    check_profile_name(name)
    if output == "-":
        return None
    path = Path(profiles_dir(), f"{name}.toml") if output is None else Path(output)
    taken = dict(list_profiles(profiles_dir())).get(name) if output is None else None
    if path.exists():
        taken = str(path)
    if taken is not None and not force:
        what = f"profile '{name}' already exists ({taken})"
        raise RefusedError(
            f"{what if output is None else f'{path} already exists'}; nothing was started",
            hint="Choose another name, or replace it with --force.",
            code="name-taken",
        )
    if not path.parent.is_dir() and output is not None:
        raise RefusedError(f"no directory {path.parent}; nothing was started", code="no-dir")
    return path


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write the draft. A file that appeared meanwhile is replaced only with ``force``."""
    from torch_cli.errors import RefusedError
    from torch_cli.paths import make_private

    try:
        make_private(str(path.parent))
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RefusedError(
            f"somebody else has just made {path}; it was not changed",
            hint="Try again with another name, or with --force.",
            code="name-taken",
        ) from None
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be written: {error.strerror}", code="unwritable"
        ) from None


def _split(command: str) -> tuple[str, ...]:
    """Return the words of a command line, with the path of its program made absolute.

    Quotes work. Only a leading ``~`` is expanded. Raises ``RefusedError`` for an open quote, and if
    there is no word.
    """
    import shlex

    from torch_cli.errors import RefusedError

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise RefusedError(f"--command: {str(error).lower()}", code="usage") from None
    if not words:
        raise RefusedError("--command is empty: it must name a program", code="usage")
    path = os.path.expanduser(words[0])
    return (str(Path(path).absolute()) if os.sep in path else path, *words[1:])


def _check_enter(text: str) -> str:
    """Return ``text`` if it can be typed as one line; raise ``RefusedError`` if not."""
    from torch_cli.errors import RefusedError

    if not text.strip() or text != text.strip() or not text.isprintable():
        raise RefusedError(
            f"--press-enter takes one line of text without spaces at its ends, not {text!r}; "
            "nothing was started",
            code="usage",
        )
    return text
