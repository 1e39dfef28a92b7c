"""Which team files may be acted on with nobody there: those that a person has accepted.

Agents can write to ``torch.toml``, and it names programs to start, with arguments and variables. So
a scheduler acts on a file only while it says what it said when a person last ran ``torch up`` or
``torch trust``. What is in the programs themselves is not looked at: agents write those, too, as
their work.
"""

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
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Accepted
from torch_cli.teamfile.described import Team

LARGEST = 1024 * 1024
"""Bytes of a file of variables at most."""


class Trust(NamedTuple):
    """How a team's file compares with what was accepted: ``same``, ``changed`` or ``new``.

    ``digest`` is the file's as it is now.
    """

    state: str
    digest: str
    accepted: Accepted | None

    @property
    def words(self) -> str:
        """What is so with a file that is not the same."""
        if self.accepted is None:
            return "no person has accepted it yet"
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.accepted.at))
        return f"it has changed since it was accepted ({at})"


def digest_of(team: Team) -> str:
    """Return a digest of all that a scheduler would do by the file, and by its ``env_files``.

    Comments, and how the file is laid out, are not in it. Raises ``RefusedError`` if a file of
    variables cannot be read, or has more than ``LARGEST`` bytes.
    """
    facts = {"file": tomllib.loads(team.text), "variables": {}}
    for path in sorted({path for member in team.members for path in member.env_files}):
        try:
            content = read_regular(path, LARGEST)
        except OSError as error:
            raise RefusedError(f"{path} cannot be read: {error.strerror}") from error
        facts["variables"][path] = hashlib.sha256(content).hexdigest()
    text = json.dumps(facts, sort_keys=True, default=str)  # TOML has dates
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def scripts_of(team: Team) -> list[tuple[str, str]]:
    """Return the files of the project that commands and arguments name, each with whose they are.

    A path is relative to the project. Agents change such files as their work, so they are no part
    of what is accepted; who accepts is told of them.
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
    """Say whether the team's file is as it was accepted."""
    accepted, digest = store.teams.accepted(team.path), digest_of(team)
    if accepted is None:
        return Trust("new", digest, None)
    return Trust("same" if accepted.digest == digest else "changed", digest, accepted)


def accept(store: Store, team: Team) -> Trust:
    """Note that a person has accepted the file as it is; return how it compared before."""
    before = trust_of(store, team)
    if before.state != "same":
        store.teams.accept(team.path, Accepted(before.digest, team.text, time.time()))
        store.events.add("trust", team.path, {"before": before.state})
    return before


def admit(store: Store, team: Team, *, as_accepted: bool) -> str:
    """Let ``torch up`` act on the file, or raise ``RefusedError``; return what is to be said of it.

    A person accepts the file by that. A scheduler, which acts ``as_accepted``, does not, and an
    agent does not either: it brings up a file that nobody has accepted for itself, and none that
    has changed since.
    """
    own = actor(store).agent
    if own is None and not as_accepted:
        before = accept(store, team)
        return f"{before.words}: now it is accepted" if before.state == "changed" else ""
    trust = trust_of(store, team)
    if trust.state == "same":
        return ""
    if as_accepted or trust.state == "changed":
        raise untrusted(team, trust, own)
    return f"{trust.words}: no scheduler acts on it until a person runs 'torch trust'"


def check_person(store: Store) -> None:
    """Raise ``RefusedError`` if an agent runs this command: a file is for people to accept."""
    own = actor(store).agent
    if own is not None:
        raise RefusedError(
            f"'{own.name}' is an agent, and only people accept a file; nothing was accepted",
            hint="Ask a person to look at it, and to run 'torch trust'.",
            code="not-yours",
        )


def untrusted(team: Team, trust: Trust, own: Agent | None = None) -> RefusedError:
    """Return what is said when ``own``, or a scheduler, would act on a file that is not as it was
    accepted.
    """
    who = "Ask a person: " if own else ""
    return RefusedError(
        f"{team.path}: {trust.words}; nothing was started",
        hint=f"{who}'torch trust --dir {team.root}' shows what is new and accepts it; so does "
        "'torch up'.",
        code="untrusted",
    )


def changes(team: Team, trust: Trust) -> str:
    """Return the difference between the file as it was accepted and as it is, '' if none."""
    before = trust.accepted.text if trust.accepted else ""
    lines = unified_diff(
        before.splitlines(), team.text.splitlines(), "accepted", team.path, lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)
