"""What a scheduler does for teams: briefing again, reminders, tasks given out, pools."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from test_agreement import NAMES, said
from test_task import agent as registered
from test_task import mine
from test_task import new as new_task
from torch_cli import capacity, procs
from torch_cli.errors import RefusedError
from torch_cli.lifecycle.did import Did
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.tasks import Task
from torch_cli.store.teams import Accepted, MemberKind, Started
from torch_cli.tasks import life as tasks
from torch_cli.teamfile.described import MIB, Pool, Team
from torch_cli.teamfile.load import load_team
from torch_cli.teams import pool, rebrief
from torch_cli.teams.remind import Reminded, remind
from torch_cli.teams.trust import digest_of
from torch_cli.teams.upkeep import Upkeep

MINUTE = 60.0


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        registered(opened, "boss", role="orchestrator", profile="demo")
        registered(opened, "pm", role="project-manager", parent="boss", profile="demo")
        registered(opened, "dev", role="developer", parent="pm", profile="demo")
        registered(opened, "qa", role="qa", parent="pm", profile="demo")
        yield opened


def known(store: Store, name: str) -> Agent:
    agent = store.agents.get(name)
    assert agent is not None
    return agent


def team(tmp_path: Path, text: str) -> Team:
    agents = "".join(f'[[agent]]\nname = "{name}"\nprofile = "demo"\n' for name in NAMES)
    (tmp_path / "torch.toml").write_text(f"{text}\n{agents}")
    return load_team(str(tmp_path / "torch.toml"))


def accept(store: Store, team: Team) -> None:
    """Note the file as one that a person has accepted: this process passes for the agents here."""
    store.teams.accept(team.path, Accepted(digest_of(team), team.text, time.time()))


def enlist(store: Store, team: Team, *names: str) -> None:
    """Write agents down as members that the team has brought up, by a file that was accepted."""
    accept(store, team)
    for name in names:
        identity = known(store, name).identity
        spec = {"environment": ""}
        store.teams.add(Started(team.path, name, MemberKind.AGENT, spec, agent=identity))


def inbox(store: Store, name: str) -> list[str]:
    return [
        one.body for one in store.messages.inbox(known(store, name), 100) if one.sender == "torch"
    ]


# -- reminders -------------------------------------------------------------------------------------


def reminded(store: Store, team: Team, later: float = 0.0) -> list[Reminded]:
    return list(remind(store, team, time.time() + later))


def test_the_agent_is_reminded_first_and_its_parent_if_that_does_not_help(
    store: Store, tmp_path: Path
) -> None:
    rules = team(tmp_path, '[agreement]\nblocked_at_most = "10m"\nparent_after = "5m"')
    dev = known(store, "dev")
    task = tasks.block(store, mine(store, dev, new_task(store)), Actor(dev), "no key")
    assert reminded(store, rules, 9 * MINUTE) == []
    (one,) = reminded(store, rules, 11 * MINUTE)
    assert (one.agent.name, one.told) == ("dev", "dev")
    (text,) = inbox(store, "dev")
    assert f"{task.id} blocked for 11 min" in text
    assert "torch send pm --kind escalation" in text
    assert reminded(store, rules, 12 * MINUTE) == [], "once is enough"
    assert inbox(store, "pm") == []
    (again,) = reminded(store, rules, 17 * MINUTE)
    assert (again.agent.name, again.told) == ("dev", "pm")
    (text,) = inbox(store, "pm")
    assert "'dev'" in text
    assert "reminded 6 min ago, and it still holds" in text
    assert reminded(store, rules, 60 * MINUTE) == []
    assert len(inbox(store, "dev")) == 1


def test_what_was_mended_is_forgotten(store: Store, tmp_path: Path) -> None:
    rules = team(tmp_path, '[agreement]\nblocked_at_most = "10m"')
    dev = known(store, "dev")
    task = tasks.block(store, mine(store, dev, new_task(store)), Actor(dev), "no key")
    assert len(reminded(store, rules, 11 * MINUTE)) == 1
    task = tasks.start(store, task, Actor(dev))
    assert reminded(store, rules, 18 * MINUTE) == []
    assert store.reminders.of(rules.path) == []
    tasks.block(store, task, Actor(dev), "again")
    assert [one.told for one in reminded(store, rules, 11 * MINUTE)] == ["dev"]


def test_what_a_message_breaks_is_told_to_the_parent_when_it_is_done_again(
    store: Store, tmp_path: Path
) -> None:
    rules = team(tmp_path, '[agreement]\nmay_message = { dev = ["parent"] }')
    said(store, "dev", "boss")
    said(store, "dev", "qa")
    assert [one.told for one in reminded(store, rules)] == ["dev"], "one word for both"
    assert reminded(store, rules, 30 * MINUTE) == []
    said(store, "dev", "boss")
    assert [one.told for one in reminded(store, rules)] == ["pm"]
    said(store, "dev", "boss")
    assert reminded(store, rules) == []


def test_without_a_parent_people_are_told(store: Store, tmp_path: Path) -> None:
    rules = team(tmp_path, '[agreement]\nack_within = "1m"\nparent_after = "1m"')
    store.briefings.add("m-1", known(store, "boss").identity, "orchestrator")
    assert [one.told for one in reminded(store, rules, 2 * MINUTE)] == ["boss"]
    assert [one.told for one in reminded(store, rules, 4 * MINUTE)] == [""]


def test_nobody_is_reminded_where_the_file_says_so(store: Store, tmp_path: Path) -> None:
    rules = team(tmp_path, "[agreement]\nmay_message = { dev = [] }\nremind = false")
    enlist(store, rules, *NAMES)
    said(store, "dev", "boss")
    assert list(Upkeep().run(store, time.time())) == []
    accept(store, team(tmp_path, "[agreement]\nmay_message = { dev = [] }"))
    (did,) = Upkeep().run(store, time.time())
    assert (did.what, did.agent) == ("remind", "dev")


def test_a_team_file_that_cannot_be_read_is_said_once(store: Store, tmp_path: Path) -> None:
    enlist(store, team(tmp_path, ""), "dev")
    (tmp_path / "torch.toml").write_text("[[")
    upkeep = Upkeep()
    (did,) = upkeep.run(store, time.time())
    assert did.error is not None
    assert list(upkeep.run(store, time.time() + 99)) == []


def spoiled(place: Path, how: str) -> None:
    """Put something in the place of a team's file that should stop nobody else."""
    if how == "pipe":
        place.unlink()
        os.mkfifo(place)
    elif how == "nested":
        place.write_text("x = " + "[" * 20_000)
    else:
        place.write_text("[agreement]\nremind = true\n[[agent]]\nname = 'a'\nafter = ['a']")


@pytest.mark.parametrize("how", ["pipe", "nested", "circle"])
def test_one_teams_bad_file_stops_no_other_team(store: Store, tmp_path: Path, how: str) -> None:
    for name in ("a-bad", "b-good"):
        (tmp_path / name).mkdir()
        enlist(store, team(tmp_path / name, "[agreement]\nmay_message = { dev = [] }"), "dev")
    spoiled(tmp_path / "a-bad/torch.toml", how)
    said(store, "dev", "boss")
    bad, good = Upkeep().run(store, time.time())
    assert bad.error is not None
    assert str(tmp_path / "a-bad") in bad.error.message
    assert (good.what, good.agent) == ("remind", "dev")


def test_what_nobody_foresaw_stops_no_other_team(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a-bad", "b-good"):
        (tmp_path / name).mkdir()
        enlist(store, team(tmp_path / name, "[agreement]\nmay_message = { dev = [] }"), "dev")
    said(store, "dev", "boss")

    def load(path: str) -> Team:
        if "a-bad" in path:
            raise ZeroDivisionError("a fault of Torch's own")
        return load_team(path)

    monkeypatch.setattr("torch_cli.teams.upkeep.load_team", load)
    bad, good = Upkeep().run(store, time.time())
    assert bad.error is not None
    assert "a fault of Torch's own" in bad.error.message
    assert good.what == "remind"


# -- briefing again --------------------------------------------------------------------------------


def test_who_has_forgotten_is_briefed_again_with_its_tasks(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / "briefings").mkdir(parents=True)
    template = project / "briefings" / "short.md"
    template.write_text("You are {{ agent }} under {{ parent }}.\n")
    dev = spawn_demo(tmux, torch, project, name="dev")
    with Store() as store:
        agent = known(store, "dev")
        message = said(store, "", "dev", body="old words")
        store.briefings.add(message, agent.identity, "short")
        store.briefings.acknowledge(agent.identity, "")
        task = mine(store, agent, new_task(store, title="{{ x }} #{y}"))
        assert list(rebrief.due(store, time.time() + 999)) == []
    assert torch("command", "dev", "/compact").code == 0

    def due() -> list[rebrief.Again]:
        with Store() as store:
            return list(rebrief.due(store, time.time()))

    wait_until(due, what="the report of the hook")
    ticked = torch("tick", "--json")
    (did,) = [json.loads(line) for line in ticked.out.splitlines() if '"what"' in line]
    assert (did["what"], did["agent"]) == ("brief", "dev")
    (text,) = dev.submitted()
    assert "because your context was compacted" in text
    assert "You are dev under ." in text
    assert f"- {task.id} (claimed): {{{{ x }}}} #{{y}}" in text
    assert "run `torch ack`" in text
    assert "short, not acknowledged" in torch("ps").out
    assert due() == [], "once"
    template.unlink()
    assert torch("command", "dev", "/compact").code == 0
    wait_until(due, what="the report of the hook")
    assert torch("tick").code == 0
    again = dev.submitted()[1]
    assert "old words" in again, "as it was at first, if it is gone"
    assert again.count("This is your briefing again") == 1


def test_who_was_started_again_is_briefed_if_nobody_else_does(store: Store) -> None:
    dev = known(store, "dev")
    store.briefings.add(said(store, "", "dev", body="Words."), dev.identity, "-")
    store.agents.ready("dev", "")
    assert list(rebrief.due(store, time.time() + 999)) == []
    again = store.agents.add(dev._replace(created=time.time(), ready=None), instead_of=dev)
    assert again.identity == dev.identity
    assert list(rebrief.due(store, time.time() + 999)) == [], "its input was never ready"
    store.agents.ready("dev", "")
    assert list(rebrief.due(store, time.time())) == [], "whoever started it may brief it"
    (one,) = rebrief.due(store, time.time() + 61)
    rebrief.brief_again(store, one)
    assert list(rebrief.due(store, time.time() + 61)) == []
    (text,) = inbox(store, "dev")
    assert "you were restarted.\n\nWords." in text


# -- tasks -----------------------------------------------------------------------------------------


def test_tasks_are_given_to_the_teams_agents(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    dev = spawn_demo(tmux, torch, project, name="dev")
    spawn_demo(tmux, torch, tmp_path / "other", name="stranger")
    file = project / "torch.toml"
    file.write_text('[tasks]\nroute = true\nstrategy = "round-robin"\n[[agent]]\nname = "dev"\n')
    elsewhere = torch("task", "add", "elsewhere", "--dir", str(tmp_path), "--priority", "high")
    first = torch("task", "add", "first", "--json", cwd=project).json["id"]
    second = torch("task", "add", "second", "--json", cwd=project).json["id"]
    assert elsewhere.code == 0
    with Store() as store:
        enlist(store, load_team(str(file)), "dev")
    daemon = scheduler.start(torch)
    wait_until(dev.submitted, what="the task")
    assert daemon.stop() == 0
    (order,) = dev.submitted()
    assert f"Task {first}: first" in order
    with Store() as store:
        states = {task.title: (task.state, task.holder) for task in store.tasks.all()}
        given = [entry for entry in store.tasks.history(first) if entry.verb == "assign"]
    assert states == {
        "elsewhere": ("open", ""),
        "first": ("claimed", "dev"),
        "second": ("open", ""),
    }, second
    assert [entry.actor for entry in given] == ["torch"]  # and not '', a person


# -- pools -----------------------------------------------------------------------------------------

POOLED = """\
[[pool]]
role = "developer"
name = "hand"
profile = "demo"
max = {most}
wait = "1s"
idle = "{idle}"
briefing = ""
"""


def names(torch: Torch) -> list[str]:
    return [json.loads(line)["name"] for line in torch("ps", "--json").out.splitlines()]


def test_pools_are_members_and_only_what_is_needed_is_started(tmp_path: Path) -> None:
    (tmp_path / "torch.toml").write_text(POOLED.format(most=3, idle="1m"))
    found = load_team(str(tmp_path / "torch.toml"))
    assert [(one.name, one.autostart) for one in found.members] == [
        ("hand-1", True),
        ("hand-2", False),
        ("hand-3", False),
    ]
    assert found.spare == {"hand-2", "hand-3"}
    assert (found.pools[0].wait, found.pools[0].idle, found.pools[0].least) == (1.0, 60.0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("role = 'x'", "pool needs 'max'"),
        ("role = 'x'\nmax = 1\nmin = 2", "4: 'min' is 2, but 'max' only 1"),
        ("role = 'x'\nmax = 65", "3: 'max' can be at most 64"),
        ("role = 'x'\nmax = 1\nworktree = 'y'", "did you mean 'worktrees'?"),
        ("role = 'x'\nmax = 1\nparent = 'y'", "no agent named 'y' to be the parent"),
        ("role = 'x'\nmax = 1\nprofile = 'demp'", "4: no profile named 'demp'; did you mean"),
    ],
)
def test_what_is_wrong_with_a_pool(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "torch.toml").write_text(f"[pool]\n{text}\n")
    with pytest.raises(RefusedError, match=re.escape(said)):
        load_team(str(tmp_path / "torch.toml"))


def test_a_pool_grows_while_tasks_wait_and_shrinks_when_it_is_idle(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    project = tmp_path / "my project"
    project.mkdir()
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
    (project / "torch.toml").write_text(POOLED.format(most=2, idle="1s"))
    assert torch("up", "--dir", str(project), env={"PATH": path}).code == 0
    assert names(torch) == ["hand-1"]
    first = torch("task", "add", "first", "--json", cwd=project).json["id"]
    assert torch("task", "claim", first, env={"TORCH_AGENT": "hand-1"}).code == 0
    second = torch("task", "add", "second", "--json", cwd=project).json["id"]
    daemon = scheduler.start(torch)
    wait_until(lambda: "hand-2" in names(torch), what="one more", timeout=60)
    wait_until(
        lambda: torch("task", "claim", second, env={"TORCH_AGENT": "hand-2"}).code == 0,
        what="its task",
    )
    third = torch("task", "add", "third", "--json", cwd=project).json["id"]  # 2 is all
    for identity, name in ((first, "hand-1"), (second, "hand-2")):
        assert torch("task", "done", identity, env={"TORCH_AGENT": name}).code == 0
    assert torch("task", "fail", third, "-m", "not wanted").code == 0
    wait_until(lambda: "hand-2" not in names(torch), what="its end", timeout=200)
    assert daemon.stop() == 0
    with Store() as store:
        done = [row[0] for row in store.database.query("SELECT verb FROM events")]
        assert [one.name for one in store.agents.all()] == ["hand-1"], "min is kept"
    assert "retire" in done
    assert torch("down", "--dir", str(project), env={"PATH": path}).code == 0
    assert tmux.run("list-panes", "-a").returncode != 0


def decided(store: Store, found: Team, later: float) -> list[tuple[str, str, str]]:
    return [(one.what, one.name, one.why) for one in pool.decide(store, found, time.time() + later)]


def test_a_pool_grows_only_as_far_as_rules_and_memory_allow(
    store: Store, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    file = tmp_path / "torch.toml"

    def pooled(more: str, head: str = "") -> Team:
        slow = POOLED.replace('wait = "1s"', 'wait = "5m"')
        file.write_text(head + slow.format(most=2, idle="1h") + more)
        return load_team(str(file))

    soon, later = 0.0, 400.0
    assert decided(store, pooled(""), later) == [], "nothing waits"
    task = new_task(store, skills=("sql",))
    assert decided(store, pooled(""), later) == [], "none of it could take the task"
    skilled = 'skills = ["sql"]\n'
    assert decided(store, pooled(skilled), soon) == [], "it has not waited long enough"
    (one,) = decided(store, pooled(skilled), later)
    assert one[:2] == ("grow", "hand-1")
    (one,) = decided(store, pooled(skilled, "[team]\nmax_agents = 4\n"), later)
    assert one == ("stay", "", f"{task.id} waits, and 4 agents are running: max_agents")
    (one,) = decided(store, pooled(skilled + "headroom_mib = 999999999\n"), later)
    assert one[:2] == ("stay", "")
    assert "MiB of memory are free, 1000000399 are needed" in one[2]
    for name in ("hand-1", "hand-2"):
        spawn_demo(tmux, torch, tmp_path / name, name=name)
        hold(store, known(store, name))
    enlist(store, pooled(skilled), "hand-1", "hand-2")
    (one,) = decided(store, pooled(skilled), later)
    assert one == ("stay", "", f"{task.id} waits, and all 2 are running: max")
    store.database.write("UPDATE agents SET ready = NULL WHERE name = 'hand-2'")
    (one,) = decided(store, pooled(skilled), later)
    assert one == ("stay", "", f"{task.id} waits, and hand-2 is not ready")


def hold(store: Store, agent: Agent) -> Task:
    """Give the agent a task, so that it is not free."""
    return mine(store, agent, new_task(store))


def test_a_pool_is_never_smaller_than_min_whoever_has_left(
    store: Store, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    file = tmp_path / "torch.toml"

    def pooled(least: int) -> Team:
        file.write_text(POOLED.format(most=3, idle="1s") + f"min = {least}\n")
        return load_team(str(file))

    day = 86_400.0
    assert decided(store, pooled(1), day) == [], "nobody has brought it up"
    demo = spawn_demo(tmux, torch, tmp_path / "hand-2", name="hand-2")
    enlist(store, pooled(1), "hand-2")
    assert decided(store, pooled(1), day) == [], "it is the only one, whatever its name"
    (one,) = decided(store, pooled(0), day)
    assert one == ("shrink", "hand-2", "it is idle, and no task waits")
    (one,) = decided(store, pooled(2), day)
    assert one == ("grow", "hand-1", "1 of 2 are running")
    os.kill(demo.pane.pid, signal.SIGKILL)
    wait_until(lambda: tmux.pane(demo.pane.id).dead, what="its end")
    (one,) = decided(store, pooled(1), 9)
    assert one == ("grow", "hand-1", "0 of 1 are running"), "not the one that has just ended"
    enlist(store, pooled(1), "hand-2")
    store.teams.add(Started(str(file), "hand-3", MemberKind.AGENT, {}))
    (one,) = decided(store, pooled(1), 9)
    assert one[2] == "0 of 1 are running, and hand-2, hand-3 ended soon after the start"
    (one,) = decided(store, pooled(1), day)
    assert one[:2] == ("grow", "hand-1"), "in time it is tried again"
    assert torch("stop", "hand-2").code == 0
    store.teams.remove(str(file), "hand-3")
    assert decided(store, pooled(1), day) == [], "what a person has stopped stays so"


def test_a_pool_is_of_its_own_agents_whatever_they_are_called(
    store: Store, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    def pooled(place: str, least: int) -> Team:
        file = tmp_path / place / "torch.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(POOLED.format(most=3, idle="1s") + f"min = {least}\n")
        return load_team(str(file))

    day = 86_400.0
    theirs, ours = pooled("theirs", 2), pooled("ours", 0)
    for name in ("hand-1", "hand-2"):
        spawn_demo(tmux, torch, tmp_path / "theirs", name=name)
    enlist(store, theirs, "hand-1", "hand-2")
    assert decided(store, theirs, day) == []
    assert decided(store, ours, day) == [], "the other team's agents are not its own"
    task = new_task(store, directory=str(tmp_path / "ours"))
    assert decided(store, ours, day) == [("grow", "hand-3", f"{task.id} waits")]
    assert torch("rename", "hand-1", "worker").code == 0
    assert decided(store, theirs, day) == [], "it is there under another name"


def test_what_one_takes_is_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    own = known(store, "dev")
    seen = capacity.used_by(own.program_pid)
    assert 5 * MIB < seen < 2000 * MIB
    assert capacity.used_by(2**22 + 1) == 0
    free = capacity.available()
    assert free > 50 * MIB
    monkeypatch.setattr(capacity, "available", lambda: free)  # others on the machine change it
    small = Pool(("x",), 0, memory=1, headroom=max(0, free - seen // 2))
    assert "are needed" in pool.memory_short(small, [own])
    assert pool.memory_short(Pool(("x",), 0, memory=1, headroom=0), [own]) == ""
    assert procs.alive(procs.Process(own.program_pid, own.program_started))


def test_a_containers_share_is_all_there_is(tmp_path: Path) -> None:
    free = capacity.available(tmp_path)
    assert free > 0
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert capacity.available(tmp_path) > 50 * MIB
    (tmp_path / "memory.max").write_text("6000\n")
    assert capacity.available(tmp_path) == 5000
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 300\n")
    assert capacity.available(tmp_path) == 5300


def test_what_goes_wrong_with_a_pool_is_said_once_and_rests(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "dev", name="dev")
    assert isinstance(demo, DemoAgent)
    file = tmp_path / "dev" / "torch.toml"
    file.write_text(POOLED.format(most=1, idle="1m").replace('"demo"', '"codex"'))
    torch("task", "add", "waits", "--anywhere")
    with Store() as store:
        enlist(store, load_team(str(file)), "dev")
        upkeep, now = Upkeep(), time.time() + 9
        (began,) = upkeep.run(store, now)
        assert (began.what, began.agent) == ("grow", "hand-1")
        found: list[Did] = []

        def said_so() -> bool:
            found.extend(upkeep.run(store, now))
            return any(one.error for one in found)

        wait_until(said_so, what="the error", timeout=60)
        (wrong,) = [one.error.message for one in found if one.error]
        assert "'hand-1' was not started" in wrong
        assert list(upkeep.run(store, now + 9)) == []
