"""A scope of the user's own systemd, for what must outlive the login or service that starts it.

systemd ends all processes of a login that ends if logind has ``KillUserProcesses=yes``, and by
default all of a service that ends (``KillMode=control-group``, systemd.kill(5)): a tmux server that
a login or a timer's service has started is killed with it. ``systemd-run --scope`` starts the same
program, from the same process and with its variables, in a group of its own.
"""

import os
from pathlib import Path

from torch_cli.login import SESSION_SCOPE, USER_SLICE, LoginFacts, read_facts, rules_of_logind
from torch_cli.settings import read_table, unknown, wrong

SCOPE_USES = ("auto", "always", "never")
"""The values of ``scope`` in the table ``[tmux]`` of ``config.toml``. The first is the default."""

SCOPE_WORDS = ("systemd-run", "--user", "--scope", "--quiet", "--collect")
"""Starts a program in a scope of its own, which is forgotten when its last process has ended."""

PROBE_SECONDS = 5.0
"""Seconds that the user's systemd may take to make a scope. It took 20 ms (systemd 252)."""


def scope_use() -> str:
    """Return the user's setting; raises ``RefusedError`` for one that is wrong."""
    table = read_table("tmux")
    for name in table:
        if name != "scope":
            raise unknown("tmux", name, ("scope",))
    use = table.get("scope", SCOPE_USES[0])
    if use not in SCOPE_USES:
        raise wrong(f"'tmux.scope' must be one of {', '.join(SCOPE_USES)}")
    return str(use)


def needs_scope(facts: LoginFacts | None, use: str) -> bool:
    """Return whether what a process with these ``facts`` starts belongs in a scope of its own.

    A scope of the user's ends with the last login of a user who does not linger. So it is no help
    for what logind lets live on, nor for a user who does not linger.
    """
    if facts is None or use == "never":
        return False
    if use == "always":
        return True
    found = USER_SLICE.match(facts.group)
    if found is None:
        return False
    if SESSION_SCOPE.match(found[2]):
        return facts.lingers and facts.rules.kill_those_of(facts.user) is True
    within = found[2].removeprefix(f"user@{found[1]}.service").split("/")
    units = [name for name in within if name.endswith((".service", ".scope"))]
    return bool(units) and units[-1].endswith(".service")


def scope_words(root: Path = Path("/")) -> tuple[str, ...]:
    """Return the words before a program that this process starts in a scope of its own.

    None if it needs no scope, or its user's systemd makes none. ``root`` is where the files of the
    system are. Raises ``RefusedError`` for a setting that is wrong.
    """
    if not (root / "run/systemd/system").is_dir():
        return ()
    if needs_scope(read_facts(os.getpid(), root, rules_of_logind), scope_use()) and _is_made():
        return SCOPE_WORDS
    return ()


def _is_made() -> bool:
    """Return whether a scope can be made, of a program that does nothing."""
    import subprocess

    try:
        done = subprocess.run(
            [*SCOPE_WORDS, "--", "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
