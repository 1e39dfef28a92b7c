"""``torch move``: the same agent in the same pane, in another session or window."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent, spawn_demo
from conftest import KEEPS_DEAD, PATIENCE, TMUX, Result, TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.delivery.lock import pane_lock
from torch_cli.intervals import VARIABLE
from torch_cli.store import Store
from torch_cli.tmux.move import Act, Goal, carry_out, placement_of
from torch_cli.tmux.panes import Pane

DEMO = f"{sys.executable} -m torch_cli.demo_agent"

ODD = ["two words", 'it\'s "q"', "#(touch x)", "日本 🔥", "-d", "a;", "#{pid}", "%7", "~"]


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "work")


@pytest.fixture
def other(tmux: TmuxServer, demo: DemoAgent) -> Pane:
    """A second session with one window."""
    return tmux.new_session("other", "cat", window="build")


@contextmanager
def looking(tmux: TmuxServer, session: str) -> Iterator[str]:
    """A person's terminal, attached to ``session``; yields its name."""
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    with subprocess.Popen(
        [TMUX, "-u", *tmux.socket.arguments, "attach-session", "-t", f"={session}"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    ) as client:
        os.close(theirs)
        reader = threading.Thread(target=drain, args=(ours,), daemon=True)
        reader.start()
        try:
            tmux.wait_until(lambda: name in clients(tmux), f"a client on {name}")
            yield name
        finally:
            client.kill()
            client.wait()
            reader.join(PATIENCE)  # before its number can be another file's
            os.close(ours)


def drain(terminal: int) -> None:
    """Read what a terminal is shown, until nobody writes to it."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass


def clients(tmux: TmuxServer) -> dict[str, str]:
    """Return the session and window that each client shows."""
    form = "#{client_name}\t#{session_name}:#{window_name}"
    lines = tmux.run("list-clients", "-F", form).stdout.decode().splitlines()
    return dict(line.split("\t", 1) for line in lines)


def layout(tmux: TmuxServer, *others_than: str) -> list[tuple[Any, ...]]:
    """Return all that must not change of the panes, those that move left out."""
    return sorted(
        (p.session, p.window, p.id, p.pid, p.active, p.window_active)
        for p in tmux.panes()
        if p.id not in others_than
    )


def place(demo: DemoAgent) -> str:
    """Return where tmux has the agent's pane; its pane and process are the same."""
    pane = demo.tmux.pane(demo.pane.id)
    assert pane.pid == demo.pane.pid
    return pane.place


def move(demo: DemoAgent, *words: str, **others: Any) -> Result:
    return demo.torch("move", demo.name, *words, "--json", **others)


def zoomed(tmux: TmuxServer, target: str) -> str:
    return tmux.cmd("display-message", "-p", "-t", target, "#{window_zoomed_flag} #{pane_id}")


# -- what stays --------------------------------------------------------------------------------


def test_messages_before_and_after_arrive_once_and_in_order(demo: DemoAgent, other: Pane) -> None:
    size = (demo.pane.width, demo.pane.height)
    assert demo.send("first").code == 0
    done = move(demo, "--session", "other")
    assert done.code == 0, done
    assert demo.send("second").code == 0
    assert move(demo, "--window", "other:build").code == 0
    assert demo.send("third").code == 0
    assert move(demo, "--apart").code == 0
    assert demo.send("fourth").code == 0
    assert demo.submitted() == ["first", "second", "third", "fourth"]
    assert procs.alive(procs.Process(demo.pane.pid, done.json["pid"] and started(demo)))
    pane = demo.tmux.pane(demo.pane.id)
    assert (pane.place, pane.width, pane.height) == ("other:demo", *size)


def started(demo: DemoAgent) -> str:
    with Store() as store:
        agent = store.agents.get(demo.name)
        assert agent is not None
        return agent.program_started


def test_it_says_where_it_came_from_and_what_ended(demo: DemoAgent, other: Pane) -> None:
    done = move(demo, "--session", "other").json
    assert done["schema"] == "torch.move/1"
    assert (done["agent"], done["pane"], done["pid"]) == ("demo", demo.pane.id, demo.pane.pid)
    assert (done["session"], done["window"], done["moved"]) == ("other", "demo", True)
    assert done["before"] == {"session": "agents", "window": "demo"}
    assert done["ended_sessions"] == ["agents"]
    assert not done["created_session"]
    assert "agents" not in demo.tmux.cmd("list-sessions")


def test_for_people_the_result_is_a_line_and_the_rest_goes_to_stderr(
    demo: DemoAgent, other: Pane
) -> None:
    done = demo.torch("move", "demo", "--session", "other")
    assert done.out == f"moved  demo  agents:demo -> other:demo  {demo.pane.id}\n"
    assert "session 'agents' had no other window and has ended" in done.err
    demo.tmux.new_session("third", window="third")
    quiet = demo.torch("move", "demo", "--window", "third:", "-q")
    assert (quiet.code, quiet.err) == (0, "")


def test_every_other_command_finds_it_where_it_is(demo: DemoAgent, other: Pane) -> None:
    assert demo.torch("log", "demo").code == 0
    assert move(demo, "--session", "other").code == 0
    listed = demo.torch("ps", "--json").json
    assert (listed["session"], listed["window"], listed["state"]) == ("other", "demo", "idle")
    assert demo.torch("log", "demo", "--json").json["on"]
    shown = demo.torch("attach", "demo", "--json").json["command"]
    pane = demo.tmux.pane(demo.pane.id)
    assert {pane.session_id, pane.window_id, pane.id} <= set(shown)
    assert demo.torch("capture", "other:demo").code == 0
    assert demo.torch("rename", "demo", "dev", "--json").json["window"] == "dev"
    assert demo.tmux.pane(demo.pane.id).place == "other:dev"
    assert demo.torch("send", "dev", "hello").code == 0
    assert demo.submitted() == ["hello"]
    assert demo.torch("stop", "dev").code == 0
    assert [p.id for p in demo.tmux.panes()] == [other.id]


def test_stopped_in_somebodys_window_it_leaves_nothing_behind(demo: DemoAgent, other: Pane) -> None:
    assert move(demo, "--window", "other:build").code == 0
    assert demo.torch("rename", "demo", "dev", "--json").json["window"] == "build"
    assert demo.torch("stop", "dev").code == 0
    assert [p.id for p in demo.tmux.panes()] == [other.id]


def test_somebodys_pane_beside_an_adopted_agent_outlives_it(
    demo: DemoAgent, tmux: TmuxServer, other: Pane
) -> None:
    theirs = tmux.cmd("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", demo.pane.id, "sh")
    tmux.cmd("send-keys", "-t", theirs, DEMO, "Enter")
    tmux.wait_for_text(tmux.pane(theirs), "? for help")
    assert demo.torch("adopt", theirs, "helper", "--profile", "demo").code == 0
    assert demo.torch("move", "helper", "--session", "other").code == 0
    assert tmux.pane(theirs).place == "other:helper"
    assert demo.torch("stop", "helper").code == 0
    assert tmux.pane(theirs).place == "other:helper"


# -- where to ----------------------------------------------------------------------------------


def test_nobodys_window_focus_or_pane_is_changed(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_window("agents", "shell", "cat")
    tmux.cmd("select-window", "-t", "agents:shell")
    tmux.new_session("other", "cat", window="one")
    tmux.new_window("other", "two", "cat")
    tmux.cmd("split-window", "-t", "other:one", "cat")
    before = layout(tmux, demo.pane.id)
    with looking(tmux, "other") as name:
        showing = clients(tmux)[name]
        for words in (("--session", "other"), ("--window", "other:one"), ("--apart",)):
            assert move(demo, *words).json["moved"], words
            assert layout(tmux, demo.pane.id) == before
            assert clients(tmux)[name] == showing


def test_out_of_a_shared_window_only_its_pane_goes(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_session("other", "cat", window="cat")
    beside = tmux.cmd("split-window", "-P", "-F", "#{pane_id}", "-t", demo.pane.id, "cat")
    before = layout(tmux, demo.pane.id)
    done = move(demo, "--session", "other").json
    assert (done["session"], done["window"], done["ended_sessions"]) == ("other", "demo", [])
    assert place(demo) == "other:demo"
    assert layout(tmux, demo.pane.id) == before
    assert tmux.pane(beside).place == "agents:demo"
    assert demo.torch("rename", "demo", "dev", "--json").json["window"] == "dev"
    assert tmux.pane(beside).window == "demo"


def test_apart_it_is_called_after_the_agent_and_not_twice(
    demo: DemoAgent, tmux: TmuxServer
) -> None:
    tmux.cmd("split-window", "-t", demo.pane.id, "cat")
    done = move(demo, "--apart").json
    assert (done["session"], done["window"], done["moved"]) == ("agents", "demo-2", True)
    assert "there is a window 'demo'" in done["notes"][0]
    again = move(demo, "--apart")
    assert (again.code, again.json["moved"]) == (0, False)
    assert place(demo) == "agents:demo-2"


@pytest.mark.parametrize(("way", "edge"), [("--horizontal", "left"), ("--vertical", "top")])
def test_it_joins_a_window_as_tmux_calls_it(
    demo: DemoAgent, other: Pane, way: str, edge: str
) -> None:
    assert move(demo, "--window", "other:build", way).code == 0
    assert place(demo) == "other:build"
    form = f"#{{pane_at_{edge}}}"
    assert demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, form) == "0"
    assert demo.tmux.cmd("display-message", "-p", "-t", other.id, form) == "1"


def test_it_joins_the_window_of_another_agent(
    demo: DemoAgent, tmux: TmuxServer, tmp_path: Path
) -> None:
    qa = spawn_demo(tmux, demo.torch, tmp_path / "qa", name="qa")
    assert move(demo, "--window", "qa").json["window"] == "qa"
    assert demo.send("one").code == 0
    assert qa.send("two").code == 0
    assert (demo.submitted(), qa.submitted()) == (["one"], ["two"])


def test_it_comes_to_the_caller(demo: DemoAgent, other: Pane) -> None:
    env = {"TMUX": f"{other.socket_path},1,0", "TMUX_PANE": other.id}
    assert move(demo, "--window", ".", env=env).code == 0
    assert place(demo) == "other:build"


def test_a_missing_session_is_made_if_that_is_asked_for(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_session("other", "cat", window="cat")
    refused = move(demo, "--session", "night")
    assert (refused.code, refused.json["error"]["code"]) == (3, "no-session")
    assert "--create" in refused.json["error"]["hint"]
    done = move(demo, "--session", "night", "--create").json
    assert (done["session"], done["created_session"]) == ("night", True)
    assert [p.id for p in tmux.panes() if p.session == "night"] == [demo.pane.id]
    assert not move(demo, "--session", "other", "--create").json["created_session"]


def test_a_pane_of_a_shared_window_gets_a_new_session(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.cmd("split-window", "-d", "-t", demo.pane.id, "cat")
    assert move(demo, "--session", "night", "--create").json["created_session"]
    assert [p.id for p in tmux.panes() if p.session == "night"] == [demo.pane.id]
    index = tmux.cmd("show-options", "-gv", "base-index")
    assert tmux.pane(demo.pane.id).window_index == int(index)


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_names_and_nothing_else(
    demo: DemoAgent, tmux: TmuxServer, tmp_path: Path, name: str
) -> None:
    tmux.new_session("keep", "cat", window="cat")
    unfit = name.startswith("%")
    done = move(demo, f"--session={name}", "--create", cwd=tmp_path)
    assert done.code == (2 if unfit else 0), done
    if not unfit:
        assert done.json["session"] == name
        assert move(demo, "--session", "keep").code == 0
    given = name.replace(";", "\\;")  # tmux takes a last one for the end of the command
    tmux.cmd("rename-window", "-t", "keep:0", "--", given.replace("#", "##"))
    tmux.cmd("set-option", "-w", "-t", "keep:0", "automatic-rename", "off")
    if not unfit:
        assert move(demo, "--window", f"keep:{name}").json["window"] == name
    assert not list(Path(demo.directory).glob("x"))
    assert not list(tmux.directory.glob("x"))
    assert not (tmp_path / "x").exists()


def test_a_window_name_with_colon_and_dot_is_found(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_session("other", "cat", window="a:b.c")
    assert move(demo, "--window", "other:a:b.c").json["window"] == "a:b.c"


@pytest.mark.parametrize("words", [("--session", "oth"), ("--window", "other:bui")])
def test_nothing_matches_by_prefix(demo: DemoAgent, other: Pane, words: tuple[str, str]) -> None:
    done = move(demo, *words)
    assert done.code == 3, done
    assert "other" in done.json["error"]["hint"]
    assert place(demo) == "agents:demo"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--session", "other", "--apart"),
        ("--window", "other:build", "--session", "other"),
        ("--create", "--apart"),
        ("--horizontal", "--session", "other"),
        ("--session", "a:b", "--create"),
        ("--session", "", "--create"),
    ],
)
def test_what_means_nothing_is_refused(
    demo: DemoAgent, other: Pane, words: tuple[str, ...]
) -> None:
    assert move(demo, *words).code == 2
    assert place(demo) == "agents:demo"


@pytest.mark.parametrize(
    "words", [("--session", "agents"), ("--window", "demo"), ("--apart",), ("--window", "agents:")]
)
def test_where_it_is_already_it_stays(demo: DemoAgent, words: tuple[str, ...]) -> None:
    done = move(demo, *words)
    assert (done.code, done.json["moved"]) == (0, False)
    assert "it is there already" in demo.torch("move", "demo", *words).out


def test_what_somebody_moved_by_tmux_is_set_right(demo: DemoAgent, other: Pane) -> None:
    demo.tmux.cmd("move-window", "-s", demo.pane.window_id, "-t", "other:")
    assert not move(demo, "--session", "other").json["moved"]
    assert demo.torch("ps", "--json").json["session"] == "other"


# -- names, links, zoom ------------------------------------------------------------------------


def test_a_name_that_is_taken_there_is_numbered(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_session("other", "cat", window="demo")
    tmux.new_window("other", "demo-2", "cat")
    done = move(demo, "--session", "other").json
    assert done["window"] == "demo-3"
    assert demo.torch("ps", "--json").json["window"] == "demo-3"


def test_a_window_linked_elsewhere_is_not_guessed_about(demo: DemoAgent, other: Pane) -> None:
    tmux = demo.tmux
    tmux.cmd("link-window", "-d", "-s", demo.pane.window_id, "-t", "other:")
    tmux.new_session("third", "cat", window="cat")
    done = move(demo, "--session", "third")
    assert (done.code, done.json["error"]["code"]) == (2, "linked")
    assert "agents, other" in done.json["error"]["message"]
    assert not move(demo, "--session", "other").json["moved"]
    assert move(demo, "--window", "third:").json["ended_sessions"] == ["agents"]


def test_a_group_of_sessions_is_left_as_one(demo: DemoAgent, other: Pane) -> None:
    tmux = demo.tmux
    tmux.new_window("agents", "rest", "cat")
    tmux.cmd("new-session", "-d", "-t", "agents", "-s", "twin")
    assert move(demo, "--session", "other").json["session"] == "other"
    assert {p.session for p in tmux.panes() if p.id == demo.pane.id} == {"other"}
    assert move(demo, "--session", "twin").json["session"] == "twin"
    assert {p.session for p in tmux.panes() if p.id == demo.pane.id} == {"agents", "twin"}
    assert demo.send("hello").code == 0


def test_the_zoom_of_others_stays(demo: DemoAgent, other: Pane) -> None:
    tmux = demo.tmux
    first = tmux.cmd("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", demo.pane.id, "cat")
    tmux.cmd("split-window", "-d", "-t", first, "cat")
    tmux.cmd("split-window", "-d", "-t", other.id, "cat")
    for pane in (first, other.id):
        tmux.cmd("select-pane", "-t", pane)
        tmux.cmd("resize-pane", "-Z", "-t", pane)
    assert move(demo, "--window", other.id).code == 0
    assert zoomed(tmux, f"{first}") == f"1 {first}"
    assert zoomed(tmux, "other:build") == f"1 {other.id}"


def test_its_own_zoom_is_no_obstacle(demo: DemoAgent, other: Pane) -> None:
    demo.tmux.cmd("split-window", "-d", "-t", demo.pane.id, "cat")
    demo.tmux.cmd("resize-pane", "-Z", "-t", demo.pane.id)
    assert move(demo, "--session", "other").code == 0
    assert place(demo) == "other:demo"


@pytest.mark.parametrize("words", [("--session", "other"), ("--window", "other:build")])
def test_a_dead_pane_is_moved_as_it_is(
    demo: DemoAgent, other: Pane, words: tuple[str, ...]
) -> None:
    os.kill(demo.pane.pid, signal.SIGKILL)
    if not KEEPS_DEAD:
        listed = ("list-panes", "-a", "-F", "#{pane_id}")
        demo.tmux.wait_until(lambda: demo.pane.id not in demo.tmux.cmd(*listed), "its end")
        assert move(demo, *words).code == 3
        return
    demo.tmux.wait_until(lambda: demo.tmux.pane(demo.pane.id).dead, "its death")
    assert move(demo, *words).code == 0
    assert place(demo).startswith("other:")
    assert demo.state() == "dead"


def test_a_pane_too_small_to_be_split_is_left_alone(demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.new_session("other", "cat", window="build")
    low = tmux.cmd("split-window", "-d", "-l", "2", "-P", "-F", "#{pane_id}", "-t", "other:", "cat")
    done = move(demo, "--window", low)
    assert (done.code, done.json["error"]["code"]) == (2, "too-small")
    assert move(demo, "--window", low, "--horizontal").code == 0


def test_with_windows_of_a_manual_size_the_server_survives(
    demo: DemoAgent, tmux: TmuxServer
) -> None:
    tmux.new_session("other", "cat", window="cat")
    tmux.cmd("split-window", "-d", "-t", demo.pane.id, "cat")
    tmux.cmd("set-option", "-g", "window-size", "manual")
    assert move(demo, "--session", "other").code == 0
    assert place(demo) == "other:demo"


# -- who looks on ------------------------------------------------------------------------------


def test_a_session_in_which_somebody_sits_is_not_ended(demo: DemoAgent, other: Pane) -> None:
    with looking(demo.tmux, "agents") as one, looking(demo.tmux, "agents") as two:
        done = move(demo, "--session", "other")
        assert (done.code, done.json["error"]["code"]) == (4, "looked-at")
        assert set(done.json["error"]["details"]["clients"]) == {one, two}
        assert "its session would end" in done.json["error"]["message"]
        assert clients(demo.tmux) == {one: "agents:demo", two: "agents:demo"}
        followed = move(demo, "--session", "other", "--follow").json
        assert followed["ended_sessions"] == ["agents"]
        assert "went along" in " ".join(followed["notes"])
        assert clients(demo.tmux) == {one: "other:demo", two: "other:demo"}


def test_who_types_into_it_does_not_type_into_another(demo: DemoAgent, other: Pane) -> None:
    tmux = demo.tmux
    beside = tmux.cmd("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", demo.pane.id, "cat")
    with looking(tmux, "agents") as name:
        refused = move(demo, "--apart")
        assert refused.code == 4
        assert "would reach another program" in refused.json["error"]["message"]
        tmux.cmd("select-pane", "-t", beside)
        assert move(demo, "--apart").code == 0
        assert clients(tmux)[name] == "agents:demo"
        tmux.cmd("select-window", "-t", "agents:demo-2")
        assert move(demo, "--window", beside, "--follow").code == 0
        assert clients(tmux)[name] == "agents:demo"
        assert tmux.pane(demo.pane.id).active


def test_who_sits_there_already_keeps_the_window(demo: DemoAgent, other: Pane) -> None:
    with looking(demo.tmux, "agents") as name, looking(demo.tmux, "other") as sitting:
        done = move(demo, "--session", "other", "--follow").json
        assert clients(demo.tmux) == {name: "other:build", sitting: "other:build"}
        assert "others choose the window" in " ".join(done["notes"])


def test_who_comes_to_look_meanwhile_is_seen(demo: DemoAgent, other: Pane) -> None:
    pane = demo.tmux.pane(demo.pane.id)
    placement = placement_of(demo.tmux.socket, pane, Goal(other.session_id))
    assert placement is not None
    with looking(demo.tmux, "agents"):
        assert not carry_out(demo.tmux.socket, placement, Act())
        assert place(demo) == "agents:demo"
    demo.tmux.wait_until(lambda: not clients(demo.tmux), "the end of the client")
    demo.tmux.new_window("other", "more", "cat")
    assert not carry_out(demo.tmux.socket, placement, Act())
    assert place(demo) == "agents:demo"


# -- deliveries and others at work -------------------------------------------------------------


def test_a_delivery_on_its_way_is_waited_for(demo: DemoAgent, other: Pane) -> None:
    with pane_lock(demo.pane.server, demo.pane.id, "m-1", 1.0):
        done = move(demo, "--session", "other", "--timeout", "0.2")
        assert (done.code, done.json["error"]["code"]) == (4, "locked")
        assert "nothing was moved" in done.json["error"]["message"]
        assert place(demo) == "agents:demo"
        with subprocess.Popen(
            demo.torch.argv("move", "demo", "--session", "other"), stdout=subprocess.DEVNULL
        ) as moving:
            wait_until(lambda: waits_for_lock(moving.pid), what="its wait for the lock")
            assert place(demo) == "agents:demo"
            os.kill(moving.pid, signal.SIGINT)
            assert moving.wait(PATIENCE) == 130
    assert move(demo, "--session", "other").code == 0


def waits_for_lock(pid: int) -> bool:
    """Say whether a process has opened the lock of a pane."""
    try:
        files = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any("/locks/" in file for file in files)


def test_a_sender_who_waits_is_not_cut_off_when_its_session_ends(
    demo: DemoAgent, other: Pane
) -> None:
    results: list[Result] = []
    sender = threading.Thread(target=lambda: results.append(demo.send("hello")))
    standing = None
    with pane_lock(demo.pane.server, demo.pane.id, "move", 1.0):
        sender.start()
        demo.tmux.wait_until(lambda: clients(demo.tmux), "the sender's client")
        with Store() as store:
            wait_until(lambda: store.messages.latest(recipient="demo"), what="the message")
        pane = demo.tmux.pane(demo.pane.id)
        standing = placement_of(demo.tmux.socket, pane, Goal(other.session_id))
        assert standing is not None
        assert [client.person for client in standing.shown] == [False]
        assert carry_out(demo.tmux.socket, standing, Act(taken_along=standing.shown))
    sender.join(2 * PATIENCE)
    assert [result.code for result in results] == [0], results
    assert demo.submitted() == ["hello"]


def test_who_listens_goes_along_only_where_its_session_ends(demo: DemoAgent, other: Pane) -> None:
    demo.tmux.new_window("agents", "rest", "cat")
    where = ("display-message", "-p", "#{session_name}")
    with demo.tmux.client(demo.pane.session_id) as client:
        assert move(demo, "--session", "other").code == 0
        assert client.call(*where).text == "agents"
    assert move(demo, "--session", "night", "--create").code == 0
    with demo.tmux.client(demo.tmux.pane(demo.pane.id).session_id) as client:
        assert move(demo, "--session", "other").json["ended_sessions"] == ["night"]
        assert client.call(*where).text == "other"


def test_messages_sent_while_it_moves_about_arrive_once_and_in_order(
    demo: DemoAgent, other: Pane
) -> None:
    demo.tmux.new_window("agents", "rest", "cat")
    sent = [f"message {number}" for number in range(6)]
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.extend(demo.send(text) for text in sent))
    thread.start()
    moves = []
    while thread.is_alive():
        for words in (("--session", "other"), ("--window", "agents:rest"), ("--apart",)):
            moves.append(move(demo, *words))
    thread.join()
    assert [result.code for result in results] == [0] * len(sent), results
    assert {result.code for result in moves} == {0}, moves
    assert demo.submitted() == sent


def test_messages_sent_while_its_sessions_come_and_go_arrive_too(demo: DemoAgent) -> None:
    sent = [f"message {number}" for number in range(8)]
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.extend(demo.send(text) for text in sent))
    thread.start()
    while thread.is_alive():
        for session in ("ping", "pong"):
            done = move(demo, "--session", session, "--create")
            assert done.json["ended_sessions"], done
    thread.join()
    assert [result.code for result in results] == [0] * len(sent), results
    assert demo.submitted() == sent


def test_two_moves_at_once_end_in_one_place(demo: DemoAgent, other: Pane) -> None:
    demo.tmux.new_session("third", "cat", window="cat")
    results: dict[str, Result] = {}
    threads = [
        threading.Thread(
            target=lambda to: results.update({to: move(demo, "--session", to)}), args=(to,)
        )
        for to in ("other", "third")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.code for result in results.values()] == [0, 0], results
    assert len([p for p in demo.tmux.panes() if p.id == demo.pane.id]) == 1
    assert place(demo).split(":")[0] == demo.torch("ps", "--json").json["session"]
    with Store() as store:
        assert len(store.database.query("SELECT * FROM events WHERE verb = 'move'")) == 2


def test_two_agents_of_one_window_name_do_not_get_the_same(
    demo: DemoAgent, tmux: TmuxServer, tmp_path: Path
) -> None:
    qa = spawn_demo(tmux, demo.torch, tmp_path / "qa", name="qa")
    tmux.new_session("other", "cat", window="cat")
    tmux.new_session("apart", "cat", window="cat")
    assert qa.torch("move", "qa", "--session", "apart").code == 0
    for pane in (demo.pane, qa.pane):
        tmux.cmd("rename-window", "-t", pane.id, "main")
    threads = [
        threading.Thread(
            target=lambda name: demo.torch("move", name, "--session", "other"), args=(name,)
        )
        for name in ("demo", "qa")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {tmux.pane(pane.id).place for pane in (demo.pane, qa.pane)}
    assert len(names) == 2
    assert "other:main" in names


def test_a_stopped_server_is_told_in_time(demo: DemoAgent, other: Pane) -> None:
    server = demo.pane.server_pid
    os.kill(server, signal.SIGSTOP)
    try:
        done = move(demo, "--session", "other", env={VARIABLE: "answer=1"})
    finally:
        os.kill(server, signal.SIGCONT)
    assert (done.code, done.json["error"]["code"]) == (6, "timed-out")
    assert place(demo) == "agents:demo"


# -- who it is ---------------------------------------------------------------------------------


def test_it_may_be_named_by_its_pane(demo: DemoAgent, other: Pane) -> None:
    assert demo.torch("move", demo.pane.id, "--session", "other", "--json").json["agent"] == "demo"


def test_a_pane_that_is_no_agent_is_tmux_s_to_move(demo: DemoAgent, other: Pane) -> None:
    done = demo.torch("move", other.id, "--session", "agents", "--json")
    assert (done.code, done.json["error"]["code"]) == (3, "not-an-agent")
    assert "torch adopt" in done.json["error"]["hint"]
    assert demo.tmux.pane(other.id).session == "other"


def test_an_agent_that_is_not_there_is_told(demo: DemoAgent, other: Pane) -> None:
    assert demo.torch("move", "nobody", "--session", "other").code == 3
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    done = move(demo, "--session", "other")
    assert (done.code, done.json["error"]["code"]) == (3, "vanished")
    demo.tmux.kill()
    assert move(demo, "--session", "other").code == 3


def test_an_agent_of_another_server_is_not_taken_for_one_of_this(
    demo: DemoAgent, other: Pane
) -> None:
    second = TmuxServer(demo.tmux.socket._replace(name="u"), demo.tmux.directory)
    lone = second.new_session("far", DEMO)
    try:
        second.wait_for_text(lone, "? for help")
        far = Torch(second.socket)
        assert far("adopt", lone.id, "far", "--profile", "demo").code == 0
        done = move(demo, "--window", "far")
        assert (done.code, done.json["error"]["code"]) == (2, "other-server")
        wrong = demo.torch("move", "far", "--session", "other", "--json")
        assert (wrong.code, wrong.json["error"]["code"]) == (3, "other-server")
        assert place(demo) == "agents:demo"
    finally:
        second.kill()
