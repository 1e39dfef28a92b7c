"""Which team files a scheduler may act on: only those that a person has accepted.

Agents can write to ``torch.toml``, and it names programs to start, with arguments and variables. So
a scheduler acts on a file only as long as it has not changed since a person last ran ``torch up``
or ``torch trust``. The content of the programs is not checked, because agents write that too, as
their work.
"""

import enum
import hashlib
import json
import os
import time
import tomllib
from difflib import unified_diff
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.regular import read_regular
from torch_cli.roster.actor import actor
from torch_cli.rules.match import denies
from torch_cli.rules.rule import packed
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Accepted
from torch_cli.teamfile.described import Team

LARGEST_VARIABLES_BYTES = 1024 * 1024
"""The most bytes of a file of variables."""


class TrustState(enum.StrEnum):
    """How a team's file compares with the accepted one."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"


class Trust(NamedTuple):
    """How a team's file compares with the accepted one; ``digest`` is that of the present file."""

    state: TrustState
    digest: str
    accepted: Accepted | None

    @property
    def words(self) -> str:
        """A sentence about a file that is not the same."""
        if self.accepted is None:
            return "no person has accepted it yet"
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.accepted.at))
        return f"it has changed since it was accepted ({at})"


def digest_of(team: Team) -> str:
    """Return a digest of everything in the file and its ``env_files`` that a scheduler acts on.

    Comments and layout do not count. Raises ``RefusedError`` if a file of variables cannot be read,
    or has more than ``LARGEST_VARIABLES_BYTES``.
    """
    facts = {"file": tomllib.loads(team.text), "variables": {}}
    for path in sorted({path for member in team.members for path in member.env_files}):
        try:
            content = read_regular(path, LARGEST_VARIABLES_BYTES)
        except OSError as error:
            raise RefusedError(f"{path} cannot be read: {error.strerror}") from error
        facts["variables"][path] = hashlib.sha256(content).hexdigest()
    text = json.dumps(facts, sort_keys=True, default=str)  # TOML has dates
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def scripts_of(team: Team) -> list[tuple[str, str]]:
    """Return the files of the project that commands and arguments name, each with its member.

    A path is relative to the project. Agents change such files as their work, so they are not part
    of what a person accepts. The person is told of them.
    """
    found = []
    root = os.path.realpath(team.root)
    for member in team.members:
        for word in (*member.command, *member.arguments):
            path = os.path.realpath(os.path.join(member.directory, word))
            inside = os.path.relpath(path, root)
            if word and not inside.startswith("..") and os.path.isfile(path):
                found.append((member.name, inside))
    return found


def trust_of(store: Store, team: Team) -> Trust:
    """Compare the team's file with the accepted one."""
    accepted, digest = store.teams.accepted(team.path), digest_of(team)
    if accepted is None:
        return Trust(TrustState.NEW, digest, None)
    return Trust(
        TrustState.SAME if accepted.digest == digest else TrustState.CHANGED, digest, accepted
    )


def accept(store: Store, team: Team) -> Trust:
    """Record that a person has accepted the present file; return how it compared before.

    Raises ``RefusedError`` if an agent runs this process. Only people accept a file.
    """
    _check_person(store)
    before = trust_of(store, team)
    if before.state is not TrustState.SAME:
        accepted = Accepted(before.digest, team.text, time.time(), packed(team.rules))
        store.teams.accept(team.path, accepted)
        store.events.add("trust", team.path, {"before": before.state})
    return before


def admit(store: Store, team: Team, *, as_accepted: bool) -> str:
    """Let ``torch up`` act on the file, or raise ``RefusedError``; return a remark about it.

    If a person runs it, that accepts the file. A scheduler, which acts ``as_accepted``, and an
    agent do not accept it. An agent may bring up a file that nobody has accepted yet, but not one
    that has changed since it was accepted.
    """
    own = actor(store).agent
    if own is None and not as_accepted:
        before = accept(store, team)
        said = f"{before.words}: now it is accepted" if before.state is TrustState.CHANGED else ""
        if team.rules and before.state is not TrustState.SAME:
            allow = sum(not denies(rule) for rule in team.rules)
            answer = "its rules answer what the team's programs ask permission for"
            counts = f"{allow} allow, {len(team.rules) - allow} deny"
            said = "; ".join(filter(None, [said, f"{answer} ({counts})"]))
        return said
    trust = trust_of(store, team)
    if trust.state is TrustState.SAME:
        return ""
    if as_accepted or trust.state is TrustState.CHANGED:
        raise untrusted(team, trust, own)
    return f"{trust.words}: no scheduler acts on it until a person runs 'torch trust'"


def _check_person(store: Store) -> None:
    own = actor(store).agent
    if own is not None:
        raise RefusedError(
            f"'{own.name}' is an agent, and only people accept a file; nothing was accepted",
            hint="Ask a person to look at it, and to run 'torch trust'.",
            code="not-yours",
        )


def untrusted(team: Team, trust: Trust, own: Agent | None = None) -> RefusedError:
    """Return the error for ``own``, or a scheduler, that would act on a file not accepted."""
    who = "Ask a person: " if own else ""
    return RefusedError(
        f"{team.path}: {trust.words}; nothing was started",
        hint=f"{who}'torch trust --dir {team.root}' shows what is new and accepts it; so does "
        "'torch up'.",
        code="untrusted",
    )


def changes(team: Team, trust: Trust) -> str:
    """Return the difference between the accepted file and the present one, '' if none."""
    before = trust.accepted.text if trust.accepted else ""
    lines = unified_diff(
        before.splitlines(), team.text.splitlines(), "accepted", team.path, lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)
