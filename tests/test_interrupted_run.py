"""A run of the tests that is interrupted leaves no tmux server behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from conftest import RUN, wait_until

HANGS = """
import time
from pathlib import Path

def test_hangs(tmux):
    tmux.new_session("main", "exec sleep 600")
    file = Path({file!r})
    file.with_suffix(".new").write_text(str(tmux._server().pid))
    file.with_suffix(".new").rename(file)
    time.sleep(600)
"""


def test_ctrl_c_leaves_no_server(tmp_path: Path) -> None:
    """Also if a worker was killed before its fixtures could end."""
    file = tmp_path / "pid"
    there = Path(__file__).parent
    (tmp_path / "test_hangs.py").write_text(HANGS.format(file=str(file)))
    (tmp_path / "conftest.py").write_text("from conftest_of_torch import *\n")
    (tmp_path / "conftest_of_torch.py").symlink_to(there / "conftest.py")
    environ = {key: value for key, value in os.environ.items() if key != RUN}
    environ["PYTHONPATH"] = f"{there}{os.pathsep}{there.parent / 'src'}"
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=environ,
        start_new_session=True,
        stdout=(tmp_path / "out").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until(
            lambda: file.is_file() and file.read_text() != "",
            what="a test that hangs",
            screen=(tmp_path / "out").read_text,
        )
        server = int(file.read_text())
        workers = subprocess.run(
            ["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for worker in workers:  # as xdist does with one that does not end in time
            os.kill(int(worker), signal.SIGKILL)
        os.killpg(run.pid, signal.SIGINT)
        run.wait(timeout=60)
        wait_until(lambda: not Path(f"/proc/{server}").exists(), what="the end of the server")
    finally:
        run.kill()
