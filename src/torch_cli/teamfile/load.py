"""``torch.toml``: the file that describes a team. Reading it, and listing its mistakes."""

import functools
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.loading import list_profiles
from torch_cli.regular import read_regular
from torch_cli.roster.project import FILE, LARGEST_TEAM_FILE_BYTES, own_place
from torch_cli.roster.registry import check_name, profiles_dir
from torch_cli.rules.rule import ALLOW, DENY, PermissionRule
from torch_cli.store.teams import MemberKind
from torch_cli.teamfile import briefing
from torch_cli.teamfile.described import LARGEST_POOL, MIB, Agreement, Limits, Member, Pool, Team
from torch_cli.teamfile.directories import is_branch, worktree_path
from torch_cli.teamfile.rules import rule_of
from torch_cli.teamfile.schema import AGENT, TABLES
from torch_cli.tmux.place import fit_session_name
from torch_cli.toml_lines import Lines

SLIP = 0.85
"""A name that is this similar to another (difflib's ratio) counts as a slip: one or two letters in
a word. 'researcher' for 'researchers' is one; 'dev' for 'devops' and 'writer' for 'copywriter' are
not."""

SHOWN_MISTAKES = 10
"""The most mistakes that are shown at once."""

MOST_MEMBERS = 500
"""The most members of a file, because each is compared with all others."""


def find_file(directory: str) -> str:
    """Return the path of the team file of the project that ``directory`` is in.

    In a worktree that Torch has made for a member it is the file of the main worktree. Raises
    ``NotFoundError`` if neither ``directory`` nor one above it has a file.
    """
    here = Path(os.path.realpath(os.path.expanduser(directory)))
    # A worktree that Torch has made beside a project may have a copy of its file.
    around = Path(own_place(str(here)))
    for path in (around, *around.parents):
        if (path / FILE).is_file():
            return str(path / FILE)
    raise NotFoundError(
        f"no {FILE} in {here} or above it",
        hint="'torch init' writes one; 'torch team freeze' writes one of what is running.",
        code="no-team",
    )


def load_team(path: str) -> Team:
    """Read the team file; raises ``RefusedError`` with every mistake, each with its line."""
    try:
        text = read_regular(path, LARGEST_TEAM_FILE_BYTES).decode("utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise RefusedError(f"{path} cannot be read: {why}", code="bad-team") from error
    except RecursionError as error:
        raise RefusedError(f"{path}: its values are nested too deeply", code="bad-team") from error
    except ValueError as error:  # a TOMLDecodeError, or a number of too many digits
        raise RefusedError(f"{path}: {error}", code="bad-team") from error
    return _Reader(path, text, document).team()


class _Reader:
    """Turns the document into a team, and collects its mistakes."""

    def __init__(self, path: str, text: str, document: dict[str, Any]) -> None:
        self._path, self._document = path, document
        self._root = os.path.realpath(os.path.dirname(path))
        self._text, self._lines = text, Lines(text)
        self._wrong: list[tuple[int, str]] = []

    def team(self) -> Team:
        """Return the team; raise ``RefusedError`` if anything is wrong."""
        for name in self._document:
            if name not in TABLES:
                line = self._lines.of(name, 0) or self._lines.of("", 0, name) or 1
                self._say(line, f"unknown table or key '{name}'{_near(name, TABLES)}")
        head = self._table("team", 0, self._document.get("team", {}))
        agreed = self._table("agreement", 0, self._document.get("agreement", {}))
        tasks = self._table("tasks", 0, self._document.get("tasks", {}))
        members = [*self._members(MemberKind.PROCESS), *self._members(MemberKind.AGENT)]
        self._check_number(members)
        pools = [self._pool(n, one, members) for n, one in enumerate(self._listed("pool"))]
        answering = [*self._rules(ALLOW), *self._rules(DENY)]
        self._check_session(head.get("session"))
        self._check_together(members)
        self._check_roles(members, head, agreed, tasks)
        if self._wrong:
            raise self._error()
        name = head.get("name") or os.path.basename(self._root)
        ordered = tuple(_in_order(members))
        limits = {key: head[key] for key in ("max_agents", "max_depth", "spawners") if key in head}
        rules = Limits(**limits, source=self._path) if limits else Limits()
        session = head.get("session") or fit_session_name(name)
        return Team(
            path=self._path,
            root=self._root,
            name=name,
            session=session,
            members=ordered,
            limits=rules,
            agreement=Agreement(**agreed),
            pools=tuple(pools),
            rules=tuple(answering),
            text=self._text,
            **tasks,
        )

    def _check_number(self, members: list[Member]) -> None:
        """Raise ``RefusedError`` if there are too many members."""
        if len(members) > MOST_MEMBERS:
            line = members[MOST_MEMBERS].line
            self._wrong = [(line, f"{len(members)} members; at most {MOST_MEMBERS} are possible")]
            raise self._error()

    @functools.cached_property
    def _briefings(self) -> dict[str, str]:
        return briefing.names(Path(self._root))

    @functools.cached_property
    def _profiles(self) -> dict[str, object]:
        return dict(list_profiles(profiles_dir()))

    def _error(self) -> RefusedError:
        found = sorted(set(self._wrong))
        lines = [f"{self._path}:{line}: {words}" for line, words in found[:SHOWN_MISTAKES]]
        lines += (
            [f"… and {len(found) - SHOWN_MISTAKES} more"] if len(found) > SHOWN_MISTAKES else []
        )
        details = {"mistakes": [{"line": line, "message": words} for line, words in found]}
        hint = "'torch config schema' prints every key."
        return RefusedError("\n".join(lines), hint=hint, code="bad-team", details=details)

    def _say(self, line: int, words: str) -> None:
        self._wrong.append((line, words))

    def _table(self, table: str, index: int, given: Any) -> dict[str, Any]:
        """Return the values of a table that can be read."""
        keys, at = TABLES[table], self._lines.of(table, index) or 1
        if not isinstance(given, dict):
            self._say(at, f"'{table}' must be a table")
            return {}
        found: dict[str, Any] = {}
        for name, value in given.items():
            line = self._lines.of(table, index, name) or at
            if name not in keys:
                self._say(line, f"unknown key '{name}' in {table}{_near(name, keys)}")
                continue
            try:
                found[name] = keys[name].read(value)
            except ValueError as error:
                self._say(line, f"'{name}' {error}")
        for name, key in keys.items():
            if key.required and name not in given:
                self._say(at, f"{table} needs '{name}'")
        return found

    def _members(self, kind: MemberKind) -> list[Member]:
        return [
            self._member(kind, n, self._table(kind, n, one))
            for n, one in enumerate(self._listed(kind))
        ]

    def _listed(self, kind: str) -> list[Any]:
        given = self._document.get(kind, [])
        if kind == "pool" and isinstance(given, dict):
            return [given]  # there is mostly one
        if not isinstance(given, list):
            self._say(self._lines.of(kind, 0) or 1, f"write [[{kind}]], once for each")
            return []
        return given

    def _pool(self, index: int, given: Any, members: list[Member]) -> Pool:
        """Return a pool, and add all its possible agents to ``members``."""
        found = self._table("pool", index, given)
        line = self._lines.of("pool", index) or 1
        most, least = found.get("max", 0), found.get("min", min(1, found.get("max", 0)))
        if least > most and "max" in found:
            at = self._lines.of("pool", index, "min") or line
            self._say(at, f"'min' is {least}, but 'max' only {most}")
        base = found.get("name", found.get("role", ""))
        names = tuple(f"{base}-{n}" for n in range(1, min(most, LARGEST_POOL) + 1))
        if most > LARGEST_POOL:
            at = self._lines.of("pool", index, "max") or line
            self._say(at, f"'max' can be at most {LARGEST_POOL}")
        common = {key: found[key] for key in AGENT if key in found and key != "name"}
        for n, name in enumerate(names):
            branch = {"worktree": name} if found.get("worktrees") else {}
            facts = {**common, **branch, "name": name, "autostart": n < least}
            members.append(self._member(MemberKind.AGENT, index, facts, table="pool"))
        times = {key: found[key] for key in ("wait", "idle") if key in found}
        sizes = {
            name: found[key] * MIB
            for name, key in (("memory", "memory_mib"), ("headroom", "headroom_mib"))
            if key in found
        }
        return Pool(names, least, found.get("skills", ()), **times, **sizes)

    def _rules(self, decision: str) -> list[PermissionRule]:
        """Return the rules in the tables of that name."""
        found = []
        for n, one in enumerate(self._listed(decision)):
            line = self._lines.of(decision, n) or 1

            def wrong(key: str, words: str, n: int = n, line: int = line) -> None:
                at = (self._lines.of(decision, n, key) if key else None) or line
                self._say(at, f"'{key}': {words}" if key else words)

            given = self._table(decision, n, one)
            if isinstance(one, dict) and given.keys() == one.keys():
                found.append(rule_of(decision, line, given, self._root, wrong))
        return found

    def _member(
        self, kind: MemberKind, index: int, found: dict[str, Any], *, table: str = ""
    ) -> Member:
        """Return a member from the keys of ``table`` (default: ``kind``)."""
        table = table or kind
        line = self._lines.of(table, index) or 1
        renamed = {"dir": "directory", "env": "environment", "args": "arguments"}
        facts = {renamed.get(name, name): value for name, value in found.items()}
        given = facts.pop("directory", ".")
        facts["directory"] = os.path.normpath(os.path.join(self._root, os.path.expanduser(given)))
        facts["env_files"] = tuple(
            os.path.normpath(os.path.join(self._root, os.path.expanduser(one)))
            for one in facts.get("env_files", ())
        )
        if kind is MemberKind.AGENT:
            facts.setdefault("briefing", self._briefing_of(facts.get("role", "")))
            model = facts.pop("model", "")
            if model:
                facts["arguments"] = ("--model", model, *facts.get("arguments", ()))
            if facts.get("parent"):
                facts["after"] = tuple(dict.fromkeys([*facts.get("after", ()), facts["parent"]]))
        member = Member(**{"kind": kind, "name": "", "line": line, **facts})
        self._check_alone(member, table, index, found)
        return member

    def _check_worktrees(self, members: list[Member]) -> None:
        """Look for branches whose worktrees would share a directory."""
        taken: dict[str, str] = {}
        for member in members:
            place = worktree_path(self._root, member.worktree) if member.worktree else ""
            other = taken.setdefault(place, member.worktree)
            if place and other != member.worktree:
                words = f"the branches '{other}' and '{member.worktree}' would share {place}"
                self._say(member.line, words)

    def _check_session(self, session: str | None) -> None:
        if session is not None and fit_session_name(session) != session:
            line = self._lines.of("team", 0, "session") or 1
            fits = f"tmux would change it to '{fit_session_name(session)}'"
            self._say(line, f"'session' cannot be '{session}': {fits}")

    def _briefing_of(self, role: str) -> str:
        return role if role in self._briefings else ""

    def _check_alone(
        self, member: Member, table: str, index: int, found: Mapping[str, Any]
    ) -> None:
        def wrong(key: str, words: str) -> None:
            self._say(self._lines.of(table, index, key) or member.line, words)

        if "name" in found:
            try:
                check_name(member.name)
            except RefusedError as error:
                wrong("name", error.message)
        self._check_place(member, found, wrong)
        for path in member.env_files:
            if not os.path.isfile(path):
                wrong("env_files", f"no file {path}")
        if member.kind != MemberKind.AGENT:
            return
        if member.profile not in self._profiles:
            near = _near(member.profile, self._profiles)
            wrong("profile", f"no profile named '{member.profile}'{near}")
        self._check_briefing(member, found, wrong)

    def _check_place(self, member: Member, found: Mapping[str, Any], wrong: Any) -> None:
        if not member.worktree and not os.path.isdir(member.directory):
            wrong("dir", f"no directory {member.directory}")
        if member.worktree and not is_branch(member.worktree):
            wrong("worktree", f"'{member.worktree}' is not a valid branch name")
        if member.worktree and "dir" in found:
            wrong("dir", "give dir or worktree, not both")

    def _check_briefing(self, member: Member, found: Mapping[str, Any], wrong: Any) -> None:
        name, known = member.briefing, self._briefings
        if "/" in name:
            if not os.path.isfile(os.path.join(self._root, name)):
                wrong("briefing", f"no briefing {name}")
            elif not briefing.is_inside(os.path.join(self._root, name), self._root):
                wrong("briefing", f"{name} leads out of the project")
        elif name and name not in known:
            wrong("briefing", f"no briefing named '{name}'{_near(name, known)}")
        near = "" if name or "briefing" in found else _slip(member.role, known)
        if member.role and near:
            words = f"no briefing for the role '{member.role}'{near}"
            wrong("role", f"{words} (if it needs none: briefing = '')")

    def _check_together(self, members: list[Member]) -> None:
        names: dict[str, Member] = {}
        for member in members:
            if member.name and member.name in names:
                first = names[member.name].line
                self._say(member.line, f"the name '{member.name}' is taken in line {first}")
            names.setdefault(member.name, member)
        agents = {member.name for member in members if member.kind == MemberKind.AGENT}
        for member in members:
            if member.parent and member.parent not in agents:
                near = _near(member.parent, agents)
                self._say(member.line, f"no agent named '{member.parent}' to be the parent{near}")
            for name in member.after:
                if name not in names and name != member.parent:
                    self._say(member.line, f"'after' names no member: '{name}'{_near(name, names)}")
        self._check_worktrees(members)
        for cycle in _cycles(members):
            self._say(names[cycle[0]].line, f"these wait for each other: {' → '.join(cycle)}")

    def _check_roles(
        self,
        members: list[Member],
        head: Mapping[str, Any],
        agreed: Mapping[str, Any],
        tasks: Mapping[str, Any],
    ) -> None:
        """Look for names that are nearly those of a role or an agent, and so probably slips.

        Any other name may be the role of an agent that is started later.
        """
        roles = {one.role for one in members if one.role} | {*self._briefings}
        known = roles | {one.name for one in members if one.kind == MemberKind.AGENT}
        edges = agreed.get("may_message", {})
        named = [("agreement", "may_message", one, known) for one in edges]
        meant = known | {"parent", "*"}
        named += [("agreement", "may_message", o, meant) for to in edges.values() for o in to]
        named += [("team", "spawners", one, roles) for one in head.get("spawners", ())]
        named += [("tasks", "roles", one, roles) for one in tasks.get("roles", ())]
        for table, key, name, among in named:
            if name not in among and (near := _slip(name, among)):
                line = self._lines.of(table, 0, key) or 1
                self._say(line, f"'{key}' names '{name}', which is not a role here{near}")


def _near(name: str, known: Any, cutoff: float = 0.6) -> str:
    near = get_close_matches(name, list(known), 1, cutoff)
    return f"; did you mean '{near[0]}'?" if near else ""


def _slip(name: str, known: Any) -> str:
    """Return a hint, as ``_near`` does, if ``name`` is probably a slip of a known name.

    ``dev-2`` is not a slip of ``dev-1``, because it may be started later.
    """
    stem = name.rstrip("0123456789-")
    return _near(name, [one for one in known if one.rstrip("0123456789-") != stem], SLIP)


def _cycles(members: list[Member]) -> list[list[str]]:
    """Return circles of members that wait for each other, ``SHOWN_MISTAKES`` at most."""
    after = {member.name: list(member.after) for member in members}
    found: list[list[str]] = []
    while len(found) < SHOWN_MISTAKES:
        try:
            TopologicalSorter(after).prepare()
        except CycleError as error:
            circle = error.args[1][:0:-1]  # each waits for the next, and the last for the first
            first = min(circle, key=list(after).index)
            turned = circle.index(first)
            circle = [*circle[turned:], *circle[:turned], first]
            found.append(circle)
            after[circle[-2]].remove(first)  # to find the next one
        else:
            break
    return found


def _in_order(members: list[Member]) -> list[Member]:
    """Return the members in an order in which each comes after the members it waits for.

    Otherwise the order is that of the file.
    """
    after = {member.name: member.after for member in members}
    by_name = {member.name: member for member in members}
    return [by_name[name] for name in TopologicalSorter(after).static_order()]
