"""``torch spawn``: what it proves before it says so, and what it leaves behind when it cannot."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, DemoAgent, spawn_demo
from conftest import (
    KEEPS_DEAD,
    PATIENCE,
    SOURCE,
    TMUX,
    Result,
    TmuxServer,
    Torch,
    accept_profiles,
    wait_until,
)
from test_profiles import STOCK
from torch_cli import paths, procs
from torch_cli.checkpoint.coverage import outside_git
from torch_cli.errors import RefusedError
from torch_cli.intervals import VARIABLE
from torch_cli.lifecycle import spawn as team_spawn
from torch_cli.lifecycle import window as team_window
from torch_cli.lifecycle.spawn import SpawnOrder
from torch_cli.store import Store, StoreError
from torch_cli.tmux.window import open_window

PEM = "-----BEGIN KEY-----\nMIIB/+a=\n  two  \n\n-----END KEY-----\n"

ODD_DIRECTORIES = [
    "two words",
    'it\'s "quoted"',
    "new\nline",
    "#(touch ran)",
    "$(touch ran)`touch ran`",
    "#{pane_id}",
    "tail;",
    "; kill-server",
    "日本 👩‍💻",
    "-c",
]


def program(name: str, script: str, *, extra: str = "") -> Path:
    """Make ``script`` an agent program of its own, with a profile in the user's directory."""
    profiles = Path(paths.config_dir()) / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    path = profiles / f"{name}-program"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    (profiles / f"{name}.toml").write_text(
        f'name = "{name}"\n[launch]\ncommand = [{json.dumps(str(path))}]\n{extra}\n'
    )
    accept_profiles()
    return path


REGISTERED = """
import os, sqlite3, time
store = sqlite3.connect(os.path.join(os.environ["TORCH_HOME"], "torch.db"), timeout=60)
while not store.execute("SELECT 1 FROM agents").fetchall():
    time.sleep(0.01)
"""
"""Begins a program that goes on once Torch knows of it as an agent."""


def demo(torch: Torch, name: str, *options: str, **others: object) -> Result:
    """Run ``torch spawn`` of a demo agent; what follows ``--`` goes to it."""
    own = options.index("--") if "--" in options else len(options)
    words = ("--profile", "demo", "--session", "agents", *options[:own], "--json")
    return torch("spawn", name, *words, *options[own:], **others)  # type: ignore[arg-type]


def nothing_was_touched(tmux: TmuxServer) -> bool:
    """Say whether there is no tmux server, no agent, no window, no event."""
    with Store() as store:
        tables = ("agents", "windows", "events")
        rows = [store.database.query(f"SELECT 1 FROM {table}") for table in tables]
    return not any(rows) and not list(tmux.directory.rglob("t"))


# Ready, or not


def test_it_returns_when_the_input_is_really_ready(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """The demo agent drops what is typed before it is."""
    began = time.monotonic()
    agent = spawn_demo(tmux, torch, tmp_path / "project", "--start-delay", "1")
    assert time.monotonic() - began > 1
    assert agent.send("hello").json["state"] == "confirmed"
    assert agent.submitted() == ["hello"]
    assert not agent.events("dropped", "swallowed")


def test_it_says_what_was_started_and_where(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    done = demo(torch, "dev", "--dir", str(tmp_path), "--role", "qa")
    assert done.code == 0, done.out
    pane = tmux.pane(done.json["pane"])
    said = done.json
    assert said.pop("submit")["degree"] == "safe"
    assert said == {
        "schema": "torch.window/1",
        "session": "agents",
        "window": "dev",
        "pane": pane.id,
        "pid": pane.pid,
        "dir": str(tmp_path.resolve()),
        "agent": "dev",
        "profile": "demo",
        "state": "idle",
        "notes": [outside_git(str(tmp_path.resolve()))],
        "conversation": None,
    }
    with Store() as store:
        agent = store.agents.get("dev")
    assert agent is not None
    assert (agent.role, agent.origin, agent.program_pid) == ("qa", "spawned", pane.pid)
    assert agent.ready is not None


def test_people_are_told_in_one_line_and_quiet_says_no_more(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    done = torch("spawn", "dev", "--profile", "demo", "--dir", str(tmp_path), "-q")
    assert done.code == 0
    assert done.out.startswith("idle  dev  ")
    assert str(tmp_path) in done.out
    assert len(done.out.splitlines()) == 1
    assert done.err == ""


def test_a_directory_outside_git_is_named_with_what_to_do(torch: Torch, tmp_path: Path) -> None:
    """Nobody would know before they need a checkpoint, and it is not there."""
    words = ("spawn", "dev", "--profile", "demo", "--dir", str(tmp_path), "--wait", "0")
    done = torch(*words)
    said = [line for line in done.err.splitlines() if "no checkpoints" in line]
    assert len(said) == 1
    assert f"{tmp_path} is outside git; 'git init' there" in said[0]
    assert torch("stop", "dev").code == 0
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert "no checkpoints" not in torch(*words).err


def test_adopt_names_a_directory_outside_git_too(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    pane = tmux.new_session("mine", "sh", directory=tmp_path)
    done = torch("adopt", pane.id, "dev", "--profile", "shell")
    said = [line for line in done.err.splitlines() if "no checkpoints" in line]
    assert said == [f"  {outside_git(str(tmp_path.resolve()))}"]
    assert torch("rename", "dev", "x").code == 0
    assert torch("stop", "x").code == 0
    pane = tmux.new_session("other", "sh", directory=tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert "no checkpoints" not in torch("adopt", pane.id, "dev", "--profile", "shell").err


def test_without_a_wait_it_returns_at_once_and_says_starting(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    began = time.monotonic()
    done = demo(
        *(torch, "dev", "--dir", str(tmp_path), "--wait", "0"), *("--", "--start-delay", "90")
    )
    assert time.monotonic() - began < 60
    assert (done.code, done.json["state"]) == (0, "starting")
    assert torch("state", "dev", "--json").json["state"] == "starting"


def test_one_that_is_not_ready_in_time_goes_on_starting(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    go, slow = tmp_path / "go", tmp_path / "bin" / Path(DEMO_PROGRAM).name
    slow.parent.mkdir()
    waits = f'[ "$1" = --version ] || until [ -e {go} ]; do sleep 0.05; done'
    slow.write_text(f'#!/bin/sh\n{waits}\nexec {DEMO_PROGRAM} "$@"\n')
    slow.chmod(0o755)
    path = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    done = demo(torch, "dev", "--dir", str(tmp_path), "--wait", "0.5", env=path)
    assert done.code == 6
    assert done.json["error"]["code"] == "timed-out"
    assert "starting" in done.json["error"]["message"]
    go.touch()
    assert torch("wait", "dev", "--for", "idle", "--timeout", str(PATIENCE)).code == 0


def test_a_trust_question_is_shown_with_the_command_that_answers_it_and_not_answered(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    done = demo(torch, "dev", "--dir", str(tmp_path), "--", "--trust", "--log", str(log))
    assert done.code == 4
    error = done.json["error"]
    assert error["code"] == "dialog"
    assert "Do you trust the files in this folder?" in error["message"]
    dialog = torch("state", "dev", "--json").json["dialog"]
    assert f"torch answer dev OPTION --hash {dialog['hash']}" in error["hint"]
    assert dialog["kind"] == "trust"
    agent = DemoAgent(tmux, torch, "dev", tmux.panes()[0], log, tmp_path)
    assert agent.events("typed", "paste", "key") == []
    assert torch("press", "dev", "Enter", "--dialog", dialog["hash"]).code == 0
    agent.wait_for("idle")
    assert agent.send("hello").code == 0


def test_a_program_that_ends_at_once_is_an_error_with_its_words_and_leaves_no_window(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    tmux.new_session("mine", "cat")
    program("brief", "").write_text("#!/bin/sh\necho no licence\nsleep 0.02\nexit 3\n")
    command = ("spawn", "dev", "--profile", "brief", "--dir", str(tmp_path), "--json")
    done = torch(*command, env={VARIABLE: "starts=60 quiet=0.5"})
    assert done.code == 1
    words = "no licence" if KEEPS_DEAD else "ended at once, and its window with it"
    assert words in done.json["error"]["message"]
    assert [pane.session for pane in tmux.panes()] == ["mine"]
    assert torch("state", "dev").code == 3, "nothing was registered"


def test_a_program_whose_box_is_not_known_is_ready_when_it_is_idle(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    rule = '[[rules]]\nstate = "idle"\nname = "prompt"\nwhere = "bottom"\nmatch = "^at rest"'
    script = f"{REGISTERED}\nprint('one\\nat rest', flush=True); time.sleep(600)"
    program("boxless", script, extra=f'[box]\nkind = "none"\n{rule}')
    done = torch("spawn", "dev", "--profile", "boxless", "--dir", str(tmp_path), "--session", "s")
    assert done.code == 0, done
    assert "it gets no messages" in done.err + done.out
    sent = torch("send", "dev", "hello", "--timeout", "0", "--json")
    assert (sent.code, sent.json["state"]) == (4, "held"), sent
    assert "hello" not in tmux.screens()


def test_a_program_that_crashes_while_starting_is_an_error_with_its_last_screen(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    last_words = "print('no\\nlicence', flush=True); time.sleep(0.5)"  # for tmux to read them
    program("crash", f"{REGISTERED}{last_words}; exit(3)")
    done = torch("spawn", "dev", "--profile", "crash", "--dir", str(tmp_path), "--json")
    if not KEEPS_DEAD:
        assert (done.code, done.json["error"]["code"]) == (3, "no-server")
        return
    assert done.code == 1
    assert done.json["error"]["code"] == "crashed"
    assert "no\n  licence" in done.json["error"]["message"]
    assert "torch stop dev" in done.json["error"]["hint"]
    assert tmux.panes()[0].dead, "the pane was kept for its screen"
    assert torch("stop", "dev").code == 0
    assert tmux.run("list-panes", "-a").returncode != 0


def test_a_wrong_argument_of_the_program_is_shown(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    done = demo(torch, "dev", "--dir", str(tmp_path), "--", "--no-such-option")
    if not KEEPS_DEAD:
        assert done.json["error"]["code"] in ("ended", "no-server")
        return
    assert done.code == 1
    assert "--no-such-option" in done.json["error"]["message"]


# Refused before anything is touched


def test_a_program_that_is_not_installed_opens_no_window(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    program("absent", "").unlink()
    done = torch("spawn", "dev", "--profile", "absent", "--dir", str(tmp_path), "--json")
    assert (done.code, done.json["error"]["code"]) == (3, "no-program")
    assert "torch doctor" in done.json["error"]["hint"]
    assert nothing_was_touched(tmux)


@pytest.mark.parametrize(
    ("words", "exit_code", "code", "said"),
    [
        (["two words"], 2, "bad-name", "two words"),
        (["👩‍💻"], 2, "bad-name", "name"),
        (['it"s'], 2, "bad-name", "name"),
        (["a:b"], 2, "bad-name", "name"),
        (["%1"], 2, "bad-name", "name"),
        (["a\nb"], 2, "bad-name", "name"),
        (["x" * 65], 2, "bad-name", "name"),
        ([""], 2, "bad-name", "name"),
        (
            ["dev", "--profile", "dem"],
            3,
            "no-profile",
            f"Known profiles: {', '.join(STOCK)}.",
        ),
        (["dev", "--dir", "missing"], 2, "bad-directory", "missing"),
        (["dev", "--dir", "file"], 2, "bad-directory", "not a directory"),
        (["dev", "--parent", "pm"], 3, "no-agent", "pm"),
        (["dev", "--session", "a:b"], 2, "bad-name", "a:b"),
        (["dev", "--env", "1X=2"], 2, "bad-environment", "1X"),
        (["dev", "--env", "NOT_SET_HERE"], 2, "bad-environment", "not set"),
        (["dev", "--env-file", "missing"], 2, "bad-environment", "missing"),
        (["dev", "--brief", "no-such-brief"], 3, "no-briefing", "developer"),
        (["dev", "--wait", "-1"], 2, "usage", "--wait"),
    ],
)
def test_what_will_not_do_is_refused_before_anything_is_touched(
    tmux: TmuxServer,
    torch: Torch,
    tmp_path: Path,
    words: list[str],
    exit_code: int,
    code: str,
    said: str,
) -> None:
    (tmp_path / "file").write_text("")
    done = torch("spawn", "--profile", "demo", "--json", *words, cwd=tmp_path)
    error = done.json["error"]
    assert (done.code, error["code"]) == (exit_code, code), error
    assert said in error["message"] + error["hint"]
    assert nothing_was_touched(tmux)


@pytest.mark.parametrize("name", ["dev", "Dev_2.x-y", "日本", "é", "7"])
def test_a_name_that_needs_no_quotes_will_do(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, name: str
) -> None:
    assert demo(torch, name, "--dir", str(tmp_path)).code == 0
    assert torch("state", name, "--json").json["target"] == name
    assert torch("stop", name).code == 0


def test_a_taken_name_is_refused_and_the_error_says_where(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    first = demo(torch, "dev", "--dir", str(tmp_path))
    second = torch("spawn", "dev", "--profile", "demo", "--session", "other", "--json")
    assert (second.code, second.json["error"]["code"]) == (2, "name-taken")
    assert first.json["pane"] in second.json["error"]["message"]
    assert "torch stop dev" in second.json["error"]["hint"]
    assert len(tmux.panes()) == 1


@pytest.mark.parametrize("sessions", [("agents", "agents"), ("one", "two")])
def test_of_two_spawns_of_one_name_at_once_one_wins(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, sessions: tuple[str, str]
) -> None:
    tmux.new_session("mine", "cat")
    for _ in range(3):
        children = [
            subprocess.Popen(
                torch.argv(
                    *("spawn", "dev", "--profile", "demo", "--json"),
                    *("--session", session, "--dir", str(tmp_path)),
                ),
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
            )
            for session in sessions
        ]
        told = [child.communicate(timeout=2 * PATIENCE)[0] for child in children]
        assert sorted(child.returncode for child in children) == [0, 2], told
        (won,) = (json.loads(out) for out in told if "error" not in out)
        wait_until(lambda: len(tmux.panes()) == 2, what="the other window closed")
        assert tmux.pane(won["pane"]).window == "dev"
        assert torch("state", "dev", "--json").json["pane"] == won["pane"]
        assert torch("stop", "dev").code == 0


def test_a_name_is_free_again_after_stop_and_after_its_pane_vanished(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    tmux.new_session("mine", "cat")
    spawn_demo(tmux, torch, tmp_path / "one", name="dev")
    assert torch("stop", "dev").code == 0
    second = spawn_demo(tmux, torch, tmp_path / "two", name="dev")
    tmux.cmd("kill-pane", "-t", second.pane.id)
    third = spawn_demo(tmux, torch, tmp_path / "three", name="dev")
    assert third.send("hello").code == 0
    assert torch("state", "dev", "--json").json["pane"] == third.pane.id


def test_an_agent_that_cannot_be_written_down_is_not_left_running(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full, or another that took the name meanwhile."""
    tmux.new_session("mine", "cat")
    order = SpawnOrder(name="dev", profile="demo", directory=str(tmp_path), role="x" * 100_000)
    with Store() as store:
        (pages,) = store.database.query("PRAGMA page_count")[0]
        store.database.query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full"):
            team_spawn.spawn(store, tmux.socket, order)
        assert [pane.session for pane in tmux.panes()] == ["mine"]
        assert store.agents.all() == []

    opening = open_window

    def and_meanwhile(*args: object, **others: object) -> object:
        assert torch("adopt", "mine:", "dev", "--profile", "demo").code == 0
        return opening(*args, **others)  # type: ignore[arg-type]

    home = os.environ["TORCH_HOME"]
    tmpdir = os.environ["TMUX_TMPDIR"]
    with Store() as store, monkeypatch.context() as patch:
        patch.setattr(team_window, "open_window", and_meanwhile)
        patch.setenv("TORCH_HOME", home)
        patch.setenv("TMUX_TMPDIR", tmpdir)
        with pytest.raises(RefusedError, match="already"):
            team_spawn.spawn(store, tmux.socket, order)
    assert len(tmux.panes()) == 1


# The directory and the environment


@pytest.mark.parametrize("odd", ODD_DIRECTORIES)
def test_a_directory_is_data_whatever_it_is_called(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, odd: str
) -> None:
    directory = tmp_path / "work" / odd
    directory.mkdir(parents=True)
    done = demo(torch, "dev", "--dir", odd if odd != "-c" else "./-c", cwd=tmp_path / "work")
    assert done.code == 0, done.out
    assert done.json["dir"] == str(directory.resolve())
    assert procs.directory(done.json["pid"]) == str(directory.resolve())
    assert list(tmp_path.rglob("ran")) == []
    [listed] = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    assert listed["dir"] == str(directory.resolve())
    table = torch("ps")
    assert len(table.out.splitlines()) == 2, "a name must not break the table"


DUMP = """
import os, pathlib, time
new = pathlib.Path("environment.new")
new.write_bytes(b"\\0".join(k + b"=" + v for k, v in os.environb.items()))
new.rename("environment")
time.sleep(600)
"""


def environment_of(directory: Path) -> dict[bytes, bytes]:
    """Return the environment that the program of ``DUMP`` found itself in."""
    file = directory / "environment"
    wait_until(file.exists, what="the program's environment")
    entries = file.read_bytes().split(b"\0")
    return {key: value for key, _, value in (entry.partition(b"=") for entry in entries)}


@pytest.mark.parametrize("server", ["running", "new"])
def test_variables_arrive_byte_for_byte_and_show_nowhere(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, server: str
) -> None:
    """A tmux that writes down its arguments stands for whoever looks at the process list."""
    if server == "running":
        tmux.new_session("mine", "cat")
    program("dump", DUMP)
    words = tmp_path / "words"
    fake = tmp_path / "tmux"
    fake.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {shlex.quote(str(words))}\n'
        f'exec {shlex.quote(TMUX)} "$@"\n'
    )
    fake.chmod(0o755)
    odd = b'it\'s "odd" $HOME #(touch ran) \xff\xfe ;\\'
    (tmp_path / "env").write_bytes(b"FROM_FILE='" + PEM.encode() + b"'\nODD=" + b"plain\n")
    done = torch(
        *("spawn", "dev", "--profile", "dump", "--dir", str(tmp_path), "--wait", "0", "--json"),
        *("--env-file", str(tmp_path / "env"), "--env", "INHERITED", "--env", "EMPTY="),
        env={"INHERITED": os.fsdecode(odd), "TORCH_TMUX": str(fake)},
    )
    assert done.code == 0, done.out
    got = environment_of(tmp_path)
    assert got[b"FROM_FILE"] == PEM.encode()
    assert got[b"INHERITED"] == odd
    assert got[b"EMPTY"] == b""
    assert got[b"TORCH_AGENT"] == b"dev"
    assert got[b"TORCH_HOME"] == os.fsencode(os.environ["TORCH_HOME"])
    assert got[b"TMUX_PANE"] == done.json["pane"].encode()
    written = words.read_bytes()
    assert b"source-file" in written
    shown = [b"MIIB", b"touch ran"]
    assert not any(secret in written for secret in shown)
    kept = tmux.run("show-environment", "-g").stdout
    kept += tmux.run("show-environment", "-t", done.json["session"]).stdout
    assert b"MIIB" not in kept
    if server == "running":  # a new one has the caller's environment: tmux begins it with that
        assert b"INHERITED" not in kept
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes()
        except OSError:
            continue  # it has ended
        assert b"MIIB" not in line, process
    assert not list(tmp_path.rglob("ran"))


def test_variables_that_the_profile_unsets_are_not_handed_on(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    program("dump", DUMP, extra='env_unset = ["NESTED_RUN"]')
    done = torch(
        *("spawn", "dev", "--profile", "dump", "--dir", str(tmp_path), "--wait", "0"),
        env={"NESTED_RUN": "1", "KEPT": "1"},
    )
    assert done.code == 0, done.err
    got = environment_of(tmp_path)
    assert b"NESTED_RUN" not in got
    assert got[b"KEPT"] == b"1"
    assert got[b"PWD"] == os.fsencode(tmp_path.resolve())


# Briefings


@pytest.mark.parametrize("source", ["file", "name", "own name", "stdin"])
def test_a_briefing_is_delivered_and_its_receipt_printed(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, source: str
) -> None:
    text = "You are the tester.\n\nBe kind."
    log = tmp_path / "log"
    (tmp_path / "role.md").write_text(text + "\n")
    own = Path(paths.config_dir()) / "briefings" / "tester.md"
    own.parent.mkdir(parents=True)
    own.write_text(text)
    given = {"file": "./role.md", "name": "developer", "own name": "tester", "stdin": "-"}[source]
    done = demo(
        *(torch, "dev", "--dir", str(tmp_path), "--brief", given, "--", "--log", str(log)),
        input=text if source == "stdin" else None,
        cwd=tmp_path,
    )
    assert done.code == 0, done.out
    window, receipt = (json.loads(line) for line in done.out.splitlines())
    assert window["state"] == "idle"
    assert (receipt["schema"], receipt["state"]) == ("torch.receipt/1", "confirmed")
    (submitted,) = DemoAgent(tmux, torch, "dev", tmux.panes()[0], log, tmp_path).submitted()
    assert submitted == text or source == "name"
    assert submitted.strip()


def test_without_a_wait_a_briefing_goes_into_the_outbox(torch: Torch, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = demo(
        *(torch, "dev", "--dir", str(tmp_path), "--brief", "developer", "--wait", "0"),
        *("--", "--start-delay", "4", "--log", str(log)),
    )
    assert done.code == 4, done.err
    *_, receipt = map(json.loads, done.out.splitlines())
    assert (receipt["state"], receipt["target"]) == ("held", "dev")
    assert not log.exists() or "submit" not in log.read_text()
    with Store() as store:
        (briefed,) = store.briefings.newest().values()
        assert (briefed.message, briefed.name) == (receipt["id"], "developer")
    assert torch("wait", "dev", "--for", "idle", "--timeout", str(PATIENCE)).code == 0
    assert torch("tick").code == 0
    assert torch("receipt", receipt["id"], "--json").json["state"] in ("submitted", "confirmed")
    assert log.read_text().count('"event": "submit"') == 1


def test_a_briefing_that_is_not_text_is_refused_before_anything_is_touched(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    for words, stdin in ((("./latin",), None), (("-",), b"caf\xe9")):
        done = demo(torch, "dev", "--brief", *words, cwd=tmp_path, input=stdin)
        assert (done.code, done.json["error"]["code"]) == (2, "not-utf8")
        assert "0xe9 at offset 3" in done.json["error"]["message"]
    assert nothing_was_touched(tmux)


def test_a_message_waits_for_a_program_that_shows_something_else_while_it_starts(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """An unknown screen is given two seconds, but more while the program may still start."""
    where = ("--profile", "demo", "--dir", str(tmp_path), "--wait", "0", "--json")
    done = torch("spawn", "dev", *where, "--", "--start-delay", "6")
    pane = tmux.pane(done.json["pane"])
    terminal = tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}").strip()
    Path(terminal).write_text("\r\n".join(["a picture"] * 9))
    tmux.wait_for_text(pane, "a picture")
    assert torch("state", "dev", "--json").json["state"] == "unknown"
    sent = torch("send", "dev", "hello", "--json", "--timeout", "60")
    assert sent.json["state"] in ("submitted", "confirmed"), sent.out


@pytest.mark.parametrize("options", [("--trust",), ("--start-delay", "30")])
def test_a_briefing_that_was_not_sent_is_said_so(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = demo(
        *(torch, "dev", "--dir", str(tmp_path), "--brief", "developer", "--wait", "2"),
        *("--", *options),
    )
    assert done.code in (4, 6)
    assert "briefing was not sent" in done.json["error"]["message"]
    assert torch("receipt", "--agent", "dev").code == 3


def test_a_directory_with_any_bytes_is_one(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/odd \xff\n dir"
    os.mkdir(odd)
    demo = spawn_demo(tmux, torch, Path(os.fsdecode(odd)))
    assert torch("ps", "--json").json["dir"].endswith("/odd \\xff\n dir")
    assert demo.send("hello").code == 0
