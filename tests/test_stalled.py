"""Work without a sign of progress: what counts as one, and that it is told once."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent
from conftest import wait_until
from torch_cli import procs
from torch_cli.attention import stalled as stalled_module
from torch_cli.attention.history import History
from torch_cli.attention.stalled import Silences, said
from torch_cli.programs.state import AgentState, State, Trouble
from torch_cli.store import Store
from torch_cli.store.lease import Clock, HolderKind
from torch_cli.watch.sweep import Seen

SILENT = 1.0
"""Seconds of silence that are enough here."""


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an agent stall after ``SILENT`` seconds without progress, looked for all the time."""
    monkeypatch.setattr(stalled_module, "NO_PROGRESS_SECONDS", SILENT)
    monkeypatch.setattr(stalled_module, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(stalled_module, "DEEP_SECONDS", 0.2)
    monkeypatch.setattr(stalled_module, "REST_SECONDS", 0.0)


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    hasten(monkeypatch)
    one = History()
    yield one
    one.close()


@pytest.fixture
def store(demo: DemoAgent) -> Iterator[Store]:
    with Store() as store:
        yield store


def looker(history: History, store: Store) -> Callable[[], str]:
    """Return what looks, and says the state that is written."""

    def look() -> str:
        history.look(store)
        (agent,) = store.agents.all()
        return history.states.get(agent.identity, "")

    return look


def stays(look: Callable[[], str], state: str, seconds: float) -> None:
    """Look for so long, and see that the state stays as it is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert look() == state


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        # Claude Code 2.1.330 and Codex 0.169.0 in an answer that did not come, 2026-11-29
        ("✻ Meandering… (16s)", "· Meandering… (1m 3s)", True),
        ("• Working (3s • esc to interrupt)", "◦ Working (2m 03s • esc to interrupt)", True),
        ("⠋ Thinking... (esc to cancel, 5s)", "⠙ Thinking... (esc to cancel, 12s)", True),
        ("░█    Waiting for openai/m", "   ░█ Waiting for openai/m", True),
        ("[■⬝⬝] esc interrupt  0:59", "[⬝⬝■] esc interrupt  1:02:07", True),
        ("✻ Meandering… (16s · ↓ 1.2k tokens)", "✻ Meandering… (17s · ↓ 1.3k tokens)", False),
        ("● Reading 3 files…", "● Reading 4 files…", False),
        ("", "✻ Meandering…", False),
    ],
)
def test_a_spinner_and_its_seconds_are_no_progress(first: str, second: str, same: bool) -> None:
    assert (said(f"\x1b[31m{first}\x1b[0m") == said(second)) is same


def test_work_without_a_sign_stalls_until_it_goes_on(
    demo: DemoAgent, store: Store, history: History
) -> None:
    look = looker(history, store)
    wait_until(lambda: look() == "idle", what="the first state")
    assert demo.send("DELAY(600) think").code == 0
    wait_until(lambda: look() == "working", what="its work")
    wait_until(lambda: look() == "stalled", what="the silence")
    event = store.events.last_state(store.agents.all()[0].identity)
    assert event is not None
    assert event.detail["before"] == "working"
    assert "no sign of progress for" in event.detail["evidence"]
    stays(look, "stalled", 0.5)

    take_lease(store)
    shown = demo.torch("state", demo.name, "--json").json
    assert shown["state"] == "stalled"
    done = demo.torch("status", "--json")
    assert done.code == 8
    assert [(one["do"], one["state"]) for one in objects(done.out)] == [("look", "stalled")]
    assert objects(demo.torch("ps", "--json").out)[0]["state"] == "stalled"
    assert demo.send("next").code == 0, "it works, and queues"
    wait_until(lambda: look() == "working", what="a sign: the queued message")
    demo.end_work()
    wait_until(lambda: look() == "idle", what="the end of its work")


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def take_lease(store: Store) -> None:
    """Be the scheduler that is at work: what it wrote last is true."""
    me = procs.identify(os.getpid())
    assert me is not None
    assert store.lease.take(HolderKind.DAEMON, me, Clock.read()) is not None


def test_a_tool_that_runs_is_progress(
    demo: DemoAgent, store: Store, history: History, tmp_path: Path
) -> None:
    """It writes nothing, and waits: a download, a deployment."""
    look = looker(history, store)
    wait_until(lambda: look() == "idle", what="the first state")
    assert demo.send("DIALOG(sleep 600)").code == 0
    demo.wait_for("waiting")
    wait_until(lambda: look() == "waiting", what="the question")
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "1")
    wait_until(lambda: look() == "working", what="the tool")
    stays(look, "working", 3 * SILENT)
    (tool,) = [
        one
        for one in procs.descendants(demo.pane.pid)
        if (procs.arguments(one.pid) or [])[:1] == ["sleep"]
    ]
    os.kill(tool.pid, 15)
    wait_until(lambda: look() == "idle", what="the end of its work")


# -- one sign each ---------------------------------------------------------------------------------


class Watched:
    """An agent that works, as ``Silences`` sees it; the tests say what it shows."""

    def __init__(self, store: Store) -> None:
        (self.agent,) = store.agents.all()
        self.store, self.progress = store, Silences()
        self.now, self.rows, self.reported = 1000.0, "work", 0.0
        self.state = AgentState(State.WORKING, "spinner", "spinner")

    def look(self, seconds: float = 0.0) -> str:
        """Look for so long, every second of a clock of its own, and return the last state."""
        found = self._look()
        for _ in range(int(seconds)):
            self.now += 1.0
            found = self._look()
        return found

    def _look(self) -> str:
        seen = Seen(None, self.state, self.reported, rows=self.rows)  # type: ignore[arg-type]
        return str(self.progress.weigh(self.store, self.agent, seen, self.now).shown)

    def rest(self) -> None:
        """Be idle for a moment, so that the beginning of the next turn is known."""
        self.state = self.state._replace(state=State.IDLE)
        self.look(stalled_module.REST_SECONDS)
        self.state = self.state._replace(state=State.WORKING)


@pytest.fixture
def watched(store: Store) -> Watched:
    one = Watched(store)
    one.rest()
    return one


@pytest.fixture
def silent(watched: Watched) -> float:
    """How long it takes until it has stalled."""
    assert watched.look() == "working"
    return stalled_module.NO_PROGRESS_SECONDS


def test_it_takes_a_quarter_of_an_hour(watched: Watched, silent: float) -> None:
    assert silent >= 613, "Claude Code waits so long for an answer"
    assert watched.look(silent - 5) == "working"
    assert watched.look(10) == "stalled"


def test_what_changes_on_the_screen_is_progress(watched: Watched, silent: float) -> None:
    watched.look(silent - 10)
    watched.rows = "more work"
    watched.look(10)
    assert watched.look(silent - 20) == "working"


def test_a_hook_is_progress(watched: Watched, silent: float) -> None:
    watched.look(silent - 10)
    watched.reported = 1.0
    assert watched.look(silent - 20) == "working"


def test_another_attempt_is_no_stall(watched: Watched, silent: float) -> None:
    retrying = Trouble(State.RETRYING, "API error")
    watched.state = watched.state._replace(trouble=retrying)
    assert watched.look(silent + 100) == "retrying"


def test_a_line_in_the_transcript_is_progress(
    watched: Watched, silent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalled_module, "wrote_at", lambda kind, process: time.time())
    monkeypatch.setattr(stalled_module, "_transcript", lambda agent: "claude")
    assert watched.look(2 * silent) == "working"


@pytest.mark.parametrize(
    ("begins", "ends"),
    [("SubagentStart", "SubagentStop"), ("SubagentStart", "Stop"), ("PreCompact", "SessionStart")],
)
def test_a_sub_agent_or_a_compaction_is_progress(
    demo: DemoAgent, watched: Watched, silent: float, begins: str, ends: str
) -> None:
    """Until its end is reported, or the end of a turn that does not list it any more."""
    one = {"agent_id": "a1", "agent_type": "Explore"}
    demo.report("UserPromptSubmit", prompt="work")
    demo.report("SubagentStart", agent_id="a0", agent_type="Explore")
    demo.report("SubagentStop", agent_id="a0", agent_type="Explore")
    demo.report(begins, **one)
    assert watched.look(2 * silent) == "working"
    left: dict[str, object] = {"background_tasks": []}
    demo.report(ends, **(one if ends == "SubagentStop" else left))
    assert watched.look(2 * silent) == "stalled"


def test_a_process_that_works_is_progress(
    watched: Watched, silent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was started earlier, for which the program waits."""
    old = procs.Process(1, "0")
    monkeypatch.setattr(procs, "descendants", lambda pid: [old])
    monkeypatch.setattr(procs, "cpu_seconds", lambda pid: watched.now * 0.1)
    assert watched.look(2 * silent) == "working"
    monkeypatch.setattr(procs, "cpu_seconds", lambda pid: 5.0)
    assert watched.look(2 * silent) == "stalled", "it only waits, too"


def test_of_a_turn_that_began_unseen_every_process_may_be_the_tool(
    watched: Watched, silent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Watched(watched.store)
    monkeypatch.setattr(procs, "descendants", lambda pid: [procs.Process(1, "0")])
    assert fresh.look(2 * silent) == "working"


def test_the_time_is_learnt_from_a_silence_that_ended(watched: Watched, silent: float) -> None:
    watched.look(silent + 10)
    watched.rows = "it went on"
    assert watched.look(10) == "working"
    quiet = watched.progress.quiet(watched.agent.identity)
    assert quiet == pytest.approx(silent + 10, abs=10)
    assert watched.look(silent + 100) == "working", "longer than before"
    assert watched.look(silent) == "stalled"


def test_what_was_learnt_is_kept(store: Store, watched: Watched) -> None:
    """In the event that ended the silence, for the next daemon."""
    (agent,) = store.agents.all()
    detail = {"state": "idle", "before": "stalled", "quiet": 1200.5}
    store.events.add("state", agent.name, detail, agent=agent.identity)
    assert stalled_module._learnt(store) == {"demo": 1200.5}
    assert watched.look(1500) == "working"
    assert watched.look(400) == "stalled"


def test_an_agent_that_is_gone_is_forgotten(watched: Watched, silent: float) -> None:
    watched.look(silent - 10)
    watched.progress.keep(())
    assert watched.look(100) == "working"
