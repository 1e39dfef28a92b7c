"""A rule that answers permission requests, and a request, as values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ALLOW, DENY = "allow", "deny"
"""The decisions of a rule, and the tables of ``torch.toml`` that hold the rules."""

SHELL = "Bash"
"""The tool that runs a command in a shell, as the programs name it."""


class PermissionRule(NamedTuple):
    """A rule: ``decision`` for the ``tools`` of these names (empty: all).

    ``commands`` are patterns for the command of ``SHELL``, empty for any. ``directories`` are
    absolute paths, one of which the request must be in, empty if none is named. A rule with
    ``dry_run`` answers nothing. ``line`` is its line in the file.
    """

    decision: str
    tools: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    dry_run: bool = False
    line: int = 0


class PermissionRequest(NamedTuple):
    """What a program asks: may it use ``tool`` with what is ``given``?

    ``cwd`` is its working directory, ``home`` the directory in which its agent was started, and
    ``mode`` the program's permission mode.
    """

    tool: str
    given: Mapping[str, Any]
    cwd: str
    home: str
    mode: str = ""

    @property
    def command(self) -> str | None:
        """The command line that it asks for, ``None`` if it asks for something else."""
        command = self.given.get("command")
        return command if self.tool == SHELL and isinstance(command, str) else None


class Verdict(NamedTuple):
    """What ``rule`` says of a request; it answers only if it ``acts``."""

    rule: PermissionRule
    acts: bool


def packed(rules: Sequence[PermissionRule]) -> str:
    """Return ``rules`` as a text to be kept, '' for none."""
    return json.dumps([rule._asdict() for rule in rules]) if rules else ""


def unpacked(text: str) -> tuple[PermissionRule, ...]:
    """Return the rules in a text of ``packed``."""
    fields = ("tools", "commands", "directories")
    return tuple(
        PermissionRule(**{**one, **{name: tuple(one[name]) for name in fields}})
        for one in (json.loads(text) if text else ())
    )
