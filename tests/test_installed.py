"""The commands that remove Torch, and add a package to it, by the way it was installed."""

import sys
from pathlib import Path

import pytest

from torch_cli.installed import adding_command, removal_commands


@pytest.mark.parametrize(
    ("prefix", "adds", "removes"),
    [
        (
            "/home/a/.local/share/uv/tools/torch-cli",
            f"uv pip install --python {sys.executable} textual",
            "uv tool uninstall torch-cli",
        ),
        (
            "/home/a/.local/share/pipx/venvs/torch-cli",
            "pipx inject torch-cli textual",
            "pipx uninstall torch-cli",
        ),
        (
            "/home/a/project/.venv",
            f"{sys.executable} -m pip install textual",
            f"{sys.executable} -m pip uninstall torch-cli",
        ),
    ],
)
def test_by_the_way_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, prefix: str, adds: str, removes: str
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    assert (adding_command("textual"), removal_commands()) == (adds, [removes])


def test_its_own_environment_goes_in_two_lines_that_fit_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / ".local/share/torch-cli"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(sys, "prefix", str(own))
    monkeypatch.setattr(sys, "executable", str(own / "bin/python"))
    assert removal_commands() == [
        "rm -r ~/.local/share/torch-cli",
        "rm ~/.local/bin/torch ~/.local/bin/torch-demo-agent",
    ]
    assert adding_command("textual") == (
        "~/.local/share/torch-cli/bin/python -m pip install textual"
    )


def test_a_home_with_a_space_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "an na"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "prefix", str(home))
    monkeypatch.setattr(sys, "executable", f"{home}/python")
    assert adding_command("textual") == f"'{home}/python' -m pip install textual"
