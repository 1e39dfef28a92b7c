"""A Mermaid flowchart as SVG, for the site: GitHub draws Mermaid itself, a built page would need a
program from the network for it.

It knows what docs/rooms.py writes: ``flowchart TD``, boxes ``name[words]`` and arrows ``a --> b``
that form no circle.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from drawing import Box, arrow, picture, rectangle, words

_BOX = re.compile(r"^\s*(\w+)\[(.+)\]$", re.MULTILINE)
_ARROW = re.compile(r"^\s*(\w+) --> (\w+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```mermaid\n(flowchart TD\n.*?)^```$", re.MULTILINE | re.DOTALL)

_WIDE, _NARROW, _TALL, _GAP, _FLOOR, _EDGE = 92.0, 8.0, 28.0, 22.0, 74.0, 20.0
"""Pixels: a box, an arrow that passes a floor, the height of a box, the gap between two, from floor
to floor, around the picture."""

ROUNDS = 24
"""How often the order of each floor is improved; after some ten rounds it stays."""


def drawn(page: str, title: str) -> str:
    """Return a page's Markdown with its flowcharts as pictures in HTML."""
    return _BLOCK.sub(lambda found: f"<div>\n{svg(found[1], title)}</div>\n", page)


def svg(chart: str, title: str) -> str:
    """Return a flowchart as SVG: each box below all from which arrows lead to it."""
    label = dict(_BOX.findall(chart))
    arrows: list[tuple[str, str]] = _ARROW.findall(chart)
    floors = _floors(list(label), arrows)
    ways = _ways(floors, arrows)
    floors = _ordered(floors, [pair for way in ways for pair in pairwise(way)])
    wide = [sum(_width(name, label) + _GAP for name in floor) - _GAP for floor in floors]
    width = max(wide) + 2 * _EDGE
    place = {}
    for down, floor in enumerate(floors):
        x = (width - wide[down]) / 2
        for name in floor:
            place[name] = Box(x, _EDGE + down * _FLOOR, _width(name, label), _TALL)
            x += _width(name, label) + _GAP
    height = 2 * _EDGE + (len(floors) - 1) * _FLOOR + _TALL
    lines = [_line([place[name] for name in way]) for way in ways]
    boxes = [
        rectangle(place[name]) + words(*place[name].middle, [label[name]], size=12)
        for name in label
    ]
    return picture(width, height, title, [*lines, *boxes])


def _width(name: str, label: Mapping[str, str]) -> float:
    return _WIDE if name in label else _NARROW


def _line(boxes: Sequence[Box]) -> str:
    """Return an arrow from the first box to the last one, through the others."""
    x, y = boxes[0].at(0.5, 1)
    points = [(x, y)]
    for box in boxes[1:]:
        (to_x, to_y), (_, below) = box.at(0.5, 0), box.at(0.5, 1)
        bend = (to_y - y) / 2
        points += [(x, y + bend), (to_x, to_y - bend), (to_x, to_y)]
        if box is not boxes[-1]:
            points += [(to_x, to_y), (to_x, below), (to_x, below)]
        x, y = to_x, below
    return arrow(points)


def _ways(floors: list[list[str]], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the names that each arrow passes. On each floor between it has a place of its own."""
    at = {name: down for down, floor in enumerate(floors) for name in floor}
    ways = []
    for one, other in arrows:
        passed = [f"{one} {other} {down}" for down in range(at[one] + 1, at[other])]
        for down, name in enumerate(passed, at[one] + 1):
            floors[down].append(name)
        ways.append([one, *passed, other])
    return ways


def _floors(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the names by floor: one below the lowest from which an arrow leads to it."""
    floor = dict.fromkeys(names, 0)
    for _ in names:
        for one, other in arrows:
            floor[other] = max(floor[other], floor[one] + 1)
    found: list[list[str]] = [[] for _ in range(max(floor.values()) + 1)]
    for name, at in floor.items():
        found[at].append(name)
    return found


def _ordered(floors: list[list[str]], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the floors in an order with short arrows: each name near those it is tied to."""
    near: dict[str, list[str]] = {}
    for one, other in arrows:
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    for _ in range(ROUNDS):
        for floor in floors:
            at = _places(floors)
            middle = {name: _mean(name, near, at) for name in floor}
            floor.sort(key=middle.__getitem__)
    return floors


def _places(floors: Sequence[Sequence[str]]) -> dict[str, float]:
    return {name: n - len(floor) / 2 for floor in floors for n, name in enumerate(floor)}


def _mean(name: str, near: Mapping[str, Sequence[str]], at: Mapping[str, float]) -> float:
    around = near.get(name, ())
    return sum(at[one] for one in around) / len(around) if around else at[name]
