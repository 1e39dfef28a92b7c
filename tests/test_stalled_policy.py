"""What is done for an agent that makes no progress: told, nudged, restarted, as its policy says."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import DemoAgent
from conftest import TmuxServer, Torch, wait_until
from test_stalled import hasten, looker
from torch_cli import procs
from torch_cli.attention.history import History
from torch_cli.attention.waits import DEALT_WITH
from torch_cli.cli.options import STALLED
from torch_cli.delivery.drain import drain_once
from torch_cli.health.recovery import Recovery
from torch_cli.health.stalls import MOST_RESTARTS, StalledAgents
from torch_cli.intervals import INTERVALS
from torch_cli.lifecycle.did import Did
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.health import STALLED as KNOWN
from torch_cli.store.health import AgentPolicy
from torch_cli.store.lease import Clock, HolderKind
from torch_cli.store.stalls import StallStep

LATER = INTERVALS.nudged + 1.0
"""Seconds after a nudge when it has brought nothing."""


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    hasten(monkeypatch)
    one = History()
    yield one
    one.close()


@pytest.fixture
def store(demo: DemoAgent) -> Iterator[Store]:
    me = procs.identify(os.getpid())
    assert me is not None
    with Store() as store:  # it is the scheduler at work: what its history wrote last is true
        assert store.lease.take(HolderKind.DAEMON, me, Clock.read(), seconds=900.0) is not None
        yield store


class Looks:
    """A scheduler: what it looks at, and what it does."""

    def __init__(self, history: History, store: Store) -> None:
        self.store, self.recovery = store, Recovery()
        self.state = looker(history, store)
        self.agents = StalledAgents(self.recovery.begin)

    def run(self, now: float) -> list[Did]:
        return list(self.agents.run(self.store, now))

    def another(self) -> list[Did]:
        """Return what another scheduler does."""
        return list(StalledAgents(self.recovery.begin).run(self.store, time.time()))

    def stall(self, demo: DemoAgent) -> None:
        """Have ``demo`` begin to work, and make no progress."""
        wait_until(lambda: self.state() == "idle", what="rest")
        assert demo.send("DELAY(600) think").code == 0
        wait_until(lambda: self.state() == "stalled", what="the silence")

    def restarted(self) -> list[Did]:
        """Wait for the restart that runs; return its errors."""
        return list(self.recovery.finish(time.monotonic() + 120.0))


@pytest.fixture
def looks(history: History, store: Store) -> Looks:
    return Looks(history, store)


def agent_now(store: Store, name: str = "demo") -> Agent:
    found = store.agents.get(name)
    assert found is not None
    return found


def drained(store: Store) -> list[str]:
    """Try once to deliver what waits; return the reasons of what still does."""
    drain_once(time.time(), time.monotonic() + 20.0)
    return [one.reason for one in store.messages.waiting()]


def nudges(demo: DemoAgent) -> int:
    return sum("no sign of progress" in text for text in demo.submitted())


def policy(torch: Torch, what: str) -> None:
    assert torch("health", "demo", "--stalled", what).code == 0


def test_the_policies_are_those_of_the_store() -> None:
    assert STALLED == KNOWN
    assert STALLED[0] == AgentPolicy().stalled


def test_an_agent_that_stalls_is_only_told_of_unless_its_policy_says_more(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    looks.stall(demo)
    assert looks.run(time.time()) == looks.run(time.time() + LATER) == []
    said = torch("health", "demo", "--explain").out
    assert "demo  stalled" in said
    assert "stalled = tell" in said


def test_it_is_nudged_once_for_a_stall(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    """By an ordinary message. That its program shows the message is no progress."""
    policy(torch, "nudge")
    looks.stall(demo)
    (did,) = looks.run(time.time())
    assert (did.what, did.agent) == ("nudge", "demo")
    assert looks.run(time.time()) == looks.another() == []
    assert drained(store) == []
    assert nudges(demo) == 1
    wait_until(lambda: looks.state() == "working", what="the message on its screen")
    assert store.events.quiet_states(0.0) == [], "it did not go on by itself"
    assert "nudged" in torch("events", "--agent", "demo").out
    wait_until(lambda: looks.state() == "stalled", what="the silence after it")
    assert looks.run(time.time() + 10 * LATER) == []
    found = torch("health", "demo", "--json").json
    assert (found["stalled"], found["next"], found["stall"]["restarts"]) == (
        "nudge",
        "stalled, nudged",
        None,
    )


def test_what_went_on_in_between_is_another_stall(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    policy(torch, "nudge")
    looks.stall(demo)
    assert len(looks.run(time.time())) == 1
    assert drained(store) == []
    demo.end_work()
    looks.stall(demo)
    assert len(looks.run(time.time())) == 1


def test_a_nudge_that_came_too_late_is_taken_out(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    policy(torch, "nudge")
    looks.stall(demo)
    assert len(looks.run(time.time())) == 1
    demo.end_work()
    wait_until(lambda: looks.state() == "idle", what="the end of its turn")
    assert looks.run(time.time()) == []
    assert store.messages.waiting() == []
    assert store.messages.latest(recipient="demo")[0].reason == DEALT_WITH
    assert nudges(demo) == 0


def test_it_is_restarted_after_a_nudge_that_changed_nothing(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    """Only then, and only once; it is told, and counts among its restarts."""
    policy(torch, "restart")
    looks.stall(demo)
    assert [did.what for did in looks.run(time.time())] == ["nudge"]
    assert drained(store) == []
    wait_until(lambda: looks.state() == "working", what="the message on its screen")
    assert looks.run(time.time() + LATER) == []
    wait_until(lambda: looks.state() == "stalled", what="the silence after it")
    assert looks.run(time.time() + INTERVALS.nudged - 30.0) == []
    assert torch("health", "demo", "--json").json["stall"]["restarts"] is not None
    before = agent_now(store)
    (did,) = looks.run(time.time() + LATER)
    assert did.what == "restart"
    assert did.words.endswith(", also after a message; restart 1 of 3")
    assert looks.run(time.time() + LATER) == []
    assert looks.restarted() == []
    after = agent_now(store)
    assert (after.identity, after.pane_pid == before.pane_pid) == (before.identity, False)
    assert any(did.words in text for text in demo.submitted())
    assert torch("health", "demo", "--json").json["recent_restarts"] == 1
    assert store.stalls.restarts(before.identity, 0.0) == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [("dialog", "it is waiting"), ("draft", "its input box holds a text"), ("queue", "queued")],
)
def test_it_is_not_restarted_if_that_would_cost_more_than_its_turn(
    what: str, why: str, demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    """Nobody has seen that yet: the restart itself looks."""
    policy(torch, "restart")
    if what == "queue":
        wait_until(lambda: looks.state() == "idle", what="rest")
        assert demo.send("DELAY(600) think").code == 0
        assert demo.send("And this.").code == 0
        wait_until(lambda: looks.state() == "stalled", what="the silence")
    else:
        looks.stall(demo)
    assert len(looks.run(time.time())) == 1
    before = agent_now(store)
    if what == "dialog":
        demo.open_dialog()
    elif what == "draft":
        demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "wait")
        demo.tmux.wait_for_text(demo.pane, "wait")
    assert [did.what for did in looks.run(time.time() + LATER)] == ["restart"]
    (failed,) = looks.restarted()
    assert failed.error is not None
    assert why in failed.error.message
    assert agent_now(store).pane_pid == before.pane_pid
    assert demo.events("approved", "declined", "exit") == []
    assert "not-restarted" in torch("events", "--agent", "demo").out
    assert store.restarts.of("", before.identity) == [], "what was refused was no restart"
    assert store.stalls.restarts(before.identity, 0.0) == 0


def test_a_frozen_agent_is_left_alone(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    policy(torch, "restart")
    looks.stall(demo)
    assert torch("freeze", "demo", "--no-interrupt").code == 0
    assert looks.run(time.time()) == looks.run(time.time() + LATER) == []
    assert torch("thaw", "demo").code == 0
    assert torch("stop", "demo").code == 0
    assert looks.run(time.time()) == []


def test_after_three_restarts_in_a_day_it_is_given_up(
    demo: DemoAgent, torch: Torch, store: Store, looks: Looks
) -> None:
    policy(torch, "restart")
    looks.stall(demo)
    now, one = time.time(), agent_now(store)
    with store.database.transaction():
        for number in range(MOST_RESTARTS):
            store.stalls.insert(
                StallStep(one.identity, -number, now - 3600.0, "", now, "restarted")
            )
    assert [did.what for did in looks.run(now)] == ["nudge"]
    (did,) = looks.run(now + LATER)
    assert (did.what, did.people) == ("give-up", True)
    assert looks.run(now + LATER) == []
    assert "given up" in torch("health", "demo", "--explain").out
    assert agent_now(store).pane_pid == one.pane_pid


def test_a_policy_can_be_given_at_the_start_and_is_refused_where_it_cannot_be_kept(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store
) -> None:
    done = torch(
        *("spawn", "dev", "--profile", "demo", "--session", "agents", "--dir", str(tmp_path)),
        *("--stalled", "nudge", "--wait", "0"),
        env={"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"},
    )
    assert done.code in (0, 4), done.err
    assert torch("health", "dev", "--json").json["stalled"] == "nudge"
    assert torch("health", "dev", "--restart", "always", "--json").json["stalled"] == "nudge"
    assert torch("health", "--stalled", "nudge").code == 2
    assert torch("health", "dev", "--stalled", "kill").code == 2
    with store.database.transaction():
        store.database.query("UPDATE agents SET origin = 'adopted' WHERE name = 'dev'")
    refused = torch("health", "dev", "--stalled", "restart")
    assert (refused.code, "was adopted" in refused.err) == (2, True)
    assert torch("health", "dev", "--stalled", "nudge").code == 0
