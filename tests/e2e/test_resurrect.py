"""Two real Claude Codes come back in their conversations after everything was killed.

The ground truth is the whole request that reaches a stub of the API: earlier messages are in it.
"""

import os
import signal
import time
from collections.abc import Sequence

import pytest

from conftest import wait_until
from e2e.conftest import MakeWorld, World
from e2e.program import Program
from e2e.remembered import conversation, say
from e2e.test_recovery import BODIES, Remembered
from torch_cli import procs
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MOST_SECONDS = 120.0
"""Seconds for all of them on an overloaded machine; a quiet one needs a tenth of that."""


@pytest.fixture(scope="module")
def kit() -> Program:
    return Remembered()


def kill_all(world: World, panes: Sequence[str]) -> None:
    """End the server and the programs as a power cut does."""
    listed = world.server.cmd("list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{pid}").split("\n")
    rows = [line.split() for line in listed]
    pids = {int(pid) for pane, pid, _ in rows if pane in panes} | {int(rows[0][2])}
    killed = [one for one in map(procs.identify, pids) if one is not None]
    for one in killed:
        os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(procs.alive, killed)), what="their end")


def all_remember(world: World, words: dict[str, str], known: dict[str, str]) -> list[str]:
    """Ask each agent something, and return the whole requests of each.

    Each must be in the conversation that is ``known``, and hold what was said to it alone.
    """
    asked = []
    for name, word in words.items():
        world.name = name
        world.pane = world.torch("state", name, "--json").json["pane"]
        world.settle()
        assert conversation(world) == known[name]
        whole = say(world, BODIES, "Go on.")
        assert word in whole
        assert not any(other in whole for other in words.values() if other != word)
        asked.append(whole)
    return asked


def test_two_go_on_in_their_conversations(make_world: MakeWorld) -> None:
    """Each remembers what was said to it alone, and no two have one conversation."""
    world = make_world()
    tags, panes, known = {}, [], {}
    for _ in range(2):
        started = world.start()
        assert started.code == 0, f"{started}\n{world.server.screens()}"
        tags[world.name] = tag()
        say(world, BODIES, f"Remember {tags[world.name]}.")
        panes.append(world.pane)
        known[world.name] = conversation(world)
    assert len(set(known.values())) == 2
    kill_all(world, panes)
    began = time.monotonic()
    done = world.torch("resurrect")
    took = time.monotonic() - began
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    assert took < MOST_SECONDS
    for whole in all_remember(world, tags, known):
        assert whole.count("Your program was restarted: its tmux server was ") == 1
    assert world.torch("resurrect").code == 0


def test_they_come_back_into_their_places(make_world: MakeWorld) -> None:
    """Two beside each other and a shell below, in a window with a name: all as before."""
    world = make_world()
    tags, panes = {}, []
    for _ in range(2):
        started = world.start()
        assert started.code == 0, f"{started}\n{world.server.screens()}"
        tags[world.name] = tag()
        say(world, BODIES, f"Remember {tags[world.name]}.")
        panes.append(world.pane)
    first, second = tags
    cmd = world.server.cmd
    cmd("resize-window", "-t", panes[0], "-x", "220", "-y", "60")
    assert world.torch("move", second, "--window", first).code == 0
    cmd("select-layout", "-t", panes[0], "even-horizontal")
    below = cmd("split-window", "-dfP", "-l", "9", "-F", "#{pane_id}", "-t", panes[0], "-c", "/usr")
    cmd("rename-window", "-t", panes[0], "the two 🙂")
    cmd("set-option", "-wu", "-t", panes[0], "window-size")
    before = shape(world, panes[0])
    assert world.torch("tick").code == 0
    kill_all(world, [*panes, below])
    done = world.torch("resurrect")
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    now = [world.torch("state", name, "--json").json["pane"] for name in tags]
    assert shape(world, now[0]) == before
    assert now == cmd("list-panes", "-t", now[0], "-F", "#{pane_id}").split()[:2]
    for name, pane in zip(tags, now, strict=True):
        world.name, world.pane = name, pane
        world.settle()
        assert tags[name] in say(world, BODIES, "Go on.")


def shape(world: World, pane: str) -> str:
    """Return the name, the sizes and places of panes, and the directories of a window."""
    wanted = "#{pane_width}x#{pane_height},#{pane_left},#{pane_top} #{pane_current_path}"
    name = world.server.cmd("display-message", "-p", "-t", pane, "#{window_name}")
    return f"{name}\n{world.server.cmd('list-panes', '-t', pane, '-F', wanted)}"
