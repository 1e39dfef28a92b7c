"""What the doctor finds about the scheduler: the daemon, or cron's line."""

import os
from collections.abc import Iterator

from torch_cli.doctor.finding import Finding, Level
from torch_cli.errors import TorchError
from torch_cli.store.lease import OUTAGE_SECONDS, HolderKind

START_ADVICE = "Start one: 'torch daemon start'. Or have cron do it: 'torch crontab install'."


def scheduler(*, has_store: bool) -> Finding:
    """Say whether a scheduler is working, and what starts one on this machine."""
    held, idle = None, True
    if has_store:
        from torch_cli.store import Store

        with Store(create=False) as store:
            held = store.lease.at_work()
            idle = not store.checkins.names() and not store.messages.waiting()
    if held is not None and held.kind is HolderKind.DAEMON:
        words = f"daemon, process {held.process.pid}"
    elif held is not None:
        words = f"no daemon, but a tick worked less than {OUTAGE_SECONDS:g} s ago"
    else:
        words = "none is running" + ("" if idle else ", and check-ins or messages wait for one")
    words += "".join(f"; {one}" for one in _installed())
    if held is not None:
        return Finding("scheduler", Level.OK, words)
    return Finding("scheduler", Level.NOTE if idle else Level.WARNING, words, START_ADVICE)


def at_start() -> Iterator[Finding]:
    """Say whether the daemon brings agents back when it starts, if the settings speak of it."""
    from torch_cli.health.settings import load_health_settings
    from torch_cli.schedule.service import service

    try:
        wanted = load_health_settings().resurrect
    except TorchError as error:
        yield Finding("resurrect", Level.WARNING, error.message, error.hint)
        return
    words = "the daemon brings agents back when it starts"
    if wanted and os.path.exists(service().path):
        yield Finding("resurrect", Level.OK, words)
    elif wanted:
        words += ", and nothing starts it after a restart of the machine"
        yield Finding("resurrect", Level.NOTE, words, "torch daemon install")


def _installed() -> list[str]:
    """Say what starts a scheduler by itself: the service's file, and Torch's line for cron."""
    from torch_cli.schedule import crontab
    from torch_cli.schedule.service import service

    found = []
    unit = service().path
    if os.path.exists(unit):
        found.append(f"{unit} is installed")
    try:
        line = crontab.change(keep=False).line_before
    except TorchError:  # no crontab program, or none that answers
        line = ""
    if line:
        found.append("your crontab runs 'torch tick' every minute")
    return found
