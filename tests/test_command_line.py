"""What all commands share: the common options, mistakes, encodings, interrupts, help."""

import json
import os
import signal
import subprocess
from pathlib import Path

import click
import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, Result, TmuxServer, Torch, wait_until
from torch_cli.cli.group import torch as group

POSIX = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def code(result: Result) -> tuple[int, str]:
    """Return the exit status and the error's word."""
    return result.code, result.json["error"]["code"]


def commands(parent: click.Group = group, *names: str) -> list[tuple[str, ...]]:
    """Return the words of every command, groups and what is in them."""
    found = []
    for name in parent.list_commands(click.Context(parent)):
        command = parent.get_command(click.Context(parent), name)
        found.append((*names, name))
        if isinstance(command, click.Group):
            found += commands(command, *names, name)
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_examples(torch: Torch, words: tuple[str, ...]) -> None:
    done = torch(*words, "-h")
    assert done.code == 0, done.err
    assert "Examples:" in done.out
    assert f"  torch {' '.join(words)}" in done.out.partition("Examples:")[2]


# Options before the command


def test_help_shows_what_the_commands_own_option_shows(torch: Torch) -> None:
    for words in ((), ("send",), ("checkpoint",), ("checkpoint", "restore")):
        shown = torch("help", *words)
        assert (shown.code, shown.out) == (0, torch(*words, "--help").out)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("sned",), "Did you mean 'torch send'?"),
        (("checkpoint", "restroe"), "Did you mean 'torch checkpoint restore'?"),
    ],
)
def test_help_on_no_command_is_refused(torch: Torch, words: tuple[str, ...], hint: str) -> None:
    refused = torch("help", *words, "--json")
    assert refused.code == 2
    said = f"unknown command '{' '.join(words)}'; nothing was done"
    assert refused.json["error"]["message"] == said
    assert refused.json["error"]["hint"] == hint


def test_help_shows_one_command_and_says_how(torch: Torch) -> None:
    refused = torch("help", "send", "ask")
    assert refused.code == 2
    assert "help shows one command; nothing was shown" in refused.err
    assert "One at a time: torch help send; torch help ask" in refused.err


def test_a_first_message_names_the_command_that_starts_an_agent(torch: Torch) -> None:
    refused = torch("send", "dev", "hi")
    assert refused.code == 3
    assert "no agent named 'dev'; there are no agents yet" in refused.err
    assert "'torch spawn dev' starts it, and tmux for it." in refused.err


def test_several_recipients_are_explained(tmux: TmuxServer, torch: Torch) -> None:
    tmux.new_session("a,b", "cat")
    for words in (("send", "dev,qa", "hi"), ("send", "dev, qa", "hi"), ("capture", "dev,qa")):
        refused = torch(*words)
        assert refused.code == 2, words
        assert "names several agents, and one is wanted; nothing was done" in refused.err
        assert "'torch broadcast TEXT' sends to all agents of a project" in refused.err
    assert torch("capture", "a,b").code == 0, "a session of that name"
    refused = torch("send", "dev", "run", "the tests")
    assert (refused.code, "in quotes: torch send … " in refused.err) == (2, True), refused.err


@pytest.mark.parametrize("command", ["ps", "status", "top"])
def test_a_list_with_a_name_leads_to_that_agent(torch: Torch, command: str) -> None:
    refused = torch(command, "dev")
    assert refused.code == 2
    assert "For one agent: torch state dev, or torch why dev" in refused.err


def test_a_stopped_agent_is_not_called_unknown(demo: DemoAgent) -> None:
    assert demo.torch("stop", "demo").code == 0
    for words in (("restart", "demo"), ("rename", "demo", "other"), ("send", "demo", "hi")):
        refused = demo.torch(*words)
        assert refused.code == 3, words
        assert "Start it again: torch spawn demo." in refused.err, words
    assert "It was stopped." in demo.torch("restart", "demo").err


def test_common_options_may_stand_before_the_command(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session()
    before = torch("-L", "t", "--json", "capture", pane.id)
    assert before.json["pane"] == pane.id
    behind = torch("-L", "nowhere", "--json", "capture", pane.id, "-L", "t")
    assert behind.json["pane"] == pane.id, "what stands behind the command's name counts more"
    words = torch.argv("-L", "nowhere", "--json", "attach", pane.id)
    said = subprocess.run(
        words, capture_output=True, env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=False
    )
    assert json.loads(said.stdout)["error"]["code"] == "no-server"
    assert torch("--json", "profile", "list").json["schema"] == "torch.profiles/1"
    assert "-L, --socket-name" in torch("--help").out


def test_a_word_behind_two_dashes_is_no_option_of_torch(torch: Torch) -> None:
    done = torch("window", "dev", "--dir", "/nowhere", "--", "list", "--json")
    assert (done.code, done.out) == (2, "")


# Mistakes


@pytest.mark.parametrize("words", [("completion",), ("agent-setup",), ("completion", "tcsh")])
def test_what_may_be_chosen_is_said_in_one_line(torch: Torch, words: tuple[str, ...]) -> None:
    done = torch(*words)
    assert done.code == 2
    assert len(done.err.splitlines()) == 2
    assert "\\" not in done.err


@pytest.mark.parametrize("message", ["- item", "--foo", "-x", "-q"])
def test_a_message_taken_for_an_option_is_explained(torch: Torch, message: str) -> None:
    done = torch("send", "dev", message, "--json")
    assert code(done) == (2, "usage")
    assert "that begins with '-' behind '--'" in done.json["error"]["hint"]
    assert "behind '--'" not in torch("ps", "--foo", "--json").json["error"]["hint"]


def test_a_message_that_is_missing_is_asked_for(torch: Torch) -> None:
    done = torch("send", "dev")
    assert done.code == 2
    assert "missing argument 'MESSAGE'" in done.err
    assert "Say what to send: torch send TARGET" in done.err
    assert "behind" not in done.err


def test_such_a_message_is_sent_behind_two_dashes(demo: DemoAgent) -> None:
    assert demo.torch("send", demo.name, "--", "- item").code == 0
    assert demo.submitted() == ["- item"]


def test_the_hint_of_wait_knows_the_word_of_ps(torch: Torch) -> None:
    done = torch("wait", "dev", "--for", "vanished", "--timeout", "1", "--json")
    assert code(done) == (2, "usage")
    assert "'dead'" in done.json["error"]["hint"]


@pytest.mark.parametrize("command", ["send", "wait"])
def test_timeout_is_explained(torch: Torch, command: str) -> None:
    help_text = " ".join(torch(command, "--help").out.split())
    assert "--timeout SECONDS The most seconds to wait" in help_text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ps", "--jsn"), "torch: no such option"),
        (("window",), "torch: missing argument 'NAME'"),
        (("ps", "x"), "torch: got unexpected extra argument (x)"),
        (
            ("wait", "dev", "--for", "idle", "--timeout", "x"),
            "torch: invalid value for '--timeout'",
        ),
        (("wait", "dev", "--for", "idle"), "torch: missing option '--timeout'"),
    ],
)
def test_every_error_begins_with_a_small_letter(
    torch: Torch, words: tuple[str, ...], said: str
) -> None:
    done = torch(*words)
    assert (done.code, done.err[: len(said)]) == (2, said)


def test_a_name_where_an_option_names_the_agent_is_said_to_belong_there(torch: Torch) -> None:
    done = torch("events", "dev")
    assert (done.code, "For one agent: torch events --agent dev" in done.err) == (2, True)
    assert "See 'torch doctor --help'." in torch("doctor", "dev").err


# Bytes that are not UTF-8


@pytest.mark.parametrize(
    ("words", "which"),
    [
        (("state", "dev", "a\udcff"), "'TARGETS'"),
        (("stop", "\udcff"), "'NAMES'"),
        (("window", "w\udcff"), "'NAME'"),
        (("window", "w", "--session", "\udcff"), "'--session'"),
        (("spawn", "w", "--role", "\udcff"), "'--role'"),
        (("spawn", "w", "--parent", "\udcff"), "'--parent'"),
        (("press", "dev", "\udcff"), "'KEYS'"),
        (("receipt", "\udcff"), "'IDENTITY'"),
        (("wait", "dev", "--for", "\udcff", "--timeout", "1"), "'--for'"),
        (("adopt", "%0", "a", "--profile", "\udcff"), "'--profile'"),
        (("profile", "show", "\udcff"), "'NAME'"),
        (("ps", "-S", "/\udcff"), "'--socket-path'"),
    ],
)
def test_an_argument_that_is_not_utf_8_is_refused_by_name(
    torch: Torch, words: tuple[str, ...], which: str
) -> None:
    done = torch(*words, "--json")
    assert code(done) == (2, "not-utf8")
    assert which in done.json["error"]["message"]
    assert "0xff" in done.json["error"]["message"]
    assert "Traceback" not in torch(*words).err


def test_an_option_before_the_command_is_refused_just_so(torch: Torch) -> None:
    assert code(torch("-S", "\udcff", "completion", "bash", "--json")) == (2, "not-utf8")


@pytest.mark.parametrize("odd", ["\udcff", "--\udcff", "-n\udcff"])
def test_odd_commands_and_options_are_refused_in_words(torch: Torch, odd: str) -> None:
    for words in ((odd,), ("receipt", odd)):
        done = torch(*words)
        assert done.code in (2, 3)
        assert done.err.startswith("torch: ")
        assert "Traceback" not in done.err


def test_bytes_are_legal_where_they_are_data(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    odd = f"{tmp_path}/odd\udcff"
    os.mkdir(odd)
    tmux.new_session("main", "cat")
    words = ("window", "w", "--session", "main", "--dir", odd, "--env", "K=\udcfe")
    done = torch(*words, "--", "sh", "-c", 'printf %s "$K$1" > out; exec cat', "sh", "\udcfd")
    assert done.code == 0, done.err
    out = Path(odd, "out")
    assert wait_until(lambda: out.exists() and out.read_bytes(), what="the output") == b"\xfe\xfd"


# Encodings


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, POSIX], ids=["io", "locale"])
def test_an_output_that_is_not_utf_8_breaks_nothing(demo: DemoAgent, env: dict[str, str]) -> None:
    done = demo.torch("send", demo.name, "é ✓ 🚀", env=env)
    assert (done.code, "Traceback" in done.err) == (0, False), done.err
    assert demo.submitted() == ["é ✓ 🚀"]
    listed = demo.torch("receipt", "-n", "5", env=env)
    assert (listed.code, r"\xe9 \u2713" in listed.out) == (0, True)
    said = demo.torch("receipt", "--json", env=env)
    assert said.out.isascii()
    assert said.json["preview"] == "é ✓ 🚀"
    demo.wait_for("idle")
    assert demo.torch("state", "é", "--json", env=env).json["error"]["message"].count("é") == 1


def test_bytes_that_are_not_utf_8_become_replacement_characters_in_json(
    tmux: TmuxServer, torch: Torch
) -> None:
    done = torch("window", "w", "--dir", "/nowhere\udcff", "--json")
    assert code(done) == (2, "bad-directory")
    done.out.encode("utf-8", "strict")


# Interrupts and failures


def test_an_interrupt_is_an_object_too(demo: DemoAgent) -> None:
    words = demo.torch.argv("wait", demo.name, "--for", "dead", "--timeout", "60", "--json")
    mode = ("list-clients", "-F", "#{client_control_mode}")
    wait_until(lambda: "1" not in demo.tmux.cmd(*mode), what="the end of those before")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE)}
    ) as waiting:
        wait_until(lambda: "1" in demo.tmux.cmd(*mode), what="its control client")
        waiting.send_signal(signal.SIGINT)
        said, _ = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 130
    assert json.loads(said)["error"]["code"] == "interrupted"


def test_an_error_of_the_system_is_an_object_too(torch: Torch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = 'mkdir "$0"; cd "$0"; rmdir "$0"; exec "$@"'
    words = torch.argv("agent-setup", "claude", "--dry-run", "--json")
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "CLAUDE_CONFIG_DIR": "relative"}
    shell = ["sh", "-c", script, str(gone), *words]
    done = subprocess.run(shell, env=env, capture_output=True, check=False)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["message"]) == ("os", "No such file or directory")


def test_agent_setup_does_not_mind_a_removed_directory(torch: Torch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = 'mkdir "$0"; cd "$0"; rmdir "$0"; exec "$@"'
    words = torch.argv("agent-setup", "claude", "--dry-run", "--json")
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    shell = ["sh", "-c", script, str(gone), *words]
    done = subprocess.run(shell, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["changes"]


def test_a_full_output_is_said_on_stderr(torch: Torch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device here that is always full")
    words = torch.argv("completion", "bash", "--json")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            words,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "torch: No space left on device\n")


# Details of errors


def test_a_spawn_that_meets_a_dialog_names_pane_and_dialog(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    words = ("spawn", "dev", "--profile", "demo", "--dir", str(tmp_path), "--json")
    done = torch(*words, "--", "--trust")
    assert code(done) == (4, "dialog")
    shown = torch("state", "dev", "--json").json
    details = done.json["error"]["details"]
    assert details == {"pane": shown["pane"], "dialog": shown["dialog"]["hash"]}


# -v


def test_verbose_says_more_on_stderr(demo: DemoAgent, tmp_path: Path) -> None:
    server = demo.pane.socket_path
    plain, more = demo.torch("state", demo.name), demo.torch("state", demo.name, "-v")
    assert (plain.err, server in more.err) == ("", True)
    assert len(plain.out.splitlines()) == len(more.out.splitlines())
    assert "80x24" in demo.torch("capture", demo.name, "-v").err
    steps = demo.torch("window", "w", "--session", "agents", "--dir", str(tmp_path), "-v").err
    assert "session agents" in steps
    assert f"is in {tmp_path}" in steps


@pytest.mark.parametrize(
    "words",
    [
        ("receipt", "-n"),
        ("inbox", "dev", "-n"),
        ("daemon", "logs", "-n"),
        ("checkpoint", "list", "-n"),
        ("capture", "dev", "-n"),
        ("checkin", "history", "-n"),
    ],
)
def test_a_number_without_end_is_refused(torch: Torch, words: tuple[str, ...]) -> None:
    done = torch(*words, "99999999999999999999")
    assert (done.code, "not in the range" in done.err) == (2, True), done
