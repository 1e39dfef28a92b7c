"""The tables ``[[allow]]`` and ``[[deny]]``: rules that answer permission requests."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from torch_cli.rules.match import QUESTIONS
from torch_cli.rules.rule import ALLOW, SHELL, PermissionRule

Wrong = Callable[[str, str], None]
"""Takes a key of the rule, and what is wrong with it."""

_TOOL = re.compile(r"\w[\w-]*")
_SERVER_TOOL = re.compile(r"^mcp__(?:(?!__)[\w-])+__[\w*?-]+")
_SHELL_SIGN = re.compile(r"[^\w\s\[\]*?./:,@%+=~-]")


def rule_of(
    decision: str, line: int, found: Mapping[str, Any], root: str, wrong: Wrong
) -> PermissionRule:
    """Return the rule of a table with the values ``found``, in the file of the directory ``root``.

    Calls ``wrong`` for each mistake. The directory is resolved here, so that nobody can move it
    afterwards with a link.
    """
    tools, commands = tuple(found.get("tool", ())), tuple(found.get("command", ()))
    if commands and not tools:
        tools = (SHELL,)
    if not (tools or "dir" in found or commands):
        wrong("", f"say which tool, command or dir to {decision}")
    if commands and tools != (SHELL,):
        wrong("command", f"is for the tool {SHELL} alone; write a rule of its own for the others")
    given = os.path.normpath(os.path.join(root, os.path.expanduser(found.get("dir", "."))))
    if "dir" in found and not os.path.isdir(given):
        wrong("dir", f"no directory {given}")
    if decision == ALLOW:
        _check_allow(tools, commands, "dir" in found, wrong)
    forms = dict.fromkeys([os.path.realpath(given)] + ([] if decision == ALLOW else [given]))
    return PermissionRule(
        decision,
        tools,
        commands,
        tuple(forms) if "dir" in found else (),
        found.get("dry_run", False),
        line,
    )


def _check_allow(
    tools: tuple[str, ...], commands: tuple[str, ...], placed: bool, wrong: Wrong
) -> None:
    """Look for what an ``allow`` must not leave open, and for what could never match."""
    if not tools:
        wrong("", "say which tool or command to allow")
    for tool in tools:
        if tool in QUESTIONS:
            wrong("tool", f"{tool} asks a person; no rule can answer it")
        elif not (_TOOL.fullmatch(tool) or _SERVER_TOOL.fullmatch(tool)):
            wrong("tool", f"'{tool}' is not the name of a tool, nor mcp__SERVER__ with a pattern")
        elif placed and tool.startswith("mcp__"):
            wrong("dir", f"nobody can tell in which directory {tool} works")
    if SHELL in tools and not commands:
        wrong("tool", f"{SHELL} needs a 'command', and a rule of its own")
    for pattern in commands:
        if sign := _SHELL_SIGN.search(pattern):
            wrong(
                "command",
                f"'{pattern}' could never match: with {sign[0]!r} it is not one plain command "
                "without quotes, whose words are compared",
            )
