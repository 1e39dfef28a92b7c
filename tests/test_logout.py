"""``torch doctor`` on a logout: which tmux servers outlive it, by what systemd says of them."""

import os
from pathlib import Path

import pytest

from conftest import TmuxServer, Torch
from torch_cli.doctor.finding import Level
from torch_cli.doctor.logout import judge, logout
from torch_cli.login import (
    LoginFacts,
    LoginRules,
    group_in,
    read_facts,
    rules_in,
    rules_of_logind,
)

SSH = "/user.slice/user-1000.slice/session-3.scope"
SCOPE = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r8d1f.scope"
DESKTOP = (
    "/user.slice/user-1000.slice/user@1000.service/app.slice/"
    "app-org.gnome.Terminal.slice/vte-spawn-2f9c.scope"
)
HYBRID = """\
9:name=systemd:/user.slice/user-1000.slice/session-3.scope
8:pids:/user.slice/user-1000.slice/session-3.scope
4:memory:/user.slice/user-1000.slice/session-3.scope
0::/user.slice/user-1000.slice/session-3.scope
"""
"""Of a machine that has both kinds of groups (Debian 10)."""

LOGIND = """\
EnableWallMessages=no
NAutoVTs=6
KillUserProcesses=yes
KillOnlyUsers=
KillExcludeUsers=root backup
RebootParameter=
"""
"""What ``loginctl show-session`` prints without a session, cut (systemd 252)."""

KILLS, LEAVES, SILENT = LoginRules(kills=True), LoginRules(kills=False), LoginRules()


@pytest.mark.parametrize(
    ("group", "lingers", "rules", "level", "words"),
    [
        (SSH, False, KILLS, Level.WARNING, "a logout ends it, with all agents"),
        (SSH, True, KILLS, Level.WARNING, "session-3.scope"),
        (SSH, False, LEAVES, Level.OK, "logind lets it live on"),
        (SSH, False, SILENT, Level.NOTE, "could not be asked"),
        (SSH, False, KILLS._replace(excluded=("me",)), Level.OK, "lets it live on"),
        (SSH, False, KILLS._replace(only=("you",)), Level.OK, "lets it live on"),
        (SCOPE, False, SILENT, Level.WARNING, "does not linger"),
        (SCOPE, True, SILENT, Level.OK, "outlives a logout"),
        (DESKTOP, False, SILENT, Level.WARNING, "does not linger"),
        ("/system.slice/cron.service", False, SILENT, Level.OK, "cron.service"),
    ],
)
def test_the_group_decides(
    group: str, lingers: bool, rules: LoginRules, level: Level, words: str
) -> None:
    found = judge(LoginFacts(group, "me", lingers, rules))
    assert found is not None
    assert (found.level, words in found.message) == (level, True), found


@pytest.mark.parametrize("group", ["", "/", "/init.scope", "/docker/0a1b", "/../..", "/lxc/dev"])
def test_elsewhere_nothing_is_said(group: str) -> None:
    assert judge(LoginFacts(group, "me", False, KILLS)) is None


def test_the_advice_is_the_one_command() -> None:
    killed = judge(LoginFacts(SSH, "me", False, KILLS))
    assert killed is not None
    assert "loginctl enable-linger me, then systemd-run --user --scope tmux" in killed.advice
    lingering = judge(LoginFacts(SSH, "me", True, KILLS))
    assert lingering is not None
    assert "enable-linger" not in lingering.advice
    ends = judge(LoginFacts(SCOPE, "me", False, SILENT))
    assert ends is not None
    assert ends.advice == "loginctl enable-linger me"
    to_come = judge(LoginFacts(SSH, "me", False, KILLS), runs=False)
    assert to_come is not None
    assert "a tmux server that is started here" in to_come.message
    assert "end it first" not in to_come.advice


def test_the_group_of_a_process_is_systemds() -> None:
    assert group_in("0::" + SCOPE + "\n") == SCOPE
    assert group_in(HYBRID) == SSH
    assert group_in("9:name=systemd:/\n0::/other\n") == "/"
    assert group_in("0::/a:b.slice\n") == "/a:b.slice"
    assert group_in("") == group_in("nonsense\n") == ""


def test_the_rules_are_logind_s() -> None:
    assert rules_in(LOGIND) == LoginRules(True, (), ("root", "backup"))
    assert rules_in("") == LoginRules()
    assert rules_in(LOGIND).kill_those_of("root") is False
    assert rules_in(LOGIND).kill_those_of("me") is True


def machine(root: Path, pid: int, cgroup: str) -> None:
    """Make the files of a machine with systemd in which ``pid`` is in that group."""
    (root / "run/systemd/system").mkdir(parents=True)
    (root / f"proc/{pid}").mkdir(parents=True)
    (root / f"proc/{pid}/cgroup").write_text(cgroup)
    (root / "var/lib/systemd/linger").mkdir(parents=True)


def test_the_facts_are_read_from_the_system(tmp_path: Path) -> None:
    asked: list[bool] = []

    def rules() -> LoginRules:
        asked.append(True)
        return KILLS

    assert read_facts(7, tmp_path, rules) is None, "no systemd"
    machine(tmp_path, 7, HYBRID)
    assert read_facts(8, tmp_path, rules) is None, "no such process"
    facts = read_facts(7, tmp_path, rules)
    assert facts is not None
    assert (facts.group, facts.lingers, facts.rules, asked) == (SSH, False, KILLS, [True])
    (tmp_path / "var/lib/systemd/linger" / facts.user).touch()
    facts = read_facts(7, tmp_path, rules)
    assert facts is not None
    assert facts.lingers
    (tmp_path / "proc/7/cgroup").write_text(f"0::{SCOPE}\n")
    asked.clear()
    facts = read_facts(7, tmp_path, rules)
    assert facts is not None
    found = judge(facts)
    assert found is not None
    assert found.level is Level.OK
    assert not asked, "logind's rules are for the processes of a login"


def test_the_server_is_looked_at_and_not_the_caller(tmux: TmuxServer, tmp_path: Path) -> None:
    server = tmux.new_session().server_pid
    machine(tmp_path, server, f"0::{SCOPE}\n")
    (found,) = logout(tmux.socket, has_server=True, root=tmp_path)
    assert (found.level, "the tmux server belongs" in found.message) == (Level.WARNING, True)
    assert not list(logout(tmux.socket, has_server=False, root=tmp_path))


def test_on_this_machine(tmux: TmuxServer, torch: Torch) -> None:
    """The real files; a machine without systemd has no such finding."""
    pane = tmux.new_session()
    has_systemd = Path("/run/systemd/system").is_dir()
    facts = read_facts(pane.server_pid, Path("/"), rules_of_logind)
    assert (facts is not None) == has_systemd
    own = Path(f"/proc/{os.getpid()}/cgroup")
    if own.exists():
        assert group_in(own.read_text()).startswith("/")
    said = torch("doctor", "--json")
    assert said.code == 0
    found = [one for one in said.json["findings"] if one["subject"] == "logout"]
    expected = judge(facts) if facts is not None else None
    assert [one["message"] for one in found] == ([expected.message] if expected else [])
