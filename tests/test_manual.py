"""The reference and the man pages, made from the commands' help; and the examples in it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import reference

from conftest import Torch
from torch_cli.cli.group import torch as group
from torch_cli.cli.manual import Manual, file_name, man_page

ALL = reference.all_manuals()

_COMMAND = re.compile(r"\$\((.*)\)")


def examples(manual: Manual) -> list[str]:
    """Return the examples of a command's help, a command line each."""
    found = [part.text for part in manual.parts if part.title == "Examples"]
    return "\n".join(found).replace("\\\n", " ").splitlines()


def calls(line: str) -> list[list[str]]:
    """Return the words of each call of torch in a line of shell, without its name."""
    inner = _COMMAND.search(line)
    found = calls(inner[1]) if inner else []
    words = shlex.shlex(_COMMAND.sub("x", line), posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    several: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set("|&;<>"):
            several.append([])
        else:
            several[-1].append(word)
    for one in several:
        while one and re.match(r"[A-Z_]+=", one[0]):
            one.pop(0)
        if one and one[0] == "torch":
            found.append(one[1:])
    return found


def parse(words: list[str]) -> tuple[str, ...]:
    """Parse the words of a call as ``torch`` does, run nothing, and return the command's words."""
    context = group.make_context("torch", list(words))
    path = ["torch"]
    rest = [*context._protected_args, *context.args]
    while isinstance(context.command, click.Group) and rest:
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        assert name is not None
        context = command.make_context(name, list(rest), parent=context)
        path.append(name)
        rest = [*context._protected_args, *context.args]
    return tuple(path)


@pytest.mark.parametrize("manual", ALL, ids=lambda one: " ".join(one.words))
def test_each_example_parses_and_one_is_of_the_command(manual: Manual) -> None:
    shown = [parse(words) for line in examples(manual) for words in calls(line)]
    mine = [path for path in shown if path[: len(manual.words)] == manual.words]
    assert mine, f"the help of {' '.join(manual.words)} needs an example"


@pytest.mark.parametrize(
    "line", ["torch send --nope dev x", "torch ps x", "torch wait dev --for idle", "torch xyzzy"]
)
def test_an_example_that_is_wrong_does_not_parse(line: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        parse(calls(line)[0])


def test_the_reference_is_that_of_the_commands_now() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in reference.FOLDER.glob("*.md")}
    made = reference.pages()
    assert sorted(there) == sorted(made), "python docs/reference.py --write"
    old = [name for name in made if made[name] != there[name]]
    assert not old, "python docs/reference.py --write"


def test_the_reference_names_every_command_and_option() -> None:
    text = "".join(reference.pages().values())
    for one in ALL[1:]:
        assert f"# {' '.join(one.words)}\n" in text
        assert all(f"- `{names}`" in text for names, _ in one.options)


def test_help_writes_a_man_page_for_each_command(torch: Torch, tmp_path: Path) -> None:
    folder = tmp_path / "share" / "man1"
    done = torch("help", "--man", str(folder))
    assert done.code == 0, done.err
    assert f"{len(ALL)} pages" in done.out
    assert {path.name for path in folder.iterdir()} == {file_name(one) for one in ALL}
    page = (folder / "torch-send.1").read_text(encoding="utf-8")
    assert page == man_page(next(one for one in ALL if one.words == ("torch", "send")))
    assert re.search(r"^torch\\-send \\- Send MESSAGE to TARGET", page, re.MULTILINE)
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO"):
        assert f".SH {heading}\n" in page
    _read_by_groff(sorted(folder.iterdir()))


def _read_by_groff(pages: list[Path]) -> None:
    """Have groff, where it is installed, read the pages without a warning, and show one."""
    if groff := shutil.which("groff"):
        form = [groff, "-man", "-Kutf8", "-ww"]
        read = subprocess.run(
            [*form, "-Tutf8", "-z", *pages], capture_output=True, text=True, timeout=60, check=False
        )
        assert (read.returncode, read.stderr) == (0, "")
        send = next(page for page in pages if page.name == "torch-send.1")
        shown = subprocess.run(
            [*form, "-Tascii", "-P-cbou", send], stdout=subprocess.PIPE, timeout=60
        )
        assert b'torch send dev "Run the tests and fix what fails."' in shown.stdout
        assert b"git diff | torch send reviewer -" in shown.stdout


def test_man_pages_are_of_all_commands_only(torch: Torch, tmp_path: Path) -> None:
    folder = tmp_path / "man1"
    done = torch("help", "send", "--man", str(folder), "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "usage")
    assert not folder.exists()
    done = torch("help", "--man", str(folder), "--json")
    assert done.json == {
        "schema": "torch.manual/1",
        "directory": str(folder),
        "pages": len(ALL),
    }
