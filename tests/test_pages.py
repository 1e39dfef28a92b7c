"""The README and the pages: the commands that they show parse, and the README stays short."""

import re
from pathlib import Path

import click
import pytest

from test_manual import calls, parse

ROOT = Path(__file__).parents[1]

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / "briefings").glob("*.md"),
]

_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r'^\$ [^"\n]*"[^"]*"', re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+#.*")
_INLINE = re.compile(r"`(torch [a-z][^`]*)`")


def shown(text: str) -> list[str]:
    """Return the lines of shell in a page that begin with a command of Torch."""
    lines = []
    for language, block in _BLOCK.findall(text):
        # A quoted text may have several lines.
        joined = _QUOTED.sub(lambda quoted: quoted[0].replace("\n", " "), block)
        found = joined.replace("\\\n", " ").splitlines()
        if language == "console":
            found = [line[2:] for line in found if line.startswith("$ ")]
        lines += [line for line in found if line.startswith("torch ")]
    return lines


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_of_a_page_parse(page: Path) -> None:
    for line in shown(page.read_text(encoding="utf-8")):
        for words in calls(_COMMENT.sub("", line)):
            parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_that_a_page_names_are_there(page: Path) -> None:
    """In a sentence an argument may be missing; a command or an option that is not there fails."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for found in _INLINE.findall(text):
        line = " ".join(found.split())
        if set(line) & set("…[]{}"):
            continue
        for words in calls(line):
            try:
                parse(words)
            except (
                click.MissingParameter,
                click.BadOptionUsage,
                click.exceptions.NoArgsIsHelpError,
            ):
                pass
            except click.exceptions.Exit:
                assert "--help" in words


@pytest.mark.parametrize("line", ["torch send dev --nope", "torch xyzzy", "torch task renew t-1"])
def test_a_name_that_is_not_there_fails(line: str) -> None:
    with pytest.raises(Exception, match=r".+") as caught:
        parse(calls(line)[0])
    assert not isinstance(caught.value, click.MissingParameter | click.BadOptionUsage)


def test_the_readme_can_be_read_in_one_sitting() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert 150 <= len(lines) <= 200
