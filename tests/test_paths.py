"""Where Torch keeps its things: ``TORCH_HOME``, else what platformdirs says."""

import os
import sys
from pathlib import Path

import platformdirs
import platformdirs.macos
import platformdirs.unix
import pytest

from torch_cli import paths

HOMES = [
    {"HOME": "/home/a b"},
    {"HOME": "/home/a", "XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/c/"},
    {"HOME": "/home/a", "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": ""},
    {"HOME": "/home/a", "XDG_STATE_HOME": "relative", "XDG_CONFIG_HOME": "relative"},
    {"HOME": "relative"},
    {},
]


def use(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_what_is_made_is_for_its_owner_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    earlier = tmp_path / "torch/checkpoints"
    before = os.umask(0)
    try:
        earlier.mkdir(parents=True)
        paths.make_private(str(earlier / "main/deeper"))
        paths.make_private(str(earlier / "main/deeper"))
    finally:
        os.umask(before)
    modes = [one.stat().st_mode & 0o777 for one in (earlier, *sorted(earlier.rglob("*")))]
    assert modes == [0o700] * 3
    assert (tmp_path / "torch").stat().st_mode & 0o777 == 0o777, "it was there: its owner's to say"
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="File exists"):
        paths.make_private(str(tmp_path / "file/under"))


@pytest.mark.parametrize("environ", HOMES, ids=str)
def test_the_shortcut_says_what_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    use(monkeypatch, environ)
    assert Path(paths.state_dir()) == platformdirs.user_state_path("torch", appauthor=False)
    assert Path(paths.config_dir()) == platformdirs.user_config_path("torch", appauthor=False)


@pytest.mark.parametrize("environ", HOMES[:4], ids=str)
def test_the_shortcut_for_macos_says_what_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    use(monkeypatch, environ)
    monkeypatch.setattr(sys, "platform", "darwin")
    mac = platformdirs.macos.MacOS("torch", appauthor=False)
    assert Path(paths.state_dir()) == Path(mac.user_state_dir)
    assert Path(paths.config_dir()) == Path(mac.user_config_dir)


def test_torch_home_holds_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, {"HOME": str(tmp_path), "TORCH_HOME": "~/torch"})
    assert paths.state_dir() == f"{tmp_path}/torch"
    assert paths.config_dir() == f"{tmp_path}/torch/config"
    assert paths.database() == f"{tmp_path}/torch/torch.db"
