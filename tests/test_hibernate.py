"""Hibernating: an idle agent's program ends, and the next message wakes it, in its conversation."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from agent import DemoAgent, spawn_demo
from conftest import (
    KEEPS_DEAD,
    PATIENCE,
    TMUX,
    Result,
    TmuxServer,
    Torch,
    accept_profiles,
    wait_until,
)
from sleeper import conversations, spawn_sleepy, write_profile
from test_task import mine, new
from torch_cli import procs
from torch_cli.attention.history import History
from torch_cli.delivery.drain import Drain
from torch_cli.delivery.post import word_to
from torch_cli.programs.state import State
from torch_cli.roster import registry
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import Task
from torch_cli.tasks.assignment import Rules, candidates
from torch_cli.tasks.life import block, reap
from torch_cli.tasks.ranking import objection
from torch_cli.teams.rebrief import due
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.terminals import is_shown
from torch_cli.watch import state
from torch_cli.watch.listing import list_agents
from torch_cli.watch.state import states_of

pytestmark = pytest.mark.skipif(not KEEPS_DEAD, reason="tmux 3.2 keeps no pane without its program")


@pytest.fixture
def dev(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DemoAgent:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    return spawn_sleepy(tmux, torch, tmp_path / "project", "--frame", "0.01")


def now(name: str = "dev") -> Agent:
    with Store() as store:
        found = store.agents.get(name)
    assert found is not None
    return found


def test_a_message_wakes_it_in_its_conversation_and_arrives_once(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    before = now()
    done = torch("hibernate", "dev", "--json")
    assert done.code == 0, done.out + done.err
    assert done.json["already"] is False
    assert not procs.alive(procs.Process(before.program_pid, before.program_started))
    dev.tmux.wait_for_text(dev.pane, "Hibernated by Torch")  # tmux may see the end later
    assert dev.state() == "hibernated"
    assert torch("ps", "--json").json["state"] == "hibernated"
    assert "nobody needs you: 1 hibernated" in torch("status", "--line").out
    sent = dev.send("good morning")
    assert (sent.code, sent.json["state"] in ("confirmed", "submitted")) == (0, True), sent.out
    wait_until(lambda: dev.submitted() == ["good morning"], what="the message")
    after = now()
    assert (after.pane, after.identity, after.conversation) == (
        before.pane,
        before.identity,
        before.conversation,
    )
    opened = conversations(tmp_path)
    assert [one["event"] for one in opened] == ["opened", "opened"]
    assert {one["id"] for one in opened} == {before.conversation}


def sleep(torch: Torch, name: str = "dev") -> None:
    done = torch("hibernate", name, "--json")
    assert done.code == 0, done.out + done.err


def starts(tmp_path: Path) -> list[object]:
    """Return what each start of a program found: that it was alone in its conversation, or not."""
    return [one["event"] for one in conversations(tmp_path)]


def arrives(torch: Torch, dev: DemoAgent, text: str) -> None:
    """Wait until a scheduler has delivered it, if it did not arrive before."""
    dev.tmux.wait_until(
        lambda: torch("tick").code == 0 and text in dev.submitted(), f"{text} to arrive"
    )


def refusal(torch: Torch, name: str = "dev") -> str:
    """Return why it is not hibernated."""
    done = torch("hibernate", name, "--json")
    assert done.code in (2, 4), done.out
    return str(done.json["error"]["message"])


def test_it_keeps_its_place_beside_a_person_s_pane_and_wakes_by_name(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent
) -> None:
    tmux.cmd("split-window", "-d", "-t", dev.pane.id, "cat")
    before = tmux.cmd("list-panes", "-t", dev.pane.id, "-F", "#{pane_id}")
    sleep(torch)
    assert torch("hibernate", "dev", "--json").json["already"]
    woken = torch("wake", "dev", "--json")
    assert (woken.code, woken.json["already"]) == (0, False), woken.out + woken.err
    assert tmux.cmd("list-panes", "-t", dev.pane.id, "-F", "#{pane_id}") == before
    assert dev.state() == "idle"
    assert torch("wake", "dev", "--json").json["already"]
    assert "Hibernated" not in dev.screen()


def test_who_has_a_draft_a_question_a_turn_a_task_or_messages_is_left_alone(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent
) -> None:
    tmux.cmd("send-keys", "-t", dev.pane.id, "-l", "my draft")
    tmux.wait_for_text(dev.pane, "my draft")
    assert "its input box holds a text" in refusal(torch)
    tmux.cmd("send-keys", "-t", dev.pane.id, "C-u")
    tmux.wait_until(lambda: "my draft" not in dev.screen(), "an empty box")
    dev.report("SubagentStart", agent_id="a1", agent_type="Explore")
    assert "has at work: sub-agent Explore" in refusal(torch)
    dev.report("SubagentStop", agent_id="a1", agent_type="Explore")
    assert torch("freeze", "dev").code == 0
    assert "it is frozen" in refusal(torch)
    assert torch("thaw", "dev").code == 0
    dev.open_dialog()
    assert "it is waiting" in refusal(torch)
    assert procs.alive(procs.Process(now().program_pid, now().program_started))
    assert now().hibernated is None


def test_it_keeps_a_blocked_task_and_is_awake_for_one_that_it_has_taken(
    torch: Torch, dev: DemoAgent, store: Store
) -> None:
    task = mine(store, now(), new(store, "the parser"))
    assert f"it has the task {task.id}" in refusal(torch)
    block(store, task, Actor(now()), "waits for qa")
    sleep(torch)
    assert reap(store, time.time() + 1e6) == []
    line = list_agents(store, [now()])[0]
    assert line.state is State.HIBERNATED
    free = Task(id="t-1", title="another")
    (one,) = candidates(store, [now()], Rules())
    assert objection(free, one._replace(load=0)) == "", "it gets tasks as an idle agent does"


def test_who_could_not_be_woken_as_before_is_never_hibernated(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    with Store() as store:
        store.agents.converses(now(), "unknown")
    assert "no transcript of unknown" in refusal(torch)
    words = ("--profile", "demo", "--dir", str(tmp_path), "--session", "agents")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    assert torch("spawn", "plain", *words, env={"PATH": path}).code == 0
    assert "does not say how" in refusal(torch, "plain")
    words = ("--profile", "sleepy", "--dir", str(tmp_path), "--env", "SHOP_KEY=1")
    made = torch("spawn", "key", "--hibernate", "1h", *words)
    assert made.code == 0
    why = "it was started with SHOP_KEY, and whoever wakes it would not know the value"
    assert f"it is never hibernated: {why}" in made.err
    assert why in refusal(torch, "key")
    assert "Give SHOP_KEY to its tmux server instead" in torch("hibernate", "key").err
    assert f"key is never hibernated: {why}" in torch("health", "key", "--hibernate", "2h").err
    assert why in torch("health", "key", "--explain").out
    assert "never hibernated" not in torch("health", "key", "--hibernate", "never").err


def test_a_check_in_and_the_daemon_s_messages_wake_it(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    sleep(torch)
    assert torch("checkin", "add", "dev", "stand-up", "--in", "1s").code == 0
    dev.tmux.wait_until(
        lambda: torch("tick").code == 0 and any("stand-up" in one for one in dev.submitted()),
        "the note",
    )
    torch("tick")
    assert sum("stand-up" in one for one in dev.submitted()) == 1
    assert starts(tmp_path) == ["opened"] * 2


def test_an_answer_is_asked_for_and_given(torch: Torch, dev: DemoAgent) -> None:
    sleep(torch)
    asked = torch("ask", "dev", "how far are you?", "--json", "--timeout", "60")
    assert asked.code == 0, asked.out + asked.err
    assert dev.submitted() == ["how far are you?"]


def test_many_senders_at_once_wake_it_once(torch: Torch, dev: DemoAgent, tmp_path: Path) -> None:
    sleep(torch)
    texts = [f"message {number}" for number in range(4)]
    lines = [torch.argv("send", "dev", text, "--timeout", "60", "--json") for text in texts]
    senders = [subprocess.Popen(one, stdout=subprocess.DEVNULL) for one in lines]
    codes = [one.wait(120) for one in senders]
    dev.tmux.wait_until(
        lambda: torch("tick").code == 0 and len(dev.submitted()) >= len(texts), "the messages"
    )
    assert sorted(dev.submitted()) == texts, codes
    assert starts(tmp_path) == ["opened"] * 2


def test_a_frozen_sleeper_sleeps_on_until_it_is_thawed(torch: Torch, dev: DemoAgent) -> None:
    sleep(torch)
    assert torch("freeze", "dev").code == 0
    held = dev.send("hello", "--timeout", "1")
    assert (held.code, held.json["reason"][:7]) == (4, "frozen:")
    torch("tick")
    assert torch("wake", "dev").code == 4
    assert dev.state() == "hibernated"
    assert torch("thaw", "dev").code == 0
    dev.tmux.wait_until(
        lambda: torch("tick").code == 0 and dev.submitted() == ["hello"], "the message"
    )


def test_it_is_no_failure_anywhere(
    torch: Torch, dev: DemoAgent, store: Store, tmp_path: Path
) -> None:
    assert torch("health", "dev", "--restart", "always").code == 0
    sleep(torch)
    for _ in range(2):
        torch("tick")
    assert starts(tmp_path) == ["opened"], "its policy did not restart it"
    assert store.events.last_end(now().identity) is None
    status = torch("status", "--json")
    assert (status.code, status.json["state"], status.json["do"]) == (0, "hibernated", "nothing")
    health = torch("health", "dev", "--json").json
    assert (health["running"], bool(health["hibernated"])) == (False, True)
    assert health["next"].startswith("hibernated")
    assert "hibernated" in torch("why", "dev").out
    assert "hibernated" in torch("events", "--agent", "dev").out
    assert torch("wait", "dev", "--for", "idle", "--timeout", "5").code == 0
    assert torch("resurrect", "--dry-run").code == 0
    taken = torch("spawn", "dev", "--profile", "sleepy", "--json")
    assert (taken.code, taken.json["error"]["code"]) == (2, "name-taken")
    assert "torch wake dev" in taken.json["error"]["hint"]


def test_the_policy_hibernates_who_is_idle_and_unseen_for_long(
    torch: Torch, dev: DemoAgent, store: Store
) -> None:
    agent = now()
    store.health.change_policy(agent.identity, "", "", "3600")
    detail = {"state": "idle", "since": time.time() - 4000, "evidence": "", "rule": "box"}
    store.events.add("state", "dev", detail, agent=agent.identity)
    torch("tick")
    assert now().hibernated is None, "it was started since"
    assert "it must be idle" in torch("health", "dev", "--explain").out
    store.database.write("UPDATE agents SET created = created - 4000")
    torch("tick")
    assert now().hibernated is None, "its program has reported something since"
    store.database.write("DELETE FROM hook_events")
    store.looks.note(agent.identity, time.time() - 60)
    torch("tick")
    assert now().hibernated is None, "somebody has looked at it"
    store.database.write("UPDATE looks SET at = at - 4000 WHERE what = ?", agent.identity)
    dev.tmux.wait_until(
        lambda: torch("tick").code == 0 and now().hibernated is not None, "that it sleeps"
    )
    dev.tmux.wait_until(lambda: dev.state() == "hibernated", "its end")


def test_the_settings_are_checked(torch: Torch, dev: DemoAgent) -> None:
    config = Path(os.environ["TORCH_HOME"]) / "config" / "config.toml"
    config.write_text('[health]\nhibernate = "1h"\n')
    assert torch("health", "dev", "--json").json["hibernate"] == 3600
    assert torch("health", "dev", "--hibernate", "never", "--json").json["hibernate"] is None
    assert torch("health", "dev", "--hibernate", "2h", "--json").json["hibernate"] == 7200
    assert torch("health", "dev", "--hibernate", "default", "--json").json["hibernate"] == 3600
    bad = torch("health", "dev", "--hibernate", "5s", "--json")
    assert (bad.code, bad.json["error"]["code"]) == (2, "bad-duration")
    config.write_text("[health]\nhibernate = true\n")
    assert "health.hibernate" in torch("tick").err + torch("tick", "-v").out


def is_left_closed(torch: Torch, dev: DemoAgent, tmp_path: Path) -> None:
    """Check that its window was closed for good, and that only a person starts it."""
    assert dev.state() == "dead"
    assert now().hibernated is None
    held = dev.send("hello", "--timeout", "2")
    assert (held.code, held.json["reason"][:5]) == (4, "gone:")
    torch("tick")
    assert starts(tmp_path) == ["opened"]
    with Store() as store:
        end = store.events.last_end(now().identity)
    assert end is not None
    assert end.detail["cause"] == "pane-gone"


@pytest.mark.parametrize("looks", ["state", "send", "tick"])
def test_who_looks_first_notes_that_a_person_has_closed_its_window(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path, looks: str
) -> None:
    """So it does not come back when its tmux server ends later."""
    tmux.new_session("mine", "cat")
    torch("tick")
    sleep(torch)
    tmux.cmd("kill-window", "-t", dev.pane.id)
    look = {"state": ("state", "dev"), "tick": ("tick",)}
    torch(*look.get(looks, ("send", "dev", "hello", "--timeout", "1", "--key", "one")))
    assert now().hibernated is None
    tmux.cmd("kill-server")
    is_left_closed(torch, dev, tmp_path)


def test_what_a_reboot_took_is_woken_in_a_new_window(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    tmux.new_session("mine", "cat")
    torch("tick")  # it notes which windows there are
    sleep(torch)
    tmux.cmd("kill-server")
    assert dev.state() == "hibernated"
    assert torch("ps", "--json").json["state"] == "hibernated"
    sent = dev.send("hello")
    assert sent.code == 0, sent.out
    assert dev.submitted() == ["hello"]
    assert starts(tmp_path) == ["opened"] * 2


def test_who_was_perhaps_closed_with_its_server_is_woken_by_a_person_alone(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    """Its pane was the last of its tmux server, so closing it has ended that."""
    torch("tick")
    sleep(torch)
    tmux.cmd("kill-pane", "-t", dev.pane.id)
    dev.tmux.wait_until(lambda: "may have" in torch("state", "dev", "--json").out, "the reason")
    assert "only 'torch wake dev'" in torch("ps", "--json").json["evidence"]
    held = dev.send("hello", "--timeout", "2")
    assert held.code == 4
    assert "somebody may have closed its window" in held.json["reason"]
    tmux.new_session("mine", "cat")
    for _ in range(2):
        torch("tick")
    assert "only 'torch wake dev'" in torch("resurrect", "--dry-run", "--json").out
    assert starts(tmp_path) == ["opened"], "nothing has woken it"
    woken = torch("wake", "dev")
    assert woken.code == 0, woken.out + woken.err
    arrives(torch, dev, "hello")
    assert starts(tmp_path) == ["opened"] * 2


def test_a_look_asks_a_server_once_for_all_that_sleep(
    tmux: TmuxServer,
    torch: Torch,
    dev: DemoAgent,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tmux.new_session("mine", "cat")
    sleep(torch)
    for number in range(30):
        store.agents.add(now()._replace(name=f"dev{number}", identity="", created=time.time()))
    tmux.cmd("kill-server")
    begun = ("new-session", "-d", "-s", "mine", "cat")
    tmux.wait_until(lambda: tmux.run(*begun).returncode == 0, "the end of the first server")
    log, wrapper = tmp_path / "tmux.log", tmp_path / "tmux"
    wrapper.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {shutil.which("tmux")} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("TORCH_TMUX", str(wrapper))
    history = History()
    for _ in range(3):
        log.write_text("")
        history.look(store)
        assert log.read_text().count("list-panes") <= 2, log.read_text()
    history.close()
    assert set(history.states.values()) == {"hibernated"}
    assert len(history.states) == 31


KILLED = """
import os, signal, sys
from torch_cli.lifecycle import hibernate as going, wake as waking, asking, restart, spawn
from torch_cli.store import Store
from torch_cli.store.agents import Agents
module, name, when = sys.argv[2:5]
owners = {"agents": Agents, "going": going, "waking": waking, "spawn": spawn, "asking": asking}
owner = owners[module]
real = getattr(owner, name)
def killed(*given, **known):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*given, **known)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, killed)
with Store() as store:
    (going.hibernate if sys.argv[1] == "hibernate" else waking.wake)(store, "dev")
"""


def killed_at(what: str, module: str, name: str, when: str) -> None:
    """Run it in a process that is killed by SIGKILL before or after that function."""
    words = [sys.executable, "-c", KILLED, what, module, name, when]
    assert subprocess.run(words, timeout=PATIENCE, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("module", "name", "when"),
    [
        ("going", "end_idle", "before"),
        ("agents", "hibernating", "before"),
        ("agents", "hibernating", "after"),
        ("going", "say_when_dead", "after"),
        ("asking", "_rests", "after"),
        ("asking", "_press", "after"),
        ("asking", "gone_within", "after"),
        ("agents", "hibernated", "after"),
        ("going", "end_idle", "after"),
    ],
)
def test_killed_on_the_way_to_sleep_it_sleeps_is_awake_or_has_ended(
    tmux: TmuxServer,
    torch: Torch,
    dev: DemoAgent,
    store: Store,
    tmp_path: Path,
    module: str,
    name: str,
    when: str,
) -> None:
    """Nothing restarts one whose end nobody has seen: it may have been a person's."""
    tmux.new_session("mine", "cat")
    killed_at("hibernate", module, name, when)
    assert dev.state() in ("idle", "hibernated", "exited", "dead")
    if not procs.alive(program()) and now().hibernated is None:
        store.database.write("UPDATE agents SET hibernating = hibernating - 61")
        torch("tick")
        assert (dev.state(), now().hibernating) == ("dead", None)
        assert dev.send("hello", "--timeout", "1", "--key", "one").code == 4
        torch("tick")
        assert starts(tmp_path) == ["opened"]
        assert torch("restart", "dev", "--yes").code == 0
    dev.tmux.wait_until(
        lambda: (
            dev.send("hello", "--key", "one").code == 0
            or (torch("tick").code == 0 and dev.submitted() != [])
        ),
        "the message",
    )
    torch("tick")
    assert dev.submitted().count("hello") == 1
    assert set(starts(tmp_path)) == {"opened"}
    dev.wait_for("idle")
    assert (now().hibernated, now().hibernating) == (None, None)


def program() -> procs.Process:
    return procs.Process(now().program_pid, now().program_started)


@pytest.mark.parametrize("end", ["exit", "crash"])
def test_who_was_killed_half_way_leaves_no_sleep_to_a_later_end(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, store: Store, tmp_path: Path, end: str
) -> None:
    tmux.new_session("mine", "cat")
    killed_at("hibernate", "asking", "_rests", "after")
    assert now().hibernating is not None
    if end == "exit":
        tmux.cmd("send-keys", "-t", dev.pane.id, "-l", "/exit")
        tmux.wait_for_text(dev.pane, "/exit")  # in one read with Enter it would be a paste
        tmux.cmd("send-keys", "-t", dev.pane.id, "Enter")
    else:
        os.kill(now().program_pid, signal.SIGKILL)
    dev.tmux.wait_until(lambda: not procs.alive(program()), "its end")
    dev.tmux.wait_until(lambda: dev.state() in ("exited", "dead"), "its state")
    assert dev.send("hello", "--timeout", "2").code == 4
    store.database.write("UPDATE agents SET hibernating = hibernating - 61")
    torch("tick")
    assert starts(tmp_path) == ["opened"]
    assert (now().hibernated, now().hibernating) == (None, None)
    recorded = store.events.last_end(now().identity)
    assert recorded is not None, "its end is an end as any other"


def impatient(profile: Path) -> None:
    """Have Torch wait for an end for no longer than a moment."""
    text = profile.read_text()
    old = next(line for line in text.splitlines() if line.startswith("stop_grace"))
    profile.write_text(text.replace(old, "stop_grace = 0.001"))
    accept_profiles()


def test_one_that_does_not_end_in_time_is_awake_and_does_not_sleep_when_it_ends(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    impatient(Path(os.environ["TORCH_HOME"]) / "config" / "profiles" / "sleepy.toml")
    done = torch("hibernate", "dev", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "still-running")
    assert (now().hibernated, now().hibernating) == (None, None)
    dev.tmux.wait_until(lambda: dev.state() == "dead", "its end")
    assert dev.send("hello", "--timeout", "2").code == 4
    assert starts(tmp_path) == ["opened"]


@pytest.mark.parametrize(
    ("module", "name", "when"),
    [
        ("waking", "spawn", "before"),
        ("spawn", "reopen_window", "before"),
        ("spawn", "reopen_window", "after"),
        ("spawn", "_register", "after"),
        ("waking", "spawn", "after"),
        ("waking", "await_ready", "before"),
    ],
)
def test_killed_while_it_wakes_it_sleeps_or_is_awake_and_alone_in_its_conversation(
    tmux: TmuxServer,
    torch: Torch,
    dev: DemoAgent,
    tmp_path: Path,
    module: str,
    name: str,
    when: str,
) -> None:
    tmux.new_session("mine", "cat")
    sleep(torch)
    killed_at("wake", module, name, when)
    dev.tmux.wait_until(
        lambda: (
            dev.send("hello", "--key", "one").code == 0
            or (torch("tick").code == 0 and dev.submitted() != [])
        ),
        "the message",
    )
    torch("tick")
    assert dev.submitted() == ["hello"]
    assert set(starts(tmp_path)) == {"opened"}, conversations(tmp_path)
    alive = [one for one in conversations(tmp_path) if procs.identify(int(str(one["pid"])))]
    assert len(alive) == 1, "one program has the conversation"


def test_it_is_told_in_since_and_restarted_if_a_person_asks(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    began = time.time()
    sleep(torch)
    assert "dev  hibernated" in torch("since", "1m").out
    assert torch("wake", "dev").code == 0
    told = torch("since", f"{time.time() - began:.0f}s").out
    assert ("woken" in told, "started" in told) == (True, False), told
    sleep(torch)
    again = torch("restart", "dev", "--yes", "--json")
    assert (again.code, again.json["resumed"]) == (0, True), again.out + again.err
    assert set(starts(tmp_path)) == {"opened"}
    sleep(torch)
    assert torch("stop", "dev").code == 0
    assert "torch.agent" not in torch("ps", "--json").out


def test_who_was_woken_is_not_briefed_again(
    torch: Torch, dev: DemoAgent, store: Store, tmp_path: Path
) -> None:
    brief = tmp_path / "brief.md"
    brief.write_text("You are dev.")
    sent = dev.send("You are dev.")
    assert sent.code == 0
    dev.wait_for("idle")
    store.briefings.add(sent.json["id"], now().identity, "developer")
    sleep(torch)
    assert torch("wake", "dev").code == 0
    assert list(due(store, time.time() + 3600)) == []


def test_it_wakes_with_the_path_that_it_had(torch: Torch, dev: DemoAgent) -> None:
    before = (procs.environment(now().program_pid) or {})["PATH"]
    sleep(torch)
    assert torch("wake", "dev", env={"PATH": "/usr/bin:/bin:/usr/local/bin"}).code == 0
    assert (procs.environment(now().program_pid) or {})["PATH"] == before


def test_a_member_of_a_team_sleeps_on_when_the_team_is_brought_up(
    torch: Torch, tmux: TmuxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, project = tmp_path / "claude", tmp_path / "shop"
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(config))
    for directory in (config, project):
        directory.mkdir()
    write_profile()
    text = f'[[agent]]\nname = "dev"\nprofile = "sleepy"\nargs = ["--log", "{tmp_path}/dev.log"]\n'
    (project / "torch.toml").write_text(f'{text}restart = "always"\n')
    up = ("up", "--dir", str(project), "--json")
    assert torch(*up).code == 0, tmux.screens()
    with Store() as store:
        store.agents.converses(now(), (config / "conversation-dev").read_text())
    sleep(torch)
    for _ in range(2):
        torch("tick")
    assert '"state": "running"' in torch(*up).out
    assert starts(tmp_path) == ["opened"], "nobody has started it"
    assert torch("send", "dev", "hello").code == 0
    assert starts(tmp_path) == ["opened"] * 2
    assert torch(*up).code == 0
    assert len(starts(tmp_path)) == 2, "up knows it in its pane"
    sleep(torch)
    assert torch("down", "--dir", str(project)).code == 0
    assert "torch.agent" not in torch("ps", "--json").out


def test_attaching_wakes_it(torch: Torch, dev: DemoAgent) -> None:
    sleep(torch)
    assert torch("attach", "dev", "--json").code == 0
    assert dev.state() == "hibernated", "that shows only the command"
    torch("attach", "dev")  # there is no terminal to attach
    assert dev.state() == "idle"


def test_one_of_another_server_than_the_named_one_sleeps_on(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    sleep(torch)
    other = f"other{tmp_path.name[-12:]}"
    assert torch("attach", "dev", "-L", other).code == 3
    assert dev.state() == "hibernated"


def test_who_waits_for_it_hears_that_it_was_hibernated(torch: Torch, dev: DemoAgent) -> None:
    done: list[Result] = []
    words = ("wait", "dev", "--for", "hibernated", "--timeout", "60", "--json")
    waits = threading.Thread(target=lambda: done.append(torch(*words)))
    waits.start()
    sleep(torch)
    waits.join()
    assert (done[0].code, done[0].json["state"]) == (0, "hibernated"), done


@pytest.mark.parametrize("server", ["lives", "is gone"])
def test_who_waits_for_it_goes_on_waiting_when_it_is_woken(
    torch: Torch, dev: DemoAgent, server: str
) -> None:
    sleep(torch)
    if server == "is gone":
        dev.tmux.cmd("new-window", "-d", "sleep 600")  # so that its own is not the last
        assert torch("tick").code == 0
        dev.tmux.kill()
        assert torch("wait", "dev", "--for", "idle", "--timeout", "1").code == 0
    done: list[Result] = []
    words = ("wait", "dev", "--for", "working,dead", "--timeout", "60", "--json")
    waits = threading.Thread(target=lambda: done.append(torch(*words)))
    waits.start()
    time.sleep(1.0)  # it waits by then
    assert torch("wake", "dev").code == 0
    time.sleep(1.5)  # it looks at the program that was started
    assert not done, done
    Torch(dev.tmux.socket)("send", "dev", "DELAY(6)")
    waits.join()
    assert (done[0].code, done[0].json["state"]) == (0, "working"), done


@pytest.mark.parametrize(("module", "name"), [(registry, "list_panes"), (state, "find")])
def test_one_that_is_woken_during_a_look_is_not_taken_for_dead(
    torch: Torch,
    dev: DemoAgent,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
) -> None:
    """Its new pane is in no answer that tmux has given before."""
    sleep(torch)
    dev.tmux.cmd("new-window", "-d", "sleep 600")  # so that its own is not the last
    assert torch("tick").code == 0
    dev.tmux.kill()
    asked, wakes = getattr(module, name), iter(["once"])

    def wake_after(*given: object) -> object:
        try:
            return asked(*given)
        finally:
            for _ in wakes:
                assert torch("wake", "dev").code == 0

    monkeypatch.setattr(module, name, wake_after)
    (seen,) = states_of(store, dev.tmux.socket, ["dev"])
    assert next(wakes, None) is None
    assert seen.state.state in (State.IDLE, State.HIBERNATED), seen


def test_a_pane_that_a_person_uses_again_is_left_to_them_and_said(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    sleep(torch)
    dev.tmux.cmd("respawn-pane", "-t", dev.pane.id, "cat", "-u")
    held = dev.send("good morning", "--timeout", "20")
    why = held.json["reason"]
    assert (held.code, held.json["state"]) == (4, "held"), held
    assert f"its pane {dev.pane.id} is used again: 'cat' (process " in why
    assert torch("wake", "dev", "--json").json["error"]["code"] == "pane-in-use"
    assert dev.tmux.cmd("display-message", "-p", "-t", dev.pane.id, "#{pane_current_command}") == (
        "cat"
    )
    assert dev.state() == "hibernated"
    dev.tmux.cmd("set-option", "-p", "-t", dev.pane.id, "remain-on-exit", "on")
    dev.tmux.cmd("send-keys", "-t", dev.pane.id, "C-d")
    arrives(torch, dev, "good morning")
    assert starts(tmp_path) == ["opened", "opened"]


def test_a_pane_that_a_person_uses_again_stays_when_the_agent_is_restarted(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    """As the hint says: it starts in a new window."""
    sleep(torch)
    dev.tmux.cmd("respawn-pane", "-t", dev.pane.id, "cat", "-u")
    done = torch("restart", "dev", "--json")
    assert done.code == 0, done.out + done.err
    assert done.json["pane"] != dev.pane.id
    shown = dev.tmux.cmd("display-message", "-p", "-t", dev.pane.id, "#{pane_current_command}")
    assert shown == "cat"
    assert dev.state() == "idle"
    assert starts(tmp_path) == ["opened", "opened"]


def test_what_is_stopped_while_it_is_woken_stays_stopped(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    """Whoever comes first: the one is done after the other, and no program is left."""
    sleep(torch)
    with subprocess.Popen(torch.argv("wake", "dev"), stderr=subprocess.PIPE) as waking:
        wait_until(lambda: starts(tmp_path)[1:], what="its program to start")
        assert torch("stop", "dev").code == 0
        waking.communicate()
    assert now().stopped is not None
    wait_until(lambda: not procs.working_in(str(dev.directory)), what="the end of its program")
    refused = torch("wake", "dev", "--json")
    assert refused.json["error"]["code"] == "no-agent"


def test_a_pane_that_only_a_failure_keeps_is_not_left_to_a_clean_end(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent
) -> None:
    tmux.cmd("set-option", "-p", "-t", dev.pane.id, "remain-on-exit", "failed")
    assert "its window would not stay" in refusal(torch)


def test_a_message_that_comes_as_it_goes_to_sleep_is_delivered_once(
    torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    texts = [f"message {number}" for number in range(4)]
    for number, text in enumerate(texts):
        lines = [("hibernate", "dev"), ("send", "dev", text, "--timeout", "60")]
        both = [torch.argv(*one, "--json") for one in lines[:: -1 if number % 2 else 1]]
        started = [subprocess.Popen(one, stdout=subprocess.DEVNULL) for one in both]
        assert all(one.wait(PATIENCE) in (0, 4) for one in started)
        arrives(torch, dev, text)
        dev.wait_for("idle")
    assert dev.submitted() == texts
    assert set(starts(tmp_path)) == {"opened"}


def test_the_history_says_that_it_sleeps_and_since_when(
    torch: Torch, dev: DemoAgent, store: Store
) -> None:
    history = History()
    dev.tmux.wait_until(lambda: bool(history.look(store)) or bool(history.states), "a first state")
    sleep(torch)
    dev.tmux.wait_until(
        lambda: bool(history.look(store)) or "hibernated" in history.states.values(), "the change"
    )
    history.close()
    states = [one.detail["state"] for one in store.events.last_states(now().identity, 5)]
    assert states[0] == "hibernated"
    assert not {"exited", "dead"} & set(states)


def test_who_takes_long_to_wake_keeps_no_other_message_back(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, tmp_path: Path
) -> None:
    """Waking takes no worker from the deliveries."""
    other = spawn_demo(tmux, torch, tmp_path / "other", name="other")
    sleep(torch)
    program = Path(os.environ["TORCH_HOME"]) / "config" / "sleepy.py"
    program.write_text(f"import time\ntime.sleep(20)\n{program.read_text()}")
    with Store() as store:
        for name in ("dev", "other"):
            store.messages.accept(word_to(now(name), "good morning", f"key-{name}"))
    drain = Drain(workers=1)
    try:
        drain.round(time.time())
        wait_until(lambda: any("morning" in one for one in other.submitted()), what="the message")
        assert starts(tmp_path) == ["opened"], "the other one is still being woken"
    finally:
        assert drain.close(2 * PATIENCE)
    assert any("morning" in one for one in dev.submitted())


def test_a_wake_that_cannot_be_recorded_keeps_the_pane_and_sleeps_on(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent, store: Store
) -> None:
    tmux.new_session("mine", "cat")
    sleep(torch)
    full = "CREATE TRIGGER full BEFORE INSERT ON agents BEGIN SELECT RAISE(ABORT, 'full'); END"
    store.database.write(full)
    assert torch("wake", "dev").code != 0
    assert dev.pane.id in tmux.cmd("list-panes", "-a", "-F", "#{pane_id}").split()
    assert dev.state() == "hibernated"
    store.database.write("DROP TRIGGER full")
    woken = torch("wake", "dev", "--json")
    assert (woken.code, woken.json["pane"]) == (0, dev.pane.id), woken.out + woken.err


def test_a_process_that_began_soon_after_it_was_ready_keeps_it_awake(
    torch: Torch, dev: DemoAgent, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "claude" / "child").touch()
    assert torch("restart", "dev", "--yes").code == 0
    store.database.write("UPDATE messages SET step = 'done', state = 'confirmed'")
    dev.wait_for("idle")
    (child, *_) = procs.descendants(now().program_pid)
    begun = procs.begun(child)
    assert begun is not None
    store.database.write("UPDATE agents SET ready = ?", begun - 1)
    assert f"has started process {child.pid}" in refusal(torch)


def test_a_client_in_control_mode_shows_a_pane_as_a_terminal_does(
    tmux: TmuxServer, torch: Torch, dev: DemoAgent
) -> None:
    """iTerm2 shows panes so."""
    words = [TMUX, *tmux.socket.arguments, "-C", "attach", "-t", "agents"]
    with ControlClient(Socket(path=now().socket), dev.pane.session_id) as client:
        assert not is_shown(client, dev.pane)
        looks = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            tmux.wait_until(lambda: is_shown(client, dev.pane), "the other client")
        finally:
            looks.kill()
            looks.communicate()
