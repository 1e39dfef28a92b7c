"""The help of ``torch`` and its groups: what is shown, where, and that nothing is cut."""

import re

import click
import pytest

from conftest import SOURCE, Torch
from torch_cli.cli.group import APART, DAILY, SECTIONS, sections
from torch_cli.cli.group import torch as group

_LISTED = re.compile(r"^  ([a-z-]+) {2,}(.*)$")


def listed(shown: str) -> dict[str, list[str]]:
    """Return the commands that a help lists, by their heading."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in shown.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            heading = line[:-1]
        elif heading not in ("", "Options") and (row := _LISTED.match(line)):
            found.setdefault(heading, []).append(row[1])
    return found


def names() -> list[str]:
    return group.list_commands(click.Context(group))


def groups() -> list[str]:
    found = ((name, group.get_command(click.Context(group), name)) for name in names())
    return [name for name, command in found if isinstance(command, click.Group)]


def test_what_is_used_every_day_comes_before_six_sections(torch: Torch) -> None:
    shown = listed(torch("--help").out)
    assert shown == sections()
    assert next(iter(shown)) == "Every day"
    assert len(shown) == 7
    assert tuple(shown["Every day"]) == DAILY
    assert len(DAILY) == 12


def test_every_command_is_listed_once_or_in_the_last_line(torch: Torch) -> None:
    out = torch("--help").out
    shown = [name for several in listed(out).values() for name in several]
    assert sorted([*shown, *APART]) == sorted(names())
    last = next(line for line in out.splitlines() if line.startswith("Not for you to type"))
    assert all(name in last for name in APART)


def test_a_folder_of_commands_is_in_one_section() -> None:
    """The page on the architecture says so: a section is one folder or two.

    ``dashboard`` has no commands: it is the screen of ``torch top``.
    """
    folders = {path.parent.name for path in (SOURCE / "torch_cli/cli").glob("*/__init__.py")}
    assert folders == {*SECTIONS, "dashboard"}
    headings = [heading for heading, _ in SECTIONS.values()]
    assert all(headings.count(heading) <= 2 for heading in headings)


def test_each_summary_fits_one_line_of_80_columns(torch: Torch) -> None:
    lines = torch("--help", env={"COLUMNS": "80"}).out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [row[1] for line in lines if (row := _LISTED.match(line))]
    assert set(rows) >= set(names()) - set(APART)
    assert not [line for line in lines if re.match(r" {12,}", line)], "a summary was wrapped"


@pytest.mark.parametrize("name", groups())
def test_no_summary_of_a_group_is_cut(torch: Torch, name: str) -> None:
    out = torch(name, "--help", env={"COLUMNS": "80"}).out
    below = out.partition("\nCommands:\n")[2]
    assert below
    assert "..." not in below
    assert all(len(line) <= 80 for line in below.splitlines())
    command = group.get_command(click.Context(group), name)
    assert isinstance(command, click.Group)
    for verb in command.commands.values():
        first = (verb.help or "").partition("\n\n")[0]
        said = " ".join(first.split()).partition(". ")[0].rstrip(".")
        assert verb.hidden or said in " ".join(below.split())
