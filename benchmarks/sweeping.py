"""A sweep over many panes: what tmux knows and shows, and the states it means."""

import os
import time
from collections.abc import Iterator

from benchmarks.figures import Row, median
from benchmarks.lab import COLUMNS, Lab, check, say, timed, wait_until
from torch_cli import procs
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient, Reply
from torch_cli.tmux.panes import Pane, capture_rows, look_over
from torch_cli.watch.sweep import Sweep

GROUP = "sweep"
RUNS = 40
CHANGES = 10
FIRST_LOOKS = 10
WARM_UP = 3
SIZES = ((64, 10.0), (256, 40.0))
"""How many panes, and the milliseconds that one sweep over them may take."""

LIST_MILLISECONDS = 150.0
"""What a whole process may take that looks at 64 agents."""

COMPLETION_MILLISECONDS = 100.0
"""What the completion of a name may take: a person has pressed Tab."""

BUSY = 8
"""One pane in so many has written something between two sweeps."""

_DONE = "  ? for help"


def measure(lab: Lab) -> Iterator[Row]:
    """Yield the rows for each number of panes."""
    picture = lab.directory / "screen"
    picture.write_text(picture_of_agent())
    panes: list[Pane] = []
    agents: list[Agent] = []
    with Store() as store:
        for size, limit in SIZES:
            say(f"opening {size - len(panes)} windows ...")
            new = open_windows(lab, size - len(panes), str(picture))
            agents += [agent_in(pane, len(agents) + n) for n, pane in enumerate(new)]
            panes += new
            with lab.client() as client:
                yield from _measure(client, store, panes, agents, limit)
            if size == SIZES[0][0]:
                yield from _commands(lab, store, agents)


def _measure(
    client: ControlClient, store: Store, panes: list[Pane], agents: list[Agent], limit: float
) -> list[Row]:
    text: list[float] = []
    full: list[float] = []
    anew: list[float] = []
    same: list[float] = []
    some: list[float] = []
    _next_second()
    sweep = Sweep(client, store)
    sweep.look(agents)
    for number in range(WARM_UP + RUNS):
        took = [
            timed(lambda: (look_over(client), _capture_text(client, panes))),
            timed(lambda: (look_over(client), capture_rows(client, panes))),
            timed(lambda: sweep.look(agents)),
        ]
        if number >= WARM_UP:
            text.append(took[0])
            full.append(took[1])
            same.append(took[2])
    for _ in range(FIRST_LOOKS):
        anew.append(timed(lambda: Sweep(client, store).look(agents)))
    ttys = {pane.id: tty_of(client, pane) for pane in panes}
    for number in range(CHANGES):
        # What a window wrote in this second may be more by its end, so tmux is asked again.
        _next_second()
        for pane in panes[number % BUSY :: BUSY]:
            with open(ttys[pane.id], "wb", buffering=0) as tty:
                tty.write(b"\x1b[36;3H%d" % number)
        time.sleep(0.02)
        some.append(timed(lambda: sweep.look(agents)))
    count = len(panes)
    return [
        _row(f"{count} panes: tmux's state and every screen, its text", text, limit),
        _row(f"{count} panes: tmux's state and every screen with attributes", full, limit),
        _row(f"{count} agents: states, nothing has changed", same, limit),
        _row(f"{count} agents: states, 1 in {BUSY} has changed", some, limit),
        _row(f"{count} agents: states, the first look at all", anew),
    ]


def _commands(lab: Lab, store: Store, agents: list[Agent]) -> list[Row]:
    """Return the rows of whole processes, interleaved, with all of ``agents`` registered."""
    for agent in agents:
        store.agents.add(agent)
    torch, server = str(lab.bin / "torch"), ["-L", lab.socket.name]
    typed = {"COMP_WORDS": "torch send agent-1", "COMP_CWORD": "2"}
    completes = {**os.environ, **typed, "_TORCH_COMPLETE": "bash_complete"}
    completes["TORCH_TMUX_SOCKET"] = lab.socket.name
    commands = {
        "torch ps": lambda: check([torch, "ps", *server]),
        "torch status": lambda: check([torch, "status", *server]),
        "torch status --line": lambda: check([torch, "status", "--line", *server]),
        "completion of a name": lambda: check([torch], completes),
    }
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(WARM_UP + RUNS):
        for name, run in commands.items():
            took = timed(run)
            if number >= WARM_UP:
                samples[name].append(took)
    limits = {"completion of a name": COMPLETION_MILLISECONDS}
    return [
        _row(
            f"{len(agents)} agents: {name}, whole process",
            samples[name],
            limits.get(name, LIST_MILLISECONDS),
        )
        for name in commands
    ]


def _capture_text(client: ControlClient, panes: list[Pane]) -> list[Reply]:
    return client.ask_all(b"capture-pane -p -t %b" % pane.id.encode() for pane in panes)


def _row(what: str, samples: list[float], limit: float | None = None) -> Row:
    wanted = f"at most {limit:g} ms" if limit is not None else ""
    return Row(GROUP, what, tuple(samples), "", median(samples), limit, False, wanted)


def picture_of_agent() -> str:
    """Return a screen full of conversation as the demo agent draws it, without a last newline."""
    rule = "─" * COLUMNS
    talk = [f"» question {n}\r\n● \x1b[1manswer {n}\x1b[0m: " + "word " * 12 for n in range(15)]
    box = ["", "", rule, "»\u00a0\x1b[7m \x1b[0m\x1b[2mType a message\x1b[0m", rule, _DONE]
    return "\x1b[?7l\x1b[2J\x1b[H" + "\r\n".join([*talk, *box])


def open_windows(lab: Lab, count: int, picture: str) -> list[Pane]:
    """Open windows that show what the file ``picture`` holds."""
    before = {pane.id for pane in lab.panes()}
    command = ["sh", "-c", 'stty -echo; cat "$0"; exec cat >/dev/null', picture]
    for _ in range(count):
        lab.open_pane("many", command)
    new = [pane for pane in lab.panes() if pane.id not in before]
    with lab.client() as client:
        wait_until(lambda: all(_DONE in (rows or "") for rows in capture_rows(client, new)))
    return new


def agent_in(pane: Pane, number: int) -> Agent:
    """Return an agent, not yet registered, in a pane that shows the picture."""
    program = procs.identify(pane.pid)
    assert program is not None
    return Agent.of(
        pane, program, name=f"agent-{number}", profile="demo", origin="adopted", directory="/"
    )


def tty_of(client: ControlClient, pane: Pane) -> str:
    """Return the terminal of a pane."""
    return client.call("display-message", "-p", "-t", pane.id, "#{pane_tty}").text


def _next_second() -> None:
    time.sleep(1.0 - time.time() % 1.0 + 0.01)
