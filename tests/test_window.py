"""Windows rooted in a directory, on a real server."""

import contextlib
import os
import shlex
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import KEEPS_DEAD, PATIENCE, TMUX, TmuxServer, Torch
from torch_cli import procs
from torch_cli.errors import RefusedError, TorchError
from torch_cli.intervals import VARIABLE, Intervals
from torch_cli.lifecycle.window import create_window
from torch_cli.store import Store
from torch_cli.tmux import opening, running
from torch_cli.tmux.place import check_directory, check_session_name
from torch_cli.tmux.window import EndedError, OpenedWindow, close_window, open_window

PEM = "-----BEGIN KEY-----\nMIIB/+a=\n  two  \n\n-----END KEY-----\n"
WAITING = ("sh", "-c", "read -r line")

ODD_DIRECTORIES = [
    b"plain",
    b"two words",
    b'it\'s "quoted"',
    b"new\nline\ttab",
    b"#{pane_id}",
    b"#(touch ran)",
    b"$(touch ran)`touch ran`",
    b"#[fg=red]##[x]###",
    b"%H%M%%",
    b"tail;",
    b"; kill-server",
    b"~",
    b"-c",
    b"${HOME}$x",
    b"back\\slash\\n\\",
    "日本 é 👩‍💻".encode(),
    b"not utf8 \xff\xfe",
    b"{ } ' #",
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A directory to root windows in."""
    directory = tmp_path.resolve() / "work"
    directory.mkdir()
    return directory


def variables(pane_pid: int) -> dict[bytes, bytes]:
    """Return the environment that a process was started with."""
    entries = Path(f"/proc/{pane_pid}/environ").read_bytes().split(b"\0")
    return {key: value for key, _, value in (entry.partition(b"=") for entry in entries)}


# The directory


@pytest.mark.parametrize("command", [(), WAITING], ids=["shell", "command"])
@pytest.mark.parametrize("odd", ODD_DIRECTORIES)
def test_a_directory_is_data_whatever_it_is_called(
    tmux: TmuxServer, work: Path, odd: bytes, command: tuple[str, ...]
) -> None:
    directory = os.path.join(os.fsencode(work), odd)
    os.mkdir(directory)
    opened = open_window(
        tmux.socket, name="dev", session="main", directory=os.fsdecode(directory), command=command
    )
    assert opened.rooted, opened.notes
    assert os.fsencode(opened.directory) == directory
    assert os.fsencode(procs.directory(opened.pane.pid) or "") == directory
    assert list(work.rglob("ran")) == []
    assert len(tmux.panes()) == 1
    assert "nothing" not in opened.pane.command


def test_symbolic_links_and_home_are_resolved(tmux: TmuxServer, work: Path) -> None:
    home = Path.home().resolve()
    (work / "link").symlink_to(home)
    for name, given_directory in (("a", "~"), ("b", str(work / "link"))):
        opened = open_window(tmux.socket, name=name, session="main", directory=given_directory)
        assert (opened.directory, opened.rooted) == (str(home), True)


def test_a_relative_directory_is_the_caller_s(
    tmux: TmuxServer, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmux.new_session("main", "cat", directory="/")
    (work / "below").mkdir()
    monkeypatch.chdir(work)
    opened = open_window(tmux.socket, name="dev", session="main", directory="below")
    assert opened.directory == str(work / "below")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "no such file or directory"),
        ("~nobody-has-this-name", "no such file or directory"),
        ("file", "is not a directory"),
        ("file/below", "not a directory"),
        ("loop", "symbolic links"),
        ("", "is not a valid directory"),
        ("a\0b", "is not a valid directory"),
        ("x" * 300, "too long"),
        ("#{pane_id}", "no such file or directory"),
    ],
)
def test_a_directory_that_cannot_be_is_refused_and_nothing_is_started(
    tmux: TmuxServer, work: Path, monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    (work / "file").write_text("")
    (work / "loop").symlink_to("loop")
    monkeypatch.chdir(work)
    with pytest.raises(RefusedError, match=said):
        open_window(tmux.socket, name="dev", directory=path)
    assert list(tmux.directory.rglob("t")) == []


@pytest.fixture
def unenterable() -> Iterator[Path]:
    """A directory that cannot be entered, below one that everybody may."""
    with tempfile.TemporaryDirectory(prefix="tt", dir="/tmp") as parent:
        Path(parent).chmod(0o755)
        closed = Path(parent, "closed")
        closed.mkdir()
        closed.chmod(0o644)
        yield closed


def test_a_directory_that_may_not_be_entered_is_refused(unenterable: Path) -> None:
    """Root may enter all, so root becomes somebody else for this."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            check_directory(str(unenterable))
        except RefusedError as refused:
            os._exit(10 if "cannot be entered" in refused.message else 11)
        finally:
            os._exit(12)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started is waited for until it has written something."""
    monkeypatch.setattr(opening, "INTERVALS", Intervals(starts=PATIENCE, prompts=PATIENCE))


@pytest.mark.usefixtures("patient")
def test_a_start_up_file_that_changes_directory_is_noticed(tmux: TmuxServer, work: Path) -> None:
    profile = Path.home() / ".profile"
    profile.write_text("sleep 0.05; cd /\n")
    opened = open_window(tmux.socket, name="dev", session="main", directory=str(work))
    assert not opened.rooted
    assert opened.directory == "/"
    assert any("start-up file" in note for note in opened.notes)
    assert tmux.pane(opened.pane.id), "the window stays"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("default", ["cd /; exec sh", "(cd / && sh -i)", "cd / && sh -i; true"])
def test_a_default_command_that_changes_directory_is_noticed_and_named(
    tmux: TmuxServer, work: Path, default: str
) -> None:
    tmux.new_session("main", "cat")
    tmux.cmd("set-option", "-g", "default-command", default)
    opened = open_window(tmux.socket, name="dev", session="main", directory=str(work))
    assert not opened.rooted
    assert any("default-command" in note and "cd /" in note for note in opened.notes)


def test_a_command_is_not_touched_by_the_default_command(tmux: TmuxServer, work: Path) -> None:
    tmux.new_session("main", "cat")
    tmux.cmd("set-option", "-g", "default-command", "cd /; exec sh")
    opened = open_window(
        tmux.socket, name="dev", session="main", directory=str(work), command=WAITING
    )
    assert opened.rooted


@pytest.mark.usefixtures("patient")
def test_a_command_that_changes_directory_itself_is_noticed(tmux: TmuxServer, work: Path) -> None:
    command = ("sh", "-c", "cd / && echo there && read -r line")
    opened = open_window(
        tmux.socket, name="dev", session="main", directory=str(work), command=command
    )
    assert (opened.rooted, opened.directory) == (False, "/")


def test_a_shell_that_ends_at_once_is_an_error(tmux: TmuxServer, work: Path) -> None:
    tmux.new_session("main", "cat")
    tmux.cmd("set-option", "-g", "default-command", "exit 3")
    for session in ("main", "other"):
        with pytest.raises(EndedError, match="the shell ended at once"):
            open_window(tmux.socket, name="dev", session=session, directory=str(work))
    assert [pane.session for pane in tmux.panes()] == ["main"]


# Sessions and names


def test_a_server_and_a_session_are_started_if_need_be(tmux: TmuxServer, work: Path) -> None:
    opened = open_window(tmux.socket, name="dev", directory=str(work))
    assert opened.created_session
    assert opened.pane.place == "work:dev"
    assert len(tmux.panes()) == 1, "the placeholder is gone"
    again = open_window(tmux.socket, name="second", directory=str(work))
    assert (again.created_session, again.pane.session) == (False, "work")


def test_a_new_session_has_the_size_that_was_asked_for(tmux: TmuxServer, work: Path) -> None:
    opened = open_window(
        tmux.socket, name="dev", directory=str(work), size=(151, 43), command=WAITING
    )
    assert (opened.pane.width, opened.pane.height) == (151, 43)


def test_the_caller_s_own_session_is_the_default(tmux: TmuxServer, work: Path) -> None:
    tmux.new_session("other", "cat")
    here = tmux.new_session("mine", "cat")
    inside = {"TMUX": f"{here.socket_path},{here.server_pid},1", "TMUX_PANE": here.id}
    opened = open_window(tmux.socket, name="dev", directory=str(work), environ=inside)
    assert opened.pane.session == "mine"
    elsewhere = {**inside, "TMUX": f"/elsewhere,{here.server_pid + 1},1"}
    opened = open_window(tmux.socket, name="dev", directory=str(work), environ=elsewhere)
    assert opened.pane.session == "work"


@pytest.mark.parametrize(
    ("directory", "session"),
    [("a.b:c", "a_b_c"), ("x\ny", "x_y"), ("$1", "_1"), ("b\\s", "b_s"), ("日本 é", "日本 é")],
)
def test_a_session_named_after_a_directory_has_a_name_that_tmux_keeps(
    tmux: TmuxServer, work: Path, directory: str, session: str
) -> None:
    (work / directory).mkdir()
    opened = open_window(tmux.socket, name="dev", directory=str(work / directory))
    assert opened.pane.session == session


@pytest.mark.parametrize("session", ["", "a:b", "a.b", "a\nb", "$3", "@1", "%1", "a\\b", "x${y}"])
def test_a_session_name_that_tmux_would_change_is_refused(
    tmux: TmuxServer, work: Path, session: str
) -> None:
    with pytest.raises(RefusedError):
        open_window(tmux.socket, name="dev", session=session, directory=str(work))
    assert list(tmux.directory.rglob("t")) == []


@pytest.mark.parametrize(
    "session", ["two words", "=x", "-x", "it's", "#{x}", "#(id)", "a;", "👩‍💻", "~"]
)
def test_a_session_of_an_odd_name_is_made_and_found_again(
    tmux: TmuxServer, work: Path, session: str
) -> None:
    check_session_name(session)
    for name in ("first", "second"):
        opened = open_window(tmux.socket, name=name, session=session, directory=str(work))
        assert (opened.pane.session, opened.created_session) == (session, name == "first")
        assert opened.notes == ()


def test_a_session_is_taken_exactly_and_also_by_its_id(tmux: TmuxServer, work: Path) -> None:
    longer = tmux.new_session("workshop", "cat", window="cat")
    opened = open_window(tmux.socket, name="dev", session="work", directory=str(work))
    assert opened.pane.session == "work"
    by_id = open_window(tmux.socket, name="dev", session=longer.session_id, directory=str(work))
    assert by_id.pane.session == "workshop"


@pytest.mark.parametrize("name", ["", "a\nb", "a\x1b[31m", "a\0b", "\x7f"])
def test_a_window_name_with_control_characters_is_refused(
    tmux: TmuxServer, work: Path, name: str
) -> None:
    with pytest.raises(RefusedError):
        open_window(tmux.socket, name=name, directory=str(work))
    assert list(tmux.directory.rglob("t")) == []


def test_any_other_window_name_is_kept_and_runs_nothing(tmux: TmuxServer, work: Path) -> None:
    trap = work / "trap"
    tmux.new_session("main", "cat")
    characters = st.sampled_from("ab #{}()[];'\"$~%=@:*?!&|^.,+-/`_é日👩\u200d")

    @settings(max_examples=25)
    @given(st.text(characters, min_size=1, max_size=20))
    def check(name: str) -> None:
        opened = open_window(
            tmux.socket, name=name, session="main", directory=str(work), command=("cat",)
        )
        assert opened.pane.window == name
        assert close_window(tmux.socket, opened.pane)

    check()
    tmux_name = f"#(touch {trap})"
    open_window(tmux.socket, name=tmux_name, session="main", directory=str(work))
    assert not trap.exists()


def test_a_taken_name_is_refused_and_the_error_says_where(tmux: TmuxServer, work: Path) -> None:
    taken = tmux.new_session("main", "cat", window="dev")
    tmux.new_session("other", "cat", window="front")
    with pytest.raises(RefusedError, match=f"{taken.id} \\(main:0\\)") as refused:
        open_window(tmux.socket, name="dev", session="main", directory=str(work))
    assert refused.value.code == "name-taken"
    for free in ("de", "dev2"):
        assert open_window(tmux.socket, name=free, session="main", directory=str(work)).rooted
    assert open_window(tmux.socket, name="dev", session="other", directory=str(work)).rooted


@pytest.mark.parametrize("name", ["dev", "a\\b"])
def test_reuse_returns_the_window_that_there_is(tmux: TmuxServer, work: Path, name: str) -> None:
    first = open_window(tmux.socket, name=name, directory=str(work))
    again = open_window(tmux.socket, name=name, directory=str(work), reuse=True)
    assert (again.reused, again.rooted, again.pane.id) == (True, True, first.pane.id)
    other = open_window(
        tmux.socket, name=name, session="work", directory="/", reuse=True, command=("cat",)
    )
    assert (other.rooted, other.directory) == (False, str(work))
    assert any("not applied" in note for note in other.notes)


def test_of_several_at_once_exactly_one_gets_the_name(tmux: TmuxServer, work: Path) -> None:
    """Also while the server and the session are being made."""
    opened: list[OpenedWindow] = []
    refused: list[str] = []

    def attempt() -> None:
        try:
            opened.append(
                open_window(tmux.socket, name="dev", directory=str(work), command=WAITING)
            )
        except TorchError as error:
            refused.append(error.code)

    for already in (False, True):
        threads = [threading.Thread(target=attempt) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 1, (already, refused)
        assert [pane.place for pane in tmux.panes()] == ["work:dev"]
    assert set(refused) == {"name-taken"}


def test_the_name_stays_whatever_the_program_does(tmux: TmuxServer, work: Path) -> None:
    tmux.new_session("main", "cat")
    for option in ("automatic-rename", "allow-rename"):
        tmux.cmd("set-option", "-g", "-w", option, "on")
    rename = "printf '\\033kintruder\\033\\\\done'; cat"
    opened = open_window(
        tmux.socket, name="dev", session="main", directory=str(work), command=("sh", "-c", rename)
    )
    tmux.wait_for_text(opened.pane, "done")
    assert tmux.pane(opened.pane.id).window == "dev"
    assert tmux.cmd("show-options", "-g", "-w", "-v", "allow-rename") == "on"


def test_the_focus_stays_where_it_is(tmux: TmuxServer, work: Path) -> None:
    here = tmux.new_session("main", "cat", window="here")
    open_window(tmux.socket, name="dev", session="main", directory=str(work))
    open_window(tmux.socket, name="run", session="main", directory=str(work), command=WAITING)
    assert [pane.id for pane in tmux.panes() if pane.window_active] == [here.id]


def test_another_pane_may_stand_in_a_directory_with_a_newline(tmux: TmuxServer, work: Path) -> None:
    odd = work / "new\nline"
    odd.mkdir()
    tmux.new_session("main", "cat", directory=odd)
    assert open_window(tmux.socket, name="dev", session="main", directory=str(work)).rooted


# The environment


@pytest.mark.parametrize("command", [(), WAITING], ids=["shell", "command"])
@pytest.mark.parametrize("session", ["new", "old"])
def test_variables_arrive_byte_for_byte_in_this_window_only(
    tmux: TmuxServer, work: Path, session: str, command: tuple[str, ...]
) -> None:
    tmux.new_session("old", "cat")
    given_variables = {
        "PEM": PEM,
        "BYTES": os.fsdecode(b"\xff\xfe \x01\x1b[m"),
        "EMPTY": "",
        "CODE": "#(touch ran) #{pane_id} $HOME ${x} `id` ; kill-server",
        "QUOTES": "'\"\\n\\",
        "TILDE": "~",
        "TAIL": "x;",
        "BIG": "x" * 100_000,
    }
    opened = open_window(
        tmux.socket,
        name="dev",
        session=session,
        directory=str(work),
        environment=given_variables,
        command=command,
    )
    got = variables(opened.pane.pid)
    for name, value in given_variables.items():
        assert got[name.encode()] == os.fsencode(value), name
    assert got[b"TMUX_PANE"] == opened.pane.id.encode()
    later = open_window(tmux.socket, name="later", session=session, directory=str(work))
    assert not {b"PEM", b"EMPTY"} & set(variables(later.pane.pid))
    assert "PEM" not in tmux.cmd("show-environment", "-t", session)


def test_no_value_shows_in_a_process_list(
    tmux: TmuxServer, torch: Torch, work: Path, tmp_path: Path
) -> None:
    """A tmux that writes down its arguments stands for whoever looks at the process list."""
    log = tmp_path / "arguments"
    fake = tmp_path / "tmux"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {shlex.quote(TMUX)} "$@"\n')
    fake.chmod(0o755)
    (tmp_path / "env").write_text("FROM_FILE='hush\nhush'\n")
    done = torch(
        *("window", "dev", "--dir", str(work), "--env", "KEY"),
        *("--env-file", str(tmp_path / "env"), "--", *WAITING),
        env={"KEY": "hush", "TORCH_TMUX": str(fake)},
    )
    assert done.code == 0, done.err
    pane = tmux.panes()[0]
    assert variables(pane.pid)[b"KEY"] == b"hush"
    assert variables(pane.pid)[b"FROM_FILE"] == b"hush\nhush"
    assert "start-server" in log.read_text()
    assert "hush" not in log.read_text()


@pytest.mark.parametrize("session", ["new", "old"])
def test_a_command_is_found_on_the_caller_s_path_or_the_one_it_is_given(
    tmux: TmuxServer, work: Path, monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    """A server that was started elsewhere has another."""
    tmux.new_session("old", "cat")
    for name in ("caller", "given"):
        (work / name).mkdir()
        program = work / name / "where"
        program.write_text(f"#!/bin/sh\necho the {name}; read -r line\n")
        program.chmod(0o755)
    usual = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{work / 'caller'}:{usual}")
    opened = open_window(
        tmux.socket, name="a", session=session, directory=str(work), command=("where",)
    )
    tmux.wait_for_text(opened.pane, "the caller")
    path = {"PATH": f"{work / 'given'}:{usual}"}
    opened = open_window(
        tmux.socket,
        name="b",
        session=session,
        directory=str(work),
        environment=path,
        command=("where",),
    )
    tmux.wait_for_text(opened.pane, "the given")
    shell = open_window(
        tmux.socket, name="c", session=session, directory=str(work), environment=path
    )
    assert variables(shell.pane.pid)[b"PATH"] == path["PATH"].encode()


def test_a_variable_that_no_program_could_be_given_is_refused(tmux: TmuxServer, work: Path) -> None:
    for environment in ({"A": "x" * 131_072}, {"A=B": "x"}, {"": "x"}, {"A": "x\0"}):
        with pytest.raises(RefusedError):
            open_window(tmux.socket, name="dev", directory=str(work), environment=environment)
    assert list(tmux.directory.rglob("t")) == []


# The command


def test_the_words_of_a_command_arrive_as_they_are(tmux: TmuxServer, work: Path) -> None:
    words = ["", " ", "a b", "#{pane_id}", "#(id)", "$HOME", "x;", ";", "it's", '"', "\\", "\n"]
    words += ["-x", "--", "~", "*", "日本", "\udcff"]
    out = work / "words"
    code = f"import sys,os;open({str(out)!r},'wb').write(os.fsencode('\\0'.join(sys.argv[1:])))"
    open_window(
        tmux.socket,
        name="dev",
        directory=str(work),
        command=(sys.executable, "-c", f"{code};input()", *words),
    )
    tmux.wait_until(out.exists, "the program's file")
    tmux.wait_until(lambda: out.read_bytes() == os.fsencode("\0".join(words)), "its words")


@pytest.mark.parametrize("name", ["a b", "x;touch ran", "$(touch ran)", "A=b", "#{x}", "-dash"])
def test_a_command_of_one_word_is_no_shell_line(tmux: TmuxServer, work: Path, name: str) -> None:
    program = work / "bin" / name
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho started; read -r line\n")
    program.chmod(0o755)
    opened = open_window(tmux.socket, name="dev", directory=str(work), command=(str(program),))
    tmux.wait_for_text(opened.pane, "started")
    assert list(work.rglob("ran")) == []


def not_there(work: Path) -> tuple[str, ...]:
    return ("no-such-program", "--flag")


def not_executable(work: Path) -> tuple[str, ...]:
    (work / "text").write_text("x")
    return (str(work / "text"),)


def fails(work: Path) -> tuple[str, ...]:
    return ("sh", "-c", "echo out; echo err >&2; sleep 0.02; exit 3")


def is_killed(work: Path) -> tuple[str, ...]:
    return ("sh", "-c", "echo dying; sleep 0.02; kill -9 $$")


def says_nothing(work: Path) -> tuple[str, ...]:
    return ("false",)


@pytest.mark.parametrize("keep_dead", [False, True])
@pytest.mark.parametrize("session", ["old", "new"])
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (not_there, 127, "no such program"),
        (not_executable, 126, "it is not executable"),
        (fails, 3, "out\nerr"),
        (is_killed, None, "signal 9 (SIGKILL) and printed:\ndying"),
        (says_nothing, 1, ""),
    ],
)
def test_a_command_that_cannot_start_is_an_error_with_what_it_printed(
    tmux: TmuxServer,
    work: Path,
    session: str,
    command: Callable[[Path], tuple[str, ...]],
    status: int | None,
    said: str,
    keep_dead: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is printed in the very moment of the end is lost now and then, by tmux itself."""
    tmux.new_session("old", "cat")
    quiet = 0.5 if command in (fails, is_killed) else 0.1  # they end a moment after their words
    monkeypatch.setattr(opening, "INTERVALS", Intervals(starts=PATIENCE, quiet=quiet))
    with pytest.raises(EndedError) as ended:
        open_window(
            tmux.socket,
            name="dev",
            session=session,
            directory=str(work),
            command=command(work),
            keep_dead=keep_dead,
        )
    if KEEPS_DEAD:
        assert ended.value.status == status
        assert said in ended.value.message
    else:
        assert ended.value.message == "the command ended at once, and its window with it"
    assert ended.value.printed in ended.value.message
    assert "Pane is dead" not in ended.value.message
    assert [pane.session for pane in tmux.panes()] == ["old"], "nothing is left behind"


@pytest.mark.parametrize("keep_dead", [False, True])
def test_the_last_screen_of_a_program_stays_only_on_request(
    tmux: TmuxServer, work: Path, keep_dead: bool
) -> None:
    tmux.new_session("main", "cat")
    opened = open_window(
        tmux.socket,
        name="dev",
        session="main",
        directory=str(work),
        command=("sh", "-c", "echo last words; read -r line; exit 7"),
        keep_dead=keep_dead,
    )
    tmux.cmd("send-keys", "-t", opened.pane.id, "Enter")

    def over() -> bool:
        return all(pane.dead for pane in tmux.panes() if pane.id == opened.pane.id)

    tmux.wait_until(over, "the end")
    kept = keep_dead and KEEPS_DEAD
    assert (opened.pane.id in [pane.id for pane in tmux.panes()]) == kept
    if kept:
        # This tmux may not look at its children until one that it runs itself has ended.
        def told() -> bool:
            tmux.cmd("run-shell", "-b", ":")
            return tmux.pane(opened.pane.id).dead_status == 7

        tmux.wait_until(told, "its status")
        # tmux's own line pushes the first row into the history.
        shown = tmux.cmd("capture-pane", "-p", "-S", "-", "-t", opened.pane.id)
        assert "last words" in shown
        assert "Pane is dead (status 7" in shown


# Closing


def test_a_window_is_closed_once(tmux: TmuxServer, work: Path) -> None:
    tmux.new_session("main", "cat")
    opened = open_window(tmux.socket, name="dev", session="main", directory=str(work))
    assert close_window(tmux.socket, opened.pane)
    assert not close_window(tmux.socket, opened.pane)
    assert len(tmux.panes()) == 1


def test_a_pane_with_another_process_is_not_closed(tmux: TmuxServer, work: Path) -> None:
    opened = open_window(tmux.socket, name="dev", directory=str(work))
    tmux.cmd("respawn-pane", "-k", "-t", opened.pane.id, "cat")
    assert not close_window(tmux.socket, opened.pane)
    assert len(tmux.panes()) == 1


def test_a_pane_that_somebody_opened_beside_it_stays(tmux: TmuxServer, work: Path) -> None:
    opened = open_window(tmux.socket, name="dev", directory=str(work))
    tmux.cmd("split-window", "-d", "-t", opened.pane.id, "cat")
    assert close_window(tmux.socket, opened.pane)
    assert len(tmux.panes()) == 1


def test_closing_starts_no_server(tmux: TmuxServer, work: Path) -> None:
    opened = open_window(tmux.socket, name="dev", directory=str(work))
    tmux.cmd("kill-server")
    assert not close_window(tmux.socket, opened.pane)


# The command line


def test_the_command_prints_where_the_window_is(tmux: TmuxServer, torch: Torch, work: Path) -> None:
    done = torch("window", "dev", "--dir", str(work))
    pane = tmux.panes()[0]
    assert (done.code, done.out, done.err) == (0, f"{pane.id}  work:dev  {work}\n", "")


def test_json_says_all_that_is_known(tmux: TmuxServer, torch: Torch, work: Path) -> None:
    done = torch("window", "dev", "--dir", str(work), "--session", "s", "--json")
    pane = tmux.panes()[0]
    assert done.json == {
        "schema": "torch.window/1",
        "session": "s",
        "window": "dev",
        "pane": pane.id,
        "pid": pane.pid,
        "dir": str(work),
        "rooted": True,
        "created_session": True,
        "reused": False,
        "notes": [],
    }


def test_a_window_that_is_not_rooted_fails_loudly_and_stays(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    (Path.home() / ".profile").write_text("cd /\n")
    done = torch("window", "dev", "--dir", str(work), env={VARIABLE: "prompts=60"})
    assert done.code == 1
    assert f"is in '/', not in '{work}'" in done.err
    assert len(tmux.panes()) == 1
    again = torch("window", "dev", "--session", "work", "--dir", "/", "--reuse", "--json")
    assert (again.code, again.json["reused"], again.json["rooted"]) == (0, True, True)


def test_a_window_that_is_not_rooted_has_an_error_in_its_object(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    words = ("window", "dev", "--dir", str(work), "--json")
    line = "cd /; echo there; exec sleep 60"
    done = torch(*words, "--", "sh", "-c", line, env={VARIABLE: "starts=60"})
    assert (done.code, done.json["schema"], done.json["dir"]) == (1, "torch.window/1", "/")
    error = done.json["error"]
    assert error["code"] == "not-rooted"
    assert f"is in '/', not in '{work}'" in error["message"]
    assert done.json["pane"] in error["hint"]


def test_a_reused_window_is_where_it_is_unless_a_directory_is_asked_for(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    words = ("window", "dev", "--session", "s", "--json")
    assert torch(*words, "--dir", str(work)).code == 0
    again = torch(*words, "--reuse", cwd="/")
    assert (again.code, again.json["rooted"], again.json["dir"]) == (0, True, str(work))
    assert again.json["notes"] == []
    assert torch(*words, "--reuse", "--env", "K=V", cwd="/").json["notes"] == [
        "the window already existed: command and environment were not applied"
    ]
    elsewhere = torch(*words, "--reuse", "--dir", "/")
    assert (elsewhere.code, elsewhere.json["error"]["code"]) == (1, "not-rooted")


def test_a_window_that_cannot_be_written_down_is_closed_again(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    kept = tmux.new_session("main", "cat")
    with Store() as store:
        store.database.write(
            "CREATE TRIGGER full BEFORE INSERT ON windows BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
    done = torch("window", "dev", "--session", "main", "--dir", str(work), "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "store")
    assert [pane.id for pane in tmux.panes()] == [kept.id]


def test_an_interrupt_before_it_is_written_down_closes_the_window(
    tmux: TmuxServer, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmux.new_session("main", "cat")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with Store() as store:
        monkeypatch.setattr(store.windows, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            create_window(
                store,
                tmux.socket,
                name="dev",
                directory=str(work),
                session="main",
                environment={},
            )
    assert [pane.id for pane in tmux.panes()] == [kept.id]


def test_a_refused_window_exits_with_2_and_a_json_error(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    torch("window", "dev", "--dir", str(work))
    taken = torch("window", "dev", "--dir", str(work), "--json")
    assert (taken.code, taken.json["error"]["code"]) == (2, "name-taken")
    missing = torch("window", "x", "--dir", str(work / "none"))
    assert (missing.code, missing.out) == (2, "")
    assert "no such file or directory" in missing.err


def test_a_command_that_cannot_start_exits_with_1_and_its_words(torch: Torch, work: Path) -> None:
    command = ("window", "dev", "--dir", str(work), "--", "no-such-program")
    done = torch(*command, env={VARIABLE: "starts=60"})
    assert done.code == 1
    for words in ("no-such-program", "no such program"):
        assert (words in done.err) == KEEPS_DEAD
    assert KEEPS_DEAD or "ended at once, and its window with it" in done.err


def test_the_window_is_remembered_as_torch_s_own(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    mine = tmux.new_session("main", "cat", window="mine")
    assert torch("window", "dev", "--session", "main", "--dir", str(work)).code == 0
    assert torch("window", "mine", "--session", "main", "--dir", "/", "--reuse").code in (0, 1)
    opened = next(pane for pane in tmux.panes() if pane.window == "dev")
    with Store() as store:
        assert store.windows.created(opened.server, opened.window_id)
        assert not store.windows.created(mine.server, mine.window_id)


def test_odd_names_and_variables_work_on_the_command_line(
    tmux: TmuxServer, torch: Torch, work: Path
) -> None:
    name = 'it\'s a:b.c "d" #(id) 👩‍💻;'
    words = ["window", name, "--session", "s", "--dir", str(work), "--env", f"PEM={PEM}"]
    done = torch(*words, "--", *WAITING)
    assert done.code == 0, done.err
    pane = tmux.panes()[0]
    assert pane.window == name
    assert variables(pane.pid)[b"PEM"] == PEM.encode()


def test_without_tmux_the_error_says_how_to_get_it(torch: Torch, work: Path) -> None:
    env = {"PATH": "/nonexistent", "TORCH_TMUX": ""}
    done = torch("window", "dev", "--dir", str(work), env=env)
    assert done.code == 3
    assert "tmux is not installed" in done.err


def test_help_shows_examples_first_and_how_secrets_are_kept(torch: Torch) -> None:
    done = torch("window", "--help")
    assert done.code == 0
    text = " ".join(done.out.split())
    assert text.index("Examples:") < text.index("Options:")
    assert "K=V is visible among torch's own arguments" in text
    assert shlex.split(next(x for x in done.out.splitlines() if "my project" in x))


def test_a_global_manual_size_would_end_the_server_and_is_refused(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    tmux.new_session("main", "cat")
    tmux.cmd("set-option", "-g", "window-size", "manual")
    done = torch("window", "dev", "--session", "main", "--dir", str(tmp_path), "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "window-size")
    assert len(tmux.panes()) == 1


def test_a_server_that_takes_no_connection_is_not_waited_for_without_end(
    tmux: TmuxServer, store: Store
) -> None:
    """Its queue is full, because it is stopped: it is there, but nothing is opened."""
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as clients:
        os.makedirs(os.path.dirname(tmux.socket.file), 0o700, exist_ok=True)
        server.bind(tmux.socket.file)
        server.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                one = clients.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                one.connect(tmux.socket.file)
        looking = threading.Thread(target=running.is_heard, args=(tmux.socket.file,), daemon=True)
        looking.start()
        looking.join(20)
        assert not looking.is_alive()
        assert running.is_heard(tmux.socket.file)
