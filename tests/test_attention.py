"""The history of states, the stream of events, and who needs a person."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scheduler
from agent import DemoAgent
from conftest import SOURCE, TmuxServer, Torch, wait_until
from dialogs import PROFILES, waiting
from test_sweep import Stage
from torch_cli.attention import history as history_module
from torch_cli.attention.history import DWELL_SECONDS, UNCLEAR_DWELL_SECONDS, History
from torch_cli.attention.stream import EVENT_KINDS
from torch_cli.programs.asked import asked, with_directory
from torch_cli.programs.classify import classify
from torch_cli.programs.state import Dialog
from torch_cli.store import Store
from torch_cli.store.keeping import DAY_SECONDS, STATES_KEPT_SECONDS, Keeping
from torch_cli.tmux.control import ControlClient


@pytest.fixture
def stage(tmux: TmuxServer, store: Store) -> Stage:
    return Stage(tmux, store)


@pytest.fixture
def history() -> Iterator[History]:
    one = History()
    yield one
    one.close()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def events(torch: Torch, *words: str) -> list[dict[str, Any]]:
    done = torch("events", "--json", *words)
    assert done.code == 0, done.out + done.err
    *found, end = lines(done.out)
    assert end["schema"] == "torch.events-end/1"
    return found


def states(torch: Torch, *words: str) -> list[str]:
    return [one["detail"]["state"] for one in events(torch, "--kind", "state", *words)]


def status(torch: Torch) -> dict[str, dict[str, Any]]:
    done = torch("status", "--json")
    assert done.code in (0, 8), done.out + done.err
    return {one["name"]: one for one in lines(done.out)}


def settle(history: History, store: Store) -> list[str]:
    """Look until nothing is left that may still change; return the states that were written."""
    found = [str(one.state.state) for one in history.look(store)]
    while history.unsettled:
        found += [str(one.state.state) for one in history.look(store)]
    return found


# -- the whole way ---------------------------------------------------------------------------------


def test_a_question_is_written_listed_answered_and_gone(demo: DemoAgent) -> None:
    scheduler.start(demo.torch)
    wait_until(lambda: states(demo.torch) == ["idle"], what="the first state")
    assert demo.torch("status").code == 0

    demo.open_dialog()
    wait_until(lambda: states(demo.torch)[-1] == "waiting", what="the event of the question")
    (event,) = [one for one in events(demo.torch) if one["detail"].get("state") == "waiting"]
    assert event["target"] == demo.name
    assert "Do you want to proceed?" in event["detail"]["question"]
    assert event["detail"]["before"] == "idle"

    done = demo.torch("status")
    assert done.code == 8, "a status of its own: somebody waits"
    assert done.out.startswith("ANSWER")
    assert "Do you want to proceed?" in done.out
    needed = status(demo.torch)[demo.name]
    assert (needed["do"], needed["question"]) == ("answer", "Do you want to proceed?")
    assert abs(seconds(needed["since"]) - event["detail"]["since"]) < 0.01, "the history's time"
    decline = next(step for step in needed["steps"] if step["words"] == "No")
    assert f"1 Yes · 2 No\n    torch answer {demo.name} OPTION --hash " in done.out
    assert f"{needed['dialog']}\n" in done.out
    assert shlex.split(decline["line"])[0] == "torch"

    assert demo.torch(*shlex.split(decline["line"])[1:]).code == 0
    wait_until(lambda: demo.events("declined"), what="the answer")
    wait_until(lambda: demo.torch("status").code == 0, what="nobody waits any more")
    assert status(demo.torch)[demo.name]["do"] == "nothing"
    wait_until(lambda: states(demo.torch)[-1] == "idle", what="the event of its end")
    kinds = [one["kind"] for one in events(demo.torch, "--agent", demo.name)]
    assert {"agent", "state", "answer"} <= set(kinds)


def seconds(timestamp: str) -> float:
    import datetime

    return datetime.datetime.fromisoformat(timestamp).timestamp()


def test_status_works_without_a_scheduler(demo: DemoAgent) -> None:
    line = demo.torch("status", "--line")
    assert (line.code, line.out) == (0, "nobody needs you: 1 idle\n")
    demo.open_dialog()
    line = demo.torch("status", "--line")
    assert line.code == 8
    assert line.out.startswith(f"1 to answer: {demo.name} ")
    assert "Do you want to proceed?" in line.out
    assert len(line.out) <= 81
    assert events(demo.torch, "--kind", "state") == [], "only a scheduler writes the history"


def test_a_server_that_does_not_run_is_said_so(torch: Torch) -> None:
    """A name that is mistyped must not look like a server without agents."""
    for command in ("status", "ps"):
        done = torch(command)  # with -L of a server that nobody has started
        assert done.code == 3
        assert "no agents: no tmux server answers at t" in done.err, command
        assert torch(command, "--json").json["error"]["code"] == "no-server"
    line = torch("status", "--line")
    assert (line.code, line.out) == (0, "no agents\n"), "a status bar shows it"


def test_status_names_the_messages_that_wait(demo: DemoAgent) -> None:
    """Else all looks well, and a message that nobody delivers is forgotten."""
    assert "wait" not in demo.torch("status").err
    demo.open_dialog()
    assert demo.send("hello").json["state"] == "held"
    said = demo.torch("status")
    assert f"messages wait: 1 for '{demo.name}'; 'torch outbox list'; no scheduler is" in said.err
    assert "wait" not in demo.torch("status", "--json").err


def test_status_and_list_say_that_check_ins_wait_for_a_daemon_that_was_killed(
    demo: DemoAgent,
) -> None:
    assert demo.torch("checkin", "add", demo.name, "How far?", "--in", "1h").code == 0
    daemon = scheduler.start(demo.torch)
    assert demo.torch("status").err == ""
    daemon.kill()
    why = "no scheduler is running, because the daemon was killed, stopped or has crashed"
    assert f"nothing happens to 1 check-in: {why}: 'torch daemon" in demo.torch("status").err
    assert f"none of them is sent: {why}" in demo.torch("checkin", "list").err


def test_an_old_history_does_not_say_since_when(demo: DemoAgent, store: Store) -> None:
    """The agent may have worked since the scheduler ended."""
    agent = store.agents.all()[0]
    with store.database.transaction():
        detail = {"state": "idle", "since": 1000.0}
        store.events.insert("state", agent.name, detail, agent=agent.identity)
    (need,) = status(demo.torch).values()
    assert need["do"] == "nothing"
    assert need["since"] is None or seconds(need["since"]) > 1000.0


def test_status_says_that_nobody_is_told_without_a_daemon(demo: DemoAgent) -> None:
    assert "told" not in demo.torch("status").err, "nobody waits"
    demo.open_dialog()
    done = demo.torch("status")
    assert done.code == 8
    missing = "no daemon is running: 'torch daemon start'"
    assert done.err == f"torch: you are not told when an agent needs you: {missing}\n"
    for words in (("--quiet",), ("--line",), ("--json",)):
        assert demo.torch("status", *words).err == ""
    scheduler.start(demo.torch)
    assert demo.torch("status").err == ""


def test_a_tick_writes_states_and_not_twice(demo: DemoAgent) -> None:
    for _ in range(2):
        assert demo.torch("tick", "--quiet").code == 0
    assert states(demo.torch) == ["idle"]
    demo.open_dialog()
    for _ in range(2):
        assert demo.torch("tick", "--quiet").code == 0
    assert states(demo.torch) == ["idle", "waiting"]
    with Store() as store:
        pane = store.agents.all()[0].pane
    demo.tmux.cmd("kill-pane", "-t", pane)
    assert demo.torch("tick", "--quiet").code == 0
    assert states(demo.torch) == ["idle", "waiting", "dead"]
    (fixed,) = status(demo.torch).values()
    assert fixed["do"] == "fix"
    assert demo.torch(*shlex.split(fixed["steps"][-1]["line"])[1:]).code == 0
    assert demo.torch("status", "--line").out == "no agents\n"


# -- the history -----------------------------------------------------------------------------------


def test_a_state_is_written_once_by_whoever_looks(
    stage: Stage, store: Store, history: History
) -> None:
    stage.add("one")
    assert settle(history, store) == ["idle"]
    assert settle(history, store) == []
    other = History()
    try:
        assert settle(other, store) == [], "a scheduler that starts knows what was written"
    finally:
        other.close()
    event = store.events.last_state(stage.agents["one"].identity)
    assert event is not None
    assert store.events.read(verbs=["state"]) == [event]


def test_a_flicker_is_not_written(stage: Stage, store: Store, history: History) -> None:
    pane = stage.add("one")
    assert settle(history, store) == ["idle"]
    stage.draw(pane, "", status="✻ Working… (1s)")
    assert history.look(store) == []
    assert history.unsettled, "it was seen, and has not stood"
    stage.draw(pane, "")
    assert settle(history, store) == []
    assert len(store.events.read(verbs=["state"])) == 1


def test_what_is_unclear_must_stand_for_longer(
    stage: Stage, store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert UNCLEAR_DWELL_SECONDS > 5 * DWELL_SECONDS
    monkeypatch.setattr(history_module, "UNCLEAR_DWELL_SECONDS", 1e9)
    pane = stage.add("one")
    assert settle(history, store) == ["idle"]
    tty = stage.tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}")
    Path(tty).write_bytes(b"\x1b[H\x1b[J" + b"a row\r\n" * 4 + b"half a screen\r\n")
    stage.tmux.wait_for_text(pane, "half a screen")
    began = time.monotonic()
    while time.monotonic() < began + 2 * DWELL_SECONDS:
        assert history.look(store) == []
    assert history.unsettled
    monkeypatch.setattr(history_module, "UNCLEAR_DWELL_SECONDS", DWELL_SECONDS)
    assert settle(history, store) == ["unknown"]


def test_its_connection_hears_no_output_and_is_kept(
    stage: Stage, store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What 64 agents write would else have to be read, and each look would be seen by hooks."""
    opened: list[str] = []
    real = ControlClient.__init__

    def counted(self: ControlClient, *args: Any, **others: Any) -> None:
        opened.append("")
        real(self, *args, **others)

    monkeypatch.setattr(ControlClient, "__init__", counted)
    pane = stage.add("one")
    settle(history, store)
    stage.draw(pane, "a draft")
    settle(history, store)
    assert len(opened) == 1
    ((client, _),) = history._sweeps.values()
    assert client.output == {}
    flags = stage.tmux.cmd("list-clients", "-F", "#{client_flags}")
    assert "no-output" in flags
    assert "ignore-size" in flags


def test_it_goes_on_when_its_session_or_server_ends(
    stage: Stage, store: Store, history: History
) -> None:
    stage.add("one")
    stage.tmux.new_session("other", "cat")
    settle(history, store)
    ((client, _),) = history._sweeps.values()
    stage.tmux.cmd("kill-session", "-t", client.session)
    gone = client.session == stage.tmux.run("display-message", "-p").stdout.decode()
    assert not gone
    assert settle(history, store) == ["dead"]
    stage.tmux.kill()
    assert settle(history, store) == []


def test_the_next_question_is_another_state() -> None:
    """Also if nothing else was seen between the two."""
    one = asked_of(
        " Run command", "   touch a", " Do you want to proceed?", " ❯ 1. Yes", "   2. No"
    )
    moved = asked_of(
        " Run command", "   touch a", " Do you want to proceed?", "   1. Yes", " ❯ 2. No"
    )
    two = asked_of(
        " Run command", "   touch b", " Do you want to proceed?", " ❯ 1. Yes", "   2. No"
    )
    assert one.digest == moved.digest
    assert one.digest != two.digest
    assert one.words == "Do you want to proceed? · Run command · touch a"


def asked_of(*rows: str) -> Any:
    from torch_cli.programs.state import Dialog

    return asked(Dialog("permission", "Do you want to proceed?", rows, "0123456789ab"))


def test_options_are_those_of_the_last_menu() -> None:
    """A question may quote a list, or a menu like its own."""
    rows = ("1. first", "2. second", " Do you want to proceed?", " ❯ 1. Yes", "   2. No", " 7. x")
    assert [(one.key, one.words) for one in asked_of(*rows).options] == [("1", "Yes"), ("2", "No")]


def test_a_question_of_trust_names_the_directory() -> None:
    """Whether to trust it, nobody can say without knowing which."""
    found = 0
    for program, name, screen in waiting():
        dialog = classify(screen, PROFILES[program]).dialog
        if dialog is None or dialog.kind != "trust":
            continue
        one = asked(dialog)
        shown = any(re.match(r" *[│ ]*(/home|~/)", row) for row in dialog.rows)
        assert shown == any(row.startswith(("/", "~")) for row in one.about), (program, name)
        named = with_directory(one, dialog, "/srv/shop").about[0]
        assert shown or named == "its directory: /srv/shop"
        assert "Enter to confirm" not in " ".join(one.about)
        found += shown
    assert found > 10


def test_the_programs_own_advice_is_not_what_a_question_is_about() -> None:
    """Else a notice has room for Claude Code's tip, and none for the command behind it."""
    rows = (
        *(" Bash command", " Tip: auto mode handles these prompts for you", " stub command"),
        *(" │ touch approved", " Do you want to proceed?", " ❯ 1. Yes", "   2. No"),
    )
    dialog = Dialog("permission", "Do you want to proceed?", rows, "0" * 12, "digit", 5)
    aside = PROFILES["claude"].box.dialog_aside
    one = asked(dialog._replace(aside=aside))
    assert one.about == ("Bash command", "stub command", "touch approved")
    assert "Tip: auto mode handles these prompts for you" in one.rows, "who answers sees all of it"
    assert "Tip: auto mode handles these prompts for you" in asked(dialog).about


def test_every_captured_dialog_says_what_it_asks() -> None:
    seen = 0
    for program, name, screen in waiting():
        dialog = classify(screen, PROFILES[program]).dialog
        if dialog is None:
            continue
        found = asked(dialog)
        seen += 1
        assert found.question or found.about, (program, name)
        assert all(option.words for option in found.options), (program, name)
        if program == "claude" and name.startswith("permission_dialog"):
            assert found.options[0][:2] == ("1", "Yes"), name
            assert any("touch" in row for row in found.about), name
    assert seen > 50


# -- the stream ------------------------------------------------------------------------------------


def test_a_cursor_continues_where_it_ended(torch: Torch, store: Store) -> None:
    for number in range(5):
        store.events.add("press", "dev", {"keys": [str(number)]})
    done = torch("events", "--json", "-n", "2")
    *newest, end = lines(done.out)
    assert [one["detail"]["keys"] for one in newest] == [["3"], ["4"]]
    assert end["more"]
    first = torch("events", "--json").out
    cursor = lines(first)[0]["cursor"]
    shown = []
    while True:
        *part, end = lines(torch("events", "--json", "-n", "1", "--after", cursor).out)
        shown += part
        cursor = end["cursor"]
        if not end["more"]:
            break
    assert [one["detail"]["keys"][0] for one in shown] == ["1", "2", "3", "4"]
    assert events(torch, "--after", cursor) == []
    store.events.add("press", "dev", {"keys": ["5"]})
    assert [one["detail"]["keys"] for one in events(torch, "--after", cursor)] == [["5"]]


def test_a_cursor_says_when_it_has_expired(torch: Torch, store: Store) -> None:
    old = "INSERT INTO events (at, actor, verb, target) VALUES (?, '', 'state', 'dev')"
    store.database.write(old, time.time() - STATES_KEPT_SECONDS - DAY_SECONDS)
    before = events(torch)[0]["cursor"]
    store.database.write(old, time.time() - STATES_KEPT_SECONDS - DAY_SECONDS)
    store.events.add("press", "dev")
    assert len(events(torch, "--after", before)) == 2
    store.retention.sweep(time.time())
    done = torch("events", "--json", "--after", before)
    assert (done.code, done.json["error"]["code"]) == (2, "cursor-expired")
    assert len(events(torch, "--after", done.json["error"]["details"]["oldest"])) == 1
    for cursor, code in (("00000000-1", "cursor-expired"), ("x", "bad-cursor")):
        done = torch("events", "--json", "--after", cursor)
        assert (done.code, done.json["error"]["code"]) == (2, code)
    beyond = f"{before.partition('-')[0]}-99"
    assert torch("events", "--after", beyond).code == 2, "an earlier copy of the file was put back"


def test_since_last_is_from_the_last_such_look_on(torch: Torch, store: Store) -> None:
    store.events.add("press", "dev")
    assert len(events(torch, "--since", "last")) == 1
    assert events(torch, "--since", "last") == []
    store.events.add("press", "dev")
    assert len(events(torch, "--since", "last", "--kind", "key")) == 1
    assert len(events(torch, "--since", "last")) == 1, "one with a filter does not count"
    assert len(events(torch, "--since", "1h")) == 2
    done = torch("events", "--since", "last", "--after", "x", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")


def test_what_is_asked_for_must_be_known(torch: Torch, store: Store) -> None:
    done = torch("events", "--kind", "stat", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert "state, message" in done.json["error"]["hint"]
    done = torch("events", "--agent", "nobody", "--json")
    assert (done.code, done.json["error"]["code"]) == (3, "no-agent")
    assert "nothing happened" in torch("events").err


def test_every_verb_that_is_written_has_a_kind() -> None:
    """Else ``--kind`` would hide it."""
    import re

    found = set()
    for path in (SOURCE / "torch_cli").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'(?:events\.(?:add|insert)|note_event)\(\s*"([\w-]+)"', text))
        found |= set(re.findall(r'_change\(\s*store,[^}]*\}, "(\w+)"\s*\)', text))
    assert len(found) > 20
    assert "remove" in found, "of a check-in: 'cancel' is of a message"
    assert found <= {verb for verbs in EVENT_KINDS.values() for verb in verbs}


def test_it_is_one_line_of_harmless_text(torch: Torch, store: Store) -> None:
    store.events.add("state", "dev", {"state": "waiting", "question": "a\x1b]0;owned\x07\nb"})
    done = torch("events", "--since", "1h")
    assert "\x1b" not in done.out
    assert "\x07" not in done.out
    assert len(done.out.splitlines()) == 1
    assert "\\x1b]0;owned" in done.out


def test_follow_prints_what_happens(torch: Torch, store: Store) -> None:
    store.events.add("press", "dev", {"keys": ["before"]})
    command = [*torch.argv("events", "--follow", "--json", "--kind", "key")]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["detail"]["keys"] == ["before"]
        store.events.add("stop", "dev")
        store.events.add("press", "dev", {"keys": ["after"]})
        assert json.loads(following.stdout.readline())["detail"]["keys"] == ["after"]
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 130


def test_tasks_are_in_the_stream(torch: Torch) -> None:
    added = torch("task", "add", "Fix it", "--json")
    assert added.code == 0, added.err
    (event,) = events(torch, "--kind", "task")
    assert event["detail"]["task"] == added.json["id"]
    assert "Fix it" in event["words"]


# -- how long it is kept ---------------------------------------------------------------------------


def test_states_go_sooner_than_the_rest_but_for_the_last(stage: Stage, store: Store) -> None:
    stage.add("one")
    identity = stage.agents["one"].identity
    sql = "INSERT INTO events (at, actor, verb, target, agent) VALUES (?, '', ?, 'x', ?)"
    old = time.time() - STATES_KEPT_SECONDS - DAY_SECONDS
    for verb, whose in (("state", identity), ("press", ""), ("state", identity), ("state", "a")):
        store.database.write(sql, old, verb, whose)
    store.events.add("press", "dev")
    store.retention.sweep(time.time())
    assert [one.id for one in store.events.read()] == [2, 3, 5]
    for _ in range(5):
        store.database.write(sql, time.time(), "state", "a")
        time.sleep(0.001)  # for each to have a time of its own
    store.retention.sweep(time.time(), keeping=Keeping(most_states=2))
    assert [one.id for one in store.events.read()] == [2, 3, 5, 8, 9, 10]
