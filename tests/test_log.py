"""``torch log``: what a pane writes, as text, in a file that is rotated."""

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.roster.registry import Found
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.watch import log, log_writer
from torch_cli.watch.log_writer import LineWriter, Rotated


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "work")


def logged(path: Path, text: str) -> None:
    """Wait until the log has ``text``."""
    wait_until(lambda: path.exists() and text in path.read_text(), what=f"{text!r} in {path}")


# -- lines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"\x1b[31mred\x1b[0m and \x1b[1;38;5;4mblue\x1b[m\n", "red and blue\n"),
        (b"10 %\r50 %\r100 %\n", "100 %\n"),
        (b"one\x1b[2;1Htwo\x1b[3dthree\n", "one\ntwo\nthree\n"),
        (b"a\x1b[4Cb\n", "a    b\n"),
        (b"\x1b]0;a title\x07shown\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "shownlink\n"),
        (b"\x1bPq#0;1\x1b\\\x1b(Bx\x1b7\x1b=\n", "x\n"),
        (b"\n\n\na\n\n\n\nb\n", "a\n\nb\n"),
        (b"trailing   \n", "trailing\n"),
        (b"ab\x08c\x07\x00\n", "ac\n"),
        ("漢字 👩‍👩‍👧 é\n".encode(), "漢字 👩‍👩‍👧 é\n"),
        (b"\xff\xfe bad\n", "\ufffd\ufffd bad\n"),
        (b"no end", "no end\n"),
    ],
)
def test_what_a_terminal_is_given_becomes_lines(data: bytes, text: str) -> None:
    lines = LineWriter()
    assert lines.feed(data) + lines.feed(b"", last=True) == text
    lines = LineWriter()
    pieces = [lines.feed(data[at : at + 1]) for at in range(len(data))]
    assert "".join(pieces) + lines.feed(b"", last=True) == text


LARGE = [begin + b"QUJD" * 2000 for begin in (b"\x1b]52;c;", b"\x1bPq", b"\x1b_G", b"\x1b[")]


@given(st.lists(st.binary(max_size=60) | st.sampled_from([*LARGE, b"\x1b", b"\\"]), max_size=8))
def test_pieces_make_no_difference_and_nothing_but_text_comes_out(pieces: list[bytes]) -> None:
    whole, parts = LineWriter(), LineWriter()
    expected = whole.feed(b"".join(pieces)) + whole.feed(b"", last=True)
    found = "".join(map(parts.feed, pieces)) + parts.feed(b"", last=True)
    assert found == expected
    assert all(char.isprintable() or char in "\n\t" or ord(char) > 0x9F for char in found)


@pytest.mark.parametrize("size", [1000, 4096, 65_536])
@pytest.mark.parametrize(
    "ends", [(b"\x1b]52;c;", b"\x07"), (b"\x1bPq", b"\x1b\\"), (b"\x1b_G", b"\x1b\\")]
)
def test_a_picture_is_no_text_however_large(ends: tuple[bytes, bytes], size: int) -> None:
    data = b"before " + ends[0] + b"QUJD" * 100_000 + ends[1] + b"after\n"
    lines = LineWriter()
    out = "".join(lines.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert out + lines.feed(b"", last=True) == "before after\n"


def test_a_sequence_without_an_end_is_not_kept_for_ever() -> None:
    """Whoever writes nothing but digits is read in a moment, not in minutes."""
    lines = LineWriter()
    lines.feed(b"\x1b[")
    text = "".join(lines.feed(b"0" * 1000) for _ in range(100))
    assert len(text) > 80_000


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    lines = LineWriter()
    text = "".join(lines.feed(b"x" * 1000) for _ in range(100))
    assert len(text) > 80_000


# -- files -----------------------------------------------------------------------------------------


def test_a_large_file_is_put_aside_and_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.log"
    file = Rotated(str(path), largest=100, kept=2)
    for number in range(10):
        file.write(f"{number}" * 59 + "\n")
    assert path.read_text() == "9" * 59 + "\n"
    assert [one.read_text()[0] for one in sorted(path.parent.glob("x.log.*"))] == ["8", "7"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_somebody_removes_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = Rotated(str(path))
    file.write("one\n")
    path.unlink()
    file.write("two\n")
    assert path.read_text() == "two\n"


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.log").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"):
        Rotated(str(tmp_path / "x.log"))


def test_when_there_is_no_room_the_gap_is_told_later(tmp_path: Path) -> None:
    """A file may not grow here beyond 64 bytes, as on a full disk."""
    path = tmp_path / "x.log"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 1 << 30))

    words = [sys.executable, "-I", "-S", log_writer.__file__, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, preexec_fn=limit) as writer:
        assert writer.stdin is not None
        writer.stdin.write(b"first\n")
        writer.stdin.flush()
        logged(path, "first")  # what is read at once is written at once, or lost at once
        for letter in (b"x", b"y"):
            writer.stdin.write(letter * 100 + b"\n")
            writer.stdin.flush()
        wait_until(lambda: waits(writer), what="all of it dealt with")
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        writer.stdin.write(b"later\n")
        writer.stdin.close()
        assert writer.wait(PATIENCE) == 0
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("first", "later")
    assert "bytes until" in lines[1]
    assert len(lines) == 3


def waits(writer: "subprocess.Popen[bytes]") -> bool:
    """Say whether a process has read what stood in the pipe to it, and sleeps."""
    import array
    import termios

    assert writer.stdin is not None
    count = array.array("i", [0])
    fcntl.ioctl(writer.stdin, termios.FIONREAD, count)
    stat = Path(f"/proc/{writer.pid}/stat").read_text()
    return not count[0] and stat.rpartition(")")[2].split()[0] == "S"


# -- panes -----------------------------------------------------------------------------------------


def test_what_an_agent_writes_is_logged_without_colours(demo: DemoAgent) -> None:
    done = demo.torch("log", "demo", "--json")
    assert (done.code, done.json["on"]) == (0, True), done
    path = Path(done.json["path"])
    assert demo.send("ANSWER(some words) go").code == 0
    logged(path, "some words")
    assert "\x1b" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert demo.torch("log", "demo", "--json").json == done.json
    assert demo.torch("log", "demo", "--path").out == f"{path}\n"


def test_the_log_of_the_alternate_screen_is_called_what_it_is(demo: DemoAgent) -> None:
    tty = demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{pane_tty}")
    with open(tty, "wb", buffering=0) as screen:
        screen.write(b"\x1b[?1049h")
    facts = ("display-message", "-p", "-t", demo.pane.id, "#{alternate_on}")
    wait_until(lambda: demo.tmux.cmd(*facts) == "1", what="the alternate screen")
    done = demo.torch("log", "demo")
    assert (done.code, "draws on the alternate screen" in done.err) == (0, True), done.err
    assert demo.torch("log", "demo", "--json").json["keeps_history"] is False
    off = demo.torch("log", "demo", "--off")
    assert (off.code, off.err) == (0, "")


def test_it_can_be_ended_and_begun_again(demo: DemoAgent) -> None:
    path = Path(demo.torch("log", "demo", "--json").json["path"])
    demo.send("ANSWER(before) go")
    logged(path, "before")
    assert demo.torch("log", "demo", "--off", "--json").json["on"] is False
    assert demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{pane_pipe}") == "0"
    demo.send("ANSWER(between) go")
    demo.tmux.wait_for_text(demo.pane, "● between")
    demo.wait_for("idle")
    assert demo.torch("log", "demo").code == 0
    demo.send("ANSWER(after) go")
    logged(path, "after")
    assert "between" not in path.read_text()


def test_a_writer_that_is_looked_at_as_it_begins_waits(tmp_path: Path) -> None:
    """Whoever looks whether there is one has the lock for a moment, as one that writes has."""
    path = tmp_path / "x.log"
    held = log_writer.lock(str(path))
    words = [sys.executable, "-I", "-S", log_writer.__file__, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as writer:
        wait_until(lambda: has_open(writer.pid, ".lock") or writer.poll() is not None)
        os.close(held)
        writer.communicate(b"text\n", PATIENCE)
    assert (writer.returncode, path.read_text()) == (0, "text\n")


def has_open(pid: int, end: str) -> bool:
    try:
        return any(os.readlink(one).endswith(end) for one in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_who_looks_for_a_writer_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    (tmp_path / "x.log.lock").touch()
    with open(f"{path}.lock", "rb") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        assert not log_writer.is_locked(str(path))
        fcntl.flock(look, fcntl.LOCK_EX)
        assert log_writer.is_locked(str(path))


def test_a_log_that_another_begins_meanwhile_is_ours_too(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []

    def and_meanwhile(client: ControlClient, found: Found) -> log.Log:
        seen = original(client, found)
        looked.append(seen.on)
        if len(looked) == 1:
            assert demo.torch("log", "demo").code == 0
        return seen

    original = log._log_of
    monkeypatch.setattr(log, "_log_of", and_meanwhile)
    with Store() as store:
        assert log.start_log(store, demo.tmux.socket, "demo").on
    assert looked[0] is False


def writer_of(path: Path) -> int:
    """Return the process that writes to ``path``."""
    found = [
        process.pid
        for process in procs.descendants(0)
        if str(path) in (procs.arguments(process.pid) or [])
    ]
    assert len(found) == 1
    return found[0]


def test_a_writer_that_is_still_at_it_is_waited_for(demo: DemoAgent) -> None:
    path = Path(demo.torch("log", "demo", "--json").json["path"])
    writer = writer_of(path)
    os.kill(writer, signal.SIGSTOP)
    demo.send("ANSWER(the last words) go")
    demo.tmux.wait_for_text(demo.pane, "● the last words")
    environ = {**os.environ, "PYTHONPATH": str(Path(log_writer.__file__).parents[2])}
    off = subprocess.Popen(demo.torch.argv("log", "demo", "--off"), env=environ)
    pipe = ("display-message", "-p", "-t", demo.pane.id, "#{pane_pipe}")
    demo.tmux.wait_until(lambda: demo.tmux.cmd(*pipe) == "0", "the end of the pipe")
    on = subprocess.Popen(demo.torch.argv("log", "demo"), env=environ)
    clients = ("list-clients", "-F", "#{client_pid}")
    demo.tmux.wait_until(
        lambda: (
            {str(pid) for pid in [on.pid, *(one.pid for one in procs.descendants(on.pid))]}
            & set(demo.tmux.cmd(*clients).split())
            or on.poll() is not None
        ),
        "the second command's look",
    )
    os.kill(writer, signal.SIGCONT)
    assert (off.wait(PATIENCE), on.wait(PATIENCE)) == (0, 0)
    assert "the last words" in path.read_text()


def test_after_its_writer_was_killed_it_can_be_begun_again(demo: DemoAgent) -> None:
    path = Path(demo.torch("log", "demo", "--json").json["path"])
    os.kill(writer_of(path), signal.SIGKILL)
    wait_until(lambda: not demo.torch("log", "demo", "--path", "--json").json["on"], what="its end")
    demo.send("ANSWER(lost) go")
    demo.wait_for("idle")
    assert demo.torch("log", "demo").code == 0
    demo.send("ANSWER(after) go")
    logged(path, "after")


def test_a_dead_pane_is_told(demo: DemoAgent) -> None:
    demo.tmux.cmd("set-option", "-p", "-t", demo.pane.id, "remain-on-exit", "on")
    assert demo.torch("log", "demo").code == 0
    os.kill(demo.pane.pid, signal.SIGKILL)
    demo.tmux.wait_until(lambda: demo.tmux.pane(demo.pane.id).dead, "the end of the program")
    done = demo.torch("log", "demo", "--off", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "dead")


def test_a_pipe_of_somebody_elses_is_left_alone(demo: DemoAgent, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    demo.tmux.cmd("pipe-pane", "-t", demo.pane.id, f"cat > {theirs}")
    done = demo.torch("log", "demo", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "piped")
    assert demo.torch("log", "demo", "--off", "--json").json["on"] is False
    demo.send("ANSWER(for them) go")
    wait_until(lambda: theirs.exists() and "for them" in theirs.read_text(), what="their pipe")


def test_a_pipe_that_took_the_place_of_ours_is_left_alone(demo: DemoAgent, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    assert demo.torch("log", "demo").code == 0
    demo.tmux.cmd("pipe-pane", "-t", demo.pane.id, f"cat > {theirs}")
    wait_until(lambda: not demo.torch("log", "demo", "--off", "--json").json["on"], what="the end")
    demo.send("ANSWER(for them) go")
    wait_until(lambda: theirs.exists() and "for them" in theirs.read_text(), what="their pipe")


def test_it_goes_on_after_a_rename(demo: DemoAgent) -> None:
    path = Path(demo.torch("log", "demo", "--json").json["path"])
    assert demo.torch("rename", "demo", "dev").code == 0
    said = demo.torch("log", "dev", "--json").json
    assert (said["path"], said["on"]) == (str(path), True)
    assert demo.torch("send", "dev", "ANSWER(still here)").code == 0
    logged(path, "still here")


def test_the_writer_ends_with_the_pane(demo: DemoAgent) -> None:
    path = demo.torch("log", "demo", "--json").json["path"]
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)

    def is_free() -> bool:
        held = log_writer.lock(path)
        if held is not None:
            os.close(held)
        return held is not None

    wait_until(is_free, what="the end of the writer")


def test_a_pane_with_an_odd_name_and_place(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    """What would be expanded by tmux, a clock or a shell is part of the path."""
    home = tmp_path / "#{pane_id} %H $(x) $HOME ${x} 'q' \U0001f525 #[b]"
    pane = tmux.new_session("odd", "sh", window="a b")
    done = torch("log", pane.id, "--json", env={"TORCH_HOME": str(home)})
    assert done.code == 0, done
    path = Path(done.json["path"])
    assert path.is_relative_to(home)
    tmux.cmd("send-keys", "-t", pane.id, "echo al''so", "Enter")
    logged(path, "also")
    assert torch("log", pane.id, "--json", env={"TORCH_HOME": str(home)}).json == done.json
    tmux.cmd("kill-pane", "-t", pane.id)


def test_a_directory_that_cannot_be_written_is_told(demo: DemoAgent, tmp_path: Path) -> None:
    (tmp_path / "torch" / "logs").write_text("no directory")
    done = demo.torch("log", "demo", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "not-writable")
    assert demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{pane_pipe}") == "0"


def test_two_at_once_make_one_log(demo: DemoAgent) -> None:
    begun = [
        subprocess.Popen(
            demo.torch.argv("log", "demo"),
            env={**os.environ, "PYTHONPATH": str(Path(log_writer.__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    assert [(one.communicate(timeout=PATIENCE), one.returncode)[1] for one in begun] == [0, 0]
    assert demo.torch("log", "demo", "--json").json["on"]
    demo.send("ANSWER(once only) go")
    path = Path(demo.torch("log", "demo", "--path").out.strip())
    logged(path, "once only")
