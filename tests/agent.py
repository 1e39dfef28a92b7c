"""A demo agent in a real pane, started through ``torch spawn``, with the log of what it got."""

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import PATIENCE, Result, TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message, new_id, new_message
from torch_cli.store.steps import Step
from torch_cli.tmux.panes import Pane

DEMO_PROGRAM = str(Path(sys.executable).with_name("torch-demo-agent"))
"""The program of this environment, which need not be on the caller's ``PATH``."""


def whole_lines(log: Path) -> list[Any]:
    """Return the JSON lines of a file; one that is being written does not count yet."""
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


@dataclass
class DemoAgent:
    """One running demo agent; ``log`` holds exactly the bytes that it was given."""

    tmux: TmuxServer
    torch: Torch
    name: str
    pane: Pane
    log: Path
    directory: Path

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of its log, of these kinds if any are named."""
        events = whole_lines(self.log)
        return [event for event in events if not kinds or event["event"] in kinds]

    def submitted(self) -> list[str]:
        """Return the texts that were submitted or queued, in order."""
        return [event["text"] for event in self.events("submit", "queued")]

    def send(self, message: str, *options: str, **others: Any) -> Result:
        """Send it a message through ``torch send --json``."""
        return self.torch("send", self.name, "-", "--json", *options, input=message, **others)

    def state(self) -> str:
        """Return its state as ``torch state`` has it."""
        return str(self.torch("state", self.name, "--json").json["state"])

    def wait_for(self, states: str, timeout: float = PATIENCE) -> None:
        """Wait until it is in one of the states."""
        done = self.torch("wait", self.name, "--for", states, "--timeout", str(timeout))
        assert done.code == 0, done.err + self.screen()

    def screen(self) -> str:
        """Return what it shows."""
        return self.tmux.screen(self.pane)

    def report(self, name: str, **fields: object) -> None:
        """Report the event ``name`` as a hook of its program does."""
        place = f"{self.pane.socket_path},{self.pane.server_pid},0"
        event = json.dumps({"hook_event_name": name, **fields})
        environ = {"TMUX": place, "TMUX_PANE": self.pane.id}
        assert self.torch("hook", input=event, env=environ).code == 0

    def kill(self) -> None:
        """End its program by SIGKILL, as a crash does; before tmux 3.3 its pane goes with it."""
        program = procs.identify(self.pane.pid)
        assert program is not None
        os.kill(program.pid, signal.SIGKILL)
        wait_until(lambda: not procs.alive(program), what="its end")

    def end_work(self) -> None:
        """Have it give its answer now, however long it was told to work."""
        os.kill(self.events("start")[-1]["pid"], signal.SIGUSR2)

    def open_dialog(self) -> None:
        """Have it open its permission dialog at once."""
        os.kill(self.pane.pid, signal.SIGUSR1)
        self.tmux.wait_for_text(self.pane, "Do you want to proceed?")


def spawn_demo(
    tmux: TmuxServer,
    torch: Torch,
    directory: Path,
    *arguments: str,
    name: str = "demo",
    wait: str = "",
) -> DemoAgent:
    """Start a demo agent in ``directory`` with the arguments, and wait until it is ready.

    ``wait`` are the most seconds for that; '0' does not wait.
    """
    directory.mkdir(exist_ok=True)
    log = directory.parent / f"{name}.log"
    path = f"{Path(sys.executable).parent}"
    done = torch(
        *("spawn", name, "--profile", "demo", "--session", "agents", "--dir", str(directory)),
        *("--json", *(["--wait", wait] if wait else []), "--", "--log", str(log), *arguments),
        env={"PATH": f"{path}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"},
    )
    assert done.code == 0, done.out + done.err + tmux.screens()
    return DemoAgent(tmux, torch, name, tmux.pane(done.json["pane"]), log, directory)


def on_its_way(to: Agent) -> str:
    """Leave two messages for ``to`` in the outbox: "perhaps typed", of which nobody knows whether
    its program has got it, and "not typed yet". Return the id of the first.
    """
    with Store() as store:
        typed, waits = letter(to, "perhaps typed"), letter(to, "not typed yet")
        store.messages.accept(typed)
        store.messages.accept(waits)
        sql = "UPDATE messages SET step = ? WHERE id = ?"
        store.database.write(sql, str(Step.SUBMITTING), typed.id)
    return typed.id


def letter(to: Agent, text: str) -> Message:
    """Return a message to ``to`` for the outbox."""
    known = {"agent": to.identity, "kept": True, **to.at.columns}
    return new_message(new_id(), recipient=to.name, body=text, typed=text, **known)
