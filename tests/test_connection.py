"""The control client of our own: no server dies of it, whoever connects, and whoever is killed."""

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import SOURCE, TmuxServer
from torch_cli import procs
from torch_cli.errors import NotFoundError, TimedOutError
from torch_cli.tmux import connection, control, version
from torch_cli.tmux.control import ControlClient

STORM = """
import os, random, sys, threading
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

socket, session = Socket(sys.argv[1]), sys.argv[2]
if sys.argv[3] == "killed":
    ControlClient(socket, session).call("display-message", "-p", "here")
    threading.Timer(random.uniform(0, 0.01), os.kill, (os.getpid(), 9)).start()
while sys.argv[3] == "killed":
    ControlClient(socket, session)
for _ in range(60):
    with ControlClient(socket, session) as client:
        client.call("next-window")
    run(socket, "set-buffer", "-b", "b", "x")
"""


def test_clients_that_come_and_go_and_are_killed_do_not_end_the_server(tmux: TmuxServer) -> None:
    """With ``tmux -C`` alone, tmux 3.2 to 3.6 ends here, and every session with it."""
    session = tmux.new_session("main", "cat").session_id
    tmux.new_window("main", "second", "cat")
    argv = [sys.executable, "-c", STORM, tmux.socket.name, session]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    steady = [subprocess.Popen([*argv, "steady"], env=env) for _ in range(4)]
    while any(child.poll() is None for child in steady):
        with subprocess.Popen([*argv, "killed"], env=env) as killed:
            assert killed.wait(60) == -signal.SIGKILL
    assert [child.wait(60) for child in steady] == [0] * len(steady)
    assert len(tmux.panes()) == 2
    tmux.wait_until(lambda: tmux.cmd("list-clients") == "", "the end of the killed ones' clients")


@pytest.mark.parametrize("answered", [True, False])
def test_clients_that_leave_while_a_pane_writes_do_not_end_the_server(
    tmux: TmuxServer, answered: bool
) -> None:
    """Before 3.7 it ends if it finds the end of a client's input while output is on its way.

    Stopped for a moment, as a busy machine does, it finds all that at once.
    """
    pane = tmux.new_session("main", sys.executable, "-c", "while True: print('one more line')")

    def leave(client: ControlClient) -> None:
        if not answered:
            client._timeout = 0.1
            with pytest.raises(TimedOutError):
                client.call("display-message", "-p", "there")
        client.close()

    for _ in range(25 if answered else 10):
        clients = [ControlClient(tmux.socket, pane.session_id) for _ in range(8)]
        for client in clients:
            client.call("display-message", "-p", "here")
        os.kill(pane.server_pid, signal.SIGSTOP)
        leaving = [threading.Thread(target=leave, args=(client,)) for client in clients]
        try:
            for thread in leaving:
                thread.start()
            # A moment, in which the pane writes on and the clients leave.
            time.sleep(0.05 if answered else 0.2)
        finally:
            os.kill(pane.server_pid, signal.SIGCONT)
        for thread in leaving:
            thread.join()
    assert tmux.pane(pane.id).server_pid == pane.server_pid


def test_a_server_without_room_for_another_client_is_waited_for(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "cat")
    attach = ["attach-session", "-E", "-f", "ignore-size", "-t", pane.session_id]
    with contextlib.ExitStack() as waiting:
        os.kill(pane.server_pid, signal.SIGSTOP)
        waiting.callback(os.kill, pane.server_pid, signal.SIGCONT)
        with contextlib.suppress(BlockingIOError):
            while True:
                one = waiting.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                one.connect(tmux.socket.file)
        with pytest.raises(TimeoutError):
            connection.Connection(tmux.socket, pane.version, attach, timeout=0.3)
    with tmux.client() as client:
        assert client.call("display-message", "-p", "here").text == "here"


def test_a_server_in_the_place_of_another_is_asked_for_its_own_version(tmux: TmuxServer) -> None:
    server = tmux.new_session("main", "cat").server_pid
    version.note(tmux.socket, "1.0")
    assert version.of_server(tmux.socket) == "1.0"
    tmux.cmd("kill-server")
    tmux.wait_until(lambda: procs.identify(server) is None, "its end")
    found = tmux.new_session("main", "cat")
    assert version.of_server(tmux.socket) == found.version


def test_a_server_that_ends_meanwhile_is_said_not_to_be_there(tmux: TmuxServer) -> None:
    """Its socket is there, and hears nobody out."""
    pane = tmux.new_session("main", "cat")
    tmux.cmd("kill-server")
    tmux.wait_until(lambda: procs.identify(pane.server_pid) is None, "its end")
    os.unlink(tmux.socket.file)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(tmux.socket.file)
        deaf.listen()
        version.note(tmux.socket, "3.3a")

        def hang_up() -> None:
            while True:
                try:
                    deaf.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(NotFoundError) as missing:
            ControlClient(tmux.socket, pane.session_id)
        deaf.shutdown(socket.SHUT_RDWR)
    assert missing.value.code == "no-server"


@pytest.mark.parametrize("name", ["3.2", "3.2a", "3.3", "3.3a", "3.4", "3.5a", "3.6b"])
def test_servers_that_could_die_are_spoken_to(name: str) -> None:
    assert connection.speaks(name)


@pytest.mark.parametrize(
    "name", ["3.1c", "3.7", "3.7c", "next-3.6", "3.6-rc", "13.3", "openbsd-7.6", ""]
)
def test_others_are_not(name: str) -> None:
    assert not connection.speaks(name)


HOLDER = """
import os, sys
from torch_cli.tmux.connection import Connection
from torch_cli.tmux.socket import Socket

held = [os.open("/dev/null", os.O_RDONLY) for _ in range(6)]
for number in held[::2]:
    os.close(number)
connection = Connection(Socket(path=sys.argv[1]), "3.3a", ["attach-session"], timeout=10)
print("here", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells what came first")
def test_of_a_killed_client_the_connection_ends_before_its_input(tmp_path: Path) -> None:
    """Else a server before 3.7 can end, as above: it forgets a client whose connection has ended.

    Linux closes the highest descriptor of a killed process first.
    """
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
        ) as holder:
            peer, _ = server.accept()
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"here\n"
            numbers: list[int] = []
            while len(numbers) < 2:
                numbers += socket.recv_fds(peer, 4096, 2)[1]
            while select.select([peer], [], [], 0)[0]:
                peer.recv(4096)
            with select.epoll() as ends:
                for number in (peer.fileno(), numbers[0]):
                    ends.register(number, select.EPOLLIN)
                holder.kill()
                holder.wait()
                found = [number for number, _ in ends.poll(60)]
            assert found == [peer.fileno(), numbers[0]]
            peer.close()
            for number in numbers:
                os.close(number)


@pytest.mark.parametrize("fault", ["no version", "hung up"])
def test_a_server_that_does_not_tell_its_version_gets_no_client_that_could_end_it(
    tmux: TmuxServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """It was stopped, or busy, for a moment: ``tmux -C`` is for versions that it cannot end."""
    session = tmux.new_session("main", "cat").session_id
    tries: list[str] = []

    def hang_up(*_given: object, **_named: object) -> None:
        tries.append(fault)
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    if fault == "no version":
        monkeypatch.setattr(control, "of_server", lambda socket: "")
    else:
        monkeypatch.setattr(connection, "Connection", hang_up)
    monkeypatch.setattr(control, "Pipes", lambda *given, **named: pytest.fail("tmux -C"))
    with pytest.raises(NotFoundError, match="no tmux server answers"):
        ControlClient(tmux.socket, session)
    assert len(tries) == (0 if fault == "no version" else 2)
