"""Text given to tmux's command lines, formats and patterns comes out as it went in."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import TmuxServer
from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import capture_one

SPECIAL = "#{}()[]<>;'\"\\$~%=@:*?!&|^.,+-/`_ \t\n\r"
ANY_TEXT = st.one_of(
    st.binary(min_size=1, max_size=40).map(os.fsdecode),
    st.text(st.sampled_from(SPECIAL + "aAxX01é日👩\u200d\u00a0"), min_size=1, max_size=40),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
).filter(lambda text: "\0" not in text)

AWKWARD = [
    "a;",
    ";",
    "\\;",
    "a$HOME",
    "$HOME",
    "${HOME}",
    "~",
    "~root/x",
    "%if",
    "%1",
    "@1",
    "A=b",
    "-x",
    "{ kill-server }",
    "a # b",
    "#",
    "\\",
    "\\n",
    '"',
    "'",
    "\n",
    "\r\n",
    "\udcff",
    "\x7f",
    "é日",
]


def through_buffer(tmux: TmuxServer, client: ControlClient, text: str) -> str:
    """Send ``text`` as a word of a control-mode command line; return what tmux understood."""
    client.call("set-buffer", "-b", "probe", "--", text)
    return os.fsdecode(tmux.run("save-buffer", "-b", "probe", "-").stdout)


def test_any_word_reaches_tmux_byte_for_byte(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    with tmux.client() as client:

        @given(ANY_TEXT)
        def check(text: str) -> None:
            assert through_buffer(tmux, client, text) == text

        for text in AWKWARD:
            check = example(text)(check)
        check()


@pytest.mark.parametrize("value", [*AWKWARD, ""])
def test_a_value_of_the_environment_reaches_a_process_byte_for_byte(
    tmux: TmuxServer, value: str, tmp_path: Path
) -> None:
    tmux.new_session("main", "cat")
    with tmux.client() as client:
        client.call("set-environment", "-g", "PROBE", value)
    # What show-environment prints differs by version; what a process is given does not.
    there = tmp_path / "there"
    said = f"printf %s \"$PROBE\" >'{tmp_path}/value'; : >'{there}'"
    tmux.cmd("run-shell", "-b", said)  # waited for, it hangs where tmux misses its end
    tmux.wait_until(there.exists, "the value")
    assert (tmp_path / "value").read_bytes() == os.fsencode(value)


def test_words_mean_the_same_on_standard_input(tmux: TmuxServer) -> None:
    tmux.new_session("main", "cat")
    for text in AWKWARD:
        line = quote.line("set-buffer", "-b", "probe", "--", text)
        assert tmux.run("source-file", "-", stdin=line + b"\n").returncode == 0
        assert os.fsdecode(tmux.run("save-buffer", "-b", "probe", "-").stdout) == text


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote.word("a\0b")


def test_a_literal_in_a_format_expands_to_itself(tmux: TmuxServer, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    tmux.new_session("main", "cat")
    texts = ANY_TEXT.filter(lambda text: "\n" not in text and text.isprintable())
    evil = [
        "$A",
        "\\$A",
        "$",
        "${",
        "$$_",
        "$1",
        f"#(touch {trap})",
        "#{pane_id}",
        "#[fg=red]",
        "##[x]",
        "###",
        "#",
        "#,",
        "#}",
        "#{",
    ]
    version = tmux.cmd("display-message", "-p", "#{version}")
    with tmux.client() as client:

        @given(texts)
        def check(text: str) -> None:
            client.call("set-option", "-gF", "@probe", quote.format_literal(text))
            shown = client.call("display-message", "-p", "#{@probe}").text
            assert quote.printed(shown, version) == text

        for text in evil:
            check = example(text)(check)
        check()
    assert not trap.exists()


def test_a_pattern_of_any_row_holds_no_code() -> None:
    @given(ANY_TEXT)
    def check(text: str) -> None:
        pattern = quote.row_pattern(text)
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        inside = pattern[1:-1]
        assert len(inside) == len(text.rstrip(" "))
        assert all(
            char == "." or char == " " or (char.isascii() and char.isalnum()) for char in inside
        )

    check()


@pytest.mark.parametrize("prompt", ["#", "a.b", "$ ", "(", "x:", "/"])
def test_a_prompt_that_is_code_is_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match="cannot be used in a tmux pattern"):
        quote.row_pattern("text", prompt=prompt)


def test_a_prompt_stands_literally_and_only_at_the_start() -> None:
    assert quote.row_pattern("❯\u00a0hi ❯", prompt="❯\u00a0") == "^❯\u00a0hi .$"
    assert quote.row_pattern("hi ❯\u00a0", prompt="❯\u00a0") == "^hi ..$"


def test_the_pattern_of_a_row_finds_that_row_and_runs_nothing(
    tmux: TmuxServer, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    pane = tmux.new_session("main", "sh", "-c", "stty raw -echo; cat", size=(100, 6))
    tty = tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}")
    rows = st.text(
        st.sampled_from("ab XY01 #{}()[]<>;'\"\\$~%=@:*?!&|^.,+-/`_ é日❯\u00a0"),
        min_size=1,
        max_size=45,
    ).map(str.strip)
    count = 0
    with tmux.client() as client, open(tty, "wb", buffering=0) as screen:

        @given(rows.filter(bool))
        def check(text: str) -> None:
            nonlocal count
            count += 1
            end = f"end {count}"
            screen.write(f"\x1b[H\x1b[2J{text}\r\n{end}".encode())
            tmux.wait_until(lambda: end in capture_one(client, pane).lines, "the rows")
            shown = capture_one(client, pane).lines[0]
            found = "#{C/r:%s}" % quote.row_pattern(shown)
            assert client.call("display-message", "-p", "-t", pane.id, found).text == "1"

        for text in [f"#(touch {trap})", "#{pane_id}", "}", ",", "[", "\\", "^$", "a  b   c", "%H"]:
            check = example(text)(check)
        check()
    assert not trap.exists()
