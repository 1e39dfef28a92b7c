"""Sessions of agents are kept as they are arranged, and rebuilt when tmux is gone."""

import json
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scheduler
from conftest import TmuxServer, Torch, wait_until
from test_resurrect import PATH, agent_now
from test_resurrect_daemon import configure, events
from torch_cli import procs
from torch_cli.errors import HeldError
from torch_cli.lifecycle.arrangement import keep, merged
from torch_cli.lifecycle.prospect import prospects
from torch_cli.lifecycle.rebuild_plan import steps_of
from torch_cli.lifecycle.resurrect import resurrect
from torch_cli.lifecycle.site import Site, close_unfinished
from torch_cli.lifecycle.window import create_window
from torch_cli.store import Store
from torch_cli.store.events import RESURRECT
from torch_cli.tmux.opening import new_session
from torch_cli.tmux.panes import Pane
from torch_cli.watch.kept import KeptPane, KeptSession, KeptWindow, read, written

SESSION = "shop #1 🙂"
NOTES = "notes 'q' \"#(touch /tmp/torch-ran)\" #{pane_id} ;"
SECRET = "do-not-keep-me"  # a variable's value


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Directories with names that tmux or a terminal could take for something else."""
    names = {"pm": "pm", "dev": "dev", "odd": "o dd #(touch ran) #{pid} ;", "line": "two\nlines"}
    found = {key: tmp_path / name for key, name in names.items()}
    for one in found.values():
        one.mkdir()
    return found


def spawn(torch: Torch, name: str, directory: Path, session: str = SESSION) -> Pane:
    log = directory.parent / f"{name}.log"
    words = ("--profile", "demo", "--session", session, "--dir", str(directory), "--json")
    given = ("--", "--log", str(log), "--work", "0")
    done = torch("spawn", name, *words, *given, env=PATH)
    assert done.code == 0, done.out + done.err
    return next(one for one in tmux_panes(torch) if one.id == done.json["pane"])


def tmux_panes(torch: Torch) -> list[Pane]:
    return TmuxServer(torch.socket, Path("/")).panes()


def look(tmux: TmuxServer, session: str = SESSION) -> list[tuple[Any, ...]]:
    """Return names, layouts without numbers of panes, and directories of a session's windows."""
    panes = [one for one in tmux.panes() if one.session == session]
    found = []
    for window in dict.fromkeys(one.window_id for one in panes):
        layout = tmux.cmd("display-message", "-p", "-t", window, "#{window_layout}")
        form = re.sub(r",\d+(?=[\]},]|$)", "", layout.partition(",")[2])
        there = [one for one in panes if one.window_id == window]
        places = tuple(procs.directory(one.pid) for one in there)
        active = [place for place, one in enumerate(there) if one.active]
        found.append((there[0].window, form, places, active, there[0].window_active))
    return found


def furnish(tmux: TmuxServer, torch: Torch, places: dict[str, Path]) -> None:
    """Make a session of five windows: agents, shells, and both beside each other."""
    spawn(torch, "pm", places["pm"])
    notes = tmux.new_window(SESSION, "x", directory="/")
    tmux.cmd("rename-window", "-t", notes.id, NOTES.replace("#", "##").replace(";", "\\;"))
    for key in ("line", "odd"):
        literal = str(places[key]).replace("#", "##")
        tmux.cmd(*("split-window", "-d", "-t", notes.id, "-c", literal.replace(";", "\\;")))
    tmux.cmd("select-layout", "-t", notes.id, "main-vertical")
    dev = spawn(torch, "dev", places["dev"])
    for where in ("-hb", "-v"):
        tmux.cmd("split-window", where, "-t", dev.id, "-c", str(places["pm"]))
    tmux.cmd("resize-window", "-t", dev.id, "-x", "170", "-y", "44")
    tmux.cmd("resize-pane", "-t", dev.id, "-x", "60")
    tmux.cmd("set-option", "-wu", "-t", dev.id, "window-size")
    tmux.new_window(SESSION, "log", "cat", directory=str(places["pm"]))
    tmux.cmd("select-window", "-t", dev.window_id)
    tmux.new_session("other", "cat", directory=places["pm"])


def kill_everything(tmux: TmuxServer) -> None:
    server = procs.identify(int(tmux.cmd("display-message", "-p", "#{pid}")))
    assert server is not None
    gone = [server, *filter(None, (procs.identify(one.pid) for one in tmux.panes()))]
    for one in gone:
        os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(procs.alive, gone)), what="the end of all")


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def windows_in(said: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["window"]: one for one in said if "window" in one}


def kept() -> list[KeptSession]:
    with Store() as store:
        texts = [store.arrangements.get(one) for one in store.arrangements.sockets()]
    return [session for text in texts for session in read(text)]


def test_a_session_is_rebuilt_as_it_was(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path], tmp_path: Path
) -> None:
    """Windows in order, names, layouts, directories; agents in their places, shells in theirs."""
    furnish(tmux, torch, places)
    before, pids = look(tmux), {one: agent_now(one).identity for one in ("pm", "dev")}
    assert torch("tick").code == 0
    kill_everything(tmux)
    planned = torch("resurrect", "--dry-run", "--json", env=PATH)
    assert planned.code == 0, planned.out + planned.err
    assert not tmux.run("list-sessions").stdout, "a dry run starts nothing"
    plans = windows_in(objects(planned.out))
    assert [one["dir"] for one in plans[NOTES]["shells"]] == [
        *("/", str(places["odd"]), str(places["line"]))
    ]
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 0, done.out + done.err
    said = windows_in(objects(done.out))
    assert {name: one["shells"] for name, one in said.items()} == {NOTES: 3, "dev": 2, "log": 1}
    assert [one["missing"] + one["notes"] for one in said.values()] == [[], [], []]
    assert look(tmux) == before
    assert {one.session for one in tmux.panes()} == {SESSION}, "the other one holds no agent"
    assert not (places["odd"] / "ran").exists()
    assert not Path("/tmp/torch-ran").exists()
    for name, identity in pids.items():
        now = agent_now(name)
        pane = tmux.pane(now.pane)
        assert (now.identity, pane.window, now.window) == (identity, name, name)
        assert torch("state", name, "--json").json["state"] == "idle"
    (log,) = (one for one in tmux.panes() if one.window == "log")
    assert log.command != "cat", "a program is never started again"
    listed = [json.loads(line)["name"] for line in torch("ps", "--json").out.splitlines()]
    assert sorted(listed) == ["dev", "pm"], "a shell is not an agent"
    assert torch("send", "dev", "on with it").code == 0
    again = torch("resurrect", "--json", env=PATH)
    assert {one["what"] for one in objects(again.out)} == {"runs"}
    assert look(tmux) == before


def test_a_living_session_is_not_touched(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    """Its agents come back as without an arrangement; what is left out is listed."""
    furnish(tmux, torch, places)
    torch("tick")
    kill_everything(tmux)
    mine = tmux.new_session(SESSION, "cat", window="mine")
    planned = torch("resurrect", "--dry-run", "--json", env=PATH)
    assert planned.code == 10
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 10
    said = windows_in(objects(done.out))
    assert {one["error"]["code"] for one in said.values()} == {"session-lives"}
    assert set(said) == {NOTES, "dev", "log"}
    there = [one for one in tmux.panes() if one.session == SESSION]
    assert [one.window for one in there] == ["mine", "pm", "dev"]
    assert there[0].id == mine.id


def test_a_session_that_is_begun_meanwhile_is_a_persons(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was planned and before the first window: nothing is opened in it, and that is told.

    Nor is a session taken for the one that was begun which another server has under its number.
    """
    monkeypatch.setenv("PATH", PATH["PATH"])
    furnish(tmux, torch, places)
    torch("tick")
    kill_everything(tmux)
    with Store() as store:
        steps = steps_of(store, list(prospects(store, store.agents.all())))
        mine = tmux.new_session(SESSION, "cat", window="mine")
        outcomes = list(resurrect(store, steps))
        assert [one.id for one in tmux.panes()] == [mine.id]
        site = Site(store, tmux.socket, "another")
        site.session("/")
        tmux.cmd("kill-server")
        wait_until(lambda: tmux.run("list-sessions").returncode, what="its end")
        tmux.new_session("first", "cat")
        tmux.new_session("second", "cat")
        with pytest.raises(HeldError):
            site.session("/")
    errors = {one.error.code for one in outcomes if one.error is not None}
    assert (errors, len(outcomes)) == ({"session-lives"}, 6)
    assert all(one.error is not None for one in outcomes)
    assert [one.session for one in tmux.panes()] == ["first", "second"]


def open_shell(store: Store, tmux: TmuxServer, name: str, session: str) -> Pane:
    opened = create_window(
        store, tmux.socket, name=name, directory="/", session=session, environment={}
    )
    return opened.pane


def test_what_an_interrupted_rebuilding_has_left_is_closed(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    """Killed before its first window had its name. What a person runs there is left alone."""
    furnish(tmux, torch, places)
    before = look(tmux)
    torch("tick")
    kill_everything(tmux)
    with Store() as store:
        session = Site(store, tmux.socket, SESSION).session("/")
        open_shell(store, tmux, f"torch-{'a' * 12}", session)
    planned = torch("resurrect", "--dry-run", "--json", env=PATH)
    assert planned.code == 10, "a dry run closes nothing"
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 0, done.out + done.err
    assert look(tmux) == before
    with Store() as store:
        used = open_shell(store, tmux, f"torch-{'b' * 12}", SESSION)
        tmux.cmd("send-keys", "-t", used.id, "cat", "Enter")
        wait_until(lambda: procs.foreground(used.pid) != used.pid, what="its program")
        assert close_unfinished(store, tmux.socket) == []
    assert tmux.pane(used.id).window == f"torch-{'b' * 12}"


def test_a_hook_that_opens_windows_does_not_stop_it(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    furnish(tmux, torch, places)
    before = [window[0] for window in look(tmux)]
    torch("tick")
    kill_everything(tmux)
    tmux.new_session("first", "cat")
    tmux.cmd("set-hook", "-g", "after-new-session", "new-window -n hooked cat")
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 0, done.out + done.err
    assert sorted(window[0] for window in look(tmux)) == sorted([*before, "hooked"])


def test_a_session_whose_first_window_a_hook_has_closed_is_left_alone(
    tmux: TmuxServer, store: Store
) -> None:
    tmux.new_session("first", "cat")
    tmux.cmd("set-hook", "-g", "after-new-session", "new-window -n hooked cat ; kill-window -t :0")
    with pytest.raises(HeldError) as refused:
        Site(store, tmux.socket, SESSION).session("/")
    assert refused.value.code == "session-lives"
    assert [window[0] for window in look(tmux)] == ["hooked"]


def test_what_was_killed_before_it_was_recorded_is_closed(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    furnish(tmux, torch, places)
    before = look(tmux)
    torch("tick")
    kill_everything(tmux)
    assert new_session(tmux.socket, SESSION, "/", None).created
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 0, done.out + done.err
    assert look(tmux) == before


def test_a_place_that_a_living_start_holds_is_left_to_it(tmux: TmuxServer, store: Store) -> None:
    """As is a window of that name that Torch has not made."""
    person = tmux.new_session("mine", "cat", window=f"torch-{'c' * 12}")
    place = new_session(tmux.socket, SESSION, "/", None)
    started = threading.Timer(1.0, tmux.cmd, ("new-window", *place.target, "-n", "dev", "cat"))
    started.start()
    assert close_unfinished(store, tmux.socket) == []
    started.join()
    assert [one.window for one in tmux.panes()] == [person.window, "dev"]


def test_what_cannot_be_made_is_listed(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    """A directory that has vanished, an agent that stays: the rest is there, and says so."""
    furnish(tmux, torch, places)
    torch("tick")
    assert torch("freeze", "dev").code == 0
    kill_everything(tmux)
    places["odd"].rmdir()
    planned = torch("resurrect", "--dry-run", env=PATH)
    assert planned.code == 10
    assert "no such file or directory" in planned.out
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 10
    said = windows_in(objects(done.out))
    assert (said[NOTES]["shells"], len(said[NOTES]["missing"])) == (2, 1)
    assert "no such file or directory" in said[NOTES]["missing"][0]
    assert said[NOTES]["notes"] == ["its layout was not made again: 2 of 3 panes are there"]
    assert (said["dev"]["shells"], said["dev"]["missing"]) == (2, [])
    assert "2 of 3 panes" in said["dev"]["notes"][-1]
    assert [one.window for one in tmux.panes() if one.window_active] == ["dev-shells"] * 2
    (event,) = events(RESURRECT)
    assert f"{SESSION}:{NOTES}" in event.detail["failed"]
    assert torch("thaw", "dev").code == 0
    back = torch("resurrect", env=PATH)
    assert back.code == 0, "its name was left to it"
    assert [one.window for one in tmux.panes()][-1] == "dev"


def test_the_daemon_keeps_it_up_to_date_and_rebuilds(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has changed since its first look is there, too; one arrangement is kept."""
    monkeypatch.setenv("PATH", PATH["PATH"])
    configure("[health]\nresurrect = true\n")
    furnish(tmux, torch, places)
    daemon = scheduler.start(torch, intervals="arrange=0.3")
    wait_until(kept, what="the first look")
    tmux.cmd("rename-window", "-t", f"={SESSION}:log", "renamed")
    (log,) = (one for one in tmux.panes() if one.window == "renamed")
    tmux.cmd("split-window", "-d", "-t", log.id, "-c", str(places["line"]))
    before = look(tmux)
    wait_until(lambda: len(kept()[0].windows[3].panes) == 2, what="the change")
    daemon.kill()
    kill_everything(tmux)
    daemon = scheduler.start(torch, intervals="arrange=0.3")
    wait_until(lambda: events(RESURRECT), what="the event")
    assert look(tmux) == before
    wait_until(lambda: kept() and kept()[0].server == agent_now("pm").server, what="a new look")
    assert daemon.stop() == 0
    assert len(kept()) == 1


def test_it_is_written_only_if_it_differs_and_holds_no_secret(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    directory = places["pm"]
    words = ("--profile", "demo", "--session", "s", "--dir", str(directory))
    given = ("--env", f"SHOP_KEY={SECRET}")
    assert torch("spawn", "pm", *words, *given, env=PATH).code == 0
    tmux.cmd("set-environment", "-t", "s", "SHOP_KEY", SECRET)
    tmux.new_window("s", "run", "sh", "-c", f"echo {SECRET}; read -r _")
    with Store() as store:
        keep(store)
        (row,) = store.database.query("SELECT * FROM arrangements")
        assert SECRET not in row["sessions"]
        keep(store)
        keep(store)
        (same,) = store.database.query("SELECT * FROM arrangements")
        assert tuple(same) == tuple(row)
        tmux.new_window("s", "more", "cat")
        keep(store)
        (other,) = store.database.query("SELECT * FROM arrangements")
        assert other["taken"] > row["taken"]
        assert torch("stop", "pm").code == 0
        keep(store)
        assert not store.database.query("SELECT * FROM arrangements"), "it holds no agent"


def test_variables_of_a_session_come_back_by_name(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    """Their values are those of who brings it back. What is not set there is listed."""
    spawn(torch, "pm", places["pm"], "s")
    tmux.new_window("s", "notes", directory=str(places["dev"]))
    lines = f"one\nFRAGMENT={SECRET}\n{SECRET}KEY=x"
    for name, value in (("SHOP_KEY", lines), ("MODE", SECRET), ("DISPLAY", ":0"), ("odd-one", "x")):
        tmux.cmd("set-environment", "-t", "=s", name, value)
    assert torch("tick").code == 0
    assert [one.variables for one in kept()] == [("MODE", "SHOP_KEY")]
    assert SECRET not in written(kept())
    kill_everything(tmux)
    env = {**PATH, "SHOP_KEY": "now\n#(touch ran) $HOME ;"}
    planned = torch("resurrect", "--dry-run", env=env)
    assert (planned.code, "variables that are not set here: MODE" in planned.err) == (0, True)
    done = torch("resurrect", "--json", env=env)
    assert done.code == 0
    said = windows_in(objects(done.out))
    assert said["pm"]["notes"] == ["variables that are not set here: MODE"]
    (notes,) = (one for one in tmux.panes() if one.window == "notes")
    for pane in (notes, tmux.new_window("s", "later")):
        found = procs.environment(pane.pid) or {}
        assert (found["SHOP_KEY"], "MODE" in found) == (env["SHOP_KEY"], False)


def test_a_new_server_without_agents_does_not_replace_it(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    """Somebody starts tmux again before the agents are back."""
    furnish(tmux, torch, places)
    with Store() as store:
        keep(store)
        before = kept()
        kill_everything(tmux)
        keep(store)
        assert kept() == before
        tmux.new_session("fresh", "cat")
        keep(store)
        assert kept() == before
        spawn(torch, "qa", places["pm"], "fresh")
        keep(store)
        assert [one.name for one in kept()] == ["fresh", SESSION]


def test_a_linked_window_is_kept_once(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    spawn(torch, "pm", places["pm"], "a")
    qa = spawn(torch, "qa", places["dev"], "b")
    tmux.cmd("link-window", "-d", "-s", qa.window_id, "-t", "a:")
    torch("tick")
    kill_everything(tmux)
    done = torch("resurrect", "--json", env=PATH)
    assert done.code == 10
    (linked,) = (one for one in objects(done.out) if one.get("error"))
    assert linked["error"]["code"] == "linked"
    assert agent_now("qa").session in ("a", "b")
    assert len({one.id for one in tmux.panes()}) == 2


def test_while_sessions_are_rebuilt_none_is_looked_at(
    tmux: TmuxServer, torch: Torch, places: dict[str, Path]
) -> None:
    from torch_cli.lifecycle.resurrect import resurrecting

    spawn(torch, "pm", places["pm"])
    with Store() as store:
        with resurrecting():
            keep(store)
            assert not kept()
        keep(store)
        assert kept()


names = st.text(st.characters(codec="utf-8"), max_size=8)
paths = st.binary(max_size=8).map(os.fsdecode)
panes = st.builds(KeptPane, paths, st.sampled_from(["", "a-1", "a-2"]))
windows = st.builds(
    KeptWindow,
    *(names, names, st.booleans(), st.booleans(), st.integers(0, 9)),
    panes=st.lists(panes, max_size=3).map(tuple),
    linked=names,
)
sessions = st.builds(
    KeptSession,
    *(names, names, st.lists(windows, max_size=3).map(tuple)),
    st.lists(names, max_size=2).map(tuple),
)


@given(st.lists(sessions, max_size=3))
def test_what_is_written_is_read(given_: list[KeptSession]) -> None:
    assert read(written(given_)) == given_
    assert written(given_).isascii()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "sessions": [1]}'])
def test_what_cannot_be_read_is_nothing(text: str) -> None:
    assert read(text) == []


def test_old_sessions_stay_while_their_agents_may_come_back() -> None:
    window = KeptWindow("w", panes=(KeptPane("/", "a-1"),))
    old, now = KeptSession("s", "old", (window,)), KeptSession("s", "new", (window,))
    assert merged([], [old], {("old", "a-1")}) == [old]
    assert merged([now], [old], {("old", "a-1")}) == [now], "a session has one arrangement"
    assert merged([], [old], {("new", "a-1")}) == []
    assert merged([], [old], set()) == []
