"""``torch run``: a command in a shell's own pane, its output exact and its status true."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import TmuxServer, Torch, wait_until
from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.shell import run as module
from torch_cli.shell.prompt import is_script
from torch_cli.shell.script import Between
from torch_cli.store import Store
from torch_cli.tmux import gate
from torch_cli.tmux.panes import Pane

SHELLS = {
    "bash": "bash --norc -i",
    "dash": "dash -i",
    "zsh": "zsh -f -i",
    "fish": "fish --no-config -i",
}
HERE = [name for name in SHELLS if shutil.which(name)]


@pytest.fixture(params=HERE)
def shell(request: pytest.FixtureRequest, tmux: TmuxServer) -> Pane:
    """A shell at its prompt, in a pane."""
    pane = tmux.new_session("main", f"exec {SHELLS[request.param]}")
    tmux.wait_until(lambda: tmux.screen(pane).rstrip()[-1:] in tuple("$#%>"), "the prompt")
    return pane


@pytest.fixture
def bash(tmux: TmuxServer) -> Pane:
    pane = tmux.new_session("main", f"exec {SHELLS['bash']}")
    tmux.wait_until(lambda: tmux.screen(pane).rstrip()[-1:] in tuple("$#"), "the prompt")
    return pane


def test_output_and_status_are_those_of_the_command(shell: Pane, torch: Torch) -> None:
    for line, output, status in (
        ("echo hello", "hello\n", 0),
        ("printf 'no newline'", "no newline", 0),
        ("echo out; echo err >&2; false", "out\nerr\n", 1),
        ("sh -c 'exit 42'", "", 42),
        ("echo 日本語 '👩‍👩‍👧' \"it's\"", "日本語 👩‍👩‍👧 it's\n", 0),
        ("sh -c no-such-command 2>/dev/null", "", 127),
        ("seq 1 3000", "".join(f"{n}\n" for n in range(1, 3001)), 0),
    ):
        done = torch("run", shell.id, "--json", "--timeout", "30", "--", line)
        assert (done.code, done.json["status"]) == (status, status), (line, done)
        assert done.json["output"] == output, line


def test_arguments_are_data(shell: Pane, torch: Torch) -> None:
    words = ["$HOME", "#(touch x)", "a;b", "it's", "", "two\nlines", "-n"]
    done = torch("run", shell.id, "--json", "--", "printf", "<%s>", *words)
    assert done.json["output"] == "".join(f"<{word}>" for word in words)


def test_people_see_the_output_and_programs_get_the_status(bash: Pane, torch: Torch) -> None:
    done = torch("run", bash.id, "--", "echo hello; exit_with() { return 3; }; exit_with")
    assert (done.code, done.out) == (3, "hello\n")


def test_the_shell_keeps_what_the_command_did_to_it_unless_apart(
    bash: Pane, torch: Torch, tmp_path: Path
) -> None:
    assert torch("run", bash.id, "--apart", "--", f"cd '{tmp_path}'; X=1").code == 0
    assert torch("run", bash.id, "--", 'echo "$PWD$X"').out != f"{tmp_path}1\n"
    assert torch("run", bash.id, "--", f"cd '{tmp_path}'; X=1").code == 0
    assert torch("run", bash.id, "--", 'echo "$PWD$X"').out == f"{tmp_path}1\n"


def test_the_command_has_the_panes_own_terminal(bash: Pane, torch: Torch) -> None:
    assert torch("run", bash.id, "--", "test -t 0 && test -t 1").code == 0


@pytest.mark.parametrize("typed", ["half a line", "echo 'open quote\n", "sleep 1000\n", "cat\n"])
def test_a_shell_that_is_not_at_its_prompt_is_left_alone(
    tmux: TmuxServer, bash: Pane, torch: Torch, typed: str
) -> None:
    text, newline, _ = typed.partition("\n")
    tmux.cmd("send-keys", "-t", bash.id, "-l", text)
    if newline:
        tmux.cmd("send-keys", "-t", bash.id, "Enter")
    tmux.wait_for_text(bash, text)
    if "quote" in text:
        tmux.wait_until(lambda: tmux.screen(bash).rstrip().endswith("\n>"), "the open quote")
    if text in ("cat", "sleep 1000"):
        tmux.wait_until(lambda: tmux.pane(bash.id).command == text.split()[0], "the command")
    shown = tmux.screen(bash)
    done = torch("run", bash.id, "--json", "--", "touch x")
    assert done.code in (2, 4)
    assert done.json["error"]["code"] in ("not-at-prompt", "no-shell")
    assert tmux.screen(bash) == shown


def test_what_somebody_types_behind_the_line_is_not_run_with_it(
    tmux: TmuxServer, torch: Torch, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell has not read it yet, so no screen shows it when Enter is pressed."""
    monkeypatch.setattr(module, "LINE_SHOWN_SECONDS", 1.0)
    # tmux continues a stopped process of its own, and not one below that.
    pane = tmux.new_session("main", f"{SHELLS['bash']}; true")
    tmux.wait_until(lambda: tmux.screen(pane).rstrip()[-1:] in tuple("$#"), "the prompt")
    (shell,) = procs.descendants(pane.pid)
    original = gate.press

    def late(client: Any, pane: Any, *given: Any, **named: Any) -> gate.GateOutcome:
        os.kill(shell.pid, signal.SIGSTOP)
        tmux.cmd("send-keys", "-t", pane.id, "-l", f"; touch {tmp_path}/ran")
        try:
            return original(client, pane, *given, **named)
        finally:
            os.kill(shell.pid, signal.SIGCONT)

    monkeypatch.setattr(gate, "press", late)
    with pytest.raises(TorchError) as failed:
        module.run(store, tmux.socket, pane.id, ["true"], timeout=5.0, on_output=lambda data: None)
    assert failed.value.code == "not-seen"
    assert not (tmp_path / "ran").exists()


def test_a_command_that_does_not_end_in_time_goes_on(bash: Pane, torch: Torch) -> None:
    done = torch("run", bash.id, "--json", "--timeout", "1", "--", "sleep 1000")
    assert (done.code, done.json["error"]["code"]) == (6, "timed-out")
    assert "continues" in done.json["error"]["message"]


QUESTIONS = [
    ("bash", "read -p 'name> ' answer"),
    ("bash", "read -s -n 1 -p 'name> '"),
    ("bash", "printf 'name> '; while :; do :; done"),
    ("bash", "./ask"),
    ("zsh", "read 'answer?name> '"),
    ("zsh", "read -k 1 'answer?name> '"),
    ("fish", "read"),
]


@pytest.mark.parametrize(("shell_name", "line"), [one for one in QUESTIONS if one[0] in HERE])
def test_a_question_that_looks_like_a_prompt_is_not_answered(
    tmux: TmuxServer, torch: Torch, shell_name: str, line: str
) -> None:
    script = tmux.directory / "ask"
    script.write_text("#!/usr/bin/env bash\nread -e -p 'name> ' answer\n")
    script.chmod(0o755)
    pane = tmux.new_session("main", f"exec {SHELLS[shell_name]}")
    tmux.wait_until(lambda: tmux.screen(pane).rstrip()[-1:] in tuple("$#%>"), "the prompt")
    tmux.cmd("send-keys", "-t", pane.id, "-l", line)
    tmux.cmd("send-keys", "-t", pane.id, "Enter")
    asked = ("\nname>", "\nread>")
    tmux.wait_until(lambda: tmux.screen(pane).rstrip().endswith(asked), "the question")
    shown = tmux.screen(pane)
    done = torch("run", pane.id, "--json", "--", "touch x")
    assert (done.code, done.json["error"]["code"]) == (4, "not-at-prompt")
    assert tmux.screen(pane) == shown


@pytest.mark.parametrize(
    ("shell_name", "line"),
    [("bash", "read -t 2 -p 'name> ' x; echo over"), ("zsh", "read -t 2 'x?name> '; echo over")],
)
def test_a_question_of_the_command_is_not_its_end(
    tmux: TmuxServer, torch: Torch, shell_name: str, line: str
) -> None:
    if shell_name not in HERE:
        shell_name, line = "bash", line.replace("'x?name> '", "-p 'name> ' x")
    pane = tmux.new_session("main", f"exec {SHELLS[shell_name]}")
    tmux.wait_until(lambda: tmux.screen(pane).rstrip()[-1:] in tuple("$#%>"), "the prompt")
    done = torch("run", pane.id, "--json", "--", line)
    assert (done.code, done.json["output"]) == (0, "name> over\n")


def test_a_command_that_has_not_begun_in_time_is_still_run(
    tmux: TmuxServer, bash: Pane, torch: Torch, tmp_path: Path
) -> None:
    """The shell has something else to do first: it reads the files of the command later."""
    go = tmp_path / "go"
    assert torch("run", bash.id, "--", f"hold() {{ until test -e '{go}'; do :; done; }}").code == 0
    tmux.cmd("send-keys", "-t", bash.id, "-l", "trap hold DEBUG")
    tmux.cmd("send-keys", "-t", bash.id, "Enter")
    tmux.wait_until(lambda: tmux.screen(bash).rstrip()[-1:] in tuple("$#"), "the prompt")
    line = "trap - DEBUG; echo 'run' after all"
    env = {"TMPDIR": str(tmp_path)}
    done = torch("run", bash.id, "--json", "--timeout", "1", "--", line, env=env)
    assert (done.code, done.json["error"]["code"]) == (6, "timed-out")
    assert "not begun" in done.json["error"]["message"]
    go.touch()
    tmux.wait_for_text(bash, "run after all")


def test_a_pane_that_is_no_longer_heard_is_said_to_be(
    tmux: TmuxServer, bash: Pane, torch: Torch, tmp_path: Path
) -> None:
    import threading

    tmux.new_session("other")
    ready = tmp_path / "ready"

    def move() -> None:
        wait_until(ready.exists, what="the command")
        tmux.cmd("move-window", "-s", bash.window_id, "-t", "other:")

    person = threading.Thread(target=move)
    person.start()
    line = f"touch '{ready}'; sleep 1000"
    done = torch("run", bash.id, "--json", "--timeout", "50", "--", line)
    person.join()
    assert (done.code, done.json["error"]["code"]) == (1, "not-heard")


@pytest.mark.parametrize(
    ("words", "script"),
    [
        ("bash", False),
        ("-bash", False),
        ("bash -i", False),
        ("bash --rcfile x -O extglob", False),
        ("bash -s a b", False),
        ("zsh -o shwordsplit", False),
        ("bash x", True),
        ("bash -eu x", True),
        ("bash -c x", True),
        ("zsh -fic x", True),
    ],
)
def test_a_shell_with_a_script_is_told_by_its_arguments(words: str, script: bool) -> None:
    assert is_script(words.split()) == script


def test_an_interrupted_command_has_no_status(
    tmux: TmuxServer, bash: Pane, torch: Torch, tmp_path: Path
) -> None:
    import threading

    ready = tmp_path / "ready"

    def interrupt() -> None:
        wait_until(ready.exists, what="the command")
        tmux.cmd("send-keys", "-t", bash.id, "C-c")

    person = threading.Thread(target=interrupt)
    person.start()
    done = torch("run", bash.id, "--json", "--timeout", "30", "--", f"touch '{ready}'; sleep 1000")
    person.join()
    assert (done.code, done.json["error"]["code"]) == (1, "interrupted")


def test_a_shell_that_dies_on_the_way_is_said_to_have(
    bash: Pane, torch: Torch, tmux: TmuxServer
) -> None:
    tmux.cmd("set-option", "-p", "-t", bash.id, "remain-on-exit", "on")
    shell = procs.identify(bash.pid)
    assert shell is not None
    done = torch("run", bash.id, "--json", "--timeout", "30", "--", f"kill -9 {bash.pid}")
    assert done.code == 1, done
    assert not procs.alive(shell)  # a number alone would not do: tmux may leave a zombie


def test_an_agent_is_no_shell(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("main", "exec cat")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "cat", "cat")
    done = torch("run", pane.id, "--json", "--", "ls")
    assert (done.code, done.json["error"]["code"]) == (2, "no-shell")


def test_the_place_of_its_files_may_have_any_name(
    shell: Pane, torch: Torch, tmp_path: Path
) -> None:
    odd = tmp_path / "it's $HOME #(x)"
    odd.mkdir()
    done = torch("run", shell.id, "--", "echo hello", env={"TMPDIR": str(odd)})
    assert (done.code, done.out) == (0, "hello\n"), done
    assert list(odd.iterdir()) == []


def test_nothing_is_left_behind(bash: Pane, torch: Torch, tmp_path: Path) -> None:
    assert torch("run", bash.id, "--", "true", env={"TMPDIR": str(tmp_path)}).code == 0
    assert list(tmp_path.glob("torch-run-*")) == []


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_marks_are_found_however_the_bytes_are_cut(size: int) -> None:
    stream = b"$ . x\r\n\x1b]7717;w;start\x1b\\a\x1b[31mb\r\nc\r\n\x1b]7717;w;end;3\x1b\\$ "
    between = Between("w")
    out = b"".join(between.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    assert (out, between.status) == (b"a\x1b[31mb\nc\n", 3)


def test_a_prompt_that_ends_at_the_right_edge_is_not_called_idle_and_that_is_said(
    tmux: TmuxServer, bash: Pane, torch: Torch
) -> None:
    """The cursor is in the next row, as after a row of output: nobody can tell them apart."""
    width = int(tmux.cmd("display-message", "-p", "-t", bash.id, "#{pane_width}"))
    for size, state in ((width, "working"), (width + 1, "working"), (width + 4, "idle")):
        prompt = f"{'a' * (size - 2)}$"

        def shows(prompt: str = prompt) -> bool:
            return tmux.screen(bash).replace("\n", "").strip() == prompt

        tmux.cmd("send-keys", "-t", bash.id, f"PS1='{prompt} '; clear", "Enter")
        tmux.wait_until(shows, "the prompt")
        done = torch("state", bash.id, "-v")
        assert state in done.out, done
        said = "no prompt, or one that ends at the right edge of the pane" in done.out
        assert said is (state == "working"), done
