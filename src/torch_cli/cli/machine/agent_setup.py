"""``torch agent-setup``."""

import sys
from typing import TYPE_CHECKING

import click

from torch_cli.cli.asking import confirmed
from torch_cli.cli.common import Common
from torch_cli.cli.options import ANY_BYTES, common_options
from torch_cli.cli.present import note, print_json, print_text
from torch_cli.errors import RefusedError, TorchError

if TYPE_CHECKING:
    from torch_cli.programs.changes import FileChange


@click.command("agent-setup")
@click.argument("program", type=click.Choice(["claude"]))
@click.option("--undo", is_flag=True, help="Remove what was installed.")
@click.option("--dry-run", is_flag=True, help="Show the changes, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--project",
    type=ANY_BYTES,
    metavar="DIR",
    help="Install the hooks for this project alone, in DIR/.claude/settings.local.json.",
)
@common_options
def command(
    common: Common, program: str, undo: bool, dry_run: bool, yes: bool, project: str | None
) -> None:
    """Install hooks and the submit chord for an agent program, or remove them.

    The hooks tell Torch what the program does. The chord (ctrl+x ctrl+q) submits a message and,
    unlike Enter, answers no dialog. Only hooks that the installed version of the program knows are
    installed. You see the differences first. Torch keeps the old content of the files, and --undo
    restores it byte for byte. Agents that 'torch spawn' starts get the hooks
    without this. The chord works in programs that start after you install it.

    \b
    Examples:
      torch agent-setup claude --dry-run
      torch agent-setup claude
      torch agent-setup claude --project ~/project --yes
      torch agent-setup claude --undo
    """
    from torch_cli.programs import setup, setup_files
    from torch_cli.programs.changes import apply

    if undo:
        changes = setup_files.plan_undo(project)
    else:
        changes = setup_files.plan(project, setup.hook_command(), _version(program))
    pending = [change for change in changes if change.needed]
    if not common.json:
        for change in changes:
            _show(change, common)
    if pending and not dry_run:
        if not yes:
            _ask(common)
        apply(changes)
    elif not dry_run:
        apply(changes)  # only forgets changes that are undone already
    if common.json:
        print_json(
            {
                "schema": "torch.agent-setup/1",
                "program": program,
                "applied": bool(pending) and not dry_run,
                "changes": [
                    {"path": c.path, "changed": c.needed, "note": c.why, "diff": c.diff}
                    for c in changes
                ],
            }
        )
    else:
        _conclude(common, bool(pending), undo, dry_run)


def _version(program: str) -> str:
    """Return the version of the program that is installed, '' if none is, or it does not say."""
    import os

    from torch_cli.programs.program import ask_version, find_program
    from torch_cli.roster.registry import profile_named

    profile = profile_named(program)
    found = find_program(profile, os.environ)
    return (ask_version(profile, found, os.environ) or "") if found else ""


def _show(change: "FileChange", common: Common) -> None:
    """Print the outcome of one file: the difference on stdout, words about it on stderr."""
    why = change.why or ("" if change.needed else "needs no change")
    if why:
        note(f"{change.path}: {why}", quiet=common.quiet)
    if change.needed:
        print_text(change.diff)


def _ask(common: Common) -> None:
    """Ask the person at the terminal; raise unless the answer is yes."""
    if common.json or not sys.stdin.isatty():
        raise RefusedError(
            "these files are yours, and there is no terminal to ask you; nothing was changed",
            hint="Agree with --yes, or look first with --dry-run.",
            code="no-consent",
        )
    if not confirmed("Write these changes?", err=True):
        raise TorchError("nothing was changed", code="no-consent")


def _conclude(common: Common, pending: bool, undo: bool, dry_run: bool) -> None:
    if not pending:
        words = "Nothing is installed." if undo else "Everything is installed already."
    elif dry_run:
        words = "Nothing was changed (--dry-run)."
    elif undo:
        words = "Undone."
    else:
        words = "Installed. Claude Code reads this when it starts; --undo removes it."
    note(words, quiet=common.quiet)
