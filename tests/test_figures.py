"""What a program's own record says of the end of its usage limit."""

import datetime
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import wait_until
from test_turn import Rollouts, write_status
from torch_cli import procs
from torch_cli.programs.figures import LATEST_SECONDS, reset_by_figures

NOW = time.time()
RESET = NOW + 3600


def stamp(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[procs.Process]:
    """A process in a directory, with homes of its own for both programs."""
    work = tmp_path / "work"
    work.mkdir()
    own = {"HOME": str(tmp_path), "CODEX_HOME": str(tmp_path / "codex"), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["sleep", "600"], cwd=work, env=own) as begun:
        # For a moment a program that was just started has no environment yet.
        wait_until(lambda: procs.environment(begun.pid), what="its environment")
        process = procs.identify(begun.pid)
        assert process is not None
        yield process
        begun.kill()


@pytest.fixture
def transcript(tmp_path: Path, program: procs.Process) -> Path:
    write_status(tmp_path, program, sessionId="one")
    path = tmp_path / ".claude" / "projects" / "-work" / "one.jsonl"
    path.parent.mkdir(parents=True)
    return path


def refused(at: float, reset: object = RESET, status: str = "rejected") -> str:
    """Return a line of Claude Code's, as 2.1.330 writes it (2026-11-29)."""
    limits = {"status": status, "resetsAt": reset, "rateLimitType": "five_hour"}
    line = {"type": "assistant", "timestamp": stamp(at), "quotaLimits": limits}
    return json.dumps({**line, "error": "rate_limit"}) + "\n"


def said(at: float) -> str:
    return json.dumps({"type": "user", "timestamp": stamp(at), "message": "Do it."}) + "\n"


def test_the_last_refusal_of_this_limit_counts(program: procs.Process, transcript: Path) -> None:
    assert reset_by_figures("claude", program, NOW - 60) is None
    lines = [refused(NOW - 90, RESET - 9), said(NOW - 50), refused(NOW - 40), said(NOW - 30)]
    transcript.write_text("".join(lines) + '{"quotaLimits": {"sta')
    assert reset_by_figures("claude", program, NOW - 60) == RESET
    assert reset_by_figures("claude", program, NOW - 39) is None, "it is of an earlier limit"
    assert reset_by_figures("demo", program, NOW - 60) is None


@pytest.mark.parametrize(
    "line",
    [
        refused(NOW, "soon"),
        refused(NOW, NOW + 2 * LATEST_SECONDS),
        refused(NOW, NOW - 600),
        refused(NOW, RESET, "allowed"),
        '{"quotaLimits": []}\n',
        refused(NOW).replace(stamp(NOW), "yesterday"),
    ],
    ids=["words", "too late", "past", "allowed", "a list", "no time"],  # workers differ in NOW
)
def test_what_is_no_figure_says_nothing(
    program: procs.Process, transcript: Path, line: str
) -> None:
    transcript.write_text(line)
    assert reset_by_figures("claude", program, NOW - 60) is None


def counted(primary: float, secondary: float) -> str:
    """Return a line of Codex's, as 0.169.0 writes it."""
    limits = {
        "primary": {"used_percent": primary, "window_minutes": 300, "resets_at": int(RESET)},
        "secondary": {"used_percent": secondary, "resets_at": int(RESET) + 9999},
    }
    payload = {"type": "token_count", "info": None, "rate_limits": limits}
    return json.dumps({"timestamp": stamp(NOW), "type": "event_msg", "payload": payload}) + "\n"


@pytest.mark.parametrize(
    ("used", "reset"),
    [((100.0, 40.0), int(RESET)), ((100.0, 100.0), int(RESET) + 9999), ((99.0, 40.0), None)],
    ids=["one", "both", "none"],
)
def test_codex_s_used_up_windows_count(
    program: procs.Process, tmp_path: Path, used: tuple[float, float], reset: float | None
) -> None:
    rollouts, where = Rollouts(tmp_path / "codex"), (tmp_path / "work").resolve()
    rollouts.write("1", where, "task_started", more=counted(*used))
    assert reset_by_figures("codex", program, NOW - 60) == reset
    rollouts.write("2", where, "task_started", more=counted(*used))
    assert reset_by_figures("codex", program, NOW - 60) is None, "which is its own is not known"
