"""``torch since`` and ``torch why``: what happened, for a person who was away."""

import os
import pty
import subprocess
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import scheduler
from agent import DemoAgent
from conftest import PATIENCE, SOURCE, Torch, wait_until
from repository import Repository
from test_attention import events, lines
from test_store import written
from test_task import agent
from torch_cli.attention.stream import EVENT_KINDS, words_of
from torch_cli.attention.summary import shares, summary
from torch_cli.delivery.ending import CANCELLED
from torch_cli.store import Store
from torch_cli.store.checkin import Run, RunState
from torch_cli.store.events import Event
from torch_cli.store.looks import ANYTHING, AWAY_SECONDS

HOUR = 3600.0


def in_a_terminal(argv: Sequence[str], **environ: str) -> str:
    """Run a command as a person does, with a terminal; return what it prints."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "80", **environ}
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment
    ) as child:
        os.close(theirs)
        printed = b""
        while part := _read(ours):
            printed += part
        os.close(ours)
        child.wait(PATIENCE)
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # EIO: nobody has the other side any more (Linux)
        return b""


def since(torch: Torch, *words: str) -> dict[str, Any]:
    done = torch("since", "--json", *words)
    assert done.code == 0, done.out + done.err
    found: dict[str, Any] = done.json
    return found


def said(found: dict[str, Any], part: str) -> list[str]:
    return [f"{one['who'] or ''}: {one['words']}" for one in found[part]]


# -- the whole way ---------------------------------------------------------------------------------


def test_it_tells_what_happened_and_who_waits(demo: DemoAgent) -> None:
    scheduler.start(demo.torch)
    assert demo.send("Fix the parser\nand its tests").code == 0
    demo.open_dialog()

    def waits() -> bool:
        return len(since(demo.torch, "1h")["needs"]) == 1

    def written() -> bool:
        states = events(demo.torch, "--kind", "state")
        return any(one["detail"]["state"] == "waiting" for one in states)

    wait_until(waits, what="who waits")
    wait_until(written, what="the event of the daemon, which may come after a look")
    found = since(demo.torch, "1h")
    assert found["schema"] == "torch.since/1"
    assert found["needs"][0]["question"] == "Do you want to proceed?"
    assert ": 1 message delivered" in said(found, "done")
    assert (found["failed"], found["late"]) == ([], [])
    text = demo.torch("since", "1h").out
    assert text.splitlines()[0].startswith("Since ")
    assert f"NEEDS YOU  {demo.name}  waiting for" in text
    assert "Do you want to proceed?" in text
    assert "DONE" in text
    assert "FAILED" not in text

    why = demo.torch("why", demo.name)
    assert why.code == 0, why.err
    first, *rest = why.out.splitlines()
    assert first.startswith(f"{demo.name}  waiting")
    assert "it asks: Do you want to proceed?" in why.out
    (message,) = [row for row in rest if "message     confirmed" in row]
    assert message.endswith('"Fix the parser"'), "its first line"
    (state,) = [row for row in rest if " state " in row and "waiting" in row]
    rule = demo.torch("why", demo.name, "--json").json["now"]["rule"]
    assert f"[{rule}: ❯ 1. Yes]" in state, "the rule, and what it rests on"
    assert f"    rule {rule}: ❯ 1. Yes" in rest
    assert demo.torch("why", demo.name, "-n", "1", "--json").json["more"]


def test_why_of_an_agent_that_is_gone(demo: DemoAgent) -> None:
    with Store() as store:
        pane = store.agents.all()[0].pane
    demo.tmux.new_session("other", "cat")
    demo.tmux.cmd("kill-pane", "-t", pane)
    assert demo.torch("why", demo.name, "--json").json["now"]["state"] == "dead"
    assert demo.torch("stop", demo.name).code == 0
    stopped = demo.torch("why", demo.name, "--json").json
    assert stopped["now"] is None
    assert stopped["events"][-1]["verb"] == "stop"
    missing = demo.torch("why", "nobody", "--json")
    assert (missing.code, missing.json["error"]["code"]) == (3, "no-agent")


def test_a_program_that_ended_by_itself_has_failed(demo: DemoAgent) -> None:
    for _ in range(2):
        assert demo.torch("tick", "--quiet").code == 0
    demo.kill()
    assert demo.torch("tick", "--quiet").code == 0
    (failed,) = said(since(demo.torch, "1h"), "failed")
    assert failed.startswith(f"{demo.name}: ended")
    assert demo.torch("stop", demo.name).code == 0
    assert said(since(demo.torch, "1h"), "failed") == [], "a person has ended it"


# -- when a person was here ------------------------------------------------------------------------


def test_it_begins_when_the_person_left(torch: Torch, store: Store) -> None:
    now = time.time()
    assert since(torch)["because"] == "first"
    store.looks.note(ANYTHING, now - 3 * HOUR)
    for at in (now - 2 * HOUR, now - 2 * HOUR + 2):
        event = "INSERT INTO events (at, actor, verb, target) VALUES (?, '', 'restart', 'dev')"
        store.database.write(event, at)
    before = in_a_terminal(torch.argv("since"))
    assert "3h ago, when you were last here" in before
    assert before.count("restarted") == 2
    last = store.looks.last(ANYTHING)
    assert last is not None
    assert last.at >= now
    again = in_a_terminal(torch.argv("since"))
    assert "3h ago" in again, "who has just come back may ask again"


def test_only_people_are_here(demo: DemoAgent, store: Store) -> None:
    """Neither scripts, whose output is read, nor agents, also in a terminal."""
    assert demo.torch("ps").code == 0
    assert store.looks.last(ANYTHING) is None
    in_a_terminal(demo.torch.argv("ps"), TORCH_AGENT=demo.name)
    assert store.looks.last(ANYTHING) is None
    in_a_terminal(demo.torch.argv("ps"))
    assert store.looks.last(ANYTHING) is not None


def test_a_command_makes_no_state_file_to_say_who_is_here(torch: Torch, tmp_path: Path) -> None:
    assert "torch" in in_a_terminal(torch.argv("--help"))
    assert not (tmp_path / "torch").exists()


def test_a_visit_lasts_until_nobody_comes_for_a_while(store: Store) -> None:
    now = time.time()

    def look(at: float) -> tuple[float, float]:
        store.looks.note(ANYTHING, at)
        last = store.looks.last(ANYTHING)
        assert last is not None
        return last.at - now, last.before - now

    assert look(now - 5 * AWAY_SECONDS) == (-5 * AWAY_SECONDS, -now)
    assert look(now - 3 * AWAY_SECONDS) == (-3 * AWAY_SECONDS, -5 * AWAY_SECONDS)
    assert look(now - 2.5 * AWAY_SECONDS) == (-2.5 * AWAY_SECONDS, -5 * AWAY_SECONDS)
    assert look(now - 2.6 * AWAY_SECONDS) == (-2.5 * AWAY_SECONDS, -5 * AWAY_SECONDS), (
        "it was noted late"
    )
    assert look(now) == (0, -2.5 * AWAY_SECONDS)
    store.database.write("UPDATE looks SET at = ?", now + HOUR)
    assert look(now)[0] == 0, "the clock was set back"


# -- the parts -------------------------------------------------------------------------------------


def test_what_failed_and_what_came_late(store: Store) -> None:
    now = time.time()
    with store.database.transaction():
        names = (("m-lost", 10.0), ("m-slow", HOUR), ("m-again", 10.0), ("m-cancelled", 10.0))
        for name, age in names:
            store.messages.insert(
                written(name, created=now - age, body="Do it\x1b[2J", sender="qa")
            )
        runs = (
            Run(
                "r-1",
                "c-1",
                now - 2 * HOUR,
                now,
                RunState.SENT,
                delay="the machine was asleep for 2 h",
            ),
            Run("r-2", "c-1", now - 9, now, RunState.SENT),
            Run("r-3", "c-1", now - 8, now, RunState.MISSED, "it came more than 5 min late"),
        )
        for run in runs:
            store.checkins.add_run(run)
    for name, state in (
        ("m-lost", "failed"),
        ("m-slow", "held"),
        ("m-slow", "submitted"),
        ("m-again", "unknown"),
        ("m-again", "confirmed"),
        ("m-cancelled", "failed"),
    ):
        reasons = {"held": "a dialog is open; nothing was typed", "failed": ""}
        reason = CANCELLED if name == "m-cancelled" else reasons.get(state, "")
        detail = {"message": name, "state": state, "reason": reason}
        store.events.add("deliver", "dev", detail, actor="qa")
    found = summary(store, now - 10, [])
    assert [one.words for one in found.failed] == [
        "check-in c-1 missed  it came more than 5 min late",
        'm-lost from qa failed  "Do it [2J"',
    ]
    assert [one.words for one in found.late] == [
        "check-in c-1 came 2 h late  the machine was asleep for 2 h",
        'm-slow from qa came 1 h after it was sent  a dialog is open  "Do it [2J"',
    ]
    assert [one.words for one in found.done] == ["2 messages delivered"]


def test_it_begins_at_a_time_that_is_given(torch: Torch) -> None:
    found = torch("since", "yesterday", "--json").json
    began = datetime.fromisoformat(found["since"]).astimezone()
    today = datetime.now().astimezone()
    assert (began.hour, began.minute) == (0, 0)
    assert 1 <= (today.date() - began.date()).days <= 2, "a midnight may have passed"
    assert torch("events", "--since", "09:00").code == 0
    wrong = torch("since", "tomorrow")
    assert (wrong.code, "invalid moment 'tomorrow'" in wrong.err) == (2, True), wrong


def test_work_is_added_up_and_a_task_is_told_once(store: Store) -> None:
    for state, before in (("idle", "working"), ("working", "idle"), ("idle", "working")):
        detail = {"state": state, "before": before, "lasted": 90.0}
        store.events.add("state", "dev", detail)
    for what, state in (("done", "done"), ("note", "done")):
        detail = {"task": "t-1", "what": what, "state": state, "title": "Fix it"}
        store.events.add("task", "dev", detail)
    for task, state in (("t-2", "failed"), ("t-3", "open")):
        store.events.add("task", "dev", {"task": task, "state": state, "title": "x"})
    found = summary(store, time.time() - HOUR, [])
    assert [one.words for one in found.done] == [
        "worked for 3 min, 2 turns ended",
        "done: t-1  Fix it",
    ]
    assert [one.words for one in found.failed] == ["failed: t-2  x"]


def test_answers_and_who_came_and_went_are_told(store: Store) -> None:
    for name in ("dev", "qa"):
        store.events.add("spawn", name, {"pane": "%1", "profile": "demo"})
    store.events.add("spawn", "ops", {"pane": "%3", "profile": "demo"})
    store.events.add("restart", "ops", {"why": "it crashed"})
    said = {"option": "1", "words": "Yes", "question": "Run the tests?"}
    store.events.add("answer", "dev", said)
    store.events.add("answer", "dev", {**said, "words": "No", "question": "Delete all?"})
    store.events.add("answer", "dev", said, actor="pm")
    for outcome in ("overtaken", "unknown", "answered"):  # the same question, each time
        store.events.add("answer", "ops", said)
        store.events.add("heard", "ops", {**said, "outcome": outcome})
    store.events.add("stop", "qa", {"how": "asked", "leftovers": 0})
    found = [(one.who, one.words) for one in summary(store, time.time() - HOUR, []).done]
    assert sorted(found) == [
        ("", "2 agents started: dev, qa"),
        ("dev", "1 answer pressed by pm: Yes  Run the tests?"),
        ("dev", "2 answers pressed, the last: No  Delete all?"),
        ("ops", "1 question answered: Yes  Run the tests?"),
        ("ops", "an answer was not taken: Yes  Run the tests?"),
        ("ops", "it is not known whether an answer was taken: Yes  Run the tests?"),
        ("ops", "restarted: it crashed"),
        ("qa", "stopped"),
    ]


def test_an_end_is_told_once(store: Store) -> None:
    """The hook says that the program has ended, and then the pane's process is gone."""
    for state, before in (("exited", "working"), ("dead", "exited")):
        detail = {"state": state, "before": before, "lasted": 1.0, "evidence": f"it is {state}"}
        store.events.add("state", "dev", detail)
    found = summary(store, time.time() - HOUR, []).failed
    assert [(one.who, one.words) for one in found] == [("dev", "ended  it is exited")]


def test_an_end_after_which_it_was_restarted_is_told_as_a_restart(store: Store) -> None:
    """Its reason says how it ended. An end that nothing followed has failed, as before."""
    ended = {"state": "dead", "before": "working", "lasted": 1.0, "evidence": "killed"}
    store.events.add("state", "dev", ended)
    store.events.add("restart", "dev", {"why": "it was killed by signal 9"})
    store.events.add("state", "qa", ended)
    both = summary(store, time.time() - HOUR, [])
    assert [(one.who, one.words) for one in both.failed] == [("qa", "ended  killed")]
    assert ("dev", "restarted: it was killed by signal 9") in [
        (one.who, one.words) for one in both.done
    ]
    store.events.add("state", "dev", ended)
    again = summary(store, time.time() - HOUR, []).failed
    assert [one.who for one in again] == ["qa", "dev"], "the later end"


def test_commits_are_those_of_torch_and_those_of_git(
    torch: Torch, store: Store, tmp_path: Path
) -> None:
    repository = Repository.make(tmp_path / "shop")
    repository.write("old")
    repository.git("add", "-A")
    old = {"GIT_COMMITTER_DATE": "2026-01-01T00:00:00"}
    repository.git("commit", "-qm", "old", env=old)
    repository.write("file")
    assert torch("commit", "-C", str(repository.path), "-m", "Through Torch").code == 0
    repository.write("another")
    repository.commit("By hand\x1b[2J")
    dev = agent(store, "dev")._replace(directory=str(repository.path))
    found = summary(store, time.time() - HOUR, [dev, dev._replace(directory="/nowhere")])
    words = [one.words for one in found.committed]
    assert len(words) == 2, "each once"
    words.sort(key=lambda one: "By hand" in one)  # git has no more than the second
    assert "  Through Torch  on main" in words[0]
    assert words[1].endswith("  By hand [2J  by Ann")
    assert {one.who for one in found.committed} == {"shop"}


def test_it_has_twenty_lines_and_says_where_the_rest_is(torch: Torch, store: Store) -> None:
    for number in range(60):
        store.events.add("give-up", f"dev{number}\x1b[2J", {"why": "it crashed\nagain"})
        store.events.add("restart", f"dev{number}", {"why": "x" * 200})
    printed = in_a_terminal(torch.argv("since", "1h"))
    shown = printed.partition("\ntorch: ")[0].splitlines()  # without the note below them
    assert len(shown) == 20
    assert all(len(row) <= 80 for row in shown)
    assert "\x1b" not in printed
    assert shown[1].startswith("DONE       … and 51 more: torch events --since")
    assert shown[1].endswith("--kind task,answer,agent"), "it is whole"
    assert torch("events", "--kind", "task,agent", "--json").code == 0
    assert "dev59" in printed, "the newest"
    assert len(since(torch, "1h")["failed"]) == 60


def test_rows_are_shared_evenly() -> None:
    assert shares([2, 0, 1], 19) == [2, 0, 1]
    assert shares([30, 2, 30, 0, 30], 19) == [6, 2, 6, 0, 5]
    assert shares([0, 0], 19) == [0, 0]


# -- words -----------------------------------------------------------------------------------------


def test_no_event_says_its_kind_twice() -> None:
    details: dict[str, dict[str, object]] = {
        "checkin": {"checkin": "ci-1", "name": "tests"},
        "fire": {"run": "r-1", "checkin": "ci-1", "state": "sent", "message": "m-1"},
        "checkpoint": {"checkpoint": "c-1", "reason": "idle"},
        "commit": {"commit": "abc", "branch": "main"},
        "branch": {"branch": "work", "commit": "abc"},
        "mode": {"mode": "plan", "presses": 1},
        "delegate": {"task": "t-1", "parent": "dev"},
        "answer": {"option": "1", "words": "Yes", "question": "Do you want to proceed?"},
        "heard": {"option": "1", "words": "Yes", "outcome": "answered"},
    }
    for kind, verbs in EVENT_KINDS.items():
        for verb in verbs - {"state"}:
            event = Event(1, 1.0, "qa", verb, "dev", details.get(verb, {"message": "m-1"}))
            words = [kind, *words_of(event, "the text").replace(",", "").split()]
            assert not [one for one, two in pairwise(words) if one == two], words
    made = Event(1, 1.0, "", "checkin", "dev", {"checkin": "ci-1", "name": "tests"})
    assert words_of(made) == "made  ci-1, name tests"


def test_a_checkpoint_at_times_is_made_for_an_agent_and_a_stop_says_how() -> None:
    def words(verb: str, actor: str, detail: dict[str, object]) -> str:
        return words_of(Event(1, 1.0, actor, verb, "/shop", detail))

    assert words("checkpoint", "dev", {"checkpoint": "c-1", "reason": "interval"}) == (
        "made for dev  c-1, reason interval"
    )
    assert words("checkpoint", "dev", {"checkpoint": "c-1", "reason": "manual"}) == (
        "made by dev  c-1, reason manual"
    )
    assert (
        words("stop", "pm", {"how": "asked", "leftovers": 0}) == "stop by pm  it ended when asked"
    )
    assert words("stop", "", {"how": "killed", "leftovers": 2}) == (
        "stop  it was killed  with what it had left running (2)"
    )
    assert words("stop", "", {}) == "stop"


def test_an_event_of_a_message_has_its_first_line(torch: Torch, store: Store) -> None:
    with store.database.transaction():
        store.messages.insert(written("m-1", body="\n\n  Fix\x1b]0;owned\x07 it \u202e\nand more"))
        store.messages.insert(written("m-2", body="é" * 400))
    for name in ("m-1", "m-2", "m-gone"):
        store.events.add("deliver", "dev", {"message": name, "state": "confirmed"})
    first, second, third, _ = lines(torch("events", "--json").out)
    assert first["text"] == "Fix ]0;owned it"
    assert first["words"] == 'confirmed  m-1  "Fix ]0;owned it"'
    assert second["text"] == "é" * 79 + "…"
    assert third["text"] is None
    assert third["words"] == "confirmed  m-gone"
