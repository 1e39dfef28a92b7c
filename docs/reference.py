"""The reference of all commands, docs/reference/, made from their help.

``python docs/reference.py --write`` writes the pages: one for each section of ``torch --help``, and
the list of all. A test fails if they are out of date.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from torch_cli.cli.group import SECTIONS, sections, torch
from torch_cli.cli.manual import Manual, Passage, manuals

FOLDER = Path(__file__).with_name("reference")

MADE = "<!-- made by docs/reference.py from the help of the commands -->\n"

SHARED = (
    "Each command also takes the options that [all commands share](../commands.md#what-all-commands"
    "-share): `-L`, `-S`, `--json`, `-q`, `-v`, and `-h`, which shows what is on this page."
)


def all_manuals() -> list[Manual]:
    """Return the pages of the manual, in the order of the commands."""
    context = torch.make_context("torch", [], resilient_parsing=True)
    return [one for one in manuals(torch, context) if not one.hidden]


def pages() -> dict[str, str]:
    """Return the text of each page, by the name of its file."""
    root, *found = all_manuals()
    shared = {names for names, _ in root.options}
    made = {"index.md": _index(root)}
    for heading, folders in _folders().items():
        inside = {name for folder in folders for name in SECTIONS[folder][1]}
        mine = [one for one in found if one.words[1] in inside]
        texts = [f"{MADE}\n# {heading}\n", f"{SHARED}\n", *(_command(one, shared) for one in mine)]
        made[f"{folders[0]}.md"] = "\n".join(texts)
    return made


def _folders() -> dict[str, list[str]]:
    """Return the folders of each section, by its heading."""
    found: dict[str, list[str]] = {}
    for folder, (heading, _) in SECTIONS.items():
        found.setdefault(heading, []).append(folder)
    return found


def _index(root: Manual) -> str:
    page = {
        name: f"{folders[0]}.md"
        for folders in _folders().values()
        for folder in folders
        for name in SECTIONS[folder][1]
    }
    said = {name: words for _, names in SECTIONS.values() for name, words in names.items()}
    lines = [MADE, "# Reference", "", "`torch --help` shows this list, in this order."]
    listed = sections()
    others = [name for name in page if not any(name in names for names in listed.values())]
    for heading, names in {**listed, "Called by programs": others}.items():
        lines += ["", f"## {heading}", ""]
        lines += [f"- [torch {n}]({page[n]}#torch-{n}): {_plain(said[n])}" for n in names]
    lines += ["", "## Options of all commands", "", *_options(root.options)]
    return "\n".join([*lines, "", *_parts(root.ending, "##")])


def _command(one: Manual, shared: set[str]) -> str:
    """Return what a page says of one command, without the ``shared`` options."""
    level = "#" * len(one.words)
    lines = [f"{level} {' '.join(one.words)}", "", "```text", one.usage, "```", ""]
    lines += _parts(one.parts, "")
    own = [(names, said) for names, said in one.options if names not in shared]
    if own:
        lines += ["**Options**", "", *_options(own), ""]
    return "\n".join(lines)


def _parts(parts: list[Passage], level: str) -> Iterator[str]:
    for part in parts:
        if part.title:
            yield from (f"{level} {part.title}" if level else f"**{part.title}**", "")
        if part.verbatim:
            language = "sh" if part.title == "Examples" else "text"
            yield from (f"```{language}", part.text, "```", "")
        else:
            yield from (_plain(part.text), "")


def _options(rows: list[tuple[str, str]]) -> list[str]:
    return [f"- `{names}`: {_plain(' '.join(said.split()))}" for names, said in rows]


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
    return re.sub(r"([\\`*_\[\]])", r"\\\1", text)


def _write() -> None:
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        _write()
    else:
        print("\n".join(pages().values()))
