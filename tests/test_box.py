"""The input box: found by its structure, and ghost text told from a draft by its attribute."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.programs.box import find_box, is_rule
from torch_cli.programs.loading import load_profile
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import Box
from torch_cli.tmux.screen import Row, Screen

CLAUDE = load_profile("claude", None)
DEMO = load_profile("demo", None)
KILO = load_profile("kilo", None)
QWEN = load_profile("qwen", None)
PI = load_profile("pi", None)
SHELL = load_profile("shell", None)
CODEX = load_profile("codex", None)
PROMPT = "❯\u00a0"
WIDTH = 40
RULE = "─" * WIDTH


def screen(*rows: str | Row, width: int = WIDTH, cursor: tuple[int, int] = (0, 0)) -> Screen:
    made = tuple(row if isinstance(row, Row) else Row.plain(row) for row in rows)
    return Screen(made, width, len(made), cursor)


def boxed(*rows: str | Row) -> Screen:
    return screen("● OK.", "", RULE, *rows, RULE, "  ? for shortcuts", "")


def found(shown: Screen, profile: Profile = CLAUDE) -> Box:
    box = find_box(shown, profile)
    assert box is not None, shown.text
    return box


def ghostly(prompt: str, text: str, *, cursor_on_first: bool) -> Row:
    """Return a row whose ``text`` is dim, its first character drawn as the cursor or not."""
    plain = (False,) * len(prompt)
    first = len(text) > 0 and cursor_on_first
    dim = (not first, *(True,) * (len(text) - 1))
    reverse = (first, *(False,) * (len(text) - 1))
    return Row(prompt + text, plain + dim, plain + reverse)


def test_an_empty_box_is_found_between_the_last_two_rules() -> None:
    assert found(boxed(PROMPT)) == Box(3, 3, (PROMPT,), "")
    assert found(boxed(PROMPT)).empty


def test_a_prompt_that_lost_its_trailing_blank_is_still_the_prompt() -> None:
    profile = CLAUDE._replace(box=CLAUDE.box._replace(prompt="❯ "))
    assert found(boxed("❯"), profile).empty


def test_rows_of_a_draft_lose_prompt_and_indent_and_keep_their_own_blanks() -> None:
    box = found(boxed(PROMPT + "first", "", "    indented", "  last"))
    assert box.text == "first\n\n  indented\nlast"
    assert (box.first, box.last) == (3, 6)
    assert box.rows == (PROMPT + "first", "", "    indented", "  last")


def test_the_zero_width_space_behind_a_drawn_cursor_is_no_part_of_a_draft() -> None:
    assert found(boxed("> hello \u200b"), QWEN).text == "hello"


@pytest.mark.parametrize(("rows", "scrolled"), [(9, False), (10, True)])
def test_a_box_as_tall_as_it_can_be_may_have_scrolled(rows: int, scrolled: bool) -> None:
    shown = boxed("> one", *(f"  row {number}" for number in range(1, rows)))
    assert found(shown, QWEN).scrolled is scrolled


@pytest.mark.parametrize(
    ("height", "rows", "scrolled"),
    [(15, 5, False), (15, 6, True), (24, 7, False), (24, 8, True), (40, 12, False), (40, 13, True)],
)
def test_a_barred_box_grows_to_a_third_of_the_screen_and_then_scrolls(
    height: int, rows: int, scrolled: bool
) -> None:
    """Kilo takes 800 characters into its box, of which 60 columns and 24 rows show the end."""
    text = [f"  ┃  line {number}" for number in range(rows)]
    below = ["  ┃", "  ┃  Code  · stub-model stub", "  ╹" + "▀" * 30, "   15  ctrl+p commands"]
    above = [""] * (height - len(text) - len(below) - 1)
    cursor = (len(text[-1]), len(above) + rows)
    box = found(screen(*above, "  ┃", *text, *below, cursor=cursor), KILO)
    assert (len(box.rows), box.scrolled) == (rows, scrolled)


def test_line_breaks_alone_are_a_draft() -> None:
    assert not found(boxed(PROMPT, "")).empty


@pytest.mark.parametrize("cursor_on_first", [True, False])
def test_dim_text_is_a_ghost_and_no_draft(cursor_on_first: bool) -> None:
    row = ghostly(PROMPT, "Press up to edit queued messages", cursor_on_first=cursor_on_first)
    box = found(boxed(row))
    assert (box.text, box.ghost) == ("", "Press up to edit queued messages")


def test_a_ghost_that_wraps_is_still_a_ghost() -> None:
    first = ghostly(PROMPT, "Press up to edit", cursor_on_first=True)
    second = ghostly("  ", "queued messages", cursor_on_first=False)
    box = found(boxed(first, second))
    assert box.empty
    assert box.ghost == "Press up to edit\nqueued messages"


def test_a_ghost_behind_the_drawn_cursor_cell_is_a_ghost() -> None:
    row = ghostly("»\u00a0 ", "Type a message", cursor_on_first=False)
    row = row._replace(reverse=(False, False, True, *(False,) * 14))
    box = found(boxed(row), DEMO)
    assert (box.text, box.ghost) == ("", "Type a message")


def test_a_completion_after_typed_text_is_not_part_of_the_draft() -> None:
    typed, offered = "/mod", "el"
    text = PROMPT + typed + offered
    dim = (False,) * 7 + (True,)
    reverse = (False,) * 6 + (True, False)
    box = found(boxed(Row(text, dim, reverse)))
    assert (box.text, box.ghost) == ("/mod", "el")


@pytest.mark.parametrize("draft", ["x", "hello"])
def test_a_draft_under_the_drawn_cursor_is_no_ghost(draft: str) -> None:
    reverse = (False, False, True) + (False,) * (len(draft) - 1)
    row = Row(PROMPT + draft, (False,) * len(reverse), reverse)
    assert found(boxed(row)).text == draft


def test_without_attributes_a_ghost_counts_as_a_draft() -> None:
    """The safe side: nobody's text is taken for nothing."""
    assert found(boxed(PROMPT + "Try something")).text == "Try something"


def test_placeholders_are_numbered() -> None:
    box = found(boxed(PROMPT + "[Pasted text #1 +5 lines] and", "  text[Pasted text #12]"))
    assert box.placeholders == (1, 12)


def test_a_placeholder_that_wraps_is_read() -> None:
    box = found(boxed(PROMPT + "x" * 20 + " [Pasted text", "  #3 +5 lines]"))
    assert box.placeholders == (3,)


def test_another_input_mode_is_a_draft() -> None:
    """In Claude Code a typed ``!`` becomes the prompt; Enter would then run what is pasted."""
    assert found(boxed("!\u00a0")).text == "!"
    assert found(boxed("!\u00a0ls")).text == "!ls"


def test_a_scrolled_box_is_a_draft_although_its_prompt_is_out_of_sight() -> None:
    top = "─── ↑ 6 more ".ljust(WIDTH, "─")
    box = find_box(screen("", top, "  wrap wrap", "  end", RULE, ""), CLAUDE)
    assert box is not None
    assert box.text == "wrap wrap\nend"


def test_a_rule_with_a_name_in_it_is_a_rule() -> None:
    top = " my-name ──".rjust(WIDTH, "─")
    assert found(screen("", top, PROMPT + "hi", RULE)).text == "hi"


@pytest.mark.parametrize(
    "rows",
    [
        (),
        ("", ""),
        (RULE,),
        (RULE, RULE),
        (RULE, "❯ echoed, with a plain space", RULE),
        (RULE, PROMPT + "text", "not indented", RULE),
        (RULE, PROMPT, RULE[:-1]),  # drawn for another width
        (RULE[:-2], PROMPT, RULE[:-2]),
        ("  " + RULE[2:], "  " + PROMPT, "  " + RULE[2:]),  # quoted in an answer
        (RULE, " Bash command", " ❯ 1. Yes", "   2. No"),
        (RULE, PROMPT, RULE, "● OK.", RULE, " Do you want to proceed?", " ❯ 1. Yes"),
        ("─── ↑ 6 more ".ljust(WIDTH, "─"), "● no indent", RULE),
        ("_" * WIDTH, "__", "_" * WIDTH),  # read by a client without UTF-8
    ],
)
def test_what_only_looks_a_little_like_a_box_is_none(rows: tuple[str, ...]) -> None:
    assert find_box(screen(*rows), CLAUDE) is None


def test_a_shell_prompt_counts_where_the_cursor_stands_behind_it() -> None:
    rows = ("$ make", "done", "user@host:~/demo$")
    assert found(screen(*rows, "", cursor=(18, 2)), SHELL).empty
    assert find_box(screen(*rows, "", cursor=(0, 3)), SHELL) is None
    assert find_box(screen(*rows, "", cursor=(4, 2)), SHELL) is None


def test_a_program_without_a_box_has_none() -> None:
    profile = CLAUDE._replace(box=CLAUDE.box._replace(kind="none"))
    assert find_box(boxed(PROMPT), profile) is None


@given(st.integers(1, 300))
def test_a_rule_runs_from_edge_to_edge(width: int) -> None:
    assert is_rule("─" * width, width, "─▔")
    assert not is_rule("─" * width, width + 1, "─")
    assert not is_rule("", width, "─")


@given(st.lists(st.text(alphabet="ab ❯»─[]#1é漢", max_size=30).map(str.rstrip), max_size=6))
def test_any_draft_comes_back_as_it_was_put_there(lines: list[str]) -> None:
    first, *others = lines or [""]
    rows = [PROMPT + first, *("  " + line for line in others)]
    assert found(boxed(*rows)).text == "\n".join([first, *others])


# A box without a frame


STATUS = "  gpt-5 default · ~/project"


def footed(*rows: str | Row, above: tuple[str, ...] = ()) -> Screen:
    return screen("› earlier", "", "• OK.", "", *above, *rows, "", STATUS, "  ? for shortcuts")


def test_a_box_without_a_frame_ends_above_its_footer() -> None:
    assert found(footed("› first", "", "    indented"), CODEX) == Box(
        4, 6, ("› first", "", "    indented"), "first\n\n  indented"
    )
    assert found(footed(ghostly("› ", "Ask", cursor_on_first=False)), CODEX).empty


def test_a_text_that_looks_like_the_footer_is_text() -> None:
    assert found(footed("› first", "", STATUS), CODEX).text == f"first\n\n{STATUS[2:]}"


def test_a_box_that_has_scrolled_needs_no_footer() -> None:
    rows = ("› line 7".ljust(WIDTH - 1) + "↑", "  line 8", "  line 9", "")
    box = found(screen("• OK.", "", *rows), CODEX)
    assert (box.text, box.scrolled, box.last) == ("line 7\nline 8\nline 9", True, 4)


def test_a_tall_box_has_the_cursor_instead_of_a_footer() -> None:
    tall = screen("• OK.", "", "› line 1", "  line 2", "", cursor=(8, 3))
    expected = Box(2, 3, ("› line 1", "  line 2"), "line 1\nline 2")
    assert found(tall, CODEX) == expected
    warned = screen(*tall.lines, " " * 20 + "⚠ 3 warnings", cursor=(8, 3))
    assert found(warned, CODEX) == expected
    assert find_box(tall._replace(cursor_visible=False), CODEX) is None
    assert find_box(tall._replace(cursor=(1, 3)), CODEX) is None
    assert find_box(tall._replace(cursor=(8, 2)), CODEX) is None


@pytest.mark.parametrize(
    "below",
    [
        ("  2. No", "", "  Press enter to confirm or esc to cancel"),
        ("", STATUS, "• OK."),
        ("• OK.", "", STATUS),
        (STATUS,),
        (),
    ],
)
def test_a_prompt_without_its_footer_is_no_box(below: tuple[str, ...]) -> None:
    assert find_box(screen("› 1. Yes", *below), CODEX) is None


def test_ghost_text_may_be_known_by_its_words() -> None:
    profile = CODEX._replace(box=CODEX.box._replace(ghost=re.compile("^Ask me$")))
    assert found(footed("› Ask me"), profile) == Box(4, 4, ("› Ask me",), "", "Ask me")
    assert not found(footed("› Ask me not"), profile).empty


@pytest.mark.parametrize("cursor", [(0, 2), (0, 3), (0, 4), (0, 5), (WIDTH, 3)])
@pytest.mark.parametrize("shown", [True, False])
def test_a_box_without_a_prompt_is_one_only_with_the_cursor_in_it(
    cursor: tuple[int, int], shown: bool
) -> None:
    rows = screen("", "", RULE, "", RULE, "0.0%/128k (auto)", cursor=cursor)
    found = find_box(rows._replace(cursor_visible=shown), PI)
    assert (found is not None) == (shown and cursor == (0, 3))


def test_a_field_above_the_row_about_its_keys_is_a_menu() -> None:
    keys = " enter submit  escape/ctrl+c cancel"
    above = screen(RULE, " Your name", "> ", keys, RULE, "0.0%/128k", cursor=(2, 2))
    assert find_box(above, PI) is None
    pasted = screen(RULE, "Your name", "> ", keys, RULE, "0.0%/128k", cursor=(len(keys), 3))
    assert found(pasted, PI).text.endswith("cancel")


def test_only_a_whole_row_is_a_rule_of_a_box_without_a_prompt() -> None:
    """pi keeps the last column free in its box, so no text can look like a rule."""
    inside = f"── x {'─' * (WIDTH - 6)}"
    shown = screen(RULE, inside, "more", RULE, "0.0%/128k", cursor=(4, 2))
    assert found(shown, PI).rows == (inside, "more")
    working = f"── ⠋ Working {'─' * 9} ↑ 3 more {'─' * 8}"
    scrolled = found(screen(working, "more", RULE, "0.0%/128k", cursor=(4, 1)), PI)
    assert scrolled.scrolled
