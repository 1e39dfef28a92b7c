"""Whose name a command acts under: the agent's in whose pane its process is."""

import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import SOURCE, TmuxServer, Torch
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane

ASK = "from torch_cli.roster.actor import own_name; from torch_cli.store import Store; "
ASK += "print('I am', repr(own_name(Store())))"


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def command(*variables: str) -> str:
    """Return a shell's line that prints the own name, with these words for env(1)."""
    return shlex.join(["env", *variables, f"PYTHONPATH={SOURCE}", sys.executable, "-c", ASK])


def said(tmux: TmuxServer, pane: Pane, line: str) -> str:
    """Return the name that a command has which is run in ``pane``."""
    answer = tmux.directory / "answer"
    answer.unlink(missing_ok=True)
    moved = f"{line} > {answer}.part && mv {answer}.part {answer}"
    tmux.cmd("send-keys", "-t", pane.id, "-l", moved)
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    tmux.wait_until(answer.exists, "the answer")
    return answer.read_text().partition("'")[2].partition("'")[0]


def inside(tmux: TmuxServer, agent: DemoAgent) -> list[str]:
    """Return the variables that a process in the agent's pane has."""
    server = tmux.cmd("display-message", "-p", "#{pid}")
    known = [f"TMUX={agent.pane.socket_path},{server},0", f"TMUX_PANE={agent.pane.id}"]
    return [*known, "TORCH_AGENT=demo"]


def test_who_unsets_the_variables_is_still_who_its_pane_says(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    pane = tmux.new_session("mine", "sh", size=(200, 24))
    assert torch("adopt", pane.id, "shell", "--profile", "shell").code == 0
    unset = ("-u", "TMUX", "-u", "TMUX_PANE", "-u", "TORCH_AGENT")
    assert said(tmux, pane, command(*unset)) == "shell"
    assert said(tmux, pane, command("TORCH_AGENT=demo")) == "shell"
    assert said(tmux, pane, command(*inside(tmux, demo))) == "shell"


def test_a_person_in_another_pane_is_no_agent_whatever_was_inherited(
    demo: DemoAgent, tmux: TmuxServer
) -> None:
    pane = tmux.new_session("mine", "sh", size=(200, 24))
    assert said(tmux, pane, command("TORCH_AGENT=demo")) == ""
    assert said(tmux, pane, command(*inside(tmux, demo))) == ""


def test_a_terminal_of_an_editor_that_was_started_there_is_a_persons(
    demo: DemoAgent, tmux: TmuxServer
) -> None:
    """The editor is a process of its own by then, and only the variables are left."""
    variables = dict(one.split("=", 1) for one in inside(tmux, demo))
    words = [sys.executable, "-c", ASK]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), **variables}
    pid, terminal = pty.fork()
    if not pid:
        os.execve(words[0], words, environ)
    shown = b""
    while b"\n" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    os.waitpid(pid, 0)
    assert shown.strip() == b"I am ''"
    # What runs in the background for the agent has no terminal, and is the agent's.
    done = subprocess.run(
        words, env=environ, start_new_session=True, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"I am 'demo'"


def test_without_any_trace_it_is_nobody() -> None:
    with Store() as store:
        assert store.agents.among([]) == []
        assert not store.agents.has_server([1])
