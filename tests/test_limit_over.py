"""Usage limits that are over: who is told to go on, once, and what waits for a limited agent."""

import datetime
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from test_doctor import finding
from test_task import agent as registered
from torch_cli.attention.history import History
from torch_cli.attention.waits import DEALT_WITH
from torch_cli.delivery.drain import drain_once
from torch_cli.health.limits import GO_ON_WORDS, LimitsOver
from torch_cli.lifecycle.did import Did
from torch_cli.programs.limit import TURN_BEGINS_SECONDS, limit_of
from torch_cli.programs.reset import reset_at
from torch_cli.roster.registry import profile_named
from torch_cli.schedule.firing import fire_due
from torch_cli.settings import settings_file
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message
from torch_cli.tasks.assignment import Rules, decide

SOON = "limit_over=1 limit_between=0.1"
"""Intervals with which an agent that has not moved goes on a second after its reset."""

LIFTED = ("--limit-lifts", "0.5", "--after-limit", "shown")
"""A demo agent whose screen shows its limit until the next message, as Claude Code's does."""


def utc(words: str) -> float:
    return datetime.datetime.fromisoformat(words).replace(tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("2:54am (UTC)", "2026-11-30T02:54:00"),
        ("3pm (Europe/Berlin)", "2026-11-29T14:00:00"),
        ("12:30am (America/New_York)", "2026-11-30T05:30:00"),
        ("Dec 3, 9am (UTC)", "2026-12-03T09:00:00"),
        ("Jan 2 at 3pm (UTC)", "2027-01-02T15:00:00"),
        ("Jul 5th, 2027 8:19 PM (UTC)", "2027-07-05T20:19:00"),
        ("5 days 22 hours 11 minutes", "2026-12-05T11:11:00"),
        ("in 3 seconds", "2026-11-29T13:00:03"),
        ("12:59pm (UTC)", "2026-11-29T12:59:00"),  # not yet rounded away
        ("12:58pm (UTC)", "2026-11-30T12:58:00"),
        ("9:17 PM UTC", "2026-11-29T21:17:00"),
        ("9:17\u202fPM GMT", "2026-11-29T21:17:00"),
        ("9:17 AM GMT+5:30", "2026-11-30T03:47:00"),
        ("9:17 PM GMT-3", "2026-11-30T00:17:00"),
        ("11:59 PM PDT", "2026-11-30T06:59:00"),
        ("3720s", "2026-11-29T14:02:00"),
        ("23640.25s", "2026-11-29T19:34:00.250000"),
        ("2h10m5s", "2026-11-29T15:10:05"),
    ],
)
def test_the_words_of_a_limit_name_a_moment(words: str, at: str) -> None:
    seen = utc("2026-11-29T13:00:00") - (0.5 if words.startswith("12:59") else 0)
    found = reset_at(words, seen)
    assert found is not None
    assert abs(found - utc(at)) < 1.0


@pytest.mark.parametrize(
    "words",
    [
        *("later", "", "3", "13pm", "0am", "25:00", "3pm (Nowhere/None)", "3pm (../../etc)"),
        *("9:17 AM XYZ", "9:17 AM GMT+99", "9:17 AM CET"),
        *("Feb 30, 3pm (UTC)", "Foo 3, 3pm (UTC)", "Jan 2, 2020 3pm and more", "9" * 400 + "s"),
    ],
)
def test_words_that_name_no_moment_say_nothing(words: str) -> None:
    assert reset_at(words, utc("2026-11-29T13:00:00")) is None


# -- who is told to go on --------------------------------------------------------------------------


def limited(demo: DemoAgent, reset: str = "in 1 second") -> None:
    """Have a turn of ``demo`` be cut off by a limit that ends so."""
    demo.send(f"LIMIT({reset}) DELAY(1.5)")
    demo.wait_for("working")
    demo.wait_for("limited")


def told(demo: DemoAgent) -> int:
    """Return how often the agent was told to go on."""
    return sum(GO_ON_WORDS in text for text in demo.submitted())


def over() -> list[dict[str, Any]]:
    with Store() as store:
        return [one.detail for one in store.events.read(verbs=("limit-over",))]


def agent_now(store: Store, name: str = "demo") -> Agent:
    found = store.agents.get(name)
    assert found is not None
    return found


@pytest.fixture
def history() -> Iterator[History]:
    one = History()
    yield one
    one.close()


@pytest.fixture
def store(torch: Torch) -> Iterator[Store]:
    with Store() as store:
        yield store


def cut_off(demo: DemoAgent, store: Store, history: History, reset: str = "in 1 minute") -> None:
    """Have a turn of ``demo`` be cut off by a limit, and ``history`` write it down."""
    demo.send(f"DELAY(60) LIMIT({reset})")
    wait_until(lambda: (history.look(store), state(store, demo.name))[1] == "working", what="work")
    demo.end_work()
    until_limited(demo, store, history)


def until_limited(demo: DemoAgent, store: Store, history: History) -> None:
    wait_until(lambda: (history.look(store), state(store, demo.name))[1] == "limited", what="limit")


def state(store: Store, name: str = "demo") -> str:
    event = store.events.last_state(agent_now(store, name).identity)
    return "" if event is None else str(event.detail["state"])


def run(store: Store, now: float) -> list[Did]:
    """Return what another scheduler does at ``now``."""
    return list(LimitsOver().run(store, now))


LATER = 60.0 + 121.0
"""Seconds after a limit of one minute began when it counts as over."""


def test_a_cut_off_turn_goes_on_once_also_for_the_next_daemon(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, history: History
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", *LIFTED)
    daemon = scheduler.start(torch, intervals=SOON)
    demo.send("DELAY(1.5) LIMIT(in 1 second)")
    wait_until(lambda: told(demo) == 1, what="its message", screen=demo.screen)
    demo.wait_for("idle")
    assert "resets" not in demo.screen(), "it works again"
    daemon.kill()
    with Store() as store:
        history.look(store)
        assert run(store, time.time() + 3600) == []
        assert store.messages.waiting() == []
        profile, soon = profile_named("demo"), time.time() + TURN_BEGINS_SECONDS
        assert limit_of(store, agent_now(store), profile, soon) is None
    (event,) = over()
    assert event["limit"] == "in 1 second"
    words = f"its usage limit is over  limit in 1 second, message {event['message']}"
    for command in (("events", "--agent", "demo"), ("why", "demo")):
        assert words in " ".join(torch(*command, env={"COLUMNS": "300"}).out.split("\n"))


def test_it_is_asked_first_whether_the_program_goes_on_by_itself(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """As Claude Code does: then it is told nothing."""
    own = ("--limit-lifts", "2", "--after-limit", "continue")
    demo = spawn_demo(tmux, torch, tmp_path / "project", *own)
    daemon = scheduler.start(torch, intervals="limit_over=4")
    demo.send("DELAY(1.5) LIMIT(in 1 second)")
    wait_until(lambda: demo.events("continued"), what="its own way on")
    demo.wait_for("idle")
    assert daemon.stop() == 0
    with Store() as store:
        assert run(store, time.time() + 3600) == []
    assert (told(demo), over()) == (0, [])


def test_nothing_is_done_before_two_minutes_after_the_reset(
    demo: DemoAgent, store: Store, history: History
) -> None:
    cut_off(demo, store, history)
    now = time.time()
    assert run(store, now + 60.0 + 115.0) == []
    assert demo.send("And the docs.").json["reason"].startswith("limited")
    (did,) = run(store, now + LATER)
    assert did.words == "its limit is over (in 1 minute); it was told to go on"
    assert run(store, now + LATER) == [], "another scheduler does not do it again"
    first, second = store.messages.waiting()
    assert (first.body, second.body) == (GO_ON_WORDS, "And the docs.")


def test_a_limit_without_a_moment_waits_for_a_person(
    demo: DemoAgent, torch: Torch, store: Store, history: History
) -> None:
    cut_off(demo, store, history, "later")
    assert run(store, time.time() + 86_400 * 30) == []
    said = torch("health", "demo", "--explain").out
    assert "limited: later" in said
    assert "does not say when that is" in said


def test_a_dialog_that_named_the_end_counts_for_more_than_what_it_leaves(store: Store) -> None:
    """Gemini CLI's words after it, "retry after 3720s", count from when it asked the API."""
    one, began = registered(store, "gem"), time.time()
    clock = time.strftime("%-I:%M %p UTC", time.gmtime(began + 3720))
    with store.database.transaction():
        sql = "UPDATE agents SET profile = 'gemini', created = ?"
        store.database.query(sql, began - 99)
    for state, reset, at in (
        *(("working", "", began - 5), ("waiting", clock, began)),
        ("limited", "3720s", began + 1800),
    ):
        detail = {"state": state, "since": at, **({"reset": reset} if reset else {})}
        store.events.insert("state", "gem", detail, agent=one.identity)
    limit = limit_of(store, agent_now(store, "gem"), profile_named("gemini"), began + 1801)
    assert limit is not None
    assert limit.until is not None
    assert limit.cut, "it was at work when the dialog came"
    assert 0 <= began + 3720 - limit.until < 60


def test_who_was_idle_before_the_limit_is_not_told_to_go_on(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store, history: History
) -> None:
    """Its messages go out all the same. A report of the program's shows too short a turn."""
    demo = spawn_demo(tmux, torch, tmp_path / "project")
    wait_until(lambda: (history.look(store), state(store))[1] == "idle", what="rest")
    demo.send("LIMIT(in 1 minute) DELAY(60)")
    wait_until(lambda: demo.submitted(), what="the message")
    with store.database.transaction():  # nobody has seen that turn
        store.database.query("DELETE FROM hook_events WHERE name = 'UserPromptSubmit'")
    demo.end_work()
    until_limited(demo, store, history)
    (did,) = run(store, time.time() + LATER)
    assert did.words.endswith("not told to go on: it was idle before the limit")
    assert store.messages.waiting() == []
    assert demo.send("And the docs.").json["state"] == "confirmed"


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ([("freeze", "demo", "--no-interrupt")], "it is frozen"),
        ([("mute", "demo", "1h")], "it is muted"),
        ([("mute", "demo", "1h"), ("mute", "demo", "--off")], ""),
    ],
)
def test_who_is_frozen_or_muted_is_not_told_to_go_on(
    commands: list[tuple[str, ...]],
    why: str,
    demo: DemoAgent,
    torch: Torch,
    store: Store,
    history: History,
) -> None:
    cut_off(demo, store, history)
    for command in commands:
        assert torch(*command).code == 0
    (did,) = run(store, time.time() + LATER)
    assert did.words.endswith(f"not told to go on: {why}" if why else "it was told to go on")
    assert len(store.messages.waiting()) == (0 if why else 1)
    assert (over()[0]["why"] == f"not told to go on: {why}") is bool(why)


def test_who_was_stopped_is_left_alone(
    demo: DemoAgent, torch: Torch, store: Store, history: History
) -> None:
    cut_off(demo, store, history)
    assert torch("stop", "demo").code == 0
    assert run(store, time.time() + LATER) == []
    assert over() == []


def settings(words: str) -> None:
    Path(settings_file()).parent.mkdir(parents=True, exist_ok=True)
    Path(settings_file()).write_text(words)


def test_it_can_be_switched_off_and_messages_go_out_all_the_same(
    demo: DemoAgent, torch: Torch, store: Store, history: History
) -> None:
    settings("[health]\ncontinue_after_limit = false\n")
    cut_off(demo, store, history)
    why = "continue_after_limit = false in config.toml"
    assert why in " ".join(torch("health", "demo", "--explain").out.split())
    assert torch("health", "demo", "--json").json["limit"]["why_not"] == why
    (did,) = run(store, time.time() + LATER)
    assert did.words.endswith(f"not told to go on: {why}")
    assert demo.send("And the docs.").json["state"] == "confirmed"
    assert told(demo) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("[health]\ncontinue_after_limit = 'yes'\n", "must be true or false"),
        ("[health]\ncontinue_after_limits = true\n", "continue_after_limits"),
    ],
)
def test_a_setting_that_is_wrong_is_said_once_and_nothing_is_done(
    words: str, says: str, demo: DemoAgent, torch: Torch, store: Store, history: History
) -> None:
    cut_off(demo, store, history)
    settings(words)
    both = LimitsOver()
    (did,) = both.run(store, time.time() + LATER)
    assert did.error is not None
    assert says in did.error.message
    assert list(both.run(store, time.time() + LATER)) == []
    assert over() == []
    warned = finding(torch, "limits")
    assert (warned["level"], says in warned["message"]) == ("warning", True)
    settings("")
    assert [one.what for one in both.run(store, time.time() + LATER)] == ["limit"]


def test_a_draft_holds_it_and_when_the_person_goes_on_it_is_taken_out(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store, history: History
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", *LIFTED)
    cut_off(demo, store, history)
    wait_until(lambda: demo.events("lifted"), what="the reset")
    tmux.run("send-keys", "-t", demo.pane.id, "-l", "wait, ")
    tmux.wait_for_text(demo.pane, "wait,")
    assert len(run(store, time.time() + LATER)) == 1
    assert "draft" in drained(store)[0].reason
    tmux.run("send-keys", "-t", demo.pane.id, "-l", "DELAY(60)")
    tmux.wait_for_text(demo.pane, "DELAY(60)")
    tmux.run("send-keys", "-t", demo.pane.id, "Enter")
    wait_until(
        lambda: (history.look(store), state(store))[1] == "working",
        what="their turn",
        screen=demo.screen,
    )
    run(store, time.time() + LATER)
    assert store.messages.waiting() == []
    assert demo.submitted()[-1] == "wait, DELAY(60)"
    (message,) = store.messages.latest(recipient="demo")
    assert message.reason == DEALT_WITH


def drained(store: Store) -> list[Message]:
    """Try once to deliver what waits; return what still does."""
    drain_once(time.time(), time.monotonic() + 20.0)
    return store.messages.waiting()


def test_a_dialog_holds_it(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store, history: History
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", *LIFTED)
    cut_off(demo, store, history)
    assert len(run(store, time.time() + LATER)) == 1
    demo.open_dialog()
    assert drained(store)[0].reason.startswith("dialog")
    assert told(demo) == 0
    assert demo.events("approved", "declined") == []


def test_agents_of_one_account_go_on_one_after_the_other(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store, history: History
) -> None:
    both = [spawn_demo(tmux, torch, tmp_path / name, name=name) for name in ("demo", "dev")]
    for demo in both:
        cut_off(demo, store, history)
    now = time.time() + LATER
    limits = LimitsOver()
    assert [did.agent for did in limits.run(store, now)] == ["demo"]
    assert limits.waits
    assert list(limits.run(store, now + 19.0)) == []
    assert [did.agent for did in limits.run(store, now + 20.0)] == ["dev"]


def test_of_two_schedulers_one_has_it_go_on(
    demo: DemoAgent, store: Store, history: History
) -> None:
    """Both look before either has written."""
    cut_off(demo, store, history)
    now, at_once, done = time.time() + LATER, threading.Barrier(4), list[Did]()

    def look() -> None:
        with Store() as own:
            at_once.wait(30)
            done.extend(LimitsOver().run(own, now))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(done) == len(over()) == len(store.messages.waiting()) == 1


def test_after_the_next_limit_it_is_told_again(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store, history: History
) -> None:
    """Once for each reset, also if the words are the same."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", *LIFTED)
    cut_off(demo, store, history)
    wait_until(lambda: demo.events("lifted"), what="the reset")
    assert len(run(store, time.time() + LATER)) == 1
    assert drained(store) == []
    demo.wait_for("idle")
    history.look(store)
    cut_off(demo, store, history)
    assert len(run(store, time.time() + 2 * LATER)) == 1
    assert len(over()) == 2


def test_a_limited_agent_gets_no_task_and_its_check_in_waits(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, store: Store, history: History
) -> None:
    demo = spawn_demo(tmux, torch, tmp_path / "project", *LIFTED)
    cut_off(demo, store, history)
    assert torch("task", "add", "The parser").code == 0
    (choice,) = decide(store, store.agents.all(), Rules())
    assert dict(choice.others)["demo"] == "it is limited"
    assert torch("checkin", "add", "demo", "How far are you?", "--in", "1s").code == 0
    fire_due(store, time.time() + 2, 0, lambda error: None)
    (waits,) = drained(store)
    assert waits.reason.startswith("limited")
    assert len(run(store, time.time() + LATER)) == 1
    assert drained(store) == []
    first, second = demo.submitted()[-2:]
    assert GO_ON_WORDS in first
    assert "How far are you?" in second
