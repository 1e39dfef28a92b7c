"""What the screens of an unknown program tell, and the draft that is made of it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.errors import RefusedError
from torch_cli.profiling.draft import TrialFindings, draft_text, misread, profile_of, unproven
from torch_cli.profiling.infer import (
    BoxSeen,
    EnterSeen,
    Frame,
    Passing,
    asks,
    infer_box,
    infer_continuation,
    infer_enter,
)
from torch_cli.programs.box import find_box
from torch_cli.tmux.screen import Screen

WIDTH, HEIGHT = 40, 12
RULE = "─" * WIDTH


def screen(*rows: str, cursor: tuple[int, int] = (0, 0)) -> Screen:
    return Screen.parse("\n".join(rows), width=WIDTH, height=HEIGHT, cursor=cursor)


def seen(box: BoxSeen, enter: EnterSeen | None = None) -> TrialFindings:
    return TrialFindings("mine", ("mine",), 1.0, box=box, enter=enter)


def boxed(*rows: str) -> list[str]:
    return [RULE, *rows, RULE]


# -- questions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        (" Do you trust this folder?", "", " ❯ 1. Yes", "   2. No", "", " Enter to confirm"),
        ("Theme", "> 1) dark", "  2) light"),
        ("│ ● 1. Sign in │", "│   2. Use a key │"),
        ("Choose:", "  1. one", "  2. two"),
        ("1) one", "2) two", "#? "),
        (" Accept the licence?", " ❯ Yes", "   No"),
        ("Install the update? [Y/n]",),
        ("Overwrite (yes/no)?",),
        ("Run it? (Y)es/(N)o [y/n]:",),
        ("Press Enter to continue",),
        ("Password: ",),
    ],
)
def test_a_question_is_seen(rows: tuple[str, ...]) -> None:
    assert asks(screen(*rows))


@pytest.mark.parametrize(
    "rows",
    [
        ("Tips:", "1. Ask questions.", "2. Edit files.", "", "> Type your message"),
        ("Tips:", "1. Ask questions.", "2. Edit files.", "", *boxed("❯ "), "  ? for help"),
        ("Yes, this is the prompt of a person", "$ "),
        (*boxed('❯ Try "fix the tests"'), "  ? for help"),
        ("In [1]: ",),
        (">>> ",),
        (),
    ],
)
def test_advice_and_a_prompt_are_no_question(rows: tuple[str, ...]) -> None:
    assert asks(screen(*rows)) == ""


# -- the box -----------------------------------------------------------------------------------


def test_a_box_between_rules_is_told_with_its_prompt_and_cursor() -> None:
    empty = screen("Hello", *boxed("» "), "  help", cursor=(2, 2))
    filled = screen("Hello", *boxed("» word"), "  help", cursor=(6, 2))
    box = infer_box(empty, filled, "word")
    assert box == BoxSeen("ruled", "» ", "─", cursor_real=True)
    assert misread(seen(box), empty, filled, "word") == ""


def test_a_cursor_elsewhere_is_not_the_texts() -> None:
    empty = screen(*boxed("» "), cursor=(0, 5))
    filled = screen(*boxed("» word"), cursor=(0, 5))
    assert not infer_box(empty, filled, "word").cursor_real


@pytest.mark.parametrize("ghost", ["Type here", "\x1b[2mType here\x1b[0m"])
def test_ghost_text_reads_as_nothing_whether_it_is_dim_or_not(ghost: str) -> None:
    empty = screen(*boxed(f"» {ghost}"), cursor=(2, 1))
    filled = screen(*boxed("» word"), cursor=(6, 1))
    box = infer_box(empty, filled, "word")
    assert box.ghost == "Type here"
    assert ("ghost" in tomllib.loads(draft_text(seen(box)))["box"]) is not box.dim
    assert misread(seen(box), empty, filled, "word") == ""


def test_the_numbers_of_a_prompt_may_be_others() -> None:
    empty, filled = screen("In [1]: ", cursor=(8, 0)), screen("In [1]: word", cursor=(12, 0))
    box = infer_box(empty, filled, "word")
    profile = profile_of(seen(box))
    assert profile.box.prompt == r"In \[\d+\]:(?: |$)"
    later = screen("In [1]: word", "Out[1]: 3", "", "In [12]: ", cursor=(9, 3))
    found = infer_enter(filled, [Frame(0.1, later)], profile, "word")
    assert (found.cleared, found.echo) == (0.1, "In [1]: ")


@pytest.mark.parametrize(
    ("empty", "filled", "why"),
    [
        (("Hello",), ("Hello",), "never showed"),
        (("", "  "), ("", "  word"), "no text before the input"),
        (("╭──╮", "│ > │", "╰──╯"), ("╭──╮", "│ > word", "╰──╯"), "corners"),
        (("> ", "", "  help"), ("> word", "", "  help"), "'help'"),
        (boxed("│ >      │"), boxed("│ > word │"), "behind"),
    ],
)
def test_a_box_of_no_known_kind_is_none_and_says_why(
    empty: tuple[str, ...], filled: tuple[str, ...], why: str
) -> None:
    box = infer_box(screen(*empty), screen(*filled), "word")
    assert box.kind == "none"
    assert why in box.why
    assert profile_of(seen(box)).box.kind == "none"
    assert (
        unproven(seen(box))[0] == "The input box was not recognised: no message can be delivered."
    )


def test_a_box_that_the_draft_would_misread_is_found_out() -> None:
    empty = screen("old text", "> what a plain ghost may say", cursor=(2, 1))
    filled = screen("old text", "> word", cursor=(6, 1))
    box = infer_box(empty, filled, "word")
    assert box.kind == "prompt"
    assert "does not read as empty" in misread(seen(box), empty, filled, "word")


def test_a_prompt_that_tmux_could_not_look_for_is_refused() -> None:
    empty, filled = screen(*boxed("#{x} ")), screen(*boxed("#{x} word"))
    assert "box.prompt" in misread(seen(infer_box(empty, filled, "word")), empty, filled, "word")


def test_the_second_row_of_a_box_shows_how_it_goes_on() -> None:
    assert infer_continuation(screen(*boxed("» one", "  two")), "one", "two") == "  "
    assert infer_continuation(screen(*boxed("» [Pasted 2 lines]")), "one", "two") is None


WRAPS = profile_of(seen(BoxSeen("prompt", "> ", cursor_real=True, wraps=True)))


@pytest.mark.parametrize(
    ("rows", "cursor", "text"),
    [
        (("> word",), (6, 0), "word"),
        (("> ",), (2, 0), ""),
        (("> " + "a" * 38, "bc"), (2, 1), "a" * 38 + "\nbc"),
        (("> " + "a" * 38, ""), (0, 1), "a" * 38 + "\n"),  # it fills its row
        (("> " + "a" * 37, "bc"), (2, 1), "a" * 37 + "\nbc"),  # a blank at the end of the row
        (("> " + "a" * 37, "日本"), (4, 1), "a" * 37 + "\n日本"),  # a wide one did not fit
        (("> " + "a" * 38, "b" * 40, "c"), (1, 2), "a" * 38 + "\n" + "b" * 40 + "\nc"),
    ],
)
def test_a_text_behind_a_prompt_may_take_many_rows(
    rows: tuple[str, ...], cursor: tuple[int, int], text: str
) -> None:
    box = find_box(screen("an answer", *rows, cursor=(cursor[0], cursor[1] + 1)), WRAPS)
    assert box is not None
    assert (box.text, box.first, box.last) == (text, 1, len(rows))


@pytest.mark.parametrize(
    ("rows", "cursor"),
    [
        (("> word", "an answer"), (9, 1)),
        (("> " + "a" * 36, "bc"), (2, 1)),
        (("> " + "a" * 38, "bc", "more"), (2, 1)),
        (("> ",), (0, 0)),
        (("a" * 40, "bc"), (2, 1)),
    ],
)
def test_what_only_looks_like_a_wrapped_text_is_no_box(
    rows: tuple[str, ...], cursor: tuple[int, int]
) -> None:
    assert find_box(screen(*rows, cursor=cursor), WRAPS) is None


# -- Enter -------------------------------------------------------------------------------------


def test_enter_shows_the_echo_and_the_rows_that_came_and_went() -> None:
    box = BoxSeen("ruled", "» ", "─", cursor_real=True, continuation="  ")
    before = screen("Hello", *boxed("» word"), "  help")
    frames = [
        Frame(0.0, before),
        Frame(0.1, screen("Hello", "- word", "✻ Busy (1s)", *boxed("» "), "  esc to stop")),
        Frame(1.1, screen("Hello", "- word", "✢ Busy (2s)", *boxed("» "), "  esc to stop")),
        Frame(2.0, screen("Hello", "- word", "= You said word", *boxed("» "), "  help")),
    ]
    found = infer_enter(before, frames, profile_of(seen(box)), "word")
    assert (found.cleared, found.echo, found.asked, found.ended) == (0.1, "- ", "", False)
    assert found.passing == (
        Passing(r"^\S Busy \(\d+s\)", "above", 0.1, 1.1),
        Passing("^  esc to stop", "footer", 0.1, 1.1),
    )
    text = draft_text(seen(box, found))
    rules = "\n".join(line[2:] for line in text.split("\n") if line.startswith("# "))
    for pattern in (r"match = '^\S Busy \(\d+s\)'", "match = '^  esc to stop'"):
        assert pattern in rules


def test_a_text_that_stood_there_before_is_no_echo() -> None:
    box = BoxSeen("ruled", "» ", "─")
    before = screen("- word", *boxed("» word"), cursor=(6, 2))
    after = screen("- word", *boxed("» "))
    found = infer_enter(before, [Frame(0.1, after)], profile_of(seen(box)), "word")
    assert (found.cleared, found.echo) == (0.1, None)
    assert any("not seen again" in one for one in unproven(seen(box, found)))


def test_a_question_after_enter_and_an_end_are_told() -> None:
    box = BoxSeen("ruled", "» ", "─")
    before = screen(*boxed("» word"))
    asked = screen("- word", " Run it?", " ❯ 1. Yes", "   2. No")
    found = infer_enter(before, [Frame(0.1, asked)], profile_of(seen(box)), "word")
    assert found.asked == "❯ 1. Yes"
    dead = infer_enter(
        before, [Frame(0.1, asked._replace(dead=True))], profile_of(seen(box)), "word"
    )
    assert (dead.ended, dead.asked) == (True, "")


# -- the text ----------------------------------------------------------------------------------

TEXT = st.text(max_size=12)


@given(
    kind=st.sampled_from(["ruled", "prompt", "none"]),
    prompt=TEXT,
    rule=st.characters(),
    ghost=TEXT,
    why=TEXT,
    echo=st.none() | TEXT,
    row=TEXT,
    word=TEXT,
)
def test_whatever_a_screen_holds_the_draft_loads_or_the_reason_is_known(
    kind: str, prompt: str, rule: str, ghost: str, why: str, echo: str | None, row: str, word: str
) -> None:
    box = BoxSeen(kind, prompt, rule, True, ghost, continuation=prompt, why=why)
    enter = EnterSeen(word, 0.1, echo, (Passing("^" + "x", "above", 0.1, 0.2),), asked=row)
    box = box._replace(wraps=kind == "prompt")
    made = seen(box, enter)._replace(command=(word or "x", row), process=row, framed=True)
    blank = screen()
    reason = misread(made, blank, blank, word)
    kindless = made._replace(box=box._replace(kind="none", why=reason))
    assert profile_of(kindless).launch.command == kindless.command
    try:
        profile_of(made)
    except RefusedError:
        assert reason
