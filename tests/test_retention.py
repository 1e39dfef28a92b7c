"""How long what has happened is kept, and what is never deleted."""

import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Torch
from test_store import written
from test_task import agent, new
from torch_cli.errors import RefusedError
from torch_cli.programs.hook import INSERT
from torch_cli.settings import settings_file
from torch_cli.store import Store, retention
from torch_cli.store.agents import Agent
from torch_cli.store.checkin import Run, RunState
from torch_cli.store.health import AgentPolicy, MemoryKills
from torch_cli.store.keeping import (
    DAY_SECONDS,
    HISTORY_KEPT_SECONDS,
    PROMPTS_KEPT_SECONDS,
    REPORTS_KEPT_SECONDS,
    Keeping,
    load_keeping,
)
from torch_cli.store.restarts import Restart
from torch_cli.store.retention import BATCH_ROWS

NOW = time.time()
OLD = NOW - HISTORY_KEPT_SECONDS - DAY_SECONDS


@pytest.fixture
def dev(store: Store) -> Agent:
    return agent(store, "dev")


def add(store: Store, identity: str, at: float = OLD, **others: Any) -> str:
    """Write a message down that arrived at ``at``, unless ``others`` say otherwise."""
    with store.database.transaction():
        settled = {"state": "confirmed", "step": "done", "kept": True}
        facts = {**settled, "created": at, "updated": at, **others}
        return store.messages.insert(written(identity, **facts)).id


def kept(store: Store) -> set[str]:
    """Return the messages that are left after a sweep, but the newest."""
    add(store, "m-newest", NOW)
    store.retention.sweep(NOW)
    return {row[0] for row in store.database.query("SELECT id FROM messages")} - {"m-newest"}


def run(store: Store, identity: str, checkin: str, at: float, **others: str) -> None:
    with store.database.transaction():
        facts = {"state": "sent", **others}
        store.checkins.add_run(Run(identity, checkin, at, at, **facts))  # type: ignore[arg-type]


def test_what_arrived_long_ago_is_deleted(store: Store) -> None:
    for number in range(2 * BATCH_ROWS + 1):
        add(store, f"m-{number}")
    add(store, "m-young", OLD + 2 * DAY_SECONDS)
    assert kept(store) == {"m-young"}


@pytest.mark.parametrize(
    "facts",
    [
        {"step": "accepted", "state": "held"},
        {"step": "seen", "state": "queued"},
        {"updated": NOW},
        {"state": "unknown"},
        {"state": "failed"},
    ],
)
def test_what_is_not_settled_or_nobody_was_told_of_stays(
    store: Store, facts: dict[str, Any]
) -> None:
    add(store, "m-1", **facts)
    assert kept(store) == {"m-1"}


def test_what_did_not_arrive_goes_once_its_sender_knows(store: Store) -> None:
    add(store, "m-1", state="failed", told=OLD)
    assert kept(store) == set()


def test_a_conversation_that_goes_on_stays_whole(store: Store) -> None:
    add(store, "m-first", sender="qa")
    add(store, "m-second", reply_to="m-first")
    add(store, "m-third", NOW - DAY_SECONDS, reply_to="m-second")
    add(store, "m-other")
    add(store, "m-its-end", reply_to="m-other")
    assert kept(store) == {"m-first", "m-second", "m-third"}


def test_a_question_to_an_agent_that_lives_stays_until_it_is_answered(
    store: Store, dev: Agent
) -> None:
    asked: dict[str, Any] = {"kind": "question", "sender": "qa", "agent": dev.identity}
    add(store, "m-open", **asked)
    add(store, "m-answered", **asked)
    add(store, "m-answer", reply_to="m-answered")
    add(store, "m-gone", **{**asked, "agent": "a-gone"})
    assert kept(store) == {"m-open"}


def test_what_a_briefing_a_task_or_a_run_refers_to_stays(store: Store, dev: Agent) -> None:
    store.briefings.add(add(store, "m-briefing"), dev.identity, "developer")
    store.briefings.add(add(store, "m-of-another"), "a-gone", "developer")
    task = new(store)
    add(store, "m-task", kind="task", key=f"task:{task.id}:1")
    add(store, "m-done", kind="task", key="task:t-gone:1")
    run(store, "r-1", "c-1", OLD, message=add(store, "m-early-run"))
    run(store, "r-2", "c-1", OLD + 1, message=add(store, "m-last-run"))
    run(store, "r-3", "c-1", OLD + 2, state="overdue")
    run(store, "r-4", "c-2", OLD + 3)
    run(store, "r-5", "c-2", NOW, message=add(store, "m-young-run"))
    assert kept(store) == {"m-briefing", "m-task", "m-young-run"}
    assert {one.id for one in store.checkins.history()} == {"r-3", "r-5"}


def test_a_pruned_id_is_explained_and_its_key_is_free(store: Store, torch: Torch) -> None:
    add(store, "m-1", key="release")
    assert kept(store) == set()
    for words in (("receipt", "m-1"), ("outbox", "show", "m-1"), ("thread", "m-1")):
        done = torch(*words)
        assert (done.code, "Messages settled long ago are deleted" in done.err) == (3, True), done
    assert store.messages.accept(written("m-2", key="release"))[1]


def test_a_number_is_never_given_twice(store: Store) -> None:
    """Rows are read by how they are numbered, reports too."""
    add(store, "m-1")
    report(store, OLD)
    before, last = store.messages.newest(), store.hooks.last_id()
    store.retention.sweep(NOW)
    assert (store.messages.newest(), store.hooks.last_id()) == (before, last)


def test_what_is_done_for_an_agent_goes_with_it(store: Store, dev: Agent) -> None:
    """Its policy, its restarts and its kills; what belongs to a member of a team stays."""
    gone = agent(store, "gone")
    for one in (dev, gone):
        store.health.set_policy(one.identity, AgentPolicy("always"))
        store.health.note_kills(one.identity, MemoryKills("/sys/x", 1))
        store.restarts.add(Restart("", one.identity, OLD, OLD))
    store.restarts.add(Restart("/p/torch.toml", "gone", OLD, OLD))
    store.agents.stopped("gone")
    store.retention.sweep(NOW)
    assert list(store.health.policies()) == [dev.identity]
    assert store.health.kills(gone.identity) == MemoryKills()
    assert store.health.kills(dev.identity).number == 1
    assert store.restarts.of("", gone.identity) == []
    assert len(store.restarts.of("", dev.identity)) == 1
    assert len(store.restarts.of("/p/torch.toml", "gone")) == 1


# -- reports and events ----------------------------------------------------------------------------


def report(
    store: Store, at: float, pane: str = "%9", prompt: str = "", server: int | None = None
) -> None:
    detail = json.dumps({"cwd": "/", "last_assistant_message": "the answer"})
    store.database.write(INSERT, at, "s", pane, "", "Stop", "", prompt, detail, server)


def words(store: Store) -> list[tuple[str, bool]]:
    rows = store.database.query("SELECT prompt, detail FROM hook_events ORDER BY id")
    return [(row[0], "the answer" in row[1]) for row in rows]


def test_old_reports_go_but_the_newest_of_an_agent_that_lives_stays(
    store: Store, dev: Agent
) -> None:
    store.database.write("UPDATE agents SET socket = 's', pane = '%1'")
    for pane, at in (
        ("%1", 1.0),
        ("%1", 2.0),
        ("%2", 3.0),
        ("%2", NOW - REPORTS_KEPT_SECONDS + 9),
        ("%3", NOW),
    ):
        report(store, at, pane)
    store.retention.sweep(NOW)
    rows = store.database.query("SELECT pane, at FROM hook_events ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("%1", 2.0),
        ("%2", NOW - REPORTS_KEPT_SECONDS + 9),
        ("%3", NOW),
    ]


def test_a_later_server_s_report_does_not_stand_for_an_agent_s_own(
    store: Store, dev: Agent
) -> None:
    """Ids of panes begin again with each tmux server."""
    sql = "UPDATE agents SET socket = 's', server = 's|7|1', pane = '%1'"
    store.database.write(sql)
    for server, at in ((None, 1.0), (7, 2.0), (8, 3.0), (8, NOW)):
        report(store, at, "%1", server=server)
    counted = store.retention.count(NOW)["hook_reports"]
    store.retention.sweep(NOW)
    rows = store.database.query("SELECT server, at FROM hook_events ORDER BY id")
    assert [tuple(row) for row in rows] == [(7, 2.0), (8, NOW)]
    assert counted == 2
    assert (found := store.hooks.latest("s|7|1", "%1")) is not None
    assert found.at == 2.0


def test_what_was_said_is_not_kept_longer_than_it_is_needed(store: Store) -> None:
    report(store, NOW - PROMPTS_KEPT_SECONDS - 1, prompt="a secret")
    store.database.write("UPDATE hook_events SET detail = '{cut' WHERE id = 0")
    report(store, NOW - 1, prompt="fresh")
    store.retention.sweep(NOW)
    assert words(store) == [("", False), ("fresh", True)]
    assert store.hooks.detail(1)["cwd"] == "/"


def test_reports_since_an_unsettled_message_was_typed_keep_their_words(store: Store) -> None:
    report(store, NOW - 3 * DAY_SECONDS, prompt="before")
    add(store, "m-1", NOW - 2 * DAY_SECONDS, step="seen", state="held")
    report(store, NOW - 2 * DAY_SECONDS + 1, prompt="this one may prove it")
    store.retention.sweep(NOW)
    assert words(store) == [("", False), ("this one may prove it", True)]


def test_events_go_when_they_are_old_and_cannot_be_deleted_before(store: Store) -> None:
    sql = "INSERT INTO events (at, actor, verb, target) VALUES (?, '', ?, '')"
    store.database.write(sql, OLD, "old")
    store.database.write(sql, OLD + 2 * DAY_SECONDS, "young")
    store.retention.sweep(NOW)
    assert [row[0] for row in store.database.query("SELECT verb FROM events")] == ["young"]
    store.database.write(sql, NOW - 29 * DAY_SECONDS, "last month")
    connection = sqlite3.connect(store.database.path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("DELETE FROM events WHERE verb = 'last month'")
    connection.close()


# -- in the scheduler ------------------------------------------------------------------------------


def test_a_tick_sweeps(store: Store, torch: Torch) -> None:
    add(store, "m-old", time.time() - HISTORY_KEPT_SECONDS - DAY_SECONDS)
    add(store, "m-new", time.time())
    assert torch("tick").code == 0
    assert [row[0] for row in store.database.query("SELECT id FROM messages")] == ["m-new"]


def test_a_sweep_that_is_cut_short_goes_on_the_next_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    for number in range(5):
        report(store, OLD + number)
    while store.retention.sweep(NOW, until=lambda: True):
        pass
    assert len(words(store)) == 1


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM messages WHERE sender <> '' AND created >= 1", "messages_sent"),
        (f"SELECT id FROM hook_events WHERE at < 1 AND {retention.HAS_TEXT}", "hook_events_said"),
    ],
)
def test_what_is_looked_for_again_and_again_has_an_index(
    store: Store, sql: str, index: str
) -> None:
    plan = store.database.query(f"EXPLAIN QUERY PLAN {sql}")
    assert index in plan[0]["detail"]


# -- settings, and by hand -------------------------------------------------------------------------


def configure(text: str) -> None:
    file = Path(settings_file())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[retention]\n{text}\n")


def fill(store: Store) -> None:
    """Write rows of all kinds, old and young, and some that refer to others."""
    settled = {"state": "confirmed", "step": "done", "kept": True}
    with store.database.transaction():  # one: a transaction waits for the disk

        def insert(name: str, at: float, **others: str) -> str:
            one = written(name, **settled, created=at, updated=at, **others)
            return store.messages.insert(one).id

        def fire(name: str, checkin: str, at: float, message: str = "") -> None:
            store.checkins.add_run(Run(name, checkin, at, at, RunState.SENT, message=message))

        for number, days in enumerate((91, 91.5, 40, 20, 3, 0)):
            at = NOW - days * DAY_SECONDS
            for verb in ("state", "press"):
                sql = "INSERT INTO events (at, actor, verb, target) VALUES (?, '', ?, 'dev')"
                store.database.query(sql, at, verb)
            detail = json.dumps({"last_assistant_message": "the answer"})
            store.database.query(INSERT, at, "s", "%9", "", "Stop", "", "a prompt", detail, None)
            fire(f"r-{number}", f"c-{number}", at, insert(f"m-run-{number}", at))
            insert(f"m-{number}", at)
            insert(f"m-answer-{number}", at, reply_to=f"m-{number}")
        fire("r-again", "c-0", OLD + 1)
        fire("r-last", "c-2", NOW)
        insert("m-newest", NOW)


@pytest.mark.parametrize(
    "settings",
    [
        "",
        'messages = "1d"',
        'runs = "30d"\nmessages = "60d"',
        'events = "30d"\nstates = "40d"',
        "most_states = 2",
        'hook_reports = "2d"\nprompts = "1h"',
        'messages = "1d"\nruns = "1d"\nevents = "30d"\nstates = "1h"\nhook_reports = "1d"',
    ],
)
def test_what_is_counted_is_what_is_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.0)
    configure(settings)
    fill(store)
    before = rows(store)
    counted = store.retention.count(NOW)
    assert rows(store) == before
    deleted = store.retention.sweep(NOW)
    assert deleted == counted
    assert deleted
    gone = {name: before[name] - rows(store)[name] for name in before}
    assert gone.pop("events") == deleted["events"] + deleted["states"]
    assert gone == {name: deleted[name] for name in gone}
    assert not store.retention.count(NOW)


def rows(store: Store) -> dict[str, int]:
    tables = {"messages": "messages", "runs": "runs", "events": "events"}
    tables["hook_reports"] = "hook_events"
    counts = {
        name: store.database.query(f"SELECT count(*) FROM {table}")[0][0]
        for name, table in tables.items()
    }
    said = "SELECT count(*) FROM hook_events WHERE prompt <> ''"
    return {**counts, "prompts": store.database.query(said)[0][0]}


def test_a_dry_run_deletes_nothing_and_a_prune_what_it_said(store: Store, torch: Torch) -> None:
    configure('messages = "30d"')
    fill(store)
    before = rows(store)
    dry = torch("store", "prune", "--dry-run")
    assert dry.code == 0, dry.err
    assert "would delete          7  settled messages, older than 30 d" in dry.out.splitlines()
    assert "MiB" in dry.err
    assert rows(store) == before
    done = torch("store", "prune", "--json").json
    assert done["deleted"]["messages"] == before["messages"] - rows(store)["messages"] == 7
    assert done["kept_seconds"]["messages"] == 30 * DAY_SECONDS
    assert done["bytes"] > done["free_bytes"] >= 0
    again = torch("store", "prune")
    assert (again.code, again.out) == (0, "nothing is too old\n")


def test_each_kind_has_a_setting() -> None:
    assert load_keeping() == Keeping()
    configure('messages = "45d"\nmost_states = 7\nprompts = "2h"')
    assert load_keeping() == Keeping(messages=45 * DAY_SECONDS, most_states=7, prompts=7200.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('messages = "12h"', "'retention.messages' must be a duration of at least 1d"),
        ('events = "29d"', "'retention.events' must be a duration of at least 30d"),
        ('events = "soon"', "must be a duration"),
        ("runs = 9", "must be a duration"),
        ("most_states = 0", "must be a number"),
        ("most_states = true", "must be a number"),
        ('message = "45d"', "unknown setting 'retention.message'"),
    ],
)
def test_wrong_settings_are_refused(settings: str, words: str) -> None:
    configure(settings)
    with pytest.raises(RefusedError, match=re.escape(words)):
        load_keeping()


def test_with_wrong_settings_nothing_is_deleted(store: Store, torch: Torch) -> None:
    configure('messages = "12h"')
    fill(store)
    before = rows(store)
    done = torch("store", "prune", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "bad-config")
    assert "'retention.messages'" in torch("tick").err
    assert rows(store) == before
