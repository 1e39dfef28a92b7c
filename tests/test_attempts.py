"""Attempts that Gemini CLI's screen does not show, from the end of the log that it writes.

The lines are those of Gemini CLI 0.61.0 with a stub (2026-11-30).
"""

import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from conftest import wait_until
from test_other_screens import look
from torch_cli import paths, procs
from torch_cli.programs.attempts import (
    LOG_SECONDS,
    LOG_VARIABLE,
    MOST_LOG_BYTES,
    attempt_in,
    sweep_logs,
    with_attempt,
)
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import State

AT = datetime.fromisoformat("2026-11-30T08:21:19.868Z").timestamp()
BEFORE = """\
[2026-11-30T08:21:03.885Z] [WARN] Attempt 1 failed with status 503. Retrying with backoff... _ApiError: {"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"INTERNAL"}}
    at throwErrorIfNotOK (file:///bundle/chunk-JDPZ4CE3.js:267833:24)
[2026-11-30T08:21:04.000Z] [DEBUG] [Routing] Reasoning: Using: gemini-2.5-flash
"""  # noqa: E501
BACKOFF = f"""\
{BEFORE}[2026-11-30T08:21:19.868Z] [WARN] Attempt 3 failed with status 503. Retrying with backoff... _ApiError: {{"error":{{"code":503,"message":"The model is overloaded. Please try again later.","status":"INTERNAL"}}}}
    at throwErrorIfNotOK (file:///bundle/chunk-JDPZ4CE3.js:267833:24)
"""  # noqa: E501
MINUTE = f"""\
{BEFORE}[2026-11-30T08:21:19.868Z] [WARN] Attempt 1 failed: You exceeded your current quota, please check your plan and billing details. For more information on this error, head over to: https://ai.google.dev/gemini-api/docs/rate-limits.
Suggested retry after 40s.. Retrying after 43597ms...
"""  # noqa: E501
HOURS = """\
[2026-11-30T08:21:19.868Z] [WARN] Attempt 1 failed: You have exhausted your capacity on this model. Your quota will reset after 2h10m5s.. Retrying after 8029939ms...
"""  # noqa: E501


@pytest.mark.parametrize(
    ("log", "after", "kind", "attempt", "wait"),
    [
        (BACKOFF, 1.0, "overloaded", 4, ""),
        (BACKOFF, 25.0, "overloaded", 4, ""),
        (MINUTE, 3.0, "rate-limited", 2, "41 s"),
        (HOURS, 3600.0, "rate-limited", 2, "1 h 13 min"),
    ],
)
def test_a_log_says_what_the_program_waits_for(
    log: str, after: float, kind: str, attempt: int, wait: str
) -> None:
    found = attempt_in(log, AT + after)
    assert found is not None
    assert found.state is State.RETRYING
    assert (found.kind, found.attempt, found.wait) == (kind, attempt, wait)
    assert found.words.startswith(("The model is overloaded.", "You exceeded", "You have exh"))
    assert "Attempt" not in found.words


@pytest.mark.parametrize(
    ("log", "after"),
    [(BACKOFF, 27.0), (MINUTE, 44.0), (BACKOFF, -30.0), (BEFORE, 1.0), ("", 1.0), (HOURS, 8031.0)],
)
def test_an_attempt_that_has_begun_is_no_wait(log: str, after: float) -> None:
    assert attempt_in(log, AT + after) is None


def test_only_a_working_program_with_such_a_log_tries_again(tmp_path: Path) -> None:
    log, profile = tmp_path / "log", load_profile("gemini", None)
    log.write_text(MINUTE)
    working, idle = look("gemini", "working@120x40"), look("gemini", "idle_new@120x40")
    with subprocess.Popen(["/bin/sleep", "60"], env={LOG_VARIABLE: str(log)}) as program:
        wait_until(lambda: procs.environment(program.pid), what="its variables")
        found = with_attempt(working, profile, program.pid, AT + 1)
        assert (found.state, found.shown) == (State.WORKING, State.RETRYING)
        assert found.evidence.startswith("attempt 2 in 43 s, rate-limited: You exceeded your")
        assert with_attempt(idle, profile, program.pid, AT + 1) == idle
        assert with_attempt(working, load_profile("codex", None), program.pid, AT + 1) == working
        log.unlink()
        assert with_attempt(working, profile, program.pid, AT + 1) == working
        program.kill()


def test_logs_do_not_grow_without_bound() -> None:
    folder = Path(paths.program_logs())
    folder.mkdir(parents=True)
    now, sizes = 1_000_000_000.0, {"old": 10, "large": MOST_LOG_BYTES + 1, "small": 10}
    for name, size in sizes.items():
        (folder / f"{name}.log").write_bytes(b"x" * size)
        written = now - LOG_SECONDS - 1 if name == "old" else now
        os.utime(folder / f"{name}.log", (written, written))
    sweep_logs(now)
    left = {one.stem: one.stat().st_size for one in folder.iterdir()}
    assert left == {"large": 0, "small": 10}
