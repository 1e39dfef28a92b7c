"""``torch down``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_PROJECT, common_options, seconds_option
from torch_cli.cli.present import error_object, note, print_error, print_json, printable, say
from torch_cli.cli.progress import StepPrinter
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from torch_cli.teams.down import EndedMember


_MEANS = {"gone": "it had ended", "left": "not ended: it was there before the team"}
"""What a state means, where its word alone does not say it."""


@click.command("down")
@click.option("--only", multiple=True, metavar="NAME", help="End this member alone; repeatable.")
@click.option(
    "--force", is_flag=True, help="Also end members where no checkpoint can be made first."
)
@seconds_option(
    "--deadline", 60.0, "The most seconds to wait for each agent's handoff note; 0 asks for none."
)
@IN_PROJECT
@common_options
def command(
    common: Common, only: tuple[str, ...], force: bool, deadline: float, directory: str
) -> int:
    """End what 'torch up' has started of this project's team, and nothing else.

    First each directory gets a checkpoint, and each idle agent is asked for a handoff note. A
    worktree that 'torch up' made is removed only if it is clean, merged, and nobody else is in it.
    What existed before the team is left alone. The file itself is not needed. -L or -S means what
    is on that tmux server only.

    \b
    Examples:
      torch down
      torch down --only dev
    """
    from torch_cli.store import Store
    from torch_cli.teams.down import down, team_path
    from torch_cli.teams.up import team_lock

    status, any_ended = DONE, False
    with (
        Store() as store,
        team_lock(path := team_path(store, directory)),
        StepPrinter(common) as progress,
    ):
        for one in down(
            *(store, path),
            only=only,
            on=common.socket,
            force=force,
            notes=deadline,
            tell=progress,
        ):
            progress.over()
            any_ended = True
            print_ended(one, common)
            if one.error is not None:
                status = status or one.error.exit_code
    if not any_ended and not common.json:
        note("  nothing of this team is running", quiet=common.quiet)
    return status


def print_ended(one: "EndedMember", common: Common) -> None:
    """Print what became of a member: with its name, and what else is known in rows below that."""
    from torch_cli.cli.table import homely_words

    if common.json:
        error = {"error": error_object(one.error)} if one.error else {}
        facts = {"name": one.name, "state": one.state, "words": one.words or None}
        print_json({"schema": "torch.down/1", **facts, **error})
        return
    first, *more = [*filter(None, [_MEANS.get(one.state)]), *map(homely_words, one.said)] or [""]
    say(printable("  ".join(filter(None, [one.state, one.name, first]))))
    for words in more:
        say(printable(f"  {words}"))
    if one.error is not None:
        print_error(one.error, as_json=False)
