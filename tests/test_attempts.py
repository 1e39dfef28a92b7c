"""Attempts that a screen does not show, or not whole: of Gemini CLI's log, of opencode's plugin.

The lines are those of Gemini CLI 0.61.0, the reports those of opencode 1.18.33, each with a stub
(2026-11-30).
"""

import json
import os
import shlex
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import TmuxServer, Torch, wait_until
from test_classify_others import look as look_at
from test_other_screens import look
from torch_cli import paths, procs
from torch_cli.programs.attempts import (
    LOG_SECONDS,
    LOG_VARIABLE,
    MOST_LOG_BYTES,
    OVERDUE_SECONDS,
    attempt_in,
    sweep_logs,
    unlogged,
    with_attempt,
)
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import Attempt, HookEvent, State

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
        found = with_attempt(working, profile, program.pid, None, AT + 1)
        assert (found.state, found.shown) == (State.WORKING, State.RETRYING)
        assert found.evidence.startswith("attempt 2 in 43 s, rate-limited: You exceeded your")
        assert with_attempt(idle, profile, program.pid, None, AT + 1) == idle
        assert (
            with_attempt(working, load_profile("codex", None), program.pid, None, AT + 1) == working
        )
        log.unlink()
        assert with_attempt(working, profile, program.pid, None, AT + 1) == working
        program.kill()


@pytest.mark.parametrize(
    ("words", "number", "after", "kind", "said"),
    [
        ("Too Many Requests", 2, -4.0, "rate-limited", "attempt 2 in 4 s, rate-limited: Too Many"),
        ("Provider is overloaded", 3, -3720.0, "overloaded", "attempt 3 in 1 h 2 min, overload"),
        ("Provider is overloaded", 3, OVERDUE_SECONDS - 1, "overloaded", "attempt 3, overloaded:"),
        ("", None, -4.0, "other", "in 4 s, other: "),
    ],
)
def test_a_reported_attempt_says_what_the_program_waits_for(
    words: str, number: int | None, after: float, kind: str, said: str
) -> None:
    profile = load_profile("opencode", None)
    event = HookEvent("session.retrying", AT, open=True, attempt=Attempt(words, number, AT))
    working = look_at("opencode", "working@120x40")
    found = with_attempt(working, profile, os.getpid(), event, AT + after)
    assert (found.state, found.shown) == (State.WORKING, State.RETRYING)
    assert found.trouble is not None
    assert (found.trouble.kind, found.trouble.source) == (kind, "hook")
    assert found.evidence.startswith(said), found.evidence


def test_a_reported_attempt_whose_time_is_long_over_does_not_count() -> None:
    """That it began was reported, and got lost. What the screen shows counts."""
    profile, shown = load_profile("opencode", None), look_at("opencode", "error_429@120x40")
    event = HookEvent("session.retrying", AT, open=True, attempt=Attempt("x", 2, AT))
    late = AT + OVERDUE_SECONDS + 1
    assert with_attempt(shown, profile, os.getpid(), event, late) == shown
    idle = look_at("opencode", "idle@120x40")
    assert with_attempt(idle, profile, os.getpid(), event, AT) == idle


def report(torch: Torch, pane: Any, name: str, **fields: object) -> None:
    """Report an event as the plugin of the program in ``pane`` does."""
    environ = {"TMUX": f"{pane.socket_path},{pane.server_pid},0", "TMUX_PANE": pane.id}
    event = {"hook_event_name": name, "session_id": "ses_1", **fields}
    assert torch("hook", input=json.dumps(event), env=environ).code == 0


@pytest.mark.parametrize(
    ("next_", "wait"), [(3_700_000, "1 h 1 min"), (True, ""), (10**400, ""), ("soon", "")]
)
def test_the_plugin_tells_which_attempt_comes_when(
    tmux: TmuxServer, torch: Torch, next_: Any, wait: str
) -> None:
    screen = Path(__file__).parent / "screens/opencode/working@120x40.ansi.txt"
    cursors = json.loads((screen.parent / "cursors.json").read_text())
    x, y, _ = cursors["working@120x40"]
    move = f"printf '\\033[{y + 1};{x + 1}H'"
    command = f"head -c -1 {shlex.quote(str(screen))}; {move}; exec sleep 600"
    pane = tmux.new_session("oc", command, size=(120, 40))
    tmux.wait_for_text(pane, "interrupt")
    assert torch("adopt", pane.id, "oc", "--profile", "opencode").code == 0
    report(torch, pane, "chat.message", prompt="hello")
    assert torch("state", "oc", "--json").json["state"] == "working"
    at = int(time.time() * 1000) + next_ if type(next_) is int and next_ < 10**9 else next_
    report(torch, pane, "session.retrying", attempt=2, message="Too Many Requests", next=at)
    state = torch("state", "oc", "-v", "--json").json
    told = {"kind": "rate-limited", "words": "Too Many Requests", "attempt": 2, "source": "hook"}
    assert (state["state"], state["retry"]) == ("retrying", told | ({"wait": wait} if wait else {}))
    hook = next(one for one in state["sources"] if one["source"] == "hook")
    assert (hook["state"], hook["rule"], hook["decides"]) == ("retrying", "session.retrying", True)
    assert torch("ps", "--json").json["state"] == "retrying"
    report(torch, pane, "session.busy")
    assert torch("state", "oc", "--json").json["state"] == "working"


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


def test_a_program_without_such_a_log_is_said_to_have_none(tmp_path: Path) -> None:
    gemini, codex = load_profile("gemini", None), load_profile("codex", None)
    for variables, seen in (({LOG_VARIABLE: str(tmp_path / "log")}, True), ({"A": "b"}, False)):
        with subprocess.Popen(["/bin/sleep", "60"], env=variables) as program:
            wait_until(lambda: procs.environment(program.pid), what="its variables")
            said = unlogged(gemini, program.pid)
            assert (said == "") is seen
            assert seen or f"without {LOG_VARIABLE}. 'torch spawn' sets" in said
            assert unlogged(codex, program.pid) == ""
            program.kill()
