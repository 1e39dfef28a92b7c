"""Nobody waits unseen: what befalls the real programs is seen, told once, and gone once dealt with.

A daemon runs all the while, and tells by a command that keeps each notice in a file. What the
screen shows, read without Torch, says since when there is something to see.
"""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from e2e.claude import ClaudeCode
from e2e.codex import Codex
from e2e.conftest import MakeWorld, Setup, World
from e2e.gemini import Gemini
from e2e.opencode import OpenCode
from e2e.program import Program
from torch_cli import paths
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import prose
from torch_cli.programs.reset import reset_at

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

KITS: dict[str, Callable[[], Program]] = {
    "claude": ClaudeCode,
    "codex": Codex,
    "gemini": Gemini,
    "opencode": OpenCode,
}

SETTINGS = """\
[notify]
tmux = false
bell = false
desktop = false
dwell = "0.5s"
cooldown = "0.1s"
command = [{python}, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", {file}]
"""

SEEN_SECONDS = 10.0
"""Within this time the history must know what shows; on a quiet machine it takes less than one."""

QUOTA_SECONDS = 3720
"""After how long the API of Gemini CLI says that a quota begins again."""

QUESTION = "Which database should the demo use?"
OWN_WORDS = "DuckDB, please; it is $(fast) #{pid}"
OPTIONS = [
    {"label": "SQLite", "description": "One file, no server"},
    {"label": "PostgreSQL", "description": "A server of its own"},
]
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "claude": ("AskUserQuestion", {"multiSelect": False}),
    "codex": ("request_user_input", {"id": "db"}),
    "gemini": ("ask_user", {"type": "choice"}),
    "opencode": ("question", {}),
}
"""The tool by which each model asks a person, and what it wants beside the question."""


DIES_AT_THE_KEY = """
import os, signal
from torch_cli.delivery.typist import Typist
Typist.press = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
"""
"""What befalls a sender with its text in the box, before it has pressed the submit key."""


class Fault(NamedTuple):
    """How an error of the API shows on a screen, and the state that the agent is in then."""

    shown: str
    state: str
    kind: str = ""


FAULTS: dict[str, dict[int, Fault]] = {
    "claude": {
        429: Fault("● API Error", "error", "rate-limited"),
        401: Fault("API Error: 401", "error", "authentication"),
        529: Fault("● API Error", "error", "overloaded"),
    },
    "codex": {
        429: Fault("hit your usage limit", "limited"),
        401: Fault("■ .*401", "error", "authentication"),
        529: Fault("Reconnecting", "retrying", "overloaded"),
    },
    "gemini": {
        401: Fault("API Error", "error", "authentication"),
        429: Fault("Thinking", "retrying", "rate-limited"),
        529: Fault("Thinking", "retrying", "overloaded"),
    },
    "opencode": {
        401: Fault("stub: an error", "error", "authentication"),
        429: Fault("retrying in", "retrying"),
        529: Fault("retrying in", "retrying"),
    },
}
"""What the programs do with errors. Claude Code tries once more here, and ends the turn. Gemini CLI
tries again after 429 and 529 too, and shows only that it works: its log says it (0.61.0)."""


class Watched:
    """A world with a daemon, and what it wrote and told."""

    def __init__(self, world: World) -> None:
        self.world, self.told_in = world, world.directory / "notices"
        config = world.directory / "torch" / "config"
        config.mkdir(parents=True, exist_ok=True)
        words = {"python": json.dumps(sys.executable), "file": json.dumps(str(self.told_in))}
        (config / "config.toml").write_text(SETTINGS.format(**words))
        self.daemon = world.popen("daemon", "run", "--quiet")
        self.wait(lambda: self.states(), "the first look")

    def states(self) -> list[tuple[float, dict[str, Any]]]:
        """Return the changes of state of the agent: when each was written, and what."""
        state = self.world.directory / "torch" / paths.DATABASE
        with contextlib.closing(sqlite3.connect(state, timeout=30)) as store:
            sql = "SELECT at, detail FROM events WHERE verb = 'state' AND target = ? ORDER BY id"
            return [(at, json.loads(one)) for at, one in store.execute(sql, (self.world.name,))]

    def told(self) -> list[dict[str, Any]]:
        """Return the notices."""
        text = self.told_in.read_text() if self.told_in.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        assert self.daemon.poll() is None, "the daemon has ended"
        self.world.wait(condition, what)

    def see(
        self, cause: Callable[[], object], shown: Callable[[], object], state: str, what: str
    ) -> dict[str, Any]:
        """Do the ``cause``, wait until ``shown``, and until the history has ``state`` from then on.

        Returns what it wrote, and prints how long after the one the other came.
        """
        before = len(self.states())  # first: the history may be quicker than who looks at it here
        cause()
        self.wait(shown, what)
        since = time.time()

        def found() -> list[tuple[float, dict[str, Any]]]:
            return [one for one in self.states()[before:] if one[1]["state"] == state]

        self.wait(found, f"the state {state}: {what}")
        at, detail = found()[0]
        late = at - since
        sys.stderr.write(f"\n{self.world.kit.title}: {what}: seen {late:+.2f} s after it showed\n")
        assert late < SEEN_SECONDS, (what, late)
        return detail

    def needs(self) -> dict[str, Any]:
        """Return what ``torch status`` says of the agent."""
        found: dict[str, Any] = self.world.torch("status", "--json").json
        return found

    def told_once(self, before: int, state: str) -> None:
        """Wait for the notice, and see that there is no other for the same."""
        self.wait(lambda: len(self.told()) > before, f"the notice of {state}")
        (one,) = self.told()[before:]
        assert [agent["state"] for agent in one["agents"]] == [state]

    def rested(self) -> None:
        """Bring the program to rest; then nobody needs a person."""
        before = len(self.told())
        self.world.stub.behaviour = Behaviour()
        self.world.settle()
        self.wait(lambda: self.world.torch("status").code == 0, "nobody waits")
        assert len(self.told()) == before, "told again"


@pytest.fixture(scope="module", params=KITS)
def kit(request: pytest.FixtureRequest) -> Program:
    """The programs of this module."""
    return KITS[request.param]()


@pytest.fixture
def watched(kit: Program, make_world: MakeWorld) -> Iterator[Watched]:
    """The program as an agent, idle, and a daemon."""
    setup = Setup.HOOKS if kit.name == "claude" else Setup.SPAWNED
    world = make_world(setup, extra={"CLAUDE_CODE_MAX_RETRIES": "1"})
    assert world.start().code == 0
    world.settle()
    made = Watched(world)
    yield made
    made.daemon.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        made.daemon.communicate(timeout=60)
    made.daemon.kill()


def test_what_needs_a_person_is_seen_told_once_and_gone_once_dealt_with(watched: Watched) -> None:
    """Permission, question, errors of the API, the end of a turn, and a crash, one by one."""
    world = watched.world
    permission(watched)
    question(watched)
    if world.kit.name == "claude":
        plan(watched)
    for status, fault in FAULTS[world.kit.name].items():
        api_error(watched, status, fault)
    if world.kit.name == "gemini":
        quota(watched)
    end_of_a_turn(watched)
    left_draft(watched)
    crash(watched)


@pytest.mark.parametrize("kit", ["opencode"], indirect=True)
def test_a_refused_login_of_an_adopted_program_holds_its_account(make_world: MakeWorld) -> None:
    """It has no plugin that could report the error, which looks like a message on its screen."""
    world = make_world(Setup.ADOPTED)
    assert world.start().code == 0
    watched = Watched(world)
    try:
        world.stub.behaviour = Behaviour(StubMode.ERROR, status=401)
        shown = partial(shows, world, "stub: an error")
        seen = watched.see(partial(world.ask, prose(30)), shown, "error", "status 401")
        assert (seen["error"]["kind"], seen["error"]["source"]) == ("authentication", "record")
        watched.told_once(0, "error")
        world.environment["TORCH_AGENT"] = "boss"  # what a person sends would go out
        held = world.torch("send", world.name, "Go on.", "--timeout", "0", "--json")
        assert held.json["reason"].startswith("login:"), held
        world.empty_outbox()
        del world.environment["TORCH_AGENT"]
        world.stub.behaviour = Behaviour()
        world.ask(prose(30))
        watched.rested()
    finally:
        watched.daemon.terminate()
        watched.daemon.communicate(timeout=60)


@pytest.mark.parametrize("kit", ["claude"], indirect=True)  # the others have no hooks here
def test_short_turns_are_each_counted(watched: Watched) -> None:
    """Two turns that the stub answers at once, and a longer one: by its hooks, if not by looks."""
    world = watched.world
    world.stub.behaviour = Behaviour()
    watched.wait(lambda: watched.states()[-1][1]["state"] == "idle", "its rest")
    before = len(watched.states())
    for number in (1, 2):
        done = world.torch("ask", world.name, f"Short turn {number}", "--json")
        assert done.code == 0, done.out + done.err
    expected = ["working", "idle"] * 2

    def came() -> list[str]:
        return [str(one["state"]) for _, one in watched.states()[before:]]

    watched.wait(lambda: came() == expected, "two turns")
    assert watched.needs()["do"] == "done"
    found = world.torch("since", "1h", "--json").json["done"]
    (worked,) = [one["words"] for one in found if one["words"].startswith("worked")]
    assert "2 turns ended" in worked
    hold = world.stub.hold()
    world.ask(prose(30))
    hold.wait(60)
    watched.wait(lambda: came() == [*expected, "working"], "a longer turn")
    hold.release(Behaviour())
    watched.wait(lambda: came() == [*expected, "working", "idle"], "its end")


def permission(watched: Watched) -> None:
    world, before = watched.world, len(watched.told())
    world.stub.behaviour = Behaviour(StubMode.TOOL)
    cause = partial(world.ask, prose(30))
    watched.see(cause, lambda: world.view().asks, "waiting", "a permission dialog")
    watched.told_once(before, "waiting")
    assert watched.needs()["do"] == "answer"
    world.stub.behaviour = Behaviour()
    world.decline()
    watched.rested()


def asking(name: str) -> Behaviour:
    """Have the model of a program ask a person which database to use."""
    tool, more = ASKED[name]
    one = {"question": QUESTION, "header": "Database", "options": OPTIONS, **more}
    return Behaviour(StubMode.TOOL, tool=tool, given={"questions": [one]})


def question(watched: Watched) -> None:
    world, before = watched.world, len(watched.told())
    name = world.kit.name
    if name == "codex":  # it asks only in this mode
        assert world.torch("mode", world.name, "plan").code == 0
    world.stub.behaviour = asking(name)
    cause, asks = partial(world.ask, prose(30)), partial(shows, world, r"1\.\s+SQLite")
    seen = watched.see(cause, asks, "waiting", "a question")
    watched.told_once(before, "waiting")
    assert seen["question"].startswith(QUESTION)
    found = watched.needs()
    assert (found["do"], found["question"]) == ("answer", QUESTION)
    world.stub.behaviour = Behaviour()
    step = next(one for one in found["steps"] if one["words"].startswith("PostgreSQL"))
    done = world.torch(*step["command"][1:])
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    world.wait(lambda: "PostgreSQL" in world.stub.requests[-1].result, "the answer at the stub")
    watched.rested()
    own_words(watched)
    if name == "codex":
        assert world.torch("mode", world.name, "default").code == 0


def own_words(watched: Watched) -> None:
    """The same question again, answered by words of one's own in the dialog's own field."""
    world, name = watched.world, watched.world.kit.name
    world.stub.behaviour = asking(name)
    world.ask(prose(30))
    watched.wait(lambda: world.state().get("dialog"), "the question again")
    world.stub.behaviour = Behaviour()
    option = ["2"] if name == "codex" else []  # a note beside any option
    words = ["--text", OWN_WORDS, "--hash", world.state()["dialog"]["hash"]]
    done = world.torch("answer", world.name, *option, *words)
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    world.wait(lambda: world.stub.requests[-1].brings_result, "the answer at the stub")
    result = world.stub.requests[-1].result
    assert OWN_WORDS in result.encode().decode("unicode_escape"), result
    watched.rested()


def plan(watched: Watched) -> None:
    """Claude Code's plan is answered by what to change about it, and the next one by an option."""
    world = watched.world
    assert world.torch("mode", world.name, "plan").code == 0
    world.ask(prose(30))
    world.settle()
    file = plan_file(world)
    file.parent.mkdir(exist_ok=True)
    file.write_text("# Plan\n\n1. Write src/parse.py\n2. Test it\n")
    for words, heard in (
        (["--text", OWN_WORDS], f"the user said:\n{OWN_WORDS}"),
        (["2"], "User has approved your plan"),
    ):
        world.stub.behaviour = Behaviour(StubMode.TOOL, tool="ExitPlanMode")
        world.ask(prose(30))
        watched.wait(lambda: (world.state()["dialog"] or {}).get("kind") == "plan", "a plan")
        world.stub.behaviour = Behaviour()
        dialog = world.state()["dialog"]["hash"]
        done = world.torch("answer", world.name, *words, "--hash", dialog)
        assert done.code == 0, f"{done}\n{world.server.screens()}"
        world.wait(lambda: world.stub.requests[-1].brings_result, "the answer at the stub")
        result = json.loads(world.stub.requests[-1].result)
        assert heard in result, result
        watched.rested()


def plan_file(world: World) -> Path:
    """Return where Claude Code wants its plan, by its own transcript of the conversation."""
    found: list[str] = []

    def named() -> bool:
        for transcript in (world.home.path / ".claude" / "projects").glob("*/*.jsonl"):
            found.extend(re.findall(r'"planFilePath":"([^"]+)"', transcript.read_text()))
        return bool(found)

    world.wait(named, "the name of the plan's file")
    return Path(found[-1])


def shows(world: World, pattern: str) -> bool:
    return re.search(pattern, world.server.screen(world.pane)) is not None


def api_error(watched: Watched, status: int, fault: Fault) -> None:
    world, before = watched.world, len(watched.told())
    world.server.cmd("clear-history", "-t", world.pane)
    marks = len(re.findall(fault.shown, world.server.screen(world.pane)))
    world.stub.behaviour = Behaviour(StubMode.ERROR, status=status)

    def shown() -> bool:
        return len(re.findall(fault.shown, world.server.screen(world.pane))) > marks

    cause = partial(world.ask, prose(30))
    seen = watched.see(cause, shown, fault.state, f"status {status}")
    if fault.kind:
        assert (seen.get("error") or seen.get("retry") or {})["kind"] == fault.kind, seen
    do = "fix" if fault.state == "error" else "wait"
    watched.wait(lambda: watched.needs()["do"] == do, do)  # between two attempts it works
    if fault.state in ("error", "limited"):
        watched.told_once(before, fault.state)
    else:
        assert len(watched.told()) == before, "nobody can do anything about it"
    world.stub.behaviour = Behaviour()
    if fault.state == "retrying":
        world.keys("Escape")
        if world.kit.name == "opencode":
            world.keys("Escape")
    world.settle()
    world.ask(prose(30))  # the next turn ends well
    watched.rested()


def quota(watched: Watched) -> None:
    """Gemini CLI asks whether to try again after a quota that begins again in more than 5 minutes.

    Its answer of the API is that of 2026-11-30.
    """
    world, before = watched.world, len(watched.told())
    soon = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{QUOTA_SECONDS}s"}
    words = "You exceeded your current quota, please check your plan and billing details."
    given = {"details": [soon]}
    world.stub.behaviour = Behaviour(StubMode.ERROR, status=429, answer=words, given=given)
    cause, shown = partial(world.ask, prose(30)), partial(shows, world, "Usage limit reached")
    seen = watched.see(cause, shown, "waiting", "a quota")
    ends = time.time() + QUOTA_SECONDS
    watched.told_once(before, "waiting")
    assert seen["question"].startswith("Usage limit reached for")
    named = reset_at(seen["reset"], time.time())
    assert named is not None
    assert abs(named - ends) < 90, seen
    found = watched.needs()
    assert (found["do"], found["question"].split(" for ")[0]) == ("answer", "Usage limit reached")
    step = next(one for one in found["steps"] if one["words"] == "Stop")
    done = world.torch(*step["command"][1:])
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    watched.wait(lambda: watched.states()[-1][1]["state"] == "limited", "the limit")
    assert watched.needs()["do"] == "wait"
    assert watched.states()[-1][1]["reset"] == f"{QUOTA_SECONDS}s"
    limit = world.torch("health", world.name, "--json").json["limit"]
    assert abs(datetime.fromisoformat(limit["until"]).timestamp() - ends) < 90, limit
    held = world.send("After the limit.", "--timeout", "0").result.json
    assert held["reason"].startswith("limited:"), held
    world.empty_outbox()
    world.stub.behaviour = Behaviour()
    world.ask(prose(30))  # a person goes on
    watched.rested()


def end_of_a_turn(watched: Watched) -> None:
    """It is *done*, which is not urgent and is told to nobody, until somebody has looked."""
    world, before = watched.world, len(watched.told())
    hold = world.stub.hold()
    world.ask(prose(30))
    hold.wait(60)
    watched.wait(lambda: watched.states()[-1][1]["state"] == "working", "work")
    cause = partial(hold.release, Behaviour())
    watched.see(cause, lambda: world.view().idle, "idle", "the end of a turn")
    found = watched.needs()
    assert found["do"] == "done"
    assert world.torch("seen", world.name).code == 0
    assert watched.needs()["do"] == "nothing"
    assert len(watched.told()) == before


def left_draft(watched: Watched) -> None:
    """A person's text in the box is theirs. One of ours that nobody submits is *left* there."""
    world, before = watched.world, len(watched.told())
    text = prose(30)
    world.paste(text)
    world.wait(lambda: text in (world.view().box or ""), "a person's draft")
    assert watched.needs()["do"] == "nothing", "what a person types is theirs"
    world.settle()
    with world.popen_with(DIES_AT_THE_KEY, "ask", world.name, text) as sender:
        assert sender.wait(60) == -signal.SIGKILL, sender.communicate()
    assert text in (world.view().box or ""), world.server.screens()
    assert watched.needs()["do"] == "nothing", "it could be on its way still"
    state = world.directory / "torch" / paths.DATABASE
    with contextlib.closing(sqlite3.connect(state, timeout=30)) as store, store:
        store.execute("UPDATE messages SET updated = updated - 60 WHERE step <> 'done'")
    found = watched.needs()
    assert (found["do"], found["question"]) == ("look", None), found
    assert found["left"].startswith("m-")
    world.settle()  # a person deletes it
    watched.wait(lambda: watched.needs()["do"] == "nothing", "nothing is left")
    assert len(watched.told()) == before, "a text that was left interrupts nobody"


def crash(watched: Watched) -> None:
    world, before = watched.world, len(watched.told())
    world.settle()
    since = time.time()
    os.kill(world.pid, signal.SIGKILL)

    def ended() -> bool:
        return watched.states()[-1][1]["state"] in ("dead", "exited")

    watched.wait(ended, "the end")
    late = watched.states()[-1][0] - since
    sys.stderr.write(f"\n{world.kit.title}: kill -9: seen {late:+.2f} s after it\n")
    assert late < SEEN_SECONDS
    watched.told_once(before, watched.states()[-1][1]["state"])
    assert watched.needs()["do"] == "fix"
    assert world.torch("stop", world.name).code == 0
    assert world.torch("status").code == 0
    assert len(watched.told()) == before + 1
