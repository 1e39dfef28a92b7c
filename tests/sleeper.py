"""A demo agent whose program continues conversations, so that it can be hibernated and woken."""

import os
import sys
from pathlib import Path

from agent import DemoAgent, whole_lines
from conftest import TmuxServer, Torch, accept_profiles
from torch_cli.programs.loading import STOCK
from torch_cli.store import Store

PROGRAM = """
import fcntl, json, os, subprocess, sys, uuid
words, config = sys.argv[1:], os.environ["CLAUDE_CONFIG_DIR"]
if os.path.exists(os.path.join(config, "child")):
    subprocess.Popen(["sleep", "600"])
at = words.index("--resume") if "--resume" in words else len(words)
one = words[at + 1] if words[at:] else str(uuid.uuid4())
rest = words[:at] + words[at + 2 :]
path = os.path.join(config, "projects", "p", one + ".jsonl")
os.makedirs(os.path.dirname(path), exist_ok=True)
file = open(path, "a")
print('{"type": "summary"}', file=file, flush=True)
os.set_inheritable(file.fileno(), True)
try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    said = "opened"
except OSError:
    said = "TWO PROGRAMS"
with open(os.path.join(config, "opened.log"), "a") as log:
    log.write(json.dumps({"event": said, "id": one, "pid": os.getpid()}) + chr(10))
with open(os.path.join(config, "conversation-" + os.environ["TORCH_AGENT"]), "w") as known:
    known.write(one)
os.execv(sys.executable, [sys.executable, "-m", "torch_cli.demo_agent", *rest])
"""
"""Begins or continues a conversation, which it locks as long as it runs, and becomes the demo."""


def conversations(directory: Path) -> list[dict[str, object]]:
    """Return each start of a program in a conversation."""
    return whole_lines(directory / "claude" / "opened.log")


def write_profile(name: str = "sleepy") -> None:
    """Write the profile of that program."""
    profiles = Path(os.environ["TORCH_HOME"]) / "config" / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    program = profiles.parent / "sleepy.py"
    program.write_text(PROGRAM)
    text = (Path(STOCK) / "demo.toml").read_text()
    command = f'command = ["{sys.executable}", "{program}"]\nresume = ["--resume", "{{id}}"]'
    for old, new in (
        ('name = "demo"', f'name = "{name}"'),
        ('command = ["torch-demo-agent"]', command),
        ("[answer]\n", '[answer]\ntranscript = "claude"\n'),
        ('version = ["torch-demo-agent", "--version"]\n', ""),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (profiles / f"{name}.toml").write_text(text)
    accept_profiles()


def spawn_sleepy(
    tmux: TmuxServer, torch: Torch, directory: Path, *arguments: str, name: str = "dev"
) -> DemoAgent:
    """Start such an agent, and return it once its conversation is known."""
    config = directory.parent / "claude"
    config.mkdir(exist_ok=True)
    directory.mkdir(exist_ok=True)
    os.environ["CLAUDE_CONFIG_DIR"] = str(config)
    write_profile()
    log = directory.parent / f"{name}.log"
    done = torch(
        *("spawn", name, "--profile", "sleepy", "--session", "agents", "--dir", str(directory)),
        *("--json", "--", "--log", str(log), *arguments),
    )
    assert done.code == 0, done.out + done.err + tmux.screens()
    with Store() as store:
        agent = store.agents.get(name)
        assert agent is not None
        store.agents.converses(agent, (config / f"conversation-{name}").read_text())
    return DemoAgent(tmux, torch, name, tmux.pane(done.json["pane"]), log, directory)
