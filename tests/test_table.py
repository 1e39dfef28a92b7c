"""Tables fit the terminal, and a pipe gets all of them."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import snapshots
from snapshots import WIDTHS, bare, width_of
from torch_cli.cli.cells import cells, cut, cut_front, cut_to_end, folded
from torch_cli.cli.signs import SIGNS
from torch_cli.cli.table import Column, Paper, TableForm, drawn

COLUMNS = (
    Column("name", 0, 12),
    Column("state", 0, 0, "state"),
    Column("since", 1, 0),
    Column("where", 2, 10, "path"),
    Column("words", 3, 8),
    Column("why", 9, 8, below=True),
)

HOME = "/home/someone"

ROWS = (
    ("dev", "waiting", "4s", f"{HOME}/project", "plain", "the input box is empty"),
    ("a name with spaces in it", "working", "12m", "/srv/a/very/long/way/down", "日本語の文章", ""),
    ("開発者", "idle", "3h", f"{HOME}/🚀 rockets 👍🏽", "cafe\u0301 ☺️ नि", "x" * 300),
    ("x\x1b[31mred", "unknown", "", f"{HOME}-not", "tab\there", "line\nbreak"),
    ("e", "?", "2d", HOME, "", ""),
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


def lines(
    on: Paper, rows: Sequence[Sequence[str]] = ROWS, look: TableForm | None = None
) -> list[str]:
    return drawn(COLUMNS, rows, look or TableForm(), on)


def test_a_table_looks_as_it_did() -> None:
    shown = {}
    for width in WIDTHS:
        for colours in (False, True):
            on = Paper(width, colours, home=HOME)
            for look in (TableForm(), TableForm(evidence=True)):
                text = "".join(f"{line}\n" for line in lines(on, look=look))
                title = f"{width} columns{', colours' * colours}{', -v' * look.evidence}"
                shown[title] = text
                assert max(map(width_of, text.splitlines())) <= width, text
    for width in WIDTHS:
        for more in ("", ", -v"):
            assert bare(shown[f"{width} columns, colours{more}"]) == shown[f"{width} columns{more}"]
    shown["a pipe"] = "".join(f"{line}\n" for line in lines(Paper()))
    shown["a pipe, -v"] = "".join(
        f"{line}\n" for line in lines(Paper(), look=TableForm(evidence=True))
    )
    snapshots.check("table", shown)


@given(
    st.lists(st.tuples(*[TEXTS] * 6), min_size=1, max_size=5),
    st.integers(10, 130),
    st.booleans(),
    st.lists(st.sampled_from([column.name for column in COLUMNS]), unique=True),
)
def test_no_line_is_wider_than_the_terminal(
    rows: list[tuple[str, ...]], width: int, colours: bool, names: list[str]
) -> None:
    for look in (TableForm(), TableForm(evidence=True), TableForm(tuple(names))):
        for line in lines(Paper(width, colours), rows, look):
            assert width_of(line) <= width
            assert bare(line).isprintable()


def test_name_and_state_are_never_left_out() -> None:
    for width in (24, 30, 40):
        head, *rows = lines(Paper(width))
        assert head.split()[:2] == ["NAME", "STATE"]
        for row, given_row in zip(rows, ROWS, strict=True):
            assert given_row[1] in row, row


def test_what_has_room_is_whole() -> None:
    shown = "\n".join(lines(Paper(200)))
    assert "…" not in shown
    for row in ROWS[:2]:
        assert row[4] in shown


def test_columns_go_by_importance() -> None:
    heads = [lines(Paper(width))[0].split() for width in range(100, 20, -1)]
    left = list(dict.fromkeys(tuple(head) for head in heads))
    assert left == [
        ("NAME", "STATE", "SINCE", "WHERE", "WORDS"),
        ("NAME", "STATE", "SINCE", "WHERE"),
        ("NAME", "STATE", "SINCE"),
        ("NAME", "STATE"),
    ]


def test_an_empty_column_takes_no_room_on_a_terminal() -> None:
    rows = [("dev", "idle", "", "", "words", "")]
    assert lines(Paper(80), rows)[0].split() == ["NAME", "STATE", "WORDS"]
    assert lines(Paper(), rows)[0].split() == ["NAME", "STATE", "SINCE", "WHERE", "WORDS"]


def test_a_pipe_gets_every_byte_that_a_terminal_may_show() -> None:
    shown = "\n".join(lines(Paper()))
    assert f"{HOME}/project" in shown
    assert "a name with spaces in it" in shown
    assert "●" not in shown, "a sign would stand before the state in a script's field"
    assert "\\x1b[31mred" in shown


def test_wide_cuts_nothing() -> None:
    shown = lines(Paper(40, home=HOME), look=TableForm(wide=True, evidence=True))
    assert "x" * 300 in "\n".join(shown)
    assert "…" not in "\n".join(shown)


def test_chosen_columns_come_in_their_order() -> None:
    look = TableForm(("words", "name"))
    assert lines(Paper(80), look=look)[0].split() == ["WORDS", "NAME"]
    assert lines(Paper(), look=look)[0].split() == ["WORDS", "NAME"]
    assert lines(Paper(), look=TableForm(("why",)))[1] == "the input box is empty"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ANSI_X3.4-1968"])
def test_an_output_without_unicode_gets_signs_that_it_can_show(encoding: str) -> None:
    shown = lines(Paper(60, encoding=encoding))
    for line in shown:
        line.encode(encoding)
        assert len(line) <= 60
    assert any("* working" in line for line in shown)


def test_every_sign_takes_one_column_and_says_what_its_colour_says() -> None:
    assert {cells(sign.mark) for sign in SIGNS.values()} == {1}
    assert {cells(sign.plain) for sign in SIGNS.values()} == {1}
    colours = [sign.colour for sign in SIGNS.values() if sign.colour]
    for colour in colours:
        marks = {sign.mark for sign in SIGNS.values() if sign.colour == colour}
        others = {sign.mark for sign in SIGNS.values() if sign.colour != colour}
        assert not marks & others


def test_words_have_the_colour_of_the_terminal() -> None:
    """Light or dark: yellow words on white, or blue ones on black, cannot be read."""
    marks = {sign.mark for sign in SIGNS.values()}
    for state in SIGNS:
        row = lines(Paper(80, colours=True), [("dev", state, "4s", "/", "words", "")])[1]
        coloured = re.findall(r"\x1b\[(?:1;)?(?:3|4|9|10)\d[\d;]*m(.*?)\x1b\[0m", row)
        assert set(coloured) <= marks, row
        assert bool(coloured) == bool(SIGNS[state].colour)


@given(TEXTS, st.integers(1, 40))
def test_cut_text_fits(text: str, columns: int) -> None:
    assert cells(cut(text, columns)) <= columns
    assert cells(cut_front(text, columns)) <= columns
    assert cells(cut_to_end(text, columns)) <= columns
    if cells(text) <= columns:
        assert cut(text, columns) == cut_front(text, columns) == cut_to_end(text, columns) == text


def test_a_pane_without_room_is_its_window_or_its_id() -> None:
    place = "my work:dev %12"
    shown = [cut_to_end(place, columns) for columns in (15, 14, 8, 7, 4, 2)]
    assert shown == [place, "work:dev %12", "dev %12", "dev %12", "%12", "…2"]


@given(TEXTS, st.integers(6, 40))
def test_folded_text_loses_nothing(text: str, columns: int) -> None:
    rows = folded(text, columns, 2)
    assert "".join("".join(rows).split()) == "".join(text.split())
    assert all(cells(row) <= columns for row in rows)
