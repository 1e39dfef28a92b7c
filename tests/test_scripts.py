"""What the scripts lean on."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_list_of_slow_files_names_files_that_are_there() -> None:
    lines = [line.split() for line in (HERE / "slow.txt").read_text().splitlines()]
    assert all(seconds.isdecimal() for seconds, _ in lines)
    assert [file for _, file in lines if not (HERE / file).is_file()] == []


def test_the_picture_of_torch_top_is_of_the_demo_and_loads_nothing() -> None:
    """It was made by 'scripts/demo --svg docs/top.svg', and tells nothing of that machine."""
    picture = (HERE.parent / "docs" / "top.svg").read_text()
    shown = picture.replace("&#160;", " ")
    assert all(text in shown for text in ("Do you want to proceed?", "~/shop", ">torch top<"))
    assert not any(word in picture for word in ("/tmp", "/home", "/root", "@font-face", "url(http"))


def test_the_demo_refuses_what_it_does_not_know() -> None:
    for words in (["--nope"], ["--svg"], ["--top", "more"]):
        demo = [str(HERE.parent / "scripts" / "demo"), *words]
        done = subprocess.run(demo, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (2, "usage: scripts/demo [--top | --svg FILE]\n")


def quietly(script: str) -> tuple[int, str, str]:
    words = [str(HERE.parent / "scripts" / "quietly"), "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_an_installer_prints_is_shown_only_if_it_fails() -> None:
    assert quietly("echo out; echo err >&2") == (0, "", "")
    assert quietly("echo out; echo err >&2; exit 3") == (3, "", "out\nerr\n")


@pytest.mark.parametrize("works", [True, False])
def test_an_upgrade_restarts_the_daemon_and_says_so(tmp_path: Path, works: bool) -> None:
    """The installer and the Torch that is there are programs of the test; the script is real."""
    asked = tmp_path / "asked"
    folder = tmp_path / "bin"
    folder.mkdir()
    installs = f"echo install >>{asked}; {'true' if works else 'exit 4'}"
    uv = f'case "$*" in *--bin) echo {folder};; *) {installs};; esac'
    for name, text in (("uv", uv), ("torch", f'echo "torch $*" >>{asked}; echo "said $2"')):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        [str(HERE.parent / "scripts" / "install")],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    steps = asked.read_text().splitlines()
    assert steps[:3] == ["torch daemon status --json", "torch daemon stop -q", "install"]
    if works:
        assert done.returncode == 0, done.stderr
        assert steps[3:] == ["torch --version", "torch daemon restart"]
        assert "Starting the daemon again, with this version: said restart" in done.stdout
    else:
        assert done.returncode == 4
        assert "The daemon was stopped, and is not running." in done.stderr


def test_the_demo_of_torch_top_needs_no_package_of_the_tests() -> None:
    script = (HERE.parent / "scripts" / "demo").read_text()
    assert "needs=top" in script
    assert "needs=dev" not in script
