"""The way of a message as a picture, made from the table that every write of its status obeys.

``python docs/delivery.py --write`` writes docs/delivery.svg. A test fails if the table says
otherwise, or allows a way that has no words here.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from drawing import MIDDLE, Box, arrow, picture, rectangle, words

from torch_cli.store.steps import AFTER_SETTLED, NEXT_STEPS, OPEN_STATES, SETTLED_STATES, Step

FILE = Path(__file__).with_name("delivery.svg")

TITLE = "The way of a message from its acceptance to its receipt"

STEP_WORDS = {
    Step.ACCEPTED: ("saved,", "nothing typed"),
    Step.ATTEMPTING: ("about to be pasted,", "may be in the box"),
    Step.SEEN: ("in the box,", "no key pressed"),
    Step.SUBMITTING: ("the key may", "have been pressed"),
}

SETTLED_WORDS = {
    "failed": ("not submitted,", "and will not be"),
    "unknown": ("it may have arrived:", "look"),
    "confirmed": ("the program reported", "the same text"),
    "submitted": ("it left the box,", "and shows elsewhere"),
}
"""The settled states from left to right: those that can be left first."""

STEPS = {
    (Step.ACCEPTED, Step.ATTEMPTING): ("the box is", "free: paste"),
    (Step.ATTEMPTING, Step.ACCEPTED): ("the gate let", "nothing through"),
    (Step.ATTEMPTING, Step.SEEN): ("our text alone", "in the box"),
    (Step.SEEN, Step.SUBMITTING): ("it is still so:", "submit key"),
    (Step.SUBMITTING, Step.SEEN): ("it came back", "into the box"),
    (Step.ACCEPTED, Step.DONE): ("cancelled,", "or expired"),
    (Step.ATTEMPTING, Step.DONE): ("it does not", "show up"),
    (Step.SEEN, Step.DONE): ("erased, or sent", "by a person"),
    (Step.SUBMITTING, Step.DONE): ("proven,", "or not"),
}
"""What leads from one step to another."""

SETTLED = {
    ("failed", "queued"): ("sent again,", "on request"),
    ("unknown", "queued"): ("sent again,", "on request"),
    ("unknown", "confirmed"): ("found", "later"),
}
"""What leads from a settled state to another."""

WIDTH, HEIGHT = 960.0, 400.0
_LEFT, _BOX, _GAP, _TOP, _TALL = 44.0, 152.0, 88.0, 40.0, 96.0
_CHIP, _CHIP_GAP, _LOW = 160.0, 76.0, 300.0
_GOOD, _BAD, _OPEN = "#e3f9e5", "#ffe3e3", "#fff3c4"
_FILL = {"failed": _BAD, "unknown": _OPEN, "confirmed": _GOOD, "submitted": _GOOD}


def legal_steps() -> set[tuple[Step, Step]]:
    """Return which step may follow which other, by the table."""
    return {(one, other) for one, after in NEXT_STEPS.items() for other in after if other != one}


def legal_settled() -> set[tuple[str, str]]:
    """Return which state may follow which settled one, by the table."""
    return {(one.state, other.state) for one, after in AFTER_SETTLED.items() for other in after}


def drawing() -> str:
    """Return the picture. Raises ``ValueError`` if the table and the words differ."""
    if legal_steps() != set(STEPS) or legal_settled() != set(SETTLED):
        raise ValueError("docs/delivery.py needs words for each way in store/steps.py, and no more")
    if list(OPEN_STATES) != list(STEP_WORDS) or set(SETTLED_STATES) != set(SETTLED_WORDS):
        raise ValueError("docs/delivery.py needs words for each step and settled state")
    return picture(WIDTH, HEIGHT, TITLE, [*_boxes(), *_between(), *_down(), *_again()])


def _step(step: Step) -> Box:
    return Box(_LEFT + list(STEP_WORDS).index(step) * (_BOX + _GAP), _TOP, _BOX, _TALL)


def _settled(state: str) -> Box:
    at = list(SETTLED_WORDS).index(state)
    return Box(46 + at * (_CHIP + _CHIP_GAP), _LOW, _CHIP, 64)


def _boxes() -> Iterator[str]:
    for step, said in STEP_WORDS.items():
        box = _step(step)
        x, _ = box.middle
        yield rectangle(box)
        yield words(x, _TOP + 18, [step], size=MIDDLE, bold=True)
        yield words(x, _TOP + 46, said)
        yield words(x, _TOP + 80, [" · ".join(OPEN_STATES[step])], colour="#0b69a3")
    yield rectangle(Box(24, _LOW - 20, WIDTH - 48, 104), fill="none")
    for state, said in SETTLED_WORDS.items():
        box = _settled(state)
        x, _ = box.middle
        yield rectangle(box, fill=_FILL[state])
        yield words(x, _LOW + 15, [state], size=MIDDLE, bold=True)
        yield words(x, _LOW + 42, said)


def _between() -> Iterator[str]:
    """Yield the arrows between steps beside each other: forward above, back below."""
    for (one, other), said in STEPS.items():
        if other == Step.DONE:
            continue
        forward = _step(one).x < _step(other).x
        height = 0.3 if forward else 0.75
        start, end = _step(one).at(float(forward), height), _step(other).at(1 - forward, height)
        yield arrow([start, end])
        x, y = (start[0] + end[0]) / 2, start[1]
        yield words(x, y - 19 if forward else y + 19, said)


def _down() -> Iterator[str]:
    """Yield the arrows from the steps to what is settled."""
    for (one, other), said in STEPS.items():
        if other == Step.DONE:
            x, y = _step(one).at(0.6 if one == Step.ACCEPTED else 0.5, 1)
            yield arrow([(x, y), (x, _LOW - 22)])
            yield words(x + 48, (y + _LOW) / 2 - 8, said)


def _again() -> Iterator[str]:
    """Yield the arrows from a settled state: up to the first step, or to its neighbour."""
    first = _step(Step.ACCEPTED)
    for (one, other), said in SETTLED.items():
        if other != "queued":
            start, end = _settled(one).at(1, 0.5), _settled(other).at(0, 0.5)
            yield arrow([start, end])
            yield words((start[0] + end[0]) / 2, start[1] - 19, said)
            continue
        straight = one == "failed"
        x, y = first.at(0.28 if straight else 0.9, 1)
        from_x, from_y = (x, _LOW) if straight else _settled(one).at(0.2, 0)
        yield arrow([(from_x, from_y), (from_x, from_y - 70), (x, y + 80), (x, y)])
        yield words(*((x - 44, _LOW - 90) if straight else (from_x - 70, from_y - 42)), said)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(drawing(), encoding="utf-8")
    else:
        print(drawing(), end="")
