"""Firing: what is due becomes a message once, to whom it is for, with what is to be known."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TmuxServer, Torch, accept_profiles
from torch_cli import paths, procs
from torch_cli.delivery.drain import drain_once
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.loading import STOCK
from torch_cli.roster.registry import profiles_dir
from torch_cli.schedule import checkin as checkins
from torch_cli.schedule import trigger
from torch_cli.schedule.checkin import CheckinOrder
from torch_cli.schedule.firing import FencedError, fire_due, run_now
from torch_cli.store import Store
from torch_cli.store.checkin import Checkin, Run
from torch_cli.store.lease import Clock, HolderKind, Outage, OutageKind
from torch_cli.store.messages import Message

NOW = 1_800_000_000.0
"""The clock is a parameter; this is 2027-01-15 08:00 UTC."""


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


@pytest.fixture
def store(demo: DemoAgent) -> Iterator[Store]:
    with Store() as store:
        yield store


def add(
    store: Store, demo: DemoAgent, rule: trigger.Trigger, note: str = "How far?", **limits: object
) -> Checkin:
    target = str(limits.pop("target", demo.name))
    order = CheckinOrder(target, note.encode(), rule)._replace(**limits)  # type: ignore[arg-type]
    return checkins.add(store, demo.tmux.socket, order, NOW)[0]


def every(text: str = "20m") -> trigger.Trigger:
    return trigger.every(text, "Europe/Berlin", NOW)


def deliver() -> None:
    """Deliver what waits, as the daemon or a tick does."""
    drain_once(NOW, time.monotonic() + PATIENCE)


def once(text: str = "30m") -> trigger.Trigger:
    return trigger.once_in(text, NOW, "Europe/Berlin")


def fired(store: Store, now: float) -> list[tuple[Run, Message | None]]:
    runs = fire_due(store, now, 0)
    return [(run, store.messages.get(run.message) if run.message else None) for run in runs]


def only(store: Store, now: float) -> tuple[Run, Message]:
    ((run, message),) = fired(store, now)
    assert message is not None
    return run, message


def test_a_single_one_fires_once_when_it_is_due(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, once(), name="tests")
    assert fired(store, NOW + 1799) == []
    run, message = only(store, NOW + 1800.5)
    assert (run.due, run.state, run.coalesced) == (NOW + 1800, "sent", 0)
    assert message.typed == (
        f"[check-in tests · {message.id}]\n"
        "due Fri 2027-01-15 09:30:00 CET (08:30:00 UTC)\n\nHow far?"
    )
    assert fired(store, NOW + 9999) == []
    assert store.checkins.get(made.id).state == "done"  # type: ignore[union-attr]
    deliver()
    assert demo.submitted() == [message.typed]


def test_a_note_of_many_lines_arrives_as_it_is(store: Store, demo: DemoAgent) -> None:
    note = "one\n\n  two \"three\" 'four' $(touch x) `five`\n    six 🚀 #{pane_id}\n!seven"
    add(store, demo, once(), note)
    only(store, NOW + 1801)
    deliver()
    assert demo.submitted()[0].partition("\n\n")[2] == note


def test_no_note_overwrites_another(store: Store, demo: DemoAgent) -> None:
    for text in ("the first", "the second", "the first"):
        add(store, demo, once(), text)
    names = [one.name for one in store.checkins.all()]
    assert sorted(names) == ["the-first", "the-first-2", "the-second"]
    bodies = [message.body for _, message in fired(store, NOW + 1800) if message]
    assert sorted(bodies) == ["the first", "the first", "the second"]


def test_a_late_one_says_by_how_much_and_why(store: Store, demo: DemoAgent) -> None:
    add(store, demo, once())
    store.lease.note_outage(Outage(NOW + 1700, NOW + 1700 + 7200, OutageKind.ASLEEP))
    run, message = only(store, NOW + 1800 + 7500)
    late = "2 h 5 min late: the machine was asleep for 2 h"
    assert message.typed.splitlines()[1].endswith(late)
    assert run.delay == "the machine was asleep for 2 h"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rebooted", "the machine was restarted, and no scheduler ran for 10 min"),
        ("stopped", "the scheduler was stopped for 10 min"),
        ("absent", "no scheduler ran for 10 min"),
        ("clock", "the clock was set forward by up to 10 min"),
    ],
)
def test_every_outage_has_its_words(store: Store, demo: DemoAgent, kind: str, words: str) -> None:
    add(store, demo, once())
    store.lease.note_outage(Outage(NOW + 1500, NOW + 2100, OutageKind(kind)))
    assert words in only(store, NOW + 2100)[1].typed


def test_of_many_missed_moments_one_message_stands_for_all(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every())
    run, message = only(store, NOW + 6 * 1200 + 60)
    assert (run.due, run.coalesced) == (NOW + 6 * 1200, 5)
    assert "it was due 5 times before, and comes once for all" in message.typed
    after = store.checkins.get(made.id)
    assert after is not None
    assert after.due == NOW + 7 * 1200


def test_a_run_that_was_not_typed_gives_way_to_the_next(store: Store, demo: DemoAgent) -> None:
    demo.open_dialog()
    add(store, demo, every())
    first, earlier = only(store, NOW + 1200)
    deliver()
    assert store.messages.get(earlier.id).state == "held"
    run, message = only(store, NOW + 2400)
    assert store.checkins.get_run(first.id).state == "superseded"
    assert store.messages.get(earlier.id).state == "failed"
    assert run.coalesced == 1
    assert "it was due 1 time before" in message.typed
    assert [one.id for one in store.messages.waiting()] == [message.id]


def test_a_run_that_nobody_has_got_is_none_of_the_count(
    store: Store, demo: DemoAgent, torch: Torch
) -> None:
    """While its agent cannot take it, one run waits, however often the moment comes."""
    me = procs.identify(os.getpid())
    assert me is not None
    held = store.lease.take(HolderKind.DAEMON, me, Clock.read(), seconds=900.0)
    assert held is not None
    assert torch("freeze", "demo").code == 0
    made = add(store, demo, every(), runs=3)
    by_hand = run_now(store, made, NOW + 60)
    for moment in range(1, 6):
        (run,) = fire_due(store, NOW + moment * 1200, held.token)
        now = store.checkins.get(made.id)
        assert now is not None
        assert (now.state, now.bounds.remaining) == ("active", 2)
    assert store.checkins.get_run(by_hand.id).state == "superseded"
    assert run.coalesced == 5
    assert torch("thaw", "demo").code == 0
    deliver()
    for moment, state in ((6, "active"), (7, "done")):
        assert len(fire_due(store, NOW + moment * 1200, held.token)) == 1
        assert store.checkins.get(made.id).state == state  # type: ignore[union-attr]
        deliver()
    said = [text for text in demo.submitted() if "How far?" in text]
    assert len(said) == 3


def test_a_run_later_than_its_grace_is_written_down_and_not_sent(
    store: Store, demo: DemoAgent
) -> None:
    add(store, demo, every(), grace=300.0)
    ((run, message),) = fired(store, NOW + 1200 + 400)
    assert (run.state, message) == ("missed", None)
    assert "6 min 40 s late" in run.reason
    assert only(store, NOW + 2400 + 300)[0].state == "sent"


def test_the_count_runs_down_and_ends(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every(), runs=2)
    for number in (1, 2):
        only(store, NOW + number * 1200)
    assert fired(store, NOW + 9999) == []
    assert store.checkins.get(made.id).state == "done"  # type: ignore[union-attr]


def test_until_is_the_last_moment(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every(), until=NOW + 2400)
    run, _ = only(store, NOW + 99_999)
    assert (run.due, run.coalesced) == (NOW + 2400, 1)
    assert store.checkins.get(made.id).state == "done"  # type: ignore[union-attr]
    with pytest.raises(RefusedError, match="never fire"):
        add(store, demo, every(), until=NOW + 60)


def test_jitter_puts_off_each_firing_and_never_the_rhythm(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every(), jitter=60.0)
    for number in range(1, 6):
        now = store.checkins.get(made.id)
        assert now is not None
        assert now.nominal == NOW + number * 1200
        assert now.due is not None
        assert now.nominal <= now.due < now.nominal + 60
        only(store, now.due)
    with pytest.raises(RefusedError, match="jitter"):
        add(store, demo, every("1m"), jitter=60.0)
    hourly = trigger.cron("0 * * * *", "UTC", NOW)
    assert add(store, demo, hourly, jitter=3599.0).bounds.jitter == 3599.0
    with pytest.raises(RefusedError, match="1 h between two firings"):
        add(store, demo, hourly, jitter=3600.0)


def test_a_snoozed_one_keeps_its_rhythm(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every(), name="s")
    checkins.snooze(store, "s", 600, NOW)
    assert fired(store, NOW + 1799) == []
    run, _ = only(store, NOW + 1800)
    assert (run.due, run.coalesced) == (NOW + 1800, 0)
    assert store.checkins.get(made.id).due == NOW + 2400  # type: ignore[union-attr]


def test_what_passes_in_a_pause_is_not_made_up(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every(), name="p")
    checkins.pause(store, "p")
    assert fired(store, NOW + 5000) == []
    checkins.resume(store, "p", NOW + 5000)
    assert fired(store, NOW + 5000) == []
    assert store.checkins.get(made.id).due == NOW + 6000  # type: ignore[union-attr]


def test_a_single_one_that_was_due_in_a_pause_fires_after_it(store: Store, demo: DemoAgent) -> None:
    add(store, demo, once(), name="p")
    checkins.pause(store, "p")
    assert fired(store, NOW + 5000) == []
    checkins.resume(store, "p", NOW + 5000)
    assert only(store, NOW + 5000)[0].due == NOW + 1800


def test_an_extra_run_changes_nothing_of_the_rule(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every(), runs=1)
    run = run_now(store, made, NOW + 5)
    assert run.state == "sent"
    assert store.checkins.get(made.id) == made


def test_if_idle_waits_for_the_end_of_the_turn(store: Store, demo: DemoAgent) -> None:
    add(store, demo, once(), condition="idle")
    assert only(store, NOW + 1800)[1].type_when == "idle"
    add(store, demo, once())
    assert only(store, NOW + 1800)[1].type_when == "ready"


def test_a_note_that_waits_for_idle_holds_up_nobody(store: Store, demo: DemoAgent) -> None:
    assert demo.send("DELAY(300) work").code == 0
    add(store, demo, once(), condition="idle")
    only(store, NOW + 1800)
    deliver()
    assert [one.state for one in store.messages.waiting()] == ["held"]
    assert demo.send("and this").json["reason"] == "queued by the program"
    demo.end_work()
    demo.wait_for("idle")
    deliver()
    assert [text.split()[0] for text in demo.submitted()] == ["DELAY(300)", "and", "[check-in"]


# -- to whom ---------------------------------------------------------------------------------------


@pytest.fixture
def others(tmux: TmuxServer, torch: Torch, tmp_path: Path, demo: DemoAgent) -> list[DemoAgent]:
    return [spawn_demo(tmux, torch, tmp_path / name, name=name) for name in ("pm", "lead")]


def test_gone_means_the_fallback_then_the_parent_then_overdue(
    store: Store, demo: DemoAgent, others: list[DemoAgent], tmp_path: Path
) -> None:
    with store.database.transaction():
        store.database.query("UPDATE agents SET parent = 'lead' WHERE name = 'demo'")
    add(store, demo, every(), fallback="pm")
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    _, message = only(store, NOW + 1200)
    assert message.recipient == "pm"
    assert "you get it because it is for demo, whose program in pane" in message.typed
    deliver()
    assert demo.torch("stop", "pm", "--json").json["checkins"] == [], "it is for another"
    assert only(store, NOW + 2400)[1].recipient == "lead"
    deliver()
    assert demo.torch("stop", "lead").code == 0
    ((run, nothing),) = fired(store, NOW + 3600)
    assert (run.state, nothing) == ("overdue", None)
    assert fired(store, NOW + 3700) == [], "it stays overdue, and is one run"
    assert "1 check-in is overdue" in demo.torch("ps").err
    assert demo.torch("daemon", "status", "--json").json["overdue"] == 1
    again = spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    taken, message = only(store, NOW + 3800)
    assert (taken.id, taken.due, message.recipient) == (run.id, NOW + 3600, "demo")
    deliver()
    assert len(again.submitted()) == 1


def test_what_nobody_took_within_its_grace_is_missed(
    store: Store, demo: DemoAgent, tmp_path: Path
) -> None:
    add(store, demo, once(), grace=600.0)
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    ((run, _),) = fired(store, NOW + 1800)
    assert run.state == "overdue"
    spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    ((again, message),) = fired(store, NOW + 1800 + 601)
    assert (again.id, again.state, message) == (run.id, "missed", None)
    assert "its grace of 600 s is over" in again.reason


def test_a_note_that_is_held_beyond_its_grace_expires(store: Store, demo: DemoAgent) -> None:
    add(store, demo, once(), grace=600.0)
    assert only(store, NOW + 1800)[1].deadline == NOW + 2400


def test_it_is_never_typed_into_another_agent_with_the_name(
    store: Store, demo: DemoAgent, tmp_path: Path
) -> None:
    made = add(store, demo, every())
    stopped = demo.torch("stop", "demo")
    assert stopped.code == 0
    told = f"check-in {made.name} stays, and nobody gets it: 'torch checkin remove {made.name}'"
    assert told in stopped.err, "nobody would look for it"
    other = spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    ((run, _),) = fired(store, NOW + 1200)
    assert (run.state, "was stopped" in run.reason) == ("overdue", True)
    deliver()
    assert other.submitted() == []


def test_it_follows_its_agent_through_a_rename(store: Store, demo: DemoAgent) -> None:
    made = add(store, demo, every())
    assert demo.torch("rename", "demo", "backend").code == 0
    assert store.checkins.get(made.id).to.name == "backend"  # type: ignore[union-attr]
    assert only(store, NOW + 1200)[1].recipient == "backend"


def test_a_program_that_ended_in_its_pane_is_gone(store: Store, demo: DemoAgent) -> None:
    add(store, demo, every())
    demo.tmux.cmd("respawn-pane", "-k", "-t", demo.pane.id, "cat")
    ((run, _),) = fired(store, NOW + 1200)
    assert run.state == "overdue"


def test_a_recognised_pane_that_is_no_agent_will_do(store: Store, demo: DemoAgent) -> None:
    assert demo.torch("stop", "demo", "--forget").code == 0
    # A script's process is called after its interpreter.
    own = Path(profiles_dir(), "demo.toml")
    own.parent.mkdir(parents=True)
    stock = Path(STOCK, "demo.toml").read_text(encoding="utf-8")
    own.write_text(stock.replace('names = ["', f'names = ["{demo.pane.command}", "'))
    accept_profiles()
    add(store, demo, once(), target=demo.pane.id)
    _, message = only(store, NOW + 1800)
    assert message.agent == ""
    deliver()
    assert len(demo.submitted()) == 1


def test_a_server_that_does_not_answer_is_left_for_the_next_pass(
    store: Store, demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, demo, every())
    with monkeypatch.context() as patch:
        patch.setenv("TORCH_TMUX", "/nowhere/tmux")
        assert fired(store, NOW + 1200) == []
    assert only(store, NOW + 1201)[0].due == NOW + 1200


def test_the_own_pane_is_named_with_a_dot(
    store: Store, demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match="not run in a tmux pane"):
        add(store, demo, once(), target=".")
    monkeypatch.setenv("TMUX", f"{demo.pane.socket_path},1,0")
    monkeypatch.setenv("TMUX_PANE", demo.pane.id)
    assert add(store, demo, once(), target=".").to.name == "demo"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"note": "bad \x1b[31m"}, RefusedError),
        ({"note": " \n "}, RefusedError),
        ({"note": "x" * 20_000_000}, RefusedError),
        ({"name": "not a name"}, RefusedError),
        ({"target": "nobody"}, NotFoundError),
        ({"fallback": "nobody"}, NotFoundError),
        ({"runs": 2}, RefusedError),
    ],
)
def test_what_will_not_do_is_refused_and_nothing_made(
    store: Store, demo: DemoAgent, given: dict[str, object], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        add(store, demo, once(), **given)  # type: ignore[arg-type]
    assert store.checkins.all(ended=True) == []


def test_a_program_that_has_ended_gets_no_check_in(store: Store, demo: DemoAgent) -> None:
    demo.kill()
    with pytest.raises(NotFoundError, match=r"has ended|is gone"):
        add(store, demo, once())


def test_a_shell_gets_no_check_in(store: Store, demo: DemoAgent) -> None:
    pane = demo.tmux.new_session("shell", "exec sh")
    with pytest.raises(RefusedError, match="shell"):
        add(store, demo, once(), target=pane.id)


def test_a_name_belongs_to_one(store: Store, demo: DemoAgent) -> None:
    add(store, demo, once(), name="x")
    with pytest.raises(RefusedError, match="already"):
        add(store, demo, once(), name="x")
    checkins.cancel(store, "x")
    add(store, demo, once(), name="x")


# -- once ------------------------------------------------------------------------------------------


def test_a_scheduler_without_the_lease_fires_nothing(store: Store, demo: DemoAgent) -> None:
    add(store, demo, once())
    with pytest.raises(FencedError):
        fire_due(store, NOW + 1800, token=7)
    assert store.checkins.history() == []
    assert store.messages.waiting() == []


def test_a_clock_that_is_put_back_fires_nothing_twice(store: Store, demo: DemoAgent) -> None:
    add(store, demo, every())
    only(store, NOW + 1200)
    assert fired(store, NOW + 1200 - 3600) == []
    assert fired(store, NOW + 1300) == []
    assert only(store, NOW + 2400)[0].due == NOW + 2400


def test_a_clock_that_is_put_forward_fires_once_for_all(store: Store, demo: DemoAgent) -> None:
    add(store, demo, every())
    assert only(store, NOW + 1200 + 3600)[0].coalesced == 3
    assert fired(store, NOW + 1200) == []


def test_an_upgrade_keeps_what_an_earlier_schema_held(
    store: Store, demo: DemoAgent, tmp_path: Path
) -> None:
    """A file of schema 2, as version 2 of Torch left it, has an agent and a held message."""
    path = Path(paths.database())
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE checkins; DROP TABLE runs; DROP TABLE lease; DROP TABLE outages;"
        "DROP TABLE watches; DROP TABLE briefings; DROP TABLE team_members; DROP TABLE tasks;"
        "DROP TABLE task_log; DROP TABLE team_rules; DROP TABLE reminders;"
        "DROP TABLE restarts; DROP TABLE team_accepted;"
        "DROP INDEX messages_kept; DROP INDEX messages_untold; DROP INDEX messages_open;"
        "DROP INDEX messages_sent; DROP INDEX hook_events_said;"
        "DROP INDEX messages_unknown;"
        "DROP TRIGGER events_were_deleted; DROP TABLE event_stream; DROP TABLE event_readers;"
        "DROP TABLE looks;"
        "DROP INDEX events_by_time; DROP INDEX states_by_agent; DROP INDEX states_by_time;"
        "DROP INDEX lives_by_agent; DROP TABLE policies; DROP TABLE memory_kills;"
        "DROP TABLE arrangements; DROP TABLE limits_over; DROP TABLE stalls;"
        "ALTER TABLE events DROP COLUMN agent; ALTER TABLE hook_events DROP COLUMN server;"
        + "".join(
            f"ALTER TABLE messages DROP COLUMN {column};"
            for column in (
                "agent",
                "kept",
                "priority",
                "type_when",
                "told",
                "free",
                "author",
                "permitted",
                "submit",
            )
        )
        + "".join(
            f"ALTER TABLE agents DROP COLUMN {column};"
            for column in (
                "conversation",
                "arguments",
                "variables",
                "parent_agent",
                "frozen",
                "hibernated",
                "hibernating",
            )
        )
        + "ALTER TABLE agents DROP COLUMN identity; PRAGMA user_version = 2;"
    )
    connection.close()
    with Store() as upgraded:
        assert Path(f"{path}.schema-2").exists()
        made = add(upgraded, demo, once())
        assert made.to.agent
        assert only(upgraded, NOW + 1800)[1].recipient == "demo"
        deliver()
    assert len(demo.submitted()) == 1
