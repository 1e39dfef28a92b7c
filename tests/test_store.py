"""The state file: who may read it, what happens when many open it at once, and its failures."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import PATIENCE, SOURCE
from torch_cli import paths
from torch_cli.errors import RefusedError
from torch_cli.pane_id import PaneId
from torch_cli.store import Store, StoreError, database
from torch_cli.store.agents import Agent
from torch_cli.store.messages import Message, new_id, new_message
from torch_cli.store.observations import Observation
from torch_cli.store.schema import MIGRATIONS

TOGETHER = """
import sys, time
from torch_cli.store import Store
from torch_cli.store.messages import Message, new_id, new_message
while time.time() < float(sys.argv[1]):
    pass
"""
"""Begins a script of which several are to do the rest at the same moment."""

ACCEPT = """
with Store() as store:
    message, new = store.messages.accept(
        new_message(
            "m-" + sys.argv[2], key="release-42", recipient="dev",
            body="deploy", typed="deploy", server="s", pane="%1", pane_pid=1,
        )
    )
print(message.id, new)
"""


def agent(name: str = "dev", pane: str = "%1", **others: object) -> Agent:
    values: dict[str, object] = {
        "name": name,
        "profile": "demo",
        "origin": "spawned",
        "socket": "/nowhere",
        "server": "/nowhere|1|1",
        "pane": pane,
        "pane_pid": 1,
        "session": "main",
        "window": name,
        "directory": "/",
        "program_pid": 1,
        "program_started": "1",
    }
    return Agent(**{**values, **others})  # type: ignore[arg-type]


def together(script: str, arguments: Sequence[str]) -> list[str]:
    """Run the script once for each argument, all at the same moment; return what they print."""
    start = str(time.time() + 0.5)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER + script, start, argument],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for argument in arguments
    ]
    ended = [(child, *child.communicate(timeout=2 * PATIENCE)) for child in children]
    assert [(child.returncode, err) for child, _, err in ended] == [(0, "")] * len(ended)
    return [out.strip() for _, out, _ in ended]


def raw() -> sqlite3.Connection:
    """Open the state file past Torch."""
    return sqlite3.connect(paths.database())


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_only_its_owner_can_read_the_file_and_its_directory() -> None:
    before = os.umask(0)
    try:
        with Store() as store:
            store.events.add("try", "me")
            assert mode(paths.state_dir()) == 0o700
            for path in Path(paths.state_dir()).iterdir():
                assert mode(str(path)) == 0o600, path
            assert len(list(Path(paths.state_dir()).iterdir())) == 3, "WAL and its index too"
    finally:
        os.umask(before)


def test_eight_processes_that_open_it_first_make_it_once() -> None:
    for _ in range(3):
        together("with Store() as store:\n    store.events.add('open', sys.argv[2])", "abcdefgh")
        with Store() as store:
            (count,) = store.database.query("SELECT count(*) FROM events")[0]
            (version,) = store.database.query("PRAGMA user_version")[0]
            (journal,) = store.database.query("PRAGMA journal_mode")[0]
        assert (count, version, journal) == (8, len(MIGRATIONS), "wal")
        for path in Path(paths.state_dir()).iterdir():
            path.unlink()


def test_sixteen_processes_with_one_key_make_one_message() -> None:
    with Store():
        pass
    told = together(ACCEPT, [f"{number:02}" for number in range(16)])
    identities = {line.split()[0] for line in told}
    assert len(identities) == 1, "every one is told of the same message"
    assert sorted(line.split()[1] for line in told) == ["False"] * 15 + ["True"]
    with Store() as store:
        assert len(store.messages.latest(limit=99)) == 1


def test_a_key_belongs_to_one_text_and_one_recipient() -> None:
    with Store() as store:

        def accept(identity: str, body: str, to: str) -> bool:
            message = new_message(
                identity,
                key="k",
                recipient=to,
                body=body,
                typed="x",
                server="s",
                pane="%1",
                pane_pid=1,
            )
            return store.messages.accept(message)[1]

        assert accept("m-1", "deploy", "dev")
        assert not accept("m-2", "deploy", "dev")
        for body, to in (("deploy!", "dev"), ("deploy", "qa")):
            with pytest.raises(RefusedError, match="m-1"):
                accept("m-3", body, to)


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'me'", "DELETE FROM events"])
def test_what_happened_cannot_be_changed_or_deleted(statement: str) -> None:
    with Store() as store:
        store.events.add("stop", "dev")
    connection = raw()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_of_two_that_register_a_name_the_second_is_refused() -> None:
    with Store() as one, Store() as two:
        one.agents.add(agent(pane="%1"))
        with pytest.raises(RefusedError, match="%1"):
            two.agents.add(agent(pane="%2"))
        kept = two.agents.get("dev")
    assert kept is not None
    assert kept.pane == "%1"


def test_a_registration_gives_way_only_to_who_has_seen_it() -> None:
    """Both found the same vanished agent; only the first may take its name."""
    with Store() as one, Store() as two:
        old = one.agents.add(agent(pane="%1"))
        one.agents.add(agent(pane="%2"), instead_of=old)
        with pytest.raises(RefusedError, match="%2"):
            two.agents.add(agent(pane="%3"), instead_of=old)


def test_a_stopped_agent_s_name_is_free() -> None:
    with Store() as store:
        store.agents.add(agent(pane="%1"))
        store.agents.stopped("dev")
        assert store.agents.all() == []
        store.agents.add(agent(pane="%2"))
        assert [one.pane for one in store.agents.all()] == ["%2"]


def test_a_newer_schema_is_refused_and_left_alone() -> None:
    with Store():
        pass
    connection = raw()
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = Path(paths.database()).read_bytes()
    with pytest.raises(StoreError, match="newer torch"):
        Store()
    assert Path(paths.database()).read_bytes() == before


def test_an_older_file_is_copied_aside_for_its_owner_alone_and_brought_up_to_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Store() as store:
        store.events.add("before", "dev")
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE agents ADD x TEXT;"))
    before = os.umask(0)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: Store().close(), range(8)))
    finally:
        os.umask(before)
    with Store() as store:
        assert store.database.query("SELECT x FROM agents") == []
        assert store.database.query("SELECT verb FROM events")[0][0] == "before"
    copy = f"{paths.database()}.schema-{len(MIGRATIONS)}"
    assert mode(copy) == 0o600
    connection = sqlite3.connect(copy)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("SELECT verb FROM events").fetchone() == ("before",)
    connection.close()


def test_a_migration_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Store():
        pass
    broken = "CREATE TABLE extra (x); CREATE TABLE agents (x);"
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(StoreError, match="already exists"):
            Store()
    with Store() as store:
        assert store.database.query("SELECT 1 FROM sqlite_master WHERE name = 'extra'") == []


def test_a_writer_that_holds_it_is_waited_for() -> None:
    with Store() as store:
        holder = sqlite3.connect(paths.database(), isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(1.0, holder.execute, ["COMMIT"])
        began = time.monotonic()
        release.start()
        store.events.add("wait", "dev")
        assert time.monotonic() - began > 0.9
        release.join()
        holder.close()


def test_a_writer_that_never_ends_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with Store() as store:
        holder = sqlite3.connect(paths.database(), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as failed:
            store.agents.add(agent())
        assert "Another process" in failed.value.hint
        holder.execute("ROLLBACK")
        holder.close()
        store.agents.add(agent())


def test_a_full_disk_is_named_and_the_file_stays_whole() -> None:
    """``max_page_count`` stops the file from growing, for root as well."""
    with Store() as store:
        (pages,) = store.database.query("PRAGMA page_count")[0]
        store.database.query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as failed:
            store.agents.add(agent(directory="x" * 100_000))
        assert "Free some space" in failed.value.hint
        assert store.agents.all() == []
        store.database.query("PRAGMA max_page_count = 1000000")
        store.agents.add(agent())
        assert store.database.query("PRAGMA integrity_check")[0][0] == "ok"


def test_none_is_made_where_none_is_wanted() -> None:
    with pytest.raises(StoreError) as missing:
        Store(create=False)
    assert missing.value.code == "no-store"
    assert not Path(paths.state_dir()).exists()


def test_a_state_since_is_kept_over_looks_and_moves_on_with_a_new_one() -> None:
    def record(state: str, reported: float = 0.0) -> float:
        return store.observations.record("s", "%1", 1, state, "seen", reported=reported)

    with Store() as store:
        began = time.time()
        first = record("idle")
        assert began <= first <= time.time()
        assert record("idle") == first
        second = record("working")
        assert second >= first
        # The program has reported since: between the looks there was another state.
        reported = time.time()
        assert record("working", reported) == reported
        assert record("working", reported - 60) == reported, "an older report changes nothing"
        assert record("working", time.time() + 3600) <= time.time(), "nothing begins later than now"


def test_states_of_many_panes_are_written_as_one() -> None:
    many = [Observation("s", f"%{number}", 1, "idle", "seen") for number in range(64)]
    with Store() as store, Store() as other:
        log = Path(f"{paths.database()}-wal")
        first = store.observations.record_all(many)
        assert store.observations.record_all([]) == []
        size = log.stat().st_size
        assert store.observations.record_all(many) == first
        one_by_one = log.stat().st_size
        for one in many:
            other.observations.record(*one[:5])
        # Each transaction writes the pages that it has changed to the end of the log.
        assert one_by_one - size < (log.stat().st_size - one_by_one) / 8


def test_a_new_state_began_when_the_window_last_wrote_but_not_before_another_was_seen() -> None:
    def record(state: str, wrote: float) -> float:
        return store.observations.record("s", "%1", 1, state, "seen", wrote=wrote)

    with Store() as store:
        seen = time.time()
        quiet = seen - 100
        assert record("idle", quiet) == quiet
        assert seen - 1 <= record("waiting", quiet) <= time.time()
        wrote = time.time() + 60
        assert record("idle", wrote) <= time.time(), "nothing begins later than now"


def written(identity: str, **others: object) -> Message:
    """Return a message as it is written down when it is accepted."""
    place = {"server": "s", "pane": "%1", "pane_pid": 1, "recipient": "dev"}
    return new_message(identity, **{"body": "hello", "typed": "hello", **place, **others})


def test_a_message_whose_id_is_taken_gets_another_also_in_its_envelope() -> None:
    with Store() as store:
        first, _ = store.messages.accept(written("m-4f2a09c1", key="one"))
        head = "[from pm · reply to m-4f2a09c1 · m-4f2a09c1]"
        again = written("m-4f2a09c1", key="two", typed=f"{head}\nas m-4f2a09c1 says]")
        second, new = store.messages.accept(again)
        assert new
        assert second.id != first.id == "m-4f2a09c1"
        head = f"[from pm · reply to m-4f2a09c1 · {second.id}]"
        assert second.typed == f"{head}\nas m-4f2a09c1 says]"
        assert store.messages.get("m-4f2a09c1").key == "one", "an id of 8 digits stays valid"


def test_ids_are_long_enough_for_years_of_messages() -> None:
    assert all(len(new_id()) == len("m-") + 12 for _ in range(20))


def test_what_is_looked_up_at_every_send_does_not_read_what_was_settled_long_ago() -> None:
    """Reading 600,000 settled messages of one pane took 290 ms of a delivery's 450."""
    said: list[str] = []
    with Store() as store:
        message, _ = store.messages.accept(written("m-1", kept=True, key="k"))
        store.database._connection.set_trace_callback(said.append)
        store.messages.unfinished(PaneId("s", "%1", 1))
        store.messages.ahead_of(message)
        store.messages.ahead_of(message._replace(agent="a-1"))
        store.messages.waiting()
        store.messages.waiting("a-1")
        store.messages.with_key("k")
        store.messages.agents_to_tell()
        store.messages.undelivered(untold=True)
        store.database._connection.set_trace_callback(None)
        assert len(said) == 8
        for sql in said:
            plan = [row["detail"] for row in store.database.query(f"EXPLAIN QUERY PLAN {sql}")]
            few = ("messages_open", "messages_kept", "messages_untold", "(key=?)", "(id=?)")
            read = [line for line in plan if " messages" in line]
            assert read, (sql, plan)
            assert all(any(name in line for name in few) for line in read), (sql, plan)
