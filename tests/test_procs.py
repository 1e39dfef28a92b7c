"""Facts about real processes."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import TmuxServer, wait_until
from torch_cli import procs

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
both_ways = pytest.mark.usefixtures("way")


@pytest.fixture(params=["this platform's way", "by psutil"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test in both ways of finding facts; macOS has only the second."""
    if request.param == "by psutil":
        monkeypatch.setattr(procs, "_LINUX", False)


@contextmanager
def running(*argv: str, cwd: str | bytes | None = None) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(argv, cwd=cwd)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@both_ways
def test_a_running_process_has_a_lasting_identity() -> None:
    first = procs.identify(os.getpid())
    assert first is not None
    assert first == procs.identify(os.getpid())
    assert procs.alive(first)


@linux
def test_a_process_never_seems_to_have_begun_later_than_it_did() -> None:
    """What it writes would be taken for an earlier process's then."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    for _ in range(40):  # /proc/uptime, which is cut to 10 ms, is too late in every second try
        before = time.time()
        with running("sleep", "60") as child:
            after = time.time()
            process = procs.identify(child.pid)
            assert process is not None
            begun = procs.begun(process)
            assert begun is not None
            assert begun <= after
            assert begun >= before - tick - 1.0  # whatever came between the two clocks


@both_ways
def test_a_process_that_never_was_has_none() -> None:
    assert procs.identify(2**30) is None
    assert procs.identify(0) is None
    assert procs.identify(-1) is None
    assert procs.directory(2**30) is None
    assert procs.foreground(2**30) is None
    assert procs.descendants(2**30) == []


@both_ways
def test_a_later_process_with_the_same_number_is_another() -> None:
    me = procs.identify(os.getpid())
    assert me is not None
    assert not procs.alive(me._replace(started="1"))


@both_ways
def test_a_zombie_is_not_alive() -> None:
    with running("sleep", "60") as child:
        process = procs.identify(child.pid)
        assert process is not None
        child.kill()  # and nobody has waited for it yet
        wait_until(lambda: not procs.alive(process), what="the death")
        assert procs.identify(child.pid) == process, "the zombie is still there"
        assert procs.directory(child.pid) is None


@linux
@pytest.mark.parametrize("name", ["a b", ") R 1 (", "x) Z 0 0 0", "((", "\n\n"])
def test_a_program_s_name_cannot_pass_for_its_status(tmp_path: Path, name: str) -> None:
    sleep = shutil.which("sleep")
    assert sleep
    program = tmp_path / name
    shutil.copy(sleep, program)
    with running(str(program), "60") as child:
        wait_until(lambda: Path(f"/proc/{child.pid}/comm").read_text() != "python", what="exec")
        process = procs.identify(child.pid)
        assert process is not None
        assert process.started.isdecimal()
        assert procs.alive(process)
        assert process in procs.descendants(os.getpid())


@both_ways
def test_the_directory_keeps_every_byte(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path.resolve()) + b"/new\nline \xff \xc3\xa9 (deleted)"
    os.mkdir(odd)
    with running("sleep", "60", cwd=odd) as child:
        assert os.fsencode(procs.directory(child.pid) or "") == odd


@both_ways
def test_descendants_come_after_their_parents() -> None:
    nested = "sh -c 'sleep 60 & wait' & sh -c 'sleep 61 & wait' & wait"
    with running("sh", "-c", nested) as child:
        wait_until(lambda: len(procs.descendants(child.pid)) == 4, what="the tree")
        found = procs.descendants(child.pid)
        assert all(procs.alive(process) for process in found)
        shells, sleeps = found[:2], found[2:]
        for parent in shells:
            below = procs.descendants(parent.pid)
            assert len(below) == 1
            assert below[0] in sleeps
        for process in found:
            os.kill(process.pid, 9)


@both_ways
def test_the_foreground_is_what_the_terminal_s_user_started(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "sh", "-i")
    wait_until(lambda: procs.foreground(pane.pid) == pane.pid, what="the shell in the foreground")
    tmux.cmd("send-keys", "-t", pane.id, "cd / && sleep 60", "Enter")

    def sleeping() -> bool:
        front = procs.foreground(pane.pid)
        return front is not None and front != pane.pid and procs.directory(front) == "/"

    tmux.wait_until(sleeping, "sleep in the foreground")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_a_terminal_tells_since_when_nothing_was_read_from_it() -> None:
    """Never too early: it says so only of the time after the read, to the next multiple of 8 s."""
    before = time.time()
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("sh", ["sh", "-c", "stty raw -echo; echo ready; exec cat"])
    try:
        said = b""
        while b"ready" not in said:
            said += os.read(terminal, 64)
        os.write(terminal, b"x")
        while b"x" not in said:
            said += os.read(terminal, 64)
        since = procs.terminal_unread_since(child)
        if not procs._dates_all_devices():
            assert since is None
            return
        assert since is not None
        assert before < since <= time.time() + 8
        assert since % 8 == 0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


@both_ways
def test_a_process_without_a_terminal_has_no_foreground() -> None:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert procs.foreground(child.pid) is None
        assert procs.terminal_unread_since(child.pid) is None
    finally:
        child.kill()
        child.wait()


@both_ways
def test_it_is_known_how_a_process_was_started(tmp_path: Path) -> None:
    before = time.time()
    with running("sleep", "60", cwd=str(tmp_path)) as child:
        wait_until(lambda: procs.arguments(child.pid) == ["sleep", "60"], what="exec")
        assert (procs.environment(child.pid) or {})["PATH"] == os.environ["PATH"]
        assert child.pid in procs.working_in(str(tmp_path.resolve()))
        assert os.getpid() not in procs.working_in(str(tmp_path.resolve()))
        assert procs.ancestors(child.pid)[:2] == [child.pid, os.getpid()]
        process = procs.identify(child.pid)
        assert process is not None
        begun = procs.begun(process)
        # psutil counts from the second in which the machine was started.
        assert begun is not None
        assert before - 2 < begun < time.time() + 2


@both_ways
def test_of_a_process_that_never_was_nothing_is_known() -> None:
    assert procs.arguments(2**30) is None
    assert procs.environment(2**30) is None
    assert procs.terminal(2**30) is None
    assert procs.ancestors(2**30) == [2**30]


@both_ways
def test_the_environment_of_a_process_that_shows_none_is_not_known() -> None:
    """As of one that has just begun: what is remembered of it must not be that it has none."""
    with subprocess.Popen(["/bin/sleep", "60"], env={}) as child:
        assert procs.environment(child.pid) is None
        child.kill()


@both_ways
def test_the_terminal_is_known_by_its_number(tmux: TmuxServer) -> None:
    one, other = tmux.new_session("one", "cat"), tmux.new_session("other", "cat")
    assert procs.terminal(one.pid)
    assert procs.terminal(one.pid) != procs.terminal(other.pid)
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert procs.terminal(child.pid) == 0
    finally:
        child.kill()
        child.wait()


@linux
def test_looking_at_a_process_takes_well_under_a_millisecond() -> None:
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        procs.identify(os.getpid())
        best = min(best, time.perf_counter() - start)
    assert best < 0.001


@linux
def test_nothing_heavy_is_imported() -> None:
    code = "import sys; import torch_cli.procs; print(*sys.modules)"
    source = str(Path(procs.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"subprocess", "pathlib", "click"} & set(done.stdout.split())
