"""``torch next`` and ``torch back``: the terminal goes to who needs you, and returns."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import SOURCE, TmuxServer, Torch
from test_attach import clients, terminal


def panes(tmux: TmuxServer) -> dict[str, str]:
    """Return the pane that each attached terminal shows."""
    listed = tmux.cmd("list-clients", "-F", "#{client_tty} #{pane_id}").splitlines()
    return dict(line.split(" ", 1) for line in listed)


@pytest.fixture
def inside(tmux: TmuxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch is called as tmux calls it for a key."""
    pane = tmux.new_session("mine", "sh")
    monkeypatch.setenv("TMUX", f"{pane.socket_path},{pane.server_pid},0")
    monkeypatch.delenv("TMUX_PANE", raising=False)


@pytest.fixture
def agents(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> list[DemoAgent]:
    return [spawn_demo(tmux, torch, tmp_path / name, name=name) for name in ("one", "two")]


@pytest.mark.usefixtures("inside")
def test_the_client_goes_from_one_who_waits_to_the_next_and_back(
    tmux: TmuxServer, torch: Torch, agents: list[DemoAgent]
) -> None:
    first, second = agents
    with terminal(tmux, "mine") as (mine, _), terminal(tmux, "agents") as (other, _):
        start, elsewhere = panes(tmux)[mine], panes(tmux)[other]
        done = torch("next", "--client", mine)
        assert (done.code, done.err) == (0, "nobody needs you\n")
        assert torch("back", "--client", mine).code == 2
        for agent in agents:
            agent.open_dialog()
        seen = []
        for _ in agents:
            assert torch("next", "--client", mine).code == 0
            seen.append(panes(tmux)[mine])
        assert sorted(seen) == sorted([first.pane.id, second.pane.id])
        done = torch("back", "--client", mine)
        assert (done.code, panes(tmux)[mine]) == (0, start), done.err
        assert clients(tmux)[other] == "agents"
        assert torch("back", "--client", mine).code == 2, "once"
        assert elsewhere


@pytest.mark.usefixtures("inside")
def test_where_you_were_may_have_gone(
    tmux: TmuxServer, torch: Torch, agents: list[DemoAgent]
) -> None:
    agents[0].open_dialog()
    with terminal(tmux, "mine") as (mine, _):
        assert torch("next", "--client", mine).code == 0
        assert panes(tmux)[mine] == agents[0].pane.id
        done = torch("next", "--client", mine)
        assert "nobody needs you but one, which you look at" in done.err, (
            "that one is shown already"
        )
        tmux.cmd("kill-session", "-t", "=mine")
        done = torch("back", "--client", mine, "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "vanished")
        done = torch("next", "--client", "/dev/none", "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "no-client")


def test_it_knows_the_client_by_the_pane_that_asks(
    tmux: TmuxServer, torch: Torch, agents: list[DemoAgent]
) -> None:
    pane = tmux.new_session("mine", "sh")
    tmux.new_session("yours", "cat")
    agents[1].open_dialog()
    words = [f"PYTHONPATH={SOURCE}", sys.executable, "-m", "torch_cli", "next"]
    with terminal(tmux, "mine") as (mine, _), terminal(tmux, "yours") as (yours, keyboard):
        os.write(keyboard, b"busy\r")
        tmux.wait_until(lambda: "busy" in tmux.screen("yours:"), "what was typed")
        tmux.cmd("send-keys", "-t", pane.id, "env " + shlex.join(words), "Enter")
        tmux.wait_until(lambda: panes(tmux)[mine] == agents[1].pane.id, "the switch")
        assert clients(tmux)[yours] == "yours"


def test_without_tmux_and_terminal_it_says_who(torch: Torch, agents: list[DemoAgent]) -> None:
    agents[0].open_dialog()
    outside = {"TMUX": "", "TMUX_PANE": ""}
    done = torch("next", env=outside)
    assert (done.code, "needs a terminal" in done.err) == (2, True)
    assert torch("next", "--json", env=outside).json["name"] == "one"
    done = torch("back", env=outside)
    assert (done.code, "not inside tmux" in done.err) == (2, True)
