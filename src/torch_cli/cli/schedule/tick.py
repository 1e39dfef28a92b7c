"""``torch tick``."""

import signal
import time
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, seconds_option
from torch_cli.cli.present import note, print_error, print_json, printable, say
from torch_cli.cli.schema import timestamp
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from types import FrameType

    from torch_cli.delivery.receipt import Receipt
    from torch_cli.schedule.tick import Ticked
    from torch_cli.store.checkin import Run


@click.command("tick")
@seconds_option("--timeout", 50.0, "The most seconds that the tick may take.")
@common_options
def command(common: Common, timeout: float) -> int:
    """Run everything that is due, once: check-ins, the outbox, checkpoints, teams.

    For cron, without a daemon: * * * * * torch tick. It prints nothing if there was nothing to do.
    It does nothing while a daemon or another tick is working. It ends when its time is up, and the
    next one settles what is left. An error in one part stops no other part: it is shown at the end,
    and the exit status is that of the last error.

    \b
    Examples:
      torch tick
      torch tick --verbose
    """
    from torch_cli.schedule.tick import OVERTIME_SECONDS, tick

    _end_at(timeout + OVERTIME_SECONDS)
    done = tick(time.time(), timeout)
    if done.holder is not None:
        common.tell(f"{done.holder.kind} {done.holder.process.pid} is working; nothing was done")
    if common.json:
        _print_json(done)
    elif not common.quiet:
        _print(done.runs, done.receipts)
        _print_rest(done, common)
    for error in done.errors[:-1]:
        print_error(error, as_json=common.json)
    if done.errors:
        raise done.errors[-1]
    return DONE


def _print_json(done: "Ticked") -> None:
    for run in done.runs:
        fired = {"checkin": run.checkin, "due": timestamp(run.due), "state": run.state}
        print_json({"schema": "torch.tick/1", "run": run.id, **fired})
    for receipt in done.receipts:
        print_json(receipt.as_json())
    for one in done.done:
        made = {"dir": one.watched.top, "said": one.said, "failed": one.failed}
        print_json({"schema": "torch.tick-checkpoint/1", **made, "alert": one.alert or None})
    for did in done.did:
        facts = {"what": did.what, "agent": did.agent, "words": did.words}
        error = did.error.message if did.error else None
        print_json({"schema": "torch.tick-team/1", **facts, "error": error})


def _print_rest(done: "Ticked", common: Common) -> None:
    """Print what was done for worktrees and for teams."""
    for one in done.done:
        if one.noteworthy:
            say(f"checkpoint  {printable(one.watched.top)}  {printable(one.said)}")
        else:
            common.tell(f"{one.watched.top}: {one.said}")
    for did in done.did:
        if did.error is not None:
            note(printable(f"  {did.error.message}"))
        else:
            say(printable("  ".join(filter(None, [did.what, did.agent, did.words]))))


def _print(runs: "tuple[Run, ...]", receipts: "tuple[Receipt, ...]") -> None:
    from torch_cli.schedule.delay import lateness
    from torch_cli.store import Store

    if not runs and not receipts:
        return
    with Store() as store:
        for run in runs:
            checkin = store.checkins.get(run.checkin)
            words = [run.state, checkin.name if checkin else run.checkin, run.message]
            words += [f"to {run.recipient}" if run.recipient else run.reason]
            words += [lateness(run.fired - run.due, run.delay)]
            say("  ".join(printable(word) for word in words if word))
    for receipt in receipts:
        words = [str(receipt.state), receipt.id, f"{receipt.target} ({receipt.pane})"]
        say("  ".join(printable(word) for word in [*words, receipt.reason] if word))


def _end_at(seconds: float) -> None:
    """End this process after ``seconds``, whatever it is doing: cron must not pile ticks up."""

    def end(number: int, frame: "FrameType | None") -> None:
        import os
        import sys

        sys.stderr.write(f"torch: tick was ended after {seconds:g} s; the next one continues\n")
        sys.stderr.flush()
        os._exit(6)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
