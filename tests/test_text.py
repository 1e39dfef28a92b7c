"""What may be sent, what is guarded, and what counts as the same text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.delivery import text as texts
from torch_cli.delivery.text import decode, prepare, same
from torch_cli.errors import RefusedError
from torch_cli.programs.loading import load_profile

CLAUDE = load_profile("claude", None)


def test_bytes_that_are_not_utf8_are_refused_with_their_offset() -> None:
    with pytest.raises(RefusedError, match="0xff at offset 3"):
        decode(b"abc\xffdef")


@pytest.mark.parametrize("char", ["\0", "\x1b", "\x07", "\x7f", "\x9b", "\x03"])
def test_control_characters_are_refused_with_their_byte_offset(char: str) -> None:
    with pytest.raises(RefusedError, match=f"U\\+{ord(char):04X}.* at byte 3"):
        prepare(f"é\n{char}x", CLAUDE)


def test_the_end_of_paste_sequence_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"U\+001B"):
        prepare("a\x1b[201~b", CLAUDE)


def test_offsets_are_of_the_text_as_it_was_given() -> None:
    with pytest.raises(RefusedError, match="at byte 5"):
        prepare("a\r\nb\r\x01", CLAUDE)


def test_clean_strips_what_would_be_refused_and_says_so() -> None:
    prepared = prepare("a\x1b[31mb\u200bc\0", CLAUDE, clean=True)
    assert prepared.typed == "abc"
    assert any("7 control or invisible" in change for change in prepared.changes)


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "\t \n"])
def test_an_empty_message_is_refused(text: str) -> None:
    for head in ("", "[from dev · message · m-00000000]\n"):
        with pytest.raises(RefusedError, match="empty"):
            prepare(text, CLAUDE, head=head)
    with pytest.raises(RefusedError, match="empty"):
        prepare(f"\x1b[31m{text}", CLAUDE, head="[from dev]\n", clean=True)


def test_a_message_over_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(RefusedError, match=r"1,000,000 bytes.*100,000"):
        prepare("x" * 1_000_000, CLAUDE)


@pytest.mark.parametrize(
    "text", ["/compact", " /exit", "/nosuch name", "\n/help\nme", "exit", " quit ", "/"]
)
def test_what_nothing_makes_harmless_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="as a command"):
        prepare(text, CLAUDE)


@pytest.mark.parametrize("text", ["/tmp/foo is it", "//x", "/é", "/tmp.txt", "x\n/exit", "exit it"])
def test_paths_and_words_that_only_look_like_commands_are_text(text: str) -> None:
    assert prepare(text, CLAUDE).typed == text


def test_a_leading_exclamation_mark_gets_a_blank_before() -> None:
    prepared = prepare("!ls", CLAUDE)
    assert prepared.typed == " !ls"
    assert any("guarded" in change for change in prepared.changes)


def test_a_trailing_backslash_cannot_turn_enter_into_a_newline() -> None:
    assert prepare("tail \\", CLAUDE).typed == "tail \\ "


@pytest.mark.parametrize(
    "text",
    [
        *("👩‍👩‍👧‍👦 family", "❤️ heart", "日本語", "e\u0301", "👍🏽", "1\ufe0f\u20e3", "‼\ufe0f"),
        *("می\u200cخواهم", "\U0001f3f4\U000e0067\U000e0062\U000e007f flag", "🏳\ufe0f\u200d🌈"),
    ],
)
def test_joiners_inside_emoji_and_combining_marks_are_text(text: str) -> None:
    assert prepare(text, CLAUDE).typed == text


@pytest.mark.parametrize(
    "char",
    ["\U000e0041", "\u200b", "\u200e", "\u202e", "\ufeff", "\u200d", "\u200c", "\ufe0f", "\u3164"],
)
def test_invisible_characters_outside_emoji_are_refused_where_the_program_strips_them(
    char: str,
) -> None:
    with pytest.raises(RefusedError, match="invisible"):
        prepare(f"a{char}b", CLAUDE)


def test_line_ends_become_lf() -> None:
    assert prepare("a\r\nb\rc", CLAUDE).typed == "a\nb\nc"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), min_size=1))
def test_ordinary_text_is_the_same_after_what_the_program_does_to_it(text: str) -> None:
    try:
        typed = prepare(text, CLAUDE).typed
    except RefusedError:
        return
    ends = text.replace("\u2028", "\n").replace("\u2029", "\n")
    assert typed.strip(" ") == ends.rstrip(" \t\n").strip(" ")
    assert same(typed.replace("\t", "    ").rstrip(), typed, CLAUDE)


def test_a_pasted_content_wrapper_is_not_part_of_the_text() -> None:
    wrapped = '<pasted_content id="4998">\none\ntwo\n</pasted_content id="4998">'
    assert same(wrapped, "one\ntwo", CLAUDE)
    assert not same(wrapped, "one\nthree", CLAUDE)


CODEX = load_profile("codex", None)


@pytest.mark.parametrize("text", ["see @README", "@", "a\n@b", "use $skill", "$HOME"])
def test_a_last_word_that_opens_a_menu_gets_a_blank_behind_it(text: str) -> None:
    prepared = prepare(text, CODEX)
    assert prepared.typed == text + " "
    assert any("menu" in change for change in prepared.changes)
    assert same(text, prepared.typed, CODEX)


@pytest.mark.parametrize("text", ["me@example.com", "5$", "@a and b", "$x is y", "a @b\nc"])
def test_other_last_words_do_not(text: str) -> None:
    assert prepare(text, CODEX) == (text, ())


def test_a_command_is_refused_with_the_way_to_run_it() -> None:
    with pytest.raises(RefusedError) as refused:
        prepare("/clear\nand more", CLAUDE)
    assert "torch command AGENT /clear\n" in refused.value.hint


def test_what_is_far_too_large_is_refused_before_each_character_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(texts, "_refuse_unprintable", None)
    with pytest.raises(RefusedError, match="10,000,000 bytes"):
        prepare("x" * 10_000_000 + "\n" * 99, CLAUDE)


@pytest.mark.parametrize("words", ["a │ b", "─" * 30, "src\n├── a\n└── b", "50 % ▌"])
def test_what_the_box_does_not_show_is_refused(words: str) -> None:
    """Nobody could see whose text it is, and it would go out with the next message."""
    copilot = load_profile("copilot", None)
    with pytest.raises(RefusedError, match=r"does not show '.' in its input box"):
        prepare(words, copilot)
    assert prepare(words, CLAUDE).typed == words
    assert prepare("\n".join([words] * 11), copilot).typed, "it shows as a placeholder"
