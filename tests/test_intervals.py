"""The intervals of the scheduler: one value, of which the tests change some."""

import pytest

from torch_cli.intervals import INTERVALS, Intervals, intervals


def test_without_words_they_are_the_usual_ones() -> None:
    assert intervals("") == Intervals() == INTERVALS


def test_words_change_those_that_they_name() -> None:
    assert intervals("teams=1 tasks=0.5") == Intervals(teams=1.0, tasks=0.5)


@pytest.mark.parametrize("words", ["nothing=1", "teams", "teams=soon"])
def test_other_words_are_an_error(words: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        intervals(words)
