"""The pictures of the docs: made from the tables that they show, and drawn whole."""

import re

import delivery
import flowchart
import pytest
import rooms

from torch_cli.store.steps import NEXT_STEPS, Step


def test_the_way_of_a_message_is_that_of_the_table() -> None:
    there = delivery.FILE.read_text(encoding="utf-8")
    assert there == delivery.drawing(), "python docs/delivery.py --write"


def test_a_way_without_words_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**NEXT_STEPS, Step.SEEN: (Step.ACCEPTED, *NEXT_STEPS[Step.SEEN])}
    monkeypatch.setattr(delivery, "NEXT_STEPS", more)
    with pytest.raises(ValueError, match="each way"):
        delivery.drawing()


def test_an_arrow_is_drawn_for_each_way() -> None:
    ways = len(delivery.STEPS) + len(delivery.SETTLED)
    assert delivery.drawing().count("marker-end") == ways


def test_the_page_names_each_step_and_each_settled_state() -> None:
    page = delivery.FILE.with_name("messages.md").read_text(encoding="utf-8")
    assert "](delivery.svg)" in page
    for name in (*delivery.STEP_WORDS, *delivery.SETTLED_WORDS):
        assert re.search(rf"\b{name}\b", page), name


def test_the_site_draws_each_room_and_each_arrow() -> None:
    page = flowchart.drawn(rooms.PAGE.read_text(encoding="utf-8"), "The rooms")
    assert "```mermaid" not in page
    (picture,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    chart = rooms.picture()
    assert picture.count("marker-end") == chart.count("-->")
    names = {name for pair in rooms.arrows() for name in pair}
    assert set(re.findall(r">(\w+)/</text>", picture)) == names


def test_a_room_is_drawn_below_all_that_import_from_it() -> None:
    chart = "flowchart TD\n  a[a/]\n  b[b/]\n  c[c/]\n  a --> b\n  b --> c\n  a --> c\n"
    drawn = flowchart.svg(chart, "x")
    down = {name: float(y) for y, name in re.findall(r'y="([\d.]+)"[^>]*>(\w)/<', drawn)}
    assert down["a"] < down["b"] < down["c"]
