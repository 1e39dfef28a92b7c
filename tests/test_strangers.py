"""Panes that look like agents and are not registered: shown by ``ps``, registered by ``adopt``."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, DemoAgent, spawn_demo
from conftest import SOURCE, TmuxServer, Torch
from snapshots import width_of
from torch_cli.cli.agents.ps_shown import drawn_strangers
from torch_cli.cli.table import Paper, TableForm
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane
from torch_cli.watch.listing import Lookout, agents_on
from torch_cli.watch.strangers import Stranger, strangers


def found(tmux: TmuxServer) -> list[Stranger]:
    with Store() as store, Lookout(store) as lookout:
        lookout.look(agents_on(store, tmux.socket))
        return strangers(store, tmux.socket, lookout)


def start(tmux: TmuxServer, session: str, window: str, directory: Path) -> Pane:
    """Start a demo agent as a person does, and wait until it shows its box."""
    directory.mkdir(exist_ok=True)
    pane = tmux.new_session(session, f"exec {DEMO_PROGRAM}", window=window, directory=directory)
    tmux.wait_for_text(pane, "Type a message")
    return pane


@pytest.fixture
def two(tmux: TmuxServer, tmp_path: Path) -> list[Pane]:
    """Two agents that nobody has registered, beside panes that are none."""
    tmux.new_session("shell", "sh")
    tmux.new_session("script", sys.executable, "-c", "import time; time.sleep(600)")
    return [
        start(tmux, "one", "build site", tmp_path / "shop"),
        start(tmux, "two", "python", tmp_path / "my project 🚀"),
    ]


def test_agents_that_run_are_found_with_a_free_name_for_each(
    tmux: TmuxServer, torch: Torch, two: list[Pane], tmp_path: Path
) -> None:
    assert [(one.pane.id, one.profile.name, str(one.state.state)) for one in found(tmux)] == [
        (pane.id, "demo", "idle") for pane in two
    ]
    assert [one.name for one in found(tmux)] == ["build-site", "my-project"]
    assert [one.directory for one in found(tmux)] == [
        str(tmp_path / name) for name in ("shop", "my project 🚀")
    ]
    spawn_demo(tmux, torch, tmp_path / "project", name="my-project")
    assert [one.name for one in found(tmux)] == ["build-site", "my-project-2"]
    assert torch("adopt", two[0].id, "dev", "--profile", "demo").code == 0
    assert [one.pane.id for one in found(tmux)] == [two[1].id]
    os.kill(two[1].pid, signal.SIGKILL)
    tmux.wait_until(lambda: not found(tmux), "its end")


def test_status_says_which_of_them_asks(tmux: TmuxServer, torch: Torch, two: list[Pane]) -> None:
    assert "is not registered" not in torch("status").err
    os.kill(two[0].pid, signal.SIGUSR1)
    tmux.wait_for_text(two[0], "Do you want to proceed?")
    told = torch("status").err
    assert f"pane {two[0].id} (one:build site) asks, and is not registered" in told, told
    assert f"torch adopt {two[0].id} build-site" in told
    assert "registered" not in torch("status", "--line").out


def test_a_server_without_agents_is_not_connected_to(tmux: TmuxServer, torch: Torch) -> None:
    tmux.new_session("shell", "sh")
    tmux.cmd("set-hook", "-g", "client-attached", "set -g @attached 1")
    assert found(tmux) == []
    assert tmux.cmd("show-options", "-gqv", "@attached") == ""


def test_the_command_that_is_shown_registers_it(
    tmux: TmuxServer, torch: Torch, two: list[Pane]
) -> None:
    for one in found(tmux):
        assert torch(*one.command[1:]).code == 0
    listed = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    assert {line["name"]: line["pane"] for line in listed} == {
        "build-site": two[0].id,
        "my-project": two[1].id,
    }


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_command_is_whole_on_every_terminal(
    tmux: TmuxServer, two: list[Pane], width: int
) -> None:
    lines = drawn_strangers(found(tmux), TableForm(), Paper(width, colours=True))
    assert max(map(width_of, lines)) <= width
    assert f"torch adopt {two[1].id} my-project --profile demo" in lines[-1]
    assert "○ idle" in lines[-1]


def test_a_pipe_has_one_table_and_the_number_on_stderr(torch: Torch, two: list[Pane]) -> None:
    done = torch("ps")
    assert (done.code, done.out) == (0, "")
    assert "2 panes look like agents and are not registered: torch adopt --all" in done.err
    assert torch("ps", "--json").out == ""
    assert torch("ps", "-q").err == ""


def test_without_a_terminal_nothing_is_registered_unless_told(
    torch: Torch, two: list[Pane]
) -> None:
    for more in ((), ("--json",)):
        refused = torch("adopt", "--all", *more)
        assert refused.code == 2
        assert "nothing was registered" in refused.err + refused.out
    listed = torch("adopt", "--all", "--dry-run")
    assert f"torch adopt {two[0].id} build-site --profile demo" in listed.out
    objects = [
        json.loads(line) for line in torch("adopt", "--all", "--dry-run", "--json").out.splitlines()
    ]
    assert [(one["schema"], one["pane"]) for one in objects] == [
        ("torch.stranger/1", pane.id) for pane in two
    ]
    assert torch("ps", "--json").out == ""
    done = torch("adopt", "--all", "--yes")
    assert done.err.count("does not come back by itself") == 0
    assert done.err.count("protection: ") == 1, "what holds for both is said once, with the names"
    assert done.err.count("do not come back by themselves after a crash: 'torch resurrect'") == 1
    assert done.code == 0
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["adopted", "build-site"],
        ["adopted", "my-project"],
    ]
    again = torch("adopt", "--all", "--yes")
    assert (again.code, again.out) == (0, "")
    assert "is registered" in again.err


@pytest.mark.parametrize(
    "words", [("%1", "x", "--all"), ("--yes",), ("%1", "x", "--dry-run"), ("%1",), ()]
)
def test_what_does_not_go_together_is_refused(torch: Torch, words: tuple[str, ...]) -> None:
    done = torch("adopt", *words)
    assert (done.code, done.out) == (2, "")


def test_a_person_is_asked_about_each(tmux: TmuxServer, torch: Torch, two: list[Pane]) -> None:
    words = " ".join(f"'{word}'" for word in torch.argv("adopt", "--all"))
    pane = tmux.new_session("ask", "sh", size=(100, 30))
    tmux.cmd("send-keys", "-t", pane.id, "-l", f"PYTHONPATH='{SOURCE}' {words}")
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    tmux.wait_for_text(pane, "Enter registers it as 'build-site'")
    tmux.cmd("send-keys", "-t", pane.id, "n", "Enter")
    tmux.wait_for_text(pane, "Enter registers it as 'my-project'")
    tmux.cmd("send-keys", "-t", pane.id, "-l", "my/rocket")
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    tmux.wait_for_text(pane, "is not a valid agent name")
    tmux.cmd("send-keys", "-t", pane.id, "rocket", "Enter")
    tmux.wait_for_text(pane, "adopted  rocket")
    listed = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    assert [(line["name"], line["pane"]) for line in listed] == [("rocket", two[1].id)]


def test_adopt_recognises_what_the_list_does(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Its process has the name of the interpreter, and its window is called as an answer is."""
    pane = tmux.new_session("loose", f"exec {sys.executable} {DEMO_PROGRAM}", window="q")
    tmux.wait_for_text(pane, "Type a message")
    (one,) = found(tmux)
    assert (one.profile.name, one.named, one.name == "q") == ("demo", False, False)
    done = torch("adopt", pane.id, "dev", "--json")
    assert (done.code, done.json["profile"]) == (0, "demo")


def test_what_has_ended_while_a_person_thought_is_not_registered(
    tmux: TmuxServer, torch: Torch, two: list[Pane]
) -> None:
    from torch_cli.errors import RefusedError
    from torch_cli.lifecycle.adopting import adopt_stranger

    (first, _) = found(tmux)
    tmux.cmd("respawn-pane", "-k", "-t", two[0].id, "cat")
    with Store() as store, pytest.raises(RefusedError, match="has ended since"):
        adopt_stranger(store, first, "dev")
    assert torch("ps", "--json").out == ""


def test_the_list_shows_them_below_the_agents(
    tmux: TmuxServer, torch: Torch, two: list[Pane], demo: DemoAgent
) -> None:
    words = " ".join(f"'{word}'" for word in torch.argv("ps"))
    pane = tmux.new_session("look", "sh", size=(100, 30))
    tmux.cmd("send-keys", "-t", pane.id, "-l", f"clear; PYTHONPATH='{SOURCE}' {words}")
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    tmux.wait_for_text(pane, "REGISTER IT WITH")
    rows = tmux.screen(pane).splitlines()
    assert rows[0].startswith("NAME")
    assert rows[1].startswith("demo")
    assert rows[3].startswith("NOT REGISTERED")
    assert len([row for row in rows if "torch adopt %" in row]) == 2
