"""libtmux's objects over Torch's connection, on a real tmux: right where libtmux alone is not."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import libtmux
import pytest
from libtmux import Session
from libtmux.exc import LibTmuxException

from conftest import PATIENCE, SOURCE, TmuxServer, wait_until
from torch_cli import procs
from torch_cli.errors import NotFoundError, RefusedError, TimedOutError
from torch_cli.tmux import server as tmux_server
from torch_cli.tmux.server import Server
from torch_cli.tmux.window import open_window


@pytest.fixture
def server(tmux: TmuxServer) -> Iterator[Server]:
    """Where libtmux's own fixtures, such as ``session``, work on."""
    with Server(tmux.socket, timeout=PATIENCE) as server:
        yield server


@pytest.fixture
def session_params() -> dict[str, str]:
    """What libtmux's fixture ``session`` is made with."""
    return {"window_command": "cat"}


def test_objects_are_those_of_libtmux(server: Server) -> None:
    session = server.new_session("work", window_command="cat")
    window = session.new_window("logs", window_shell="cat", attach=False)
    assert isinstance(server, libtmux.Server)
    assert type(session) is libtmux.Session
    assert type(window) is libtmux.Window
    assert [pane.window_name for pane in server.panes] == [session.windows[0].window_name, "logs"]
    window.rename_window("output")
    assert [one.window_name for one in session.windows][1:] == ["output"]
    session.set_environment("COLOUR", "blue")
    assert session.getenv("COLOUR") == "blue"
    window.kill()
    assert len(server.windows) == 1


def test_a_server_that_is_not_there_has_no_sessions(server: Server) -> None:
    assert not server.is_alive()
    assert server.sessions == []
    with pytest.raises(NotFoundError):
        server.raise_if_dead()


def test_commands_go_over_one_connection(server: Server, tmux: TmuxServer) -> None:
    session = server.new_session("work", window_command="cat")
    clients = "#{client_control_mode} #{client_created} #{client_pid}"
    first = server.cmd("list-clients", "-F", clients).stdout
    for _ in range(5):
        assert session.panes
    assert server.cmd("list-clients", "-F", clients).stdout == first
    assert len(first) == 1
    server.close()
    assert tmux.cmd("list-clients") == ""


def test_a_directory_with_a_newline_hides_nothing(
    server: Server, tmux: TmuxServer, tmp_path: Path
) -> None:
    odd = tmp_path / "two\nlines"
    odd.mkdir()
    window = open_window(tmux.socket, name="odd", directory=str(odd), session="work")
    open_window(tmux.socket, name="even", directory=str(tmp_path), session="work")
    found = {pane.pane_id: pane.pane_current_path for pane in server.panes}
    assert len(found) == 2
    assert found[window.pane.id] == str(odd)
    assert server.sessions[0].windows[0].panes[0].pane_current_path == str(odd)
    with pytest.raises(ValueError, match="zip"):
        assert libtmux.Server(socket_name=tmux.socket.name).panes


def test_a_window_in_two_sessions_is_one(server: Server) -> None:
    window = server.new_session("work", window_command="cat").active_window
    server.new_session("other", window_command="cat")
    server.cmd("link-window", "-d", "-s", str(window.window_id), "-t", "other:9")
    pane = server.pane(str(window.panes[0].pane_id))
    assert pane is not None
    assert pane.window_id == window.window_id
    assert server.window(str(window.window_id)) == window
    assert server.pane("%99") is None
    assert server.window("@99") is None


def test_a_directory_is_never_read_as_a_format(
    server: Server, tmux: TmuxServer, tmp_path: Path
) -> None:
    odd = tmp_path / "#(echo ran)#{pane_id}"
    odd.mkdir()
    opened = open_window(
        tmux.socket, name="#(echo ran)#S", directory=str(odd), session="work", command=["cat"]
    )
    pane = server.panes.get(pane_id=opened.pane.id)
    assert pane is not None
    assert pane.pane_current_path == str(odd)
    assert pane.window_name == "#(echo ran)#S"


def test_names_and_directories_that_libtmux_is_given_are_never_read_as_formats(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a command would run
    name = "#(touch ran)#S"
    odd = tmp_path / "#(touch ran)#{pane_id}"
    odd.mkdir()
    session = server.new_session(name, window_name=name, start_directory=odd, window_command="cat")
    window = session.new_window(name, start_directory=odd, window_shell="cat", attach=False)
    pane = window.split(start_directory=odd, shell="cat")
    assert (session.session_name, session.windows[0].window_name) == (name, name)
    assert window.window_name == name
    assert {one.pane_current_path for one in server.panes} == {str(odd)}
    window.rename_window("#(touch ran)#W")
    session.rename_session("#(touch ran)#W")
    pane.set_title("#(touch ran)#T")
    shown = server.cmd("display-message", "-p", "-t", pane.pane_id, "#S #W #T").stdout
    assert shown == ["#(touch ran)#W #(touch ran)#W #(touch ran)#T"]
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("name", ["-x", "--", "-t", "a;", ";", "#S", "it's"])
def test_a_name_is_not_read_as_an_option_or_a_command(session: Session, name: str) -> None:
    window = session.active_window
    window.rename_window(name)
    session.rename_session(name)
    assert session.server.cmd("display-message", "-p", "-t", window.window_id, "#W #S").stdout == [
        f"{name} {name}"
    ]
    session.server.cmd("rename-window", "-t", str(window.window_id), "--", name)
    window.refresh()
    assert window.window_name == name


@pytest.mark.parametrize(
    "value",
    [
        "exec $SHELL",
        'say "$HOME"',
        "it's",
        "back\\slash",
        "tab\there",
        "~",
        ";",
        "-x y",
        " ",
        "",
        "é€",
    ],
)
def test_the_value_of_an_option_is_what_was_set(session: Session, value: str) -> None:
    """libtmux alone reads ``exec \\$SHELL``, and ``tabthere``."""
    session.set_option("default-command", value)
    assert session.show_option("default-command") == value
    assert session.active_pane is not None
    pane = session.active_pane
    pane.set_option("@mine", value)
    assert pane.show_option("@mine") == value
    pane.unset_option("@mine")
    with pytest.raises(LibTmuxException):
        pane.show_option("@mine")


@pytest.mark.parametrize("value", ["two\nlines", "\n", "a=b", "-x", "$HOME;", "", "é€"])
def test_a_variable_of_a_session_is_what_was_set(session: Session, value: str) -> None:
    """libtmux alone reads the first line."""
    session.set_environment("MINE", value)
    assert session.getenv("MINE") == value
    session.unset_environment("MINE")
    assert session.getenv("MINE") is None


def test_a_server_that_is_started_reads_the_file_it_is_given(
    tmux: TmuxServer, tmp_path: Path
) -> None:
    config = tmp_path / "my.conf"
    config.write_text("set-option -g @mine yes\n")
    with Server(tmux.socket, config_file=str(config), timeout=PATIENCE) as server:
        session = server.new_session("work", window_command="cat")
        assert session.show_option("@mine", global_=True) == "yes"
        assert server.session(str(session.session_id)) == session
        assert server.session("$99") is None


def test_a_command_goes_to_no_shell(
    server: Server, tmux: TmuxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libtmux has one text for a command, which tmux gives to the user's shell: here, to none."""
    monkeypatch.setenv("SHELL", "/bin/false")
    words = ("sh", "-c", "read -r line; : $HOME '#S' \\n", "#{pane_id};")
    opened = open_window(
        tmux.socket, name="dev", session="work", directory=str(tmp_path), command=words
    )
    assert opened.rooted
    assert procs.arguments(opened.pane.pid) == list(words)
    session = server.session(opened.pane.session_id)
    assert session is not None
    with contextlib.suppress(LibTmuxException):  # it may be gone before libtmux looks
        session.new_window("other", window_shell="cat")
    wait_until(lambda: [w.window_name for w in session.windows] == ["dev"], what="its end")


@pytest.mark.parametrize("literal", [True, False])
@pytest.mark.parametrize("text", ["-foo", ";", "a;", "--", "-- x", "$HOME #{pane_id} \\;", "é€"])
def test_typed_text_is_not_read_as_anything_else(
    server: Server, text: str, *, literal: bool
) -> None:
    pane = server.new_session("work", window_command="cat").active_window.panes[0]
    pane.send_keys(text, enter=False, literal=literal)
    wait_until(lambda: pane.capture_pane()[:1] == [text], what=f"{text!r} in the pane")


@pytest.mark.parametrize("text", ["Enter", "-R", "-X"])
def test_literal_text_is_no_key_and_no_option(server: Server, text: str) -> None:
    pane = server.new_session("work", window_command="cat").active_window.panes[0]
    pane.send_keys(text, enter=False, literal=True)
    wait_until(lambda: pane.capture_pane()[:1] == [text], what=f"{text!r} in the pane")


def test_bytes_that_are_not_utf_8_are_kept(server: Server, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    os.mkdir(odd)
    session = server.new_session("work", window_command="cat", start_directory=odd)
    assert session.active_window.panes[0].pane_current_path == odd


def test_a_target_that_begins_like_another_is_not_it(server: Server) -> None:
    server.new_session("worker", window_command="cat")
    assert not server.has_session("work")
    assert server.has_session("worker")


def test_what_takes_a_target_takes_nothing_that_begins_like_it(server: Server) -> None:
    session = server.new_session("worker", window_name="logs", window_command="cat")
    with pytest.raises(LibTmuxException, match="can't find session"):
        server.kill_session("work")
    with pytest.raises(LibTmuxException, match="can't find window"):
        session.select_window("log")
    with pytest.raises(LibTmuxException, match="can't find session"):
        session.kill_window("work:logs")
    with pytest.raises(RefusedError, match="not of which session"):
        session.kill_window("logs")
    assert [one.window_name for one in session.windows] == ["logs"]
    assert session.select_window("logs").window_name == "logs"
    assert session.select_window(str(session.windows[0].window_index)).window_name == "logs"
    assert server.cmd("list-windows", "-F", "#W", target="worker").stdout == ["logs"]
    server.kill_session("worker")
    assert not server.is_alive()


def test_nothing_is_typed_into_a_pane_whose_program_has_ended(
    server: Server, tmux: TmuxServer
) -> None:
    server.new_session("other", window_command="cat")
    pane = server.new_session("work", window_command="cat").active_window.panes[0]
    pane.set_option("remain-on-exit", "on")
    server.cmd("set-buffer", "text")
    pane.send_keys("C-d", enter=False)
    shown = ("display-message", "-p", "-t", pane.pane_id, "#{pane_dead}")
    wait_until(lambda: server.cmd(*shown).stdout == ["1"], what="its end")
    for act in (lambda: pane.send_keys("text"), lambda: pane.cmd("paste-buffer")):
        with pytest.raises(RefusedError, match="has ended"):
            act()
    assert len(server.sessions) == 2, "a paste to a dead pane ends the server of 3.3a"


def test_two_commands_in_one_are_parted_as_libtmux_means_it(server: Server) -> None:
    pane = server.new_session("work", window_command="cat").active_window.panes[0]
    pane.send_keys("text", enter=True, literal=True)
    wait_until(lambda: pane.capture_pane() == ["text", "text"], what="the echo")
    pane.reset()
    assert pane.capture_pane() == []


def test_what_tmux_refuses_is_said_in_its_words(server: Server) -> None:
    server.new_session("work", window_command="cat")
    answers = {
        words: server.cmd(*words)
        for words in (("kill-pane", "-t", "%99"), ("new-window", "-t", "gone:"), ("nonsense",))
    }
    said = [answer.stderr[0] for answer in answers.values()]
    assert said[:2] == ["can't find pane: %99", "can't find session: gone"]
    assert "unknown command" in said[2]
    assert all(answer.returncode == 1 and not answer.stdout for answer in answers.values())


def test_a_session_that_ends_takes_the_connection_with_it(server: Server) -> None:
    first = server.new_session("first", window_command="cat")
    server.new_session("second", window_command="cat")
    assert len(server.sessions) == 2
    first.kill()
    assert [one.session_name for one in server.sessions] == ["second"]
    server.kill()
    assert server.sessions == []
    assert not server.is_alive()


def test_leaving_it_leaves_the_server_alone(tmux: TmuxServer) -> None:
    with Server(tmux.socket) as server:
        server.new_session("work", window_command="cat")
    assert tmux.cmd("list-sessions", "-F", "#{session_name}") == "work"


def test_a_server_that_nobody_holds_lets_go_of_its_connection(tmux: TmuxServer) -> None:
    tmux.cmd("new-session", "-d", "cat")
    pane = Server(tmux.socket).pane("%0")
    assert pane is not None
    assert pane.pane_id == "%0"
    assert pane.cmd("display-message", "-p", "#{pane_id}").stdout == ["%0"]
    assert len(tmux.cmd("list-clients").splitlines()) == 1
    del pane
    wait_until(lambda: tmux.cmd("list-clients") == "", what="the end of the connection")


def test_a_server_that_is_stopped_is_not_waited_for_without_end(tmux: TmuxServer) -> None:
    with Server(tmux.socket) as starting:
        starting.new_session("work", window_command="cat")
    with Server(tmux.socket, timeout=2.0) as server:
        assert len(server.panes) == 1
        pid = int(tmux.cmd("display-message", "-p", "#{pid}"))
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(TimedOutError):
                server.cmd("list-sessions")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert time.monotonic() - began < 30


def test_libtmux_of_others_is_left_as_it_is(tmux: TmuxServer, server: Server) -> None:
    server.new_session("work", window_command="cat")
    server.close()
    plain = libtmux.Server(socket_name=tmux.socket.name)
    assert len(plain.panes) == 1
    assert tmux.cmd("list-clients") == ""


def test_secrets_do_not_show_in_the_list_of_processes(server: Server, tmp_path: Path) -> None:
    """A window's environment goes to tmux on standard input: no process has it as an argument."""
    session = server.new_session("work", window_command="cat")
    code = "import os, sys; sys.stdout.write(os.environ['SECRET'])"
    # libtmux looks at the window afterwards: it has to be there.
    shell = f"{sys.executable} -c {code!r} > {tmp_path}/out; cat"
    session.new_window("w", environment={"SECRET": "two\nlines"}, window_shell=shell)
    out = tmp_path / "out"
    wait_until(lambda: out.exists() and out.read_text() == "two\nlines", what="the secret")


def test_importing_it_is_what_costs(tmp_path: Path) -> None:
    """Only this module imports libtmux, so what does not need it does not pay for it."""
    asked = ["grep", "-rlE", r"^\s*(import|from) libtmux", "--include=*.py", str(SOURCE)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    found = {str(Path(line).relative_to(SOURCE / "torch_cli")) for line in done.stdout.split()}
    assert found == {"tmux/server.py", "tmux/answer.py", "api.py"}  # the last for its types


def test_who_speaks_to_tmux_without_it_is_named_with_the_reason(tmux: TmuxServer) -> None:
    """The table in ``tmux/server.py`` has a row for every module that has a command of tmux."""
    commands = tmux.cmd("list-commands", "-F", "#{command_list_name}").split()
    speaks = re.compile(f"[\"'](?:{'|'.join(commands)})[ \"']")
    of_it = {"tmux.server", "tmux.answer", "tmux.wording"}
    words = {"cli.meant"}  # that people may have meant
    root = SOURCE / "torch_cli"
    speaking = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in root.rglob("*.py")
        if speaks.search(path.read_text(encoding="utf-8"))
    }
    table = re.split(r"\n=+\n", str(tmux_server.__doc__))[1]
    named = {
        name if "." in name else f"tmux.{name}" for name in re.findall(r"``([a-z_.]+)``:", table)
    }
    assert speaking - of_it - words == named
