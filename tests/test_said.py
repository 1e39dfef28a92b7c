"""What was said in an agent on the alternate screen, from its program's own transcript."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import TmuxServer, Torch
from torch_cli import procs
from torch_cli.programs.said import said_by
from torch_cli.watch.spoken import SCREEN

PROGRAM = """
import json, os, pathlib, sys, time
home = pathlib.Path(os.environ["HOME"]) / ".claude"
(home / "sessions").mkdir(parents=True)
written = json.dumps({"sessionId": "abc-1", "status": "idle"})
(home / "sessions" / f"{os.getpid()}.json").write_text(written)
sys.stdout.write("\\x1b[?1049h\\x1b[Hrow of the screen\\n")
sys.stdout.flush()
time.sleep(3600)
"""
"""A program that draws on the alternate screen, and keeps a record as Claude Code does."""


def _entry(role: str, content: object, **more: Any) -> dict[str, Any]:
    return {"type": role, "message": {"role": role, "content": content}, **more}


LINES = [
    {"type": "summary", "summary": "none of this"},
    _entry("user", "Look at it.\nBoth lines."),
    _entry("user", "a rule of the program's own", isMeta=True),
    _entry("assistant", [{"type": "thinking", "thinking": "not said"}]),
    _entry("assistant", [{"type": "text", "text": "I look."}]),
    _entry("assistant", [{"type": "tool_use", "name": "Bash", "input": {"command": "ls -l\nls"}}]),
    _entry("user", [{"type": "tool_result", "content": "a result"}]),
    _entry("assistant", [{"type": "text", "text": "what a helper says"}], isSidechain=True),
    _entry("assistant", [{"type": "text", "text": "It is:\n\n  fine"}]),
]
SAID = [
    *("> Look at it.", "> Both lines.", "", "I look.", "", "[Bash] ls -l ls", ""),
    *("It is:", "", "  fine"),
]


@pytest.fixture
def agent(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> str:
    """The pane of an agent whose program is on the alternate screen; what was said is ``SAID``."""
    home, script = tmp_path / "home", tmp_path / "program.py"
    script.write_text(PROGRAM)
    project = home / ".claude" / "projects" / "-a-project"
    project.mkdir(parents=True)
    (project / "abc-1.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    (project / "another.jsonl").write_text(json.dumps(_entry("user", "of another session")))
    pane = tmux.new_session("said", f"exec env HOME={home} {sys.executable} {script}")
    tmux.wait_for_text(pane, "row of the screen")
    assert torch("adopt", pane.id, "dev", "--profile", "claude").code == 0
    return pane.id


def test_what_was_said_comes_from_the_transcript_and_that_is_said(torch: Torch, agent: str) -> None:
    done = torch("capture", "dev", "--history")
    assert done.code == 0
    assert done.out.splitlines() == [*SAID, "", SCREEN, "row of the screen"]
    assert "what was said, from its transcript" in done.err
    assert "abc-1.jsonl" in done.err
    last = torch("capture", "dev", "-n", "200", "--json").json
    assert last["lines"] == done.out.splitlines()
    assert (last["keeps_history"], Path(last["transcript"]).name) == (False, "abc-1.jsonl")


def test_a_screen_that_is_all_that_is_wanted_needs_no_transcript(torch: Torch, agent: str) -> None:
    done = torch("capture", "dev", "-n", "2", "--json").json
    assert (done["lines"], done["transcript"]) == (["row of the screen"], None)


def test_as_many_lines_as_asked_for_are_the_last_ones(torch: Torch, agent: str) -> None:
    height = 500
    done = torch("capture", "dev", "-n", str(height), "--json").json["lines"]
    assert done[-1] == "row of the screen"
    assert len(done) == len(SAID) + 3


def test_a_log_names_the_transcript(torch: Torch, agent: str) -> None:
    done = torch("log", "dev")
    assert "abc-1.jsonl: torch capture dev --history" in done.err
    assert torch("log", "dev", "--json").json["transcript"].endswith("abc-1.jsonl")


def test_what_a_retired_agent_said_is_kept(torch: Torch, agent: str) -> None:
    done = torch("retire", "dev", "--deadline", "0", "--force", "--json")
    assert done.code == 0, done
    assert (done.json["screen_lacks"], Path(done.json["transcript"]).name) == (None, "abc-1.jsonl")
    kept = (Path(done.json["saved"]) / "screen.txt").read_text()
    assert kept.splitlines()[: len(SAID)] == SAID


def test_a_session_that_was_moved_away_has_no_transcript_here(
    tmux: TmuxServer, torch: Torch, agent: str, tmp_path: Path
) -> None:
    """The screen may be that of any other session then."""
    (record,) = (tmp_path / "home" / ".claude" / "sessions").iterdir()
    record.write_text(json.dumps({"sessionId": "abc-1", "parkedJobId": "j"}))
    done = torch("capture", "dev", "--history", "--json")
    assert (done.json["transcript"], done.json["lines"]) == (None, ["row of the screen"])
    assert "no transcript of its program is known" in done.err


def test_a_conversation_of_codex_is_read_from_its_one_rollout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rollout = tmp_path / "rollout.jsonl"
    items = [
        {"type": "UserMessage", "content": [{"type": "text", "text": "Look."}]},
        {"type": "CommandExecution", "command": ["/bin/bash", "-lc", "echo hi"]},
        {"type": "AgentMessage", "content": [{"type": "Text", "text": "Done.\nWell."}]},
    ]
    payloads = [{"type": "item_completed", "item": item} for item in items]
    lines = [{"type": "event_msg", "payload": payload} for payload in payloads]
    rollout.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"type": "cut')
    monkeypatch.setattr("torch_cli.programs.said.rollouts_of", lambda _: [str(rollout)])
    me = procs.identify(os.getpid())
    assert me is not None
    said = said_by("codex", me)
    assert said is not None
    assert said.lines == ["> Look.", "", "[shell] echo hi", "", "Done.", "Well."]
    two = [str(rollout), str(rollout)]
    monkeypatch.setattr("torch_cli.programs.said.rollouts_of", lambda _: two)
    assert said_by("codex", me) is None, "one of them may be another program's"
