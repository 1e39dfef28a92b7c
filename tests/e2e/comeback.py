"""``python -m e2e.comeback``: how soon real Claude Codes are back after each kind of fall.

Eight of them, in conversations of their own, lose their tmux server, everything that Torch has, or
the machine. For that one they live in namespaces of their own, which end as a power cut ends them;
the next ones have new process numbers, a new boot id and a clock that has just started. The sockets
lie where they were. Each run is printed: the seconds of ``torch resurrect`` until the last one is
back, told and proven; those of each; the load; and the processor time that Torch and the programs
took for it, which tells a busy machine from slow work. Then each is asked something, and the whole
request that reaches a stub of the API must hold what was said to that one alone before.
"""

import argparse
import contextlib
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from e2e.conftest import Setup, World
from e2e.remembered import conversation, say
from e2e.test_power_cut import cut_power
from e2e.test_recovery import BODIES, Remembered
from e2e.test_resurrect import all_remember
from torch_cli.profiling.verify.texts import tag

UNSHARE = ["unshare", "--fork", "--pid", "--mount", "--mount-proc", "--time", "--kill-child"]
"""util-linux. Only root may, as a rule."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"

JUST_STARTED_SECONDS = 20
"""What the clock of a machine says that has just been started."""


class Machine(World):
    """A world in namespaces that can be cut off and started again."""

    machine: "subprocess.Popen[str] | None" = None
    _first = 0

    def _start_server(self) -> None:
        self.switch_on()
        super()._start_server()

    def inside(self, words: Sequence[str]) -> list[str]:
        """Return the words that run ``words`` in the namespaces."""
        return ["nsenter", "-t", str(self._first), "-p", "-m", "-T", "--", *words]

    def switch_on(self) -> None:
        """Begin new namespaces: nothing runs in them."""
        up = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        boot_id = self.directory / "boot_id"
        boot_id.write_text(f"{uuid.uuid4()}\n")
        script = f"mount --bind {boot_id} {BOOT_ID} && echo on && exec sleep infinity"
        clock = ["--boottime", str(JUST_STARTED_SECONDS - up)]
        words = [*UNSHARE, *clock, "--", "sh", "-c", script]
        self.machine = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.machine.stdout is not None
        if self.machine.stdout.readline() != "on\n":
            sys.exit("no namespaces can be made here; run it as root, or without 'reboot'")
        listed = Path(f"/proc/{self.machine.pid}/task/{self.machine.pid}/children").read_text()
        self._first = int(listed)

    def cut_off(self) -> None:
        """End everything in the namespaces at once."""
        if self.machine is not None and self.machine.poll() is None:
            os.kill(self._first, signal.SIGKILL)
            self.machine.wait(30.0)

    def close(self) -> None:
        """End the namespaces with everything in them."""
        self.cut_off()
        super().close()


def _kill_server(world: World, daemon: "subprocess.Popen[bytes]") -> None:
    world.server.cmd("kill-server")


def _kill_all(world: World, daemon: "subprocess.Popen[bytes]") -> None:
    cut_power(world, [daemon])


def _reboot(world: World, daemon: "subprocess.Popen[bytes]") -> None:
    assert isinstance(world, Machine)
    world.cut_off()
    daemon.communicate(timeout=30.0)
    assert Path(str(world.server.socket.path)).exists(), "the socket of before lies there"
    world.switch_on()


CASES: dict[str, Callable[[World, "subprocess.Popen[bytes]"], None]] = {
    "kill-server": _kill_server,
    "kill-9": _kill_all,
    "reboot": _reboot,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("cases", nargs="*", default=[*CASES], help=", ".join(CASES))
    given = parser.parse_args()
    program = Remembered().install()
    for house in (World, Machine):
        cases = [one for one in given.cases if (one == "reboot") is (house is Machine)]
        if not cases:
            continue
        with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="tc", dir="/tmp") as root:
            world = house(Path(root), Remembered(), program, Setup.CHORD)
            stack.callback(world.close)
            _measure(world, cases, given.agents, given.runs)
    return 0


def _measure(world: World, cases: Sequence[str], agents: int, runs: int) -> None:
    words, known = {}, {}
    for _ in range(agents):
        started = world.start()
        assert started.code == 0, f"{started}\n{world.server.screens()}"
        words[world.name] = tag()
        say(world, BODIES, f"Remember {words[world.name]}.")
        known[world.name] = conversation(world)
    assert len(set(known.values())) == agents
    _print(f"{agents} of {world.kit.title} {world.kit.version} at rest on {os.cpu_count()} cores")
    daemon = world.popen("daemon", "run", "--quiet")
    try:
        for case in cases:
            took = []
            for _ in range(runs):
                assert world.torch("tick").code in (0, 4)
                CASES[case](world, daemon)
                took.append(_come_back(world, case, known))
                if daemon.poll() is not None:
                    daemon = world.popen("daemon", "run", "--quiet")
                all_remember(world, words, known)
            _print(f"{case}: all back after {statistics.median(took):.1f} s in the median")
    finally:
        daemon.kill()
        for pipe in (daemon.stdin, daemon.stdout, daemon.stderr):
            assert pipe is not None
            pipe.close()  # in namespaces the daemon is a process below this one
        daemon.wait()


def _come_back(world: World, case: str, known: dict[str, str]) -> float:
    """Bring all back; print and return how long that took."""
    load, spent = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
    began, came = time.monotonic(), list[float]()
    with world.popen("resurrect") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = []
        for line in process.stdout:
            out.append(line.decode().rstrip())
            if "in its conversation" in out[-1]:
                came.append(time.monotonic() - began)
        errors = process.stderr.read().decode()
    took = time.monotonic() - began
    text = "\n".join([*out, errors])
    assert process.returncode == 0, f"{text}\n{world.server.screens()}"
    assert all(f"in its conversation {one}" in text for one in known.values()), text
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    torch = own.ru_utime + own.ru_stime - spent.ru_utime - spent.ru_stime
    programs = sum(_processor_seconds(one.pid) for one in world.processes())
    each = " ".join(f"{one:.1f}" for one in came)
    cost = f"processor {torch:.1f} s Torch, {programs:.1f} s programs"
    _print(f"{case:12} all {took:5.1f} s   each {each}   load {load:.1f}   {cost}")
    return took


def _processor_seconds(pid: int) -> float:
    """Return what a process and those that it has waited for have used, 0 if it has ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _print(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
