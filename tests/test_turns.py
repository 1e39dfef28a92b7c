"""Turns that begin and end between two looks: the hooks of the program tell both."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from test_attention import events, settle, states, status
from test_since import in_a_terminal, said, since
from torch_cli.attention.history import History
from torch_cli.attention.looking import Unseen
from torch_cli.attention.summary import summary
from torch_cli.attention.turns import Turns
from torch_cli.programs.hook import INSERT
from torch_cli.programs.state import AgentState, State
from torch_cli.store import Store
from torch_cli.store.agents import Agent

IDLE = AgentState(State.IDLE, "the box is empty", "box")
WORKING = AgentState(State.WORKING, "a spinner", "spinner")
WAITING = AgentState(State.WAITING, "a dialog", "dialog")
EXITED = AgentState(State.EXITED, "its process has ended", "process")


@pytest.fixture
def history() -> Iterator[History]:
    one = History()
    yield one
    one.close()


def own(store: Store, name: str = "demo") -> Agent:
    return next(agent for agent in store.agents.all() if agent.name == name)


def report(
    store: Store, agent: Agent, name: str, at: float, session: str = "s", **detail: str
) -> None:
    """Have a program report from the agent's pane, as ``torch hook`` does."""
    row = (at, agent.socket, agent.pane, agent.name, name, session, "", json.dumps(detail))
    server = int(agent.server.rsplit("|", 2)[1])
    store.database.write(INSERT, *row, server)


def reported(demo: DemoAgent, name: str, count: int) -> None:
    with Store() as store:
        agent = own(store, demo.name)

        def heard() -> bool:
            return len(store.hooks.named(agent.server, agent.pane, [name], 0.0)) >= count

        wait_until(heard, what=f"{count} reports of {name}")


def written(store: Store, agent: Agent) -> list[str]:
    found = store.events.last_states(agent.identity, 100)
    return [str(event.detail["state"]) for event in reversed(found)]


# -- the whole way ---------------------------------------------------------------------------------


def test_short_turns_are_counted_and_done_while_a_daemon_runs(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Five agents that answer at once: no look can see them work."""
    demos = [
        spawn_demo(tmux, torch, tmp_path / f"p{number}", "--work", "0", name=f"h{number}")
        for number in range(5)
    ]
    scheduler.start(torch)
    wait_until(lambda: states(torch).count("idle") == 5, what="the first states")
    for demo in demos:
        assert torch("ask", demo.name, "hello").code == 0
    wait_until(
        lambda: [one["do"] for one in status(torch).values()] == ["done"] * 5, what="the turns"
    )
    for demo in demos:
        assert states(torch, "--agent", demo.name) == ["idle", "working", "idle"]
        (told,) = [one for one in said(since(torch, "1h"), "done") if one.startswith(demo.name)]
        assert "1 turn ended" in told
    begun, ended = events(torch, "--kind", "state", "--agent", "h0")[-2:]
    assert begun["detail"]["evidence"].startswith("hook: UserPromptSubmit")
    assert begun["detail"]["since"] < ended["detail"]["since"]
    assert ended["detail"]["before"] == "working"

    for text in ("DELAY(0.3)", "DELAY(1.5)", "again"):
        count = len(demos[0].events("submit")) + 1
        assert torch("send", "h0", text).code == 0
        reported(demos[0], "Stop", count)
    expected = ["idle"] + ["working", "idle"] * 4
    wait_until(lambda: states(torch, "--agent", "h0") == expected, what="all of its turns")
    time.sleep(1.5)
    assert states(torch, "--agent", "h0") == expected, "each is counted once"


def test_a_tick_catches_up_with_the_turns_since_the_last_one(demo: DemoAgent) -> None:
    assert demo.torch("tick", "--quiet").code == 0
    assert states(demo.torch) == ["idle"]
    for number in (1, 2):
        assert demo.send("hello").code == 0
        reported(demo, "Stop", number)
    for _ in range(2):
        assert demo.torch("tick", "--quiet").code == 0
        assert states(demo.torch) == ["idle", "working", "idle", "working", "idle"]
    (told,) = [one for one in said(since(demo.torch, "1h"), "done") if "worked" in one]
    assert "2 turns ended" in told


def test_what_one_look_saw_is_not_counted_again(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, history: History
) -> None:
    """Two turns that are seen, two that are not, one that ends as the next begins."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "600")
    with Store() as store:
        assert settle(history, store) == ["idle"]
        for number in (1, 2):
            assert demo.send("go").code == 0
            assert settle(history, store) == ["working"]
            demo.end_work()
            reported(demo, "Stop", number)
            assert settle(history, store) == ["idle"]
        assert demo.send("go").code == 0
        assert settle(history, store) == ["working"]
        demo.end_work()
        reported(demo, "Stop", 3)
        assert demo.send("go").code == 0
        reported(demo, "UserPromptSubmit", 4)
        assert settle(history, store) == ["idle", "working"], "one turn has ended, the next began"
        demo.end_work()
        reported(demo, "Stop", 4)
        assert demo.send("DELAY(0)").code == 0
        reported(demo, "Stop", 5)
        assert settle(history, store) == ["idle", "working", "idle"]
        assert settle(history, store) == []
        assert written(store, own(store)) == ["idle", *["working", "idle"] * 5]


def test_a_turn_that_failed_unseen_is_told_again(demo: DemoAgent, history: History) -> None:
    with Store() as store:
        assert settle(history, store) == ["idle"]
        for number in (1, 2):
            assert demo.send("ERROR(529 overloaded)").code == 0
            reported(demo, "StopFailure", number)
            wait_until(lambda: demo.state() == "error", what="the error")
            history.look(store)
        assert written(store, own(store)) == ["idle", *["working", "error"] * 2]


def test_who_reads_the_answer_in_a_terminal_has_looked(demo: DemoAgent) -> None:
    scheduler.start(demo.torch)
    wait_until(lambda: states(demo.torch) == ["idle"], what="the first state")
    assert "hello" in in_a_terminal(demo.torch.argv("ask", demo.name, "hello"))
    wait_until(lambda: states(demo.torch) == ["idle", "working", "idle"], what="the turn")
    assert status(demo.torch)[demo.name]["do"] == "nothing"
    time.sleep(1.5)
    assert demo.torch("ask", demo.name, "again").code == 0, "a script reads it"
    wait_until(lambda: status(demo.torch)[demo.name]["do"] == "done", what="the next turn")


def test_the_mark_of_an_agent_follows_a_turn_that_no_look_saw(
    demo: DemoAgent, history: History
) -> None:
    unseen = Unseen()
    with Store() as store:
        assert settle(history, store) == ["idle"]
        assert unseen.look(store, history.rests) == frozenset()
        assert demo.send("hello").code == 0
        reported(demo, "Stop", 1)
        settle(history, store)
        assert unseen.look(store, history.rests) == {own(store).identity}


# -- what counts -----------------------------------------------------------------------------------


class Script:
    """Reports of an agent, and looks at it, at moments that the test says."""

    def __init__(self, store: Store, agent: Agent) -> None:
        self.store, self.agent, self.turns = store, agent, Turns()

    def tell(self, name: str, at: float, session: str = "s") -> None:
        report(self.store, self.agent, name, at, session)

    def look(
        self, seen: AgentState, wrote: tuple[str, float] | None = ("idle", 10.0)
    ) -> list[tuple[str, float]]:
        newest = self.store.hooks.last_id()
        steps = self.turns.steps(self.store, self.agent, newest, seen, wrote)
        return [(str(step.state.shown), step.since) for step in steps]


@pytest.fixture
def script(store: Store, demo: DemoAgent) -> Script:
    agent = own(store)._replace(created=5.0, pane="%77", identity="another")
    return Script(store, agent)


def test_a_report_counts_once_and_only_after_what_is_known(script: Script) -> None:
    script.tell("UserPromptSubmit", 8.0)
    script.tell("Stop", 9.0)
    assert script.look(IDLE) == [], "the history is newer"
    script.tell("UserPromptSubmit", 11.0)
    assert script.look(IDLE) == [], "it has not ended"
    script.tell("Stop", 12.0)
    assert script.look(IDLE) == [("working", 11.0), ("idle", 12.0)]
    assert script.look(IDLE, ("idle", 12.0)) == []


def test_reports_of_an_earlier_server_or_of_another_pane_do_not_count(script: Script) -> None:
    script.tell("UserPromptSubmit", 3.0)
    script.tell("Stop", 4.0)
    assert script.look(IDLE, None) == [], "before the agent was created: tmux counts from %0 again"
    elsewhere = script.agent._replace(pane="%78")
    report(script.store, elsewhere, "UserPromptSubmit", 11.0)
    report(script.store, elsewhere, "Stop", 12.0)
    assert script.look(IDLE) == []


def test_what_another_program_in_the_pane_reports_does_not_count(script: Script) -> None:
    assert script.look(IDLE) == []
    script.tell("UserPromptSubmit", 11.0)
    script.tell("UserPromptSubmit", 12.0, "of a command of the agent")
    script.tell("Stop", 13.0, "of a command of the agent")
    assert script.look(IDLE) == [], "its own turn goes on"
    script.tell("Stop", 14.0)
    assert script.look(IDLE) == [("working", 11.0), ("idle", 14.0)]
    script.tell("UserPromptSubmit", 15.0)
    script.tell("SessionEnd", 16.0)
    assert script.look(EXITED, ("idle", 14.0)) == [], "the turn has not ended, the program has"
    script.tell("UserPromptSubmit", 18.0, "of a program that somebody started there")
    script.tell("Stop", 19.0, "of a program that somebody started there")
    assert script.look(EXITED, ("exited", 17.0)) == []
    assert Script(script.store, script.agent).look(EXITED, ("idle", 14.0)) == []


def test_a_screen_that_lags_behind_the_report_is_the_same_turn(script: Script) -> None:
    assert script.look(IDLE) == []
    script.tell("UserPromptSubmit", 11.0)
    script.tell("Stop", 12.0)
    assert script.look(WORKING) == []
    assert script.turns.begun("another", 10.0) == 11.0, "since then it works, if that is written"
    assert script.look(IDLE) == [("working", 11.0), ("idle", 12.0)], "it was not"


def test_a_turn_that_a_person_interrupts_has_no_end(script: Script) -> None:
    script.tell("UserPromptSubmit", 11.0)
    assert script.look(WORKING) == []
    assert script.look(IDLE, ("idle", 15.0)) == []
    script.tell("UserPromptSubmit", 20.0)
    script.tell("Stop", 21.0)
    assert script.look(IDLE, ("idle", 15.0)) == [("working", 20.0), ("idle", 21.0)]


def test_a_turn_whose_first_sight_is_a_question_has_begun_before(script: Script) -> None:
    script.tell("UserPromptSubmit", 11.0)
    assert script.look(WAITING) == [("working", 11.0)]
    assert script.look(WAITING, ("working", 11.0)) == []


def test_reports_count_also_after_all_earlier_ones_were_deleted(script: Script) -> None:
    for at in (8.0, 9.0):
        script.tell("Stop", at)
    assert script.look(IDLE) == []
    script.store.database.write("DELETE FROM hook_events")
    assert script.look(IDLE) == []
    script.tell("UserPromptSubmit", 11.0)
    assert script.look(WORKING) == []
    script.tell("Stop", 12.0)
    assert script.look(IDLE) == [("working", 11.0), ("idle", 12.0)]


def test_a_turn_that_ends_by_way_of_a_question_is_counted(store: Store) -> None:
    before = ""
    for state in ("idle", "working", "waiting", "idle", "waiting", "idle", "working", "exited"):
        detail = {"state": state, "before": before, "lasted": 1.0}
        store.events.add("state", "dev", detail, agent="a")
        before = state
    told = [one.words for one in summary(store, 1.0, []).done]
    assert told == ["worked for 2 s, 1 turn ended"]
