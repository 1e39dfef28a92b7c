"""Keeping the machine awake: a lock is held while an agent works, and ends with its holder."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import spawn_demo
from conftest import SOURCE, TmuxServer, Torch, wait_until
from torch_cli.errors import TorchError
from torch_cli.health import awake
from torch_cli.health.awake import Lock, keepers

SYSTEM = """\
#!/bin/sh
# gives a lock for the words after the options, as systemd-inhibit does
what=
while [ "${1#--}" != "$1" ]; do
  case $1 in --what=*) what=${1#--what=} ;; esac
  shift
done
case $what in *sleep*) %s ;; esac
echo "held $what $$" >>%s
"$@"
echo "given back $what" >>%s
"""
REFUSES = "echo 'Failed to inhibit: Access denied' >&2; exit 1"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a system that gives locks has done; its program is the first on the PATH."""
    path = tmp_path / "locks"
    path.touch()
    write(tmp_path, path, "true")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "platform", "linux")
    return path


def write(tmp_path: Path, log: Path, on_sleep: str) -> None:
    program = tmp_path / "bin" / "systemd-inhibit"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SYSTEM % (on_sleep, log, log))
    program.chmod(0o755)


def told(log: Path) -> list[str]:
    return [" ".join(line.split()[:2]) for line in log.read_text().splitlines()]


def test_a_lock_is_held_inside_the_block(log: Path) -> None:
    with Lock() as lock:
        assert (lock.what, lock.lost, told(log)) == ("sleep", False, ["held sleep:idle"])
    assert log.read_text().splitlines()[1:] == ["given back sleep:idle"]


def test_a_smaller_lock_is_taken_where_the_whole_is_refused(tmp_path: Path, log: Path) -> None:
    write(tmp_path, log, REFUSES)
    with Lock() as lock:
        assert (lock.what, told(log)) == ("sleep of an idle machine", ["held idle"])


def test_no_lock_is_said_with_the_system_s_words(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, torch: Torch
) -> None:
    (tmp_path / "bin" / "systemd-inhibit").write_text(f"#!/bin/sh\n{REFUSES}\n")
    with pytest.raises(TorchError, match=r"Failed to inhibit: Access denied; it may fall asleep"):
        Lock()
    refused = torch("inhibit", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "no-lock")
    assert torch("inhibit").err.startswith("torch: this machine gives no lock"), "nothing before it"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(TorchError, match="systemd-inhibit: No such file or directory"):
        Lock()
    assert not told(log)


def test_the_lock_ends_with_a_holder_that_is_killed(log: Path) -> None:
    script = (
        "import time\nfrom torch_cli.health.awake import Lock\n"
        "with Lock(): print('in', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"in\n"
    holder.kill()
    holder.wait()
    wait_until(lambda: told(log)[1:] == ["given back"], what="the end of the lock")


def test_macos_has_a_way_of_its_own() -> None:
    assert [one.words for one in keepers("darwin")] == [("caffeinate", "-i")]
    assert [one.words[-1] for one in keepers("linux")] == ["--what=sleep:idle", "--what=idle"]


def test_it_is_held_while_an_agent_works(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_INTERVALS", "awake=0.2 rests=1")
    agent = spawn_demo(tmux, torch, tmp_path / "project", "--work", "600", name="dev")
    assert torch("send", "dev", "work").code == 0
    running = subprocess.Popen(
        torch.argv("inhibit", "--until-rest", "--json"),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert running.stdout is not None
    began = json.loads(running.stdout.readline())
    agent.end_work()
    (ended,) = [json.loads(line) for line in running.communicate(timeout=60)[0].splitlines()]
    assert running.returncode == 0
    assert (began["awake"], began["keeps_away"], began["agents"]) == (True, "sleep", ["dev"])
    assert (ended["awake"], ended["keeps_away"], ended["agents"]) == (False, None, [])
    # The first lock only shows that there are any.
    assert told(log) == ["held sleep:idle", "given back"] * 2


def test_an_interrupt_gives_it_back(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, log: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "project", "--work", "600", name="dev")
    assert torch("send", "dev", "work").code == 0
    running = subprocess.Popen(
        torch.argv("inhibit"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert running.stdout is not None
    assert b"awake  at work: dev (no sleep)" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"Traceback" not in errors
    assert told(log)[-1] == "given back"


def test_it_ends_in_time(torch: Torch, log: Path) -> None:
    done = torch("inhibit", "--for", "1s")
    assert (done.code, done.out) == (0, "")
    assert "Ctrl-C ends this" in done.err
    wrong = torch("inhibit", "--for", "soon")
    assert wrong.code == 2
    assert told(log) == ["held sleep:idle", "given back"]


def test_what_does_not_end_when_asked_is_killed(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "systemd-inhibit"
    program.write_text("#!/bin/sh\ntrap '' TERM\necho held\nexec sleep 60\n")
    monkeypatch.setattr(awake, "LOCK_SECONDS", 0.5)
    with Lock():
        began = time.monotonic()
    assert time.monotonic() - began < 30
