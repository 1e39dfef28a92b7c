"""``torch ps`` on a terminal, in a pipe, and watched."""

import re
import time
from pathlib import Path

import pytest

import snapshots
from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, wait_until
from snapshots import WIDTHS, bare, width_of
from torch_cli.cli.agents.ps_shown import drawn_list
from torch_cli.cli.table import Paper, TableForm
from torch_cli.errors import TorchError
from torch_cli.programs.state import State
from torch_cli.roster.safety import Degree, Safety
from torch_cli.store.agents import Agent
from torch_cli.store.briefings import Briefed
from torch_cli.store.messages import new_message
from torch_cli.tmux.panes import Pane
from torch_cli.watch.listing import Line

HOME = "/home/someone"
SAFE = Safety(Degree.SAFE, "C-x C-q", True, "dialogs ignore it, also while it works")

IDLE = "the input box is empty and no work shows"


def line(number: int, name: str, state: State, days: float, **facts: str) -> Line:
    at = time.time() - days * 86_400 - 60
    directory = facts.pop("directory", f"{HOME}/project")
    evidence = facts.pop("evidence", IDLE)
    window = facts.pop("window", name)
    agent = Agent(
        name=name,
        profile=facts.pop("profile", "claude"),
        origin="spawned",
        socket="/tmp/tmux-1000/default",
        server="1",
        pane=f"%{number}",
        pane_pid=1,
        session="work",
        window=window,
        directory=directory,
        program_pid=1,
        program_started="1",
        role=facts.pop("role", ""),
    )
    assert not facts
    message = new_message(
        f"m-{number:012}",
        recipient=name,
        body="x",
        typed="x",
        server="1",
        pane="%1",
        pane_pid=1,
        created=at - 86_400,  # its receipt tells when it arrived
        updated=at,
        state="confirmed",
        step="done",
    )
    briefed = Briefed(message.id, "a-1", "developer", at, at if number % 2 else None)
    return Line(agent, state, evidence, at, message, None, briefed, SAFE)


# They may be drawn half an hour later, at the end of all tests: no age is close to the next hour.
LINES = [
    line(1, "architect", State.WORKING, 0.5, role="architect", evidence="esc to interrupt"),
    line(2, "dev", State.WAITING, 0.18, role="developer", evidence="permission dialog: ❯ 1. Yes"),
    line(3, "dev-2", State.WAITING, 3, role="developer", directory=f"{HOME}/日本 проект 🚀"),
    line(4, "gone", State.DEAD, 9, evidence="pane %4 is gone")._replace(since=None),
    line(5, "開発者", State.IDLE, 2, role="project-manager", window="a window with spaces 👍🏽"),
    line(6, "qa", State.UNKNOWN, 1, directory=HOME, profile="codex")._replace(
        error=TorchError("tmux did not answer"), message=None, briefed=None, safety=None
    ),
    line(7, "a-name-that-is-longer-than-most-names-are-and-hard-to-read", State.LIMITED, 4),
]


def test_the_list_looks_as_it_did() -> None:
    shown = {}
    for width in WIDTHS:
        for colours in (False, True):
            for verbose in (False, True):
                on = Paper(width, colours, home=HOME)
                rows = drawn_list(LINES, TableForm(evidence=verbose), on)
                assert max(map(width_of, rows)) <= width
                title = f"{width} columns{', colours' * colours}{', -v' * verbose}"
                shown[title] = "".join(f"{row}\n" for row in rows)
    for title in [title for title in shown if "colours" in title]:
        assert bare(shown[title]) == shown[title.replace(", colours", "")]
    piped = drawn_list(LINES, TableForm(evidence=True), Paper())
    shown["a pipe, -v"] = "".join(f"{row}\n" for row in piped)
    snapshots.check("ps", shown)


def test_who_needs_you_comes_first_and_who_has_waited_longest() -> None:
    names = [row.split()[0] for row in drawn_list(LINES, TableForm(), Paper(120))[1:]]
    assert names[:4] == ["dev-2", "dev", "qa", "gone"]
    piped = [row.split()[0] for row in drawn_list(LINES, TableForm(), Paper())[1:]]
    assert piped == [one.agent.name for one in LINES], "as in the JSON"


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    """An agent in a directory whose name is hard to print."""
    folder = Path.home() / "日本 проект 🚀 👍🏽 नि"
    folder.mkdir()
    return spawn_demo(tmux, torch, folder)


@pytest.fixture
def shell(demo: DemoAgent) -> Pane:
    return shell_of(demo, 80)


def shell_of(demo: DemoAgent, width: int) -> Pane:
    """Return a pane with a shell in it, and something on its screen."""
    pane = demo.tmux.new_session("look", "sh", size=(width, 40))
    demo.tmux.cmd("send-keys", "-t", pane.id, "echo before", "Enter")
    demo.tmux.wait_until(lambda: demo.tmux.screen(pane).count("before") == 2, "the shell")
    return pane


def typed(demo: DemoAgent, shell: Pane, words: str) -> None:
    demo.tmux.cmd("send-keys", "-t", shell.id, "-l", words)
    demo.tmux.cmd("send-keys", "-t", shell.id, "Enter")


def command(demo: DemoAgent, *words: str) -> str:
    """Return ``torch WORDS`` as a person in the private server types it."""
    source = Torch.__init__.__globals__["SOURCE"]
    quoted = " ".join(f"'{word}'" for word in demo.torch.argv(*words))
    return f"PYTHONPATH='{source}' {quoted}"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_row_of_the_list_is_folded_by_a_real_terminal(
    demo: DemoAgent, width: int, tmp_path: Path
) -> None:
    shell = shell_of(demo, width)
    script = tmp_path / "script"
    script.write_text(f"clear; {command(demo, 'ps', '-v')}; echo E''ND\n")
    typed(demo, shell, f". {script}")
    demo.tmux.wait_until(lambda: "END" in demo.tmux.screen(shell), "the list")
    rows = demo.tmux.screen(shell).splitlines()
    joined = demo.tmux.cmd("capture-pane", "-p", "-J", "-t", shell.id).splitlines()
    assert [row.rstrip() for row in joined] == rows
    assert re.match(r"demo +○ idle +\d+s", next(row for row in rows if row.startswith("demo")))
    assert any(row.startswith("    evidence: ") for row in rows)


def clients(tmux: TmuxServer) -> int:
    return len(tmux.cmd("list-clients").splitlines())


def test_the_watched_list_follows_the_agents_and_leaves_the_screen(
    demo: DemoAgent, shell: Pane, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(f"{command(demo, 'ps', '--watch')}; echo ended $?\n")
    typed(demo, shell, f". {script}")
    demo.tmux.wait_until(lambda: "○ idle" in demo.tmux.screen(shell), "the list")
    assert "before" not in demo.tmux.screen(shell)
    assert clients(demo.tmux) == 1, "one connection"
    demo.open_dialog()
    demo.tmux.wait_until(lambda: "? waiting" in demo.tmux.screen(shell), "the change")
    demo.tmux.cmd("send-keys", "-t", shell.id, "-l", "not echoed")
    second = spawn_demo(demo.tmux, demo.torch, tmp_path / "other", name="second")
    demo.tmux.wait_until(lambda: "second" in demo.tmux.screen(shell), "the new agent")
    assert clients(demo.tmux) == 1, "still one connection"
    demo.tmux.cmd("resize-window", "-t", shell.id, "-x", "30", "-y", "10")
    demo.tmux.wait_until(lambda: "DIRECTORY" not in demo.tmux.screen(shell), "the narrow list")
    demo.tmux.cmd("kill-pane", "-t", second.pane.id)
    demo.tmux.wait_until(lambda: "✗ dead" in demo.tmux.screen(shell), "the end of it")
    assert "not echoed" not in demo.tmux.screen(shell)
    demo.tmux.cmd("send-keys", "-t", shell.id, "C-c")
    demo.tmux.wait_until(lambda: "ended 130" in demo.tmux.screen(shell), "the end")
    # On the small screen a long name of the script may have moved the line above the first row.
    screen = demo.tmux.cmd("capture-pane", "-p", "-S", "-", "-t", shell.id)
    assert "before" in screen
    assert "○ idle" not in screen, "the screen is as it was"
    assert "Traceback" not in screen
    typed(demo, shell, "stty -a | tr ' ;' '\\n' | grep -cx -e echo -e icanon")
    demo.tmux.wait_until(lambda: demo.tmux.screen(shell).splitlines()[-2] == "2", "its terminal")
    assert demo.tmux.cmd("display-message", "-p", "-t", shell.id, "#{cursor_flag}") == "1"


def test_the_watched_list_can_be_stopped_and_continued(
    demo: DemoAgent, shell: Pane, tmp_path: Path
) -> None:
    typed(demo, shell, "set -m")
    script = tmp_path / "script"
    script.write_text(f"{command(demo, 'ps', '--watch')}\n")
    typed(demo, shell, f". {script}")
    demo.tmux.wait_until(lambda: "○ idle" in demo.tmux.screen(shell), "the list")
    demo.tmux.cmd("send-keys", "-t", shell.id, "C-z")
    demo.tmux.wait_until(lambda: "before" in demo.tmux.screen(shell), "the shell")
    typed(demo, shell, "fg")
    demo.tmux.wait_until(lambda: "○ idle" in demo.tmux.screen(shell), "the list again")
    assert "before" not in demo.tmux.screen(shell)
    demo.tmux.cmd("send-keys", "-t", shell.id, "-l", "q")
    demo.tmux.wait_until(lambda: "before" in demo.tmux.screen(shell), "the end")


def test_the_watched_list_outlives_the_server_of_its_agents(
    demo: DemoAgent, tmp_path: Path
) -> None:
    """It is looked at from a terminal of another server."""
    other = TmuxServer(demo.tmux.socket._replace(name="u"), demo.tmux.directory)
    try:
        pane = other.new_session("look", "sh")
        script = tmp_path / "script"
        script.write_text(f"{command(demo, 'ps', '--watch')}\n")
        other.cmd("send-keys", "-t", pane.id, f". {script}", "Enter")
        other.wait_until(lambda: "○ idle" in other.screen(pane), "the list")
        demo.tmux.kill()
        wait_until(lambda: "✗ dead" in other.screen(pane), what="its end in the list")
        new = spawn_demo(demo.tmux, demo.torch, demo.directory, name="again")
        other.wait_until(lambda: re.search("again +○ idle", other.screen(pane)), "the new server")
        assert clients(new.tmux) == 1
    finally:
        other.run("kill-server")


def test_a_pipe_cannot_be_watched(demo: DemoAgent) -> None:
    done = demo.torch("ps", "--watch")
    assert (done.code, done.out) == (2, "")
    assert "at a terminal" in done.err
    assert "torch events --follow" in done.err


def test_a_pipe_gets_evidence_in_columns_of_the_row(demo: DemoAgent) -> None:
    head, row = demo.torch("ps", "-v").out.splitlines()
    assert head.split()[-3:] == ["EVIDENCE", "PROTECTION", "SERVER"]
    assert IDLE in row
    assert str(demo.directory) in row
    assert IDLE not in demo.torch("ps", "-v").err


def test_columns_are_chosen_by_name(demo: DemoAgent) -> None:
    done = demo.torch("ps", "-o", "state, name")
    assert (done.code, done.out.split()) == (0, ["STATE", "NAME", "idle", "demo"])
    wrong = demo.torch("ps", "-o", "name,stat")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no column is named 'stat'; there are: name, state, since" in wrong.err
    both = demo.torch("ps", "-o", "name", "--json")
    assert (both.code, both.json["error"]["code"]) == (2, "usage")


def test_the_panes_id_is_whole_at_80_columns_however_long_a_name_is() -> None:
    long = "a-name-" * 12
    lines = [*LINES, line(123456, long, State.WAITING, 1, role="project-manager", window=long)]
    for verbose in (False, True):
        rows = drawn_list(lines, TableForm(evidence=verbose), Paper(80, home=HOME))
        shown = [row for row in rows if not row.startswith(" ")][1:]
        assert sorted(re.findall(r"%\d+(?=  )", "\n".join(shown))) == sorted(
            one.agent.pane for one in lines
        )
