"""What the doctor finds about a logout: whether the tmux server lives on, and agents with it."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from torch_cli.doctor.finding import Finding, Level
from torch_cli.errors import TorchError
from torch_cli.login import SESSION_SCOPE, USER_SLICE, LoginFacts, read_facts, rules_of_logind
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.user_scope import needs_scope, scope_use

LOGOUT = "logout"

IN_SCOPE = "systemd-run --user --scope tmux new-session -d"
"""Starts a tmux server that belongs to the user, and not to one login."""

_SERVICE = re.compile(r"/([^/]+\.service)(?:/|$)")


def logout(socket: Socket, *, has_server: bool, root: Path = Path("/")) -> Iterator[Finding]:
    """Yield what a logout does to the tmux server, nothing if that cannot be known.

    ``root`` is where the files of the system are.
    """
    pid = os.getpid()
    if has_server:
        with contextlib.suppress(TorchError, IndexError):
            pid = list_panes(socket)[0].server_pid
    facts = read_facts(pid, root, rules_of_logind)
    if facts is None:
        return
    try:
        moves = not has_server and needs_scope(facts, scope_use())
    except TorchError as error:
        yield Finding(LOGOUT, Level.WARNING, error.message, error.hint)
        return
    finding = judge(facts, runs=has_server, moves=moves)
    if finding is not None:
        yield finding


def judge(facts: LoginFacts, *, runs: bool = True, moves: bool = False) -> Finding | None:
    """Return what becomes of a tmux server at a logout, ``None`` if its group says nothing.

    If none ``runs``, it is about one that is started here; ``moves``: Torch starts that one in a
    scope of its own.
    """
    server = "the tmux server" if runs else "a tmux server that is started here"
    of_user = USER_SLICE.match(facts.group)
    if of_user is None:
        service = _SERVICE.search(facts.group)
        if service is None:
            return None
        words = f"{server} belongs to the system service {service[1]}: it outlives a logout, and "
        return Finding(LOGOUT, Level.OK, f"{words}ends if that service kills its processes")
    if moves:
        return _moved(facts)
    session = SESSION_SCOPE.match(of_user[2])
    if session is not None:
        return _in_session(facts, server, session[1], runs=runs)
    if of_user[2].startswith(f"user@{of_user[1]}.service/"):
        return _of_user(facts, server)
    return None


def _moved(facts: LoginFacts) -> Finding:
    """Return what becomes of a server that Torch starts in a scope of the user's own systemd."""
    words = "a tmux server that Torch starts here gets a scope of your own systemd"
    if facts.lingers:
        return Finding(LOGOUT, Level.OK, f"{words}, and you linger: it outlives a logout")
    words += ", which ends after the last logout, with all agents: you do not linger"
    return Finding(LOGOUT, Level.WARNING, words, f"loginctl enable-linger {facts.user}")


def _in_session(facts: LoginFacts, server: str, scope: str, *, runs: bool) -> Finding:
    """Return what becomes of a server that belongs to one login."""
    kills = facts.rules.kill_those_of(facts.user)
    words = f"{server} belongs to this login ({scope})"
    if kills is False:
        return Finding(LOGOUT, Level.OK, f"{words}, and logind lets it live on after a logout")
    linger = "" if facts.lingers else f"loginctl enable-linger {facts.user}, then "
    advice = f"Start tmux as the user's: {linger}{IN_SCOPE}"
    if runs:
        advice += ". The server that runs cannot be moved: end it first."
    if kills is None:
        words += ": a logout ends it, with all agents, if logind has KillUserProcesses=yes, which "
        return Finding(LOGOUT, Level.NOTE, f"{words}could not be asked", advice)
    words += ": a logout ends it, with all agents (logind has KillUserProcesses=yes)"
    return Finding(LOGOUT, Level.WARNING, words, advice)


def _of_user(facts: LoginFacts, server: str) -> Finding:
    """Return what becomes of a server that belongs to the user's own systemd."""
    words = f"{server} belongs to the systemd of user {facts.user}"
    if facts.lingers:
        return Finding(LOGOUT, Level.OK, f"{words}, who lingers: it outlives a logout")
    words += ", which ends after the last logout, with all agents: the user does not linger"
    return Finding(LOGOUT, Level.WARNING, words, f"loginctl enable-linger {facts.user}")
