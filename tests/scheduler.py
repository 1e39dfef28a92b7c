"""The scheduler as processes of its own, for tests that end, stop and deceive it."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import SOURCE, Torch, wait_until
from torch_cli import paths
from torch_cli.intervals import VARIABLE

DECEIVED = """
import datetime, os, sys, time
from pathlib import Path
import apscheduler.schedulers.base
real = time.time
def deceived():
    try:
        return real() + float(Path(sys.argv[1]).read_text() or 0)
    except FileNotFoundError:
        return real()
time.time = deceived
class Deceived(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(deceived(), tz)
apscheduler.schedulers.base.datetime = Deceived
from torch_cli.schedule import daemon
from torch_cli.store.lease import Lease
Lease.take.__kwdefaults__["seconds"] = float(sys.argv[2])
daemon.run(as_json=True, bodies=False, echo=False)
"""
"""A daemon whose wall clock is off by what stands in a file, with a lease of so many seconds."""


@dataclass
class Daemon:
    """One daemon process."""

    process: "subprocess.Popen[bytes]"
    offset: Path = field(default_factory=Path)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Stop it where it does not hold the state file, which would stop all others, too."""
        while True:
            self.process.send_signal(signal.SIGSTOP)
            os.waitpid(self.process.pid, os.WUNTRACED)
            with contextlib.closing(sqlite3.connect(paths.database(), timeout=0.0)) as store:
                store.isolation_level = None
                try:
                    store.execute("BEGIN IMMEDIATE")
                    store.execute("ROLLBACK")
                except sqlite3.OperationalError:
                    self.process.send_signal(signal.SIGCONT)
                else:
                    return

    def kill(self) -> None:
        """End it by SIGKILL, as if its machine had lost power to it alone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; return its status."""
        self.process.terminate()
        return self.process.wait(60)

    def set_clock(self, seconds: float) -> None:
        """Put its wall clock forward, or back, against the true one."""
        self.offset.write_text(str(seconds))


QUICK = "overdue=1 unknown=1 tasks=1 health=0.5 teams=1 teams_soon=0.5"
"""Intervals for which no test need wait."""


def start(
    torch: Torch, tmp_path: Path | None = None, *, lease: float = 15.0, intervals: str = ""
) -> Daemon:
    """Start a daemon in the foreground and wait until it is at work.

    With ``tmp_path`` its clock can be set, and its lease is ``lease`` seconds long. ``intervals``
    are others than the usual ones and those of ``QUICK``.
    """
    offset = tmp_path / "offset" if tmp_path is not None else Path()
    words = (
        [sys.executable, "-c", DECEIVED, str(offset), str(lease)]
        if tmp_path is not None
        else list(torch.argv("daemon", "run", "--quiet", "--log-json"))
    )
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, VARIABLE: f"{QUICK} {intervals}", "PYTHONPATH": str(SOURCE)},
    )
    daemon = Daemon(process, offset)

    def at_work() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        found = torch("daemon", "status", "--json").json
        return bool(found["pid"] == process.pid)

    wait_until(at_work, what="the daemon at work")
    return daemon


def history(torch: Torch, *words: str) -> list[dict[str, Any]]:
    """Return the runs of check-ins, the newest last."""
    done = torch("checkin", "history", "--json", "-n", "5000", *words)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]
