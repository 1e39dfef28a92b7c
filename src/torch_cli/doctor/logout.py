"""What the doctor finds about a logout: whether the tmux server lives on, and agents with it.

systemd keeps every process in a group of its own tree, and what ends at a logout depends on the
branch (systemd-logind(8), logind.conf(5)). Without systemd there is nothing to say.
"""

import contextlib
import os
import pwd
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from torch_cli.doctor.finding import Finding, Level
from torch_cli.errors import TorchError
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket

LOGOUT = "logout"

LOGIND_SECONDS = 2.0
"""Seconds that logind may take to answer. It answers within milliseconds."""

IN_SCOPE = "systemd-run --user --scope tmux new-session -d"
"""Starts a tmux server that belongs to the user, and not to one login."""

_USER_SLICE = re.compile(r"^/user\.slice/user-(\d+)\.slice/(.*)$")
_SESSION_SCOPE = re.compile(r"(session-\w+\.scope)(?:/|$)")
_SERVICE = re.compile(r"/([^/]+\.service)(?:/|$)")


class LoginRules(NamedTuple):
    """What logind does with the processes of a login that ends; ``None`` where it does not say."""

    kills: bool | None = None
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def kill_those_of(self, user: str) -> bool | None:
        """Return whether the processes of ``user`` are killed."""
        if user in self.excluded or (self.only and user not in self.only):
            return False
        return self.kills


class LogoutFacts(NamedTuple):
    """What was read: the tmux server's group, its user, whether that user lingers, and the rules.

    ``runs`` is false if there is no server yet, and ``group`` is that of a server started here.
    """

    group: str
    user: str
    lingers: bool
    rules: LoginRules
    runs: bool = True


def logout(socket: Socket, *, has_server: bool, root: Path = Path("/")) -> Iterator[Finding]:
    """Yield what a logout does to the tmux server, nothing if that cannot be known.

    ``root`` is where the files of the system are.
    """
    pid = os.getpid()
    if has_server:
        with contextlib.suppress(TorchError, IndexError):
            pid = list_panes(socket)[0].server_pid
    facts = read_facts(pid, root, rules_of_logind)
    finding = judge(facts._replace(runs=has_server)) if facts is not None else None
    if finding is not None:
        yield finding


def read_facts(pid: int, root: Path, rules: Callable[[], LoginRules]) -> LogoutFacts | None:
    """Return what systemd has of the process ``pid``; ``None`` if systemd does not run here.

    ``rules`` asks logind, and is called only if that decides.
    """
    if not (root / "run/systemd/system").is_dir():
        return None
    try:
        text = (root / f"proc/{pid}/cgroup").read_text("utf-8", "surrogateescape")
        owner = (root / f"proc/{pid}").stat().st_uid
    except OSError:
        return None
    group = group_in(text)
    found = _USER_SLICE.match(group)
    user = _name_of(int(found[1]) if found else owner)
    lingers = (root / "var/lib/systemd/linger" / user).exists()
    in_session = found is not None and _SESSION_SCOPE.match(found[2]) is not None
    return LogoutFacts(group, user, lingers, rules() if in_session else LoginRules())


def group_in(text: str) -> str:
    """Return the group of a process in systemd's tree, of its ``/proc/PID/cgroup``; '' if none.

    That is the only line of cgroup v2 (``0::``), or the line ``name=systemd`` where both are.
    """
    named = ""
    for line in text.splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers == "name=systemd":
            return group
        named = group if controllers == "" else named
    return named


def judge(facts: LogoutFacts) -> Finding | None:
    """Return what becomes of a tmux server at a logout, ``None`` if its group says nothing."""
    server = "the tmux server" if facts.runs else "a tmux server that is started here"
    of_user = _USER_SLICE.match(facts.group)
    if of_user is None:
        service = _SERVICE.search(facts.group)
        if service is None:
            return None
        words = f"{server} belongs to the system service {service[1]}: it outlives a logout, and "
        return Finding(LOGOUT, Level.OK, f"{words}ends if that service kills its processes")
    session = _SESSION_SCOPE.match(of_user[2])
    if session is not None:
        return _in_session(facts, server, session[1])
    if of_user[2].startswith(f"user@{of_user[1]}.service/"):
        return _of_user(facts, server)
    return None


def _in_session(facts: LogoutFacts, server: str, scope: str) -> Finding:
    """Return what becomes of a server that belongs to one login."""
    kills = facts.rules.kill_those_of(facts.user)
    words = f"{server} belongs to this login ({scope})"
    if kills is False:
        return Finding(LOGOUT, Level.OK, f"{words}, and logind lets it live on after a logout")
    linger = "" if facts.lingers else f"loginctl enable-linger {facts.user}, then "
    advice = f"Start tmux as the user's: {linger}{IN_SCOPE}"
    if facts.runs:
        advice += ". The server that runs cannot be moved: end it first."
    if kills is None:
        words += ": a logout ends it, with all agents, if logind has KillUserProcesses=yes, which "
        return Finding(LOGOUT, Level.NOTE, f"{words}could not be asked", advice)
    words += ": a logout ends it, with all agents (logind has KillUserProcesses=yes)"
    return Finding(LOGOUT, Level.WARNING, words, advice)


def _of_user(facts: LogoutFacts, server: str) -> Finding:
    """Return what becomes of a server that belongs to the user's own systemd."""
    words = f"{server} belongs to the systemd of user {facts.user}"
    if facts.lingers:
        return Finding(LOGOUT, Level.OK, f"{words}, who lingers: it outlives a logout")
    words += ", which ends after the last logout, with all agents: the user does not linger"
    return Finding(LOGOUT, Level.WARNING, words, f"loginctl enable-linger {facts.user}")


def rules_of_logind() -> LoginRules:
    """Ask logind what it does with the processes of a login that ends."""
    try:
        done = subprocess.run(
            ["loginctl", "show-session", "--no-pager"],  # without a session: logind's own
            capture_output=True,
            text=True,
            timeout=LOGIND_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return LoginRules()
    return rules_in(done.stdout) if done.returncode == 0 else LoginRules()


def rules_in(text: str) -> LoginRules:
    """Return the rules in what ``loginctl show-session`` prints of logind itself."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    kills = {"yes": True, "no": False}.get(said.get("KillUserProcesses", ""))
    lists = [said.get(name, "").split() for name in ("KillOnlyUsers", "KillExcludeUsers")]
    return LoginRules(kills, tuple(lists[0]), tuple(lists[1]))


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
