"""The rooms of the package: each has one subject, and imports go down only."""

import ast
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest
import rooms

LONGEST = 400
"""Lines of a module at most."""

LONGER = {"store.schema": "it only grows: a migration that was released is never edited"}
"""Modules that may be longer, each with the reason."""

BY_NAME = {
    "__init__": "what is public is loaded when it is asked for, from the modules that it lists",
    "cli.group": "the commands are loaded when they are called, from the folders of its sections",
    "programs.transcript": "the readers of its own folder, by the profile's word for one",
}
"""Modules that import others by a name which is put together, and which others these are."""

_STEP = re.compile(r"^( *)- `([\w.]+)`", re.MULTILINE)


def test_every_module_is_in_a_room_of_the_page() -> None:
    named = [name for names in rooms.rows() for name in names]
    assert len(named) == len(set(named))
    there = {rooms.room_of(module) for module in rooms.modules()}
    assert there == set(named), f"the table in {rooms.PAGE} names each room, from the top down"


def test_imports_go_down_only() -> None:
    floor = {name: index for index, names in enumerate(rooms.rows()) for name in names}
    climbing = [
        f"src/torch_cli/{one.source.replace('.', '/')}.py:{one.line} imports {one.target}"
        for one in rooms.imports()
        if floor[rooms.room_of(one.target)] < floor[rooms.room_of(one.source)]
    ]
    assert not climbing, "move what is in the wrong room; a lazy import hides a climb, and is one"


def test_no_imports_go_in_a_circle() -> None:
    below: dict[str, set[str]] = {}
    for one in rooms.imports():
        if not one.source.startswith(f"{one.target}."):  # what a package's own file says to all
            below.setdefault(one.source, set()).add(one.target)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


def test_no_import_is_hidden_in_a_name() -> None:
    found = {
        module
        for module, path in rooms.modules().items()
        if re.search(r"import_module|__import__", path.read_text(encoding="utf-8"))
    }
    assert found == set(BY_NAME)


def test_the_demo_agent_stands_alone() -> None:
    assert not [one for one in rooms.arrows() if "demo_agent" in one]


def test_no_module_is_too_long() -> None:
    lines = {
        module: len(path.read_text(encoding="utf-8").splitlines())
        for module, path in rooms.modules().items()
    }
    assert {name for name, count in lines.items() if count > LONGEST} <= set(LONGER)


def test_every_room_says_what_it_is() -> None:
    for module in rooms.modules():
        assert ast.get_docstring(rooms.tree(module)), module


def test_the_picture_is_that_of_the_imports_now() -> None:
    assert rooms.page() == rooms.PAGE.read_text(encoding="utf-8"), "python docs/rooms.py --write"


def test_the_walks_go_down_along_imports() -> None:
    """Each step of a walk is there, and its module is imported by that of the step before it."""
    floor = {name: index for index, names in enumerate(rooms.rows()) for name in names}
    uses = {(one.source, one.target) for one in rooms.imports()}
    above: list[str] = []
    steps = _STEP.findall(rooms.PAGE.read_text(encoding="utf-8"))
    for indent, name in steps:
        module = _module_of(name)
        assert module, f"{name} is not there"
        del above[len(indent) // 2 :]
        if above:
            caller = above[-1]
            whole = module.split(".")[0]  # a store is used through its connection
            assert caller == module or {(caller, module), (caller, whole)} & uses, (caller, name)
            assert floor[rooms.room_of(caller)] <= floor[rooms.room_of(module)]
        above.append(module)
    assert len(steps) > 40


def _module_of(name: str) -> str:
    """Return the module of a function or method by its dotted name, '' if there is none."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        if (module := ".".join(parts[:length])) in rooms.modules():
            body = rooms.tree(module).body
            for part in parts[length:]:
                kinds = (ast.FunctionDef, ast.ClassDef)
                found = [one for one in body if isinstance(one, kinds) and one.name == part]
                if not found:
                    return ""
                body = found[0].body
            return module
    return ""


def test_a_class_name_means_one_thing() -> None:
    homes = defaultdict(set)
    for module in rooms.modules():
        for node in rooms.tree(module).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(module)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}
