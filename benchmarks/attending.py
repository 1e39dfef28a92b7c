"""The daemon's CPU time and memory beside many agents, with all of it on: history, notices, marks.

A terminal is attached, the snippet is read, and agents rest, write, work or begin to ask.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.figures import Row
from benchmarks.lab import COLUMNS, Lab, check, say
from benchmarks.scheduling import cpu_seconds, daemon, resident
from benchmarks.sweeping import agent_in, open_windows, picture_of_agent, tty_of
from benchmarks.watching import terminal
from torch_cli.store import Store

GROUP = "attention"
SECONDS = 30.0
"""How long each row is measured."""

SIZES = ((64, 2.0), (256, 6.0))
"""Agents, and percent of one core that the daemon may take beside them."""

MEGABYTES = 80.0
"""Resident memory that it may take."""

BUSY = 8
"""One agent in so many writes each second."""

ASKS_SECONDS = 8
"""Seconds for which a question is up in the last row: longer than the dwell of its notice."""

_STATUS_ROW, _RULE_ROW, _FOOTER_ROW = 32, 33, 36
"""The rows of the picture, from 1 on, that a turn and a question change."""

_QUESTION = (
    *(" Run command", "   touch approved", " Do you want to proceed?"),
    *(" ❯ 1. Yes", "   2. No", " Esc to cancel"),
)

Act = Callable[[Sequence[str], int], None]
"""Changes what some of the terminals show, given them all and the number of the half second."""


def measure(lab: Lab) -> Iterator[Row]:
    """Yield the rows: at rest, some write, all draw a spinner, and one after another asks."""
    picture = lab.directory / "screen"
    picture.write_text(picture_of_agent())
    torch = str(lab.bin / "torch")
    snippet = lab.directory / "snippet.conf"
    snippet.write_text(check([torch, "shell", "tmux"]))
    lab.open_pane("person", ["cat"])
    lab.tmux("source-file", str(snippet))
    count = 0
    for size, limit in SIZES:
        panes = open_windows(lab, size - count, str(picture))
        with Store() as store, lab.client() as client:
            for number, pane in enumerate(panes, count):
                store.agents.add(agent_in(pane, number))
            count = size
            ttys = [tty_of(client, pane) for pane in lab.panes() if pane.session == "many"]
        with terminal(lab, "person"), daemon(torch) as pid:
            time.sleep(8)  # for what it does once, at its start
            for what, act in (
                ("nothing changes", _nothing),
                (f"1 in {BUSY} writes each second", _write),
                ("all draw a spinner", _work),
                ("one asks each second", _ask),
            ):
                share = _percent(pid, ttys, act)
                words = f"daemon with all of it, {size} agents, {what}"
                said, wanted = f"{share:.2f} %", f"at most {limit:g} %"
                yield Row(GROUP, words, (), said, share, limit, False, wanted)
            memory = resident(pid)
        words, wanted = (
            f"daemon with all of it, {size} agents: resident",
            f"at most {MEGABYTES:g} MB",
        )
        yield Row(GROUP, words, (), f"{memory:.0f} MB", memory, MEGABYTES, False, wanted)
        for tty in ttys:
            _draw(tty, picture.read_text())


def _percent(pid: int, ttys: Sequence[str], act: Act) -> float:
    """Return the percent of one core that the daemon takes while ``act`` is done twice a second."""
    say(f"watching for {SECONDS:g} s ...")
    before, began, half = cpu_seconds(pid), time.monotonic(), 0
    while time.monotonic() < began + SECONDS:
        act(ttys, half)
        half += 1
        time.sleep(max(0.0, began + half / 2 - time.monotonic()))
    return (cpu_seconds(pid) - before) / (time.monotonic() - began) * 100


def _nothing(ttys: Sequence[str], half: int) -> None:
    pass


def _write(ttys: Sequence[str], half: int) -> None:
    for tty in ttys[half // 2 % BUSY :: BUSY] if half % 2 == 0 else ():
        _draw(tty, f"\x1b[20;3Hstep {half}")


def _work(ttys: Sequence[str], half: int) -> None:
    sign, status = "✳✶✻✽"[half % 4], f"Working… ({half // 2}s)"
    for tty in ttys:
        words = f"\x1b[{_STATUS_ROW};1H{sign} {status}"
        _draw(tty, words + (f"\x1b[{_FOOTER_ROW};1H  esc to interrupt\x1b[K" if half == 0 else ""))


def _ask(ttys: Sequence[str], half: int) -> None:
    if half == 0:  # nobody works any more
        for tty in ttys:
            _draw(tty, picture_of_agent())
    if half % 2 == 0:
        at = half // 2
        _draw(ttys[at % len(ttys)], f"\x1b[{_RULE_ROW};1H\x1b[J{'─' * COLUMNS}\r\n" + _ROWS)
        if at >= ASKS_SECONDS:
            _draw(ttys[(at - ASKS_SECONDS) % len(ttys)], picture_of_agent())


_ROWS = "\r\n".join(_QUESTION)


def _draw(tty: str, text: str) -> None:
    with open(tty, "wb", buffering=0) as file:
        file.write(text.encode())
