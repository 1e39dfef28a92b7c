"""Whether a turn is running, by the program's own word: its record, its reports, and silence."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from torch_cli import procs
from torch_cli.programs import turn
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.observe import observe
from torch_cli.programs.record import TurnRecord, record_of, wrote_at
from torch_cli.programs.state import HookEvent, State
from torch_cli.programs.turn import TurnReport, at_home, turn_of, weighed
from torch_cli.store import Store
from torch_cli.tmux.screen import Screen
from torch_cli.watch.sweep import Sweep

CLAUDE, CODEX, DEMO = (load_profile(name, None) for name in ("claude", "codex", "demo"))
Start = Callable[..., procs.Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process in a directory, with variables of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(where: Path, **environ: str) -> procs.Process:
        where.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-c", "print(flush=True); input()"]
        pipe = subprocess.PIPE
        begun.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, cwd=where, env=environ))
        assert begun[-1].stdout is not None
        begun[-1].stdout.readline()  # its environment is there
        process = procs.identify(begun[-1].pid)
        assert process is not None
        return process

    yield start
    for one in begun:
        one.communicate()


# -- the record of Claude Code


def write_status(home: Path, process: procs.Process, **fields: object) -> None:
    path = home / ".claude" / "sessions" / f"{process.pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"pid": process.pid, "procStart": process.started, "statusUpdatedAt": 1_000_000}
    path.write_text(json.dumps(known | fields))


@pytest.mark.parametrize(
    ("status", "running"),
    [("busy", True), ("waiting", True), ("idle", False), ("shell", False)],
)
def test_claude_code_says_itself_whether_it_works(
    status: str, running: bool, start: Start, tmp_path: Path
) -> None:
    process = start(tmp_path, HOME=str(tmp_path))
    write_status(tmp_path, process, status=status)
    found = record_of("claude", process)
    evidence, asks = f"its own record says '{status}'", status == "waiting"
    assert found == TurnRecord(running, 1000.0, evidence, current=True, asks=asks)
    assert record_of("claude", process.pid) == found


@pytest.mark.parametrize(
    "fields",
    [{}, {"status": "pondering"}, {"status": ["busy"]}, {"status": "busy", "procStart": "1"}],
)
def test_a_record_of_another_version_or_process_says_nothing(
    fields: dict[str, object], start: Start, tmp_path: Path
) -> None:
    process = start(tmp_path, HOME=str(tmp_path))
    assert record_of("claude", process) is None
    write_status(tmp_path, process, **fields)
    assert record_of("claude", process) is None


def test_a_transcript_says_when_the_program_or_an_agent_of_its_own_wrote(
    start: Start, tmp_path: Path
) -> None:
    process = start(tmp_path, HOME=str(tmp_path))
    assert wrote_at("claude", process) == 0.0
    write_status(tmp_path, process, sessionId="abc-1")
    project = tmp_path / ".claude" / "projects" / "p"
    (project / "abc-1" / "subagents").mkdir(parents=True)
    for name, at in (("abc-1", 100.0), ("abc-2", 300.0), ("abc-1/subagents/agent-x", 200.0)):
        path = project / f"{name}.jsonl"
        path.touch()
        os.utime(path, (at, at))
        assert wrote_at("claude", process) == min(at, 100.0 if at == 300.0 else at)
    assert wrote_at("gemini", process) == 0.0


@pytest.mark.parametrize("text", ["", "{", "[]", '"busy"', "\0", '{"status": null}'])
def test_a_record_that_cannot_be_read_says_nothing(text: str, start: Start, tmp_path: Path) -> None:
    process = start(tmp_path, HOME=str(tmp_path))
    write_status(tmp_path, process)
    (tmp_path / ".claude" / "sessions" / f"{process.pid}.json").write_text(text)
    assert record_of("claude", process) is None


def test_a_box_is_not_the_agents_once_its_session_is_in_the_background(
    start: Start, tmp_path: Path
) -> None:
    """Any other session can be opened in the same pane then, and its box looks the same."""
    process = start(tmp_path, HOME=str(tmp_path))
    shown = classify(EMPTY, CLAUDE)
    for at in (process, process.pid):
        assert at_home(shown, CLAUDE, at) == shown  # nothing is known of it
        write_status(tmp_path, process, status="idle")
        assert at_home(shown, CLAUDE, at) == shown
        write_status(tmp_path, process, status="idle", parkedJobId="6bd0d969")
        away = at_home(shown, CLAUDE, at)
        assert (away.state, away.rule, away.box) == (State.UNKNOWN, "another session", shown.box)
        assert at_home(shown, DEMO, at) == shown
        nothing = shown._replace(box=None)
        assert at_home(nothing, CLAUDE, at) == nothing
        (tmp_path / ".claude" / "sessions" / f"{process.pid}.json").unlink()


def test_it_is_said_how_a_session_in_the_background_is_gone_on_with(
    start: Start, tmp_path: Path
) -> None:
    """Its copy there has a transcript from its first prompt on; before that, the old one counts."""
    process = start(tmp_path, HOME=str(tmp_path))
    shown = classify(EMPTY, CLAUDE)
    home = tmp_path / ".claude"

    def said() -> str:
        return at_home(shown, CLAUDE, process).evidence

    write_status(tmp_path, process, status="idle", parkedJobId="6bd0", sessionId="a-1")
    assert said().endswith("stop the agent and restart it")
    old, copy = (home / "projects" / "-work" / f"{name}.jsonl" for name in ("a-1", "b-2"))
    old.parent.mkdir(parents=True)
    old.touch()
    assert said().endswith("restart it with '-- --resume a-1'")
    job = home / "jobs" / "6bd0" / "state.json"
    job.parent.mkdir(parents=True)
    for text in ("", "[]", '{"sessionId": 3}', '{"sessionId": "../b-2"}', '{"sessionId": "b-2"}'):
        job.write_text(text)
        assert said().endswith("restart it with '-- --resume a-1'")
    copy.touch()
    assert said().endswith("restart it with '-- --resume b-2'")
    write_status(tmp_path, process, status="idle", parkedJobId="../6bd0", sessionId="a-1 --x")
    assert said().endswith("stop the agent and restart it")


@pytest.mark.parametrize("text", ["", "{", "[]", '"busy"', "\0"])
def test_a_record_that_cannot_be_read_leaves_open_whose_box_it_is(
    text: str, start: Start, tmp_path: Path
) -> None:
    process = start(tmp_path, HOME=str(tmp_path))
    write_status(tmp_path, process)
    (tmp_path / ".claude" / "sessions" / f"{process.pid}.json").write_text(text)
    found = at_home(classify(EMPTY, CLAUDE), CLAUDE, process)
    assert (found.state, found.rule) == (State.UNKNOWN, "another session")
    assert "cannot be read" in found.evidence


# -- the record of Codex


class Rollouts:
    """Writes rollouts into a home of Codex."""

    def __init__(self, home: Path) -> None:
        self.day = home / "sessions" / time.strftime("%Y/%m/%d")
        self.day.mkdir(parents=True)

    def write(self, name: str, where: Path, *words: str, more: str = "") -> Path:
        lines: list[dict[str, object]] = [{"type": "session_meta", "payload": {"cwd": str(where)}}]
        lines += [{"type": "event_msg", "payload": {"type": word}} for word in words]
        path = self.day / f"rollout-{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines) + more)
        return path


@pytest.mark.parametrize(
    ("words", "running"),
    [
        (("task_started",), True),
        (("task_started", "token_count"), True),
        (("task_started", "task_complete"), False),
        (("task_started", "turn_aborted"), False),
        (("task_started", "task_complete", "task_started"), True),
        ((), None),
    ],
)
def test_codex_says_itself_whether_it_works(
    words: tuple[str, ...], running: bool | None, start: Start, tmp_path: Path
) -> None:
    rollouts, where = Rollouts(tmp_path / "codex"), (tmp_path / "work").resolve()
    process = start(where, CODEX_HOME=str(tmp_path / "codex"))
    assert record_of("codex", process) is None
    rollouts.write("1", where, *words)
    rollouts.write("2", tmp_path, "task_started")
    found = record_of("codex", process)
    assert (found.running if found else None) is running


def test_a_rollout_that_quotes_one_or_is_long_or_cut_is_read_rightly(
    start: Start, tmp_path: Path
) -> None:
    rollouts, where = Rollouts(tmp_path / "codex"), (tmp_path / "work").resolve()
    process = start(where, CODEX_HOME=str(tmp_path / "codex"))
    quoted = json.dumps({"type": "event_msg", "payload": {"type": "task_complete"}})
    said = {"type": "response_item", "payload": {"type": "message", "text": quoted}}
    more = (json.dumps(said) + "\n") + ("x" * 99 + "\n") * 1000 + quoted[:-5]
    rollouts.write("1", where, "task_started", more=more)
    found = record_of("codex", process)
    assert found is not None
    assert found.running


def test_of_two_in_one_directory_only_what_both_say_is_believed(
    start: Start, tmp_path: Path
) -> None:
    rollouts, where = Rollouts(tmp_path / "codex"), (tmp_path / "work").resolve()
    process = start(where, CODEX_HOME=str(tmp_path / "codex"))
    rollouts.write("1", where, "task_started", "task_complete")
    rollouts.write("2", where, "task_started", "turn_aborted")
    found = record_of("codex", process)
    assert found is not None
    assert not found.running
    rollouts.write("2", where, "task_started")
    assert record_of("codex", process) is None


def test_a_rollout_from_before_the_program_is_not_its_own(start: Start, tmp_path: Path) -> None:
    rollouts, where = Rollouts(tmp_path / "codex"), (tmp_path / "work").resolve()
    process = start(where, CODEX_HOME=str(tmp_path / "codex"))
    old = rollouts.write("1", where, "task_started")
    os.utime(old, (time.time() - 60, time.time() - 60))
    assert record_of("codex", process) is None


def test_a_rollout_may_be_stamped_with_the_tick_before_the_program_began(
    start: Start, tmp_path: Path
) -> None:
    """The kernel stamps files with the time of its last tick."""
    rollouts, where = Rollouts(tmp_path / "codex"), (tmp_path / "work").resolve()
    process = start(where, CODEX_HOME=str(tmp_path / "codex"))
    begun = procs.begun(process)
    assert begun is not None
    path = rollouts.write("1", where, "task_started")
    os.utime(path, (begun - 0.012, begun - 0.012))
    found = record_of("codex", process)
    assert found is not None
    assert found.running


# -- what is made of it

RULE = "─" * 40
EMPTY = Screen.parse(f"● Ready.\n\n{RULE}\n❯\u00a0\n{RULE}\n  status line", width=40, height=6)


SUBMITTED = HookEvent("UserPromptSubmit", 900.0, open=True)


def test_a_record_outweighs_an_empty_box_and_an_old_report(start: Start, tmp_path: Path) -> None:
    process = start(tmp_path, HOME=str(tmp_path))
    shown = classify(EMPTY, CLAUDE)
    assert (shown.state, shown.rule) == (State.IDLE, "box")
    for status, event, state in (
        ("busy", None, State.WORKING),
        ("busy", HookEvent("Stop", 900.0, ended=900.0), State.WORKING),
        ("busy", HookEvent("Stop", 1100.0, ended=1100.0), State.IDLE),  # helpers go on
        ("idle", SUBMITTED, State.IDLE),
    ):
        write_status(tmp_path, process, status=status)
        assert weighed(shown, turn_of(CLAUDE, process, event, 1000.0)).state is state, status


def test_after_escape_the_record_ends_what_no_hook_reports(start: Start, tmp_path: Path) -> None:
    """Claude Code puts the message back into its box if nothing was answered yet."""
    process = start(tmp_path, HOME=str(tmp_path))
    draft = Screen.parse(EMPTY.text.replace("❯\u00a0", "❯\u00a0again"), width=40, height=6)
    shown = classify(draft, CLAUDE, SUBMITTED)
    assert (shown.state, shown.rule) == (State.WORKING, "hook")
    write_status(tmp_path, process, status="idle")
    assert weighed(shown, turn_of(CLAUDE, process, SUBMITTED, 1000.0)).state is State.IDLE


def test_what_a_rule_sees_on_the_screen_is_not_weighed() -> None:
    error = classify(
        Screen.parse(f"❯ hi\n● API Error: 400\n{RULE}\n❯\u00a0\n{RULE}\n", width=40, height=6),
        CLAUDE,
    )
    assert error.rule == "API error"
    assert weighed(error, TurnReport(True, "busy")) == error


@pytest.mark.parametrize("quiet", [0.0, 5.0, 60.0])
def test_an_open_turn_ends_only_after_a_long_silence(quiet: float) -> None:
    now = time.time()
    event = HookEvent("UserPromptSubmit", now - 100, open=True)
    found = turn_of(DEMO, 2**22 + 1, event, now - quiet)
    assert found is not None
    assert found.running is (quiet < turn.QUIET_TURN_SECONDS)
    assert turn_of(DEMO, 2**22 + 1, event, 0.0) == found._replace(
        running=True,
        evidence="hook: UserPromptSubmit, and no report of the end of the turn",
        source="hook",
    )


# -- a pane


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def report(demo: DemoAgent, name: str, **fields: str) -> None:
    environ = {
        "TMUX": f"{demo.pane.socket_path},{demo.pane.server_pid},0",
        "TMUX_PANE": demo.pane.id,
    }
    event = json.dumps({"hook_event_name": name, **fields})
    assert demo.torch("hook", input=event, env=environ).code == 0


def both(demo: DemoAgent) -> State:
    """Return the state that a look and a sweep agree on."""
    with Store() as store, demo.tmux.client() as client:
        agent = store.agents.get(demo.name)
        assert agent is not None
        seen = Sweep(client, store).look([agent])[demo.name].state
        sight = observe(client, store, demo.pane, DEMO, since=agent.created).state
    assert seen == sight
    return seen.state


def test_a_turn_that_was_not_reported_to_have_ended_outweighs_an_empty_box(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert both(demo) is State.IDLE
    report(demo, "UserPromptSubmit", prompt="work that no screen shows")
    assert both(demo) is State.WORKING
    report(demo, "Notification", message="still at it")
    assert both(demo) is State.WORKING
    held = demo.send("next", "--when", "idle", "--timeout", "1", "--json")
    assert (held.json["state"], demo.submitted()) == ("held", [])
    with monkeypatch.context() as patched:
        patched.setattr(turn, "QUIET_TURN_SECONDS", 0.0)
        assert both(demo) is State.IDLE
    assert both(demo) is State.WORKING
    report(demo, "Stop")
    assert both(demo) is State.IDLE


def test_a_sweep_hears_of_an_end_without_a_new_screen(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(demo, "UserPromptSubmit", prompt="interrupted")
    with Store() as store, demo.tmux.client() as client:
        agent = store.agents.get(demo.name)
        assert agent is not None
        sweep = Sweep(client, store)
        assert sweep.look([agent])[demo.name].state.state is State.WORKING
        with monkeypatch.context() as patched:
            patched.setattr(turn, "QUIET_TURN_SECONDS", 0.0)
            assert sweep.look([agent])[demo.name].state.state is State.IDLE
