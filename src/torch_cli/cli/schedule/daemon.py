"""``torch daemon``: the scheduler that stays."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import COUNT_OR_NONE, common_options
from torch_cli.cli.verbs import Verbs

if TYPE_CHECKING:
    from torch_cli.schedule.daemon import SchedulerStatus

IF_NEEDED = click.option(
    "--if-needed", is_flag=True, help="Succeed (status 0) if a scheduler already works."
)
LOG_JSON = click.option("--log-json", is_flag=True, help="Log JSON lines.")
LOG_BODIES = click.option("--log-bodies", is_flag=True, help="Also log the text of messages.")


@click.group("daemon", cls=Verbs)
def command() -> None:
    """Run the scheduler: check-ins, the outbox, checkpoints, teams.

    There is one scheduler for each user and state directory. Without a daemon, 'torch tick' from
    cron does the same once a minute: see 'torch crontab'.

    \b
    Examples:
      torch daemon start
      torch daemon status
      torch daemon logs --follow
      torch daemon install --dry-run
    """


@command.command("run")
@IF_NEEDED
@LOG_JSON
@LOG_BODIES
@common_options
def run_command(common: Common, if_needed: bool, log_json: bool, log_bodies: bool) -> int:
    """Run the scheduler in the foreground, until SIGTERM or SIGINT.

    It also logs to stderr, unless --quiet. It tells systemd when it is ready, and the watchdog that
    it lives.

    \b
    Examples:
      torch daemon run
      torch daemon run --if-needed --log-json
    """
    from torch_cli.errors import DONE, HeldError
    from torch_cli.schedule.daemon import run
    from torch_cli.schedule.notify import notify

    try:
        run(as_json=log_json, bodies=log_bodies, echo=not common.quiet)
    except HeldError as held:
        _content_with(held, if_needed, common)
        notify("READY=1")  # to systemd, a service that ends before that has failed
    return DONE


def _content_with(held: Exception, if_needed: bool, common: Common) -> None:
    """Raise ``held``, a busy scheduler's, unless that is all that is needed."""
    from torch_cli.cli.present import note
    from torch_cli.errors import TorchError

    if not (if_needed and isinstance(held, TorchError) and held.code == "busy"):
        raise held
    note(f"torch: {held.message}", quiet=common.quiet)


@command.command("start")
@click.option("--if-needed", is_flag=True, hidden=True, expose_value=False)
@LOG_JSON
@LOG_BODIES
@common_options
def start_command(common: Common, log_json: bool, log_bodies: bool) -> None:
    """Start the scheduler in the background, and wait until it works.

    If a daemon is running already, Torch says so and leaves it alone. The exit status is 0 then.

    \b
    Examples:
      torch daemon start
    """
    from torch_cli.errors import HeldError
    from torch_cli.schedule.daemon import start

    flags = (("--log-json", log_json), ("--log-bodies", log_bodies))
    try:
        held = start([name for name, given in flags if given])
    except HeldError as busy:
        if busy.code != "busy":
            raise
        facts = {"pid": busy.details["pid"], "token": busy.details["token"], "started": False}
        words, notes = busy.message, [busy.hint]
    else:
        facts = {"pid": held.process.pid, "token": held.token, "started": True}
        words, notes = f"started  process {held.process.pid}", []
    common.show({"schema": "torch.daemon/1", **facts}, words, *notes)


@command.command("stop")
@common_options
def stop_command(common: Common) -> None:
    """Ask the daemon to end, and wait until it has; it finishes a delivery first.

    \b
    Examples:
      torch daemon stop
    """
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.schedule.daemon import stop

    held = stop()
    if common.json:
        print_json({"schema": "torch.daemon/1", "pid": held.process.pid if held else None})
    elif held is None:
        note("no daemon is running", quiet=common.quiet)
    else:
        say(f"stopped  process {held.process.pid}")


@command.command("restart")
@common_options
def restart_command(common: Common) -> None:
    """Stop the daemon, if it runs, and start it: with the Torch that is installed now.

    If systemd or launchd is to start it ('torch daemon install'), Torch has that start it. Agents
    are not touched, and what waits in the outbox waits on.

    \b
    Examples:
      torch daemon restart
    """
    from torch_cli.cli.present import note
    from torch_cli.errors import TorchError
    from torch_cli.schedule.daemon import await_start, start, stop
    from torch_cli.schedule.service import is_installed, service, start_again

    before, unit = stop(), service()
    by_system = is_installed(unit)
    if by_system:
        try:
            start_again(unit)
        except TorchError as error:
            by_system = False
            note(f"torch: {error.message}; it is started without that", quiet=common.quiet)
    held = await_start() if by_system else start([])
    facts = {"pid": held.process.pid, "token": held.token, "started": True}
    words = f"{'restarted' if before else 'started'}  process {held.process.pid}"
    notes = [f"as {unit.path} says"] if by_system else []
    common.show({"schema": "torch.daemon/1", **facts}, words, *notes)


@command.command("status")
@common_options
def status_command(common: Common) -> int:
    """Show which scheduler is running, and what it has to do; exit status 3 if none is.

    It also tries whether the disk of the state file can be written: exit status 1 if not.

    \b
    Examples:
      torch daemon status
      torch daemon status --json | jq .overdue
    """
    from torch_cli.cli.present import print_json
    from torch_cli.errors import DONE, FAILURE, NOT_FOUND
    from torch_cli.schedule.daemon import status

    now = status()
    if common.json:
        print_json(_object(now))
    else:
        _print(now)
    if now.unwritable:
        return FAILURE
    return DONE if now.held else NOT_FOUND


def _object(status: "SchedulerStatus") -> dict[str, Any]:
    from torch_cli.cli.schema import timestamp

    held = status.held
    return {
        "schema": "torch.daemon/1",
        "running": held is not None,
        "kind": held.kind if held else None,
        "pid": held.process.pid if held else None,
        "token": held.token if held else None,
        "since": timestamp(held.since if held else None),
        "seen": timestamp(held.clock.wall if held else status.ticked),
        "next_due": timestamp(status.next_due),
        "checkins": status.checkins,
        "overdue": status.overdue,
        "waiting": status.waiting,
        "undelivered": status.undelivered,
        "servers": [
            {"socket": path, "answers": answers} for path, answers in status.servers.items()
        ],
        "unwritable": status.unwritable,
    }


def _print(status: "SchedulerStatus") -> None:
    from torch_cli import duration
    from torch_cli.cli.present import print_fields
    from torch_cli.schedule.trigger import show
    from torch_cli.schedule.zone import local_zone

    due = status.next_due
    left = "" if due is None else duration.words(abs(due - time.time()))
    ahead = "" if due is None else f"in {left}" if due > time.time() else f"{left} ago"
    when = "" if due is None else f"{show(due, local_zone())}, {ahead}"
    fields: dict[str, object] = {
        "scheduler": _scheduler(status),
        "check-ins": f"{status.checkins}, {status.overdue} overdue",
        "next check-in": when or "nothing",
        "outbox": f"{status.waiting} waiting, {status.undelivered} did not arrive",
    }
    fields["tmux"] = tuple(
        f"{path} {'answers' if answers else 'does not answer'}"
        for path, answers in status.servers.items()
    )
    if status.unwritable:
        fields["state file"] = (
            f"cannot be written: {status.unwritable}. Nothing is delivered, sent later or recorded "
            "until there is space again"
        )
    print_fields(fields)


def _scheduler(status: "SchedulerStatus") -> str:
    from torch_cli import duration

    held = status.held
    if held is not None:
        age = duration.words(time.time() - held.since)
        return f"{held.kind}, process {held.process.pid}, for {age}"
    if status.ticked is not None:
        return f"no daemon; a tick worked {duration.words(time.time() - status.ticked)} ago"
    return "none is running: 'torch daemon start', or 'torch crontab install'"


@command.command("logs")
@click.option("-n", "--number", type=COUNT_OR_NONE, default=20, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines.")
@common_options
def logs_command(common: Common, number: int, follow: bool) -> None:
    """Print the last lines of the daemon's log.

    \b
    Examples:
      torch daemon logs -n 100
      torch daemon logs --follow
    """
    from torch_cli.cli.present import note, printable, say
    from torch_cli.schedule.logs import Tail, log_file

    log = Tail()
    lines = log.last(number)
    if not lines:
        note(f"{log_file()} is empty: nothing has been logged", quiet=common.quiet)
    for line in lines:
        say(printable(line))
    if follow:
        for line in log.follow():
            say(printable(line))


@command.command("install")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and where.")
@click.option("--uninstall", is_flag=True, help="Remove it.")
@click.option(
    "--now",
    is_flag=True,
    help="Start the daemon too, in place of a running one; with --uninstall, end it.",
)
@common_options
def install_command(common: Common, dry_run: bool, uninstall: bool, now: bool) -> None:
    """Have systemd, or launchd on macOS, start the daemon with your session.

    \b
    Examples:
      torch daemon install --dry-run
      torch daemon install --now
      torch daemon install --uninstall --now
    """
    from torch_cli.cli.present import note, print_json, say
    from torch_cli.schedule.daemon import make_way
    from torch_cli.schedule.service import Service, install, remove, service

    unit: Service = service()
    if dry_run:
        if common.json:
            print_json({"schema": "torch.service/1", "path": unit.path, "text": unit.text})
        else:
            note(f"# {unit.path}", quiet=common.quiet)
            say(unit.text.rstrip("\n"), exact=True)
        return
    if uninstall:
        commands = remove(unit, now=now)
    else:
        # Only one is at work: that of the system takes the place of one started by hand.
        commands = install(unit, before_start=make_way if now else None)
        if unit.caution:
            note(f"torch: {unit.caution}", quiet=common.quiet)
    if common.json:
        print_json({"schema": "torch.service/1", "path": unit.path, "next": commands})
        return
    say(f"{'removed' if uninstall else 'installed'}  {unit.path}")
    for line in commands:
        note(f"  next: {line}", quiet=common.quiet)
