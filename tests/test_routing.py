"""Routing: who gets which task, why, and that none waits for ever."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from torch_cli.errors import TIMED_OUT, USAGE, RefusedError
from torch_cli.programs.state import State
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.store.tasks import Task
from torch_cli.store.teams import MemberKind, Started
from torch_cli.tasks import assignment
from torch_cli.tasks.assignment import Rules, decide_as, give_in_time, rules_in
from torch_cli.tasks.life import claim
from torch_cli.tasks.ranking import (
    AGING_SECONDS,
    RANKINGS,
    Candidate,
    Choice,
    objection,
    rate,
    route,
    urgency,
)
from torch_cli.teamfile import schema as keys

NOW = 1_000_000.0


def task(name: str, **more: object) -> Task:
    return Task(id=name, title=name, created=NOW)._replace(**more)  # type: ignore[arg-type]


def one(name: str, **more: object) -> Candidate:
    return Candidate(name, f"a-{name}", State.IDLE)._replace(**more)  # type: ignore[arg-type]


def routed(tasks: list[Task], candidates: list[Candidate], strategy: str) -> dict[str, str | None]:
    choices = route(tasks, candidates, strategy, NOW)
    return {choice.task.id: choice.agent.name if choice.agent else None for choice in choices}


def test_each_strategy_ranks_by_its_own_measure() -> None:
    a = one("a", last=50.0, skills=("sql",), rates=(("sql", 0.2),), directory="/p/one")
    b = one("b", last=10.0, skills=("sql", "go"), rates=(("sql", 0.9),), directory="/p/two/src")
    c = one("c", last=30.0, skills=("sql",), directory="/p/two-other")
    sql = [task("t", skills=("SQL",), directory="/p/two")]
    assert routed(sql, [a, b, c], "least-loaded") == {"t": "b"}
    assert routed(sql, [a, b, c], "round-robin") == {"t": "b"}
    assert routed(sql, [a, c], "round-robin") == {"t": "c"}
    assert routed(sql, [a, b, c], "best-skilled") == {"t": "b"}
    assert routed(sql, [a, c], "best-skilled") == {"t": "c"}, "unknown is better than bad"
    assert routed(sql, [a, b, c], "sticky-to-directory") == {"t": "b"}
    assert routed(sql, [a, c], "sticky-to-directory") == {"t": "c"}
    assert rate(sql[0], c) == 0.5


def test_who_leads_in_the_file_gets_none_though_nobody_is_there(tmp_path: Path) -> None:
    text = "[[agent]]\nname = 'pm'\n[[agent]]\nname = 'dev'\nparent = 'pm'\n"
    (tmp_path / "torch.toml").write_text(text)
    assert rules_in(str(tmp_path)).leaders == {"pm"}


def test_a_role_that_serves_not_gets_nothing() -> None:
    a, b = one("a", role="reviewer", serves=False), one("b", serves=False)
    (choice,) = route([task("t")], [a, b, one("c", role="developer")], "round-robin", NOW)
    assert choice.agent is not None
    assert choice.agent.name == "c"
    assert choice.others == (("a", "its role is 'reviewer'"), ("b", "it has no role"))


def test_the_team_file_names_strategy_and_roles(tmp_path: Path) -> None:
    assert tuple(RANKINGS) == keys.STRATEGIES
    assert rules_in(str(tmp_path)) == Rules()
    (tmp_path / "torch.toml").write_text('[tasks]\nstrategy = "best-skilled"\nroles = ["qa"]\n')
    (tmp_path / "src").mkdir()
    assert rules_in(str(tmp_path / "src")) == Rules("best-skilled", ("qa",))
    (tmp_path / "torch.toml").write_text('[tasks]\nstrategy = "best"\n')
    with pytest.raises(RefusedError, match="2: 'strategy' must be one of least-loaded, best-"):
        rules_in(str(tmp_path))


def test_who_cannot_take_it_is_named_with_the_reason() -> None:
    busy = one("busy", load=2)
    working = one("working", state="working")
    unskilled = one("unskilled", skills=("go",))
    leads = one("leads", skills=("sql",), leads=True)
    four = [busy, working, unskilled, leads]
    (choice,) = route([task("t", skills=("sql",))], four, "round-robin", NOW)
    assert choice.agent is None
    assert dict(choice.others) == {
        "busy": "it has 2 tasks",
        "working": "it is working",
        "unskilled": "it lacks sql",
        "leads": "it leads other agents",
    }
    assert choice.soon == (), "at the end of its turn it still has none of the skills"


def test_who_may_take_it_after_its_turn_is_named() -> None:
    several = [
        one("asks", state=State.WAITING),
        one("busy", state=State.WORKING, load=1),
        one("dead", state=State.DEAD),
        one("frozen", state=State.WORKING, frozen=True),
        one("works", state=State.WORKING),
    ]
    (choice,) = route([task("t")], several, "round-robin", NOW)
    assert (choice.agent, choice.soon) == (None, ("asks", "works"))
    assert choice.why == "no agent can take it now; after the present turn: asks, works"


def test_urgent_tasks_go_first_and_waiting_makes_urgent() -> None:
    old = task("old", priority=-1, created=NOW - 3 * AGING_SECONDS)
    new = task("new", priority=1)
    assert urgency(old, NOW) == 2.0
    assert routed([new, old], [one("a")], "least-loaded") == {"old": "a", "new": None}


NAMES = st.sampled_from(["sql", "go", "css"])
TASKS = st.builds(
    lambda n, p, s, age: task(f"t{n}", priority=p, skills=tuple(s), created=NOW - age),
    st.integers(0, 10**6),
    st.integers(-1, 1),
    st.sets(NAMES),
    st.floats(0, 1e5),
)
CANDIDATES = st.builds(
    lambda n, state, s, load, last: one(
        f"a{n}", state=state, skills=tuple(s), load=load, last=last
    ),
    st.integers(0, 10**6),
    st.sampled_from(["idle", "idle", "working", "dead"]),
    st.sets(NAMES),
    st.integers(0, 1),
    st.floats(0, NOW),
)


@given(
    st.lists(TASKS, max_size=8, unique_by=lambda t: t.id),
    st.lists(CANDIDATES, max_size=8, unique_by=lambda c: c.name),
    st.sampled_from(sorted(RANKINGS)),
)
def test_nobody_gets_two_and_none_is_left_that_fits(
    tasks: list[Task], candidates: list[Candidate], strategy: str
) -> None:
    choices = route(tasks, candidates, strategy, NOW)
    assert {choice.task.id for choice in choices} == {t.id for t in tasks}
    given_to = [choice.agent for choice in choices if choice.agent]
    assert len({one.name for one in given_to}) == len(given_to)
    for choice in choices:
        assert choice.agent is None or not objection(choice.task, choice.agent)
        free = [c for c in candidates if c not in given_to and not objection(choice.task, c)]
        assert choice.agent is not None or not free


@given(st.sampled_from(sorted(RANKINGS)), st.lists(st.integers(-1, 1), min_size=1, max_size=6))
def test_no_task_waits_for_ever(strategy: str, priorities: list[int]) -> None:
    """One agent, and each time it is free two more urgent tasks have come."""
    waiting = [task(f"first-{n}", priority=p) for n, p in enumerate(priorities)]
    first, now, last = {t.id for t in waiting}, NOW, 0.0
    for turn in range(60):
        waiting += [task(f"new-{turn}-{n}", priority=1, created=now) for n in range(2)]
        (choice,) = [c for c in route(waiting, [one("a", last=last)], strategy, now) if c.agent]
        waiting.remove(choice.task)
        now, last = now + AGING_SECONDS, now
        if not first & {t.id for t in waiting}:
            return
    pytest.fail(f"{first & {t.id for t in waiting}} still wait")


@pytest.fixture
def agents(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> dict[str, DemoAgent]:
    found = {}
    for name, skills in (("dev", ["python"]), ("ops", ["terraform"])):
        found[name] = spawn_demo(tmux, torch, tmp_path / name, name=name)
        with Store() as store:
            agent = store.agents.get(name)
            assert agent is not None
            spec = {"skills": skills}
            store.teams.add(
                Started("/p/torch.toml", name, MemberKind.AGENT, spec, agent=agent.identity)
            )
    return found


def test_the_pool_is_given_out_and_explained(
    agents: dict[str, DemoAgent], torch: Torch, tmp_path: Path
) -> None:
    python = torch("task", "add", "py", "--skill", "Python", "--json", "--anywhere").json["id"]
    cobol = torch("task", "add", "old", "--skill", "cobol", "--json", "--anywhere").json["id"]
    dry = torch("task", "route", "--dry-run", "--explain", "-L", "t", cwd=tmp_path)
    assert f"would go  {python}  dev" in dry.out
    assert f"waits  {cobol}" in dry.out
    assert "not ops: it lacks Python" in dry.err
    assert "not dev: it lacks cobol" in dry.err
    done = torch("task", "route", "--json", "-L", "t", cwd=tmp_path)
    said = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["task"], one["agent"], one["given"]) for one in said] == [
        (python, "dev", True),
        (cobol, None, False),
    ]
    (order,) = agents["dev"].submitted()
    assert order.startswith(f"Task {python}: py")
    again = [
        json.loads(line) for line in torch("task", "route", "--json", cwd=tmp_path).out.splitlines()
    ]
    assert [one["agent"] for one in again] == [None]


def test_no_task_goes_to_whom_no_message_reaches(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """A shell would run a task as commands, and of some programs no screen is known."""
    pane = tmux.new_session("t", "exec sh", directory=tmp_path)
    assert torch("adopt", pane.id, "shell").code == 0
    with Store() as store:
        shell = store.agents.get("shell")
        assert shell is not None
        other = shell._replace(name="other", profile="other")
        asked = [why for one in (shell, other) if (why := assignment._unreachable(store, one))]
    assert [one.split(":")[0] for one in asked] == [
        "it is a shell, which gets no messages",
        "messages to it are held",
    ]
    made = torch("task", "add", "touch here", "--json", "--anywhere").json["id"]
    routed = torch("task", "route", "--explain", cwd=tmp_path)
    assert f"waits  {made}" in routed.out
    assert "not shell: it is a shell, which gets no messages" in routed.err
    by_hand = torch("task", "assign", made, "shell")
    assert by_hand.code == USAGE
    assert "run the message as commands; nothing was done" in by_hand.err
    assert torch("task", "show", made, "--json").json["agent"] is None
    assert torch("task", "assign", made, "shell", "--no-send").code == 0


def test_a_task_is_given_at_the_end_of_a_turn(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Who reports a finished task is still in its turn when the next task becomes free by it."""
    dev = spawn_demo(tmux, torch, tmp_path / "dev", "--work", "5", name="dev")
    first = torch("task", "add", "first", "--json", "--anywhere").json["id"]
    second = torch("task", "add", "second", "--json", "--anywhere").json["id"]
    assert torch("send", "dev", "work on this").code == 0
    at_once = torch("task", "route", "--no-send", cwd=tmp_path)
    assert (at_once.code, f"waits  {first}  first" in at_once.out) == (0, True)
    assert "no agent can take it now; after the present turn: dev" in at_once.err
    assert "'torch task route --wait 120' waits for the end of that turn" in at_once.err
    done = torch("task", "route", "--wait", "60", cwd=tmp_path)
    assert (done.code, f"assigned  {first}  dev" in done.out) == (0, True)
    assert f"waits  {second}  second" in done.out, "it has one now, and is not waited for"
    assert f"{first} waits, for dev" in done.err
    wait_until(lambda: len(dev.submitted()) == 2, what="the order")


def test_a_turn_that_does_not_end_in_time_is_said(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "dev", "--work", "60", name="dev")
    one = torch("task", "add", "one", "--json", "--anywhere").json["id"]
    assert torch("send", "dev", "work on this").code == 0
    done = torch("task", "route", "--wait", "1", "--json", cwd=tmp_path)
    assert (done.code, done.json["task"], done.json["agent"]) == (TIMED_OUT, one, None)
    both = torch("task", "route", "--wait", "1", "--dry-run")
    assert (both.code, "nothing was done" in both.err) == (USAGE, True)


def test_what_another_took_meanwhile_is_said_to_be_taken(
    agents: dict[str, DemoAgent], torch: Torch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a run that gives tasks, "would go" would be untrue."""
    python = torch("task", "add", "py", "--skill", "Python", "--json", "--anywhere").json["id"]
    before = assignment.decide

    def decide_late(store: Store, *given: Any) -> list[Choice]:
        choices = before(store, *given)
        claim(
            store,
            next(one for one in store.agents.all() if one.name == "ops"),
            Actor(None),
            choices[0].task,
            (),
        )
        return choices

    monkeypatch.setattr(assignment, "decide", decide_late)
    with Store() as store:
        rules, socket = Rules(), torch.socket
        decided = partial(decide_as, store, socket, Actor(None), rules)
        ((choice, task),) = give_in_time(store, decided, Actor(None), 0.0)
    assert (choice.task.id, choice.agent, task) == (python, None, None)
    assert choice.why == "it was taken by another: ops"
