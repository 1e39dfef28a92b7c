"""The configurations in which people have Claude Code, and how each is started.

``test_claude_settings.py`` sends a message in each, ``dialogs.py`` opens dialogs in one.
Other traffic is allowed in some: what is not for the stub goes to a proxy that does not exist.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from e2e.conftest import World
from torch_cli.profiling.houses.claude import ClaudeHome
from torch_cli.profiling.stub import Behaviour, Hold, StubMode
from torch_cli.profiling.verify.subject import APPROVED
from torch_cli.profiling.verify.texts import prose

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
    if got["method"] == "tools/call":
        open(sys.argv[1], "w").close()
    done = {
        "initialize": {"protocolVersion": got.get("params", {}).get("protocolVersion"), **about},
        "tools/list": {"tools": tools},
    }.get(got["method"], {})
    print(json.dumps({"jsonrpc": "2.0", "id": got["id"], "result": done}), flush=True)
"""
"""A server of the Model Context Protocol with one tool. A call makes the file of its argument:
somebody has approved the dialog."""


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
    """The mode in which it starts, in Torch's word."""

    def begin(self, world: World) -> None:
        """Write its settings and start the program; it must come to rest in its mode."""
        assert isinstance(world.home, ClaudeHome)
        for name in self.without:
            world.variables.pop(name)
        settings = json.loads(world.home.settings.read_text()) | self.settings
        world.home.settings.write_text(json.dumps(settings))
        started = world.start(arguments=self.arguments(world))
        assert started.code == 0, f"{started}\n{world.server.screens()}"
        state = world.state()
        assert (state["state"], state["mode"]) == ("idle", self.mode), world.server.screens()
        self.before(world)


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
    server = {"command": sys.executable, "args": [str(script), str(world.home.work / APPROVED)]}
    return ["--mcp-config", json.dumps({"mcpServers": {"asker": server}})]


def _in_the_background(world: World) -> None:
    """Start a command and a sub-agent that go on beside the box."""
    shell = {"command": "sleep 1d", "description": "sleeps", "run_in_background": True}
    with world.stub.behaving(Behaviour(StubMode.TOOL, tool="Bash", given=shell)):
        assert world.send(prose(30)).delivered
        world.settle()
    world.kept, leaders = delegated(world, lambda: world.send(prose(30)))
    leaders.release(Behaviour())  # the helper's own answer never comes
    world.wait(lambda: world.state()["state"] == "idle", "a leader that waits")


def delegated(world: World, begin: Callable[[], object]) -> tuple[Hold, Hold]:
    """Have the program start a sub-agent in the turn that ``begin`` begins.

    Return the answers that are held back: the sub-agent's, and the program's own.
    """
    helper = {
        "description": "looks",
        "prompt": "Look around, helper.",
        "subagent_type": "general-purpose",
        "run_in_background": True,
    }
    calls, first, second = (world.stub.hold() for _ in range(3))
    mark = len(world.stub.requests)
    begin()
    calls.wait(60)
    calls.release(Behaviour(StubMode.TOOL, tool="Agent", given=helper))
    first.wait(60)
    second.wait(60)
    asked = world.stub.requests[mark + 1 :]
    mine = [any("Look around, helper." in text for text in one.texts) for one in asked[:2]]
    assert sorted(mine) == [False, True], asked
    return (first, second) if mine[0] else (second, first)


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
    "vim without its words, no motion": Case(
        {
            "editorMode": "vim",
            "statusLine": {
                "type": "command",
                "command": STATUS_LINE,
                "hideVimModeIndicator": True,
            },
            "prefersReducedMotion": True,
            "spinnerTipsEnabled": False,
        }
    ),
    "focus view": Case({"viewMode": "focus"}),
    "verbose view": Case(
        {"viewMode": "verbose", "spinnerVerbs": {"mode": "replace", "verbs": ["Idle"]}}
    ),
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
