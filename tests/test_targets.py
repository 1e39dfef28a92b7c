"""A target is exactly one pane, or an error that says why."""

from pathlib import Path

import pytest

from conftest import KEEPS_DEAD, TMUX_VERSION, TmuxServer, wait_until
from torch_cli import procs
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.ended import with_end
from torch_cli.tmux.panes import list_panes, resolve
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import check_version

ODD_NAMES = [
    "a:b",
    "a.b",
    ":",
    ".",
    "two words",
    " ",
    "it's",
    '"quoted"',
    "👩‍💻 agent",
    "日本",
    "#(id)",
    "#{pane_id}",
    "#[fg=red]",
    "tail;",
    "a\u2028b",
    "a\x85b",
    "*",
    "=x",
    "-x",
    "a$HOME",
    "${x}\\$y",
]


def test_a_session_or_window_is_named_exactly(tmux: TmuxServer) -> None:
    long = tmux.new_session("foobar", "cat", window="window1")
    short = tmux.new_session("foo", "cat", window="win")
    panes = tmux.panes()
    assert resolve(panes, "foobar").id == long.id
    assert resolve(panes, "foo").id == short.id
    assert resolve(panes, "window1").id == long.id
    assert resolve(panes, "foo:win").id == short.id


@pytest.mark.parametrize("target", ["foob", "foobar:wind", "wind", "foo", "nothing", "foobar:9"])
def test_a_prefix_names_nothing_and_the_error_says_what_is_near(
    tmux: TmuxServer, target: str
) -> None:
    tmux.new_session("foobar", "cat", window="window1")
    with pytest.raises(NotFoundError) as missing:
        resolve(tmux.panes(), target)
    near = (target.startswith("foo") and ":9" not in target) or target == "wind"
    assert ("foobar:window1" in missing.value.hint) == near
    assert missing.value.code == "no-target"


def test_a_name_of_two_windows_is_refused_with_both_places(tmux: TmuxServer) -> None:
    first = tmux.new_session("one", "cat", window="dev")
    second = tmux.new_session("two", "cat", window="dev")
    with pytest.raises(RefusedError) as refused:
        resolve(tmux.panes(), "dev")
    assert refused.value.code == "ambiguous"
    assert f"{first.id} (one:dev)" in refused.value.message
    assert f"{second.id} (two:dev)" in refused.value.message
    assert resolve(tmux.panes(), "two:dev").id == second.id


def test_a_session_and_a_window_of_one_name_are_ambiguous(tmux: TmuxServer) -> None:
    tmux.new_session("dev", "cat", window="first")
    tmux.new_window("dev", "dev", "cat")
    with pytest.raises(RefusedError, match="ambiguous"):
        resolve(tmux.panes(), "dev")


def test_a_session_whose_only_window_has_its_name_is_that_window(tmux: TmuxServer) -> None:
    pane = tmux.new_session("dev", "cat", window="dev")
    assert resolve(tmux.panes(), "dev").id == pane.id


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_window_name_is_found(tmux: TmuxServer, name: str) -> None:
    tmux.new_session("main", "cat", window="other")
    literal = name.replace("#", "##") if name != "#[fg=red]" else name
    given = "\\;".join(literal.rsplit(";", 1)) if literal.endswith(";") else literal
    pane = tmux.new_window("main", given, "cat")
    # clean_name() in tmux's tmux.c, new in 3.7.
    kept = name.replace("\\", "\\\\") if TMUX_VERSION >= (3, 7) else name
    assert pane.window == kept
    assert resolve(tmux.panes(), f"main:{kept}").id == pane.id


def test_a_socket_in_an_odd_place_is_found_again(tmux: TmuxServer) -> None:
    odd = TmuxServer(Socket(path=str(tmux.directory / "$HOME ${x} \\$y #{pid}")), tmux.directory)
    pane = odd.new_session("main", "cat")
    assert pane.socket_path == odd.socket.path
    assert [one.id for one in list_panes(Socket(path=pane.socket_path))] == [pane.id]


def test_a_window_name_with_a_newline_does_not_break_the_list(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat", window="first")
    name = "a\n$0\t@0\t%0"
    if TMUX_VERSION >= (3, 7):
        with pytest.raises(AssertionError, match="invalid window name"):
            tmux.new_window("main", name, "cat")
        return
    pane = tmux.new_window("main", name, "cat")
    assert len(tmux.panes()) == 2
    assert "\n" not in tmux.pane(pane.id).window


def test_a_window_is_given_by_index_and_a_pane_by_index_or_id(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat", window="first")
    tmux.cmd("set-option", "-g", "base-index", "5")
    tmux.cmd("set-option", "-g", "pane-base-index", "3")
    tmux.cmd("new-session", "-d", "-s", "based", "-n", "dev", "cat")
    tmux.cmd("split-window", "-d", "-t", "based:", "cat")
    panes = tmux.panes()
    upper, lower = (pane for pane in panes if pane.session == "based")
    assert resolve(panes, "based:5").id == upper.id, "the active one"
    assert resolve(panes, "based:5.3").id == upper.id
    assert resolve(panes, "based:dev.4").id == lower.id
    assert resolve(panes, f"based:5.{lower.id}").id == lower.id
    with pytest.raises(NotFoundError):
        resolve(panes, "based:0")
    with pytest.raises(NotFoundError):
        resolve(panes, "based:5.0")


def test_ids_are_exact(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "cat")
    tmux.cmd("new-window", "-t", "main:", "-n", "front", "cat")
    panes = tmux.panes()
    assert resolve(panes, pane.id).id == pane.id
    assert resolve(panes, pane.window_id).id == pane.id
    assert resolve(panes, pane.session_id).window == "front", "the window that is shown"
    for missing in ("%999", "@999", "$999"):
        with pytest.raises(NotFoundError):
            resolve(panes, missing)


def test_a_session_with_a_colon_means_its_active_pane(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    tmux.cmd("new-window", "-t", "main:", "-n", "front", "cat")
    tmux.cmd("split-window", "-t", "main:front", "cat")
    found = resolve(tmux.panes(), "main:")
    assert (found.window, found.active) == ("front", True)


def test_a_dot_is_the_pane_that_torch_runs_in(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "cat")
    assert resolve(tmux.panes(), ".", {"TMUX_PANE": pane.id}).id == pane.id
    with pytest.raises(RefusedError, match="runs in none"):
        resolve(tmux.panes(), ".", {})


def test_an_empty_target_is_refused() -> None:
    with pytest.raises(RefusedError):
        resolve([], "")


def test_a_window_linked_twice_is_one_pane(tmux: TmuxServer) -> None:
    pane = tmux.new_session("one", "cat", window="shared")
    tmux.new_session("two", "cat", window="own")
    tmux.cmd("link-window", "-s", "one:shared", "-t", "two:")
    assert resolve(tmux.panes(), "shared").id == pane.id
    assert resolve(tmux.panes(), "two:shared").id == pane.id


def test_another_pane_s_directory_may_hold_anything(tmux: TmuxServer, tmp_path: Path) -> None:
    odd = tmp_path / "new\nline\t#{pane_id}"
    odd.mkdir()
    pane = tmux.new_session("main", "cat", window="dev")
    tmux.cmd("new-window", "-d", "-t", "main:", "-n", "odd", f"cd '{odd}'; exec cat")
    tmux.wait_until(
        lambda: (
            "new" in tmux.cmd("display-message", "-p", "-t", "main:odd", "#{pane_current_path}")
        ),
        "the odd directory",
    )
    assert len(tmux.panes()) == 2
    assert resolve(tmux.panes(), "dev").id == pane.id


@pytest.mark.skipif(not KEEPS_DEAD, reason="tmux 3.2 closes the pane")
@pytest.mark.parametrize("runs", ["exit 3", "kill -KILL $$"])
def test_a_pane_says_how_its_process_has_ended(tmux: TmuxServer, runs: str) -> None:
    """By its status or by a signal, never by both, and over an open connection, too."""
    tmux.new_session("other", "cat")
    tmux.cmd("set-option", "-g", "remain-on-exit", "on")
    pane = tmux.new_session("main", "sh", "-c", runs)
    wait_until(lambda: tmux.pane(pane.id).dead, what="its end")
    expected = (3, None) if runs == "exit 3" else (None, 9)
    with ControlClient(tmux.socket, pane.session_id) as open_client:
        for client in (None, open_client):
            dead = with_end(pane._replace(dead=True), client)
            assert (dead.dead_status, dead.dead_signal) == expected


def test_a_pane_whose_process_runs_has_not_ended(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "cat")
    assert with_end(pane) is pane


def test_a_signal_is_said_with_its_number_and_name() -> None:
    """Which one it was is unknown to a tmux before 3.3."""
    assert procs.signal_words(15) == "signal 15 (SIGTERM)"
    assert procs.signal_words(40) == "signal 40"
    assert procs.signal_words(None) == "a signal"


def test_a_server_that_is_not_there_is_said_so(tmux: TmuxServer) -> None:
    with pytest.raises(NotFoundError) as missing:
        list_panes(tmux.socket)
    assert missing.value.code == "no-server"
    assert list(tmux.directory.rglob("t")) == [], "none was started"


@pytest.mark.parametrize(
    ("version", "fits"),
    [("3.1c", False), ("2.9a", False), ("3.2", True), ("3.3a", True), ("next-3.7", True)],
)
def test_a_tmux_that_is_too_old_is_refused(version: str, fits: bool) -> None:
    if fits:
        check_version(version)
    else:
        with pytest.raises(RefusedError, match="too old"):
            check_version(version)


def test_the_server_is_chosen_by_path_name_environment_then_default() -> None:
    inside = {"TMUX": "/tmp/a,b/s,123,0"}
    both = {**inside, "TORCH_TMUX_SOCKET": "named"}
    assert Socket.choose("n", "/p", both) == Socket(path="/p", demanded=True)
    assert Socket.choose("n", None, both) == Socket(name="n", demanded=True)
    assert Socket.choose(None, None, both) == Socket(name="named")
    assert Socket.choose(None, None, {"TORCH_TMUX_SOCKET": "/x/y"}) == Socket(path="/x/y")
    assert Socket.choose(None, None, inside) == Socket(path="/tmp/a,b/s")
    assert Socket.choose(None, None, {}) == Socket(name="default")
