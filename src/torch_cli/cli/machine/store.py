"""``torch store``: the state file."""

import time
from collections.abc import Mapping

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.verbs import Verbs

DELETED_WORDS = {
    "messages": "settled messages",
    "runs": "runs of check-ins",
    "events": "events",
    "states": "changes of agents' states",
    "hook_reports": "hook reports",
    "prompts": "hook reports that lose the text of prompts and answers",
}
"""What is deleted, by the name of its setting."""

MIB = 1024 * 1024


@click.group("store", cls=Verbs)
def command() -> None:
    """Look after the state file, in which Torch keeps messages, events, check-ins and tasks.

    \b
    Examples:
      torch store prune --dry-run
    """


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@common_options
def prune_command(common: Common, dry_run: bool) -> None:
    """Delete old rows of the state file now. The daemon does it every ten minutes.

    Messages, runs of check-ins and events are kept for 90 days, changes of states for 14, hook
    reports for 7, the text in them for 1 day. The table [retention] of config.toml changes that.
    What waits, an open conversation or question, and what a briefing, a task or a check-in refers
    to stays at any age. The file does not get smaller: the room is used for new rows.

    With --json, one object.

    \b
    Examples:
      torch store prune --dry-run
      torch store prune --json | jq .deleted.messages
    """
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.store import Store
    from torch_cli.store.keeping import load_keeping

    with Store() as store:
        keeping, now = load_keeping(), time.time()
        if dry_run:
            counted = store.retention.count(now, keeping)
        else:
            counted = store.retention.sweep(now, keeping=keeping)
        size, free = store.database.size()
    if common.json:
        deleted = {name: counted[name] for name in DELETED_WORDS}
        sizes = {"bytes": size, "free_bytes": free}
        start = {"schema": "torch.store-prune/1", "dry_run": dry_run}
        print_json({**start, "deleted": deleted, "kept_seconds": keeping._asdict(), **sizes})
        return
    for line in _lines(counted, keeping._asdict()):
        say(f"would delete  {line}" if dry_run else f"deleted  {line}")
    if not counted:
        say("nothing is too old")
    note(f"  the file has {size / MIB:,.1f} MiB, {free / MIB:,.1f} of it free", quiet=common.quiet)


def _lines(counted: Mapping[str, int], kept: Mapping[str, float]) -> list[str]:
    from torch_cli.duration import words

    lines = []
    for name, what in DELETED_WORDS.items():
        if counted[name]:
            limit = f", or beyond {kept['most_states']:,}" if name == "states" else ""
            lines.append(f"{counted[name]:>9,}  {what}, older than {words(kept[name])}{limit}")
    return lines
