"""The health of agents: how a program has ended, who is restarted, and what is given up."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scheduler
from agent import DEMO_PROGRAM, DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.attention.history import History
from torch_cli.cli.options import POLICIES
from torch_cli.health.recovery import Recovery
from torch_cli.lifecycle.backoff import HEALTHY_SECONDS, MOST, WITHIN
from torch_cli.lifecycle.did import Did
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.restarts import Restart
from torch_cli.teamfile.schema import RESTARTS
from torch_cli.tmux.control import ControlClient
from torch_cli.watch.end import Cause, End, end_of, record_end
from torch_cli.watch.memory import log_names

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}


def agent_now(name: str = "demo") -> Agent:
    with Store() as store:
        found = store.agents.get(name)
    assert found is not None
    return found


def health(torch: Torch, name: str = "demo") -> dict[str, Any]:
    done = torch("health", name, "--json")
    assert done.code == 0, done.err
    answer: dict[str, Any] = done.json
    return answer


def look(recovery: Recovery, now: float) -> list[Did]:
    with Store() as store:
        return list(recovery.run(store, now))


def ends(name: str = "demo") -> list[dict[str, Any]]:
    with Store() as store:
        events = store.events.read(verbs=("end",))
        return [one.detail for one in events if one.target == name]


def test_the_policies_are_those_of_torch_toml() -> None:
    assert POLICIES == RESTARTS


def test_an_agent_is_restarted_as_its_policy_says(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Killed by 9 with a daemon at work: it is back, it is told why, and the end is on record."""
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    assert health(torch)["restart"] == "never"
    assert torch("health", "demo", "--restart", "on-failure").code == 0
    daemon = scheduler.start(torch)
    before = agent_now()
    demo.kill()
    wait_until(lambda: agent_now().pane_pid != before.pane_pid, what="its restart", timeout=60)
    wait_until(lambda: len(demo.events("start")) == 2, what="its program")
    told = "it was killed by signal 9 (SIGKILL); restart 1 of 5"
    wait_until(lambda: any(told in one for one in demo.submitted()), what="the notice", timeout=60)
    assert daemon.stop() == 0
    assert agent_now().identity == before.identity
    (end,) = ends()
    assert (end["cause"], end["signal"], end["code"]) == ("killed", 9, None)
    now = health(torch)
    assert (now["starts"], now["recent_restarts"], now["next"]) == (2, 1, "runs")
    assert now["last_end"]["cause"] == "killed"
    assert told in torch("events", "--agent", "demo").out


def test_without_a_policy_it_stays_and_that_is_said(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    demo.kill()
    wait_until(lambda: tmux.pane(demo.pane.id).dead, what="its end")
    assert look(Recovery(), time.time()) == []
    now = health(torch)
    words = "stays: restart = never, and it was killed by signal 9 (SIGKILL)"
    assert (now["running"], now["next"]) == (False, words)
    assert look(Recovery(), time.time()) == []
    assert len(ends()) == 1, "it is recorded once, whoever looks"
    said = torch("health", "--explain").out
    assert "restart = never, because nobody has set it" in said
    assert "last end: it was killed by signal 9 (SIGKILL)" in said


def test_given_up_stays_given_up_until_a_person_says_otherwise(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    """Also for another daemon, also after the ten minutes; it is told once."""
    assert torch("health", "demo", "--restart", "on-failure").code == 0
    one = agent_now()
    demo.kill()
    wait_until(lambda: tmux.pane(demo.pane.id).dead, what="its end")
    now = time.time()
    with Store() as store:
        for at in range(MOST):
            assert list(Recovery().run(store, now + at)) == []
            store.restarts.begin("", one.identity, now + at)
    (did,) = look(Recovery(), now + MOST)
    assert (did.what, did.people) == ("give-up", True)
    assert did.words == "it was killed by signal 9 (SIGKILL), after 5 restarts in 10 min"
    for later in (1.0, WITHIN + 1, 10 * WITHIN):
        assert look(Recovery(), now + MOST + later) == [], "said once, whoever looks"
    with scheduler_at_work(torch):
        assert health(torch)["next"] == "given up after 5 restarts in 10 min"
        assert agent_now().pane_pid == one.pane_pid
        assert torch("restart", "demo", "--yes", env=PATH).code == 0
    assert (health(torch)["given_up"], health(torch)["next"]) == (None, "runs")
    with Store() as store:
        assert store.restarts.of("", one.identity) == []
        given_up = store.events.read(verbs=("give-up",))
    assert [(event.target, event.agent) for event in given_up] == [("demo", one.identity)]


@contextlib.contextmanager
def scheduler_at_work(torch: Torch) -> Iterator[None]:
    daemon = scheduler.start(torch)
    try:
        yield
    finally:
        assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("code", "policy", "again"),
    [(0, "on-failure", False), (0, "always", True), (1, "on-failure", True), (1, "never", False)],
)
def test_what_is_against_a_policy(code: int, policy: str, again: bool) -> None:
    assert End(Cause.EXITED, "", code=code).is_against(policy) is again


@pytest.mark.parametrize(
    ("sent", "again"),
    [
        *((one, False) for one in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)),
        *((one, True) for one in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE)),
    ],
)
def test_a_signal_that_asks_a_program_to_end_is_no_crash(sent: int, again: bool) -> None:
    """A program that handles it ends with 128 and its number, as a shell says it."""
    for end in (End(Cause.KILLED, "", signal=sent), End(Cause.EXITED, "", code=128 + sent)):
        assert (end.is_against("on-failure"), end.crashed) == (again, again)
        assert end.is_against("always")


def test_what_a_person_has_asked_to_end_stays(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    tmux.new_session("mine", "cat")
    assert torch("health", "demo", "--restart", "on-failure").code == 0
    os.kill(demo.pane.pid, signal.SIGTERM)
    wait_until(lambda: tmux.pane(demo.pane.id).dead, what="its end")
    recovery, now = Recovery(), time.time()
    assert look(recovery, now) == look(recovery, now + 60) == []
    assert not recovery.waits
    (end,) = ends()
    assert signal.SIGTERM in (end["signal"], (end["code"] or 0) - 128)
    (planned,) = map(json.loads, torch("resurrect", "--dry-run", "--json").out.splitlines())
    assert planned["course"] == "stays"
    assert planned["why"].startswith("its program was asked to end")


def test_the_status_of_a_shell_is_that_of_its_last_command(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """So a shell that was left after a failure has not crashed."""
    tmux.new_session("mine", "cat")
    words = ("--profile", "bash", "--dir", str(tmp_path), "--restart", "on-failure")
    assert torch("spawn", "demo", *words, env=PATH).code == 0
    one = agent_now()
    tmux.cmd("send-keys", "-t", one.pane, "exit 3", "Enter")
    wait_until(lambda: tmux.pane(one.pane).dead, what="its end")
    recovery, now = Recovery(), time.time()
    assert look(recovery, now) == look(recovery, now + 60) == []
    assert not recovery.waits
    assert (ends()[0]["code"], health(torch)["next"]) == (
        3,
        "stays: restart = on-failure, and it ended with status 3",
    )
    (planned,) = map(json.loads, torch("resurrect", "--dry-run", "--json").out.splitlines())
    assert (planned["course"], planned["why"]) == ("stays", "its program had ended by itself")
    assert torch("health", "demo", "--restart", "always").code == 0
    assert look(recovery, now + 61) == []
    assert recovery.waits, "that is restarted in any way"


@pytest.mark.parametrize("cause", [Cause.SHELL_LEFT, Cause.PANE_GONE, Cause.SERVER_GONE])
def test_what_a_person_may_have_done_is_left_alone(cause: Cause) -> None:
    assert not End(cause, "").is_against("always")


def quit_demo(demo: DemoAgent) -> None:
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-c", "C-c")
    wait_until(lambda: demo.tmux.pane(demo.pane.id).dead, what="its end")


def test_how_a_program_has_ended(demo: DemoAgent, tmux: TmuxServer, torch: Torch) -> None:
    """By itself, then its pane is closed, then its server is gone: each is told apart."""
    tmux.new_session("mine", "cat")
    quit_demo(demo)
    with Store() as store:
        end = end_of(store, agent_now())
        assert end is not None
        assert (end.cause, end.code, end.crashed) == (Cause.EXITED, 0, False)
        tmux.cmd("kill-pane", "-t", demo.pane.id)
        gone = end_of(store, agent_now())
        assert gone is not None
        assert gone.cause is Cause.PANE_GONE
        tmux.cmd("kill-server")
        server = int(agent_now().server.rsplit("|", 2)[1])
        wait_until(lambda: procs.identify(server) is None, what="its end")
        gone = end_of(store, agent_now())
    assert gone is not None
    assert gone.cause is Cause.SERVER_GONE


def test_a_pane_that_a_person_closes_is_not_started_again(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    assert torch("health", "demo", "--restart", "always").code == 0
    tmux.new_session("mine", "cat")
    demo.kill()
    recovery, now = Recovery(), time.time()
    assert look(recovery, now) == []
    assert recovery.waits
    tmux.cmd("kill-pane", "-t", demo.pane.id)
    assert look(recovery, now + 60) == []
    assert torch("stop", "demo").code == 0
    assert look(Recovery(), now + 60) == []


def test_an_end_is_recorded_once(demo: DemoAgent, tmux: TmuxServer) -> None:
    """By whichever pass sees it first."""
    demo.kill()
    wait_until(lambda: tmux.pane(demo.pane.id).dead, what="its end")
    history = History()
    with Store() as store:
        assert history.look(store)
        (state,) = store.events.read(verbs=("state",))
    history.close()
    (end,) = ends()
    assert (end["cause"], end["signal"]) == ("killed", 9)
    assert "fall" not in state.detail
    look(Recovery(), time.time())
    assert ends() == [end]


def test_who_was_started_again_has_not_ended(demo: DemoAgent, tmux: TmuxServer) -> None:
    """A look that began before the restart finds the earlier pane gone, and says nothing of it."""
    tmux.new_session("mine", "cat")
    tmux.cmd("kill-pane", "-t", demo.pane.id)
    before = agent_now()
    with Store() as store:
        sql = "UPDATE agents SET created = created + 1, pane_pid = 1"
        store.database.write(sql)
        assert record_end(store, before) is None
        assert store.events.last_end(before.identity) is None


def test_the_last_pane_of_a_server_can_be_closed(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch
) -> None:
    """A server that has no panes any more runs all the same, if it is told to."""
    tmux.cmd("set-option", "-s", "exit-empty", "off")
    tmux.cmd("kill-pane", "-t", demo.pane.id)
    with Store() as store:
        end = end_of(store, agent_now())
    assert end is not None
    assert end.cause is Cause.PANE_GONE


@pytest.mark.parametrize(
    ("words", "killed"), [("kill-window", False), ("kill-server", False), ("", True)]
)
def test_a_server_that_was_killed_is_told_from_one_that_has_ended(
    words: str, killed: bool, demo: DemoAgent, tmux: TmuxServer
) -> None:
    """If a client was attached. It has ended by itself if its last window was closed."""
    one = agent_now()
    server = int(one.server.rsplit("|", 2)[1])
    with Store() as store, ControlClient(tmux.socket, demo.pane.session_id):
        if killed:
            os.kill(server, signal.SIGKILL)
        else:
            tmux.cmd(words, *(["-t", one.pane] if words == "kill-window" else []))
        wait_until(lambda: procs.identify(server) is None, what="its end")
        end = end_of(store, one)
    assert end is not None
    assert (end.cause, end.not_closed) == (Cause.SERVER_GONE, killed)


@pytest.mark.parametrize("attached", [False, True])
def test_a_server_begun_since_at_the_same_socket_says_nothing_of_the_one_before(
    attached: bool, demo: DemoAgent, tmux: TmuxServer
) -> None:
    """Its socket can be executed too as long as a client is attached to it."""
    one = agent_now()
    server = int(one.server.rsplit("|", 2)[1])
    tmux.cmd("kill-window", "-t", one.pane)
    wait_until(lambda: procs.identify(server) is None, what="its end")
    time.sleep(2.1)  # the times of sockets are told apart by whole seconds
    other = tmux.new_session()
    with contextlib.ExitStack() as stack, Store() as store:
        if attached:
            stack.enter_context(ControlClient(tmux.socket, other.session_id))
        end = end_of(store, one)
    assert end is not None
    assert (end.cause, end.not_closed) == (Cause.SERVER_GONE, False)


def test_a_server_that_is_ending_is_gone(demo: DemoAgent) -> None:
    """It closes its socket first: its agents' panes were not closed by a person then."""
    socket = Path(agent_now().socket)
    socket.rename(socket.with_name("moved"))
    with Store() as store:
        end = end_of(store, agent_now())
    socket.with_name("moved").rename(socket)
    assert end is not None
    assert end.cause is Cause.SERVER_GONE


def test_a_frozen_agent_is_not_restarted_before_it_is_thawed(demo: DemoAgent, torch: Torch) -> None:
    assert torch("health", "demo", "--restart", "on-failure").code == 0
    assert torch("freeze", "demo").code == 0
    demo.kill()
    recovery, now = Recovery(), time.time()
    assert look(recovery, now) == []
    assert not recovery.waits
    assert health(torch)["next"] == "frozen: 'torch thaw demo' lets it go on"
    assert torch("thaw", "demo").code == 0
    assert look(recovery, now + 1) == []
    assert recovery.waits


def test_a_policy_is_its_agents_and_no_namesakes(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Who was lost and comes back is the same one, and that its policy stays is said."""
    tmux.new_session("mine", "cat")
    words = ("--profile", "demo", "--wait", "0", "--dir")
    here, there = str(tmp_path), str(tmp_path / "there")
    Path(there).mkdir()
    said = "restart = always, as it was set for this agent before"

    def spawn(directory: str, *options: str) -> str:
        done = torch("spawn", "demo", *words, directory, *options, env=PATH)
        assert done.code == 0, done.err
        return done.err

    assert said not in spawn(here, "--restart", "always")
    tmux.cmd("kill-pane", "-t", agent_now().pane)
    assert said in spawn(here)
    assert (health(torch)["restart"], health(torch)["set_by"]) == ("always", "set")
    tmux.cmd("kill-pane", "-t", agent_now().pane)
    assert said not in spawn(here, "--restart", "never")
    assert health(torch)["restart"] == "never"
    assert torch("health", "demo", "--restart", "always").code == 0
    assert torch("stop", "demo").code == 0
    assert said not in spawn(here)
    assert (health(torch)["restart"], health(torch)["set_by"]) == ("never", "default")
    assert torch("health", "demo", "--restart", "always").code == 0
    tmux.cmd("kill-pane", "-t", agent_now().pane)
    assert said not in spawn(there), "in another directory it is another one"
    assert health(torch)["restart"] == "never"


def test_who_is_adopted_has_no_policy(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """Torch started it once, and it came back in a way in which Torch cannot start it."""
    tmux.new_session("mine", "cat")
    spawn_demo(tmux, torch, tmp_path / "project")
    assert torch("health", "demo", "--restart", "always").code == 0
    before = agent_now()
    tmux.cmd("kill-pane", "-t", before.pane)
    pane = tmux.new_session("other", DEMO_PROGRAM, directory=tmp_path / "project")
    tmux.wait_for_text(pane, "demo")
    assert torch("adopt", pane.id, "demo", "--profile", "demo").code == 0
    assert agent_now().identity == before.identity
    assert (health(torch)["restart"], health(torch)["set_by"]) == ("never", "default")


def test_a_shell_that_is_left_is_a_persons(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    pane = tmux.new_session("mine", "sh")
    tmux.cmd("send-keys", "-t", pane.id, f"{DEMO_PROGRAM} --log {tmp_path / 'log'}", "Enter")
    tmux.wait_for_text(pane, "demo")
    wait_until(lambda: torch("adopt", pane.id, "demo", "--profile", "demo").code == 0, what="it")
    one = agent_now()
    assert one.program_pid != one.pane_pid
    refused = torch("health", "demo", "--restart", "always", "--json")
    assert refused.json["error"]["code"] == "adopted"
    os.kill(one.program_pid, signal.SIGKILL)
    wait_until(lambda: not health(torch)["running"], what="its end")
    assert look(Recovery(), time.time()) == []
    (end,) = ends()
    assert (end["cause"], end["words"]) == (
        "shell-left",
        "it has ended, and sh is left in its pane",
    )


def test_a_daemon_remembers_what_a_program_was_given(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Its variables are not in the store; a daemon that saw it run has them in memory."""
    words = ("--profile", "demo", "--dir", str(tmp_path), "--env", "SHOP_KEY=s3cret-value")
    assert torch("spawn", "demo", *words, "--restart", "on-failure", env=PATH).code == 0
    before, recovery, now = agent_now(), Recovery(), time.time()
    assert look(recovery, now) == []
    os.kill(before.program_pid, signal.SIGKILL)
    pane = tmux.pane(before.pane)
    wait_until(lambda: tmux.pane(pane.id).dead, what="its end")
    assert look(recovery, now) == []
    assert recovery.waits
    assert look(recovery, now + 3)[0].what == "restart"
    wait_until(lambda: agent_now().pane_pid != before.pane_pid, what="its restart", timeout=60)
    program = procs.environment(agent_now().program_pid) or {}
    assert program["SHOP_KEY"] == "s3cret-value"
    assert health(torch)["set_by"] == "set"


def test_who_runs_for_long_is_as_good_as_new(demo: DemoAgent, torch: Torch) -> None:
    assert torch("health", "demo", "--restart", "on-failure").code == 0
    one = agent_now().identity
    with Store() as store:
        store.restarts.add(Restart("", one, 1000.0, 1002.0, 1002.0))
        list(Recovery().run(store, 1002.0 + HEALTHY_SECONDS - 1))
        assert len(store.restarts.of("", one)) == 1
        list(Recovery().run(store, 1002.0 + HEALTHY_SECONDS + 1))
        assert store.restarts.of("", one) == []


def test_the_kernels_log_names_who_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    now = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1_000_000)
    log.write_text(f"6,1,{now},-;Out of memory: Killed process 4711 (node) total-vm:1kB\n")
    assert log_names(4711, time.time() - 60, str(log))
    assert not log_names(471, time.time() - 60, str(log))
    assert not log_names(4711, time.time() + 60, str(log)), "an earlier process of that number"
