"""``torch send``."""

from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES, common_options, delivery_options
from torch_cli.errors import RefusedError


def _needed(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Ask for a message, unless the fields of a form make it."""
    if value is None and not (ctx.params.get("kind") or ctx.params.get("fields")):
        raise click.MissingParameter(ctx=ctx, param=param)
    return value


@click.command("send")
@click.argument("target", shell_complete=complete_agents)
@click.argument("message", type=ANY_BYTES, required=False, callback=_needed)
@click.option(
    "--kind",
    metavar="KIND",
    is_eager=True,
    help="The kind of the message: status, task, … ('torch message kinds').",
)
@click.option(
    "--field",
    "fields",
    type=ANY_BYTES,
    multiple=True,
    is_eager=True,
    metavar="NAME=VALUE",
    help="A field of the kind's form; repeatable.",
)
@delivery_options
@common_options
def command(common: Common, **given: Any) -> int:
    """Send MESSAGE to TARGET, an agent's name or a tmux target, and print its receipt.

    MESSAGE - reads standard input. Torch presses no key unless the text is in the program's own
    input box: it does not answer a dialog, and does not touch a person's draft.

    \b
    Examples:
      torch send dev "Run the tests and fix what fails."
      git diff | torch send reviewer -
      torch send work:2.1 "status?" --when idle --timeout 120
      torch send dev "deploy" --key release-42 --json
      torch send pm --kind status --field done="the parser, commit 3f2a1b0"
      torch send dev -- "- an item of a list"
    """
    from torch_cli.cli.sending import run_send

    kind, fields = given.pop("kind"), given.pop("fields")
    if kind is None and not fields:
        return run_send(common, **given)
    name, text = _filled_in(kind, fields, given.pop("message"))
    return run_send(common, message=text, kind=name, **given)


def _filled_in(kind: str | None, fields: tuple[str, ...], message: str | None) -> tuple[str, str]:
    """Return the kind, and the message that its form makes, filled in by fields or as a text."""
    from torch_cli.cli.sending import body_of
    from torch_cli.delivery.kinds import MESSAGE_KINDS, compose, fields_of, kind_named, read_form

    if kind is None:
        raise RefusedError("--field needs --kind; nothing was sent", code="usage")
    name = kind_named(kind)
    given = fields_of(fields)
    if message is not None:
        text = body_of(message).decode("utf-8", "surrogateescape")
        first = next(field.name for field in MESSAGE_KINDS[name] if field.required)
        is_form = message == "-" and len(MESSAGE_KINDS[name]) > 1
        given = {**(read_form(name, text) if is_form else {first: text}), **given}
    return name, compose(name, given)
