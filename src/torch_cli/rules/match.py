"""Whether a rule matches a request: an ``allow`` only if that is sure, a ``deny`` if it may be."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from torch_cli.rules import shell
from torch_cli.rules.rule import ALLOW, DENY, SHELL, PermissionRequest, PermissionRule, Verdict

QUESTIONS = ("AskUserQuestion", "ExitPlanMode")
"""Tools that ask a person: no rule can say yes for one."""

_SHELL_KEYS = frozenset({"command", "description", "timeout", "run_in_background"})
"""What the shell tool may be given. Something else may lift a limit, such as a sandbox."""

_FILE_KEYS = ("file_path", "notebook_path", "path")
_FILE_TOOLS = frozenset({"Edit", "MultiEdit", "NotebookEdit", "NotebookRead", "Read", "Write"})

_GUARDED = frozenset({".git", ".claude", "torch.toml", ".mcp.json"})
"""Files and directories by which an agent could allow itself more, or have programs run."""

_LEADS_UP = re.compile(r"(?:^|[/=:,])\.\.(?:/|$)")


def verdicts(
    rules: Sequence[PermissionRule], request: PermissionRequest, *, may_allow: bool = True
) -> list[Verdict]:
    """Return what ``rules`` say of ``request``: at most one that acts, and what a trial would do.

    A ``deny`` comes before an ``allow``, and else the first in the file counts. Unless
    ``may_allow``, an ``allow`` does not act.
    """
    matching = [rule for rule in rules if matches(rule, request)]
    acting = _first(one for one in matching if not one.dry_run and (may_allow or denies(one)))
    wanted = _first(matching)
    found = [Verdict(acting, True)] if acting else []
    if wanted is not None and wanted is not acting:
        found.append(Verdict(wanted, False))
    return found


def _first(rules: Iterable[PermissionRule]) -> PermissionRule | None:
    return min(rules, key=lambda one: (not denies(one), one.dry_run, one.line), default=None)


def denies(rule: PermissionRule) -> bool:
    """Return whether ``rule`` says no. Whatever is not understood says no."""
    return rule.decision != ALLOW


def matches(rule: PermissionRule, request: PermissionRequest) -> bool:
    """Return whether ``rule`` is about ``request``."""
    if rule.decision == DENY:
        return _denied(rule, request)
    return rule.decision == ALLOW and _allowed(rule, request)


# -- allow -----------------------------------------------------------------------------------------


def _allowed(rule: PermissionRule, request: PermissionRequest) -> bool:
    tool, given = request.tool, request.given
    if tool in QUESTIONS or request.mode == "plan" or not _is_one_of(tool, rule.tools):
        return False
    if tool == SHELL:
        said = request.command
        if said is None or not given.keys() <= _SHELL_KEYS or not _is_path(request.cwd):
            return False
        words = shell.words(said)
        return (
            words is not None
            and any(covers(pattern, words) for pattern in rule.commands)
            and _inside([os.path.realpath(request.cwd)], rule.directories or (request.home,))
        )
    if rule.commands:
        return False
    named = [given[key] for key in _FILE_KEYS if key in given]
    if named or tool in _FILE_TOOLS:
        return _may_touch(named, rule, request)
    return not rule.directories


def _may_touch(named: Sequence[object], rule: PermissionRule, request: PermissionRequest) -> bool:
    """Return whether all files that are ``named`` are where ``rule`` allows them."""
    if not named or not _is_path(request.cwd):
        return False
    resolved = []
    for path in named:
        if not isinstance(path, str) or not _is_path(os.path.join(request.cwd, path)):
            return False
        resolved.append(os.path.realpath(os.path.join(request.cwd, path)))
    if any(part.casefold() in _GUARDED for path in resolved for part in path.split(os.sep)):
        return False
    return _inside(resolved, rule.directories or (request.home,))


def _is_path(path: str) -> bool:
    """Return whether ``path`` is absolute, and no program could take it for another one."""
    return os.path.isabs(path) and path.isprintable()


def _inside(paths: Sequence[str], directories: Sequence[str]) -> bool:
    """Return whether each path is one of the directories, or below one."""
    return all(
        any(_is_below(path, directory) for directory in directories if directory) for path in paths
    )


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def covers(pattern: str, words: Sequence[str]) -> bool:
    """Return whether an ``allow`` with ``pattern`` covers a command of these words.

    Each word of the pattern is a file pattern for one word. A ``*`` at the end of the last one
    covers all further words, too. What leads up in a path is covered by the same word alone.
    """
    wanted = pattern.split()
    if wanted[-1:] == ["*"] and len(words) == len(wanted) - 1:
        words = [*words, ""]
    open_ended = pattern.endswith("*")
    if len(words) < len(wanted) or (len(words) > len(wanted) and not open_ended):
        return False
    more = words[len(wanted) :]
    return not any(_LEADS_UP.search(word) for word in more) and all(
        word == one or (fnmatchcase(word, one) and not _LEADS_UP.search(word))
        for word, one in zip(words, wanted, strict=False)
    )


# -- deny ------------------------------------------------------------------------------------------


def _denied(rule: PermissionRule, request: PermissionRequest) -> bool:
    if rule.tools and not _is_one_of(request.tool, rule.tools):
        return False
    if rule.commands:
        said = request.given.get("command")
        if not isinstance(said, str) or not any(_names(one, said) for one in rule.commands):
            return False
    if not rule.directories:
        return True
    return any(
        _is_below(form, directory)
        for path in _touched(request)
        for form in (os.path.realpath(path), os.path.normpath(path))
        for directory in rule.directories
    )


def _names(pattern: str, command: str) -> bool:
    """Return whether ``command`` is, or holds, a command that ``pattern`` means."""
    wanted = " ".join(pattern.split())
    forms = [command[: shell.MOST].split(), *shell.parts(command)]
    patterns = (wanted, wanted.removesuffix(" *"))
    return any(fnmatchcase(" ".join(form), one) for form in forms for one in patterns)


def _touched(request: PermissionRequest) -> Iterator[str]:
    """Yield the paths that ``request`` may be about: files, the directory, words of a command."""
    files = [request.given.get(key) for key in _FILE_KEYS]
    named: list[object] = files if any(files) else [request.cwd]
    command = request.given.get("command")
    for part in shell.parts(command) if isinstance(command, str) else ():
        for word in part:
            named += [word, word.rpartition("=")[2]]
    for path in named:
        if isinstance(path, str) and path and "\0" not in path:
            yield os.path.join(request.cwd, os.path.expanduser(path))


def _is_one_of(tool: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(tool, pattern) for pattern in patterns)
