"""``python -m soak.recovery``: everything falls, again and again; count what came back wrong.

One person works with four demo agents, and with real Claude Codes if asked. What happens to them
is chosen by a seed: programs, the tmux server, the scheduler and all at once are killed, also while
something is delivered or brought back, and the person stops, closes, freezes and restarts agents.
After each event all that should run must run once, and what the person ended must not. At the end
every message is looked for in what the agents say that they got.
"""

import argparse
import contextlib
import enum
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from e2e import claude
from soak.recovery_agents import ClaudeHouse, ClaudeWorker, DemoWorker, Worker
from soak.world import TORCH, BrokenError, World, make_root
from torch_cli import procs
from torch_cli.intervals import VARIABLE

POLICIES = {"ann": "on-failure", "bob": "always", "цех": "on-failure", "dd": "never"}
"""The demo agents, and when each is restarted. Claude Codes are restarted ``on-failure``."""

QUICK = "health=0.5 tasks=1 arrange=1 overdue=1 unknown=1"
"""Intervals of the scheduler that need not be waited for."""

BACK_SECONDS = 90.0
"""Seconds in which what should run must run, on a busy machine."""

START_SECONDS = 300.0
"""Seconds that a program may take to start the first time, on a machine that others overload."""

PATIENCE_SECONDS = 8.0
"""Seconds that the person waits for a restart before they run ``torch restart``."""

DRAIN_SECONDS = 120.0
"""Seconds after the last event in which all messages must be delivered or told."""

STAYS_SECONDS = 2.0
"""Seconds for which what a person ended is watched, after each event."""

TOLD = ("submitted", "confirmed", "failed", "unknown", "cancelled", "expired")
"""The outcomes that end the way of a message."""


REFUSED = "not accepted"
"""What becomes of a message whose sender was killed first, or told that there is no such agent."""


class Wrong(enum.StrEnum):
    """What must not happen."""

    TWICE = "agent twice"
    AGAINST = "restarted against a person's will"
    MISSING = "did not come back"
    LOST = "message lost"
    DOUBLED = "message twice"
    FALSE = "delivered, though said not to be"
    UNTOLD = "message without an outcome"
    TASK = "task lost"


class Finding(NamedTuple):
    """Something that was wrong: of whom, and in which event."""

    wrong: Wrong
    about: str
    event: str


class Fallen:
    """The agents, what the person wants of each, and what was found to be wrong."""

    def __init__(self, world: World, claudes: int = 0) -> None:
        self.world = world
        self.chance: Random = world.chance("events")
        self.agents: dict[str, Worker] = {name: DemoWorker(name, world.root) for name in POLICIES}
        self.house = ClaudeHouse(world.root, claude.install()) if claudes else None
        if self.house is not None:
            world.environment |= self.house.variables(world.environment["PATH"])
            for number in range(1, claudes + 1):
                name = f"claude-{number}"
                self.agents[name] = ClaudeWorker(name, world.root, self.house)
        self.down: dict[str, str] = {}
        """Whom the person, or the program itself, has ended, and how."""
        self.findings: list[Finding] = []
        self.counted: Counter[str] = Counter()
        self.keys: list[str] = []
        self.tasks: list[str] = []
        self.event = "the start"

    # -- what is asked of Torch -------------------------------------------------------------------

    def torch(self, *words: str) -> tuple[int | None, str]:
        done = self.world.torch(*words, *self.world.server.socket.arguments)
        self.world.note("torch", words=words, status=done.status, out=done.out, err=done.err)
        if "Traceback" in done.err:
            raise BrokenError(f"torch {' '.join(words)}: {done.err}")
        return done.status, done.out

    def open(self) -> None:
        for name in self.agents:
            status, out = self.spawn(name)
            if status != 0:
                raise BrokenError(f"{name} did not start: {out}")
        self.world.start_daemon()

    def spawn(self, name: str) -> tuple[int | None, str]:
        agent = self.agents[name]
        words = ["--profile", agent.profile, "--session", "work", "--dir", str(agent.directory)]
        words += ["--restart", self.policy(name), "--wait", f"{START_SECONDS:g}", "--json"]
        words += self.world.server.socket.arguments
        done = self.world.torch("spawn", name, *words, "--", *agent.arguments)
        self.world.note("spawn", agent=name, status=done.status, out=done.out, err=done.err)
        return done.status, done.out + done.err

    def policy(self, name: str) -> str:
        return POLICIES.get(name, "on-failure")

    def send(self, name: str, text: str = "") -> None:
        """Send a message that waits in the outbox if it must, with a number that no other has."""
        key = f"n{self.world.number():05}"
        self.keys.append(key)
        self.torch("send", name, f"{key} {text}".strip(), "--key", key, "--timeout", "1", "--json")

    def add_task(self, name: str) -> None:
        title = f"task {self.world.number():05}"
        status, out = self.torch("task", "add", title, "--anywhere", "--json")
        if status == 0:
            task = str(json.loads(out)["id"])
            self.tasks.append(task)
            self.torch("task", "assign", task, name, "--json")

    # -- what runs --------------------------------------------------------------------------------

    def running(self, name: str) -> list[int]:
        """Return the programs of an agent that run."""
        return self.agents[name].running()

    def server_runs(self) -> bool:
        return bool(self.world.tmux("-N", "list-sessions"))

    def found(self, wrong: Wrong, about: str) -> None:
        self.findings.append(Finding(wrong, about, self.event))
        self.world.note("wrong", wrong=wrong, about=about, event=self.event)

    # -- after each event -------------------------------------------------------------------------

    def put_right(self) -> None:
        """Do what a person does then, and look at what runs."""
        daemon = self.world.daemon
        if daemon is None or daemon.poll() is not None:
            self.world.start_daemon()
        if not self.server_runs():
            self.counted["torch resurrect"] += 1
            self.torch("resurrect", "--json")
        for name in self.agents:
            if name not in self.down and not self.comes_back(name):
                self.found(Wrong.MISSING, name)
        deadline = time.monotonic() + STAYS_SECONDS
        while time.monotonic() < deadline:
            for name in self.agents:
                if len(self.running(name)) > 1:
                    self.found(Wrong.TWICE, name)
                if name in self.down and self.running(name):
                    self.found(Wrong.AGAINST, f"{name}: {self.down.pop(name)}")
            time.sleep(0.2)

    def comes_back(self, name: str) -> bool:
        """Wait for an agent; run ``torch restart`` as a person, once patience is at its end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.running(name):
            if time.monotonic() > deadline:
                return self.restart(name)
            time.sleep(0.1)
        return True

    def restart(self, name: str) -> bool:
        """Restart it as a person, or start it anew, until it runs; return whether it does."""
        deadline = time.monotonic() + BACK_SECONDS
        while not self.running(name):
            self.counted["torch restart"] += 1
            _, out = self.torch("restart", name, "--yes", "--json")
            if '"no-agent"' in out:  # it was stopped
                self.spawn(name)
            if time.monotonic() > deadline:
                return False
        self.down.pop(name, None)
        return True

    # -- the end ----------------------------------------------------------------------------------

    def judge(self) -> Counter[str]:
        """Have everything delivered, and look for each message and task; return the outcomes."""
        self.event = "the end"
        for name in self.agents:
            if not self.restart(name):
                self.found(Wrong.MISSING, name)
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(state not in TOLD for state in self.outcomes().values()):
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        states = self.outcomes()
        for key in self.keys:
            times = sum(agent.times(key) for agent in self.agents.values())
            self.judge_message(key, states.get(key, REFUSED), times)
        _, out = self.torch("task", "list", "--all", "--json")
        known = {json.loads(line)["id"] for line in out.splitlines()}
        for task in self.tasks:
            if task not in known:
                self.found(Wrong.TASK, task)
        return Counter(states.get(key, REFUSED) for key in self.keys)

    def judge_message(self, key: str, state: str, times: int) -> None:
        if times > 1:
            self.found(Wrong.DOUBLED, f"{key}: {state}, {times} times")
        if times == 0 and state in ("submitted", "confirmed"):
            self.found(Wrong.LOST, f"{key}: {state}")
        if times and state in ("failed", "cancelled", "expired"):
            self.found(Wrong.FALSE, f"{key}: {state}")
        if state not in (*TOLD, REFUSED):
            self.found(Wrong.UNTOLD, f"{key}: {state}")

    def outcomes(self) -> dict[str, str]:
        """Return what Torch says of each message, by its number."""
        _, out = self.torch("receipt", "-n", "1000000", "--json")
        told = [json.loads(line) for line in out.splitlines()]
        return {one["preview"].split()[0]: one["state"] for one in told if one["preview"].strip()}


# -- the events ------------------------------------------------------------------------------------


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_program(fallen: Fallen, name: str) -> None:
    for pid in fallen.running(name):
        kill(pid)


def kill_at_work(fallen: Fallen, name: str) -> None:
    """Kill it at some phase of a turn, or of the delivery that begins it."""
    world, key = fallen.world, f"n{fallen.world.number():05}"
    fallen.keys.append(key)
    words = ["send", name, f"{key} DELAY(1)", "--key", key, "--timeout", "1", "--json"]
    began = time.time()
    sender = world.start([TORCH, *words, *world.server.socket.arguments])
    time.sleep(fallen.chance.uniform(0, 1.5))
    kill_program(fallen, name)
    world.finish(sender, began, b"", "")


def crash(fallen: Fallen, name: str) -> None:
    programs = fallen.running(name)
    if not any(fallen.agents[name].crash(pid) for pid in programs):
        fallen.send(name, "CRASH(7)")


def kill_server(fallen: Fallen, name: str) -> None:
    server = fallen.world.tmux_server()
    if server is not None:
        kill(server.pid)
        fallen.world.until(lambda: not procs.alive(server), 10)


def kill_daemon(fallen: Fallen, name: str) -> None:
    daemon = fallen.world.daemon
    if daemon is not None:
        daemon.kill()
        daemon.wait()


def power_cut(fallen: Fallen, name: str) -> None:
    """Kill everything, while a message is on its way."""
    world, key = fallen.world, f"n{fallen.world.number():05}"
    fallen.keys.append(key)
    words = ["send", name, key, "--key", key, "--json", *world.server.socket.arguments]
    began = time.time()
    sender = world.start([TORCH, *words])
    time.sleep(fallen.chance.uniform(0, 0.5))
    sender.kill()
    kill_daemon(fallen, name)
    kill_server(fallen, name)
    for one in fallen.agents:
        kill_program(fallen, one)
    world.finish(sender, began, b"", "")


def kill_the_resurrection(fallen: Fallen, name: str) -> None:
    kill_server(fallen, name)
    world = fallen.world
    began = time.time()
    one = world.start([TORCH, "resurrect", *world.server.socket.arguments])
    time.sleep(fallen.chance.uniform(0.2, 2))
    one.kill()
    world.finish(one, began, b"", "")


def resurrect_twice(fallen: Fallen, name: str) -> None:
    kill_server(fallen, name)
    world = fallen.world
    began = time.time()
    words = [TORCH, "resurrect", *world.server.socket.arguments]
    for one in [world.start(words), world.start(words)]:
        world.finish(one, began, b"", "")


def second_daemon(fallen: Fallen, name: str) -> None:
    world = fallen.world
    began = time.time()
    second = world.start([TORCH, "daemon", "run", "--quiet"])
    time.sleep(1)
    kill_program(fallen, name)
    time.sleep(1)
    second.terminate()
    world.finish(second, began, b"", "")


def stop(fallen: Fallen, name: str) -> None:
    if fallen.torch("stop", name, "--json")[0] == 0:
        fallen.down[name] = "torch stop"


def close(fallen: Fallen, name: str) -> None:
    """Close its window, as a person does in tmux."""
    for pid in fallen.running(name):
        tmux = fallen.world.tmux
        panes = dict(
            line.split() for line in tmux("list-panes", "-aF", "#{pane_pid} #{pane_id}").split("\n")
        )
        if str(pid) in panes:
            tmux("kill-pane", "-t", panes[str(pid)])
            fallen.down[name] = "its window was closed"
            fallen.world.until(lambda: not fallen.running(name), 10)


def leave(fallen: Fallen, name: str) -> None:
    """Have the program end by itself, with status 0, as it does if a person quits it."""
    if fallen.policy(name) != "always" and fallen.torch("command", name, "/exit", "--json")[0] == 0:
        fallen.down[name] = "it was quit"
    fallen.world.until(lambda: not fallen.running(name), 10)


def freeze(fallen: Fallen, name: str) -> None:
    """What is frozen is killed, and stays so until it is thawed."""
    if fallen.torch("freeze", name, "--json")[0] != 0:
        return
    fallen.send(name)
    kill_program(fallen, name)
    time.sleep(STAYS_SECONDS)
    if fallen.running(name):
        fallen.found(Wrong.AGAINST, f"{name}: frozen")
    fallen.torch("thaw", name, "--json")


EVENTS: dict[str, tuple[Callable[[Fallen, str], None], int]] = {
    "a program was killed": (kill_program, 3),
    "a program was killed at work": (kill_at_work, 5),
    "a program crashed by itself": (crash, 2),
    "the tmux server was killed": (kill_server, 2),
    "the daemon was killed": (kill_daemon, 2),
    "everything was killed": (power_cut, 2),
    "torch resurrect was killed": (kill_the_resurrection, 1),
    "two torch resurrect at once": (resurrect_twice, 1),
    "two daemons at once": (second_daemon, 1),
    "a person stopped an agent": (stop, 1),
    "a person closed a window": (close, 1),
    "a person quit a program": (leave, 1),
    "a person froze an agent": (freeze, 1),
}
"""What happens, and how often in relation to the others."""


def run(fallen: Fallen, events: int) -> None:
    """Let ``events`` things happen, one after the other."""
    names = list(EVENTS)
    weights = [EVENTS[name][1] for name in names]
    for number in range(1, events + 1):
        (what,) = fallen.chance.choices(names, weights)
        up = [name for name in fallen.agents if name not in fallen.down]
        name = fallen.chance.choice(up)
        fallen.event = f"event {number}: {what} ({name})"
        fallen.counted[what] += 1
        fallen.world.note("event", number=number, event=what, agent=name)
        fallen.send(fallen.chance.choice(list(fallen.agents)))
        if number % 10 == 0:
            fallen.add_task(name)
        EVENTS[what][0](fallen, name)
        fallen.put_right()
        if fallen.down and (len(fallen.down) > 2 or fallen.chance.random() < 0.3):
            fallen.restart(fallen.chance.choice(list(fallen.down)))
        if number % 10 == 0:
            print(f"  {number} events, {len(fallen.findings)} wrong", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return 0 if nothing was wrong, 1 if something was, 2 if it could not run."""
    parser = argparse.ArgumentParser("python -m soak.recovery", description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--claude", type=int, default=0, help="real Claude Codes beside them")
    parser.add_argument("--seed", default="", help="repeats the choices of a run")
    asked = parser.parse_args(arguments)
    seed = asked.seed or str(int.from_bytes(os.urandom(3)))
    world = World(make_root(), seed)
    world.environment[VARIABLE] = QUICK
    fallen = Fallen(world, asked.claude)
    keep = True
    print(f"soak of recovery: seed {seed}, {asked.events} events, in {world.root}", flush=True)
    try:
        fallen.open()
        run(fallen, asked.events)
        outcomes = fallen.judge()
        wrong = Counter(one.wrong for one in fallen.findings)
        rows = [*sorted(fallen.counted.items()), ("", ""), ("messages", len(fallen.keys))]
        rows += [*sorted(outcomes.items()), ("tasks", len(fallen.tasks)), ("", "")]
        rows += [(str(one), wrong[one]) for one in Wrong]
        print("\n".join(f"{name:<36}{times:>8}".rstrip() for name, times in rows))
        for one in fallen.findings:
            print(f"{one.wrong}: {one.about}, after {one.event}")
        keep = bool(fallen.findings)
        print(f"soak of recovery: {'FAILED' if keep else 'good'}, with seed {seed}")
        return int(keep)
    except BrokenError as error:
        print(f"soak of recovery: could not run: {error}", file=sys.stderr)
        return 2
    finally:
        world.close(keep=keep)
        if fallen.house is not None:
            fallen.house.stub.stop()


if __name__ == "__main__":
    sys.exit(main())
