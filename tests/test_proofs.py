"""``[profiles] verify = "auto"``: the daemon proves a new version of an installed program."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, SOURCE, wait_until
from torch_cli import procs
from torch_cli.errors import RefusedError
from torch_cli.profiling.verify.plan import QUICK
from torch_cli.programs import proof
from torch_cli.programs.loading import load_profile
from torch_cli.schedule import proofs
from torch_cli.schedule.passes import Passes
from torch_cli.schedule.proofs import Proofs, Proven, is_wanted
from torch_cli.schedule.tick import tick
from torch_cli.settings import settings_file
from torch_cli.store import Store

SMALL = QUICK._replace(texts=("40 characters",), specials=(), openings=1, patience=10.0)
"""Enough to see that a proof is made: what it proves is in test_verify."""

WRAPPER = """#!{python}
import sys
sys.path.insert(0, {source!r})
from pathlib import Path
from torch_cli.demo_agent import __main__, agent
__main__.VERSION = Path({version!r}).read_text()
if __main__.VERSION == "1.2":
    agent.DemoState._hook = lambda self, event, **fields: None
sys.exit(__main__.main())
"""
"""A demo agent that says another version, and at 1.2 reports nothing any more."""


class Told:
    """Is told of proofs alone."""

    def __init__(self) -> None:
        self.said: list[Proven] = []

    def proven(self, proven: Proven) -> None:
        self.said.append(proven)

    def error(self, error: BaseException) -> None:
        raise error


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the version of the only agent program on the PATH."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(proofs, "PLAN", SMALL)
    folder, file = tmp_path / "bin", tmp_path / "version"
    folder.mkdir()
    program = folder / "torch-demo-agent"
    program.write_text(WRAPPER.format(python=sys.executable, source=str(SOURCE), version=str(file)))
    program.chmod(0o755)
    file.write_text("1.0")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return file


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def passes(told: Told) -> Iterator[Passes]:
    """A scheduler's passes."""
    made = Passes(told, 1, lambda: False)  # type: ignore[arg-type]
    yield made
    made.close(PATIENCE)


def ask_for_it(words: str = '[profiles]\nverify = "auto"\n') -> None:
    path = Path(settings_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words)


def look(passes: Passes) -> float:
    with Store() as store:
        return passes.run("proofs", store, time.time())


def look_until_ended(passes: Passes, told: Told) -> Proven:
    count = len(told.said)

    def ended() -> bool:
        look(passes)
        return len(told.said) > count

    wait_until(ended, 4 * PATIENCE, "the end of the proof")  # each of its waits may be that long
    return told.said[count]


def events() -> list[tuple[str, str, dict[str, str]]]:
    with Store() as store:
        rows = store.database.query("SELECT actor, target, detail FROM events WHERE verb='verify'")
    return [(actor, target, json.loads(detail)) for actor, target, detail in rows]


def inside(tmp_path: Path) -> list[procs.Process]:
    home = f"{tmp_path}{os.sep}torch-"
    return [
        one
        for one in procs.descendants(0)
        if procs.alive(one) and (procs.environment(one.pid) or {}).get("HOME", "").startswith(home)
    ]


def test_nothing_is_proven_unless_it_is_asked_for(
    version: Path, passes: Passes, told: Told
) -> None:
    version.write_text("1.1")
    assert look(passes) == 900.0
    assert told.said == []


def test_a_new_version_is_proven_once_and_what_fails_is_an_event(
    version: Path, passes: Passes, told: Told
) -> None:
    """Two whole proofs, one after the other: hence its seconds."""
    ask_for_it()
    look(passes)
    assert told.said == [], "the profile was proven with this version"
    version.write_text("1.1")
    assert look(passes) < 10
    assert [one[:3] for one in told.said] == [("demo", "1.1", "begun")]
    found = look_until_ended(passes, told)
    assert found[:3] == ("demo", "1.1", "proven"), found
    kept = proof.proof_of(load_profile("demo", None), "1.1")
    assert kept is not None
    assert kept.failures == ()
    look(passes)
    assert len(told.said) == 2, "one proof is enough"
    version.write_text("1.2")
    look(passes)
    found = look_until_ended(passes, told)
    assert found[:3] == ("demo", "1.2", "failed"), found
    assert "its hook did not report it" in found.words
    assert [(who, name, detail["version"], detail["state"]) for who, name, detail in events()] == [
        ("torch", "demo", "1.1", "proven"),
        ("torch", "demo", "1.2", "failed"),
    ]


def test_no_proof_begins_while_a_message_is_delivered(version: Path, told: Told) -> None:
    ask_for_it()
    version.write_text("1.1")
    found = Proofs()
    with Store() as store:
        assert list(found.run(store, time.time(), may_begin=False, until=lambda: False)) == []
        assert found.waits, "it comes back soon"


def test_the_end_of_the_scheduler_ends_the_proof_and_all_of_it_was_nice(
    version: Path, passes: Passes, told: Told, tmp_path: Path
) -> None:
    ask_for_it()
    version.write_text("1.1")
    look(passes)
    wait_until(lambda: len(inside(tmp_path)) > 3, what="programs that run")
    priorities = []
    for one in inside(tmp_path):
        try:
            priorities.append(os.getpriority(os.PRIO_PROCESS, one.pid))
        except ProcessLookupError:
            continue
    assert set(priorities) == {19}
    passes.close(PATIENCE)
    wait_until(lambda: not inside(tmp_path), what="the end of its processes")
    wait_until(lambda: not list(tmp_path.glob("torch-*")), what="the end of its directory")
    assert not Path(proof.folder()).exists()


def test_a_proof_that_broke_down_is_not_tried_again_at_once(
    version: Path, passes: Passes, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_it()
    version.write_text("1.1")
    monkeypatch.setattr("tempfile.tempdir", str(version.parent / "gone"))
    look(passes)
    assert look_until_ended(passes, told).state == "broken"
    assert look(passes) == 900.0
    assert len(told.said) == 2


def test_a_tick_begins_none(version: Path, tmp_path: Path) -> None:
    ask_for_it()
    version.write_text("1.1")
    assert tick(time.time(), PATIENCE).errors == ()
    assert inside(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[profiles]\nverify = "yes"\n', 'must be "auto" or "off"'),
        ("[profiles]\nverify = true\n", 'must be "auto" or "off"'),
        ('[profiles]\nverfy = "auto"\n', "Did you mean 'verify'?"),
        ("profiles = 1\n", "is not a table"),
    ],
)
def test_settings_that_are_wrong_are_refused(text: str, said: str) -> None:
    ask_for_it(text)
    with pytest.raises(RefusedError) as refused:
        is_wanted()
    assert said in f"{refused.value.message} {refused.value.hint}"


def test_they_are_off_by_default() -> None:
    assert not is_wanted()
    ask_for_it('[profiles]\nverify = "off"\n[other]\ny = 1\n')
    assert not is_wanted()
