"""Four Claude Codes and two Codexes at work, a power cut, and all go on in their conversations.

The ground truth is the whole request that reaches a stub of an API: earlier messages are in it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import wait_until
from e2e import test_recovery, test_recovery_codex
from e2e.conftest import Setup, World
from e2e.program import Program
from e2e.remembered import conversation
from e2e.report import REPORTS, Report
from torch_cli import procs
from torch_cli.profiling.verify.texts import tag

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MOST_SECONDS = 240.0
"""Seconds for all of them on an overloaded machine; a quiet one needs a tenth of that."""

COUNTS = (4, 2)
"""How many Claude Codes, and how many Codexes."""


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[tuple[World, World]]:
    """Both programs on one tmux server, with one home, as a person has them."""
    with ExitStack() as stack:
        claude = _world(stack, tmp_path / "claude", test_recovery.Remembered(), None)
        codex = _world(stack, tmp_path / "codex", test_recovery_codex.Remembered(), claude)
        codex.variables.pop("HOME")
        codex.variables["CODEX_HOME"] = str(codex.home.path / ".codex")
        path = f"{claude.program.parent}:{codex.program.parent}:{os.environ['PATH']}"
        for world in (claude, codex):
            world.variables.pop("PATH", None)
            world.environment = {**claude.environment, "PATH": path}
        yield claude, codex


def _world(stack: ExitStack, root: Path, kit: Program, beside: World | None) -> World:
    root.mkdir()
    setup = Setup.SPAWNED if beside else Setup.CHORD
    world = World(root, kit, kit.install(), setup, beside=beside)
    stack.callback(world.close)
    return world


def _daemon(world: World) -> "subprocess.Popen[bytes]":
    return world.popen("daemon", "run", "--quiet")


def cut_power(world: World, others: Sequence["subprocess.Popen[bytes]"]) -> None:
    """End the tmux server, all programs in it, and all that Torch has, at once."""
    rows = world.server.cmd("list-panes", "-a", "-F", "#{pane_pid} #{pid}").split()
    known = [procs.identify(pid) for pid in {int(one) for one in rows}]
    killed = [one for one in known if one is not None]
    killed += [child for one in killed for child in procs.descendants(one.pid)]
    for one in killed:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for other in others:
        other.kill()
        other.communicate()
    wait_until(lambda: not any(map(procs.alive, killed)), what="their end")


def test_six_at_work_go_on_in_their_conversations(worlds: tuple[World, World]) -> None:
    claude, codex = worlds
    tags: dict[tuple[World, str], str] = {}
    known: dict[str, str] = {}
    for world, count in zip(worlds, COUNTS, strict=True):
        for _ in range(count):
            started = world.start()
            assert started.code == 0, f"{started}\n{world.server.screens()}"
            tags[world, world.name] = word = tag()
            sent = world.send(f"Remember {word}.")
            assert world.await_arrival(sent), world.server.screens()
            world.settle()
            known[world.name] = conversation(world)
    assert len(set(known.values())) == len(known) == sum(COUNTS)
    daemon = _daemon(claude)
    for world, name in tags:
        hold = world.stub.hold()
        world.name = name
        assert world.send("A long turn.").delivered, world.server.screens()
        hold.wait(60.0)
    waits, typed = f"This waits, {tag()}.", f"This is on its way, {tag()}."
    held = claude.torch("send", "claude1", "--when", "idle", "--timeout", "1", "--json", waits)
    assert held.json["state"] == "held", held
    sender = claude.popen("send", "claude2", "-v", typed)
    assert sender.stderr is not None
    while line := sender.stderr.readline():
        if b"attempting" in line:
            break
    cut_power(claude, [daemon, sender])

    claude.variables = codex.variables | claude.variables
    began = time.monotonic()
    done = claude.torch("resurrect")
    took = time.monotonic() - began
    assert done.code == 0, f"{done}\n{claude.server.screens()}"
    assert took < MOST_SECONDS
    title = f"{claude.kit.title} {claude.kit.version}"
    report = REPORTS.setdefault("claude", Report("claude", title, claude.kit.truth, ""))
    report.notes.append(f"{sum(COUNTS)} agents were back {took:.1f} s after a power cut")
    daemon = _daemon(claude)
    try:
        _all_go_on(claude, tags, known, waits, typed)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=60)


def _all_go_on(
    claude: World,
    tags: dict[tuple[World, str], str],
    known: dict[str, str],
    waits: str,
    typed: str,
) -> None:
    for (world, name), word in tags.items():
        world.name = name
        world.pane = world.torch("state", name, "--json").json["pane"]
        world.settle()
        assert conversation(world) == known[name]
        bodies = test_recovery.BODIES if world is claude else test_recovery_codex.BODIES
        before = len(bodies)
        sent = world.send(f"Go on, {name}.")
        assert world.await_arrival(sent), world.server.screens()
        world.settle()
        whole = "".join(one for one in bodies[before:] if f"Go on, {name}." in one)
        assert word in whole, "it remembers what was said to it"
        assert not any(other in whole for other in tags.values() if other != word)
        assert "Your program was restarted" in whole
    texts = claude.stub.texts()
    assert sum(waits in text for text in texts) == 1, "what was held has arrived once"
    with_text = sum(typed in text for text in texts)
    listed = claude.torch("inbox", "claude2", "--json").out
    assert with_text <= 1, "what was being typed has not arrived twice"
    (row,) = [line for line in listed.splitlines() if typed in line]
    if '"confirmed"' in row or '"submitted"' in row:
        assert with_text == 1, row
    names = claude.torch("ps", "--json").out.count('"torch.agent/1"')
    assert names == sum(COUNTS), "no agent is there twice"
