"""``torch checkin`` as people and agents call it."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TMUX, Result, TmuxServer, Torch, wait_until
from torch_cli.store import Store


def checkin(demo: DemoAgent, *words: str, **others: Any) -> Result:
    return demo.torch("-L", "t", "checkin", *words, **others)


def objects(done: Result) -> list[dict[str, Any]]:
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_add_tells_the_next_three_firings_in_both_times(demo: DemoAgent) -> None:
    done = checkin(demo, "add", "demo", "x", "--every", "20m", "--timezone", "Asia/Kolkata")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("x  ci-")
    assert lines[0].endswith("demo (%1)")
    assert [line.rpartition("  ")[2] for line in lines[1:]] == ["in 20 min", "in 40 min", "in 1 h"]
    assert all("IST (" in line and " UTC)" in line for line in lines[1:])
    assert "no scheduler is running" in done.err
    once = checkin(demo, "add", "demo", "y", "--in", "1.5m", "--timezone", "UTC")
    assert len(once.out.splitlines()) == 2


def test_what_it_takes_to_add_one_does_not_show_in_the_next_firing(
    demo: DemoAgent, tmp_path: Path
) -> None:
    slow = tmp_path / "tmux"
    slow.write_text(f'#!/bin/sh\nsleep 0.7\nexec {shlex.quote(TMUX)} "$@"\n')
    slow.chmod(0o755)
    done = checkin(demo, "add", "demo", "x", "--in", "20m", env={"TORCH_TMUX": str(slow)})
    assert done.out.splitlines()[1].endswith("  in 20 min")


def test_notes_come_from_a_word_a_file_and_standard_input(demo: DemoAgent, tmp_path: Path) -> None:
    file = tmp_path / 'a note\'s "file" 🚀.md'
    file.write_text("from\na file\n", encoding="utf-8")
    checkin(demo, "add", "demo", "-", "--in", "1h", "--name", "a", input="from\nstdin\n")
    checkin(demo, "add", "demo", "--file", str(file), "--in", "1h", "--name", "b")
    checkin(demo, "add", "demo", "--in", "1h", "--name", "c", "--", "- an item")
    notes = {one["name"]: one["note"] for one in objects(checkin(demo, "list", "--json"))}
    assert notes == {"a": "from\nstdin", "b": "from\na file", "c": "- an item"}


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "x"),
        ("demo", "x", "--in", "5m", "--every", "5m"),
        ("demo", "--in", "5m"),
        ("demo", "x", "--file", "/etc/hostname", "--in", "5m"),
        ("demo", "--file", "/nowhere/at/all", "--in", "5m"),
        ("demo", "x", "--in", "0m"),
        ("demo", "x", "--in", "5"),
        ("demo", "x", "--every", "0.5s"),
        ("demo", "x", "--at", "2020-01-01 00:00"),
        ("demo", "x", "--cron", "0 0 31 2 *"),
        ("demo", "x", "--cron", "* * *"),
        ("demo", "x", "--cron", "* * * * *", "--timezone", "Nowhere/Land"),
        ("demo", "x", "--in", "5m", "--timezone", "Nowhere/Land"),
        ("demo", "x", "--in", "5m", "--count", "2"),
        ("demo", "x", "--every", "5m", "--count", "0"),
        ("demo", "x", "--every", "5m", "--until", "2020-01-01 00:00"),
        ("demo", "x", "--every", "5m", "--jitter", "5m"),
        ("demo", "x", "--cron", "* * * * *", "--jitter", "3h"),
        ("demo", "x", "--cron", "0,1 9 * * *", "--jitter", "1m"),
        ("demo", "x", "--every", "5m", "--count", "99999999999999999999"),
        ("demo", "x", "--in", "5m", "--grace", "soon"),
        ("demo", "x", "--in", "5m", "--name", "not a name"),
        ("demo", "x", "--in", "5m", "--if", "perhaps"),
        ("demo", "\x1b[31m", "--in", "5m"),
    ],
)
def test_nonsense_is_refused_with_a_reason(demo: DemoAgent, words: tuple[str, ...]) -> None:
    done = checkin(demo, "add", *words, "--json")
    assert done.code == 2, done
    assert done.json["error"]["message"]
    assert "Traceback" not in done.err
    assert checkin(demo, "list", "--json").out == ""


@pytest.mark.parametrize(
    "words", [("nobody", "x"), (".", "x"), ("demo", "x", "--fallback", "ghost")]
)
def test_a_target_or_fallback_that_is_not_there_is_refused(
    demo: DemoAgent, words: tuple[str, ...]
) -> None:
    done = checkin(demo, "add", *words, "--in", "5m")
    assert done.code in (2, 3)
    assert "no check-in was made" in done.err or "nobody" in done.err
    assert checkin(demo, "list", "--json").out == ""


def test_an_agent_schedules_its_own_check_in_from_inside_its_pane(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """What the agent's shell runs has the pane in its environment, and nothing else of Torch's."""
    demo = spawn_demo(tmux, torch, tmp_path / "project", "--work", "0")
    with Store() as store:
        agent = store.agents.get("demo")
    assert agent is not None
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "TMUX": f"{agent.socket},{tmux.cmd('display-message', '-p', '#{pid}')},0",
        "TMUX_PANE": agent.pane,
    }
    words = [sys.executable, "-m", "torch_cli", "checkin", "add", ".", "again", "--in", "0.5s"]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        start_new_session=True,  # the terminal of who runs the tests says nothing
    )
    assert "demo (%1)" in done.stdout
    wait_until(lambda: torch("tick").code == 0 and len(demo.submitted()) == 1, what="the note")
    first, second, *rest = demo.submitted()[0].splitlines()
    assert first.startswith("[from demo · check-in again · m-")
    assert second.startswith("due ")
    assert rest == ["", "again"]


def test_list_show_and_history_tell_the_story(demo: DemoAgent) -> None:
    checkin(demo, "add", "demo", "one\ntwo", "--every", "1h", "--name", "story", "--count", "9")
    ran = checkin(demo, "run", "story", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "torch.run/1"
    listed = checkin(demo, "list")
    assert "story" in listed.out
    assert "every 1 h, 9 left" in listed.out
    assert "confirmed" in listed.out
    assert "one two" in listed.out or "one two" in " ".join(listed.out.split())
    shown = checkin(demo, "show", "story")
    assert "one\ntwo" in shown.out
    (run,) = objects(checkin(demo, "history", "story", "--json"))
    assert (run["checkin"], run["outcome"], run["recipient"]) == ("story", "confirmed", "demo")
    assert "confirmed  to demo" in checkin(demo, "history").out
    found = checkin(demo, "show", "story", "--json").json
    assert found["last"]["message"] == run["message"]
    assert found["remaining"] == 9


def test_pause_resume_snooze_and_remove(demo: DemoAgent) -> None:
    checkin(demo, "add", "demo", "x", "--every", "1h", "--name", "x")
    first = checkin(demo, "show", "x", "--json").json["next"][0]
    assert checkin(demo, "pause", "x", "--json").json["state"] == "paused"
    assert "paused" in checkin(demo, "list").out
    assert checkin(demo, "resume", "x", "--json").json["state"] == "active"
    assert checkin(demo, "snooze", "x", "0m").code == 2
    assert checkin(demo, "snooze", "x", "10m", "--json").json["next"][0] > first
    assert checkin(demo, "remove", "x", "ghost").code == 3, "all or none"
    assert checkin(demo, "show", "x", "--json").json["state"] == "active"
    checkin(demo, "add", "demo", "y", "--every", "1h", "--name", "y")
    assert checkin(demo, "remove", "x").out.startswith("removed  x")
    assert checkin(demo, "remove", "y", "x").code == 3, "all or none"
    assert checkin(demo, "remove", "y", "y").code == 0
    assert checkin(demo, "list", "--json").out == ""
    again = checkin(demo, "pause", "x", "--json")
    assert (again.code, again.json["error"]["code"]) == (3, "ended")
    assert len(objects(checkin(demo, "list", "--all", "--json"))) == 2


def test_the_earlier_word_for_remove_still_works_and_names_the_new_one(demo: DemoAgent) -> None:
    checkin(demo, "add", "demo", "x", "--in", "1h", "--name", "x")
    done = checkin(demo, "cancel", "x")
    assert done.out.startswith("cancelled  x")
    assert done.err == "'torch checkin cancel' is now 'torch checkin remove'\n"
    assert checkin(demo, "list", "--json").out == ""
    assert "cancel" not in checkin(demo, "--help").out


def test_ids_of_check_ins_differ_from_those_of_checkpoints_and_old_ones_stay_readable(
    demo: DemoAgent,
) -> None:
    for name in ("new", "old"):
        checkin(demo, "add", "demo", name, "--every", "1h", "--name", name)
    assert checkin(demo, "show", "new", "--json").json["id"].startswith("ci-")
    before = "c-0123456789ab"
    with Store() as store:
        store.database.write(f"UPDATE checkins SET id = '{before}' WHERE name = 'old'")
    assert checkin(demo, "show", before, "--json").json["name"] == "old"
    assert {one["id"] for one in objects(checkin(demo, "list", "--json"))} > {before}
    assert checkin(demo, "run", before).code == 0
    assert [one["checkin"] for one in objects(checkin(demo, "history", before, "--json"))] == [
        "old"
    ]
    assert checkin(demo, "pause", before, "--json").json["state"] == "paused"
    assert checkin(demo, "remove", before).out.startswith("removed  old")


def test_a_held_note_is_followed_in_the_outbox(demo: DemoAgent) -> None:
    checkin(demo, "add", "demo", "x", "--every", "1h", "--name", "x")
    demo.open_dialog()
    done = checkin(demo, "run", "x")
    assert done.out.startswith("held")
    (waiting,) = objects(demo.torch("outbox", "list", "--json"))
    assert (waiting["kind"], waiting["preview"]) == ("check-in", "x")


def test_an_extra_run_for_nobody_is_overdue(demo: DemoAgent) -> None:
    checkin(demo, "add", "demo", "x", "--every", "1h", "--name", "x")
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    done = checkin(demo, "run", "x")
    assert done.code == 4
    assert done.out.startswith("overdue")
    assert "overdue" in checkin(demo, "list").out


def test_ten_thousand_are_listed(demo: DemoAgent) -> None:
    checkin(demo, "add", "demo", "x", "--every", "1h", "--name", "x")
    with Store() as store:
        one = store.checkins.named("x")
        assert one is not None
        with store.database.transaction():
            for number in range(10_000):
                store.checkins.put(one._replace(id=f"c-{number:08x}", name=f"n{number}"))
    began = time.monotonic()
    assert len(objects(checkin(demo, "list", "--json"))) == 10_001
    assert checkin(demo, "list").out.count("\n") == 10_002  # with the headings
    assert time.monotonic() - began < PATIENCE


def test_every_command_has_examples_and_json(torch: Torch) -> None:
    for words in (
        *(
            ("checkin", verb)
            for verb in [
                "add",
                "list",
                "show",
                "cancel",
                "pause",
                "resume",
                "snooze",
                "run",
                "history",
            ]
        ),
        *(("outbox", verb) for verb in ["list", "show", "retry", "cancel", "edit"]),
        *(("daemon", verb) for verb in ["run", "start", "stop", "status", "logs", "install"]),
        *(("crontab", verb) for verb in ["install", "remove", "show"]),
        ("tick",),
    ):
        done = torch(*words, "--help")
        assert done.code == 0
        assert "Examples:" in done.out
        assert "--json" in done.out
