"""The commands that remove Torch, and add a package to it, by the way it was installed."""

import sys

import pytest

from torch_cli.installed import adding_command, removal_command


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
    assert (adding_command("textual"), removal_command()) == (adds, removes)
