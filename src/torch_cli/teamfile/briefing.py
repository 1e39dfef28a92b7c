"""Briefings: the first message of an agent, from a file, a named template, or standard input.

A named briefing is a Jinja2 template. Torch looks for it in the project, then among the user's own,
then among those that come with Torch. A briefing from a file or standard input is sent as it is:
nothing in it is a template.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.paths import config_dir
from torch_cli.regular import read_regular

if TYPE_CHECKING:
    from torch_cli.store.agents import Agent

# In a wheel the stock briefings are inside the package, in a checkout beside src/.
_PACKAGED = Path(__file__).parent.parent / "briefings"
_CHECKOUT = Path(__file__).parents[3] / "briefings"

NEWEST_LEARNINGS = 5
"""How many of the newest entries of the project's LEARNINGS.md a briefing gets."""

ENTRY_CHARACTERS = 400
"""The most characters of one entry. A longer entry is cut, and says so."""

LARGEST_BRIEFING_BYTES = 1024 * 1024
"""The most bytes of a briefing, or of a LEARNINGS.md."""

TEMPLATE_SECONDS = 10.0
"""Seconds that a template may take. One page takes 0.2, most of it for starting Python."""

TEMPLATE_FACTS = ("agent", "role", "parent", "team", "directory", "agents")
"""The facts that a template can name, besides ``project`` and ``learnings``."""

_ENTRY = re.compile(r"^[-*] .*(?:\n(?![-*#] |\n).*)*", re.MULTILINE)
_DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")


class Colleague(NamedTuple):
    """Another agent, as a briefing names it."""

    name: str
    role: str


class Facts(NamedTuple):
    """What the template of a briefing can name. '' if there is nothing."""

    agent: str
    role: str = ""
    parent: str = ""
    team: str = ""
    directory: str = ""
    agents: tuple[Colleague, ...] = ()
    project_root: str = ""

    @property
    def root(self) -> Path:
        """The project's directory: that of the team, else the project of the agent's directory."""
        return Path(self.project_root) if self.project_root else project_of(self.directory)

    def variables(self) -> dict[str, Any]:
        """Return the variables of the template."""
        root = self.root
        facts = {name: getattr(self, name) for name in TEMPLATE_FACTS}
        facts["agents"] = [one._asdict() for one in self.agents]
        return {**facts, "project": root.name, "learnings": learnings(root)}


def facts_for(
    agent: str, role: str, parent: str, directory: str, others: Iterable["Agent"]
) -> Facts:
    """Return the facts of an agent that is started in ``directory``, among ``others``."""
    here = os.path.realpath(os.path.expanduser(directory))
    known = tuple(Colleague(one.name, one.role) for one in others if one.name != agent)
    return Facts(agent, role, parent, directory=here, agents=known)


def project_of(directory: str) -> Path:
    """Return the project that ``directory`` is in: where torch.toml, briefings/ or .git is."""
    here = Path(directory or ".").resolve()
    for path in (here, *here.parents):
        if any((path / name).exists() for name in ("torch.toml", "briefings", ".git")):
            return path
    return here


def learnings(root: Path) -> list[str]:
    """Return the newest entries of the project's LEARNINGS.md, the newest first.

    An entry is a list item, and its date is the first date in it. Entries without a date count as
    the oldest. There are none if it is not a regular file of the project, or has more than
    ``LARGEST_BRIEFING_BYTES``.
    """
    try:
        path = root / "LEARNINGS.md"
        text = (
            read_regular(path, LARGEST_BRIEFING_BYTES).decode("utf-8")
            if is_inside(path, root)
            else ""
        )
    except (OSError, UnicodeDecodeError):
        return []
    plain = "".join(char for char in text if char.isprintable() or char == "\n")
    entries = [found[0].rstrip() for found in _ENTRY.finditer(plain)]
    entries.reverse()
    entries.sort(key=_date_of, reverse=True)
    return [_cut(entry) for entry in entries[:NEWEST_LEARNINGS]]


def _date_of(entry: str) -> str:
    found = _DATE.search(entry)
    return found[0] if found else ""


def _cut(entry: str) -> str:
    return entry if len(entry) <= ENTRY_CHARACTERS else entry[: ENTRY_CHARACTERS - 1].rstrip() + "…"


def directories(root: Path | None = None) -> dict[Path, str]:
    """Return the directories that are searched for briefings, in order, each with its name."""
    project = {root / "briefings": "project"} if root else {}
    own = {Path(config_dir()) / "briefings": "yours"}
    return {**project, **own, _PACKAGED: "built in", _CHECKOUT: "built in"}


def names(root: Path | None = None) -> dict[str, str]:
    """Return the briefings that can be named, each with where it comes from."""
    found: dict[str, str] = {}
    for folder, word in directories(root).items():
        for path in folder.glob("*.md"):
            # Not parts of other templates, and not files that find() would refuse.
            if not path.name.startswith("_") and (word != "project" or is_inside(path, root)):
                found.setdefault(path.stem, word)
    return dict(sorted(found.items()))


def find(name: str, root: Path | None = None) -> Path:
    """Return the file of the briefing ``name``; raises ``NotFoundError`` with the known names.

    Raises ``RefusedError`` for a briefing of the project that leads out of the project.
    """
    for folder, word in directories(root).items():
        path = folder / f"{name}.md"
        if path.is_file() and "/" not in name and not name.startswith((".", "_")):
            if root and word == "project":
                check_inside(path, root)
            return path
    raise NotFoundError(
        f"no briefing named '{name}'",
        hint=f"Known briefings: {', '.join(names(root)) or 'none'}; or give a path.",
        code="no-briefing",
    )


def is_inside(path: Path | str, root: Path | str | None) -> bool:
    """Say whether the file ``path``, all links followed, is in the directory ``root`` or below it.

    An agent can put a link into its project, and would get the file that the link leads to.
    """
    return bool(root) and os.path.realpath(path).startswith(f"{os.path.realpath(str(root))}/")


def check_inside(path: Path | str, root: Path | str) -> None:
    """Raise ``RefusedError`` if the file ``path`` is not in ``root``."""
    if not is_inside(path, root):
        raise RefusedError(
            f"the briefing {path} leads out of {root}; it was not read",
            hint="A team's briefing is a file of its project, or one of your own by its name.",
            code="outside",
        )


def read_member(name: str, facts: Facts) -> str:
    """Return the text of a team member's briefing: a path in the project, or a template's name.

    Raises as ``read`` does, and ``RefusedError`` for a path that leads out of the project.
    """
    if "/" not in name:
        return render(name, facts)
    path = facts.root / name
    check_inside(path, facts.root)
    return _read_file(path)


def check_briefing_name(name: str) -> None:
    """Raise ``RefusedError`` for an invalid name of a briefing."""
    if not re.fullmatch(r"\w[\w.-]{0,63}", name) or name.startswith("_"):
        raise RefusedError(
            f"'{name}' is not a valid briefing name",
            hint="Use at most 64 letters, digits, '.', '-' and '_', with a letter first.",
            code="bad-name",
        )


def read(source: str, facts: Facts) -> str:
    """Return the text of a briefing for the agent of ``facts``.

    ``source`` is ``-`` for standard input, a path if it holds a slash or names a file, else the
    name of a template. Raises ``NotFoundError`` with the known names, ``RefusedError`` if it is not
    UTF-8, or a template that cannot be rendered.
    """
    if source == "-":
        return _decoded(sys.stdin.buffer.read(), "on standard input")
    path = Path(source).expanduser()
    if "/" in source or path.is_file():
        return _read_file(path)
    return render(source, facts)


def _read_file(path: Path) -> str:
    if not path.is_file():
        raise NotFoundError(f"no briefing file '{path}'", code="no-briefing")
    try:
        return _decoded(read_regular(path, LARGEST_BRIEFING_BYTES), str(path))
    except OSError as error:
        raise RefusedError(f"the briefing {path} cannot be read: {error.strerror}") from error


def render(name: str, facts: Facts) -> str:
    """Return the template ``name`` with the facts filled in. Facts are data, never templates.

    A template may loop without end, so a process with limits renders it.
    """
    path = find(name, facts.root)
    _read_file(path)  # for its error if it is not UTF-8
    folders = [str(folder) for folder in directories(facts.root)]
    order = {"name": path.name, "folders": folders, "variables": facts.variables()}
    order["root"] = str(facts.root)
    # -P: no module comes from the current directory, which an agent may write to.
    words = [sys.executable, "-P", "-m", "torch_cli.teamfile.rendering"]
    try:
        done = subprocess.run(
            words,
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=TEMPLATE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _bad(path, f"it did not end in {TEMPLATE_SECONDS:g} s") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason"]
        raise _bad(path, f"status {done.returncode}, {said[0]}") from None
    if "wrong" in found:
        raise _bad(path, found["wrong"])
    return re.sub(r"\n{3,}", "\n\n", found["text"]).strip() + "\n"


def _bad(path: Path, why: str) -> RefusedError:
    return RefusedError(
        f"the briefing {path} cannot be rendered: {why}",
        hint=f"It may use: {', '.join([*TEMPLATE_FACTS, 'project', 'learnings'])}.",
        code="bad-briefing",
    )


def _decoded(text: bytes, where: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"the briefing {where} is not UTF-8: byte 0x{text[error.start]:02x} at offset "
            f"{error.start}",
            code="not-utf8",
        ) from None
