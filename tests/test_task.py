"""Tasks: nobody takes one twice, each ends or returns, and done means shown."""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError, RefusedError, TimedOutError, TorchError
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import TASK_ENDED, TASK_HELD, Task, TaskState, skills_fit
from torch_cli.tasks import life as tasks
from torch_cli.tasks.record import records

PERSON = Actor(None)


def agent(store: Store, name: str, *, process: procs.Process | None = None, **more: str) -> Agent:
    """Register an agent whose program is ``process``, by default the test's own."""
    own = process or procs.identify(os.getpid())
    assert own is not None
    facts = {
        "profile": "demo",
        "origin": "spawned",
        "socket": "/s",
        "server": "/s|1|1",
        "pane": "%1",
    }
    facts |= {"session": "s", "window": name, "directory": str(Path.cwd()), **more}
    registered = Agent(
        name=name,
        pane_pid=own.pid,
        program_pid=own.pid,
        program_started=own.started,
        **facts,  # type: ignore[arg-type]
    )
    return store.agents.add(registered)


def new(store: Store, title: str = "a task", **more: object) -> Task:
    return tasks.add(store, Task(id="", title=title)._replace(**more))  # type: ignore[arg-type]


def mine(store: Store, one: Agent, task: Task | None = None) -> Task:
    taken = tasks.claim(store, one, Actor(one), task, ())
    assert taken is not None
    return taken


# -- taking one ------------------------------------------------------------------------------------


def test_no_task_is_taken_twice_by_32_at_once(store: Store) -> None:
    agents = [agent(store, f"a{n}") for n in range(32)]
    made = {new(store, f"task {n}").id for n in range(10)}

    def claim(one: Agent) -> str | None:
        with Store() as own:
            taken = tasks.claim(own, one, Actor(one), None, ())
            return taken.id if taken else None

    with ThreadPoolExecutor(32) as pool:
        taken = [identity for identity in pool.map(claim, agents) if identity]
    assert sorted(taken) == sorted(made)
    with ThreadPoolExecutor(32) as pool:
        one = new(store, "one more")

        def claim_it(who: Agent) -> bool:
            with Store() as own:
                try:
                    return tasks.claim(own, who, Actor(who), one, ()) is not None
                except HeldError:
                    return False

        assert sum(pool.map(claim_it, agents)) == 1


def test_processes_that_claim_at_once_share_the_tasks(store: Store, torch: Torch) -> None:
    names = [agent(store, f"a{n}").name for n in range(8)]
    made = {new(store, f"task {n}").id for n in range(5)}
    children = [
        subprocess.Popen(
            torch.argv("task", "claim", "--json"),
            env={**os.environ, "PYTHONPATH": str(SOURCE), "TORCH_AGENT": name},
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    said = [json.loads(child.communicate(timeout=2 * PATIENCE)[0])["id"] for child in children]
    assert sorted(one for one in said if one) == sorted(made)
    assert sorted(child.returncode for child in children) == [0] * 5 + [4] * 3


def test_the_most_urgent_that_fits_is_taken(store: Store) -> None:
    dev = agent(store, "dev")
    new(store, "low", priority=-1)
    new(store, "normal")
    new(store, "sql", priority=1, skills=("SQL",))
    first = new(store, "first", priority=1)
    new(store, "waits", priority=1, depends=(first.id,))
    assert mine(store, dev).title == "first"
    assert mine(store, dev).title == "normal"
    taken = tasks.claim(store, dev, Actor(dev), None, ("sql",))
    assert taken is not None
    assert taken.title == "sql"
    tasks.done(store, _task(store, first), Actor(dev), "")
    assert mine(store, dev).title == "waits"
    assert mine(store, dev).title == "low"
    assert tasks.claim(store, dev, Actor(dev), None, ()) is None
    assert skills_fit(("Python",), ("python", "sql"))
    assert not skills_fit(("python",), ())


def _task(store: Store, task: Task) -> Task:
    """Return the task as it is now."""
    fresh = store.tasks.get(task.id)
    assert fresh is not None
    return fresh


def test_what_waits_is_not_taken_by_name(store: Store) -> None:
    dev = agent(store, "dev")
    first = new(store)
    second = new(store, depends=(first.id[:5],))
    assert second.depends == (first.id,)
    with pytest.raises(HeldError, match=rf"waits for {first.id} \(open\)"):
        mine(store, dev, second)
    with pytest.raises(NotFoundError):
        new(store, depends=("t-nothing",))


# -- its life --------------------------------------------------------------------------------------


def test_a_task_goes_from_hand_to_hand(store: Store) -> None:
    dev, other = agent(store, "dev"), agent(store, "other")
    task = new(store)
    task = mine(store, dev, task)
    assert (task.state, task.holder, task.attempts) == ("claimed", "dev", 1)
    with pytest.raises(HeldError, match=r"is dev's \(claimed\)"):
        mine(store, other, task)
    task = tasks.start(store, task, Actor(dev))
    task = tasks.block(store, task, Actor(dev), "needs a key")
    assert (task.state, task.reason) == ("blocked", "needs a key")
    task = tasks.start(store, task, Actor(dev))
    with pytest.raises(RefusedError, match="is dev's: only it"):
        tasks.done(store, task, Actor(other), "")
    task = tasks.release(store, task, Actor(dev), "not my field")
    assert (task.state, task.holder) == (TaskState.OPEN, "")
    task = mine(store, other, task)
    assert task.attempts == 2
    task = tasks.done(store, task, Actor(other), "did it")
    assert task.state == TaskState.DONE
    with pytest.raises(HeldError, match="has ended"):
        tasks.start(store, task, PERSON)
    verbs = [entry.verb for entry in store.tasks.history(task.id)]
    assert verbs == ["add", "claim", "start", "block", "start", "release", "claim", "done"]


def test_who_made_it_the_parent_and_a_person_may_change_it(store: Store) -> None:
    pm = agent(store, "pm")
    dev = agent(store, "dev", parent="pm")
    maker = agent(store, "maker")
    for who in (Actor(pm), Actor(maker), PERSON):
        task = mine(store, dev, new(store, creator="maker"))
        assert tasks.fail(store, task, who, "stop").state == TaskState.FAILED


def test_who_has_nothing_to_do_with_an_open_task_may_not_end_it(store: Store) -> None:
    other = agent(store, "other")
    task = new(store, creator="maker")
    with pytest.raises(RefusedError, match="is in the pool: only who made the task"):
        tasks.fail(store, task, Actor(other), "no")
    assert tasks.fail(store, task, PERSON, "not needed").state == TaskState.FAILED


def test_done_needs_its_check(store: Store, tmp_path: Path) -> None:
    dev = agent(store, "dev", directory=str(tmp_path))
    code = "import sys, os; print(os.getcwd()); sys.exit(open('x').read() != 'ok')"
    check = (sys.executable, "-c", code)
    task = mine(store, dev, new(store, check=check))
    with pytest.raises(TorchError, match="exited with 1") as raised:
        tasks.done(store, task, Actor(dev), "")
    assert "No such file" in raised.value.message
    (tmp_path / "x").write_text("no")
    with pytest.raises(TorchError, match="it is not done"):
        tasks.done(store, task, Actor(dev), "")
    (tmp_path / "x").write_text("ok")
    ended = tasks.done(store, task, Actor(dev), "mended")
    assert ended.evidence["exit"] == 0
    assert ended.evidence["output"] == [str(tmp_path)]


@pytest.mark.parametrize(
    ("check", "error", "said"),
    [
        (("/no/such/program",), TorchError, "cannot be run"),
        (("sleep", "60"), TimedOutError, "took more than 0.5 s"),
        (("sh", "-c", "sleep 60 & sleep 60"), TimedOutError, "took more than 0.5 s"),
    ],
)
def test_a_check_that_does_not_run_or_end(
    store: Store, check: tuple[str, ...], error: type[TorchError], said: str
) -> None:
    dev = agent(store, "dev")
    task = mine(store, dev, new(store, check=check))
    with pytest.raises(error, match=said):
        tasks.done(store, task, Actor(dev), "", timeout=0.5)
    assert _task(store, task).state == "claimed"


def test_words_of_a_check_are_words_and_no_shell(store: Store, tmp_path: Path) -> None:
    dev = agent(store, "dev", directory=str(tmp_path))
    task = mine(store, dev, new(store, check=("echo", "$(touch ran) `touch ran` #{pane_id}; x")))
    ended = tasks.done(store, task, Actor(dev), "")
    assert ended.evidence["output"] == ["$(touch ran) `touch ran` #{pane_id}; x"]
    assert not (tmp_path / "ran").exists()


def test_a_task_that_was_lost_during_its_check_is_not_done(store: Store, tmp_path: Path) -> None:
    dev, other = agent(store, "dev", directory=str(tmp_path)), agent(store, "other")
    task = mine(store, dev, new(store, check=("true",)))
    tasks.release(store, task, PERSON, "")
    mine(store, other, _task(store, task))
    with pytest.raises(HeldError, match="is now with other"):
        tasks.done(store, task, Actor(dev), "")


# -- back to the pool ------------------------------------------------------------------------------


def test_the_task_of_an_agent_that_is_gone_returns(store: Store) -> None:
    child = subprocess.Popen(["sleep", "60"])
    dev = agent(store, "dev", process=procs.identify(child.pid))
    task = mine(store, dev, new(store))
    blocked = tasks.block(store, mine(store, dev, new(store)), Actor(dev), "waits")
    assert tasks.reap(store, time.time()) == []
    child.kill()
    child.wait()
    assert {one.id for one in tasks.reap(store, time.time())} == {task.id, blocked.id}
    assert _task(store, task).reason == "its agent's program has ended"
    last = store.tasks.history(task.id)[-1]
    assert (last.verb, last.actor) == ("return", "torch")
    (record,) = records(store)
    assert (record.name, record.taken, record.returned, record.rate) == ("dev", 2, 2, None)


def test_the_task_of_an_agent_that_was_stopped_returns(store: Store) -> None:
    dev = agent(store, "dev")
    mine(store, dev, new(store))
    store.agents.stopped("dev")
    assert len(tasks.reap(store, time.time())) == 1


def test_a_silent_agent_loses_its_task_and_activity_keeps_it(store: Store) -> None:
    dev = agent(store, "dev")
    task = mine(store, dev, new(store, lease=60.0))
    now = time.time()
    assert tasks.reap(store, now + 30) == []
    store.database.write(
        "INSERT INTO hook_events (at, socket, pane, agent, name, session, prompt, detail)"
        " VALUES (?, '/s', '%1', 'dev', 'PostToolUse', '', '', '{}')",
        now + 50,
    )
    assert tasks.reap(store, now + 100) == []
    (lost,) = tasks.reap(store, now + 111)
    assert (lost.id, lost.state) == (task.id, TaskState.OPEN)
    assert "silent for 1 min" in lost.reason


def test_who_waits_for_somebody_else_is_not_silent(store: Store) -> None:
    dev = agent(store, "dev")
    tasks.block(store, mine(store, dev, new(store, lease=60.0)), Actor(dev), "needs a key")
    assert tasks.reap(store, time.time() + 86_400) == []


class Life(RuleBasedStateMachine):
    """Whatever agents do, a task is one agent's or the pool's, and ends once."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.store.database.write("DELETE FROM tasks")
        self.agents = [
            self.store.agents.get(f"a{n}") or agent(self.store, f"a{n}") for n in range(3)
        ]
        self.ended: dict[str, str] = {}

    def teardown(self) -> None:
        self.store.close()

    def every(self) -> list[Task]:
        return self.store.tasks.all(ended=True)

    @rule(after=st.integers(0, 3))
    def add(self, after: int) -> None:
        new(self.store, depends=tuple(task.id for task in self.every()[:after]))

    @rule(who=st.integers(0, 2))
    def claim(self, who: int) -> None:
        one = self.agents[who]
        taken = tasks.claim(self.store, one, Actor(one), None, ())
        assert taken is None or (taken.holder == one.name and not self.store.tasks.unmet(taken))

    @precondition(lambda self: self.every())
    @rule(
        which=st.integers(0, 20),
        who=st.integers(-1, 2),
        verb=st.sampled_from(["start", "block", "release", "fail", "done"]),
    )
    def act(self, which: int, who: int, verb: str) -> None:
        every = self.every()
        task = every[which % len(every)]
        doer = Actor(self.agents[who]) if who >= 0 else PERSON
        words = () if verb == "start" else ("why",)
        try:
            changed = getattr(tasks, verb)(self.store, task, doer, *words)
        except (HeldError, RefusedError):
            return
        assert task.state not in TASK_ENDED
        if changed.state in TASK_ENDED:
            self.ended[changed.id] = changed.state

    @precondition(lambda self: self.every())
    @rule(which=st.integers(0, 20), to=st.integers(0, 2))
    def pass_on(self, which: int, to: int) -> None:
        every = self.every()
        task, one = every[which % len(every)], self.agents[to]
        try:
            taken = tasks.pass_on(self.store, task, one, PERSON)
        except HeldError:
            assert task.state in TASK_ENDED
            return
        assert (taken.holder, taken.state) == (one.name, "claimed")

    @rule()
    def time_passes(self) -> None:
        for task in tasks.reap(self.store, time.time() + 10_000):
            assert task.state == TaskState.OPEN

    @invariant()
    def each_is_somebodys_or_the_pools(self) -> None:
        for task in self.every():
            assert (task.state in TASK_HELD) == bool(task.agent) or task.state in TASK_ENDED
            assert task.state == self.ended.get(task.id, task.state)


def test_the_life_of_tasks(store: Store) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Life, settings=settings(max_examples=30, stateful_step_count=25))


# -- the commands ----------------------------------------------------------------------------------


@pytest.fixture
def pair(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> tuple[DemoAgent, DemoAgent]:
    pm = spawn_demo(tmux, torch, tmp_path / "pm project", name="pm")
    return pm, spawn_demo(tmux, torch, tmp_path / "dev project", name="dev")


def test_a_task_is_given_done_and_told(pair: tuple[DemoAgent, DemoAgent], torch: Torch) -> None:
    pm, dev = pair
    as_pm, as_dev = {"TORCH_AGENT": "pm"}, {"TORCH_AGENT": "dev"}
    words = ("task", "add", "Mend 'it' {{ now }}", "--body", "-", "--criteria", "It works.")
    made = torch(
        *words, "--json", "--", "test", "-e", "mended", input='many\n"lines" #{pane_id}', env=as_pm
    )
    assert made.code == 0, made.err
    identity = made.json["id"]
    given = torch("task", "assign", identity, "dev", env=as_pm)
    assert (given.code, "confirmed" in given.err) == (0, True), given.err
    (order,) = dev.submitted()
    assert f"Task {identity}: Mend 'it' {{{{ now }}}}" in order
    assert 'many\n"lines" #{pane_id}' in order
    assert "Its check: test -e mended" in order
    assert torch("task", "start", identity, env=as_dev).code == 0
    early = torch("task", "done", identity, env=as_dev)
    assert (early.code, "exited with 1" in early.err) == (1, True)
    (dev.directory / "mended").touch()
    done = torch("task", "done", identity, "-m", "Mended.", env=as_dev)
    assert (done.code, "done" in done.out) == (0, True), done.err
    (told,) = pm.submitted()
    assert f"Task {identity} is done" in told
    assert "Mended." in told
    shown = torch("task", "show", identity)
    assert re.search(r"done +Mended\.", shown.out), shown.out
    stats = torch("task", "stats", "--json").json
    assert (stats["name"], stats["done"], stats["rate"]) == ("dev", 1, 1.0)


def test_the_list_says_who_and_what_for(pair: tuple[DemoAgent, DemoAgent], torch: Torch) -> None:
    first = torch("task", "add", "first", "--priority=high", "--anywhere", "--json").json["id"]
    second = torch("task", "add", "second", "--after", first, "--skill", "sql", "--json").json["id"]
    assert torch("task", "claim", env={"TORCH_AGENT": "dev"}).out.startswith(f"claimed  {first}")
    lines = torch("task", "list").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [[first, "claimed"], [second, "open"]]
    assert lines[1].split()[2] == "dev"
    assert f"waits for {first}" in lines[2]
    assert second not in torch("task", "list", "--mine", env={"TORCH_AGENT": "dev"}).out
    nothing = torch("task", "claim", env={"TORCH_AGENT": "dev"})
    assert (nothing.code, "no task that you can take" in nothing.err) == (4, True)
    for words, code in (
        (("claim",), 2),
        (("list", "--mine"), 2),
        (("show", "t-zz"), 3),
        (("assign", second, "nobody"), 3),
        (("assign", second, "dev"), 4),
        (("done", second), 4),
        (("add", " "), 2),
        (("add", "x", "--lease", "soon"), 2),
    ):
        assert torch("task", *words).code == code, words


def test_the_daemon_and_tick_return_the_task_of_an_agent_that_died(
    pair: tuple[DemoAgent, DemoAgent], torch: Torch
) -> None:
    _, dev = pair
    made = [torch("task", "add", f"task {n}", "--json").json["id"] for n in range(2)]
    for identity in made:
        assert torch("task", "assign", identity, "dev", "--no-send").code == 0
    daemon = scheduler.start(torch)
    dev.kill()

    def states() -> list[str]:
        with Store() as own:
            return [one.state for one in own.tasks.all()]

    wait_until(lambda: states() == [TaskState.OPEN, TaskState.OPEN], what="both in the pool")
    assert daemon.stop() == 0
    torch("task", "assign", made[0], "pm", "--no-send")
    pair[0].kill()
    wait_until(
        lambda: torch("tick").code == 0 and states() == [TaskState.OPEN, TaskState.OPEN],
        what="by tick",
    )
