"""``torch send`` as a whole process, beside the script that everybody writes first."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from functools import partial

from benchmarks.figures import Row, median
from benchmarks.lab import Lab, check, timed
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import program

GROUP = "send"
RUNS = 15
WARM_UP = 2
WORK = "0.02"
"""Seconds that the demo agents work on a message; they are idle again when they are measured."""

RIPE = 5.5
"""Seconds after its registration that an agent is left alone: to one that started less than 5 s
ago a delivery waits for a box that stands still."""

CLASSIC = """\
#!/bin/sh
{tmux} send-keys -t "$1" "$2"
sleep 0.5
{tmux} send-keys -t "$1" Enter
"""
"""The script that everybody writes first; ``tmux`` is the command with its server."""


def measure(lab: Lab) -> list[Row]:
    """Return the rows: the classic script, then ``torch send`` with and without hooks."""
    script = lab.directory / "classic"
    script.write_text(CLASSIC.format(tmux=f"{shlex.quote(program())} -L bench"))
    script.chmod(0o755)
    torch = str(lab.bin / "torch")
    os.environ["TORCH_TMUX_SOCKET"] = lab.socket.name
    panes = {
        "classic": open_agent(lab),
        "hooks": _spawned(lab, torch),
        "plain": adopted(lab, torch, "plain"),
    }
    commands = {
        "classic": [str(script), panes["classic"].id],
        "hooks": [torch, "send", "hooks"],
        "plain": [torch, "send", "plain"],
    }
    time.sleep(RIPE)
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(WARM_UP + RUNS):
        for name, command in commands.items():
            text = f"message {number} of the {name} kind"
            took = timed(_run([*command, text]))
            lab.wait_for_screen(panes[name], partial(answered, text))
            if number >= WARM_UP:
                samples[name].append(took)
    classic = median(samples["classic"])
    rows = [
        Row(
            GROUP,
            "classic script: send-keys, sleep 0.5, Enter; no proof",
            tuple(samples["classic"]),
        )
    ]
    for name, what in (
        ("hooks", "torch send, agent with hooks: confirmed"),
        ("plain", "torch send, agent without hooks: submitted"),
    ):
        factor = classic / median(samples[name])
        compared = f"{factor:.1f} x faster than classic"
        rows.append(
            Row(GROUP, what, tuple(samples[name]), compared, factor, 3.0, True, "at least 3 x")
        )
    return rows


def open_agent(lab: Lab) -> Pane:
    """Start a demo agent without hooks by hand; return its pane when it is ready."""
    pane = lab.open_pane("agents", [str(lab.bin / "torch-demo-agent"), "--work", WORK])
    lab.wait_for_screen(pane, is_idle)
    return pane


def adopted(lab: Lab, torch: str, name: str) -> Pane:
    """Start a demo agent without hooks and register it."""
    pane = open_agent(lab)
    check([torch, "adopt", pane.id, name, "--profile", "demo"])
    return pane


def answered(text: str, screen: str) -> bool:
    """Say whether an agent has taken ``text`` and waits for the next."""
    return f"» {text}" in screen and is_idle(screen)


def is_idle(screen: str) -> bool:
    """Say whether a demo agent waits for a message."""
    return "? for help" in screen


def _spawned(lab: Lab, torch: str) -> Pane:
    words = ["spawn", "hooks", "--profile", "demo", "--session", "agents"]
    words += ["--dir", str(lab.directory / "project")]
    env = {**os.environ, "PATH": f"{lab.bin}{os.pathsep}{os.environ['PATH']}"}
    check([torch, *words, "--", "--work", WORK], env)
    return lab.pane(lab.tmux("list-panes", "-t", "=agents:hooks", "-F", "#{pane_id}"))


def _run(argv: list[str]) -> Callable[[], object]:
    def run() -> None:
        quiet = subprocess.DEVNULL
        subprocess.run(argv, stdin=quiet, stdout=quiet, stderr=quiet, check=True)

    return run
