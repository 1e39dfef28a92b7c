"""What a program remembers: earlier messages are in the whole requests that reach its stub."""

import os
import signal
from typing import Any

from conftest import wait_until
from e2e.conftest import Sent, World
from torch_cli import procs
from torch_cli.profiling.stub import Behaviour


def say(world: World, bodies: list[str], text: str) -> str:
    """Send a message, wait until its turn has ended, and return the whole requests of it.

    The world's stub appends each request to ``bodies``, as JSON.
    """
    before = len(bodies)
    sent = world.send(text)
    assert sent.delivered, f"{sent}\n{world.server.screens()}"
    assert world.await_arrival(sent), world.server.screens()
    world.settle()
    assert world.arrivals(sent) == 1
    return "".join(bodies[before:])


def conversation(world: World) -> str:
    """Return the id of its conversation, which Torch must know."""
    known = world.state()["conversation"]
    assert known, world.server.screens()
    return str(known)


def restart(world: World, *options: str, name: str = "") -> dict[str, Any]:
    """Restart it, and return what Torch printed once it rests.

    What its program before has left running must be told, and nothing else.
    """
    before = [one for one in world.processes() if is_agent(one, name or world.name)]
    done = world.torch("restart", name or world.name, "--json", *options)
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    world.pane = done.json["pane"]
    world.settle()
    left = {one.pid: procs.arguments(one.pid) for one in before if procs.alive(one)}
    assert [one["pid"] for one in done.json["left"] if one["pid"] in left] == [*left], left
    answer: dict[str, Any] = done.json
    return answer


def streams(world: World, text: str) -> Sent:
    """Send a message, and return while its answer is drawn, line by line, for five minutes more."""
    rows = "\n\n".join(f"This is row {number} of many." for number in range(1000))
    with world.stub.behaving(Behaviour(answer=rows, pace=0.3)):
        sent = world.send(text)
        world.wait(lambda: "row 4 of many" in world.server.screens(), "its answer")
    assert sent.delivered, sent
    assert world.stub.busy
    return sent


def asked(world: World, sent: Sent) -> int:
    """Return how many requests asked for an answer to this message, and to nothing after it."""
    adds = world.kit.adds
    said = [
        [text for text in one.texts if not (adds and text.strip().startswith(adds))]
        for one in world.stub.requests
    ]
    return sum(bool(texts) and sent.text in texts[-1] for texts in said)


def is_agent(process: procs.Process, name: str) -> bool:
    return (procs.environment(process.pid) or {}).get("TORCH_AGENT") == name


def kill(world: World) -> None:
    """End the program as a crash does."""
    pid = int(world.server.cmd("display-message", "-p", "-t", world.pane, "#{pane_pid}"))
    process = procs.identify(pid)
    assert process is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not procs.alive(process), what="its end")
