"""Triggers: what is due when, on ordinary days and on those on which the clock is changed."""

import datetime
import subprocess
import sys
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torch_cli.errors import RefusedError
from torch_cli.schedule import trigger
from torch_cli.schedule import zone as zones
from torch_cli.schedule.trigger import Trigger, next_after, passed, show

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def utc(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


NOW = utc("2026-11-25 08:00")


def times(rule: Trigger, after: float, count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        at = next_after(rule, found[-1] if found else after)
        if at is None:
            break
        found.append(at)
    return found


def local(rule: Trigger, after: str, count: int) -> list[str]:
    """Return the next ``count`` times as "day hour:minute offset" in the rule's own zone."""
    zone = ZoneInfo(rule.zone)
    return [
        datetime.datetime.fromtimestamp(at, zone).strftime("%d %H:%M %z")
        for at in times(rule, utc(after), count)
    ]


def cron(expression: str, zone: str = "UTC", now: str = "2026-01-01 00:00") -> Trigger:
    return trigger.cron(expression, zone, utc(now))


def test_in_is_once_and_elapsed_time() -> None:
    rule = trigger.once_in("1.5m", NOW, BERLIN)
    assert next_after(rule, NOW) == NOW + 90
    assert next_after(rule, NOW + 90) is None
    assert passed(rule, NOW, NOW + 89) == (None, 0)
    assert passed(rule, NOW, NOW + 91) == (NOW + 90, 1)


def test_every_counts_from_its_start() -> None:
    rule = trigger.every("20m", BERLIN, NOW)
    assert times(rule, NOW, 3) == [NOW + 1200, NOW + 2400, NOW + 3600]
    assert next_after(rule, NOW + 1199) == NOW + 1200
    assert next_after(rule, NOW - 99) == NOW + 1200
    assert passed(rule, NOW, NOW + 3700) == (NOW + 3600, 3)


def test_a_year_of_missed_seconds_is_counted_at_once() -> None:
    rule = trigger.every("1s", BERLIN, NOW)
    began = time.monotonic()
    assert passed(rule, NOW, NOW + 365 * 86_400) == (NOW + 365 * 86_400, 365 * 86_400)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-12-01 09:00", "2026-12-01 08:00"),
        ("2026-12-01T09:00:30", "2026-12-01 08:00:30"),
        ("2026-12-01 09:00Z", "2026-12-01 09:00"),
        ("2026-12-01 09:00+05:30", "2026-12-01 03:30"),
        ("2027/07/01 09:00", "2027-07-01 07:00"),
        ("09:30", "2026-11-25 08:30"),
        ("08:59", "2026-11-26 07:59"),
        ("23:59:59", "2026-11-25 22:59:59"),
    ],
)
def test_at_is_local_time_unless_it_has_an_offset(text: str, at: str) -> None:
    assert next_after(trigger.once_at(text, BERLIN, NOW), NOW) == utc(at)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-11-24 09:00", "past"),
        ("2026-11-25 09:00", "past"),
        ("tomorrow", "bad-time"),
        ("2026-02-30 09:00", "bad-time"),
        ("2026-12-01", "bad-time"),
        ("25:00", "bad-time"),
        ("2027-03-28 02:30", "bad-time"),
        ("9999-01-01 00:00", "bad-time"),
        ("9999-12-31T23:59-12:00", "bad-time"),
        ("0001-01-01T00:00+12:00", "bad-time"),
        ("", "bad-time"),
    ],
)
def test_a_time_that_is_none_or_has_passed_is_refused(text: str, code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        trigger.once_at(text, BERLIN, NOW)
    assert refused.value.code == code


def test_at_means_the_first_of_a_time_that_comes_twice() -> None:
    rule = trigger.once_at("2027-10-31 02:30", BERLIN, NOW)
    assert next_after(rule, NOW) == utc("2027-10-31 00:30")


BAD = """
* * * * | * * * * * * | | 60 * * * * | * 24 * * * | * * 0 * * | * * 32 * * | * * * 13 * |
* * * * 8 | 5-2 * * * * | */0 * * * * | a * * * * | * * * foo * | @reboot | 1,,2 * * * * |
-1 * * * * | * * L * * | 1.5 * * * * | * * * * mon#2 | * * * * sun-mon-tue
"""


@pytest.mark.parametrize("expression", [text.strip() for text in BAD.split("|")])
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(RefusedError) as refused:
        trigger.cron(expression, "UTC", NOW)
    assert refused.value.code == "bad-cron"


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(RefusedError) as refused:
        trigger.cron(expression, "UTC", NOW)
    assert refused.value.code == "never"


def test_29_february_comes() -> None:
    assert times(cron("0 0 29 2 *"), NOW, 1) == [utc("2028-02-29 00:00")]


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "CEST!"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(RefusedError) as refused:
        trigger.cron("0 9 * * *", zone, NOW)
    assert refused.value.code == "bad-zone"


def test_weekdays_are_those_of_cron() -> None:
    """2026-11-25 is a Wednesday."""
    for expression in ("0 9 * * 1-5", "0 9 * * mon-fri"):
        assert local(cron(expression), "2026-11-25 10:00", 4) == [
            "26 09:00 +0000",
            "27 09:00 +0000",
            "30 09:00 +0000",
            "01 09:00 +0000",
        ]
    for sunday in ("0", "7", "sun", "SUN"):
        assert local(cron(f"0 9 * * {sunday}"), "2026-11-25 10:00", 1) == ["29 09:00 +0000"]


def test_day_of_month_or_weekday() -> None:
    found = local(cron("0 0 1,15 * 5"), "2026-11-25 00:00", 4)
    assert found == ["27 00:00 +0000", "01 00:00 +0000", "04 00:00 +0000", "11 00:00 +0000"]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Skipped: once, as much later as the gap is long.
        (
            "30 2 * * *",
            BERLIN,
            "2026-03-27 12:00",
            ["28 02:30 +0100", "29 03:30 +0200", "30 02:30 +0200"],
        ),
        (
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07 00:00",
            ["07 02:30 -0500", "08 03:30 -0400", "09 02:30 -0400"],
        ),
        (
            "15 2 * * *",
            LORD_HOWE,
            "2026-10-02 00:00",
            ["03 02:15 +1030", "04 02:45 +1100", "05 02:15 +1100"],
        ),
        # Two that fall together fire once.
        ("30 2,3 * * *", BERLIN, "2026-03-28 12:00", ["29 03:30 +0200", "30 02:30 +0200"]),
        # Repeated: once.
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31 12:00", ["01 01:30 -0400", "02 01:30 -0500"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-03 16:00", ["05 01:45 +1100", "06 01:45 +1030"]),
        (
            "0,30 2 * * *",
            BERLIN,
            "2026-10-24 12:00",
            ["25 02:00 +0200", "25 02:30 +0200", "26 02:00 +0100"],
        ),
    ],
)
def test_a_named_hour_fires_once_on_the_days_that_skip_or_repeat_it(
    expression: str, zone: str, after: str, expected: list[str]
) -> None:
    assert local(cron(expression, zone), after, len(expected)) == expected


def test_every_hour_goes_by_real_time() -> None:
    spring, autumn = utc("2026-03-29 00:00"), utc("2026-10-25 00:00")
    for began in (spring, autumn):
        for expression, step in (("*/30 * * * *", 1800), ("0 * * * *", 3600)):
            found = times(cron(expression, BERLIN), began - 7200, 8)
            assert [at - found[0] for at in found] == [step * n for n in range(8)]


NUMBERS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


@st.composite
def fields(draw: st.DrawFn, name: str) -> tuple[str, frozenset[int] | None]:
    """Give a field, and the numbers that it means; ``None`` if it restricts nothing."""
    low, high = NUMBERS[name]
    kind = draw(st.sampled_from(["star", "one", "range", "step", "list", "range step"]))
    if kind == "star":
        return "*", None
    if kind == "step":
        step = draw(st.integers(1, high))
        top = 6 if name == "weekday" else high
        return f"*/{step}", frozenset(range(low, top + 1, step))
    first = draw(st.integers(low, high))
    if kind == "one":
        return str(first), frozenset({first})
    if kind == "list":
        second = draw(st.integers(low, high))
        return f"{first},{second}", frozenset({first, second})
    last = draw(st.integers(first, high))
    if kind == "range":
        return f"{first}-{last}", frozenset(range(first, last + 1))
    step = draw(st.integers(1, 9))
    return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))


@given(
    found=st.tuples(*(fields(name) for name in NUMBERS)),
    after=st.integers(int(utc("2026-01-01 00:00")), int(utc("2029-01-01 00:00"))),
)
@settings(max_examples=200, deadline=None)
def test_cron_agrees_with_looking_at_every_minute(
    found: tuple[tuple[str, frozenset[int] | None], ...], after: int
) -> None:
    text = " ".join(field for field, _ in found)
    minute, hour, day, month, weekday = (numbers for _, numbers in found)
    either = not found[2][0].startswith("*") and not found[4][0].startswith("*")

    def matches(at: datetime.datetime) -> bool:
        in_month = day is None or at.day in day
        cron_day = at.isoweekday() % 7
        in_week = weekday is None or cron_day in {one % 7 for one in weekday}
        days = (in_month or in_week) if either else (in_month and in_week)
        times = (minute is None or at.minute in minute) and (hour is None or at.hour in hour)
        return times and days and (month is None or at.month in month)

    at = datetime.datetime.fromtimestamp(after // 60 * 60 + 60, datetime.UTC)
    expected, end = None, at + datetime.timedelta(days=1)
    while at < end:
        if matches(at):
            expected = at.timestamp()
            break
        at += datetime.timedelta(minutes=1)
    rule = Trigger("cron", text, "UTC", 0.0)
    first = next_after(rule, after)
    if expected is None:
        assert first is None or first >= end.timestamp()
    else:
        assert first == expected


RULES = st.one_of(
    st.integers(1, 10**6).map(lambda n: Trigger("every", repr(float(n)), "UTC", NOW)),
    st.floats(1, 1e5).map(lambda n: Trigger("every", repr(n), "UTC", NOW)),
    st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 */5 * * 0", "0 0 1 * 5"]).map(
        lambda text: Trigger("cron", text, BERLIN, NOW)
    ),
)


@given(rule=RULES, offset=st.floats(0, 1e6), length=st.floats(0, 1e6))
@settings(max_examples=150, deadline=None)
def test_what_passed_is_what_came_next_so_often(
    rule: Trigger, offset: float, length: float
) -> None:
    after = NOW + offset
    now = after + (min(length, float(rule.expression) * 50) if rule.kind == "every" else length)
    found: list[float] = []
    at = next_after(rule, after)
    while at is not None and at <= now:
        assert not found or at > found[-1]
        found.append(at)
        at = next_after(rule, at)
    last, count = passed(rule, after, now)
    assert count == len(found)
    assert last == (found[-1] if found else None)


def test_a_moment_is_shown_in_both_times() -> None:
    assert show(utc("2026-12-01 08:00"), BERLIN) == "Tue 2026-12-01 09:00:00 CET (08:00:00 UTC)"
    shown = show(utc("2026-11-30 23:30"), BERLIN)
    assert shown == "Tue 2026-12-01 00:30:00 CET (2026-11-30 23:30:00 UTC)"


def test_utc_is_shown_once() -> None:
    assert show(utc("2026-12-01 08:00"), "UTC") == "Tue 2026-12-01 08:00:00 UTC"


def test_rules_are_described_in_words() -> None:
    assert trigger.describe(trigger.once_in("5m", NOW, BERLIN)) == "once"
    assert trigger.describe(trigger.every("90m", BERLIN, NOW)) == "every 1 h 30 min"
    assert trigger.describe(cron("@daily", BERLIN)) == "'0 0 * * *' (Europe/Berlin)"


def test_the_local_zone_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":America/New_York")
    assert zones.local_zone() == NEW_YORK
    monkeypatch.setenv("TZ", "nonsense")
    zones.check_zone(zones.local_zone())


def test_only_a_cron_expression_imports_the_scheduler() -> None:
    script = """
import sys
from torch_cli.schedule import trigger
for rule in (trigger.once_in("5m", 0.0, "UTC"), trigger.every("5m", "Europe/Berlin", 0.0)):
    trigger.show(trigger.next_after(rule, 0.0), rule.zone)
trigger.once_at("09:00", "Europe/Berlin", 0.0)
assert not {"apscheduler", "tzlocal"} & set(sys.modules), "imported for nothing"
trigger.cron("@daily", "UTC", 0.0)
assert "apscheduler" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
