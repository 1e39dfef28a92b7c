"""Looking on: capture, state, wait, ps, adopt."""

import contextlib
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import (
    KEEPS_DEAD,
    PATIENCE,
    TMUX_VERSION,
    Result,
    TmuxServer,
    Torch,
    accept_profiles,
    wait_until,
)
from torch_cli.intervals import VARIABLE
from torch_cli.store import Store
from torch_cli.store.messages import new_message
from torch_cli.tmux.socket import Socket
from torch_cli.watch.listing import list_agents

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


def objects(result: Result) -> list[dict[str, object]]:
    """Return the objects that were printed, one a line."""
    import json

    return [json.loads(line) for line in result.out.splitlines()]


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def test_capture_gives_exactly_the_last_lines_history_included(
    tmux: TmuxServer, torch: Torch
) -> None:
    shown = "i=1; while [ $i -le 100 ]; do echo line $i; i=$((i+1)); done; echo; echo; exec cat"
    pane = tmux.new_session("main", "sh", "-c", f"{shown}; exec cat", size=(40, 10))
    tmux.wait_for_text(pane, "line 100")
    every = [f"line {number}" for number in range(1, 101)]
    for count in (1, 5, 50, 100):
        assert torch("capture", pane.id, "-n", str(count)).out.splitlines() == every[-count:]
    assert torch("capture", pane.id, "-n", "500").out.splitlines() == every
    whole = torch("capture", pane.id, "--history", "--json")
    assert (whole.json["lines"], whole.json["keeps_history"], whole.err) == (every, True, "")
    assert torch("capture", pane.id).out.splitlines()[-1] == "line 100"


FULL_SCREEN = "i=1; while [ $i -le 30 ]; do echo before $i; i=$((i+1)); done; printf '\\033[?1049h'"


def test_capture_says_that_the_alternate_screen_has_no_history(
    tmux: TmuxServer, torch: Torch
) -> None:
    """200 lines were promised, and what had scrolled off there was gone."""
    drawn = "i=1; while [ $i -le 50 ]; do echo drawn $i; i=$((i+1)); done; exec cat"
    pane = tmux.new_session("main", "sh", "-c", f"{FULL_SCREEN}; {drawn}", size=(40, 10))
    tmux.wait_for_text(pane, "drawn 50")
    kept = "keeps no history: its 10 rows are all that exists"
    for words in (("-n", "200"), ("--history",)):
        done = torch("capture", pane.id, *words)
        assert (done.code, kept in done.err) == (0, True), done.err
        assert "drawn 50" in done.out
        assert "drawn 20" not in done.out
        assert torch("capture", pane.id, *words, "--json").json["keeps_history"] is False
    assert torch("capture", pane.id, "-n", "10").err == ""
    assert torch("capture", pane.id).err == ""
    assert torch("capture", pane.id, "-n", "200", "--quiet").err == ""


def test_capture_joins_wrapped_lines_and_keeps_colours_when_asked(
    tmux: TmuxServer, torch: Torch
) -> None:
    shown = "read -r go; clear; printf '\\033[31mred\\033[0m '; printf 'word%.0s' $(seq 30); echo"
    pane = tmux.new_session("main", "sh", "-c", f"{shown}; exec cat", size=(40, 10))
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    tmux.wait_for_text(pane, "red")
    tmux.wait_until(lambda: "word" * 5 in tmux.screen(pane), "the words")
    assert len(torch("capture", pane.id).out.splitlines()) == 4
    joined = torch("capture", pane.id, "--join").out
    if TMUX_VERSION < (3, 3):  # it keeps blanks at the end of what it joins
        joined = joined.rstrip() + "\n"
    assert joined == "red " + "word" * 30 + "\n"
    assert "\x1b[31mred" in torch("capture", pane.id, "--ansi").out


def test_state_tells_the_state_its_evidence_and_since_when(demo: DemoAgent) -> None:
    idle = demo.torch("state", demo.name, "--json").json
    assert (idle["schema"], idle["state"], idle["draft"]) == ("torch.state/1", "idle", "")
    assert idle["evidence"]
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "half a thought")
    demo.tmux.wait_for_text(demo.pane, "half a thought")
    later = demo.torch("state", demo.name, "--json").json
    assert (later["state"], later["draft"]) == ("idle", "half a thought")
    assert later["since"] == idle["since"]


def test_since_is_not_carried_over_a_turn_that_nobody_watched(demo: DemoAgent) -> None:
    before = demo.torch("state", demo.name, "--json").json["since"]
    assert demo.send("hello").code == 0
    wait_until(lambda: demo.events("answer"), what="the answer")
    demo.wait_for("idle")
    assert demo.torch("state", demo.name, "--json").json["since"] > before


def test_wait_sees_the_states_come_and_go(demo: DemoAgent) -> None:
    assert demo.send("DELAY(1) DIALOG(true) go").code == 0
    done = demo.torch("wait", demo.name, "--for", "waiting", "--timeout", str(PATIENCE), "--json")
    assert done.json["dialog"]["question"] == "Do you want to proceed?"
    late = demo.torch("wait", demo.name, "--for", "idle", "--timeout", "0.2", "--json")
    assert (late.code, late.json["error"]["code"]) == (6, "timed-out")
    assert "waiting" in late.json["error"]["message"]
    os.kill(demo.pane.pid, signal.SIGKILL)
    gone = demo.torch(
        "wait", demo.name, "--for", "exited,dead", "--timeout", str(PATIENCE), "--json"
    )
    if KEEPS_DEAD:
        assert gone.json["state"] in ("exited", "dead")
    else:
        assert (gone.code, gone.json["error"]["code"]) in ((3, "no-server"), (3, "vanished"))


@pytest.mark.parametrize("state", ["dead", "exited"])
def test_an_agent_whose_pane_is_gone_has_ended(demo: DemoAgent, state: str) -> None:
    demo.tmux.new_session("other", "cat")
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    assert demo.torch("state", demo.name, "--json").json["state"] == "dead"
    done = demo.torch("wait", demo.name, "--for", state, "--timeout", "0", "--json")
    assert (done.code, done.json["state"]) == (0, state)
    other = demo.torch("wait", demo.name, "--for", "idle", "--timeout", "0", "--json")
    assert (other.code, other.json["error"]["code"]) == (3, "vanished")


def test_wait_refuses_what_is_no_state(demo: DemoAgent) -> None:
    done = demo.torch("wait", demo.name, "--for", "idel", "--timeout", "1", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert done.json["error"]["hint"].startswith("Did you mean 'idle'? States: starting, idle, ")
    done = demo.torch("wait", demo.name, "--for", "gone", "--timeout", "1")
    assert "An agent whose pane is gone is 'dead'." in done.err


def test_ps_lists_agents_and_says_which_are_dead(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    other = spawn_demo(tmux, torch, tmp_path / "other", name="other")
    assert demo.send("hello").code == 0
    tmux.cmd("kill-pane", "-t", other.pane.id)
    header, first, second = torch("ps").out.splitlines()
    assert header.split()[:4] == ["NAME", "STATE", "SINCE", "ROLE"]
    assert first.split()[0] == "demo"
    assert "confirmed" in first
    assert "dead" in second.split()
    # Nothing but the dead one is hindered.
    assert torch("state", "--json").code == 0


def test_an_adopted_agent_is_addressed_by_its_name(demo: DemoAgent) -> None:
    pane = demo.tmux.new_session("mine", "exec cat")
    demo.tmux.wait_until(lambda: demo.tmux.pane(pane.id).command == "cat", "cat")
    unknown = demo.torch("adopt", pane.id, "cat", "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (3, "not-an-agent")
    assert demo.torch("adopt", pane.id, "demo", "--profile", "demo").code == 2, "taken"
    assert demo.torch("adopt", demo.pane.id, "twice", "--json").json["error"]["code"] == "adopted"
    assert demo.torch("adopt", pane.id, "cat", "--profile", "demo").code == 0
    assert demo.torch("state", "cat", "--json").json["pane"] == pane.id


def test_a_reader_that_goes_away_is_no_error(demo: DemoAgent) -> None:
    import subprocess

    words = demo.torch.argv("capture", demo.name, "--history")
    line = "exec 3>&1; { " + " ".join(f"'{word}'" for word in words) + "; echo $? >&2; } | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.stderr.split()[-1] == "0"


@pytest.fixture
def other_server(tmux: TmuxServer) -> Iterator[TmuxServer]:
    """A second server, stopped or not."""
    server = TmuxServer(Socket(name="u"), tmux.directory)
    server.new_session("main", "exec cat")
    pid = int(server.cmd("display-message", "-p", "#{pid}"))
    yield server
    os.kill(pid, signal.SIGCONT)
    server.run("-N", "kill-server")


def adopt_on(server: TmuxServer, name: str) -> None:
    pane = server.panes()[0]
    assert Torch(server.socket)("adopt", pane.id, name, "--profile", "demo").code == 0


def test_without_tmux_nothing_is_called_dead(demo: DemoAgent, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = {"PATH": str(tmp_path / "empty"), "TORCH_TMUX": ""}
    for command in ("ps", "state"):
        done = demo.torch(command, "--json", env=env)
        assert (done.code, done.json["state"]) == (3, "unknown")
        assert done.json["error"]["code"] == "no-tmux"
        assert "tmux is not installed" in done.json["evidence"]
        assert done.json["since"] is None
    said = demo.torch("ps", env=env)
    assert (said.code, "unknown" in said.out) == (3, True)
    assert said.err.startswith("torch: demo: tmux is not installed")


def test_a_server_that_does_not_answer_hides_no_other(
    demo: DemoAgent, other_server: TmuxServer
) -> None:
    adopt_on(other_server, "slow")
    os.kill(int(other_server.cmd("display-message", "-p", "#{pid}")), signal.SIGSTOP)
    everywhere = Torch(demo.tmux.socket, demands=False)
    for command, name in (("ps", "name"), ("state", "target")):
        assert objects(demo.torch(command, "--json"))[0][name] == "demo"
        done = everywhere(command, "--json", env={VARIABLE: "answer=2.5"})
        assert done.code == 6
        first, second = objects(done)
        assert (first[name], first["state"]) == ("demo", "idle")
        assert (second[name], second["state"]) == ("slow", "unknown")
        assert "did not answer" in str(second["evidence"])


def test_a_profile_that_is_gone_or_broken_hides_no_other_agent(
    demo: DemoAgent, tmux: TmuxServer, tmp_path: Path
) -> None:
    own = tmp_path / "torch" / "config" / "profiles" / "mine.toml"
    own.parent.mkdir(parents=True)
    own.write_text('name = "mine"\n')
    accept_profiles()
    pane = tmux.new_session("mine", "exec cat")
    assert demo.torch("adopt", pane.id, "zed", "--profile", "mine").code == 0
    for trouble, status, word in (("x = [", 2, "bad-profile"), (None, 3, "no-profile")):
        own.write_text(trouble) if trouble else own.unlink()
        for command in ("ps", "state"):
            done = demo.torch(command, "--json")
            assert done.code == status
            assert [found["state"] for found in objects(done)] == ["idle", "unknown"]
            assert objects(done)[1]["error"]["code"] == word  # type: ignore[index]
    own.write_text('name = "mine"\n')
    assert demo.torch("ps").code == 0


def test_ps_says_of_a_message_what_its_receipt_says(demo: DemoAgent) -> None:
    assert demo.send("hello").code == 0
    assert demo.torch("ps", "--json").json["message_state"] == "confirmed"
    with Store() as store:
        agent = store.agents.get(demo.name)
        assert agent is not None
        message, _ = store.messages.accept(
            new_message(
                "m-00000001",
                recipient=demo.name,
                agent=agent.identity,
                body="lost",
                typed="lost",
                server="elsewhere",
                pane="%1",
                pane_pid=1,
            )
        )
        store.messages.step(message.id, "attempting")
    assert demo.torch("receipt", message.id, "--json").json["state"] == "unknown"
    assert demo.torch("ps", "--json").json["message_state"] == "unknown"
    assert re.search(rf"unknown \d+s ago +{message.id}", demo.torch("ps").out)


def test_an_agent_has_one_shape_and_times_are_iso(demo: DemoAgent) -> None:
    pane = demo.tmux.new_session("mine", "exec cat")
    adopted = demo.torch("adopt", pane.id, "cat", "--profile", "demo", "--json").json
    listed = {str(line["name"]): line for line in objects(demo.torch("ps", "--json"))}
    assert set(adopted) == set(listed["cat"])
    same = ("schema", "name", "profile", "pane", "pid", "dir", "session", "window")
    assert [adopted[key] for key in same] == [listed["cat"][key] for key in same]
    assert (adopted["name"], adopted["pid"]) == ("cat", pane.pid)
    for line in (*listed.values(), *objects(demo.torch("state", "--json"))):
        assert ISO.fullmatch(str(line["since"]))


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["send", "dmeo", "hi"],
            ["state", "dmeo"],
            ["capture", "dmeo"],
            ["press", "dmeo", "Enter"],
        ),
        *(["stop", "dmeo"], ["rename", "dmeo", "x"], ["retire", "dmeo"], ["inbox", "dmeo"]),
        *(["checkin", "add", "dmeo", "x", "--in", "1h"], ["attach", "dmeo"]),
        ["checkin", "add", "demo", "x", "--in", "1h", "--fallback", "dmeo"],
        ["spawn", "y", "--parent", "dmeo", "--profile", "demo"],
        ["wait", "dmeo", "--for", "idle", "--timeout", "1"],
    ],
)
def test_a_wrong_name_is_called_so_everywhere_with_a_similar_one(
    demo: DemoAgent, words: list[str]
) -> None:
    said = demo.torch(*words)
    assert (said.code, said.err.count("no agent named 'dmeo'")) == (3, 1), said.err
    assert "Did you mean 'demo'?" in said.err
    assert "'torch ps' lists the agents" in demo.torch("stop", "quite-another").err


def test_a_missing_target_hides_none_of_the_others(demo: DemoAgent) -> None:
    done = demo.torch("state", demo.name, "missing", demo.pane.id, "--json")
    first, second, error = objects(done)
    assert (done.code, first["target"], second["pane"]) == (3, demo.name, demo.pane.id)
    assert error["error"]["code"] == "no-target"  # type: ignore[index]
    said = demo.torch("state", "missing", demo.name)
    assert (said.code, len(said.out.splitlines())) == (3, 1)
    assert "missing" in said.err


def test_the_latest_receipts_are_a_line_each(demo: DemoAgent) -> None:
    assert demo.send("first\nof two").code == 0
    assert demo.send("x" * 300, "--from", "pm").code == 0
    second, first = demo.torch("receipt", "-n", "10").out.splitlines()
    assert re.fullmatch(r" *\d+s  m-\w+  confirmed  demo  from pm  x+…", second)
    assert re.fullmatch(r" *\d+s  m-\w+  confirmed  demo  first of two", first)
    newest = objects(demo.torch("receipt", "-n", "2", "--json"))[0]
    assert (newest["schema"], newest["sender"]) == ("torch.receipt/1", "pm")
    assert (newest["preview"], newest["evidence"] != []) == ("x" * 200, True)
    assert ISO.fullmatch(str(newest["created"]))
    assert "preview" not in demo.send("third").json
    assert "exit status is then 0" in " ".join(demo.torch("receipt", "--help").out.split())


def test_a_state_that_nobody_watched_is_as_old_as_what_the_window_last_wrote(
    demo: DemoAgent, torch: Torch
) -> None:
    demo.open_dialog()
    opened = time.time()
    wait_until(lambda: time.time() - opened > 3, what="a dialog that has been up for a while")
    for words in (("ps", "--json"), ("state", "demo", "--json")):
        since = datetime.fromisoformat(torch(*words).json["since"]).timestamp()
        assert since <= opened + 1, words


def test_a_list_of_5000_agents_takes_time_in_proportion(torch: Torch) -> None:
    """Ten times as many agents: 100 times as long, if each were compared with all others."""

    def seconds() -> float:
        began = time.process_time()
        lines = list_agents(store, store.agents.all())
        assert {line.state for line in lines} == {"dead"}
        return time.process_time() - began

    with Store() as store:
        _register(store, range(500))
        few = min(seconds() for _ in range(3))
        _register(store, range(500, 5000))
        assert seconds() < 30 * few


def _register(store: Store, numbers: range) -> None:
    rows = [(f"a{number}", f"a-{number}", f"%{number}") for number in numbers]
    columns = "profile, origin, socket, server, session, window, directory"
    with contextlib.closing(sqlite3.connect(store.database.path)) as file, file:
        file.executemany(
            f"INSERT INTO agents (name, identity, pane, {columns}, pane_pid, program_pid,"
            " program_started, created)"
            " VALUES (?, ?, ?, 'demo', 'spawned', '/nowhere', '1', 's', 'w', '/', 1, 2, '1', 0)",
            rows,
        )
