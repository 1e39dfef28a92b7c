"""Check-ins, the daemon and the outbox: what they cost, and how soon they act."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Row, median
from benchmarks.lab import Lab, check, say, timed, wait_until
from benchmarks.startup import cpu_time
from torch_cli.delivery.drain import Drain
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import Address, Checkin, Trigger
from torch_cli.store.messages import Message, new_id, new_message

GROUP = "schedule"
RUNS = 12
MANY = 10_000
"""Check-ins that are kept and not due."""

DUE = 1_000
"""Check-ins that fall due within ``MINUTE``."""

MINUTE = 60.0
FEW, ALL = 8, 64
"""Agents that messages are delivered to, at first and in the end."""

EACH = 12
"""Messages for each of a few agents; all get fewer."""


def measure(lab: Lab) -> Iterator[Row]:
    """Yield the rows."""
    python, torch = str(lab.bin / "python"), str(lab.bin / "torch")
    agents = _spawn(lab, torch, FEW)
    yield from _adding(python, torch)
    yield from _outbox(agents, EACH)
    yield from _firing(torch, agents)
    say(f"starting {ALL - FEW} more agents ...")
    agents += _spawn(lab, torch, ALL - FEW, first=FEW)
    yield from _outbox(agents, EACH * FEW // ALL + 2)
    yield from _resting(torch, f"{ALL} panes", cpu=2.0, megabytes=80.0)
    with Store() as store:
        far = [_checkin(agents[0], n, time.time() + 10 * 86_400 + n) for n in range(MANY)]
        _insert(store, far)
    yield from _listing(torch)
    yield from _resting(torch, f"{MANY:,} check-ins", cpu=1.0, megabytes=0.0)


def _adding(python: str, torch: str) -> list[Row]:
    words = [torch, "-L", "bench", "-q", "checkin", "add", "agent-0", "How far?"]
    commands = {
        "empty": [python, "-I", "-c", "pass"],
        "in": [*words, "--in", "30d"],
        "cron": [*words, "--cron", "0 9 1 1 *"],
    }
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(RUNS + 2):
        for name, argv in commands.items():
            spent = cpu_time(argv, b"")
            if number >= 2:
                samples[name].append(spent)
    rows = []
    for name, option, limit in (("in", "--in", 8.0), ("cron", "--cron", 20.0)):
        factor = min(samples[name]) / min(samples["empty"])
        rows.append(
            Row(
                GROUP,
                f"CPU time of torch checkin add {option}",
                tuple(samples[name]),
                f"{factor:.1f} x an empty python (minima)",
                factor,
                limit,
                False,
                f"at most {limit:g} x",
            )
        )
    return rows


def _outbox(agents: Sequence[Agent], each: int) -> list[Row]:
    """Deliver ``each`` messages to every agent as the daemon does; the rate is what counts."""
    total = each * len(agents)
    with Store() as store:
        for number in range(each):
            for agent in agents:
                text = f"message {number}"
                store.messages.accept(_message(agent, text))
    drain, done = Drain(), 0
    began = time.monotonic()
    while done < total:
        receipts = drain.round(time.time())
        lost = [receipt for receipt in receipts if receipt.exit_code]
        if lost:
            raise RuntimeError(f"{lost[0].state}: {lost[0].reason}")
        done += len(receipts)
        drain.wait(time.monotonic() + 0.05)
    seconds = time.monotonic() - began
    drain.close(5)
    rate = total / seconds
    words = f"{rate:.0f} a second, each proven"
    what = f"outbox: {total} messages to {len(agents)} demo agents"
    return [Row(GROUP, what, (seconds * 1000,), words, rate, 20.0, True, "at least 20 a second")]


def _firing(torch: str, agents: Sequence[Agent]) -> list[Row]:
    say(f"{DUE} check-ins within {MINUTE:g} s ...")
    start = time.time() + 5
    with Store() as store:
        due = [_checkin(agents[n % len(agents)], n, start + n * MINUTE / DUE) for n in range(DUE)]
        _insert(store, due)
        with daemon(torch):
            wait_until(lambda: len(store.checkins.due(start + 2 * MINUTE)) == 0, 3 * MINUTE)
            wait_until(lambda: not store.messages.waiting(), 2 * MINUTE)
        made = {run.message: run.due for run in store.checkins.history(limit=DUE)}
        late = [(store.messages.get(one).created - at) * 1000 for one, at in made.items()]
    words = f"{median(late):.0f} ms late in the median"
    what = f"firing: {DUE:,} due in {MINUTE:g} s, in the outbox"
    return [Row(GROUP, what, tuple(late), words, median(late), 500.0, False, "at most 500 ms")]


def _resting(torch: str, beside: str, *, cpu: float, megabytes: float) -> list[Row]:
    """Return what a daemon with nothing to do takes in a minute; ``megabytes`` 0 is not asked."""
    say(f"the daemon at rest beside {beside} ...")
    with daemon(torch) as pid:
        time.sleep(5)  # for what it does once, at its start
        before = cpu_seconds(pid)
        time.sleep(MINUTE)
        share = (cpu_seconds(pid) - before) / MINUTE * 100
        memory = resident(pid)
    what = f"daemon at rest beside {beside}: share of a core"
    rows = [Row(GROUP, what, (), f"{share:.2f} %", share, cpu, False, f"at most {cpu:g} %")]
    if megabytes:
        words, wanted = f"{memory:.0f} MB", f"at most {megabytes:g} MB"
        what = f"daemon at rest beside {beside}: resident"
        rows.append(Row(GROUP, what, (), words, memory, megabytes, False, wanted))
    return rows


def _listing(torch: str) -> list[Row]:
    took = [timed(lambda: check([torch, "checkin", "list"])) for _ in range(RUNS)]
    what = f"torch checkin list of {MANY:,}"
    words = f"{median(took):.0f} ms"
    return [Row(GROUP, what, tuple(took), words, median(took), 500.0, False, "at most 500 ms")]


@contextmanager
def daemon(torch: str) -> Iterator[int]:
    """Run the daemon; give its process number."""
    started = json.loads(check([torch, "daemon", "start", "--json"]))
    try:
        yield int(started["pid"])
    finally:
        check([torch, "daemon", "stop"])


def _spawn(lab: Lab, torch: str, count: int, first: int = 0) -> list[Agent]:
    """Start demo agents that answer at once."""
    environment = {**os.environ, "PATH": f"{lab.bin}{os.pathsep}{os.environ['PATH']}"}
    for number in range(first, first + count):
        words = ["spawn", f"agent-{number}", "--profile", "demo", "--session", "agents"]
        place = ["--dir", str(lab.directory / "project"), "--", "--work", "0"]
        check([torch, "-L", "bench", *words, *place], env=environment)
    with Store() as store:
        return [
            agent
            for number in range(first, first + count)
            if (agent := store.agents.get(f"agent-{number}")) is not None
        ]


def _message(agent: Agent, text: str) -> Message:
    return new_message(
        new_id(),
        recipient=agent.name,
        body=text,
        typed=text,
        server=agent.server,
        pane=agent.pane,
        pane_pid=agent.pane_pid,
        agent=agent.identity,
        kept=True,
    )


def _checkin(agent: Agent, number: int, due: float) -> Checkin:
    now = time.time()
    return Checkin(
        id=f"c-{number:06d}-{int(due)}",
        name=f"bench-{number}-{int(due)}",
        to=Address(agent.name, agent.identity, agent.at),
        note=f"note {number}",
        trigger=Trigger("at", repr(due), "UTC", now),
        nominal=due,
        due=due,
        created=now,
        changed=now,
    )


def _insert(store: Store, checkins: Sequence[Checkin]) -> None:
    with store.database.transaction():
        for one in checkins:
            store.checkins.put(one)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the memory of a process that is resident, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
