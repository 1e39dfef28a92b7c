"""State files that are kept open between uses: lent to one at a time, and never an old one."""

import os
import shutil
import sqlite3
import threading

import pytest

from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.lending import Lender


def agent(name: str) -> Agent:
    return Agent(name, "demo", "adopted", "/s", "/s|1|2", f"%{name}", 1, "m", "w", "/", 1, "9")


def test_the_same_file_is_lent_again_to_another_thread() -> None:
    lender = Lender()
    seen: list[tuple[int, int]] = []

    def use() -> None:
        with lender.lend() as store:
            store.agents.add(agent(f"a{len(seen)}"))
            seen.append((id(store), len(store.agents.all())))

    for _ in range(3):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    lender.close()
    assert [count for _, count in seen] == [1, 2, 3]
    assert len({one for one, _ in seen}) == 1


def test_two_at_once_get_two() -> None:
    lender = Lender()
    with lender.lend() as first, lender.lend() as second:
        assert first is not second
    lender.close()


def test_one_that_had_an_error_is_not_lent_again() -> None:
    lender = Lender()
    with pytest.raises(ValueError, match="a pass"), lender.lend() as first:
        raise ValueError("a pass failed")
    with lender.lend() as second:
        assert second is not first


def test_a_file_that_took_its_place_is_the_one_that_is_lent() -> None:
    lender = Lender()
    with lender.lend() as store:
        store.agents.add(agent("old"))
        path = store.database.path
    with Store() as store:  # all of it is in the file then
        store.database.query("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(path, f"{path}.new")
    with sqlite3.connect(f"{path}.new") as other:
        other.execute("UPDATE agents SET name = 'new'")
    other.close()
    for end in ("-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    os.replace(f"{path}.new", path)
    with lender.lend() as store:
        assert [one.name for one in store.agents.all()] == ["new"]
    lender.close()


def test_a_file_of_a_newer_torch_is_not_lent() -> None:
    lender = Lender()
    with lender.lend() as store:
        path = store.database.path
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 9999")
    newer.close()
    with pytest.raises(Exception, match="newer torch"), lender.lend():
        pass


def test_agents_are_read_again_after_any_write() -> None:
    with Store() as one, Store() as other:
        assert one.agents.all() == []
        first = other.agents.add(agent("a"))
        assert one.agents.all() == [first]
        with pytest.raises(ValueError, match="undone"):
            _change_and_undo(one)
        assert one.agents.all() == [first]
        one.agents.all().clear()
        assert one.agents.all() == [first]


def _change_and_undo(store: Store) -> None:
    with store.database.transaction():
        store.database.query("UPDATE agents SET role = 'x'")
        assert store.agents.all()[0].role == "x"
        raise ValueError("undone")
