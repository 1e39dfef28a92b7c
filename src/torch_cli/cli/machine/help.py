"""``torch help``."""

from collections.abc import Sequence
from pathlib import Path

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.errors import RefusedError


def _names(context: click.Context) -> list[str]:
    group = context.command
    return group.list_commands(context) if isinstance(group, click.Group) else []


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the commands that may come next and begin with ``incomplete``."""
    from torch_cli.cli.group import torch

    context: click.Context | None = torch.make_context("torch", [], resilient_parsing=True)
    for word in ctx.params.get("words") or ():
        context = _below(context, word) if context is not None else None
    names = _names(context) if context is not None else []
    return [name for name in names if name.startswith(incomplete)]


@click.command("help")
@click.argument("words", metavar="[COMMAND]...", nargs=-1, shell_complete=_complete)
@click.option(
    "--man",
    "folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write a man page of each command to DIR, and show nothing.",
)
@common_options
def command(common: Common, words: tuple[str, ...], folder: str | None) -> None:
    """Show the help of a command, as COMMAND --help does.

    \b
    Examples:
      torch help
      torch help send
      torch help checkpoint restore
      torch help --man ~/.local/share/man/man1
    """
    if folder is not None:
        if words:
            raise RefusedError(
                "--man writes the pages of all commands; nothing was written",
                hint=f"Leave out '{' '.join(words)}'.",
                code="usage",
            )
        _write_man_pages(common, Path(folder))
        return
    from torch_cli.cli.group import torch, unknown_command

    context = torch.make_context("torch", [], resilient_parsing=True)
    for word in words:
        below = _below(context, word)
        if below is None and not isinstance(context.command, click.Group):
            raise _too_many(context.command_path, words)
        if below is None:
            raise unknown_command(word, _names(context), context.command_path.partition(" ")[2])
        context = below
    click.echo(context.get_help())


def _too_many(path: str, words: Sequence[str]) -> RefusedError:
    """Return the refusal of ``words`` of which the first ones are a command without others."""
    pages = "; ".join(f"torch help {word}" for word in words)
    return RefusedError(
        f"'{path}' has no commands of its own, and help shows one command; nothing was shown",
        hint=f"One at a time: {pages}",
        code="usage",
    )


def _write_man_pages(common: Common, folder: Path) -> None:
    from torch_cli.cli.group import torch
    from torch_cli.cli.manual import file_name, man_page, manuals

    context = torch.make_context("torch", [], resilient_parsing=True)
    pages = [one for one in manuals(torch, context) if not one.hidden]
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        (folder / file_name(page)).write_text(man_page(page), encoding="utf-8")
    facts = {"schema": "torch.manual/1", "directory": str(folder), "pages": len(pages)}
    common.show(facts, f"written  {len(pages)} pages to {folder}", "read one with 'man torch-send'")


def _below(context: click.Context, word: str) -> click.Context | None:
    """Return the context of the command ``word`` in a group, ``None`` if there is none."""
    group = context.command
    below = group.get_command(context, word) if isinstance(group, click.Group) else None
    if below is None:
        return None
    return below.make_context(word, [], parent=context, resilient_parsing=True)
