"""Who sends: loops of ``torch send``, the faults of these processes, check-ins, and cron's tick."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from random import Random

from soak.agents import Agent
from soak.oracle import NOT_DELIVERED, Attempt, Sent
from soak.texts import BODIES, body
from soak.world import TORCH, World

TRIES = 3
"""How often a script sends what it was told has not been delivered."""

SHARE = 0.25
"""The share of sends to which something is done on the way."""

SIGNALS = {
    "sender killed": signal.SIGKILL,
    "sender interrupted (SIGINT)": signal.SIGINT,
    "sender ended (SIGTERM)": signal.SIGTERM,
    "sender hung up on (SIGHUP)": signal.SIGHUP,
}
LIMITS = ("sender may write no more (RLIMIT_FSIZE)", "sender has little memory (RLIMIT_AS)")
OUTPUTS = ("sender's output closed", "sender's output is read by nobody")
FAULTS = (*SIGNALS, *LIMITS, *OUTPUTS)
"""What is done to a sender."""


class Bag:
    """Deals all of ``things`` in a shuffled order, again and again: none is left out for long."""

    def __init__(self, things: Sequence[str], chance: Random) -> None:
        self._things, self._chance = list(things), chance
        self._left: list[str] = []

    def take(self) -> str:
        """Return the next one."""
        if not self._left:
            self._left = self._things[:]
            self._chance.shuffle(self._left)
        return self._left.pop()


def send_many(world: World, name: str, sent: list[Sent], counted: list[str]) -> None:
    """Send messages to all agents until the faults are over; note them in ``sent``."""
    chance = world.chance(name)
    kinds, faults = Bag(list(BODIES), chance), Bag(FAULTS, chance)
    while not world.over.is_set():
        agent = chance.choice(world.agents)
        fault = faults.take() if chance.random() < SHARE else ""
        message, words, text = compose(world, agent, name, kinds.take(), chance)
        sent.append(message)
        counted += [fault] if fault else []
        keyed = "--key" in words
        for _ in range(TRIES):
            attempt = run(world, words, text, fault, chance)
            message.attempts.append(attempt)
            world.note("send", message=message.number, to=agent.name, words=words, attempt=attempt)
            # What a script does: again if it is told that nothing was delivered, or has a key.
            again = attempt.status in NOT_DELIVERED or (keyed and (attempt.status or 0) < 0)
            if not again or attempt.status == 2 or world.over.wait(0.3):
                break
            fault = ""
        world.over.wait(chance.uniform(0.2, 2.0))


def compose(
    world: World, agent: Agent, name: str, kind: str, chance: Random
) -> tuple[Sent, list[str], bytes]:
    """Return a message, the words of ``torch`` that send it, and its standard input."""
    number = world.number()
    text = body(number, kind, chance)
    words = ["send", agent.name, "-", "--json", "--timeout", chance.choice(["1", "3", "8"])]
    sender = name if chance.random() < 0.6 else ""
    words += ["--from", sender] if sender else ["--plain"]
    when = chance.choices(["ready", "idle", "now"], [7, 2, 1])[0]
    words += ["--when", when] if when != "ready" else []
    ordered = when == "ready"
    if chance.random() < 0.15:
        words += ["--wait", "15"]
    if chance.random() < 0.3:
        words += ["--key", f"{world.seed}-{number}"]
    draw = chance.random()
    if draw < 0.05:
        words += ["--priority", chance.choice(["low", "high"])]
        ordered = False
    elif draw < 0.08:
        words += ["--expires", "4s"]
    message = Sent(number, agent.name, agent.expected(text), sender, ordered)
    return message, [*words, *world.server.socket.arguments], text.encode()


def run(world: World, words: list[str], text: bytes, fault: str, chance: Random) -> Attempt:
    """Run ``torch WORDS`` and do to it what ``fault`` says."""
    began = time.time()
    process = _begin(world, words, fault, chance)
    if fault not in SIGNALS:
        return world.finish(process, began, text, fault)

    def strike() -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(SIGNALS[fault])

    # Most of a delivery's time lies in its first half second.
    timer = threading.Timer(10 ** chance.uniform(-1.7, 0.5), strike)
    timer.start()
    try:
        return world.finish(process, began, text, fault)
    finally:
        timer.cancel()


def _begin(world: World, words: list[str], fault: str, chance: Random) -> "subprocess.Popen[bytes]":
    argv = [TORCH, *words]
    if fault == LIMITS[0]:
        return world.start(_limited(f"ulimit -f {chance.choice([0, 1, 64, 256, 1024])}", argv))
    if fault == LIMITS[1]:
        kilobytes = chance.randint(20, 80) * 1000
        return world.start(_limited(f"ulimit -v {kilobytes}", argv))
    if fault == OUTPUTS[0]:
        return world.start(["sh", "-c", 'exec "$@" >&-', "sh", *argv])
    if fault == OUTPUTS[1]:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            return world.start(argv, stdout=writer)
        finally:
            os.close(writer)
    return world.start(argv)


def _limited(limit: str, argv: list[str]) -> list[str]:
    return ["sh", "-c", f'{limit}; exec "$@"', "sh", *argv]


def check_in(world: World, sent: list[Sent]) -> None:
    """Add check-ins until the faults are over: one that repeats for each agent, then single ones.

    Their notes are noted in ``sent``.
    """
    chance = world.chance("check-ins")
    for agent in world.agents:
        _add(world, agent, sent, chance, repeats=True)
    while not world.over.wait(chance.uniform(4, 9)):
        _add(world, chance.choice(world.agents), sent, chance, repeats=False)


def _add(world: World, agent: Agent, sent: list[Sent], chance: Random, *, repeats: bool) -> None:
    number = world.number()
    text = body(number, chance.choice(["short", "two lines", "five lines", "unicode"]), chance)
    note = Sent(number, agent.name, agent.expected(text), ordered=False, checkin=True)
    note.repeats = repeats
    due = (
        ["--every", f"{chance.randint(15, 25)}s"]
        if repeats
        else ["--in", f"{chance.randint(1, 12)}s"]
    )
    due += ["--if", chance.choice(["idle", "always"])]
    words = ["checkin", "add", agent.name, "-", *due, "--name", f"note-{number}"]
    sent.append(note)
    attempt = world.torch(*words, *world.server.socket.arguments, text=text.encode())
    note.attempts.append(attempt)
    world.note("check-in", message=number, to=agent.name, words=words, attempt=attempt)


def end_repeats(world: World, sent: list[Sent]) -> None:
    """Let the check-ins that repeat fire no more."""
    names = [f"note-{one.number}" for one in sent if one.repeats]
    for name in names:
        world.others.append(("checkin remove", world.torch("checkin", "remove", name)))


def tick(world: World) -> None:
    """Be cron: run ``torch tick`` every few seconds, beside the daemon, until all is over."""
    while not world.quitting.wait(6):
        attempt = world.torch("tick", "--timeout", "20", "--quiet")
        world.others.append(("tick", attempt))
