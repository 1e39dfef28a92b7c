"""The crontab line: one that is Torch's, and all else as it was."""

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import SOURCE, Torch
from torch_cli.cli.present import unscheduled
from torch_cli.schedule import crontab
from torch_cli.store import Store

PROGRAM = """#!/bin/sh
file="$CRONTAB_FILE"
case "$1" in
-l) if [ -e "$file" ]; then cat "$file"; else echo "no crontab for tester" >&2; exit 1; fi ;;
-) cat > "$file.new" && [ ! -e "$file.refuse" ] && mv "$file.new" "$file" ;;
*) exit 2 ;;
esac
"""
"""Stands in for crontab(1), so that no test touches the caller's own."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the crontab program keeps; it is not there yet."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "crontab"
    program.write_text(PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CRONTAB_FILE", str(tmp_path / "crontab"))
    return tmp_path / "crontab"


def test_install_show_and_remove(torch: Torch, file: Path) -> None:
    assert torch("crontab", "show").code == 3
    dry = torch("crontab", "install", "--dry-run")
    assert not file.exists()
    assert torch("crontab", "install").code == 0
    assert file.read_text() == dry.out
    assert dry.out.startswith("* * * * * ")
    assert dry.out.endswith(" tick --quiet # torch tick\n")
    shown = torch("crontab", "show", "--json")
    assert (shown.code, shown.json["line"]) == (0, dry.out.strip())
    before = file.stat().st_mtime_ns
    assert torch("crontab", "install", "--json").json["state"] == "was there"
    assert file.stat().st_mtime_ns == before
    assert torch("crontab", "remove").code == 0
    assert file.read_text() == ""
    assert torch("crontab", "remove", "--json").json["state"] == "was not there"


@pytest.mark.usefixtures("file")
def test_until_cron_has_called_it_that_is_what_is_missing(torch: Torch) -> None:
    with Store() as store:
        assert unscheduled(store).startswith("no scheduler is running: ")
        assert torch("crontab", "install").code == 0
        assert unscheduled(store).startswith("cron has not called 'torch tick' yet")
        assert torch("crontab", "remove").code == 0
        assert unscheduled(store).startswith("no scheduler is running: ")
        assert torch("crontab", "install").code == 0
        assert torch("tick").code == 0
        assert unscheduled(store) == ""


@pytest.mark.parametrize(
    "text",
    [
        b"# a comment\nMAILTO=me\n0 5 * * * backup\n",
        b"0 5 * * * without a newline",
        b"\n\n0 5 * * * x\r\n",
        b"0 5 * * * caf\xe9 \xff\n",
        b"# * * * * * old torch tick -q # torch tick\n",
        b"@reboot x % y\n",
    ],
)
def test_all_else_stays_byte_for_byte(torch: Torch, file: Path, text: bytes) -> None:
    file.write_bytes(text)
    assert torch("crontab", "install").code == 0
    ending = b"" if text.endswith(b"\n") else b"\n"
    assert file.read_bytes().startswith(text + ending)
    assert file.read_bytes().count(b"# torch tick") == 1 + text.count(b"# torch tick")
    assert torch("crontab", "remove").code == 0
    assert file.read_bytes() == text + ending


def test_an_old_line_is_brought_up_to_date_where_it_stands(torch: Torch, file: Path) -> None:
    file.write_text("1 * * * * a\n* * * * * /old/torch tick -q # torch tick\n2 * * * * b\n")
    assert torch("crontab", "install").code == 0
    lines = file.read_text().splitlines()
    assert [lines[0], lines[2]] == ["1 * * * * a", "2 * * * * b"]
    assert "/old/torch" not in lines[1]
    assert len(lines) == 3


def test_cron_can_run_the_line_whatever_the_names_are(
    torch: Torch, file: Path, tmp_path: Path
) -> None:
    home = tmp_path / 'it\'s 100% "odd" $HOME `x` 🚀'
    done = torch("crontab", "install", env={"TORCH_HOME": str(home)})
    assert done.code == 0, done.err
    command = file.read_text().split(" ", 5)[5].rstrip("\n")
    # As cron does: an escaped "%" is one, an unescaped one would end the command.
    shell = command.replace("\\%", "\0")
    assert "%" not in shell
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(SOURCE)}
    shell = shell.replace("\0", "%")
    ran = subprocess.run(
        ["/bin/sh", "-c", shell], capture_output=True, env=environment, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    os.environ["TORCH_HOME"] = str(home)  # put back with the test's environment
    with Store() as store:
        held = store.lease.holder()
    assert held is not None
    assert held.kind == "tick"
    assert shlex.quote(str(home)) in shell


def test_without_a_crontab_program_it_is_said(torch: Torch, tmp_path: Path) -> None:
    for verb in ("install", "remove", "show"):
        done = torch("crontab", verb, "--json", env={"PATH": str(tmp_path)})
        assert (done.code, done.json["error"]["code"]) == (3, "no-crontab")
        assert "daemon" in done.json["error"]["hint"]


def test_one_that_refuses_leaves_all_as_it_was(torch: Torch, file: Path) -> None:
    file.write_text("1 * * * * a\n")
    Path(f"{file}.refuse").touch()
    done = torch("crontab", "install")
    assert done.code == 1
    assert "it was not changed" in done.err
    assert file.read_text() == "1 * * * * a\n"


LINES = st.lists(st.binary(max_size=20).filter(lambda text: b"\0" not in text), max_size=6)


@given(lines=LINES)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_what_is_installed_and_removed_leaves_no_trace(file: Path, lines: list[bytes]) -> None:
    text = b"\n".join(lines)
    file.write_bytes(text)
    crontab.write(crontab.change(keep=True).after)
    crontab.write(crontab.change(keep=False).after)
    assert file.read_bytes() in (text, text + b"\n"), "its last line has an end now"
