"""``torch checkin run`` and ``history``: a check-in that fires now, and those that have fired."""

import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_checkins
from torch_cli.cli.options import COUNT, common_options
from torch_cli.cli.schedule.checkin_shown import message_of, run_line, run_object


@click.command("run")
@click.argument("name", shell_complete=complete_checkins)
@common_options
def run_command(common: Common, name: str) -> int:
    """Fire a check-in now, in addition to its rule, and deliver its note.

    \b
    Examples:
      torch checkin run tests
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.outbox import attempt
    from torch_cli.errors import DONE, HELD
    from torch_cli.schedule.checkin import find_checkin
    from torch_cli.schedule.firing import run_now
    from torch_cli.store import Store

    with Store() as store:
        checkin = find_checkin(store, name)
        run = run_now(store, checkin, time.time())
        if not run.message:
            if common.json:
                print_json(run_object(run, checkin, None))
            else:
                say(f"{run.state}  {checkin.name}")
                note(f"  {printable(run.reason)}", quiet=common.quiet)
            return HELD
        receipt = attempt(store, store.messages.get(run.message), patience=2.0)
        if common.json:
            print_json(run_object(run, checkin, store.messages.get(run.message)))
            return receipt.exit_code
        print_receipt(receipt, common)
        return receipt.exit_code if receipt.exit_code != HELD else DONE


@click.command("history")
@click.argument("name", required=False, shell_complete=complete_checkins)
@click.option("-n", "--number", type=COUNT, default=20, show_default=True)
@common_options
def history_command(common: Common, name: str | None, number: int) -> None:
    """Show the latest runs, of all check-ins or of one, the newest last.

    Each line says when the run was due, how late it came and why, where it went, and the outcome of
    its message. With --json, one object for each run.

    \b
    Examples:
      torch checkin history
      torch checkin history tests -n 5 --json
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.schedule.checkin import find_checkin
    from torch_cli.store import Store

    with Store() as store:
        only = find_checkin(store, name, living=False) if name else None
        runs = store.checkins.history(only.id if only else None, number)
        lines = [(run, store.checkins.get(run.checkin), message_of(store, run)) for run in runs]
    for run, checkin, message in reversed(lines):
        assert checkin is not None
        if common.json:
            print_json(run_object(run, checkin, message))
        else:
            say(printable(run_line(run, checkin, message)))
    if not lines and not common.json:
        note("no check-in has fired yet", quiet=common.quiet)
