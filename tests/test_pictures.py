"""The pictures of the docs: made from the tables that they show, and drawn whole."""

import re
from xml.etree import ElementTree

import delivery
import film
import flowchart
import pytest
import recording
import rooms

from torch_cli.store.steps import NEXT_STEPS, Step

SVG = "{http://www.w3.org/2000/svg}"


def test_the_way_of_a_message_is_that_of_the_table() -> None:
    there = delivery.FILE.read_text(encoding="utf-8")
    assert there == delivery.drawing(), "python docs/delivery.py --write"


def test_a_way_without_words_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**NEXT_STEPS, Step.SEEN: (Step.ACCEPTED, *NEXT_STEPS[Step.SEEN])}
    monkeypatch.setattr(delivery, "NEXT_STEPS", more)
    with pytest.raises(ValueError, match="each way"):
        delivery.drawing()


def test_the_film_of_the_readme_plays_without_scripts_and_tells_nothing_of_its_machine() -> None:
    """It was made by 'make recording'."""
    drawn = recording.FILE.read_text(encoding="utf-8")
    assert len(drawn.encode()) < 200_000
    picture = ElementTree.fromstring(drawn)
    rows = [one for one in picture.iter(f"{SVG}g") if "id" in one.attrib]
    shown = "\n".join("".join(one.itertext()) for one in rows)
    for text in ("$ torch ps", "ANSWER a question", "$ torch answer", "pressed", "$ torch since"):
        assert text in shown, text
    assert not any(
        word in drawn for word in ("/tmp", "/home", "/root", "<script", "url(", "@import")
    )
    assert set(re.findall(r"https?://[^\s\"]+", drawn)) == {"http://www.w3.org/2000/svg"}
    assert {one.attrib["href"].removeprefix("#") for one in picture.iter(f"{SVG}use")} == {
        one.attrib["id"] for one in picture.iter(f"{SVG}g") if "id" in one.attrib
    }


def test_a_film_has_each_frame_for_its_time_and_each_row_once() -> None:
    one = film.Frame(("\x1b[1;32mok\x1b[0m  <b> \x1b[7m now \x1b[0m", ""), (0, 1), 1.0)
    other = one._replace(rows=(one.rows[0], "日本 x"), seconds=3.0)
    frames = film.joined([one, one._replace(seconds=0.5), other])
    assert [frame.seconds for frame in frames] == [1.5, 3.0]
    drawn = film.film(frames, (20, 2), 1, "a & b")
    picture = ElementTree.fromstring(drawn)
    assert len([one for one in picture.iter(f"{SVG}g") if "id" in one.attrib]) == 2
    texts = {(text.text, text.attrib["x"]) for text in picture.iter(f"{SVG}text")}
    assert texts == {("ok", "0.0"), ("  <b> ", "16.8"), (" now ", "67.2"), ("日本 x", "0.0")}
    width = int(picture.attrib["width"])
    assert f"0.00%{{transform:translateX(0px)}}33.33%{{transform:translateX({-width}px)}}" in drawn
    assert "animation:film 4.5s step-end infinite" in drawn
    (strip,) = [one for one in picture.iter(f"{SVG}g") if one.attrib.get("class") == "film"]
    assert strip.attrib["transform"] == f"translate({-width})", "without motion"


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
