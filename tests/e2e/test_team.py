"""A team of four real Claude Code: what each says is scripted, and Torch does all the rest.

An orchestrator is given a goal. It orders it from the project manager, which makes three tasks of
it; two developers do them, one in a git worktree of its own, and prove them. Each of their steps is
a ``torch`` command that the program runs in its own shell, because its stub tells it to.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import SOURCE, TMUX, Result, TmuxServer, Torch, wait_until
from e2e.claude import ClaudeCode
from e2e.conftest import STARTING
from repository import Repository
from torch_cli import capacity
from torch_cli.profiling.houses.claude import environment, make_home
from torch_cli.profiling.stub import Behaviour, Hold, News, StubMode, StubRequest, StubServer
from torch_cli.profiling.stub.messages import MessagesHandler
from torch_cli.store import Store
from torch_cli.store.tasks import TaskState
from torch_cli.tmux.socket import Socket

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

GOAL = "GOAL: a.txt and b.txt on the main branch; 'quotes', {{ braces }} and #{pane_id} stay."

TASKS = """\
A=$(torch task add 'Write a' --skill a --json -- test -f a.txt | cut -d'"' -f8)
B=$(torch task add 'Write b' --skill b --json -- test -f b.txt | cut -d'"' -f8)
torch task add 'Join both; {{ x }} #{y}' --skill a --after $A --after $B -- \\
  test -f a.txt -a -f b.txt
torch task route"""

WRITE = """\
torch task start {0} && echo {1} > {1}.txt && torch commit -m 'Add {1}' \
&& torch task done {0} -m 'Added {1}.'"""

JOIN = "torch task start {0} && git merge -q feature/b && torch task done {0} -m 'Merged.'"

Rule = tuple[str, str]
"""A pattern of what a program is told, and the command that it runs then."""

BRIEFED: Rule = (r"run `torch ack`", "torch ack 'Read.'")
SCRIPTS: Mapping[str, Sequence[Rule]] = {
    "boss": (
        BRIEFED,
        (
            r"GOAL: ",
            "torch send pm --kind task --field what='a.txt and b.txt'"
            " --field done-when='both are on the main branch'",
        ),
    ),
    "pm": (
        BRIEFED,
        (r"· task · m-\w+\]\s+what:", TASKS),
        (r"Task (t-\w+) is done: Write", "torch task route --wait 60"),
        (r"Task (t-\w+) is done: Join", "torch send boss --kind status --field done='All of it.'"),
    ),
    "ann": (
        BRIEFED,
        (r"Task (t-\w+): Write (a)", WRITE),
        (r"Task (t-\w+): Join", JOIN),
    ),
    "bob": (BRIEFED, (r"Task (t-\w+): Write (b)", WRITE)),
}

TEAM = """\
[team]
name = "shop"

[agreement]
may_message = {{ orchestrator = ["pm"], developer = ["parent"] }}
ack_within = "10m"
enforce = true

[[agent]]
name = "boss"
role = "orchestrator"
env = {boss}

[[agent]]
name = "pm"
role = "project-manager"
parent = "boss"
env = {pm}

[[agent]]
name = "ann"
role = "developer"
parent = "pm"
skills = ["a"]
env = {ann}

[[agent]]
name = "bob"
role = "developer"
parent = "pm"
skills = ["b"]
worktree = "feature/b"
env = {bob}
"""


class Scripted(StubServer):
    """A stub that has the program run what its script says to what it was told."""

    def __init__(self, log: Path, script: Sequence[Rule]) -> None:
        super().__init__(MessagesHandler, log)
        self.script = script

    def receive(self, news: News) -> tuple[StubRequest, Hold | None]:
        if not news.side:
            self.behaviour = self._answer("\n".join(news.texts))
        return super().receive(news)

    def _answer(self, text: str) -> Behaviour:
        found = [(re.search(rule, text), command) for rule, command in self.script]
        commands = [_filled(command, match.groups()) for match, command in found if match]
        if not commands:
            return Behaviour(answer="state: understood.")
        return Behaviour(StubMode.TOOL, command="\n".join(commands))


def _filled(command: str, groups: tuple[str, ...]) -> str:
    for number, value in enumerate(groups):
        command = command.replace(f"{{{number}}}", value)
    return command


class RealTeam:
    """Four stubs, a project, a tmux server, and Torch with a daemon."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.kit = ClaudeCode()
        program = self.kit.install()
        self.home = make_home(root)
        settings = {"permissions": {"defaultMode": "default", "allow": ["Bash"]}}
        self.home.settings.write_text(json.dumps(settings))
        self.directory = Path(tempfile.mkdtemp(prefix="te", dir="/tmp")).resolve()
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.server = TmuxServer(Socket(path=str(self.directory / "s")), self.directory)
        stack.callback(self.server.kill)
        self.stubs = {
            name: stack.enter_context(Scripted(root / f"{name}.jsonl", script))
            for name, script in SCRIPTS.items()
        }
        self.project = Repository.make(root / "shop", {"README": "shop\n"})
        self.beside = root / "shop-feature-b"
        self._trust(self.project.path, self.beside)
        tables = {name: _table(environment(self.home, stub.url)) for name, stub in self._stubs()}
        (self.project.path / "torch.toml").write_text(TEAM.format(**tables))
        (self.project.path / ".gitignore").write_text("torch.toml\n")
        self.project.commit("a team")
        path = [str(Path(sys.executable).parent), str(program.parent), os.environ["PATH"]]
        self.environment = {
            "GIT_CONFIG_GLOBAL": os.environ.get("GIT_CONFIG_GLOBAL", ""),
            "HOME": str(self.home.path),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(SOURCE),
            "SHELL": "/bin/sh",
            "TERM": "xterm-256color",
            "TMUX_TMPDIR": str(self.directory),
            "TORCH_HOME": str(self.directory / "torch"),
            "TORCH_TMUX": TMUX,
        }
        (self.home.path / ".gitconfig").write_text("[user]\nname = Ann\nemail = a@example.org\n")
        self.environment.pop("GIT_CONFIG_GLOBAL")

    def _stubs(self) -> list[tuple[str, StubServer]]:
        return list(self.stubs.items())

    def _trust(self, *places: Path) -> None:
        state = json.loads(self.home.state.read_text())
        for place in places:
            state["projects"][str(place)] = {"hasTrustDialogAccepted": True}
        self.home.state.write_text(json.dumps(state))

    def torch(self, *args: str, text: str = "", timeout: float = 300.0) -> Result:
        """Run ``torch ARGS`` in the project."""
        done = subprocess.run(
            Torch(self.server.socket).argv(*args),
            input=text.encode(),
            capture_output=True,
            env=self.environment,
            cwd=self.project.path,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def daemon(self, stack: ExitStack) -> None:
        """Have a daemon deliver what waits."""
        process = subprocess.Popen(
            Torch(self.server.socket).argv("daemon", "run", "--quiet"),
            stdin=subprocess.DEVNULL,
            env=self.environment,
            cwd="/",
        )

        def end() -> None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

        stack.callback(end)

    def wait(self, condition: Callable[[], object], what: str, timeout: float = STARTING) -> None:
        """Wait for a condition; the failure shows every screen, and what each command said."""
        wait_until(condition, timeout, what, screen=self._shown)

    def _shown(self) -> str:
        results = [
            f"--- {name}: what its command came to\n{one.result}"
            for name, stub in self._stubs()
            for one in stub.requests
            if one.result
        ]
        return "\n".join([self.server.screens(), *results])


def _table(variables: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in variables.items())
    return f"{{ {pairs} }}"


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealTeam]:
    with ExitStack() as stack:
        root = tmp_path.resolve() / "world"
        root.mkdir()
        made = RealTeam(root, stack)
        monkeypatch.setenv("TORCH_HOME", made.environment["TORCH_HOME"])
        yield made


def objects(done: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_team_of_real_programs_does_a_tree_of_tasks(team: RealTeam) -> None:
    with ExitStack() as stack:
        up = team.torch("up", "--json", timeout=4 * STARTING)
        assert up.code == 0, f"{up}\n{team.server.screens()}"
        assert {one["name"]: one["state"] for one in objects(up)} == dict.fromkeys(
            SCRIPTS, "started"
        )
        team.daemon(stack)

        def acknowledged() -> bool:
            found = objects(team.torch("ps", "--json"))
            told = [one["briefing"] for one in found]
            return all(isinstance(one, dict) and one["acknowledged"] for one in told)

        team.wait(acknowledged, "four acknowledgements")
        sent = team.torch("send", "boss", GOAL, "--json")
        assert sent.code == 0, sent

        with Store() as store:

            def ended() -> bool:
                tasks = store.tasks.all(ended=True)
                return len(tasks) == 3 and all(one.state == TaskState.DONE for one in tasks)

            team.wait(ended, "three tasks done")

            def told() -> bool:
                pm = store.agents.get("pm")
                last = store.messages.last_said(pm.identity, "status") if pm else None
                return last is not None and "All of it." in last.body

            team.wait(told, "the last status")
            _look_at_what_was_done(team, store)
        _compacted_is_briefed_again(team)
        seen = [capacity.used_by(pid) // 1024**2 for pid in _pids(team)]
        assert all(20 < size < 4000 for size in seen), f"MiB: {seen}"
        down = team.torch("down", "--json", timeout=600)
        assert down.code == 0, f"{down}\n{team.server.screens()}"
    states = {one["name"]: one["state"] for one in objects(down)}
    assert states == dict.fromkeys(SCRIPTS, "stopped")
    assert team.server.run("list-panes", "-a").returncode != 0, "nothing is left running"
    assert not team.beside.exists(), "it is clean and merged"
    assert team.project.git("show", "HEAD:a.txt", "HEAD:b.txt") == "a\nb", "and nothing is lost"
    notes = list((team.directory / "torch" / "handoffs").glob("*/note.md"))
    assert len(notes) == 4
    assert all("state: understood." in note.read_text() for note in notes)


def _look_at_what_was_done(team: RealTeam, store: Store) -> None:
    tasks = {one.title: one for one in store.tasks.all(ended=True)}
    assert {title: (one.holder, one.attempts) for title, one in tasks.items()} == {
        "Write a": ("ann", 1),
        "Write b": ("bob", 1),
        "Join both; {{ x }} #{y}": ("ann", 1),
    }
    assert {one.creator for one in tasks.values()} == {"pm"}
    assert {one.evidence["exit"] for one in tasks.values()} == {0}
    introduced = {
        (one.sender, one.recipient)
        for one in store.messages.since(0)
        if one.kind == "ack" and f"{one.sender} (" in one.body and "is here, in" in one.body
    }
    assert introduced == {("pm", "boss"), ("ann", "pm"), ("bob", "pm")}
    assert any(GOAL in text for text in team.stubs["boss"].texts()), "byte for byte"
    tree = team.torch("tree").out.splitlines()
    assert [line.partition(" (")[0] for line in tree] == ["boss", "   pm", "      ann", "      bob"]
    assert team.torch("agreement", "check").code == 0
    lost = [one for one in store.messages.undelivered() if one.kind != "notice"]
    assert lost == []


def _compacted_is_briefed_again(team: RealTeam) -> None:
    """What Claude Code reports of its own command /compact has it briefed by the daemon."""
    mark = len(team.stubs["bob"].requests)
    team.wait(lambda: _state(team, "bob") == "idle", "bob at rest")
    began = time.time()
    done = team.torch("command", "bob", "/compact", "--json")
    assert done.code == 0, done
    again = "This is your briefing again, because your context was compacted."

    def told() -> bool:
        return any(again in text for text in team.stubs["bob"].texts(mark))

    team.wait(told, "the briefing")

    def acknowledged() -> bool:
        with Store() as store:
            agent = store.agents.get("bob")
            last = store.briefings.newest()[agent.identity] if agent else None
        return bool(last and last.sent > began and last.acknowledged)

    team.wait(acknowledged, "its acknowledgement")
    team.wait(lambda: _state(team, "bob") == "idle", "bob at rest again")


def _state(team: RealTeam, name: str) -> str:
    return str(team.torch("state", name, "--json").json["state"])


def _pids(team: RealTeam) -> list[int]:
    with Store() as store:
        return [one.program_pid for one in store.agents.all()]
