"""Errors that look like a message: opencode's transcript tells them from one.

The rows are those of opencode 1.18.33 with a stub (2026-11-30), cut to what is read.
"""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import test_classify_others
from torch_cli.programs.classify import classify
from torch_cli.programs.failed import with_failure
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import AgentState, HookEvent, State

PROFILE = load_profile("opencode", None)
SCREEN = test_classify_others.load("opencode", "error_401@120x40")
REFUSED = {"name": "APIError", "data": {"message": "stub error", "statusCode": 401}}


class Kept:
    """A directory with an opencode's transcript, and a process that stands for the program."""

    def __init__(self, root: Path) -> None:
        self.work, self.path = root / "work", root / ".local/share/opencode/opencode.db"
        self.work.mkdir()
        self.path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(self.path)) as store, store:
            store.execute("CREATE TABLE session(id, directory, parent_id)")
            store.execute("CREATE TABLE message(id, session_id, time_created, data)")
        self.program = subprocess.Popen(
            ["/bin/sleep", "60"], cwd=self.work, env={"HOME": str(root)}
        )
        self.count = 0

    def keep(self, role: str, error: dict[str, Any] | None = None, **session: object) -> None:
        """Keep another message, in the session of the program unless given."""
        self.count += 1
        said = {"id": "ses_1", "directory": str(self.work), "parent_id": None} | session
        data = {"role": role, **({"error": error} if error else {})}
        at = int(time.time() * 1000) + self.count
        with closing(sqlite3.connect(self.path)) as store, store:
            store.execute("INSERT INTO session VALUES (:id, :directory, :parent_id)", said)
            row = (f"msg_{self.count}", said["id"], at, json.dumps(data))
            store.execute("INSERT INTO message VALUES (?, ?, ?, ?)", row)
        os.utime(self.path, ns=(self.count, self.count))

    def look(self, rows: str = SCREEN.text, event: HookEvent | None = None) -> AgentState:
        return with_failure(classify(SCREEN, PROFILE), PROFILE, self.program.pid, event, rows)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path)
    yield one
    one.program.kill()
    one.program.wait()


def test_a_refused_login_is_an_error_until_a_turn_ends_well(kept: Kept) -> None:
    kept.keep("user")
    assert kept.look().trouble is None
    kept.keep("assistant", REFUSED)
    found = kept.look()
    assert (found.state, found.shown) == (State.IDLE, State.ERROR)
    assert found.trouble is not None
    assert (found.trouble.kind, found.trouble.code) == ("authentication", 401)
    assert (found.trouble.source, found.rule) == ("record", "box")
    kept.keep("user")
    assert kept.look().trouble is None, "the next turn has begun"
    kept.keep("assistant")
    assert kept.look().trouble is None


def test_an_error_of_another_program_or_of_nobody_counts_for_nothing(kept: Kept) -> None:
    """Of another directory, of a sub-agent, not on the screen, or what a person broke off."""
    kept.keep("assistant", REFUSED, id="ses_2", directory="/elsewhere")
    kept.keep("assistant", REFUSED, id="ses_3", parent_id="ses_1")
    kept.keep("assistant", {"name": "MessageAbortedError", "data": {"message": "stub error"}})
    assert kept.look().trouble is None
    kept.keep("assistant", REFUSED, id="ses_4")
    assert kept.look().trouble is not None
    assert kept.look(rows="┃  all is well").trouble is None
    reported = HookEvent("session.idle", time.time(), ended=time.time())
    assert kept.look(event=reported).trouble is None, "the plugin says how a turn has ended"


def test_a_transcript_that_cannot_be_read_says_nothing(kept: Kept) -> None:
    kept.path.write_bytes(b"no database" * 99)
    assert kept.look().trouble is None
    kept.path.unlink()
    assert kept.look().trouble is None
