"""Captured screens as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import TmuxServer
from torch_cli.tmux.panes import capture_one
from torch_cli.tmux.screen import Row, Screen


def parse(captured: str, height: int = 3) -> Screen:
    return Screen.parse(captured, width=20, height=height)


def marked(row: Row, marks: tuple[bool, ...]) -> str:
    """Return the characters of ``row`` that ``marks`` marks."""
    return "".join(char for char, mark in zip(row.text, marks, strict=True) if mark)


def test_rows_that_tmux_left_out_are_blank() -> None:
    screen = parse("one\n\ntwo", height=5)
    assert screen.lines == ("one", "", "two", "", "")
    assert screen.text == "one\n\ntwo"


def test_rows_beyond_the_height_are_left_out() -> None:
    assert parse("1\n2\n3\n4\n5", height=2).lines == ("1", "2")


def test_trailing_blanks_are_no_text_but_other_spaces_are() -> None:
    row = parse(" a\u00a0b\u00a0   ").rows[0]
    assert row.text == " a\u00a0b\u00a0"
    assert len(row.dim) == len(row.reverse) == len(row.text)


PIECES = ["a", " ", "\u00a0", "─", "\x0e", *(f"\x1b[{n}m" for n in ("", "1", "2", "4", "7", "22"))]


@given(st.lists(st.sampled_from([*PIECES, "\x1b[38;5;2m", "\x1b[3;7m"])))
def test_a_row_is_read_the_same_whether_or_not_an_attribute_came_before(pieces: list[str]) -> None:
    row, other = (parse(f"{before}{''.join(pieces)}").rows[0] for before in ("", "\x1b[2m\x1b[22m"))
    assert row[:3] == other[:3]


@pytest.mark.parametrize(
    ("captured", "dim"),
    [
        ("a\x1b[2mb\x1b[0mc", "b"),
        ("a\x1b[2mb\x1b[mc", "b"),
        ("a\x1b[2mb\x1b[22mc", "b"),
        ("a\x1b[1;2mb\x1b[39mc", "bc"),
        ("a\x1b[38;5;2mb\x1b[48;2;2;2;2mc", ""),
        ("a\x1b[38;5;2;2mb\x1b[0mc", "b"),
        ("a\x1b[38:2:2:2:2mb", ""),
        ("a\x1b[4:2mb", ""),
        ("\x1b[2ma\x1b]8;;http://x/;2m\x1b\\b\x1b]8;;\x1b\\\x1b[0mc", "ab"),
    ],
)
def test_dim_text_is_told_apart_from_colours(captured: str, dim: str) -> None:
    row = parse(captured).rows[0]
    assert row.text in ("ab", "abc")
    assert marked(row, row.dim) == dim


def test_reverse_text_is_a_drawn_cursor() -> None:
    row = parse("> \x1b[7mx\x1b[27myz").rows[0]
    assert row.text == "> xyz"
    assert marked(row, row.reverse) == "x"


def test_attributes_carry_over_to_the_next_row() -> None:
    first, second, third = parse("a\x1b[2mb\nc\n\x1b[0md").rows
    assert marked(first, first.dim) == "b"
    assert marked(second, second.dim) == "c"
    assert marked(third, third.dim) == ""


def test_hyperlinks_and_charset_switches_leave_no_text() -> None:
    assert parse("\x1b]8;id=1;http://x\x07link\x1b]8;;\x07 \x0eqqq\x0f").lines[0] == "link qqq"


def test_colours_make_no_difference_but_dim_text_does() -> None:
    assert parse("a\x1b[31mb").rows == parse("ab").rows
    assert parse("a\x1b[2mb").rows != parse("ab").rows


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_gives_whole_rows(captured: str) -> None:
    screen = parse(captured, height=4)
    assert len(screen.rows) == 4
    assert all(len(row.dim) == len(row.reverse) == len(row.text) for row in screen.rows)


def test_a_real_screen_comes_back_with_its_attributes_cursor_and_size(tmux: TmuxServer) -> None:
    shown = r"stty -echo; printf 'top\n\033[2mghost\033[0m \033[7mR\033[0m 日é❯\n> '; cat"
    pane = tmux.new_session("main", "sh", "-c", shown, size=(40, 5))
    tmux.wait_for_text(pane, ">")
    with tmux.client() as client:
        screen = capture_one(client, pane)
    assert screen.lines == ("top", "ghost R 日é❯", ">", "", "")
    assert marked(screen.rows[1], screen.rows[1].dim) == "ghost"
    assert marked(screen.rows[1], screen.rows[1].reverse) == "R"
    assert (screen.width, screen.height, screen.cursor) == (40, 5, (2, 2))
    assert screen.cursor_visible
    assert not screen.in_mode
    assert not screen.dead


def test_copy_mode_and_death_are_seen(tmux: TmuxServer) -> None:
    pane = tmux.new_session("main", "cat")
    tmux.cmd("set-option", "-g", "remain-on-exit", "on")
    with tmux.client() as client:
        tmux.cmd("copy-mode", "-t", pane.id)
        assert capture_one(client, pane).in_mode
        tmux.cmd("send-keys", "-t", pane.id, "-X", "cancel")
        tmux.cmd("send-keys", "-t", pane.id, "C-d")
        tmux.wait_until(lambda: capture_one(client, pane).dead, "the death")


@pytest.mark.parametrize(
    ("captured", "tinted"),
    [
        ("> \x1b[4m\x1b[39mr\x1b[0m\x1b[38;5;103mun it", 3),
        ("> \x1b[4mr\x1b[0m\x1b[38;5;103mun it", 0),  # the row above may have given it any colour
        ("\x1b[35m> \x1b[4m\x1b[39mr\x1b[0m\x1b[38;2;1;2;3m\x1b[49mun it", 3),
        ("> \x1b[4mr\x1b[0m\x1b[39mun it", 0),  # a draft whose cursor is on its first character
        ("> \x1b[4mr\x1b[0m\x1b[38;5;103mun \x1b[39mit", 0),
        ("> \x1b[4mru\x1b[0m\x1b[38;5;103mn it", 0),
        ("> \x1b[4mr", 0),
        ("> \x1b[4mr\x1b[0m\x1b[38;5;103m  ", 0),
        ("> \x1b[38;5;103mrun it", 0),
    ],
)
def test_a_row_tells_where_another_colour_begins_behind_a_drawn_cursor(
    captured: str, tinted: int
) -> None:
    assert parse(captured).rows[0].tinted == tinted
