"""Which tmux servers Torch starts in a scope of the user's own systemd, and how."""

import os
from pathlib import Path

import pytest

from agent import spawn_demo
from conftest import TmuxServer, Torch
from test_logout import DESKTOP, KILLS, LEAVES, SCOPE, SILENT, SSH, machine
from torch_cli.errors import RefusedError
from torch_cli.login import LoginFacts, LoginRules
from torch_cli.tmux.process import run
from torch_cli.user_scope import SCOPE_WORDS, needs_scope, scope_use, scope_words

TIMER = "/user.slice/user-1000.slice/user@1000.service/app.slice/tick.service"
INSIDE = f"{TIMER}/nested.scope"


@pytest.mark.parametrize(
    ("group", "lingers", "rules", "needs"),
    [
        (SSH, True, KILLS, True),
        (SSH, False, KILLS, False),
        (SSH, True, LEAVES, False),
        (SSH, True, SILENT, False),
        (TIMER, True, SILENT, True),
        (TIMER, False, SILENT, True),
        (INSIDE, True, SILENT, False),
        (SCOPE, True, SILENT, False),
        (DESKTOP, True, SILENT, False),
        ("/user.slice/user-1000.slice/user@1000.service", True, SILENT, False),
        ("/system.slice/cron.service", True, SILENT, False),
        ("/", True, SILENT, False),
    ],
)
def test_what_would_end_too_early_needs_one(
    group: str, lingers: bool, rules: LoginRules, needs: bool
) -> None:
    facts = LoginFacts(group, "me", lingers, rules)
    assert needs_scope(facts, "auto") is needs
    assert needs_scope(facts, "always")
    assert not needs_scope(facts, "never")
    assert not needs_scope(None, "always"), "no systemd"


def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, script: str) -> Path:
    """Make a root in which this process is in that group, and a ``systemd-run`` on the PATH."""
    root, programs = tmp_path / "root", tmp_path / "bin"
    machine(root, os.getpid(), f"0::{group}\n")
    programs.mkdir()
    (programs / "systemd-run").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return root


def test_it_is_tried_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    root = own_machine(tmp_path, monkeypatch, TIMER, f'echo "$@" >>{log}')
    assert scope_words(root) == SCOPE_WORDS
    assert log.read_text() == "--user --scope --quiet --collect -- true\n"
    (tmp_path / "bin/systemd-run").write_text("#!/bin/sh\nexit 1\n")
    assert scope_words(root) == (), "there is no systemd of the user's"
    (tmp_path / "bin/systemd-run").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert scope_words(root) == (), "there is no such program"
    assert scope_words(tmp_path / "nothing") == (), "there is no systemd"


def test_the_setting_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scope_use() == "auto"
    root = own_machine(tmp_path, monkeypatch, TIMER, "exit 0")
    config = tmp_path / "torch/config/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('[tmux]\nscope = "never"\n')
    assert scope_words(root) == ()
    config.write_text('[tmux]\nscope = "ever"\n')
    with pytest.raises(RefusedError, match=r"'tmux.scope' must be one of auto, always, never"):
        scope_words(root)
    config.write_text('[tmux]\nscpoe = "never"\n')
    with pytest.raises(RefusedError, match=r"unknown setting 'tmux.scpoe'") as refused:
        scope_words(root)
    assert refused.value.hint == "Did you mean 'scope'?"


def test_a_server_runs_in_what_is_before_it(tmux: TmuxServer) -> None:
    before = ("/usr/bin/env", "MARK=here")
    done = run(tmux.socket, "start-server", ";", "new-session", "-d", "-s", "one", before=before)
    assert done.status == 0
    assert tmux.cmd("show-environment", "-g", "MARK") == "MARK=here"


def test_a_service_s_own_variables_do_not_reach_the_server(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.setenv("KEPT", "yes")
    spawn_demo(tmux, torch, tmp_path / "project", name="dev")
    known = tmux.cmd("show-environment", "-g")
    assert "KEPT=yes" in known
    assert "NOTIFY_SOCKET" not in known
    assert "WATCHDOG_USEC" not in known
