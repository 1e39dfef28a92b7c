"""``torch uninstall``."""

import sys
from typing import TYPE_CHECKING

import click

from torch_cli.cli.asking import confirmed
from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import note, print_error, print_json, print_text, say
from torch_cli.errors import DONE, FAILURE, RefusedError, TorchError

if TYPE_CHECKING:
    from torch_cli.uninstall.parts import InstalledPart, Removal


_WHAT_AT = 13
"""Columns before the words about a part."""


@click.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Show what is there, and change nothing.")
@click.option("--checkpoints", is_flag=True, help="Delete all checkpoints too.")
@click.option("--state", is_flag=True, help="Delete messages, history and check-ins too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def command(common: Common, dry_run: bool, checkpoints: bool, state: bool, yes: bool) -> int:
    """Take away what Torch has put on this machine.

    That is: the service, the daemon, the line in your crontab, the hooks and the key binding of
    'torch agent-setup', the line in your tmux.conf with its keys and marks in the servers that run,
    and the line for completion in your shell's start-up file. Checkpoints and the state are your
    data and stay, unless you ask. Checkpoints are looked for in the repositories that Torch knows,
    and in this directory's. Agents go on. Git worktrees, torch.toml files and your settings stay.
    At the end Torch prints the command that removes the program itself.

    Each part is removed by itself. If one cannot be, the others still are, and the exit status is
    1.

    \b
    Examples:
      torch uninstall --dry-run
      torch uninstall
      torch uninstall --checkpoints --state --yes
    """
    from torch_cli.uninstall.parts import parts, remove

    found = parts(checkpoints=checkpoints, state=state)
    if not common.json:
        for part in found:
            _show(part)
    if found and not dry_run and not yes:
        _ask(common)
    done = [] if dry_run else [remove(part) for part in found]
    if common.json:
        _print_object(found, done, dry_run)
    else:
        _conclude(common, found, done, dry_run)
    wrong = [one for one in (done or found) if _problem(one)]
    return FAILURE if wrong else DONE


def _problem(one: "InstalledPart | Removal") -> TorchError | None:
    from torch_cli.uninstall.parts import Removal

    return one.error if isinstance(one, Removal) else one.trouble


def _show(part: "InstalledPart") -> None:
    """Print one part that is there, with the difference that its removal makes in files."""
    from torch_cli.cli.table import homely_words

    if part.trouble is not None:
        print_error(part.trouble, False)
        return
    say(f"{part.name:<{_WHAT_AT}}{homely_words(part.what)}", indent=_WHAT_AT)
    if part.diff:
        print_text(part.diff)


def _ask(common: Common) -> None:
    """Ask the person at the terminal; raise unless the answer is yes."""
    if common.json or not sys.stdin.isatty():
        raise RefusedError(
            "there is no terminal to ask you; nothing was removed",
            hint="Agree with --yes, or look first with --dry-run.",
            code="no-consent",
        )
    if not confirmed("Remove all of this?", err=True):
        raise TorchError("nothing was removed", code="no-consent")


def _conclude(
    common: Common, found: "list[InstalledPart]", done: "list[Removal]", dry_run: bool
) -> None:
    """Say what was removed, what is left to do, and how the program is removed."""
    from torch_cli.cli.table import homely_words
    from torch_cli.installed import removal_commands

    for one in done:
        if one.error is None:
            note(f"removed: {one.part.name}  {homely_words(one.part.what)}", quiet=common.quiet)
        elif one.part.trouble is None:  # else it was shown before
            print_error(one.error, False)
        for words in one.left:
            note(f"    {words}", quiet=common.quiet)
    if not found:
        note("Nothing of Torch's is installed.", quiet=common.quiet)
    elif dry_run:
        note("Nothing was removed (--dry-run).", quiet=common.quiet)
    note("To remove the program itself:", quiet=common.quiet)
    for words in removal_commands():
        note(f"  {words}", quiet=common.quiet)


def _print_object(found: "list[InstalledPart]", done: "list[Removal]", dry_run: bool) -> None:
    errors = {one.part: one.error for one in done}
    left = {one.part: list(one.left) for one in done}
    print_json(
        {
            "schema": "torch.uninstall/1",
            "applied": not dry_run,
            "parts": [
                {
                    "name": part.name,
                    "what": part.what,
                    "removed": part in errors and errors[part] is None,
                    "left": left.get(part, []),
                    "problem": _words(errors.get(part) or part.trouble),
                }
                for part in found
            ],
        }
    )


def _words(error: TorchError | None) -> str | None:
    return error.message if error is not None else None
