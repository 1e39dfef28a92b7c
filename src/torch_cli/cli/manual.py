"""The manual, made from the commands' own help: what a page says, and its form for ``man``.

``torch help --man`` writes the man pages, ``docs/reference.py`` the same as Markdown. So there is
one text of each command, and it is its help.
"""

import inspect
import re
from collections.abc import Iterator
from typing import NamedTuple

import click

from torch_cli import __version__
from torch_cli.cli.verbs import LONGEST_SUMMARY


class Passage(NamedTuple):
    """A paragraph of a help, or lines that stand as they are, under the title that they have."""

    text: str
    title: str = ""
    verbatim: bool = False


class Manual(NamedTuple):
    """What is said of one command. ``words`` are its name, with ``torch`` and the group's."""

    words: tuple[str, ...]
    summary: str
    usage: str
    parts: list[Passage]
    options: list[tuple[str, str]]
    verbs: list[tuple[str, str]]
    ending: list[Passage]
    hidden: bool


def manuals(command: click.Command, context: click.Context) -> Iterator[Manual]:
    """Yield the page of a command, and of each command below it."""
    below = []
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            below.append((found, click.Context(found, parent=context, info_name=name)))
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    records = [option.get_help_record(context) for option in options]
    yield Manual(
        words=tuple(context.command_path.split()),
        summary=command.get_short_help_str(LONGEST_SUMMARY).rstrip("."),
        usage=" ".join([context.command_path, *command.collect_usage_pieces(context)]),
        parts=list(_parts(command.help)),
        options=[record for record in records if record is not None],
        verbs=[
            (one.command_path, found.get_short_help_str(LONGEST_SUMMARY))
            for found, one in below
            if not found.hidden
        ],
        ending=list(_parts(command.epilog)),
        hidden=command.hidden,
    )
    for found, one in below:
        yield from manuals(found, one)


def _parts(text: str | None) -> Iterator[Passage]:
    """Yield the paragraphs of a help. A line with \\b alone is click's mark of what stands so."""
    for paragraph in re.split(r"\n{2,}", inspect.cleandoc(text or "")):
        if not paragraph.startswith("\b"):
            words = " ".join(paragraph.split())
            if words:
                yield Passage(words)
            continue
        lines = paragraph.splitlines()[1:]
        title = lines.pop(0).rstrip(":") if lines and lines[0].endswith(":") else ""
        yield Passage(inspect.cleandoc("\n" + "\n".join(lines)), title, verbatim=True)


def file_name(manual: Manual) -> str:
    """Return the name of the file of a man page."""
    return f"{'-'.join(manual.words)}.1"


def man_page(manual: Manual) -> str:
    """Return a page for ``man``: the form is man(7), which groff and mandoc read."""
    name = "-".join(manual.words)
    lines = [f'.TH {_roff(name.upper())} 1 "" "torch {_roff(__version__)}" "Torch manual"']
    lines += [".SH NAME", f"{_roff(name)} \\- {_roff(manual.summary)}"]
    path, arguments = " ".join(manual.words), manual.usage.removeprefix(" ".join(manual.words))
    lines += [".SH SYNOPSIS", f".B {_roff(path)}", _roff(arguments.strip())]
    lines += [".SH DESCRIPTION", *_described(manual.parts)]
    for title, rows in (("OPTIONS", manual.options), ("COMMANDS", manual.verbs)):
        if rows:
            lines.append(f".SH {title}")
        for term, said in rows:
            lines += [".TP", f".B {_roff(term)}", _roff(" ".join(said.split()))]
    lines += _described(manual.ending)
    above = ["-".join(manual.words[:length]) for length in range(1, len(manual.words))]
    if above:
        lines += [".SH SEE ALSO", ", ".join(f"{_roff(one)}(1)" for one in above)]
    return "\n".join(line for line in lines if line) + "\n"


def _described(parts: list[Passage]) -> Iterator[str]:
    for part in parts:
        if part.title:
            yield f".SH {_roff(part.title.upper())}"
        elif part is not parts[0]:
            yield ".PP"
        if part.verbatim:
            yield from (".RS 4", ".nf", *map(_roff, part.text.splitlines()), ".fi", ".RE")
        else:
            yield _roff(part.text)


def _roff(text: str) -> str:
    r"""Return text that troff prints as it is: ``\`` and ``-`` mean something else there."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    return f"\\&{text}" if text.startswith(".") else text.replace("~", "\\(ti")
