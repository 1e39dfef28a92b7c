"""Ending agents: asked first, made to end only if Torch started them, and nothing else touched."""

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import spawn_demo
from conftest import TmuxServer, Torch, accept_profiles, wait_until
from torch_cli import procs
from torch_cli.lifecycle.stop import end_idle
from torch_cli.programs import standing
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("child", child.pid, flush=True)
time.sleep(1000)
"""


def mule(*words: str) -> list[str]:
    """Write the profile of a program that does not end when asked; return its command."""
    profiles = Path(os.environ["TORCH_HOME"]) / "config" / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", STUBBORN, *words]
    quoted = ", ".join(f"'''{word}'''" for word in command)
    steps = 'stop = [{ keys = ["C-c"] }]\nstop_grace = 0.3\n'
    (profiles / "mule.toml").write_text(f'name = "mule"\n[launch]\ncommand = [{quoted}]\n{steps}')
    accept_profiles()
    return command


def child_in(tmux: TmuxServer, pane: Pane) -> int:
    """Return the number of the child that the program started."""
    tmux.wait_for_text(pane, "child")
    shown = tmux.screen(pane).split()
    return int(shown[shown.index("child") + 1])


def test_an_agent_ends_when_asked_and_its_window_goes(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    other = tmux.new_session("mine", "cat")
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    done = torch("stop", "demo", "--json")
    assert done.code == 0
    assert done.json["how"] == "asked"
    assert [pane.id for pane in tmux.panes()] == [other.id]
    assert demo.events("exit")
    again = torch("stop", "demo", "--json")
    assert (again.code, again.json["error"]["code"]) == (3, "no-agent")


def test_the_messages_that_a_stopped_agent_will_not_get_are_named(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    tmux.new_session("mine", "cat")
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    demo.open_dialog()
    first, second = (demo.send(text).json["id"] for text in ("one", "two"))
    assert torch("outbox", "cancel", first).code == 0
    said = torch("stop", "demo")
    assert said.code == 0, said.err
    assert f"dropped, nothing was typed: {second}  two" in said.err
    assert first not in said.err, "a person has cancelled it"
    assert "did not arrive" not in torch("ps").err, "who dropped it knows"
    assert torch("receipt", second, "--json").json["state"] == "failed"
    other = spawn_demo(tmux, torch, tmp_path / "other")
    other.open_dialog()
    third = other.send("three").json["id"]
    assert torch("stop", "demo", "--json").json["dropped"] == [third]


def test_a_working_agent_is_not_waited_for_on_a_step_that_was_not_taken(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """The profile's first step is a typed command, which only an idle program is given."""
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    assert demo.send("DELAY(60) on it").code == 0
    assert torch("stop", "demo", "--json").json["how"] == "asked"
    assert [event.get("key") for event in demo.events("typed")][-2:] != ["submit", "submit"]


def test_nothing_is_typed_behind_the_keys_of_a_person(
    tmux: TmuxServer, torch: Torch, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their draft would go out with the command, or be lost to the keys that end the program."""
    log = tmp_path / "slow.log"
    # tmux continues a stopped process of its own, and not one below that.
    pane = tmux.new_session("slow", f"{sys.executable} -m torch_cli.demo_agent --log {log}; true")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "slow", "--profile", "demo").code == 0
    agent = store.agents.get("slow")
    assert agent is not None
    (program,) = procs.descendants(pane.pid)

    def late(*given: Any) -> list[str]:
        stands = standing.box_stands(*given)
        os.kill(program.pid, signal.SIGSTOP)
        tmux.cmd("send-keys", "-t", pane.id, "-l", "my own draft")
        return stands

    monkeypatch.setattr("torch_cli.lifecycle.asking.box_stands", late)
    found = find(store, tmux.socket, "slow")
    try:
        asked, ended = end_idle(store, found, agent, lambda: None, lambda: None)
    finally:
        os.kill(program.pid, signal.SIGCONT)
    assert (asked, ended) == (False, False)
    tmux.wait_for_text(pane, "my own draft")
    assert "/exit" not in tmux.screen(pane)
    assert procs.alive(program)


@pytest.mark.parametrize(("words", "how"), [((), "terminated"), (("deaf",), "killed")])
def test_a_program_that_does_not_end_is_made_to_and_its_children_too(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, words: tuple[str, ...], how: str
) -> None:
    other = tmux.new_session("mine", "cat")
    mule(*words)
    spawned = torch(
        *("spawn", "mule", "--profile", "mule", "--dir", str(tmp_path), "--wait", "0", "--json")
    )
    assert spawned.code == 0, spawned
    pane = tmux.pane(spawned.json["pane"])
    family = [procs.identify(pane.pid), procs.identify(child_in(tmux, pane))]
    done = torch("stop", "mule", "--json")
    assert (done.code, done.json["how"]) == (0, how)
    assert done.json["leftovers"] == 1
    assert not any(process and procs.alive(process) for process in family)
    assert [left.id for left in tmux.panes()] == [other.id]


def test_an_adopted_program_is_asked_and_never_made_to_end(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("mine", shlex.join(["exec", *mule()]))
    child = child_in(tmux, pane)
    assert torch("adopt", pane.id, "mule", "--profile", "mule").code == 0
    done = torch("stop", "mule", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "still-running")
    for number in (pane.pid, child):
        process = procs.identify(number)
        assert process is not None
        assert procs.alive(process)
    assert torch("ps", "--json").json["name"] == "mule"
    os.kill(child, signal.SIGKILL)  # it has left the pane's session, and would outlive the test


@pytest.mark.parametrize("left", [True, False], ids=["a session is left", "the server ends"])
def test_a_program_may_end_at_the_first_of_several_keys(
    tmux: TmuxServer, torch: Torch, *, left: bool
) -> None:
    """Its pane is gone then, and with it the session, and the server, if it was the last."""
    profile = Path(os.environ["TORCH_HOME"]) / "config" / "profiles" / "brief.toml"
    profile.parent.mkdir(parents=True)
    keys = f"stop = [{{ keys = {['C-c'] * 40} }}]\n"
    profile.write_text(f'name = "brief"\n[launch]\ncommand = ["sleep", "1000"]\n{keys}')
    accept_profiles()
    pane = tmux.new_session("mine", "exec sleep 1000")
    if left:
        tmux.new_session("other", "cat")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "sleep", "the program")
    assert torch("adopt", pane.id, "brief", "--profile", "brief").code == 0
    done = torch("stop", "brief", "--json")
    assert (done.code, done.json.get("how")) == (0, "asked"), done


def test_what_a_person_runs_in_the_agents_pane_gets_no_key(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    pane = tmux.new_session("mine", "bash --norc -i")
    tmux.wait_for_text(pane, "$")
    script = tmp_path / "mule"
    script.write_text(shlex.join(["exec", *mule()]))
    tmux.cmd("send-keys", "-t", pane.id, f"sh {script}", "Enter")
    child = child_in(tmux, pane)
    assert torch("adopt", pane.id, "mule", "--profile", "mule").code == 0
    with Store() as store:
        agent = store.agents.get("mule")
    assert agent is not None
    os.kill(agent.program_pid, signal.SIGSTOP)
    tmux.wait_for_text(pane, "Stopped")
    tmux.cmd("send-keys", "-t", pane.id, "sleep 1000", "Enter")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "sleep", "the person's command")
    done = torch("stop", "mule", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "still-running")
    assert "cannot be asked" in done.json["error"]["message"]
    assert tmux.pane(pane.id).command == "sleep"
    for number in (child, agent.program_pid):
        os.kill(number, signal.SIGKILL)


def test_a_shell_is_asked_to_end_like_any_other(tmux: TmuxServer, torch: Torch) -> None:
    tmux.new_session("other", "cat")
    pane = tmux.new_session("mine", "bash --norc -i")
    tmux.wait_for_text(pane, "$")
    assert torch("adopt", pane.id, "shy", "--profile", "shell").code == 0
    assert torch("stop", "shy", "--json").json["how"] == "asked"
    assert pane.id not in [left.id for left in tmux.panes()]


def test_an_agent_can_be_forgotten_and_its_program_goes_on(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    assert torch("stop", "demo", "--forget", "--json").json["how"] == "forgotten"
    assert torch("ps", "--json").out == ""
    assert not tmux.pane(demo.pane.id).dead


def test_an_agent_whose_profile_is_gone_can_be_stopped(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    tmux.new_session("other", "cat")
    mule()
    assert (
        torch(*("spawn", "mule", "--profile", "mule", "--dir", str(tmp_path), "--wait", "0")).code
        == 0
    )
    (Path(os.environ["TORCH_HOME"]) / "config/profiles/mule.toml").unlink()
    assert torch("stop", "mule", "--json").json["how"] == "terminated"


def test_an_agent_whose_pane_was_closed_is_forgotten(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    tmux.new_session("mine", "cat")
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    tmux.cmd("kill-pane", "-t", demo.pane.id)
    wait_until(lambda: demo.events("exit"), what="its end")
    assert torch("ps", "--json").json["state"] == "dead"
    assert torch("stop", "demo", "--json").json["how"] == "gone"
    assert torch("ps").out == ""


def test_an_agent_does_not_cut_off_its_own_command(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "work")
    said = tmp_path / "said"
    for verb in ("stop", "retire"):
        # A command of a few words, which no pane is too narrow to show in one piece.
        (tmp_path / verb).write_text(
            f"{shlex.quote(sys.executable)} -m torch_cli {verb} demo > ../new 2>&1\n"
            "mv ../new ../said\n"
        )
        tmux.cmd("send-keys", "-t", demo.pane.id, "-l", f"!sh ../{verb}")
        tmux.wait_for_text(demo.pane, f"!sh ../{verb}")
        tmux.cmd("send-keys", "-t", demo.pane.id, "Enter")
        wait_until(said.exists, what="its words")
        assert "would be cut off" in said.read_text()
        said.unlink()
    assert demo.state() == "idle"
    assert torch("stop", "demo", env={"TORCH_AGENT": "demo"}).code == 0, "from elsewhere"
