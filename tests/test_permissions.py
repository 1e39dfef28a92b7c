"""What an agent of a team may not do is refused by whatever does it, however it is called."""

import ast
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import pytest

import torch_cli
from agent import DemoAgent, spawn_demo
from conftest import TmuxServer
from conftest import Torch as Command
from repository import Repository
from test_command_line import commands
from torch_cli import Torch
from torch_cli.attention.answer import answer
from torch_cli.attention.mute import mute
from torch_cli.cli.group import torch as group
from torch_cli.delivery import outbox
from torch_cli.delivery.ask import ask
from torch_cli.delivery.send import Request, send
from torch_cli.errors import RefusedError
from torch_cli.health.policy import set_policy
from torch_cli.lifecycle.adopting import adopt
from torch_cli.lifecycle.begin import begin
from torch_cli.lifecycle.freeze import freeze, thaw
from torch_cli.lifecycle.hibernate import hibernate
from torch_cli.lifecycle.move import Destination, move
from torch_cli.lifecycle.rename import rename
from torch_cli.lifecycle.restart import plan_restart
from torch_cli.lifecycle.spawn import SpawnOrder
from torch_cli.lifecycle.stop import stop
from torch_cli.pressing.mode import set_mode
from torch_cli.pressing.press import press
from torch_cli.profiling.install import candidates, install, remove
from torch_cli.programs.loading import STOCK
from torch_cli.roster.actor import actor
from torch_cli.roster.registry import profiles_dir
from torch_cli.schedule import checkin as checkins
from torch_cli.schedule.firing import run_now
from torch_cli.schedule.trigger import once_in
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import new_id, new_message
from torch_cli.store.tasks import Task
from torch_cli.store.teams import MemberKind, Started
from torch_cli.tasks import life as tasks
from torch_cli.tasks.delegate import NewAgent, delegate
from torch_cli.teamfile.load import load_team
from torch_cli.teams.down import down
from torch_cli.teams.plan import plan
from torch_cli.teams.retire import hand_over, retire
from torch_cli.teams.trust import accept
from torch_cli.teams.up import up
from torch_cli.uninstall.parts import parts

TEAM = """\
[team]
spawners = ["project-manager"]
[agreement]
enforce = true
may_message = { developer = [] }
[[agent]]
name = "pm"
role = "project-manager"
profile = "demo"
[[agent]]
name = "dev"
role = "developer"
profile = "demo"
parent = "pm"
[[agent]]
name = "qa"
profile = "demo"
parent = "pm"
"""
"""A team whose member ``dev`` may write to nobody and start nobody, and has nobody below it."""


class World(NamedTuple):
    """A team, and what there is that ``dev``, for which this process works, may not touch."""

    api: Torch
    store: Store
    tmux: TmuxServer
    pm: DemoAgent
    file: str
    checkin: str
    held: Task
    free: Task
    message: str

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return all that the store has of what could have been done."""
        names = ("agents", "checkins", "runs", "tasks", "messages", "team_members", "events")
        query = self.store.database.query
        return {name: [tuple(row) for row in query(f"SELECT * FROM {name}")] for name in names}


class Verb(NamedTuple):
    """One way to do something to ``pm``, or to what is not ``dev``'s: the deed, and its command."""

    deed: Callable[[World], object]
    words: Callable[[World], tuple[str, ...]]
    code: str = "not-yours"


def _request(**more: object) -> Request:
    return Request("pm", b"no", **more)  # type: ignore[arg-type]


def _checkin(w: World) -> object:
    order = checkins.CheckinOrder("pm", b"no", once_in("1m", time.time(), "UTC"))
    return checkins.add(w.store, w.tmux.socket, order, time.time())


def _up(w: World) -> object:
    team = load_team(w.file)
    return list(up(w.store, w.tmux.socket, team, plan(w.store, team, ())))


def _delegate(w: World) -> object:
    child = NewAgent("x", "developer", "demo", os.getcwd())
    return delegate(w.store, w.tmux.socket, actor(w.store), w.free, child)


def _claim(w: World) -> object:
    pm = w.store.agents.get("pm")
    assert pm is not None
    return tasks.claim(w.store, pm, actor(w.store), w.free, ())


WRITE = "may-not-message"
PROFILE = os.path.join(STOCK, "demo.toml")
VERBS = {
    "stop": Verb(lambda w: stop(w.store, "pm"), lambda w: ("stop", "pm")),
    "restart": Verb(lambda w: plan_restart(w.store, "pm"), lambda w: ("restart", "pm", "--yes")),
    "freeze": Verb(lambda w: freeze(w.store, "pm"), lambda w: ("freeze", "pm")),
    "hibernate": Verb(lambda w: hibernate(w.store, "pm"), lambda w: ("hibernate", "pm")),
    "thaw": Verb(lambda w: thaw(w.store, "pm"), lambda w: ("thaw", "pm")),
    "health": Verb(
        lambda w: set_policy(w.store, "pm", restart="always"),
        lambda w: ("health", "pm", "--restart", "always"),
    ),
    "forget": Verb(
        lambda w: stop(w.store, "pm", forget=True), lambda w: ("stop", "pm", "--forget")
    ),
    "retire": Verb(lambda w: retire(w.store, "pm", deadline=0), lambda w: ("retire", "pm")),
    "rename": Verb(lambda w: rename(w.store, "pm", "x"), lambda w: ("rename", "pm", "x")),
    "move": Verb(
        lambda w: move(w.store, w.tmux.socket, "pm", Destination("y", create=True)),
        lambda w: ("move", "pm", "--session", "y", "--create"),
    ),
    "outbox cancel": Verb(
        lambda w: outbox.cancel(w.store, w.message), lambda w: ("outbox", "cancel", w.message)
    ),
    "outbox edit": Verb(
        lambda w: outbox.edit(w.store, w.message, b"no"),
        lambda w: ("outbox", "edit", w.message, "no"),
    ),
    "outbox retry": Verb(
        lambda w: outbox.retry(w.store, w.message, expires=None),
        lambda w: ("outbox", "retry", w.message),
    ),
    "handoff": Verb(
        lambda w: hand_over(w.store, w.tmux.socket, "pm", "dev", deadline=0),
        lambda w: ("handoff", "pm", "dev", "--deadline", "0"),
    ),
    "adopt": Verb(
        lambda w: adopt(w.store, w.tmux.socket, "other:", "qa", "demo"),
        lambda w: ("adopt", "other:", "qa", "--profile", "demo"),
        "name-kept",
    ),
    "spawn": Verb(
        lambda w: begin(w.tmux.socket, SpawnOrder(name="x", profile="demo", directory=".")),
        lambda w: ("spawn", "x", "--profile", "demo"),
        "limit",
    ),
    "down": Verb(
        lambda w: list(down(w.store, w.file)), lambda w: ("down", "--dir", os.path.dirname(w.file))
    ),
    "up": Verb(_up, lambda w: ("up", "--dir", os.path.dirname(w.file)), "untrusted"),
    "trust": Verb(
        lambda w: accept(w.store, load_team(w.file)),
        lambda w: ("trust", "--dir", os.path.dirname(w.file)),
    ),
    "profile install": Verb(
        lambda w: install(w.store, candidates(w.store, PROFILE)),
        lambda w: ("profile", "install", PROFILE),
    ),
    "profile remove": Verb(
        lambda w: remove(w.store, "mine"), lambda w: ("profile", "remove", "mine")
    ),
    "uninstall": Verb(
        lambda w: parts(checkpoints=False, state=False), lambda w: ("uninstall", "--yes")
    ),
    "send": Verb(lambda w: send(w.tmux.socket, _request()), lambda w: ("send", "pm", "no"), WRITE),
    "ask": Verb(lambda w: ask(w.tmux.socket, _request()), lambda w: ("ask", "pm", "no"), WRITE),
    "command": Verb(
        lambda w: send(w.tmux.socket, _request(command=True)),
        lambda w: ("command", "pm", "/clear"),
        WRITE,
    ),
    "broadcast": Verb(
        lambda w: send(w.tmux.socket, _request(kind="broadcast")),
        lambda w: ("broadcast", "no", "--everywhere"),
        WRITE,
    ),
    "press": Verb(
        lambda w: press(w.store, w.tmux.socket, "pm", ["Escape"], None),
        lambda w: ("press", "pm", "Escape"),
        WRITE,
    ),
    "answer": Verb(
        lambda w: answer(w.store, w.tmux.socket, "pm", "1", "0" * 12),
        lambda w: ("answer", "pm", "1", "--hash", "0" * 12),
        WRITE,
    ),
    "mode": Verb(
        lambda w: set_mode(w.store, w.tmux.socket, "pm", "plan"),
        lambda w: ("mode", "pm", "plan"),
        WRITE,
    ),
    "checkin add": Verb(_checkin, lambda w: ("checkin", "add", "pm", "no", "--in", "1m"), WRITE),
    "checkin remove": Verb(
        lambda w: checkins.cancel(w.store, w.checkin),
        lambda w: ("checkin", "remove", w.checkin),
    ),
    "checkin cancel": Verb(
        lambda w: checkins.cancel(w.store, w.checkin),
        lambda w: ("checkin", "cancel", w.checkin),
    ),
    "checkin pause": Verb(
        lambda w: checkins.pause(w.store, w.checkin), lambda w: ("checkin", "pause", w.checkin)
    ),
    "checkin resume": Verb(
        lambda w: checkins.resume(w.store, w.checkin, time.time()),
        lambda w: ("checkin", "resume", w.checkin),
    ),
    "checkin snooze": Verb(
        lambda w: checkins.snooze(w.store, w.checkin, 60.0, time.time()),
        lambda w: ("checkin", "snooze", w.checkin, "1m"),
    ),
    "checkin run": Verb(
        lambda w: run_now(w.store, checkins.find_checkin(w.store, w.checkin), time.time()),
        lambda w: ("checkin", "run", w.checkin),
    ),
    "task assign": Verb(_claim, lambda w: ("task", "assign", w.free.id, "pm"), WRITE),
    "mute": Verb(lambda w: mute(w.store, "pm", 60.0), lambda w: ("mute", "pm", "1m")),
    "task delegate": Verb(
        _delegate, lambda w: ("task", "delegate", w.free.id, "--profile", "demo"), "limit"
    ),
    "task start": Verb(
        lambda w: tasks.start(w.store, w.held, actor(w.store)),
        lambda w: ("task", "start", w.held.id),
    ),
    "task block": Verb(
        lambda w: tasks.block(w.store, w.held, actor(w.store), ""),
        lambda w: ("task", "block", w.held.id),
    ),
    "task release": Verb(
        lambda w: tasks.release(w.store, w.held, actor(w.store), ""),
        lambda w: ("task", "release", w.held.id),
    ),
    "task fail": Verb(
        lambda w: tasks.fail(w.store, w.held, actor(w.store), ""),
        lambda w: ("task", "fail", w.held.id),
    ),
    "task done": Verb(
        lambda w: tasks.done(w.store, w.held, actor(w.store), ""),
        lambda w: ("task", "done", w.held.id),
    ),
}

METHODS: dict[str, Callable[[Torch], object]] = {
    "stop": lambda api: api.stop("pm"),
    "restart": lambda api: api.restart("pm", yes=True),
    "spawn": lambda api: api.spawn("x", profile="demo", timeout=0),
    "adopt": lambda api: api.adopt("other:", "qa", profile="demo"),
    "send": lambda api: api.send("pm", "no"),
    "ask": lambda api: api.ask("pm", "no", timeout=5),
    "answer": lambda api: api.answer("pm", "1", dialog="0" * 12),
    "checkin": lambda api: api.checkin("pm", "no", "in 1m"),
}
"""Each method of the API that does something to another."""

READS = {"agents", "pane", "server", "state", "wait", "waiting"}
OWN = {"checkpoint"}
"""Methods that only look, and those that work on a directory alone."""

EVERYBODYS = {
    # They only look.
    *(
        "ps",
        "status",
        "events",
        "since",
        "why",
        "seen",
        "notify test",
        "tree",
        "who",
        "state",
        "wait",
        "capture",
        "report",  # a pane's state, and only of the pane that it runs in
        "log",
        "thread",
        "receipt",
        "inbox",
    ),
    *("message kinds", "message new", "outbox list", "outbox show", "checkin list"),
    *("checkin show", "checkin history", "task list", "task show", "task stats"),
    *("profile list", "profile show", "profile check", "profile verify"),
    "profile new",  # an agent only to a file that it names, which is not used: see its tests
    *("briefing list", "briefing show", "briefing render", "config check", "config schema"),
    *("agreement check", "doctor", "completion", "help", "attach", "next", "back"),
    # They make something new, take what nobody has, or answer: what they send is checked there.
    *("task add", "task claim", "task route", "ack", "reply"),
    "top",  # its keys do what the commands do, each by the same deed
    "inhibit",  # the machine stays awake while it runs: no agent is touched
    "wake",  # who may send a message may wake: its own test is with those of messages
    "resurrect",  # each agent by a restart, which is refused for those of others
    # Files, git and tmux, and Torch on this machine: what an agent's own shell can do as well.
    *("store prune", "window", "run", "init", "team freeze", "briefing edit", "recover", "commit"),
    *("branch start", "tag stable"),
    *("crontab install", "crontab remove", "crontab show", "tick", "agent-setup", "hook"),
    *("store prune",),  # what the daemon deletes at the same age
    *("shell tmux", "shell menu"),
}
GROUPS = {"checkpoint", "daemon"}
"""Commands that ask nobody whether they may; of these groups it is all."""


@pytest.fixture
def world(
    tmux: TmuxServer, torch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    project = Repository.make(tmp_path / "project", {"torch.toml": TEAM})
    file = str(project.path / "torch.toml")
    pm = spawn_demo(tmux, torch, project.path, name="pm")
    tmux.new_session("other", "cat")
    pane = tmux.new_session("dev", "cat")
    monkeypatch.setenv("TORCH_TMUX_SOCKET", tmux.socket.name)
    monkeypatch.chdir(project.path)
    mine = Path(profiles_dir(), "mine.toml")
    mine.parent.mkdir(parents=True)
    mine.write_text('name = "mine"\n')
    with Store() as store:
        above = store.agents.get("pm")
        assert above is not None
        store.agents.describe("pm", role="project-manager", parent="")
        dev = store.agents.add(
            Agent(
                name="dev",
                role="developer",
                profile="demo",
                parent="pm",
                origin="spawned",
                socket=above.socket,
                server=above.server,
                pane=pane.id,
                pane_pid=pane.pid,
                program_pid=pane.pid,
                program_started="",
                session="dev",
                window="dev",
                directory=str(project.path),
            )
        )
        for one in (above, dev):
            spec = {"environment": ""}
            store.teams.add(Started(file, one.name, MemberKind.AGENT, spec, agent=one.identity))
        store.teams.enforce(file, load_team(file).agreement.may_message)
        accept(store, load_team(file))
        project.write("torch.toml", TEAM.replace("qa", "qa2") + TEAM[TEAM.rindex("[[agent]]") :])
        order = checkins.CheckinOrder("pm", b"yes", once_in("1h", time.time(), "UTC"))
        made, _ = checkins.add(store, tmux.socket, order, time.time())
        given = tasks.add(store, Task(id="", title="given"))
        held = tasks.claim(store, above, actor(store), given, ())
        assert held is not None
        free = tasks.add(store, Task(id="", title="free"))
        mail = new_message(
            new_id(),
            recipient="pm",
            body="yes",
            typed="yes",
            server=above.server,
            pane=above.pane,
            pane_pid=above.pane_pid,
            agent=above.identity,
            kept=True,
        )
        store.messages.accept(mail)
        api = Torch(socket=tmux.socket.name)
        monkeypatch.setenv("TORCH_AGENT", "dev")
        yield World(api, store, tmux, pm, file, made.name, held, free, mail.id)


def run(*words: str) -> None:
    """Run a command within this process; its errors come as they were raised."""
    click.Group.main(group, list(words), standalone_mode=False)


def refused(name: str, deed: Callable[[], object]) -> tuple[str, str]:
    """Return the code and the words with which it is refused."""
    try:
        deed()
    except RefusedError as refusal:
        return refusal.code, refusal.message
    pytest.fail(f"'{name}' was not refused")


def test_who_may_not_is_refused_by_every_deed_its_command_and_its_method(world: World) -> None:
    before, screens = world.rows(), world.tmux.screens()
    for name, verb in VERBS.items():
        said = refused(name, partial(verb.deed, world))
        assert said == refused(f"torch {name}", partial(run, *verb.words(world))), name
        assert said[0] == verb.code, (name, said)
    for name, method in METHODS.items():
        said = refused(f"Torch.{name}", partial(method, world.api))
        assert said[0] == VERBS.get(name, VERBS["checkin add"]).code, (name, said)
    assert world.rows() == before, "nothing was done"
    assert os.listdir(profiles_dir()) == ["mine.toml"]
    assert world.tmux.screens() == screens
    assert world.pm.submitted() == []


def test_a_new_verb_is_put_where_it_belongs() -> None:
    leaves = {" ".join(words) for words in commands() if not is_group(words)}
    asked = VERBS.keys() - {"forget"}
    whole = {name for name in leaves if name.split()[0] in GROUPS}
    assert leaves - whole == asked | EVERYBODYS
    assert not asked & EVERYBODYS
    methods = {name for name in vars(Torch) if not name.startswith("_")}
    assert methods == METHODS.keys() | READS | OWN


def is_group(words: tuple[str, ...]) -> bool:
    command: click.Command | None = group
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    return isinstance(command, click.Group)


def test_no_command_asks_in_the_place_of_its_deed() -> None:
    """The command line would refuse what Python lets pass."""
    checks = {"check_over", "check_outside", "check_over_checkin", "check_over_process"}
    checks |= {"check_permitted", "check_start", "check_spawn", "check_edge", "admit"}
    checks.add("check_author")
    folder = Path(torch_cli.__file__).parent / "cli"
    found = {
        f"{path.relative_to(folder)}: {name.name}"
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.name in checks
    }
    assert found == {"messages/broadcast.py: check_edge"}, "which says why nobody is left to get it"
