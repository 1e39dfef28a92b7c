"""``torch completion``: the script of each shell, and live names behind it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import TmuxServer, Torch
from test_profiles import STOCK
from torch_cli.store import Store
from torch_cli.store.agents import Agent


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the PATH with ``torch`` in it, as an installation has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    source = Path(Torch.__init__.__globals__["SOURCE"])
    (folder / "torch").write_text(
        f"#!/bin/sh\nPYTHONPATH='{source}' exec '{sys.executable}' -m torch_cli \"$@\"\n"
    )
    (folder / "torch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def register(name: str, *, stopped: float | None = None) -> None:
    with Store() as store:
        store.agents.add(
            Agent(
                name=name,
                profile="demo",
                origin="spawned",
                socket="/nowhere",
                server="1",
                pane="%1",
                pane_pid=1,
                session="s",
                window="w",
                directory="/",
                program_pid=1,
                program_started="1",
                stopped=stopped,
            )
        )


def complete(*words: str) -> list[str]:
    """Return what bash offers for the last of ``words``, by the script that torch prints."""
    line = "torch " + " ".join(words)
    script = (
        'eval "$(torch completion bash)"\n'
        f"COMP_WORDS=({line}{' ' if words[-1] else chr(39) * 2})\n"
        f"COMP_CWORD={len(words)}\n"
        "_torch_completion torch\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    # compopt and "complete" need no terminal, but bash with programmable completion.
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_offers_commands_and_options(path: Path) -> None:
    assert complete("sen") == ["send"]
    assert {"send", "spawn", "doctor", "completion"} <= set(complete(""))
    assert "--timeout" in complete("send", "--ti")
    assert complete("profile", "c") == ["check"]
    assert complete("notify", "") == ["test"]
    assert complete("help", "sen") == ["send"]
    assert complete("help", "checkpoint", "rest") == ["restore"]
    assert complete("help", "send", "") == []
    assert complete("wait", "dev", "--fo") == ["--for"]


def test_bash_offers_the_agents_that_live(path: Path) -> None:
    register("dev-1")
    register("dev-2")
    register("dev-old", stopped=1.0)
    register("qa")
    assert complete("send", "de") == ["dev-1", "dev-2"]
    assert complete("stop", "") == ["dev-1", "dev-2", "qa"]
    for command in ("why", "seen", "mute"):
        assert complete(command, "q") == ["qa"]


def test_bash_offers_sessions_and_windows_as_targets(path: Path, tmux: TmuxServer) -> None:
    tmux.new_session("work", window="editor")
    tmux.new_window("work", "twice")
    tmux.new_window("work", "twice")
    tmux.new_window("work", "two words; echo $(id)")
    register("dev")
    assert complete("capture", "-L", "t", "") == ["dev", "editor", "work"]
    assert complete("capture", "-L", "t", "w") == ["work"]
    assert complete("capture", "w") == []


def test_bash_offers_where_an_agent_can_be_moved(path: Path, tmux: TmuxServer) -> None:
    tmux.new_session("work", window="editor")
    register("dev")
    assert complete("move", "-L", "t", "") == ["dev"]
    assert complete("move", "-L", "t", "dev", "--session", "") == ["work"]
    assert complete("move", "-L", "t", "dev", "--window", "") == ["dev", "editor", "work"]


def test_bash_offers_profiles(path: Path) -> None:
    assert complete("profile", "show", "") == STOCK


@pytest.mark.parametrize("trouble", ["no store", "no database", "no table", "no tmux"])
def test_trouble_is_silent(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    store = tmp_path / "torch" / "torch.db"
    store.parent.mkdir(exist_ok=True)
    if trouble == "no database":
        store.write_bytes(b"no database " * 100)
    elif trouble == "no table":
        store.touch()
    elif trouble == "no tmux":
        for name in ("sh", "bash", "env"):
            found = shutil.which(name)
            assert found
            (path / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(path))
    assert complete("send", "") == []
    assert store.exists() == (trouble in ("no database", "no table"))


def test_a_command_that_does_not_exist_is_silent(path: Path) -> None:
    assert complete("sned", "--x") == []


def test_nothing_is_made_by_completing(path: Path, tmp_path: Path) -> None:
    complete("send", "")
    assert not (tmp_path / "torch").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(torch: Torch, shell: str) -> None:
    done = torch("completion", shell)
    assert done.code == 0
    assert f"_TORCH_COMPLETE={shell}_complete" in done.out
    assert torch("completion", shell, "--json").json["script"] == done.out.rstrip("\n") + "\n"
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=done.out.encode(), check=False)
        assert checked.returncode == 0


def test_another_shell_is_refused(torch: Torch) -> None:
    assert torch("completion", "tcsh").code == 2


def test_zsh_takes_the_script_before_and_after_compinit(torch: Torch, tmp_path: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        return  # what can be seen without one is in the script itself
    script = tmp_path / "script"
    script.write_text(torch("completion", "zsh").out)
    early = f"source {script}; autoload -Uz compinit; compinit -D; $precmd_functions"
    late = f"autoload -Uz compinit; compinit -D; source {script}; $precmd_functions"
    never = f"source {script}; $precmd_functions"
    for words in (early, late, never):
        done = subprocess.run(
            [zsh, "-f", "-c", f"{words}; print $_comps[torch]"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        assert (done.stdout, done.stderr) == ("_torch_completion\n", "")


def test_names_of_columns_are_offered_behind_a_comma_too(path: Path) -> None:
    assert complete("ps", "-o", "st") == ["state"]
    assert complete("ps", "-o", "name,si") == ["name,since"]
    assert complete("ps", "-o", "state,st") == [], "it is there already"
