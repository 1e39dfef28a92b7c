"""``torch profile new``: a real program in a scratch pane, and the draft that comes of it."""

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent import DEMO_PROGRAM, whole_lines
from conftest import KEEPS_DEAD, PATIENCE, SOURCE, TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.store import Store
from torch_cli.store.agents import Agent

# It writes down who it is and who started it, then every byte that it is given.
PROGRAM = r"""
import os, sys, termios, time, tty
log = open(sys.argv[1], "ab", buffering=0)
log.write(f"{os.getpid()} {os.getppid()}\n".encode())
kind = sys.argv[2]
if kind == "line":
    while True:
        print("got", repr(input("you> ")))
tty.setraw(0, termios.TCSANOW)
say = lambda text: os.write(1, text.replace("\n", "\r\n").encode())
if kind == "menu":
    say("\x1b[?2004h Do you trust this folder?\n\n \u276f 1. Yes\n   2. No\n")
if kind == "question":
    say("Update now? [y/N] ")
if kind == "restless":
    for number in range(100_000):
        say(f"\rloading {number}")
        time.sleep(0.02)
if kind == "deaf":
    say("no box here\n")
while byte := os.read(0, 100):
    log.write(byte)
"""


@dataclass
class Fake:
    """The fake program: how to start it, and what it wrote down."""

    path: Path
    log: Path

    def command(self, kind: str) -> str:
        return f"'{sys.executable}' '{self.path}' '{self.log}' {kind}"

    def processes(self) -> list[procs.Process]:
        """Return the program and the tmux server that started it, once they run."""
        wait_until(lambda: self.log.exists() and b"\n" in self.log.read_bytes())
        first = self.log.read_bytes().partition(b"\n")[0]
        found = [procs.identify(int(word)) for word in first.split()]
        return [process for process in found if process]

    def given(self) -> bytes:
        return self.log.read_bytes().partition(b"\n")[2]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    path = tmp_path / "fake.py"
    path.write_text(PROGRAM)
    return Fake(path, tmp_path / "fake.log")


@pytest.fixture(autouse=True)
def temporary(tmux: TmuxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory in which nothing may be left; a socket's path must be short."""
    folder = tmux.directory / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert not list(folder.iterdir())


def own(tmp_path: Path, name: str) -> Path:
    return tmp_path / "torch" / "config" / "profiles" / f"{name}.toml"


def draft(tmp_path: Path, name: str) -> dict[str, Any]:
    return tomllib.loads(own(tmp_path, name).read_text())


def submitted(log: Path) -> list[str]:
    """Return what the demo agent was given with Enter."""
    events = whole_lines(log)
    return [event["text"] for event in events if event["event"] in ("submit", "queued")]


def gone(processes: list[procs.Process]) -> None:
    assert processes
    wait_until(lambda: not any(map(procs.alive, processes)), what="the end of what was started")


def test_a_draft_of_a_ruled_box_delivers(torch: Torch, tmux: TmuxServer, tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    done = torch(
        *("profile", "new", "mine", "--press-enter", "say hello"),
        *("--command", f"'{DEMO_PROGRAM}' --log '{log}'"),
    )
    assert done.code == 0, done.err
    assert done.out.strip() == str(own(tmp_path, "mine"))
    assert submitted(log) == ["say hello"]
    box = draft(tmp_path, "mine")["box"]
    assert (box["kind"], box["rule"], box["prompt"]) == ("ruled", "─", "»\u00a0")
    assert (box["continuation"], box["echo"], box["cursor_real"]) == ("  ", "» ", True)
    assert draft(tmp_path, "mine")["paste"]["framed_in"] == ["idle"]
    assert "# match = '^  esc to interrupt'" in own(tmp_path, "mine").read_text()
    assert torch("profile", "check", "mine").code == 0

    assert torch("spawn", "dev", "--profile", "mine", "--session", "s").code == 0, tmux.screens()
    for message in ("hello there", "two\nlines"):
        sent = torch("send", "dev", message, "--json")
        assert sent.json["state"] == "submitted", sent.out + sent.err + tmux.screens()


def test_a_draft_of_a_line_prompt_delivers_though_enter_was_not_pressed(
    torch: Torch, tmux: TmuxServer, fake: Fake, tmp_path: Path
) -> None:
    done = torch("profile", "new", "mine", "--command", fake.command("line"))
    assert done.code == 0, done.err
    assert "Enter was not pressed" in done.err
    box = draft(tmp_path, "mine")["box"]
    assert (box["kind"], box["cursor_real"], box["wraps"]) == ("prompt", True, True)
    assert draft(tmp_path, "mine")["paste"]["framed_in"] == []
    assert draft(tmp_path, "mine")["process"]["names"] == []
    spawned = torch("spawn", "dev", "--profile", "mine", "--session", "s", "--json")
    assert spawned.code == 0, spawned.err + tmux.screens()
    for message in ("hello there", "a text that is longer than a row of the pane: " + "word " * 20):
        sent = torch("send", "dev", message, "--json")
        assert sent.json["state"] == "submitted", sent.out + sent.err + tmux.screens()
        shown = tmux.cmd("capture-pane", "-p", "-J", "-t", spawned.json["pane"])
        assert f"got '{message.strip()}'" in shown


def test_enter_is_pressed_on_request_only(torch: Torch, tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    command = f"'{DEMO_PROGRAM}' --log '{log}'"
    done = torch("profile", "new", "mine", "--command", command, "--json")
    assert (done.code, done.json["schema"]) == (0, "torch.profile-new/1")
    assert submitted(log) == []
    assert any("Enter was not pressed" in one for one in done.json["unproven"])
    assert draft(tmp_path, "mine")["box"]["echo"] == ""


@pytest.mark.parametrize("kind", ["menu", "question"])
def test_nothing_is_typed_into_a_question(
    torch: Torch, fake: Fake, tmp_path: Path, kind: str
) -> None:
    done = torch("profile", "new", "mine", "--command", fake.command(kind), "--press-enter")
    assert done.code == 4
    assert "first asks a question" in done.err
    assert "nothing was typed" in done.err
    assert fake.given() == b""
    assert not own(tmp_path, "mine").exists()


def test_a_program_that_ends_at_once_shows_its_last_words(torch: Torch, tmp_path: Path) -> None:
    command = "sh -c 'echo no licence; exit 3'"
    done = torch("profile", "new", "mine", "--command", command, "--json")
    assert done.code == 1
    assert done.json["error"]["code"] == "ended"
    assert ("no licence" in done.json["error"]["message"]) == KEEPS_DEAD
    assert not own(tmp_path, "mine").exists()


def test_a_screen_that_never_rests_is_no_draft(torch: Torch, fake: Fake, tmp_path: Path) -> None:
    done = torch("profile", "new", "mine", "--command", fake.command("restless"), "--timeout", "2")
    assert done.code == 6
    assert "never stayed the same" in done.err
    assert "'loading " in done.err
    assert not own(tmp_path, "mine").exists()
    gone(fake.processes())


def test_a_program_without_a_box_gets_a_draft_that_says_so(
    torch: Torch, fake: Fake, tmp_path: Path
) -> None:
    done = torch("profile", "new", "mine", "--command", fake.command("deaf"), "--press-enter")
    assert done.code == 0, done.err
    assert "no message can be delivered" in done.err
    assert draft(tmp_path, "mine")["box"]["kind"] == "none"
    assert fake.given() == b"zubzub"


def test_what_cannot_be_is_refused_before_anything_is_started(
    torch: Torch, fake: Fake, tmp_path: Path
) -> None:
    own(tmp_path, "taken").parent.mkdir(parents=True)
    own(tmp_path, "taken").write_text('name = "taken"\n')
    there = tmp_path / "there.toml"
    there.touch()
    line = fake.command("line")
    for code, *words in (
        (2, "My Profile", "--command", line),
        (2, "taken", "--command", line),
        (2, "claude", "--command", line),
        (2, "mine", "--command", line, "--output", str(there)),
        (2, "mine", "--command", line, "--output", str(tmp_path / "no" / "dir.toml")),
        (2, "mine", "--command", "'open"),
        (2, "mine", "--command", " "),
        (2, "mine", "--command", line, "--press-enter", "two\nlines"),
        (2, "mine", "--command", line, "--env", "A B=c"),
        (2, "mine", "--command", line, "--dir", "/nowhere"),
        (3, "mine", "--command", "no-such-program --flag"),
    ):
        done = torch("profile", "new", *map(str, words))
        assert (done.code, "Traceback" in done.err) == (code, False), (words, done.err)
    assert not fake.log.exists()
    assert own(tmp_path, "taken").read_text() == 'name = "taken"\n'


def test_force_replaces_and_output_chooses_the_place(
    torch: Torch, fake: Fake, tmp_path: Path
) -> None:
    words = ("profile", "new", "mine", "--command", fake.command("line"))
    printed = torch(*words, "--output", "-")
    assert printed.code == 0
    assert tomllib.loads(printed.out)["name"] == "mine"
    assert not own(tmp_path, "mine").exists()
    elsewhere = tmp_path / "mine.toml"
    elsewhere.write_text("old")
    assert torch(*words, "--output", str(elsewhere), "--force").code == 0
    assert tomllib.loads(elsewhere.read_text())["name"] == "mine"


def test_the_callers_tmux_is_not_touched(torch: Torch, tmux: TmuxServer, fake: Fake) -> None:
    pane = tmux.new_session("main", window="mine")  # tmux renames one without a name
    buffers = tmux.cmd("list-buffers")
    before = tmux.panes()
    env = {"TMUX": f"{pane.socket_path},{pane.server_pid},0", "TMUX_PANE": pane.id}
    done = torch("profile", "new", "mine", "--command", fake.command("line"), env=env)
    assert done.code == 0, done.err
    assert [(p.id, p.pid, p.width, p.window) for p in tmux.panes()] == [
        (p.id, p.pid, p.width, p.window) for p in before
    ]
    assert tmux.cmd("list-buffers") == buffers
    gone(fake.processes())


def test_the_environment_reaches_the_program(torch: Torch, tmp_path: Path) -> None:
    command = 'sh -c \'printf "%s> " "$PLACE"; exec cat\''
    words = ("profile", "new", "mine", "--command", command, "--output", "-")
    done = torch(*words, "--env", "PLACE=a b;c")
    assert done.code == 0, done.err
    assert tomllib.loads(done.out)["box"]["prompt"] == "a b;c>(?: |$)"


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_the_private_server_ends_with_torch(
    torch: Torch, fake: Fake, tmp_path: Path, temporary: Path, sign: signal.Signals, code: int
) -> None:
    running = start(torch, "mine", fake)
    try:
        started = fake.processes()
        running.send_signal(sign)
        assert running.wait(PATIENCE) == code
        gone(started)
    finally:
        running.kill()
        running.wait()
    assert not own(tmp_path, "mine").exists()
    if sign == signal.SIGKILL:  # nobody was left to remove its directory
        for folder in temporary.iterdir():
            shutil.rmtree(folder)


def test_two_at_once_do_not_meet(torch: Torch, fake: Fake, tmp_path: Path) -> None:
    second = Fake(fake.path, tmp_path / "second.log")
    running = [start(torch, "one", fake, "line"), start(torch, "two", second, "line")]
    assert [process.wait(60) for process in running] == [0, 0]
    for name, program in (("one", fake), ("two", second)):
        assert draft(tmp_path, name)["box"]["kind"] == "prompt"
        assert draft(tmp_path, name)["launch"]["command"][-2] == str(program.log)
        gone(program.processes())


def start(torch: Torch, name: str, fake: Fake, kind: str = "restless") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        torch.argv("profile", "new", name, "--command", fake.command(kind)),
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell starts what it puts into the background with SIGINT ignored, the tests too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_an_agent_writes_a_draft_only_to_a_file_that_is_not_used(
    torch: Torch, fake: Fake, tmp_path: Path
) -> None:
    """What is in the directory of profiles decides which keys are pressed."""
    with Store() as store:
        store.agents.add(
            Agent(
                name="dev",
                profile="demo",
                origin="spawned",
                socket="/nowhere",
                server="/nowhere|999999999|1",
                pane="%1",
                pane_pid=1,
                session="s",
                window="w",
                directory="/",
                program_pid=1,
                program_started="1",
            )
        )
    words = ("profile", "new", "mine", "--command", fake.command("line"))
    env = {"TORCH_AGENT": "dev", "TMUX": "", "TMUX_PANE": ""}
    done = torch(*words, "--json", env=env)
    assert (done.code, done.json["error"]["code"]) == (2, "not-yours"), done
    assert "--output" in done.json["error"]["hint"]
    assert not fake.log.exists(), "nothing was started"
    path = own(tmp_path, "mine")
    path.parent.mkdir(parents=True)
    assert torch(*words, "--output", str(path), env=env).code == 0
    used = {row["name"]: row["used"] for row in torch("profile", "list", "--json").json["profiles"]}
    assert used["mine"] is False
