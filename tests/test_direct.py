"""Commands past click: what they take, click would have taken just so."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.cli import direct
from torch_cli.cli.agents import ps
from torch_cli.cli.attention import status
from torch_cli.cli.messages import ask, send

MESSAGES = {"ask": ask.command, "send": send.command}
LISTS = {"ps": ps.command, "status": status.command}
COMMANDS = {**MESSAGES, **LISTS}

VALUES = direct.VALUES["send"]

WORDS = [
    *VALUES,
    *direct.FLAGS["send"],
    *("--line", "--watch", "--wide", "-o", "name"),
    *(f"{name}={value}" for name in VALUES for value in ("", "idle", "2.5", "a=b")),
    *("--", "-", "", "dev", "two words", "-5", "-qv", "-Lname", "-h", "--help", "--js", "--nope"),
    *("idle", "now", "IDLE", "5", "1e3", "nan", "inf", "1e300", "-1", "0x10", " 7 ", "1_0"),
]


def by_click(command: str, words: list[str]) -> dict[str, object] | None:
    """Return what click makes of ``words``, ``None`` if it refuses them or shows help."""
    try:
        return dict(COMMANDS[command].make_context(command, list(words)).params)
    except (click.UsageError, click.exceptions.Exit):
        return None


@pytest.mark.parametrize("command", COMMANDS)
@given(words=st.lists(st.sampled_from(WORDS), max_size=7))
def test_what_is_taken_is_what_click_makes_of_it(command: str, words: list[str]) -> None:
    taken = direct.parse(command, words)
    if taken is not None:
        defaults = by_click(command, ["--", "target", "message"] if command in MESSAGES else [])
        assert defaults is not None
        assert defaults | taken == by_click(command, words)


@pytest.mark.parametrize(
    "words",
    [
        ["dev", "hello"],
        ["dev", "-"],
        ["--json", "dev", "hello", "--key", "k", "--from=pm"],
        ["dev", "hello", "--when", "idle", "--timeout", "2.5", "-L", "work"],
        ["-q", "--plain", "--clean", "-v", "--", "dev", "-rf is no option here"],
    ],
)
def test_plain_calls_are_taken(words: list[str]) -> None:
    assert direct.parse("send", words) is not None


def test_plain_questions_are_taken() -> None:
    words = ["--json", "dev", "done or not?", "--timeout=9", "--from", "pm", "-S", "/tmp/s", "-q"]
    assert direct.parse("ask", words) is not None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dev"],
        ["dev", "hello", "more"],
        ["dev", "--help"],
        ["dev", "hello", "--when", "soon"],
        ["dev", "hello", "--timeout", "nan"],
        ["dev", "hello", "--timeout"],
        ["dev", "hello", "--nope"],
    ],
)
def test_all_else_is_left_to_click(words: list[str]) -> None:
    for command in MESSAGES:
        assert direct.parse(command, words) is None
        assert by_click(command, words) is None


@pytest.mark.parametrize(
    "words", [[], ["--json"], ["-q", "-L", "work"], ["-v", "--socket-path=/s"]]
)
def test_plain_lists_are_taken(words: list[str]) -> None:
    for command in LISTS:
        assert direct.parse(command, words) is not None
    assert direct.parse("status", ["--line", *words]) is not None


@pytest.mark.parametrize("words", [["dev"], ["--watch"], ["-o", "name"], ["--wide"], ["-h"]])
def test_other_lists_are_left_to_click(words: list[str]) -> None:
    for command in LISTS:
        assert direct.parse(command, words) is None


def test_what_only_a_message_has_is_no_option_of_a_question() -> None:
    assert direct.parse("ask", ["dev", "hello", "--when", "idle"]) is None
    assert direct.parse("ask", ["dev", "hello", "--key", "k"]) is None
