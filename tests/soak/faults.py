"""What goes wrong around the agents: one function a fault, which also puts right what it did.

The faults of the senders' own processes are in ``senders``.
"""

import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random

from conftest import TMUX
from soak.agents import HEIGHT, WIDTH, Agent, Claude, Demo
from soak.oracle import Draft
from soak.senders import Bag
from soak.texts import draft, drafts_in
from soak.world import SESSION, World
from torch_cli.profiling.stub import Behaviour, StubMode

Fault = Callable[[World, Agent, Random], None]

PAUSE = 2.2
"""Seconds between two of a person's Escape keys: sooner, Claude Code opens a menu."""


# -- a person at the pane --------------------------------------------------------------------------


def dialog(world: World, agent: Agent, chance: Random) -> None:
    """A dialog opens; a person looks at it for a while and declines."""
    if isinstance(agent, Demo):
        with contextlib.suppress(ProcessLookupError):
            os.kill(agent.pid, signal.SIGUSR1)
        world.until(lambda: world.asks(agent), 3)
    elif isinstance(agent, Claude):
        with agent.stub.behaving(Behaviour(StubMode.TOOL)):
            world.until(lambda: world.asks(agent), 8)
    world.over.wait(chance.uniform(0.5, 4))
    decline(world, agent)


def decline(world: World, agent: Agent) -> None:
    """Say no until nothing is asked any more."""
    for _ in range(6):
        if not world.until(lambda: world.asks(agent), 0.3):
            return
        world.press(agent, "Escape")
        world.until(lambda: not world.asks(agent), 2)
        world.quitting.wait(PAUSE if isinstance(agent, Claude) else 0)


def type_and_erase(world: World, agent: Agent, chance: Random) -> None:
    """A person types a draft, thinks, and takes it back."""
    word = _type(world, agent, chance)
    world.over.wait(chance.uniform(0.3, 3))
    # A text may have come behind the first letters. These stay then: nobody erases what they have
    # not written.
    while word and world.until(partial(world.box, agent), 5):
        box = world.box(agent) or ""
        if not box.endswith(word[-1]):
            break
        world.press(agent, "BSpace")
        if not world.until(partial(_differs, world, agent, box), 2):
            break
        word = word[:-1]


def _differs(world: World, agent: Agent, box: str) -> bool:
    return world.box(agent) != box


def type_and_enter(world: World, agent: Agent, chance: Random) -> None:
    """A person types a draft into an empty box and submits it."""
    if world.box(agent) != "":
        return
    _enter(world, agent, _type(world, agent, chance), chance)


def _type(world: World, agent: Agent, chance: Random) -> str:
    if world.box(agent) is None:
        return ""
    word = draft(world.number())
    world.drafts.append(Draft(word, agent.name))
    world.note("draft", agent=agent.name, word=word)
    for character in word:
        world.tmux("send-keys", "-l", "-t", agent.pane, character)
        world.quitting.wait(chance.uniform(0.01, 0.15))
    return word


def _enter(world: World, agent: Agent, word: str, chance: Random) -> None:
    """Submit the draft ``word`` unless something asks, or the draft is gone."""
    world.over.wait(chance.uniform(0.3, 2))
    if not word or not world.until(lambda: world.box(agent) is not None, 5):
        return
    world.drafts.append(Draft(word, agent.name, time.time()))
    world.press(agent, "Enter")


def paste(world: World, agent: Agent, chance: Random) -> None:
    """A person pastes a draft of several lines, and submits it or takes it back."""
    if world.box(agent) != "":
        return
    word = draft(world.number())
    world.drafts.append(Draft(word, agent.name))
    world.note("pasted draft", agent=agent.name, word=word)
    text = "\n".join([word, *("more of it" for _ in range(chance.choice([0, 2, 5])))])
    world.server.run("load-buffer", "-b", "person", "-", stdin=text.encode())
    world.tmux("paste-buffer", "-p", "-r", "-d", "-b", "person", "-t", agent.pane)
    world.over.wait(chance.uniform(0.5, 3))
    if chance.random() < 0.5 or isinstance(agent, Claude):
        _enter(world, agent, word, chance)
        return
    # The demo agent drops a short paste letter by letter, and a placeholder at once.
    for _ in range(1 if text.count("\n") >= 3 else len(text)):
        world.press(agent, "BSpace")


def enter(world: World, agent: Agent, chance: Random) -> None:
    """A person presses Enter, whatever stands in the box."""
    if world.box(agent) is not None:
        world.press(agent, "Enter")


def escape(world: World, agent: Agent, chance: Random) -> None:
    """A person stops the work; what the program puts back into the box they send again."""
    if isinstance(agent, Claude):
        world.until(lambda: agent.stub.busy, 5)
    world.over.wait(chance.uniform(0, 0.5))
    if world.asks(agent) or world.box(agent):
        return
    world.press(agent, "Escape")
    world.quitting.wait(PAUSE)
    if world.box(agent):
        world.press(agent, "Enter")


# -- the pane --------------------------------------------------------------------------------------


def copy_mode(world: World, agent: Agent, chance: Random) -> None:
    """The pane is in copy mode, and nobody looks on."""
    world.tmux("copy-mode", "-t", agent.pane)
    world.over.wait(chance.uniform(1, 4))
    world.tmux("copy-mode", "-q", "-t", agent.pane)


def looked_at(world: World, agent: Agent, chance: Random) -> None:
    """Somebody is attached, looks at the pane, and scrolls back in it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (HEIGHT, WIDTH))
    words = [TMUX, "-u", *world.server.socket.arguments, "attach-session", "-t", agent.pane]
    viewer = subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, env=world.environment, process_group=0
    )
    world.running.add(viewer)
    os.close(slave)
    drain = threading.Thread(target=_swallow, args=(master,), daemon=True)
    drain.start()
    try:
        world.over.wait(0.5)
        copy_mode(world, agent, chance)
    finally:
        viewer.kill()
        viewer.wait()
        world.running.discard(viewer)
        world.resize(agent, WIDTH, HEIGHT)


def _swallow(master: int) -> None:
    """Read what a terminal is shown, as a terminal does, and close it once nobody writes to it.

    Whoever else closed it would have this thread read from the next pipe that gets its number.
    """
    with contextlib.suppress(OSError):
        while os.read(master, 65536):
            pass
    os.close(master)


def resized(world: World, agent: Agent, chance: Random) -> None:
    """The pane becomes small, and large again."""
    width, height = chance.choice([(120, 10), (80, 9), (60, 14), (44, 40), (100, 12)])
    world.resize(agent, width, height)
    world.over.wait(chance.uniform(1, 5))
    world.resize(agent, WIDTH, HEIGHT)


def killed(world: World, agent: Agent, chance: Random) -> None:
    """The pane is killed; after a while the agent is started anew under its name."""
    if isinstance(agent, Claude):
        world.until(lambda: not agent.stub.busy, 5)
    # A server that is stopped at the time does not hear the command.
    world.until(lambda: world.kill(agent), 60)
    world.over.wait(chance.uniform(0, 3))
    world.spawn(agent)


def input_off(world: World, agent: Agent, chance: Random) -> None:
    """The pane takes no input."""
    world.tmux("select-pane", "-d", "-t", agent.pane)
    world.over.wait(chance.uniform(1, 4))
    world.tmux("select-pane", "-e", "-t", agent.pane)


def moved(world: World, agent: Agent, chance: Random) -> None:
    """Torch moves the agent to another session and back."""
    for place in (["--session", "elsewhere", "--create"], ["--session", SESSION]):
        words = ["move", agent.name, *place, *world.server.socket.arguments]
        world.others.append(("move", world.torch(*words)))
        world.over.wait(1)


def renamed(world: World, agent: Agent, chance: Random) -> None:
    """The agent has another name for a while: who writes to the old one finds nobody."""
    other = f"{agent.name}-other"
    for words in ([agent.name, other], [other, agent.name]):
        for _ in range(5):
            done = world.torch("rename", *words, *world.server.socket.arguments)
            world.others.append(("rename", done))
            if done.status == 0 or world.quitting.wait(1):
                break
        world.over.wait(1)


# -- the machine -----------------------------------------------------------------------------------


def session_renamed(world: World, agent: Agent, chance: Random) -> None:
    """The tmux session has another name for a while."""
    world.tmux("rename-session", "-t", f"={SESSION}", "other")
    world.over.wait(chance.uniform(1, 3))
    world.tmux("rename-session", "-t", "=other", SESSION)


def synchronised(world: World, agent: Agent, chance: Random) -> None:
    """Two agents share a window whose panes all get what is typed into one."""
    others = [one for one in world.agents if isinstance(one, Demo) and one is not agent]
    other = chance.choice(others)
    # Two that want each other's pane would wait for ever.
    if not other.lock.acquire(timeout=5):
        return
    try:
        arguments = world.server.socket.arguments
        words = ["move", other.name, "--window", agent.name, *arguments]
        world.others.append(("move", world.torch(*words)))
        world.tmux("set-option", "-w", "-t", agent.pane, "synchronize-panes", "on")
        world.over.wait(chance.uniform(2, 5))
        world.tmux("set-option", "-w", "-t", agent.pane, "synchronize-panes", "off")
        world.others.append(("move", world.torch("move", other.name, "--apart", *arguments)))
        for one in (agent, other):
            world.resize(one, WIDTH, HEIGHT)
    finally:
        other.lock.release()


def tmux_stopped(world: World, agent: Agent, chance: Random) -> None:
    """The tmux server does not answer for some seconds."""
    server = world.tmux_server()
    if server is None:
        return
    os.kill(server.pid, signal.SIGSTOP)
    try:
        world.over.wait(chance.choice([0.5, 2, 4, 7]))
    finally:
        os.kill(server.pid, signal.SIGCONT)


LEASE_LASTS = 10
"""Seconds of a locked state file that a scheduler's lease survives: it lasts 15 s, and is renewed
every 3 s, later where a write fails. After more, another may take over, and the first has to
end."""


def state_locked(world: World, agent: Agent, chance: Random) -> None:
    """Another process writes to Torch's state file for some seconds, hooks and all others wait."""
    with contextlib.closing(
        sqlite3.connect(world.database(), timeout=10, isolation_level=None)
    ) as store:
        try:
            store.execute(f"BEGIN {chance.choice(['IMMEDIATE', 'EXCLUSIVE'])}")
        except sqlite3.OperationalError:
            return  # it is in use all the time
        seconds = chance.choice([0.5, 2, 5, 12])
        world.over.wait(seconds)
        store.execute("ROLLBACK")
        if seconds > LEASE_LASTS:
            world.long_lock = time.monotonic()


def busy_machine(world: World, agent: Agent, chance: Random) -> None:
    """Other processes want all of the machine."""
    busy = [
        world.start([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)
    ]
    world.over.wait(chance.uniform(1, 4))
    for process in busy:
        process.kill()
        process.communicate()
        world.running.discard(process)


def daemon_killed(world: World, agent: Agent, chance: Random) -> None:
    """The daemon is killed; cron's tick works in its place until it is started again."""
    _restart(world, signal.SIGKILL, chance.uniform(0, 8))


def daemon_ended(world: World, agent: Agent, chance: Random) -> None:
    """The daemon is told to end, and started again at once."""
    _restart(world, signal.SIGTERM, 0)


def _restart(world: World, number: signal.Signals, pause: float) -> None:
    daemon, world.daemon = world.daemon, None
    if daemon is None:
        return
    daemon.send_signal(number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.wait(30)
    if daemon.poll() is None:
        world.schedulers.append("the daemon did not end within 30 s of SIGTERM")
        daemon.kill()
        daemon.wait()
    world.running.discard(daemon)
    world.over.wait(pause)
    world.start_daemon()


def slow_api(world: World, agent: Agent, chance: Random) -> None:
    """Claude Code's answers take long, or its API fails."""
    broken = Behaviour(StubMode.ERROR, status=chance.choice([429, 500, 529]))
    slow = Behaviour(delay=chance.choice([1.0, 3.0, 6.0]))
    assert isinstance(agent, Claude)
    with agent.stub.behaving(chance.choice([slow, slow, broken])):
        world.over.wait(chance.uniform(2, 8))


IN_PANE: dict[str, Fault] = {
    "dialog opens": dialog,
    "person types and erases": type_and_erase,
    "person types and submits": type_and_enter,
    "person pastes": paste,
    "person presses Enter": enter,
    "person presses Esc": escape,
    "copy mode": copy_mode,
    "person looks on and scrolls": looked_at,
    "pane small for a while": resized,
    "pane killed, agent started again": killed,
    "input off": input_off,
    "agent moved": moved,
    "agent renamed": renamed,
    "panes synchronised": synchronised,
    "API slow or failing": slow_api,
}
"""What concerns one agent's pane; one at a time for each."""

AROUND: dict[str, Fault] = {
    "session renamed": session_renamed,
    "tmux stopped": tmux_stopped,
    "state file locked": state_locked,
    "machine busy": busy_machine,
    "daemon killed": daemon_killed,
    "daemon ended": daemon_ended,
}
"""What concerns all; one at a time."""


def make_faults(world: World, name: str, counted: list[str]) -> None:
    """Let one thing after the other go wrong until ``world.over``; note each in ``counted``."""
    chance = world.chance(name)
    fits = [one for one in (*IN_PANE, *AROUND) if _for_whom(world, one)]
    bag = Bag(fits, chance)
    while not world.over.wait(chance.uniform(0.2, 1.5)):
        kind = bag.take()
        agent = chance.choice(_for_whom(world, kind))
        lock = agent.lock if kind in IN_PANE else world.whole
        if not lock.acquire(timeout=10):
            continue
        try:
            world.note("fault", kind=kind, agent=agent.name)
            {**IN_PANE, **AROUND}[kind](world, agent, chance)
            counted.append(kind)
        finally:
            lock.release()
            world.note("fault over", kind=kind, agent=agent.name)


def _for_whom(world: World, kind: str) -> list[Agent]:
    """Return the agents that a fault can befall."""
    if kind == "API slow or failing":
        return [one for one in world.agents if isinstance(one, Claude)]
    if kind == "panes synchronised":
        demos: list[Agent] = [one for one in world.agents if isinstance(one, Demo)]
        return demos if len(demos) > 1 else []
    return world.agents


def put_right(world: World) -> None:
    """Leave every pane as a person would: nothing asked, no mode, no draft of theirs."""
    for agent in world.agents:
        world.tmux("copy-mode", "-q", "-t", agent.pane)
        world.tmux("select-pane", "-e", "-t", agent.pane)
        decline(world, agent)
        for word in drafts_in(world.box(agent) or ""):
            world.drafts.append(Draft(word, agent.name, time.time()))
            world.press(agent, "Enter")
