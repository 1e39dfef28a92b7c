"""Moments that have passed, as people write them."""

from datetime import datetime

import pytest

from torch_cli.errors import RefusedError
from torch_cli.moment import passed

NOW = datetime(2026, 11, 29, 14, 30, 15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", datetime(2026, 11, 29, 12, 30, 15)),
        ("1d", datetime(2026, 11, 28, 14, 30, 15)),
        ("09:00", datetime(2026, 11, 29, 9)),
        ("9:05", datetime(2026, 11, 29, 9, 5)),
        ("14:30", datetime(2026, 11, 29, 14, 30)),
        ("14:31", datetime(2026, 11, 28, 14, 31)),
        ("23:00", datetime(2026, 11, 28, 23)),
        ("today", datetime(2026, 11, 29)),
        (" Yesterday ", datetime(2026, 11, 28)),
        ("2026-11-27", datetime(2026, 11, 27)),
        ("2026-11-27 18:20", datetime(2026, 11, 27, 18, 20)),
        ("2026-11-27T8:20", datetime(2026, 11, 27, 8, 20)),
    ],
)
def test_a_moment_is_understood(text: str, expected: datetime) -> None:
    assert passed(text, NOW.timestamp()) == expected.timestamp()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *[(one, "bad-moment") for one in ("25:00", "9:5", "tomorrow", "2026-13-01", "-2h", "a:b")],
        *[(one, "bad-moment") for one in ("0001-01-01", "0001-01-01 00:00", "0000-01-01")],
        *[(one, "bad-moment") for one in ("2026-11-30", "2026-11-29 14:31", "2026-11-27 25:00")],
        *[(one, "bad-duration") for one in ("", "2", "0h", "2x")],
    ],
)
def test_other_texts_are_refused_with_what_to_write(text: str, code: str) -> None:
    with pytest.raises(RefusedError) as raised:
        passed(text, NOW.timestamp())
    assert raised.value.code == code
    assert raised.value.hint
