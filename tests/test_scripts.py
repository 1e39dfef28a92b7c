"""What the scripts lean on."""

import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def test_the_list_of_slow_files_names_files_that_are_there() -> None:
    lines = [line.split() for line in (HERE / "slow.txt").read_text().splitlines()]
    assert all(seconds.isdecimal() for seconds, _ in lines)
    assert [file for _, file in lines if not (HERE / file).is_file()] == []


def quietly(script: str) -> tuple[int, str, str]:
    words = [str(HERE.parent / "scripts" / "quietly"), "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_an_installer_prints_is_shown_only_if_it_fails() -> None:
    assert quietly("echo out; echo err >&2") == (0, "", "")
    assert quietly("echo out; echo err >&2; exit 3") == (3, "", "out\nerr\n")
