"""The CPU time of ``torch top`` beside 64 agents: while somebody looks, and while nobody does."""

import contextlib
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.figures import Row
from benchmarks.lab import ROOT, Lab, say, wait_until
from benchmarks.scheduling import cpu_seconds
from benchmarks.sweeping import agent_in, open_windows, picture_of_agent, tty_of
from torch_cli import procs
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import program

GROUP = "top"
AGENTS = 64
SECONDS = 30.0
"""How long each row is measured."""

LOOKED_AT_PERCENT, RESTING_PERCENT = 5.0, 0.5
"""Percent of one core that it may take while somebody looks, and while nobody does."""

BUSY = 8
"""One pane in so many writes each second."""

MOST_AGE_SECONDS = 1.0
"""How old what is shown may be."""


def measure(lab: Lab) -> Iterator[Row]:
    """Yield the rows: nothing changes, some panes change, nobody looks; and how fresh it is."""
    picture = lab.directory / "screen"
    picture.write_text(picture_of_agent())
    panes = open_windows(lab, AGENTS, str(picture))
    with Store() as store:
        for number, pane in enumerate(panes):
            store.agents.add(agent_in(pane, number))
    python = f"env PYTHONPATH={ROOT / 'src'} {sys.executable} -m torch_cli top"
    top = lab.open_pane("top", ["sh", "-c", f"exec {python}"])
    with terminal(lab, "top"):
        wait_until(lambda: f"{AGENTS} nothing" in _shown(lab, top))
        writers = [tty_of(lab.client(), pane) for pane in panes]
        yield _row("nothing changes", _percent(lab, top, []), LOOKED_AT_PERCENT)
        yield _row(f"1 pane in {BUSY} writes each second", _percent(lab, top, writers))
        ages = [_age(lab, panes[0], top, writers[0], number) for number in range(5)]
        lab.tmux("new-window", "-t", "=top:", "cat")
        time.sleep(2)
        yield _row("another window is shown", _percent(lab, top, []), RESTING_PERCENT)
    time.sleep(2)
    yield _row("no terminal is attached", _percent(lab, top, []), RESTING_PERCENT)
    wanted = f"at most {MOST_AGE_SECONDS:g} s"
    worst = max(ages) / 1000
    what = f"torch top, {AGENTS} agents: until a change is shown"
    yield Row(GROUP, what, tuple(ages), f"{worst:.1f} s", worst, MOST_AGE_SECONDS, False, wanted)


def _row(what: str, percent: float, limit: float = LOOKED_AT_PERCENT) -> Row:
    words = f"CPU of torch top, {AGENTS} agents, {what}"
    wanted = f"at most {limit:g} %"
    return Row(GROUP, words, (), f"{percent:.2f} %", percent, limit, False, wanted)


def _shown(lab: Lab, pane: Pane) -> str:
    return lab.tmux("capture-pane", "-p", "-t", pane.id)


def _percent(lab: Lab, top: Pane, writers: list[str]) -> float:
    """Return the percent of one core that it takes, while some of ``writers`` are written to."""
    say(f"watching for {SECONDS:g} s ...")
    program = procs.identify(lab.pane(top.id).pid)
    assert program is not None
    before, began = cpu_seconds(program.pid), time.monotonic()
    second = 0
    while (now := time.monotonic()) < began + SECONDS:
        for path in writers[second % BUSY :: BUSY]:
            with open(path, "wb", buffering=0) as terminal:
                terminal.write(b"\x1b[30;3Hstep %d\x1b[36;3H" % second)
        second += 1
        time.sleep(max(0.0, min(1.0, began + SECONDS - now)))
    return (cpu_seconds(program.pid) - before) / (time.monotonic() - began) * 100


def _age(lab: Lab, pane: Pane, top: Pane, terminal: str, number: int) -> float:
    """Return the milliseconds until what a pane shows now is on the screen of ``torch top``."""
    lab.tmux("send-keys", "-t", top.id, "Home")
    time.sleep(0.1 + 0.17 * number)
    word, began = f"fresh{number}", time.monotonic()
    with open(terminal, "wb", buffering=0) as file:
        file.write(b"\x1b[30;3H%s\x1b[36;3H" % word.encode())
    wait_until(lambda: word in _shown(lab, top))
    return (time.monotonic() - began) * 1000


@contextlib.contextmanager
def terminal(lab: Lab, session: str) -> Iterator[None]:
    """A terminal that shows a session, and is read."""
    ours, theirs = pty.openpty()
    words = [program(), "-u", *lab.socket.arguments, "attach-session", "-t", session]
    environ = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environ
    ) as client:
        os.close(theirs)
        threading.Thread(target=_read, args=(ours,), daemon=True).start()
        try:
            yield
        finally:
            client.kill()


def _read(terminal: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
