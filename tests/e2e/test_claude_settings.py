"""Claude Code as people have it: one start for each configuration.

In each, a message of three lines arrives once, proven by the stub, and nothing is typed into the
dialog that opens then. Other traffic is allowed in some: what is not for the stub goes to a proxy
that does not exist.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from e2e.claude import ClaudeCode
from e2e.conftest import MakeWorld, Setup, World
from e2e.program import Program
from torch_cli.profiling.houses.claude import ClaudeHome
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import lines, prose

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

QUIET = (
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
)
"""What switches off the traffic that most people have, and features with it."""

NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
SUGGESTS = {"CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "1"}
CLASSIC = {"CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1"}

STATUS_LINE = "printf 'a repository on ❯ main\\n1. of three rows\\n42%% of the context · esc\\n'"

PERMISSION = Behaviour(StubMode.TOOL)
PLAN = Behaviour(StubMode.TOOL, tool="ExitPlanMode", given={"plan": "1. Nothing."})

SERVER = """\
import json, sys
for line in sys.stdin:
    got = json.loads(line)
    if "id" not in got:
        continue
    tools = [{"name": "ask", "description": "asks", "inputSchema": {"type": "object"}}]
    about = {"capabilities": {"tools": {}}, "serverInfo": {"name": "asker", "version": "1"}}
    done = {
        "initialize": {"protocolVersion": got.get("params", {}).get("protocolVersion"), **about},
        "tools/list": {"tools": tools},
    }.get(got["method"], {})
    print(json.dumps({"jsonrpc": "2.0", "id": got["id"], "result": done}), flush=True)
"""
"""A server of the Model Context Protocol with one tool."""


@dataclass(frozen=True)
class Case:
    """One configuration. ``dialog`` is how the stub raises a dialog, ``kind`` what it is."""

    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    arguments: Callable[[World], list[str]] = lambda world: []
    before: Callable[[World], None] = lambda world: None
    """Does something between the start and the message."""
    dialog: Behaviour = PERMISSION
    kind: str = "permission"
    mode: str = "manual"


def _spoken(world: World) -> str:
    """Have a conversation without a screen, and return its session."""
    words = [str(world.program), "-p", "Say ok.", "--output-format", "json"]
    environment = world.environment | world.variables
    done = subprocess.run(
        words, cwd=world.home.work, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done
    return str(json.loads(done.stdout)["session_id"])


def _continue(world: World) -> list[str]:
    """End a conversation that has a screen: only such a one is continued."""
    assert world.start().code == 0
    assert world.send(prose(30)).delivered
    world.settle()
    assert world.torch("stop", world.name).code == 0
    return ["--continue"]


def _resume(world: World) -> list[str]:
    return ["--resume", _spoken(world)]


def _with_a_server(world: World) -> list[str]:
    script = world.home.path / "server.py"
    script.write_text(SERVER)
    server = {"command": sys.executable, "args": [str(script)]}
    return ["--mcp-config", json.dumps({"mcpServers": {"asker": server}})]


def _in_the_background(world: World) -> None:
    """Start a command and a sub-agent that go on beside the box."""
    shell = {"command": "sleep 300", "description": "sleeps", "run_in_background": True}
    with world.stub.behaving(Behaviour(StubMode.TOOL, tool="Bash", given=shell)):
        assert world.send(prose(30)).delivered
        world.settle()
    helper = {
        "description": "looks",
        "prompt": "Look around, helper.",
        "subagent_type": "general-purpose",
        "run_in_background": True,
    }
    calls, first, second = (world.stub.hold() for _ in range(3))
    mark = len(world.stub.requests)
    assert world.send(prose(30)).delivered
    calls.wait(60)
    calls.release(Behaviour(StubMode.TOOL, tool="Agent", given=helper))
    first.wait(60)
    second.wait(60)
    asked = world.stub.requests[mark + 1 :]
    mine = [any("Look around, helper." in text for text in one.texts) for one in asked[:2]]
    assert sorted(mine) == [False, True], asked
    (second if mine[0] else first).release(Behaviour())  # the helper's own answer never comes
    world.wait(lambda: world.state()["state"] == "idle", "a leader that waits")


CASES = {
    "all traffic": Case(variables=NOWHERE | SUGGESTS, without=QUIET),
    "no colour": Case(variables=NOWHERE | SUGGESTS | {"NO_COLOR": "1"}, without=QUIET),
    "light theme, status line, full screen": Case(
        {
            "theme": "light",
            "tui": "fullscreen",
            "statusLine": {"type": "command", "command": STATUS_LINE},
        }
    ),
    "vim, classic": Case({"editorMode": "vim"}, CLASSIC),
    "continue": Case(arguments=_continue),
    "resume": Case(arguments=_resume),
    "a server of tools": Case(
        arguments=_with_a_server, dialog=Behaviour(StubMode.TOOL, tool="mcp__asker__ask")
    ),
    "in the background": Case(
        {"permissions": {"defaultMode": "default", "allow": ["Bash(sleep:*)"]}},
        before=_in_the_background,
    ),
    "plan mode": Case(
        {"permissions": {"defaultMode": "plan"}}, mode="plan", dialog=PLAN, kind="plan"
    ),
}


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return ClaudeCode()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_message_arrives_and_a_dialog_gets_none(make_world: MakeWorld, case: Case) -> None:
    world = make_world(Setup.CHORD, extra=case.variables)
    assert isinstance(world.home, ClaudeHome)
    for name in case.without:
        world.variables.pop(name)
    settings = json.loads(world.home.settings.read_text()) | case.settings
    world.home.settings.write_text(json.dumps(settings))
    started = world.start(arguments=case.arguments(world))
    assert started.code == 0, f"{started}\n{world.server.screens()}"
    assert world.state()["state"] == "idle", world.server.screens()
    assert world.state()["mode"] == settings["permissions"]["defaultMode"].replace(
        "default", "manual"
    )
    case.before(world)
    sent = world.send(lines(3))
    assert sent.delivered, f"{sent}\n{world.server.screens()}"
    assert world.await_arrival(sent), world.server.screens()
    world.wait(lambda: world.state()["state"] == "idle", "the end of the turn")
    assert world.arrivals(sent) == 1
    kept = world.torch("capture", world.name, "--history", "--json").json
    assert all(line in "\n".join(kept["lines"]) for line in sent.text.split("\n")), kept
    assert kept["keeps_history"] or kept["transcript"]
    with world.stub.behaving(case.dialog):
        assert world.send(prose(30)).delivered, world.server.screens()
        world.wait(lambda: world.state()["dialog"], "the dialog")
    assert world.state()["dialog"]["kind"] == case.kind
    shown = world.server.screen(world.pane)
    held = world.send(lines(3), "--timeout", "1")
    assert held.state == "held", held
    assert "dialog" in held.result.json["reason"]
    assert world.arrivals(held) == 0
    assert world.server.screen(world.pane).splitlines()[-5:] == shown.splitlines()[-5:]
    assert not (world.home.work / "approved").exists()
