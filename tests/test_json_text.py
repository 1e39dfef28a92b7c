"""Edits of JSON as text: what is not edited keeps every byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.programs import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)


@st.composite
def written(draw: st.DrawFn) -> str:
    """Return an object as people and programs write it."""
    indent = draw(st.sampled_from([None, 1, 2, 4, "\t"]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (",", " : ")]))
    text = json.dumps(
        draw(OBJECTS), indent=indent, separators=separators, ensure_ascii=draw(st.booleans())
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return (
        draw(st.sampled_from(["", "\n", "  "])) + text + draw(st.sampled_from(["", "\n", "\r\n"]))
    )


@given(written(), st.text(), VALUES)
def test_what_is_added_is_there_and_all_else_as_it_was(text: str, key: str, new: Any) -> None:
    before = json.loads(text)
    if key in before:
        return
    root = json_text.find(text)
    assert root is not None
    edited = json_text.add(text, root, new, key)
    assert list(json_text.check(edited).items()) == [*before.items(), (key, new)]


@given(written(), st.text(), VALUES)
def test_what_was_added_and_dropped_leaves_no_trace(text: str, key: str, new: Any) -> None:
    before = json.loads(text)
    root = json_text.find(text)
    assert root is not None
    edited = json_text.drop(json_text.add(text, root, new, key), root, len(before))
    assert json.loads(edited) == before
    if before:
        assert edited == text


@given(written(), st.data())
def test_any_member_can_be_dropped(text: str, data: st.DataObject) -> None:
    before = json.loads(text)
    if not before:
        return
    root = json_text.find(text)
    assert root is not None
    index = data.draw(st.integers(0, len(before) - 1))
    edited = json_text.check(json_text.drop(text, root, index))
    assert list(edited.items()) == [m for i, m in enumerate(before.items()) if i != index]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{\n  "k": [\n    1\n  ]\n}'),
        ('{\n    "a": 1\n}\n', '{\n    "a": 1,\n    "k": [\n        1\n    ]\n}\n'),
        ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"k": [\n\t\t1\n\t]\n}'),
        ('{"a":1}', '{"a":1, "k": [1]}'),
        ('{"a":1,"b":2}', '{"a":1,"b":2,"k": [1]}'),
        ('{\r\n  "a": 1\r\n}', '{\r\n  "a": 1,\r\n  "k": [\r\n    1\r\n  ]\r\n}'),
    ],
)
def test_it_writes_in_the_style_of_the_file(text: str, expected: str) -> None:
    assert json_text.add(text, 0, [1], "k") == expected


def test_an_empty_object_inside_is_opened_at_its_own_depth() -> None:
    text = '{\n  "a": {\n    "b": {}\n  }\n}'
    position = json_text.find(text, "a", "b")
    assert position is not None
    assert json_text.add(text, position, 1, "c") == (
        '{\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}'
    )


def test_of_two_members_with_one_name_the_last_counts() -> None:
    text = '{"a": 1, "a": {"b": 2}}'
    position = json_text.find(text, "a", "b")
    assert position is not None
    assert json_text.value(text, position) == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "a": 1,\n  b\n}', "line 3, column 3"),
        ("", "line 1, column 1"),
        ('{"a": NaN}', "NaN"),
        ("// no\n{}", "line 1, column 1"),
        ("[" * 100_000, "deep"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        json_text.check(text)
