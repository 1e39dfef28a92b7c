"""Frames of a spinner: what may count as the same screen, and what may not."""

import pytest

from torch_cli.programs.frames import differs_by_frame
from torch_cli.programs.state import AgentState, Box, State, Trouble

ROWS = (
    " An answer.",
    "✳ Working… (3s · ↓ 120 tokens)",
    "──────",
    "❯ ",
    "──────",
    "  esc to interrupt",
)
BEFORE = "\n".join(ROWS)
WORKING = AgentState(
    State.WORKING, "spinner", "spinner", Box(3, 3, ("❯",), "", "", (), scrolled=False)
)


def changed(at: int, row: str) -> str:
    return "\n".join(row if number == at else one for number, one in enumerate(ROWS))


@pytest.mark.parametrize(
    "row",
    [
        "✶ Working… (4s · ↓ 120 tokens)",
        "✻ Working… (12s · ↓ 1300 tokens)",
        "\x1b[38;5;174m✽\x1b[39m Wor\x1b[1mking…\x1b[0m (3s · ↓ 121 tokens)",
    ],
)
def test_the_next_frame_is_the_same_screen(row: str) -> None:
    assert differs_by_frame(WORKING, BEFORE, changed(1, row))


@pytest.mark.parametrize(
    ("at", "row"),
    [
        (1, "✓ Working… (4s · ↓ 120 tokens)"),
        (1, "✻ Worked for 4s"),
        (1, "❯ Working… (4s · ↓ 120 tokens)"),
        (0, " Another answer."),
        (3, "❯ 1"),
        (5, "  4 to interrupt"),
    ],
)
def test_another_word_or_sign_or_anything_in_the_box_is_not(at: int, row: str) -> None:
    assert not differs_by_frame(WORKING, BEFORE, changed(at, row))


def test_another_row_is_not() -> None:
    assert not differs_by_frame(WORKING, BEFORE, BEFORE + "\n")


@pytest.mark.parametrize(
    "state",
    [
        WORKING._replace(state=State.IDLE),
        WORKING._replace(box=None),
        WORKING._replace(trouble=Trouble(State.RETRYING, "attempt 2", "other", None)),
    ],
)
def test_only_a_program_counts_that_works_without_trouble(state: AgentState) -> None:
    assert not differs_by_frame(state, BEFORE, changed(1, "✶ Working… (4s · ↓ 120 tokens)"))
