"""``torch top``: driven by keys in a real terminal, which is a pane of another tmux server."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from textual.app import App, ComposeResult

from agent import DemoAgent, letter, spawn_demo
from conftest import SOURCE, TMUX, TmuxServer, Torch, wait_until
from test_attach import clients, terminal
from torch_cli import paths, procs
from torch_cli.cli.dashboard.listing import size, table
from torch_cli.cli.dashboard.panels import AgentList, screen_text
from torch_cli.cli.dashboard.view import CSS
from torch_cli.cli.table import Paper
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.top.board import BoardRow, Watchman
from torch_cli.top.kept import Kept, load_kept, save_kept


@dataclass
class Top:
    """The terminal that ``torch top`` runs in."""

    tmux: TmuxServer
    pane: Pane

    def screen(self, *flags: str) -> str:
        return self.tmux.cmd("capture-pane", "-p", *flags, "-t", self.pane.id)

    def wait(self, *texts: str) -> str:
        """Wait until it shows all of ``texts``; return what it shows then.

        A text may be folded: where depends on the length of the path before it.
        """

        def is_shown() -> bool:
            shown = self.screen()
            unfolded = " ".join(shown.split())
            return all(text in shown or text in unfolded for text in texts)

        self.tmux.wait_until(is_shown, f"{texts} on the screen")
        return self.screen()

    def wait_row(self, row: str) -> None:
        """Wait until one of its rows is just this."""
        self.tmux.wait_until(lambda: row in self.screen().splitlines(), row)

    def press(self, *keys: str) -> None:
        self.tmux.cmd("send-keys", "-t", self.pane.id, *keys)

    def type(self, text: str) -> None:
        self.tmux.cmd("send-keys", "-t", self.pane.id, "-l", text)

    def press_until(self, key: str, true: Callable[[], object], what: str) -> None:
        """Press a key that may come too early, again until it has had its effect."""

        def tried() -> object:
            self.press(key)
            return true()

        self.tmux.wait_until(tried, what)


@pytest.fixture
def start(tmux: TmuxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Top]]:
    """Starts ``torch top`` on 80 columns and 24 rows, then a shell that tells its exit status."""
    directory = Path(tempfile.mkdtemp(prefix="tu", dir="/tmp")).resolve()
    server = TmuxServer(Socket(path=str(directory / "s")), directory)
    people = ExitStack()

    def begin(*, seen: bool = True, **environ: str) -> Top:
        # A shell's or pytest's size would be believed, and not the terminal's.
        words = [
            "env",
            "-u",
            "COLUMNS",
            "-u",
            "LINES",
            f"PYTHONPATH={SOURCE}",
            *(f"{k}={v}" for k, v in environ.items()),
        ]
        command = shlex.join([*words, sys.executable, "-m", "torch_cli", "top"])
        with monkeypatch.context() as patch:
            patch.setenv("TMUX_TMPDIR", str(directory))
            pane = server.new_session("top", "sh", "-c", f"{command}; echo status $?; exec cat")
        # The terminal has its own size. tmux 3.3a ends if a window is made while all are "manual".
        server.cmd("resize-window", "-t", pane.id, "-x", "80", "-y", "24")
        if seen:
            people.enter_context(terminal(server, "top"))
        return Top(server, pane)

    yield begin
    people.close()
    server.kill()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def agents(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> list[DemoAgent]:
    return [
        spawn_demo(tmux, torch, tmp_path / name, "--work", "0", name=name)
        for name in ("one", "two")
    ]


def test_who_waits_comes_first_and_a_digit_answers(
    agents: list[DemoAgent], start: Callable[..., Top]
) -> None:
    agents[1].open_dialog()
    top = start()
    shown = top.wait("Do you want to proceed?", "1  Yes", "2  No", "○ idle")
    rows = shown.splitlines()
    assert rows[0].startswith("1 answer, 1 nothing")
    assert re.match(r"DO +NAME +STATE +FOR", rows[1])
    assert re.match(r"answer +two +\? waiting", rows[2]), "it is selected too"
    assert re.match(r"nothing +one +○ idle", rows[3])
    assert "❯ 1. Yes" in shown, "its own screen"
    said = "offers no option 7, but 1, 2; nothing was pressed"
    top.press_until("7", lambda: said in top.screen(), "why not")
    assert agents[1].state() == "waiting"
    size = ("resize-window", "-t", top.pane.id)
    top.tmux.cmd(*size, "-x", "80", "-y", "11")
    # Before it has drawn anew, tmux shows a part of what was there: not both ends.
    top.wait("1 answer, 1 nothing", "q quit")
    said = "what two asks does not fit on this screen: Enter brings you there"
    top.press_until("1", lambda: said in top.screen(), "why not")
    assert agents[1].state() == "waiting"
    top.tmux.cmd(*size, "-x", "80", "-y", "24")
    top.wait("Do you want to proceed?", "1  Yes", "2  No")
    top.press("1")
    top.wait("pressed  two: 1 Yes", "2 nothing", "Ran: touch approved")
    top.press("1")
    top.wait("two asks nothing: it is idle; nothing was pressed")
    for columns, height in ((60, 16), (140, 40)):
        top.tmux.cmd(*size, "-x", str(columns), "-y", str(height))
        top.wait_row("─" * columns)
        top.wait("○ idle", "Type a message")
    top.press("q")
    top.wait("status 0")
    assert "NAME" not in top.screen(), "the terminal is as it was before"


def test_keys_send_attach_filter_and_help(
    agents: list[DemoAgent], start: Callable[..., Top]
) -> None:
    top = start(NO_COLOR="1")
    top.wait("2 nothing", "Torch demo agent")
    coloured = top.screen("-e")
    assert not re.search(r"\x1b\[[\d;]*\b(?:3[0-8]|4[0-8]|9[0-7])\b", coloured), coloured
    assert re.search(r"\x1b\[7mnothing +one", coloured), "the selected row"
    top.press("m")
    top.wait("Message to one")
    top.type("hello 1q")
    top.press("Enter")
    top.wait("confirmed  m-")
    assert agents[0].submitted() == ["hello 1q"]
    top.press("m")
    top.wait("Message to one", "Ctrl-J begins a line")
    top.type("one")
    top.press("C-j")
    top.tmux.cmd("set-buffer", "-b", "lines", "two\n\nthree ")
    top.tmux.cmd("paste-buffer", "-p", "-b", "lines", "-t", top.pane.id)
    top.wait("three")
    top.type("four")
    top.wait("three four")
    top.press("Enter")
    top.tmux.wait_until(lambda: len(agents[0].submitted()) == 2, "the message")
    assert agents[0].submitted()[1] == "one\ntwo\n\nthree four"
    top.press("m")
    top.wait("Message to one")
    top.type("not this")
    top.press("Escape")
    top.tmux.wait_until(lambda: "Message to one" not in top.screen(), "the list")
    top.press("Down", "r")
    top.wait("Restart two?", "it begins a new conversation")
    top.press("y")
    top.wait("restarted  two")
    top.press("/")
    top.wait("Escape clears it")
    top.type("two")
    top.wait("1 of 2 shown")
    top.wait_row("two")
    top.press("Enter")
    top.wait("1 of 2 shown: /two")
    top.tmux.wait_until(lambda: top.screen().splitlines()[2].startswith("nothing"), "the list")
    top.press("c")
    why = "two is not in a git repository"
    top.tmux.wait_until(lambda: why in " ".join(top.screen().split()), why)
    top.press("?")
    top.wait("Ctrl-P     all commands")
    top.press("q", "C-p")
    top.wait("save the files of its directory")
    top.press("Escape")
    top.tmux.wait_until(lambda: "save the files" not in top.screen(), "the list")
    top.press("Enter", "Enter")  # twice by mistake attaches once
    top.wait("[agents]")
    top.press("C-b", "d")
    top.wait("1 of 2 shown")
    top.press("Escape")
    top.wait("one", "two")


def test_keys_before_it_has_drawn_filter_nothing(
    agents: list[DemoAgent], start: Callable[..., Top]
) -> None:
    top = start()
    top.type("one")
    top.wait("2 nothing", "○ idle", "q quit")
    top.press("/")
    top.wait("Escape clears it")  # the field is empty


def test_what_rests_is_told_in_the_list(
    agents: list[DemoAgent], torch: Torch, start: Callable[..., Top]
) -> None:
    """The word must not be in the name of this test: the filter finds it in directories, too."""
    assert torch("freeze", "two").code == 0
    top = start()
    rows = top.wait("1 wait, 1 nothing").splitlines()
    assert re.match(r"wait +two +○ idle frozen ", rows[2]), rows
    assert re.match(r"nothing +one +○ idle +\d", rows[3]), rows
    top.press("/")
    top.wait("Escape clears it")
    top.type("frozen")
    top.wait("1 of 2 shown")


def test_a_narrow_screen_names_the_keys_that_matter_most(
    agents: list[DemoAgent], start: Callable[..., Top]
) -> None:
    top = start()
    top.wait("2 nothing")
    for columns, keys in (
        (72, "Enter attach 1…9 answer m message r restart / filter ? help q quit"),
        (40, "Enter attach 1…9 answer ? help q quit"),
        (10, "q quit"),
        (
            80,
            "Enter attach 1…9 answer m message r restart c checkpoint / filter ? help q quit",
        ),
    ):
        top.tmux.cmd("resize-window", "-t", top.pane.id, "-x", str(columns), "-y", "20")
        top.wait_row(keys)


def test_an_agent_has_one_row_also_beside_the_bar_of_a_list_that_is_cut() -> None:
    """A row as wide as the list was folded, and the half of the agents was out of sight."""

    class Listed(App[None]):
        CSS = CSS.replace("max-height: 40%", "max-height: 3")

        def compose(self) -> ComposeResult:
            yield AgentList()

    async def rows() -> int:
        app = Listed()
        async with app.run_test(size=(60, 20)) as pilot:
            listed = app.query_one(AgentList)
            listed.show(
                [f"a{n}" for n in range(5)], [f"{n} confirmed ago".ljust(60, "x") for n in range(5)]
            )
            await pilot.pause()
            return listed.virtual_size.height

    assert asyncio.run(rows()) == 5


def test_a_terminal_inside_a_pane_is_no_popup(tmux: TmuxServer, tmp_path: Path) -> None:
    """An editor's or ``script``'s: Enter must not end what runs there."""

    def ask(file: Path) -> str:
        say = f"open({str(file)!r}, 'w').write(str(in_popup()))"
        program = f"from torch_cli.top.onlookers import in_popup; {say}"
        return shlex.join(["env", f"PYTHONPATH={SOURCE}", sys.executable, "-c", program])

    def told(file: Path) -> str:
        tmux.wait_until(lambda: file.exists() and file.read_text(), f"what {file.name} tells")
        return file.read_text()

    pane, inner, popup = (tmp_path / name for name in ("pane", "inner", "popup"))
    spawn = f"import pty; pty.spawn(['sh', '-c', {ask(inner)!r}])"
    nested = shlex.join([sys.executable, "-c", spawn])
    tmux.new_session("mine", "sh", "-c", f"{ask(pane)}; {nested}; exec cat")
    assert (told(pane), told(inner)) == ("False", "False")
    with terminal(tmux, "mine") as (name, _), ExitStack() as cleanup:
        command = [TMUX, *tmux.socket.arguments, "display-popup", "-c", name, "-E", ask(popup)]
        cleanup.callback(subprocess.Popen(command).kill)
        assert told(popup) == "True"


def test_a_lost_server_is_shown_and_its_return(
    tmux: TmuxServer, torch: Torch, demo: DemoAgent, start: Callable[..., Top], tmp_path: Path
) -> None:
    top = start()
    top.wait("1 nothing", "○ idle")
    tmux.kill()
    top.wait("1 fix", "✗ dead", f"no tmux server at {demo.pane.socket_path[:30]}")
    top.press("m")
    top.wait("Message to demo")
    top.type("x")
    top.press("Enter")
    top.wait("nothing was typed; it waits in the")  # how long a path is decides where it breaks
    spawn_demo(tmux, torch, tmp_path / "again", name="again")
    top.wait("1 fix, 1 nothing", "again")
    top.press("q")
    top.wait("status 0")


def test_a_namesake_is_shown_with_nothing_of_the_earlier_one(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    """Neither its last message, nor those that wait for it, nor its check-ins."""

    def row() -> BoardRow:
        watchman = Watchman(tmux.socket)
        (row,) = watchman.look().rows
        watchman.close()
        return row

    first = spawn_demo(tmux, torch, tmp_path / "first", "--work", "0", name="dev")
    assert first.send("for the first").code == 0
    assert torch("checkin", "add", "dev", "How far?", "--in", "9m").code == 0
    with Store() as store:
        before = store.agents.get("dev")
        assert before is not None
        store.messages.accept(letter(before, "waits"))
    shown = row()
    assert (shown.message is not None, shown.queue, shown.checkin is not None) == (True, 1, True)
    tmux.cmd("kill-server")
    with Store() as store:
        store.agents.stopped("dev")  # 'torch stop' would have settled all of it
    spawn_demo(tmux, torch, tmp_path / "second", "--work", "0", name="dev")
    shown = row()
    assert (shown.message, shown.queue, shown.checkin) == (None, 0, None)


def test_the_tree_shows_who_is_below_whom_and_is_remembered(
    agents: list[DemoAgent], torch: Torch, start: Callable[..., Top]
) -> None:
    with Store() as store:
        store.database.query("UPDATE agents SET parent = 'two' WHERE name = 'one'")
    agents[0].open_dialog()
    top = start()
    shown = top.wait("1 answer, 1 nothing", "○ idle").splitlines()
    assert re.match(r"answer +one ", shown[2])
    top.press("t")
    rows = top.wait("each agent is below its parent").splitlines()
    listed = [row for row in rows if re.match("(answer|nothing) ", row)]
    assert re.match(r"nothing +two  +○ idle", listed[0])
    assert re.match(r"answer +one  +\? waiting", listed[1])
    assert listed[1].index("one") == listed[0].index("two") + 2
    assert "Do you want to proceed?" in "\n".join(rows), "the same agent is selected"
    top.press("/")
    top.wait("Escape clears it")
    top.type("one")
    top.wait("1 of 2 shown")
    top.press("Enter")
    alone = next(row for row in top.screen().splitlines() if row.startswith("answer"))
    assert alone.startswith("answer  one "), "its parent is not shown"
    top.press("q")
    top.wait("status 0")
    assert load_kept().tree
    top.tmux.cmd("respawn-pane", "-k", "-t", top.pane.id)
    again = top.wait("1 answer, 1 nothing", "○ idle").splitlines()
    assert re.match(r"nothing +two ", again[2])
    top.press("t")
    top.wait("who needs you is first")
    assert not load_kept().tree


def test_what_is_kept_may_be_damaged(torch: Torch) -> None:
    assert load_kept() == Kept()
    save_kept(Kept(tree=True))
    assert load_kept() == Kept(tree=True)
    path = Path(paths.state_dir()) / "top.json"
    assert path.stat().st_mode & 0o077 == 0
    for content in (b"", b"[]", b'{"tree": 1}', b"\xff"):
        path.write_bytes(content)
        assert load_kept() == Kept()


def test_a_picture_shows_the_agents_and_nothing_of_the_machine(
    agents: list[DemoAgent], torch: Torch, tmp_path: Path
) -> None:
    agents[1].open_dialog()
    file = tmp_path / "top.svg"
    size = {"COLUMNS": "120", "LINES": "28"}
    done = torch("top", "--svg", str(file), env=size)
    assert (done.code, done.out) == (0, f"saved  {file}  2 agents\n"), done.err
    rows: dict[str, list[tuple[float, str]]] = {}
    picture = ElementTree.parse(file)
    for one in picture.iter("{http://www.w3.org/2000/svg}text"):
        place = (float(one.attrib["x"]), (one.text or "").replace("\u00a0", " "))
        rows.setdefault(one.attrib["y"], []).append(place)
    lines = ["".join(text for _, text in sorted(row)).strip() for row in rows.values()]
    shown = "\n".join(lines)
    assert lines[:2] == ["torch top", "1 answer, 1 nothing  no daemon"]
    assert re.search(r"^answer +two +\? waiting ", shown, re.MULTILINE)
    assert re.search(r"^nothing +one +○ idle ", shown, re.MULTILINE)
    for text in (
        "Do you want to proceed?",
        "1  Yes",
        "2  No",
        "❯ 1. Yes",
        "its screen, ",
        "q quit",
    ):
        assert text in shown, shown
    links = set(re.findall(r"https?://[^\s\"]+", file.read_text()))
    assert links == {"http://www.w3.org/2000/svg", "https://www.textualize.io"}, "nothing is loaded"


@pytest.mark.parametrize("path", [".", "no/such/directory/top.svg"])
def test_a_picture_that_cannot_be_saved_is_refused_at_once(torch: Torch, path: str) -> None:
    done = torch("top", "--svg", path)
    assert (done.code, "nothing was saved" in done.err) == (2, True), done.err


def looked() -> float:
    """Return when Torch last looked at any agent."""
    with Store() as store:
        return float(store.database.query("SELECT max(seen) FROM observations")[0][0] or 0.0)


def check_rests(top: Top) -> None:
    """Have it end something three times, after each of which it looks at the agents; not now."""
    last, why = 0.0, "one is not in a git repository"
    for number in range(4):
        top.press("c")
        top.tmux.wait_until(lambda: why in " ".join(top.screen().split()), why)
        top.press("Escape")
        top.tmux.wait_until(lambda: why not in " ".join(top.screen().split()), "the end of it")
        assert number < 2 or looked() == last, "it looks"
        last = looked()


def test_it_rests_while_nobody_sees_it(agents: list[DemoAgent], start: Callable[..., Top]) -> None:
    top = start(seen=False)
    top.wait("2 nothing", "rests since ")  # it has looked once
    with terminal(top.tmux, "top"):
        top.tmux.wait_until(lambda: "rests since " not in top.screen(), "a look")
        top.tmux.cmd("new-window", "-t", "top", "cat")
        check_rests(top)
        before = looked()
        top.tmux.cmd("select-window", "-t", top.pane.id)
        top.tmux.wait_until(lambda: looked() > before, "a look")
        other = top.tmux.cmd("split-window", "-P", "-F", "#{pane_id}", "-t", top.pane.id, "cat")
        before = looked()
        top.tmux.wait_until(lambda: looked() > before, "a look: it is beside the other")
        top.tmux.cmd("resize-pane", "-Z", "-t", other)
        check_rests(top)
        top.tmux.cmd("resize-pane", "-Z", "-t", other)
        before = looked()
        top.tmux.wait_until(lambda: looked() > before, "a look")
    check_rests(top)


def test_in_a_popup_it_looks_and_goes_when_it_has_attached(
    agents: list[DemoAgent], tmux: TmuxServer, tmp_path: Path
) -> None:
    """A popup has no pane, and hides what is attached to below it."""
    tmux.new_session("mine", "cat")
    ended = tmp_path / "ended"
    words = shlex.join(["env", f"PYTHONPATH={SOURCE}", sys.executable, "-m", "torch_cli", "top"])
    with terminal(tmux, "mine") as (name, keyboard):
        popup = ["display-popup", "-c", name, "-E", "-w", "90%", "-h", "90%"]
        command = [TMUX, *tmux.socket.arguments, *popup, f"{words}; echo $? > {ended}"]
        with ExitStack() as cleanup:
            cleanup.callback(subprocess.Popen(command).kill)
            before = looked()
            tmux.wait_until(lambda: looked() > before, "a look")

            def attached() -> bool:
                os.write(keyboard, b"\r")
                return clients(tmux)[name] == "agents"

            tmux.wait_until(attached, "the agent")
            tmux.wait_until(lambda: ended.exists() and ended.read_text(), "the end")
    assert ended.read_text() == "0\n"


def test_it_ends_with_the_terminal_of_its_popup(
    agents: list[DemoAgent], tmux: TmuxServer, tmp_path: Path
) -> None:
    tmux.new_session("mine", "cat")
    told = tmp_path / "pid"
    words = shlex.join(["env", f"PYTHONPATH={SOURCE}", sys.executable, "-m", "torch_cli", "top"])
    with terminal(tmux, "mine") as (name, _), ExitStack() as cleanup:
        shown = f"echo $$ > {told}; exec {words}"
        command = [TMUX, *tmux.socket.arguments, "display-popup", "-c", name, "-E", shown]
        cleanup.callback(subprocess.Popen(command).kill)
        before = looked()
        tmux.wait_until(lambda: looked() > before, "a look")
        program = procs.identify(int(told.read_text()))
        assert program is not None
        tmux.cmd("kill-server")
        wait_until(lambda: not procs.alive(program), what="its end")


def test_without_textual_it_says_how_to_get_it(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "textual.py").write_text("raise ModuleNotFoundError(name='textual')\n")
    done = torch("top", env={"PYTHONPATH": f"{tmp_path}:{SOURCE}"})
    assert (done.code, "nothing was shown" in done.err) == (1, True), done.err
    assert f"{sys.executable} -m pip install textual\n" in done.err


def test_it_needs_a_terminal(torch: Torch) -> None:
    done = torch("top", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")


def test_a_screen_keeps_its_colours_and_nothing_else() -> None:
    rows = (
        "one\ntwo\x1b[31m \x1b]8;;http://x\x1b\\red\x1b]8;;\x1b\\\x1b[2J\x07\nthree\x0eqx\x0f\n\n"
    )
    shown = screen_text(rows, 80, 2)
    assert shown.plain == "two red\nthree─│"
    assert {str(span.style) for span in shown.spans if span.style} == {"color(1)"}, "it goes on"
    assert screen_text(rows, 80, 0).plain == ""
    assert screen_text(rows, 4, 2).plain == "two \nthre"


def test_sizes_are_short() -> None:
    assert [size(n) for n in (5, 2000, 5 * 2**20, 340 * 2**20, 2**31)] == [
        *("5B", "2.0K", "5.0M", "340M", "2.0G")
    ]


def test_a_list_of_nobody_has_its_heading() -> None:
    assert table([], 0.0, Paper(80))[0].startswith("DO")
