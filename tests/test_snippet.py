"""The snippet for tmux: what a person's terminal shows, and what stays as they have set it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import scheduler
from agent import DemoAgent
from conftest import PATIENCE, TMUX, TmuxServer, Torch, wait_until
from test_move import clients, looking
from torch_cli.attention.needs import Need
from torch_cli.programs.asked import Asked
from torch_cli.programs.state import AgentState, State
from torch_cli.snippet.menu import SIDES, menu_words
from torch_cli.snippet.text import HOOK, KEY_MARK, KEYS, MENU
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import StateOf

APPENDED = (
    *("status-right", "window-status-format", "window-status-current-format"),
    *("pane-border-style", "pane-active-border-style"),
)

ODD = [
    "#(touch bad)",
    "#{pid}",
    "#[fg=red]x",
    "a ## b",
    "###[x",
    "#",
    "two;",
    "🔥 日本",
    "}, %H '\"$x",
]


@pytest.fixture
def terminal(tmux: TmuxServer, demo: DemoAgent) -> Iterator[TmuxServer]:
    """A person's terminal that shows the agent: the pane of another tmux server."""
    outer = TmuxServer(Socket(path=str(tmux.directory / "outer")), tmux.directory)
    attach = [TMUX, "-u", *tmux.socket.arguments, "attach-session", "-t", "=agents"]
    outer.new_session("outer", "env", "-u", "TMUX", "TERM=xterm", *attach, size=(120, 24))
    outer.cmd("set-option", "-g", "status", "off")
    outer.cmd("set-option", "-g", "prefix", "None")
    yield outer
    outer.run("-N", "kill-server")


def source(tmux: TmuxServer, torch: Torch, file: Path) -> None:
    """Source the snippet, as a person does who has saved it."""
    done = torch("shell", "tmux")
    assert done.code == 0, done.err
    file.write_text(done.out)
    assert tmux.cmd("source-file", str(file)) == ""


def status(terminal: TmuxServer) -> str:
    """Return the last row of the terminal that has a text."""
    return terminal.screen(terminal.panes()[0]).rstrip("\n").rpartition("\n")[2]


def test_the_status_line_says_who_needs_you(
    demo: DemoAgent, terminal: TmuxServer, tmp_path: Path
) -> None:
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    daemon = scheduler.start(demo.torch)
    demo.open_dialog()
    terminal.wait_until(lambda: "1 to answer: demo" in status(terminal), "the segment")
    assert f"{demo.name}*?" in status(terminal)
    terminal.run("send-keys", "-t", terminal.panes()[0].id, "2")
    terminal.wait_until(lambda: "to answer" not in status(terminal), "an empty segment")
    assert "?" not in status(terminal)
    demo.open_dialog()
    terminal.wait_until(lambda: "1 to answer: demo" in status(terminal), "the segment again")
    daemon.kill()
    terminal.wait_until(lambda: "torch: no daemon" in status(terminal), "that nobody looks")
    assert "?" not in status(terminal)
    scheduler.start(demo.torch)
    terminal.wait_until(lambda: "1 to answer: demo" in status(terminal), "the next daemon's")


def test_a_window_is_marked_whose_agent_has_done_something_unseen(
    demo: DemoAgent, terminal: TmuxServer, tmp_path: Path
) -> None:
    """Until its pane is looked at, or a person says so; also by what an earlier version added.

    The daemon's other connections end meanwhile, and tmux gives all of them the same name.
    """
    demo.tmux.cmd("set-option", "-ga", "window-status-format", "#{?@torch_client,,}")
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    demo.tmux.cmd("new-window", "-n", "mine", "cat")
    scheduler.start(demo.torch)
    for _ in range(2):
        do_something(demo)
        terminal.wait_until(lambda: "+" in status(terminal), "the mark")
        assert demo.torch("seen", demo.name).code == 0
        terminal.wait_until(lambda: "+" not in status(terminal), "no mark")
    do_something(demo)
    terminal.wait_until(lambda: "+" in status(terminal), "the mark")
    demo.tmux.cmd("select-window", "-t", demo.pane.id)
    terminal.wait_until(lambda: "+" not in status(terminal), "no mark in its own window")


def do_something(demo: DemoAgent) -> None:
    """Have it work for as long as the daemon needs to see it."""
    assert demo.send("DELAY(600)").code == 0
    wait_until(lambda: states(demo)[-1:] == ["working"], what="work")
    demo.end_work()


def states(demo: DemoAgent) -> list[str]:
    lines = demo.torch("events", "--kind", "state", "--json").out.splitlines()[:-1]
    return [json.loads(line)["detail"]["state"] for line in lines]


def test_nothing_is_left_when_the_last_agent_is_stopped(demo: DemoAgent, tmp_path: Path) -> None:
    demo.tmux.new_session("mine", "cat")
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    scheduler.start(demo.torch)
    show = ("display-message", "-p", "-t", demo.pane.id, "#{@torch_do} #{@torch}")
    demo.open_dialog()
    wait_until(lambda: demo.tmux.cmd(*show) == "answer 1 to answer: demo", what="the mark")
    with Store() as store:
        store.agents.stopped(demo.name)
    wait_until(lambda: demo.tmux.cmd(*show) == " ", what="no mark")
    assert demo.tmux.cmd("display-message", "-p", "#{@torch_client}") == ""


def test_a_daemon_sets_nothing_where_the_snippet_was_not_sourced(
    demo: DemoAgent, tmp_path: Path
) -> None:
    daemon = scheduler.start(demo.torch)
    demo.open_dialog()
    wait_until(lambda: "waiting" in demo.torch("events", "--kind", "state").out, what="the event")
    assert "@torch" not in demo.tmux.cmd("show-options", "-g")
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    told = ("display-message", "-p", "#{@torch}")
    wait_until(lambda: demo.tmux.cmd(*told) == "1 to answer: demo", what="the segment")
    assert daemon.stop() == 0
    wait_until(lambda: demo.tmux.cmd(*told) == "torch: no daemon", what="that nobody looks")


def test_what_the_person_has_set_stays(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    tmux.new_session("main", "cat")
    mine = {
        "status-right": "#[fg=red]#(date +%H), #{session_name} 🔥 'x' \"y\" } #H",
        "window-status-format": "#I:#W#{?window_flags,#{window_flags}, }",
        "window-status-current-format": "#[bold]#I,#W",
        "pane-border-style": "fg=blue,bg=black",
        "pane-active-border-style": "#{?pane_in_mode,fg=cyan,fg=white}",
    }
    settings = [["set-option", "-g", name, value] for name, value in mine.items()]
    settings += [["set-option", "-g", "status-right-length", "57"]]
    settings += [["set-hook", "-g", "client-detached", "display-message gone"]]
    settings += [["bind-key", key.key, "display-message mine"] for key in KEYS]
    for words in settings:
        tmux.cmd(*words)
    keys = tmux.cmd("list-keys", "-T", "prefix")
    once: dict[str, int] = {}
    for number in range(3):
        source(tmux, torch, tmp_path / "snippet")
        for name, value in mine.items():
            now = tmux.cmd("show-options", "-gv", name)
            assert now.startswith(value), name
            assert now.count("@torch") == once.setdefault(name, now.count("@torch")) > 0
        assert tmux.cmd("show-options", "-gv", "status-right-length") == str(57 + 41)
        hooks = tmux.cmd("show-hooks", "-g", "client-detached").splitlines()
        assert [line.split(" ")[0] for line in hooks[:2]] == ["client-detached[0]", HOOK]
        assert tmux.cmd("list-keys", "-T", "prefix") == keys, "the keys are the person's"
        if number:  # as when they source their own file again
            for words in settings:
                tmux.cmd(*words)


def test_a_key_that_is_taken_is_said(demo: DemoAgent, terminal: TmuxServer, tmp_path: Path) -> None:
    demo.tmux.cmd("bind-key", "T", "display-message", "mine")
    demo.tmux.cmd("set-option", "-g", "display-time", "0")
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    terminal.wait_until(lambda: "prefix T is bound already" in status(terminal), "the words")
    demo.tmux.cmd("unbind-key", "T")
    for _ in range(2):
        source(demo.tmux, demo.torch, tmp_path / "snippet")
        assert KEY_MARK in demo.tmux.cmd("list-keys", "-T", "prefix", "T")


def test_a_key_shows_a_menu_that_switches_to_an_agent(
    demo: DemoAgent, terminal: TmuxServer, tmp_path: Path
) -> None:
    """The session's name is one that tmux would expand, or a shell split."""
    session = "a 'b' \"c\" $(d) 🔥"
    other = demo.tmux.new_session(session, "cat")
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    demo.open_dialog()
    name = demo.tmux.cmd("list-clients", "-F", "#{client_name}")
    demo.tmux.cmd("switch-client", "-c", name, "-t", other.id)
    pane = terminal.panes()[0].id
    terminal.cmd("send-keys", "-t", pane, "C-b", "T")
    terminal.wait_until(lambda: "1 of 1 need you" in terminal.screen(pane), "the menu")
    shown = terminal.screen(pane)
    assert re.search(r"demo waiting (now|\d+ min): Do you want to proceed", shown), shown
    terminal.cmd("send-keys", "-t", pane, "1")
    wait_until(lambda: clients(demo.tmux)[name].startswith("agents:"), what="the agent's session")


def test_a_key_answers_in_a_popup(demo: DemoAgent, terminal: TmuxServer, tmp_path: Path) -> None:
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    demo.tmux.cmd("new-window", "cat")
    pane = terminal.panes()[0].id
    for _ in range(2):
        demo.open_dialog()
        terminal.cmd("send-keys", "-t", pane, "C-b", "A")
        terminal.wait_until(lambda: "Do you want to proceed?" in terminal.screen(pane), "it")
        terminal.cmd("send-keys", "-t", pane, "2", "Enter")
        terminal.wait_until(lambda: "Enter closes this" in terminal.screen(pane), "the end")
        assert "pressed  demo" in terminal.screen(pane)
        terminal.cmd("send-keys", "-t", pane, "Enter")
        terminal.wait_until(lambda: "Enter closes" not in terminal.screen(pane), "no popup")
        assert demo.state() != "waiting"
    terminal.cmd("send-keys", "-t", pane, "C-b", "A")
    terminal.wait_until(lambda: "nobody waits for an answer" in terminal.screen(pane), "nobody")


def test_keys_go_to_who_has_waited_longest_and_back(
    demo: DemoAgent, terminal: TmuxServer, tmp_path: Path
) -> None:
    other = demo.tmux.new_session("mine", "cat")
    source(demo.tmux, demo.torch, tmp_path / "snippet")
    demo.open_dialog()
    name = demo.tmux.cmd("list-clients", "-F", "#{client_name}")
    demo.tmux.cmd("switch-client", "-c", name, "-t", other.id)
    terminal.cmd("send-keys", "-t", terminal.panes()[0].id, "C-b", "N")
    wait_until(lambda: clients(demo.tmux)[name].startswith("agents:"), what="the agent's session")
    terminal.cmd("send-keys", "-t", terminal.panes()[0].id, "C-b", "B")
    wait_until(lambda: clients(demo.tmux)[name].startswith("mine:"), what="where they were before")
    # There is no way back now. What a command prints would put the pane into a mode.
    terminal.cmd("send-keys", "-t", terminal.panes()[0].id, "C-b", "B")
    told = "there is nowhere to go back to"
    wait_until(lambda: told in demo.tmux.cmd("show-messages"), what="the word about it")
    assert demo.tmux.cmd("display-message", "-p", "-t", other.id, "#{pane_in_mode}") == "0"


def test_a_menu_shows_texts_as_they_are(
    demo: DemoAgent, terminal: TmuxServer, tmp_path: Path
) -> None:
    with Store() as store:
        (agent,) = store.agents.all()
    found = [need(agent, text) for text in ODD]
    name = demo.tmux.cmd("list-clients", "-F", "#{client_name}")
    words = [TMUX, "-u", *demo.tmux.socket.arguments, "display-menu", "-c", name]
    words += menu_words(found, 80, 24, 0.0)
    pane = terminal.panes()[0].id
    with subprocess.Popen(words, cwd=tmp_path) as client:
        terminal.wait_until(lambda: ODD[-1] in terminal.screen(pane), "the menu")
        rows = terminal.screen(pane).splitlines()
        for text in ODD:
            assert any(f": {text} " in row for row in rows), text
        terminal.cmd("send-keys", "-t", pane, "q")
        assert client.wait(PATIENCE) == 0
    assert not list(tmp_path.rglob("bad"))


def test_a_menu_has_as_many_agents_as_the_terminal_has_room_for(demo: DemoAgent) -> None:
    with Store() as store:
        (agent,) = store.agents.all()
    words = menu_words([need(agent, str(number)) for number in range(40)], 80, 24, 0.0)
    assert words.count(f"switch-client -t {demo.pane.id}") == 18
    assert words[-3:] == ["-22 more: torch status", "", ""]
    # tmux would cut the beginning of a longer line, which is the name.
    (line,) = menu_words([need(agent, "why " * 40)], 60, 24, 0.0)[7:8]
    assert line.startswith(f"{demo.name} waiting")
    assert len(line) <= 60 - SIDES


def need(agent: Agent, text: str) -> Need:
    """Return what an agent needs that asks ``text``."""
    state = StateOf(agent.name, agent.pane, AgentState(State.WAITING, "x", "x"), 0.0)
    return Need(agent, "answer", state, 0.0, Asked(text, (), (), ""))


def test_a_menu_needs_a_terminal(demo: DemoAgent) -> None:
    done = demo.torch("shell", "menu", "-L", "t", "--json")
    assert (done.code, done.json["error"]["code"]) == (3, "no-client")
    with looking(demo.tmux, "agents"):
        done = demo.torch("shell", "menu", "-L", "t", "--client", "/dev/nowhere", "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "no-client")


def test_a_server_that_starts_reads_it(tmux: TmuxServer, torch: Torch) -> None:
    """Its keys are looked up while the server still reads the person's file."""
    home = Path(os.environ["HOME"])
    (home / ".tmux.conf").write_text("bind-key T display-message mine\n")
    assert torch("shell", "tmux", "--install").code == 0
    start = [TMUX, "-u", *tmux.socket.arguments, "new-session", "-d", "cat"]
    subprocess.run(start, check=True, timeout=PATIENCE)
    wait_until(lambda: "7717" in tmux.cmd("show-hooks", "-g"), what="the end of the snippet")
    for name in APPENDED:
        assert "@torch" in tmux.cmd("show-options", "-gv", name), name
    assert "mine" in tmux.cmd("list-keys", "-T", "prefix", "T")


def test_the_doctor_says_what_is_installed(tmux: TmuxServer, torch: Torch) -> None:
    def findings() -> list[tuple[str, str, str]]:
        found = torch("doctor", "--json").json["findings"]
        mine = [one for one in found if one["subject"] == "tmux snippet"]
        return [(one["level"], one["message"], one["advice"]) for one in mine]

    tmux.new_session("main", "cat")
    install = "torch shell tmux --install"
    words = "not installed: your tmux does not show who needs you"
    assert findings() == [("note", words, install)]
    assert torch("shell", "tmux", "--install").code == 0
    ((level, words, advice),) = findings()
    assert (level, words.endswith("; this server has not read it")) == ("ok", True)
    tmux.cmd("bind-key", "T", "display-message", "mine")
    tmux.cmd("source-file", advice.split("'")[1])
    first, second = findings()
    assert (first[0], first[2]) == ("ok", "")
    assert second[:2] == ("note", f"prefix T is yours, and was not taken for {MENU.words}")
    Path(advice.split("'")[1]).write_text("# of another version\n")
    assert findings()[0][::2] == ("warning", install)


@pytest.mark.parametrize("words", [("shell", "tmux", "--remove"), ("uninstall", "--yes")])
def test_a_server_that_runs_is_as_it_was_before(
    tmux: TmuxServer, torch: Torch, words: tuple[str, ...]
) -> None:
    """Keys, texts, marks and the hook go; what a person has set, also since, stays."""
    tmux.new_session("main", "exec cat")
    tmux.cmd("bind-key", "-T", "prefix", "T", "display-message", "mine")
    tmux.cmd("set-option", "-g", "status-right", "it's #{host}")
    tmux.cmd("set-hook", "-g", "client-detached[1]", "display-message mine")
    before = _settings(tmux)
    assert torch("shell", "tmux", "--install").code == 0
    for _ in range(2):
        tmux.cmd("source-file", os.path.join(os.environ["TORCH_HOME"], "snippet.tmux.conf"))
    assert _settings(tmux) != before
    for option, scope in (("@torch", "-g"), ("@torch_client", "-g"), ("@torch_do", "-p")):
        tmux.cmd("set-option", scope, option, "x")
    tmux.cmd("set-option", "-g", "window-status-format", "#I:#{window_name} mine")
    tmux.cmd("set-option", "-ga", "status-right", " more")
    environ = {"TORCH_TMUX_SOCKET": tmux.socket.name}
    done = Torch(tmux.socket, demands=False)(*words, env=environ)
    assert done.code == 0, done
    assert "tmux server" in done.err + done.out
    tmux.cmd("set-option", "-gu", "window-status-format")
    tmux.cmd("set-option", "-g", "status-right", "it's #{host}")
    assert _settings(tmux) == before


def _settings(tmux: TmuxServer) -> str:
    asked = ("show-options -g", "show-options -gw", "show-hooks -g", "list-keys", "show-options -p")
    return "\n".join(tmux.cmd(*words.split()) for words in asked)
