"""Rules that a person has accepted answer what a program asks, through the program's own hook."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent
from conftest import SOURCE, Result, TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.attention.stream import Wanted, read
from torch_cli.rules.hook import SAME_SECONDS, answer
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.load import load_team
from torch_cli.teams.trust import accept

PATH = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}

TEAM = """\
[[agent]]
name = "dev"
profile = "demo"
args = ["--log", "{log}"]

"""

RULES = """\
[[allow]]
command = "touch *"

[[deny]]
command = "touch forbidden"
"""


class Crew:
    """The team of one demo agent."""

    def __init__(self, tmux: TmuxServer, torch: Torch, root: Path) -> None:
        self.tmux, self.torch = tmux, torch
        self.project = root / "project"
        self.project.mkdir()
        self.file = self.project / "torch.toml"
        self.log = root / "dev.log"
        self.answered = 0

    def write(self, rules: str) -> None:
        self.file.write_text(TEAM.format(log=self.log) + rules)

    def up(self, rules: str = RULES) -> Result:
        self.write(rules)
        done = self.torch("up", "--dir", str(self.project), env=PATH)
        assert done.code == 0, done.out + done.err + self.tmux.screens()
        return done

    @functools.cached_property
    def agent(self) -> DemoAgent:
        shown = self.torch("ps", "--json").json
        pane = self.tmux.pane(shown["pane"])
        return DemoAgent(self.tmux, self.torch, "dev", pane, self.log, self.project)

    def ask(self, command: str) -> None:
        """Have the program ask whether it may run ``command``."""
        sent = self.torch("send", "dev", f"please DIALOG({command})", "--plain")
        assert sent.code == 0, sent.err + self.tmux.screens()

    def ends(self, word: str, command: str) -> None:
        """Wait until the program has run ``command`` (``approved``) or declined it."""
        closed = lambda: (  # noqa: E731
            word in [one["event"] for one in self.agent.events() if one.get("command") == command]
        )
        wait_until(closed, what=f"{command} to be {word}", screen=self.tmux.screens)

    def still_asks(self, command: str) -> bool:
        """Wait until the hook has ended for ``command``; return whether the dialog is open."""
        self.ends("hooked", command)
        closed = [one["event"] for one in self.agent.events("approved", "declined")]
        return not closed[self.answered :] and self.agent.state() == "waiting"

    def rules(self) -> list[dict[str, Any]]:
        """Return what the events say of rules, in order."""
        lines = self.torch("events", "--kind", "answer", "--json").out.splitlines()
        return [one for one in map(json.loads, lines) if one.get("verb") == "rule"]

    def words(self) -> list[str]:
        return [one["words"] for one in self.rules()]


@pytest.fixture
def crew(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> Crew:
    return Crew(tmux, torch, tmp_path)


def test_a_rule_answers_and_is_kept_with_its_line(crew: Crew) -> None:
    done = crew.up()
    accepted = "its rules answer what the team's programs ask permission for (1 allow, 1 deny)"
    assert accepted in done.err
    crew.ask("touch made")
    crew.ends("approved", "touch made")
    wait_until((crew.project / "made").exists, what="the command")
    crew.ask("true; touch forbidden")
    crew.ends("declined", "true; touch forbidden")
    assert crew.words() == [
        "allowed by rule torch.toml:6  Bash: touch made",
        "denied by rule torch.toml:9  Bash: true; touch forbidden",
    ]
    first = crew.rules()[0]
    assert (first["kind"], first["target"], first["actor"]) == ("answer", "dev", None)
    assert first["detail"]["rule"] == f"{crew.file}:6"
    assert (first["detail"]["acted"], first["detail"]["cwd"]) == (True, str(crew.project))
    assert "allowed by rule torch.toml:6  Bash: touch made" in crew.torch("why", "dev").out
    told = crew.torch("since", "1h").out
    assert "dev  rules answered 2 requests: 1 allowed, 1 denied" in told
    # What no rule names is asked.
    crew.answered = 2
    crew.ask("true; touch made")
    assert crew.still_asks("true; touch made")
    assert len(crew.rules()) == 2


def test_an_agent_that_writes_the_file_allows_itself_nothing(crew: Crew) -> None:
    crew.up(RULES.partition("[[deny]]")[0])
    crew.write("[[allow]]\ncommand = '*'\n")
    crew.ask("mkdir made")
    assert crew.still_asks("mkdir made")
    assert crew.rules() == []
    refused = crew.torch("trust", "--dir", str(crew.project), env={"TORCH_AGENT": "dev"})
    assert (refused.code, "only people accept a file" in refused.err) == (2, True)
    crew.tmux.cmd("send-keys", "-t", crew.agent.pane.id, "2")
    crew.ends("declined", "mkdir made")
    shown = crew.torch("trust", "--dir", str(crew.project)).out
    assert "+command = '*'" in shown
    crew.ask("mkdir accepted")
    crew.ends("approved", "mkdir accepted")


# -- the hook alone --------------------------------------------------------------------------------


class Hooked:
    """A team whose agent is this process: what it starts is asked for by the agent's program."""

    def __init__(self, store: Store, root: Path) -> None:
        self.store, self.project = store, root
        self.file = root / "torch.toml"
        own = procs.identify(os.getpid())
        assert own is not None
        agent = Agent(
            *("dev", "demo", "spawned", "/tmp/s", "/tmp/s|1|1", "%1", own.pid, "s", "w"),
            *(str(root), own.pid, own.started),
        )
        self.agent = store.agents.add(agent)
        started = Started(str(self.file), "dev", MemberKind.AGENT, {}, agent=self.agent.identity)
        store.teams.add(started)
        self.accept(RULES)

    def accept(self, rules: str) -> None:
        """Have a person accept a file with these rules."""
        self.file.write_text(rules)
        self.store.agents.stopped("dev")  # this process is no agent, for once
        accept(self.store, load_team(str(self.file)))
        self.store.database.write("UPDATE agents SET stopped = NULL")

    def event(self, command: str = "touch made", **more: Any) -> bytes:
        asked = {
            "hook_event_name": "PermissionRequest",
            "session_id": "s",
            "prompt_id": str(time.monotonic()),
            "cwd": str(self.project),
            "permission_mode": "default",
            "tool_name": "Bash",
            "tool_input": {"command": command},
        }
        return json.dumps({**asked, **more}).encode()

    def ask(self, command: str = "touch made", **more: Any) -> Any:
        """Return what is decided about the request, ``None`` for nothing."""
        said = answer(self.event(command, **more))
        return json.loads(said)["hookSpecificOutput"]["decision"] if said else None

    def run(self, event: bytes, **env: str) -> str:
        """Return what the hook prints, run as the program runs it."""
        done = subprocess.run(
            [sys.executable, "-m", "torch_cli", "hook"],
            input=event,
            env={**os.environ, "PYTHONPATH": str(SOURCE), **env},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    def words(self) -> list[str]:
        part = read(self.store, Wanted("dev", ["answer"]))
        return [one.words for one in part.entries]


ALLOWED = {"behavior": "allow"}


@pytest.fixture
def hooked(store: Store, tmp_path: Path) -> Hooked:
    return Hooked(store, tmp_path.resolve())


def test_the_answer_is_one_that_claude_code_takes(hooked: Hooked) -> None:
    said = json.loads(hooked.run(hooked.event()))
    allow = {"hookEventName": "PermissionRequest", "decision": ALLOWED}
    assert said == {"hookSpecificOutput": allow}
    denied = hooked.ask("touch forbidden")
    assert denied.keys() == {"behavior", "message"}
    assert (denied["behavior"], "torch.toml, line 4" in denied["message"]) == ("deny", True)
    assert hooked.ask("ls") is None
    assert hooked.words() == [
        "allowed by rule torch.toml:1  Bash: touch made",
        "denied by rule torch.toml:4  Bash: touch forbidden",
    ]


def test_without_a_rule_nothing_is_answered_or_kept(hooked: Hooked) -> None:
    hooked.accept("")
    assert hooked.ask() is None
    assert hooked.words() == []


def test_a_trial_only_writes_what_it_would_do(hooked: Hooked) -> None:
    hooked.accept(RULES.replace("\n\n", "\ndry_run = true\n\n"))
    assert hooked.ask() is None
    assert hooked.words() == [
        "left to you, would be allowed by rule torch.toml:1 (dry_run)  Bash: touch made"
    ]


def test_in_a_file_that_has_changed_no_allow_counts_and_every_deny(hooked: Hooked) -> None:
    text = hooked.file.read_text()
    hooked.file.write_text(f"# a comment is no change\n{text}")
    assert hooked.ask() == ALLOWED
    changes = [f"{text}[[allow]]\ncommand = '*'\n", "", "no [toml", "[[allow]]\n" * 100_000]
    for changed in changes:
        hooked.file.write_text(changed)
        assert hooked.ask() is None
        assert hooked.ask("touch forbidden")["behavior"] == "deny"
    hooked.file.unlink()
    os.mkfifo(hooked.file)
    assert hooked.ask() is None
    assert hooked.words()[-1] == (
        "left to you, rule torch.toml:1 waits: the file has changed since it was accepted (torch "
        "trust)  Bash: touch made"
    )


def test_only_agents_of_the_team_are_answered(hooked: Hooked) -> None:
    hooked.store.teams.remove(str(hooked.file), "dev")  # as 'torch down' does
    assert hooked.ask() is None
    own = hooked.agent._replace(name="boss", program_pid=1, identity="")
    boss = hooked.store.agents.add(own)
    started = Started(str(hooked.file), "boss", MemberKind.AGENT, {}, agent=boss.identity)
    hooked.store.teams.add(started)
    hooked.store.agents.describe("dev", role="", parent="boss")
    assert hooked.ask() == ALLOWED, "what an agent of the team has started is in the team"
    assert hooked.words() == ["allowed by rule torch.toml:1  Bash: touch made"]


def test_who_asks_is_read_off_the_processes(hooked: Hooked) -> None:
    other = {"TMUX": "/tmp/x,1,0", "TMUX_PANE": "%9", "TORCH_AGENT": "other"}
    assert hooked.run(hooked.event(), **other) != ""
    named = {"TMUX": "/tmp/s,1,0", "TMUX_PANE": "%1", "TORCH_AGENT": "dev"}
    hooked.store.database.write("UPDATE agents SET program_started = '1'")
    assert hooked.run(hooked.event(), **named) == "", "an earlier process had this number"
    hooked.store.database.write("UPDATE agents SET program_pid = 1")
    assert hooked.ask() is None


@pytest.mark.parametrize(
    "more",
    [
        {"tool_input": None},
        {"tool_input": "touch made"},
        {"tool_input": {"command": ["touch", "made"]}},
        {"tool_input": {"command": "touch made\0"}},
        {"tool_name": None},
        {"tool_name": "Shell"},
        {"cwd": None},
        {"cwd": "/"},
        {"cwd": "."},
        {"permission_mode": "plan"},
    ],
    ids=str,
)
def test_a_request_that_is_not_understood_is_left_to_a_person(
    hooked: Hooked, more: dict[str, Any]
) -> None:
    with contextlib.suppress(TypeError):  # the hook prints nothing then
        assert hooked.ask(**more) is None


def test_an_error_prints_nothing(hooked: Hooked) -> None:
    assert hooked.run(hooked.event(tool_input=None)) == ""
    assert hooked.run(hooked.event(hook_event_name="PreToolUse")) == ""


def test_a_hook_that_runs_twice_is_one_event(hooked: Hooked) -> None:
    assert hooked.ask(prompt_id="p") == hooked.ask(prompt_id="p") == ALLOWED
    first, *more = hooked.store.events.read(verbs=["rule"])
    assert not more or more[0].at - first.at > SAME_SECONDS
    assert hooked.ask(prompt_id="q") == ALLOWED
    assert len(hooked.words()) == len(more) + 2


def test_what_cannot_be_written_down_is_not_answered(hooked: Hooked) -> None:
    hooked.store.database.write(
        "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    assert hooked.run(hooked.event()) == ""
    hooked.store.database.write("DROP TRIGGER full")
    assert hooked.ask() == ALLOWED


@pytest.mark.parametrize(
    "broken", ["substr(rules, 2)", "'[{}]'", "replace(rules, 'tools', 'tool')", "'null'"]
)
def test_rules_that_cannot_be_read_answer_nothing(hooked: Hooked, broken: str) -> None:
    hooked.store.database.write(f"UPDATE team_accepted SET rules = {broken}")
    with pytest.raises((ValueError, TypeError, KeyError)):
        hooked.ask()
