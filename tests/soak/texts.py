"""The texts that are sent and typed: each holds a mark by which it is found wherever it arrives.

A message stands between ``K7q`` and ``q7E``; a person's draft is one word of letters, for a digit
could answer a dialog.
"""

import random
import re
from collections.abc import Callable
from typing import NamedTuple

_MESSAGE = re.compile(r"K(\d+)q\b.*?\bq\1E", re.DOTALL)
_BEGUN = re.compile(r"K(\d+)q\b")
_DRAFT = re.compile(r"zq[a-j]+qz")
_HEAD = re.compile(
    r"^\[(?:from (?P<sender>[^·\]]+) · )?[^·\]]+ · (?P<id>m-[0-9a-f]+)\]$", re.MULTILINE
)
_DUE = re.compile(r"^due (?P<due>.+?)(?:, .* late.*)?$", re.MULTILINE)

_WORDS = [*("please look at the tests and mend what fails", "before noon", "thanks")]


class Found(NamedTuple):
    """A message in a text that arrived: its number, its own text, the head in front of it.

    ``whole`` is whether its end arrived too. ``sender`` and ``id`` are what the envelope says, ''
    without one; ``due`` is the moment of a check-in.
    """

    number: int
    text: str
    whole: bool
    sender: str
    id: str
    due: str


def messages_in(text: str) -> list[Found]:
    """Return the messages that stand in ``text``, in order."""
    found = []
    for begun in _BEGUN.finditer(text):
        whole = _MESSAGE.match(text, begun.start())
        before = text[: begun.start()].rstrip("\n")
        head, due = "", ""
        lines = before.split("\n")[-3:] if before else []
        for line in lines:
            head = line.strip() if _HEAD.match(line.strip()) else head
            due = line.strip() if _DUE.match(line.strip()) else due
        parts = _HEAD.match(head)
        own = whole[0] if whole else text[begun.start() :]
        sender = (parts["sender"] or "") if parts else ""
        moment = _DUE.match(due)
        found.append(
            Found(
                int(begun[1]),
                own,
                whole is not None,
                sender,
                parts["id"] if parts else "",
                moment["due"] if moment else "",
            )
        )
    return found


def number_of(text: str) -> int | None:
    """Return the number of the message that ``text`` begins or holds the beginning of."""
    begun = _BEGUN.search(text)
    return int(begun[1]) if begun else None


def drafts_in(text: str) -> list[str]:
    """Return the drafts that stand in ``text``."""
    return _DRAFT.findall(text)


def draft(number: int) -> str:
    """Return the word of draft ``number``."""
    return "zq" + "".join("abcdefghij"[int(digit)] for digit in str(number)) + "qz"


def _prose(chance: random.Random, length: int) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < length:
        words.append(chance.choice(_WORDS))
    return " ".join(words)


def _lines(chance: random.Random, count: int) -> str:
    return "\n".join(_prose(chance, chance.randint(5, 60)) for _ in range(count))


BODIES: dict[str, Callable[[random.Random], str]] = {
    "short": lambda chance: _prose(chance, 30),
    "one line": lambda chance: _prose(chance, 150),
    "two lines": lambda chance: _lines(chance, 2),
    "three lines": lambda chance: _lines(chance, 3),
    "five lines": lambda chance: _lines(chance, 5),
    "40 lines": lambda chance: _lines(chance, 40),
    "long": lambda chance: _prose(chance, chance.randint(790, 3000)),
    "empty lines": lambda chance: "a list:\n\n- one\n\n- two",
    "unicode": lambda chance: "👍🏽 👨‍👩‍👧 你好，世界 日本語 é ä مرحبا שלום ✓✓",
    "tabs": lambda chance: "a\tb\t\tc",
    "a placeholder": lambda chance: "[Pasted text #1 +3 lines]",
    "placeholders": lambda chance: "see [Pasted text #2 +4 lines]\nand [Pasted text #3]\nthere",
    "a dialog": lambda chance: "it asked:\n Do you want to proceed?\n ❯ 1. Yes\n   2. No",
    "a box": lambda chance: "it showed:\n❯\u00a0text\n──────────\n»\u00a0text",
    "a footer": lambda chance: "it says · esc to interrupt\n✻ Working… (3s)",
    "shell": lambda chance: "'one' \"two\" `three` $(touch ran) #(touch ran) #{pane_id} ; } ,",
    "an envelope": lambda chance: "he wrote\n[from dev · message · m-00000000]\nno more",
    "much work": lambda chance: f"DELAY({chance.choice(['2', '4', '6'])}) take your time",
}
"""What stands between the marks, by kind; the demo agent works as long as ``DELAY`` says."""


def body(number: int, kind: str, chance: random.Random) -> str:
    """Return the body of message ``number``."""
    return f"K{number}q {BODIES[kind](chance)} q{number}E"
