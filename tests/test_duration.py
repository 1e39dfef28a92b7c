"""Durations: what people write is taken, nonsense is refused, and what is shown is short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.duration import LONGEST_DURATION_SECONDS, parse, words
from torch_cli.errors import RefusedError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800),
        ("1.5h", 5400),
        ("2h30m", 9000),
        ("2h 30m", 9000),
        ("90s", 90),
        ("1d", 86_400),
        ("1D2H3M4S", 93_784),
        ("0.5s", 0.5),
        (" 5m ", 300),
    ],
)
def test_what_people_write_is_taken(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0m",
        "0",
        "45",
        "-5m",
        "5",
        "m",
        "5x",
        "nan",
        "inf",
        "1e3s",
        "m5",
        "30m2h",
        "9e99d",
        "5m5m",
        "½h",
        "٣m5",
        "1.h",
        ".5h",
        "99999999d",
        "soon",
        "5 minutes",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(text)
    assert refused.value.code == "bad-duration"
    assert "30m" in refused.value.hint


def test_a_number_without_a_unit_is_told_so() -> None:
    with pytest.raises(RefusedError, match="has no unit"):
        parse("45")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (7500, "2 h 5 min"),
        (86405, "1 d"),
        (273600, "3 d 4 h"),
        (3599.6, "1 h"),
        (-5, "0 s"),
    ],
)
def test_what_is_shown_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert words(seconds) == shown


@given(seconds=st.floats(min_value=1, max_value=LONGEST_DURATION_SECONDS))
def test_what_is_shown_can_be_read_again_within_its_unit(seconds: float) -> None:
    read = parse(words(seconds).replace("min", "m").replace(" ", ""))
    assert abs(read - seconds) <= max(1.0, seconds / 23)
