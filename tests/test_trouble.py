"""Errors of an agent's API: what the programs show and report of them, and who is told."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import test_classify
import test_classify_others
import test_lab_screens
import test_other_screens
import test_settings_screens
from agent import DemoAgent
from conftest import TmuxServer, Torch, wait_until
from torch_cli.attention.history import History
from torch_cli.errors import RefusedError
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile, parse_profile
from torch_cli.programs.state import TROUBLES, AgentState, HookEvent, State, Trouble
from torch_cli.programs.trouble import TROUBLE_KINDS, code_in, error_of, kind_of, weigh_trouble
from torch_cli.schedule import checkin as checkins
from torch_cli.schedule import trigger
from torch_cli.schedule.checkin import CheckinOrder
from torch_cli.schedule.firing import fire_due
from torch_cli.store import Store
from torch_cli.store.tasks import Task
from torch_cli.tasks.ranking import Candidate, objection

FOLDER = Path(__file__).parent / "screens"

# A part of the name of a captured screen: what it shows, its kind, code, and which attempt of how
# many, 0 if that is not shown. What is not listed shows no trouble.
SHOWN: dict[tuple[str, str], tuple[str, str, int | None, int, int]] = {
    ("claude", r"error_400_\d"): ("error", "request", 400, 0, 0),
    ("claude", r"error_401_4"): ("retrying", "authentication", 401, 3, 10),
    ("claude", r"error_401_1"): ("retrying", "authentication", 401, 5, 10),
    ("claude", r"error_429_4"): ("retrying", "rate-limited", 429, 3, 10),
    ("claude", r"error_429_1"): ("retrying", "rate-limited", 429, 5, 10),
    ("claude", r"error_500_4"): ("retrying", "server", 500, 3, 10),
    ("claude", r"error_500_1"): ("retrying", "server", 500, 5, 10),
    ("claude", r"error_529_\d"): ("error", "overloaded", 529, 0, 0),
    ("claude", r"retrying@200x40"): ("retrying", "other", None, 1, 10),
    ("claude", r"retrying@(?!200x40)"): ("retrying", "other", None, 2, 10),
    ("codex", r"error_400"): ("error", "other", None, 0, 0),
    ("codex", r"error_401(-0.171.0)?@(120|40x40|80x40)"): (
        *("retrying", "authentication", 401, 4, 5),
    ),
    ("codex", r"error_401(-0.171.0)?@(?!120|40x40|80x40)"): (
        *("retrying", "authentication", 401, 5, 5),
    ),
    ("codex", r"retrying.*@(?!40x24|80x24)"): ("retrying", "overloaded", None, 1, 5),
    ("codex", r"retrying.*@(40x24|80x24)"): ("retrying", "overloaded", None, 2, 5),
    ("gemini", r"error_401@(?!80x15)"): ("error", "authentication", 401, 0, 0),
    ("opencode", r"error_(429|500|529)@(?!40x40)"): ("retrying", "other", None, 2, 0),
    ("opencode", r"error_(429|500|529)@40x40"): ("retrying", "other", None, 0, 0),
    ("aider", r"error_400"): ("error", "request", None, 0, 0),
    ("aider", r"error_401"): ("error", "authentication", None, 0, 0),
    ("aider", r"error_429"): ("retrying", "rate-limited", None, 0, 0),
    ("lab", r"aider-error-401"): ("error", "authentication", None, 0, 0),
    ("lab", r"aider-error-500"): ("retrying", "server", None, 0, 0),
    ("lab", r"aider-error$"): ("error", "server", None, 0, 0),
    ("lab", r"codex-error-401"): ("error", "authentication", 401, 0, 0),
    ("lab", r"codex-error-500"): ("retrying", "overloaded", None, 2, 5),
    ("lab", r"codex-error$"): ("error", "network", None, 0, 0),
    ("lab", r"gemini-error-401"): ("error", "authentication", 401, 0, 0),
}
SCREENS = sorted(
    {
        (path.parent.name, path.name.removesuffix(".txt").removesuffix(".ansi"))
        for path in FOLDER.glob("*/*.txt")
        if path.parent.name in ("aider", "claude", "codex", "gemini", "lab", "opencode")
    }
)


def look(folder: str, name: str) -> AgentState:
    if folder == "lab":
        return classify(test_lab_screens.load(name), test_lab_screens.profile_of(name))
    if folder == "settings":
        return test_settings_screens.look(name)
    if folder == "claude":
        screen = test_classify.load(name)
    elif folder in test_other_screens.PROFILES:
        screen = test_other_screens.load(folder, name)
    else:
        screen = test_classify_others.load(folder, name)
    return classify(screen, load_profile(folder, None))


@pytest.mark.parametrize("folder", sorted({folder for folder, _ in SCREENS}))
def test_a_screen_shows_the_trouble_that_it_has_and_no_other(folder: str) -> None:
    """Answers that quote an error, menus, drafts: of all captured screens only those show one."""
    for name in (name for of, name in SCREENS if of == folder):
        found = look(folder, name)
        known = [
            what for (of, part), what in SHOWN.items() if of == folder and re.match(part, name)
        ]
        one = found.trouble
        if not known:
            assert one is None, (name, found)
            assert found.shown is found.state
            continue
        assert one is not None, (name, found)
        shows = (str(one.state), one.kind, one.code, one.attempt or 0, one.attempts or 0)
        assert shows == known[0], (name, found)
        assert found.shown is one.state
        assert found.state is TROUBLES[one.state], "what delivery sees does not change"
        assert one.words, name
        assert "──" not in one.words, name


@pytest.mark.parametrize(
    ("words", "name", "kind", "code"),
    [
        # Claude Code 2.1.330 on a stub, 2026-11-29: its own words, and those of its report.
        (
            "Please run /login · API Error: 401 stub: authentication_error",
            *("authentication_failed", "authentication", 401),
        ),
        (
            "Please run /login · API Error: 403 stub: api_error",
            *("authentication_failed", "authentication", 403),
        ),
        (
            "API Error: Request rejected (429) · stub: rate_limit_error",
            *("rate_limit", "rate-limited", 429),
        ),
        ("API Error: 529 stub: overloaded_error. This is …", "server_error", "overloaded", 529),
        ("API Error: 500 stub: api_error. This is …", "server_error", "server", 500),
        ("API Error: 400 stub: invalid_request_error", "unknown", "request", 400),
        ("API Error: 402 stub: api_error", "unknown", "billing", 402),
        ("Request too large (max 32MB). …", "invalid_request", "context", None),
        ("Prompt is too long", "invalid_request", "context", None),
        ("Credit balance is too low", "billing_error", "billing", None),
        ("API Error: Connection error.", "unknown", "network", None),
        ("stream disconnected before completion: …", "", "network", None),
        ('[API Error: {"error":{"code":503,"message":"x"}}]', "", "server", 503),
        ("exceeded retry limit, last status: 429 Too Many Requests", "", "rate-limited", 429),
        ("it fell over", "", "other", None),
    ],
)
def test_an_error_has_a_kind_and_a_code(words: str, name: str, kind: str, code: int | None) -> None:
    assert code_in(words) == code
    assert kind_of(words, code, name) == kind
    assert kind in TROUBLE_KINDS


def test_what_the_program_reported_of_its_turn_counts_for_more_than_its_screen() -> None:
    shown = Trouble(State.ERROR, "API Error: 500", "server", 500, source="screen")
    idle = AgentState(State.IDLE, "box", "box", trouble=shown)
    assert weigh_trouble(idle, None).shown is State.ERROR
    ended = HookEvent("Stop", 1.0, ended=1.0)
    assert weigh_trouble(idle, ended).shown is State.IDLE, "the answer quotes an error"
    failed = HookEvent("StopFailure", 1.0, ended=1.0, failed="Prompt is too long", kind="unknown")
    found = weigh_trouble(idle._replace(trouble=None), failed)
    assert found.trouble == error_of("Prompt is too long", "unknown", "hook")
    assert found.evidence == "context: Prompt is too long"
    working = idle._replace(state=State.WORKING, trouble=None)
    assert weigh_trouble(working, failed) == working, "the next turn has begun"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[troubles]]\nstate = 'error'\nmatch = 'x'", "group named 'words'"),
        ("[[troubles]]\nstate = 'error'\nmatch = '(?P<words>x)'\nrows = 0", "at least 1"),
        ("[[troubles]]\nstate = 'idle'\nmatch = '(?P<words>x)'", "must be one of"),
        ("[[rules]]\nstate = 'error'\nname = 'x'\nwhere = 'bottom'\nmatch = 'x'", "one of"),
        ("[paste]\nframed_in = ['idle', 'retrying']", "must be one of"),
    ],
)
def test_a_profile_says_troubles_in_their_own_table(text: str, problem: str) -> None:
    with pytest.raises(RefusedError, match=problem):
        parse_profile(f"name = 'x'\n{text}", "x.toml")


# -- the whole way ---------------------------------------------------------------------------------


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def fail(demo: DemoAgent, words: str = "529 overloaded") -> None:
    """Have it end a turn with an error of its API."""
    sent = demo.send(f"ERROR({words})")
    assert sent.code == 0, sent
    demo.wait_for("error")


def test_an_error_is_a_state_of_its_own_until_the_agent_goes_on(demo: DemoAgent) -> None:
    fail(demo)
    wanted = {
        "kind": "overloaded",
        "code": 529,
        "words": "API Error: 529 overloaded",
        "source": "hook",
    }
    state = demo.torch("state", demo.name, "--json").json
    assert (state["state"], state["error"]) == ("error", wanted)
    (listed,) = lines(demo.torch("ps", "--json").out)
    assert (listed["state"], listed["error"]) == ("error", wanted)
    done = demo.torch("status")
    assert done.code == 8
    assert done.out.startswith("FIX")
    assert "API Error: 529 overloaded" in done.out
    (needed,) = lines(demo.torch("status", "--json").out)
    assert (needed["do"], needed["state"], needed["error"]) == ("fix", "error", wanted)
    again = needed["steps"][0]["command"]
    assert again == ["torch", "send", demo.name, "Please continue."]
    assert "error" in demo.torch("why", demo.name).out

    assert demo.torch(*again[1:]).code == 0, "its box is empty: it takes a message"
    demo.wait_for("idle")
    assert demo.submitted()[-1].endswith("Please continue.")
    assert demo.torch("status").code == 0


def test_an_error_is_an_event_and_the_next_kind_another_one(demo: DemoAgent, store: Store) -> None:
    history = History()

    def looked() -> list[str]:
        history.look(store)
        return [
            json.dumps(one.detail.get("error", {}).get("kind"))
            for one in store.events.read(verbs=["state"])
            if one.detail["state"] == "error"
        ]

    try:
        fail(demo)
        wait_until(lambda: looked() == ['"overloaded"'], what="the event of the first error")
        fail(demo, "500 no")
        wait_until(lambda: looked()[-1] == '"server"', what="the event of the second")
        looked()
        assert len(looked()) == 2
    finally:
        history.close()
    assert "ended a turn with an error" in demo.torch("since", "1h", "--json").out


def test_an_answer_that_quotes_an_error_is_none(demo: DemoAgent) -> None:
    assert demo.send("ANSWER(API Error: 529 overloaded)").code == 0
    wait_until(lambda: demo.events("answer"), what="the answer")
    demo.wait_for("idle")
    assert "API Error" in demo.screen()
    assert "error" not in demo.torch("state", demo.name, "--json").json


def test_without_reports_the_screen_says_it(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    demo = bare(tmux, torch, tmp_path)
    fail(demo)
    state = demo.torch("state", demo.name, "--json").json
    assert state["error"]["source"] == "screen"
    assert (state["error"]["kind"], state["error"]["code"]) == ("overloaded", 529)
    done = demo.torch("ask", demo.name, "ERROR(500 no)", "--json")
    assert (done.code, done.json["error"]["code"]) == (9, "turn-failed"), "it is no answer"


def bare(tmux: TmuxServer, torch: Torch, directory: Path) -> DemoAgent:
    """Start a demo agent that reports nothing, and register it."""
    from agent import DEMO_PROGRAM

    log = directory / "bare.log"
    pane = tmux.new_session("bare", DEMO_PROGRAM, "--log", str(log))
    tmux.wait_for_text(pane, "? for help")
    done = torch("adopt", pane.id, "bare", "--profile", "demo")
    assert done.code == 0, done
    return DemoAgent(tmux, torch, "bare", pane, log, directory)


def test_another_attempt_is_work_that_says_which(demo: DemoAgent) -> None:
    assert demo.send("DELAY(600) RETRY(529 overloaded)").code == 0
    demo.wait_for("retrying")
    demo.wait_for("working")
    state = demo.torch("state", demo.name, "--json").json
    assert state["state"] == "retrying"
    retry = state["retry"]
    assert (retry["attempt"], retry["attempts"], retry["wait"]) == (2, 10, "5s")
    assert (retry["kind"], retry["code"]) == ("overloaded", 529)
    (needed,) = lines(demo.torch("status", "--json").out)
    assert (needed["do"], needed["state"]) == ("wait", "retrying")
    done = demo.torch("status")
    assert done.code == 0
    assert "attempt 2 of 10 in 5s" in done.out
    queued = demo.send("next")
    assert queued.code == 0, "it is working, and queues"
    demo.end_work()
    demo.wait_for("idle")


def test_ask_and_wait_say_that_the_turn_ended_with_an_error(demo: DemoAgent) -> None:
    done = demo.torch("ask", demo.name, "ERROR(429 slow down)")
    assert done.code == 9
    assert done.out == ""
    assert "API Error: 429 slow down" in done.err
    error = demo.torch("ask", demo.name, "ERROR(429 slow down)", "--json").json["error"]
    assert error["code"] == "turn-failed"
    assert error["details"]["error"]["kind"] == "rate-limited"
    done = demo.torch("wait", demo.name, "--for", "idle", "--timeout", "60", "--json")
    assert done.code == 9
    assert done.json["error"]["details"]["error"]["code"] == 429
    assert demo.torch("wait", demo.name, "--for", "idle,error", "--timeout", "60").code == 0


def test_an_agent_whose_turn_failed_is_no_free_one(demo: DemoAgent, store: Store) -> None:
    one = Candidate("dev", "a-dev", State.ERROR)
    assert "error" in objection(Task(id="t", title="t", created=0.0), one)

    fail(demo)
    history = History()
    order = CheckinOrder(demo.name, b"How far?", trigger.every("20m", "UTC", time.time() - 3600))
    idle = checkins.add(store, demo.tmux.socket, order._replace(condition="idle"), time.time())[0]

    def state() -> object:
        history.look(store)
        last = store.events.last_state(store.agents.all()[0].identity)
        return last.detail["state"] if last else None

    def fire() -> list[str]:
        return [str(run.state) for run in fire_due(store, time.time() + 7200, 0)]

    try:
        wait_until(lambda: state() == "error", what="the event of the error")
        assert fire() == ["overdue"], "it waits"
        assert fire() == []
        (run,) = store.checkins.overdue()
        assert run.checkin == idle.id
        assert "ended with an error" in run.reason
        assert demo.send("go on").code == 0
        wait_until(lambda: state() == "idle", what="the event of the next turn")
        assert fire() == ["sent"], "the same run, now that it goes on"
    finally:
        history.close()
