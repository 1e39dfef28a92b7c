"""The control-mode client: exact, bounded in time, and without a trace."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from conftest import TMUX_VERSION, TmuxServer
from torch_cli import procs
from torch_cli.errors import NotFoundError, TimedOutError
from torch_cli.tmux import connection, quote
from torch_cli.tmux.control import ControlClient, TmuxError
from torch_cli.tmux.panes import capture, capture_one, list_panes, look_over, screen_of
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket


@pytest.fixture(autouse=True, params=["own", "process"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to connect, where the tmux at hand is one for both."""
    if request.param == "process":
        monkeypatch.setattr(connection, "speaks", lambda _: False)


@contextmanager
def stopped(tmux: TmuxServer) -> Iterator[None]:
    """The server's process is stopped for a while."""
    pid = tmux.panes()[0].server_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def seconds(act: Callable[[], object]) -> float:
    start = time.monotonic()
    act()
    return time.monotonic() - start


def test_attaching_changes_no_window_s_size(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "cat", size=(133, 37))
    with tmux.client() as client:
        client.call("display-message", "-p", "hello")
        now = tmux.pane(pane.id)
        assert (now.width, now.height) == (133, 37)
        tmux.new_window("main", "later", "cat")
        # tmux 3.2 gives a new window no size but its own.
        own = {(80, 24)} if TMUX_VERSION < (3, 3) else set()
        assert {(p.width, p.height) for p in tmux.panes()} == {(133, 37)} | own


def test_attaching_leaves_the_session_s_environment(
    tmux: TmuxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":before")
    tmux.new_session("main", "cat")
    tmux.cmd("set-option", "-g", "update-environment", "DISPLAY SSH_AUTH_SOCK")
    before = tmux.cmd("show-environment", "-t", "main")
    monkeypatch.setenv("DISPLAY", ":after")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/after")
    with tmux.client() as client:
        client.call("display-message", "-p", "hello")
        assert tmux.cmd("show-environment", "-t", "main") == before
    assert "DISPLAY=:before" in before


def test_attaching_moves_nobody_to_another_window(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat", window="first")
    tmux.new_window("main", "second", "cat")
    with tmux.client():
        shown = [pane.window for pane in tmux.panes() if pane.window_active]
    assert shown == ["first"]


def test_closing_leaves_no_client_and_no_process(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with tmux.client() as client:
        assert len(tmux.cmd("list-clients").splitlines()) == 1
    assert client.closed
    tmux.wait_until(lambda: tmux.cmd("list-clients") == "", "the client's end")


def test_a_server_that_ends_does_not_wait_for_a_client(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    server = procs.identify(tmux.panes()[0].server_pid)
    assert server is not None
    with tmux.client() as client:
        client.call("display-message", "-p", "hello")
        tmux.cmd("kill-server")
        tmux.wait_until(lambda: not procs.alive(server), "the server's end")
        with pytest.raises(NotFoundError):
            client.call("display-message", "-p", "hello")


@pytest.mark.parametrize("command", ["detach-client -t {}", "kill-session -t main"])
def test_a_client_that_is_sent_away_goes(tmux: TmuxServer, command: str) -> None:
    tmux.new_session("main", "cat")
    tmux.new_session("other", "cat")
    with tmux.client() as client:
        name = tmux.cmd("list-clients", "-F", "#{client_name}")
        tmux.cmd(*command.format(name).split())
        tmux.wait_until(lambda: tmux.cmd("list-clients") == "", "its end")
        with pytest.raises(NotFoundError):
            client.call("display-message", "-p", "hello")


def test_no_server_is_started(tmux: TmuxServer) -> None:
    with pytest.raises(NotFoundError) as missing:
        ControlClient(tmux.socket, "$0")
    assert missing.value.code == "no-server"
    assert list(tmux.directory.rglob("t")) == []


def test_a_path_without_a_server_is_said_so(tmux: TmuxServer) -> None:
    with pytest.raises(NotFoundError, match="nothing-here"):
        ControlClient(Socket(path=str(tmux.directory / "nothing-here")), "$0")


def test_a_session_that_is_not_there_is_said_so(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with pytest.raises(NotFoundError) as missing:
        ControlClient(tmux.socket, "$99")
    assert missing.value.code == "no-session"


def test_a_missing_tmux_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH_TMUX", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotFoundError) as missing:
        list_panes(Socket())
    assert missing.value.code == "no-tmux"


def test_a_stopped_server_costs_no_more_than_the_time_limit(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with tmux.client() as client, stopped(tmux):
        client._timeout = 0.3

        def call() -> None:
            with pytest.raises(TimedOutError):
                client.call("display-message", "-p", "hello")

        def connect() -> None:
            with pytest.raises(TimedOutError):
                ControlClient(tmux.socket, "$0", timeout=0.3)

        def command() -> None:
            with pytest.raises(TimedOutError):
                run(tmux.socket, "list-panes", timeout=0.3)

        for act in (call, connect, command):
            assert seconds(act) < 10


def test_a_server_that_ends_is_noticed_at_once(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with tmux.client(timeout=100) as client:
        tmux.cmd("kill-server")

        def call() -> None:
            with pytest.raises(NotFoundError):
                client.call("display-message", "-p", "hello")

        assert seconds(call) < 50


def test_a_refused_command_gives_tmux_s_words(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with tmux.client() as client:
        with pytest.raises(TmuxError, match="can't find pane"):
            client.call("capture-pane", "-p", "-t", "%99")
        assert client.call("display-message", "-p", "still here").text == "still here"


def test_every_line_gets_its_own_replies_in_order(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    lines = [quote.line("display-message", "-p", str(number)) for number in range(300)]
    lines[7] = quote.line("capture-pane", "-p", "-t", "%99")
    with tmux.client() as client:
        replies = client.ask_all(lines)
    assert [reply.ok for reply in replies] == [number != 7 for number in range(300)]
    assert replies[299].text == "299"


def test_a_pane_that_imitates_the_protocol_does_not_break_the_capture(tmux: TmuxServer) -> None:
    stamp = int(time.time())
    rows = [f"%end {stamp} {number} 1" for number in range(250, 262)]
    rows += ["%begin 1 2 1", "%error 1 2 1", "%exit", "%output %0 x", "torch.0.1"]
    pane = tmux.new_session("main", "sh", "-c", "stty -echo; cat", size=(60, 30))
    tty = tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}")
    with open(tty, "wb", buffering=0) as screen:
        screen.write("\r\n".join(rows).encode())
    tmux.wait_for_text(pane, "torch.0.1")
    with tmux.client() as client:
        for _ in range(20):
            assert list(capture_one(client, pane).lines[: len(rows)]) == rows


def test_output_is_counted_for_each_pane_and_waiting_ends_with_it(tmux: TmuxServer) -> None:
    loud = tmux.new_session("main", "cat", window="loud")
    quiet = tmux.new_window("main", "quiet", "cat")
    with tmux.client() as client:
        seen = client.output.get(loud.id, 0)
        tmux.cmd("send-keys", "-t", loud.id, "-l", "hello")
        start = time.monotonic()
        assert client.wait_output(loud.id, seen, 100) > seen
        assert time.monotonic() - start < 50
        assert client.output.get(quiet.id, 0) == 0
        assert client.wait_output(quiet.id, 0, 0.05) == 0


def test_panes_are_listed_alike_over_a_client_and_by_a_command(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat", window="a b:c.d 👩‍💻 ü")
    tmux.new_window("main", "second", "cat")
    with tmux.client() as client:
        over_client, by_command = list_panes(tmux.socket, client), list_panes(tmux.socket)
    # A program may have started another between the two.
    assert [pane._replace(command="") for pane in over_client] == [
        pane._replace(command="") for pane in by_command
    ]


@pytest.mark.parametrize("title", ["", "◐ Fix the  parser", "a b 1 2 ", "$HOME #{pane_id} \\"])
def test_a_panes_title_is_read_as_it_is(tmux: TmuxServer, title: str) -> None:
    pane = tmux.new_session("main", "sh", "-c", "stty -echo; cat")
    tty = tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}")
    with open(tty, "wb", buffering=0) as screen:
        screen.write(f"\x1b]2;first\a\x1b]2;{title}\adrawn\x1b[?1049h".encode())
    with tmux.client() as client:

        def read() -> list[tuple[str, bool]]:
            seen = [
                capture_one(client, pane),
                screen_of(look_over(client)[0].facts, ""),
            ]
            return [(one.title, one.alternate) for one in seen]

        tmux.wait_until(lambda: read() == [(title, True)] * 2, f"the title {title!r}")


def test_a_pane_that_is_gone_or_replaced_has_no_screen(tmux: TmuxServer) -> None:
    kept = tmux.new_session("main", "cat")
    gone = tmux.new_window("main", "gone", "cat")
    replaced = tmux.new_window("main", "replaced", "cat")
    tmux.cmd("kill-pane", "-t", gone.id)
    tmux.cmd("respawn-pane", "-k", "-t", replaced.id, "cat")
    with tmux.client() as client:
        screens = capture(client, [gone, kept, replaced, kept])
        assert [screen is not None for screen in screens] == [False, True, False, True]
        with pytest.raises(NotFoundError, match=re.escape(gone.id)):
            capture_one(client, gone)


def test_a_megabyte_goes_through_in_one_exchange(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    text = "x\n" * 500_000
    with tmux.client() as client:
        client.call("set-buffer", "-b", "big", text)
        assert client.call("show-buffer", "-b", "big").text + "\n" in (text, text + "\n")


def test_the_answer_to_what_took_too_long_is_not_that_to_the_next(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with tmux.client() as client:
        client._timeout = 0.3
        with stopped(tmux), pytest.raises(TimedOutError):
            client.call("display-message", "-p", "one")
        client._timeout = 30.0
        assert client.call("display-message", "-p", "two").text == "two"
        assert [one.text for one in client.ask(b"display-message -p 3 ; display-message -p 4")] == [
            "3",
            "4",
        ]


def test_after_half_a_line_no_other_is_sent(tmux: TmuxServer) -> None:
    """tmux would take the next line for the end of it."""
    pane = tmux.new_session("main", "cat")
    with tmux.client() as client:
        client._timeout = 0.3
        with stopped(tmux), pytest.raises(TimedOutError):
            client.call("set-buffer", "-b", "half", "x" * 500_000)
        client._timeout = 30.0
        with pytest.raises(TimedOutError):
            client.call("display-message", "-p", "two")
    assert tmux.cmd("list-buffers") == ""
    assert tmux.pane(pane.id)
