"""Words of one's own as the answer to a dialog; what the real programs make of them is in e2e."""

import pytest

from dialogs import PROFILES, waiting
from torch_cli.attention.answer_text import check_text, chosen, is_own_words, shows_text
from torch_cli.errors import RefusedError
from torch_cli.programs.asked import Asked, asked_by
from torch_cli.programs.classify import classify
from torch_cli.programs.state import Dialog

TAKES = {
    ("claude", "question_dialog@120x40"): {"Type something.": "needed"},
    ("claude", "plan_written@40x40"): {"Tell Claude what to change": "needed"},
    ("claude", "plan_long_third@120x40"): {"Tell Claude what to change": "needed"},
    ("gemini", "question@120x40"): {"Enter a custom value": "needed"},
    ("opencode", "question@120x40"): {"Type your own answer": "needed"},
}
"""The options that take a text, in captured screens."""


def shown(program: str, name: str) -> Dialog:
    screens = {(of, which): screen for of, which, screen in waiting()}
    dialog = classify(screens[program, name], PROFILES[program]).dialog
    assert dialog is not None
    return dialog


@pytest.mark.parametrize(("program", "name"), TAKES)
def test_an_option_that_takes_a_text_is_known(program: str, name: str) -> None:
    one = asked_of(program, name)
    assert {each.words: each.text for each in one.options if each.text} == TAKES[program, name]


def test_a_note_goes_with_any_option_of_codex() -> None:
    options = asked_of("codex", "question@120x40").options
    assert {each.text for each in options} == {"possible"}


def test_a_permission_takes_no_text() -> None:
    for program, name, screen in waiting():
        state = classify(screen, PROFILES[program])
        if state.dialog is not None and state.dialog.kind in ("permission", "trust"):
            assert not any(each.text for each in asked_by(state).options), (program, name)


def asked_of(program: str, name: str) -> Asked:
    from torch_cli.programs.asked import asked

    return asked(shown(program, name))


def test_the_option_may_be_left_out_if_one_must_have_a_text() -> None:
    one = asked_of("claude", "question_dialog@120x40")
    assert chosen(one, "", "DuckDB").words == "Type something."
    assert chosen(one, "3", "DuckDB").words == "Type something."
    assert chosen(one, "sqlite", None).words == "SQLite"
    for said, text, code in (("3", None, "needs-text"), ("1", "x", "no-text"), ("", None, "")):
        with pytest.raises(RefusedError) as refused:
            chosen(one, said, text)
        assert refused.value.code == (code or "no-option")
    with pytest.raises(RefusedError, match="no option"):
        chosen(asked_of("codex", "question@120x40"), "", "DuckDB")


def test_what_no_option_is_may_be_words_of_ones_own() -> None:
    """Not if it begins several options, and not if no option, or each of them, takes a text."""
    plan = asked_of("claude", "plan_written@120x40")
    assert is_own_words(plan, "use DuckDB")
    for said in ("", " ", "1", "yes", "tell", "Yes,  AND"):
        assert not is_own_words(plan, said), said
    assert not is_own_words(asked_of("claude", "permission_dialog@100x40"), "use DuckDB")
    assert not is_own_words(asked_of("codex", "question@120x40"), "use DuckDB")
    with pytest.raises(RefusedError) as refused:
        chosen(plan, "use DuckDB", None)
    assert refused.value.hint.endswith("If these are words of your own, for 3: --text")


def test_a_text_is_one_line_that_does_not_wrap() -> None:
    assert check_text("  it's 漢字; $(x) #{pid} ", 80) == "it's 漢字; $(x) #{pid}"
    for text in ("", " ", "a\nb", "a\tb", "a\x1b[201~b", "x" * 57, "漢" * 29):
        with pytest.raises(RefusedError, match="must be one line of at most 56 columns"):
            check_text(text, 80)
    assert check_text("x" * 56, 80)


def test_a_text_shows_if_one_row_ends_with_it_and_no_other_has_changed() -> None:
    before = shown("claude", "question_dialog@120x40")
    rows = [row.replace("Type something.", "DuckDB") for row in before.rows]
    assert shows_text(before, before._replace(rows=tuple(rows)), "DuckDB")
    assert not shows_text(before, before._replace(rows=tuple(rows)), "Duck")
    assert not shows_text(before, before, "DuckDB")
    persons = [row.replace("Type something.", "no DuckDB") for row in before.rows]
    assert not shows_text(before, before._replace(rows=tuple(persons)), "DuckDB")
    other = [row.replace("SQLite", "SQLite3") for row in rows]
    assert not shows_text(before, before._replace(rows=tuple(other)), "DuckDB")
