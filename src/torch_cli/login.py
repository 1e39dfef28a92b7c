"""What systemd says of a process: its group, its user, and what logind does at a logout.

systemd keeps every process in a group of its own tree, and what ends at a logout depends on the
branch (systemd-logind(8), logind.conf(5)). Without systemd there is nothing to say.
"""

import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LOGIND_SECONDS = 2.0
"""Seconds that logind may take to answer. It answers within milliseconds."""

USER_SLICE = re.compile(r"^/user\.slice/user-(\d+)\.slice/(.*)$")
SESSION_SCOPE = re.compile(r"(session-\w+\.scope)(?:/|$)")


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


class LoginFacts(NamedTuple):
    """What was read: a process's group, its user, whether that user lingers, and the rules."""

    group: str
    user: str
    lingers: bool
    rules: LoginRules


def read_facts(pid: int, root: Path, rules: Callable[[], LoginRules]) -> LoginFacts | None:
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
    found = USER_SLICE.match(group)
    user = _name_of(int(found[1]) if found else owner)
    lingers = (root / "var/lib/systemd/linger" / user).exists()
    in_session = found is not None and SESSION_SCOPE.match(found[2]) is not None
    return LoginFacts(group, user, lingers, rules() if in_session else LoginRules())


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


def rules_of_logind() -> LoginRules:
    """Ask logind what it does with the processes of a login that ends."""
    import subprocess  # what only reads a group does not pay for it

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
