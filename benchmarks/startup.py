"""The CPU time of commands that do next to nothing, beside an empty Python's."""

import os

from benchmarks.figures import Row
from benchmarks.lab import Lab, check

GROUP = "startup"
RUNS = 20
WARM_UP = 2

_EVENT = b'{"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "hello"}'


def measure(lab: Lab) -> list[Row]:
    """Return the rows: ``python -I -c pass`` of the same environment, then the commands."""
    python, torch = str(lab.bin / "python"), str(lab.bin / "torch")
    check([torch, "ps"])  # makes the store, without which the hook writes nothing
    commands = {
        "empty": [python, "-I", "-c", "pass"],
        "version": [torch, "--version"],
        "help": [torch, "send", "--help"],
        "hook": [torch, "hook"],
    }
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(WARM_UP + RUNS):
        for name, argv in commands.items():
            spent = cpu_time(argv, _EVENT)
            if number >= WARM_UP:
                samples[name].append(spent)
    rows = [Row(GROUP, "CPU time of python -I -c pass", tuple(samples["empty"]))]
    for name, what, limit in (
        ("version", "CPU time of torch --version", 6.0),
        ("help", "CPU time of torch send --help", 6.0),
        ("hook", "CPU time of torch hook, one event", 3.0),
    ):
        # Only the least is Torch's own; the rest is what the machine added.
        factor = min(samples[name]) / min(samples["empty"])
        compared = f"{factor:.1f} x an empty python (minima)"
        wanted = f"at most {limit:g} x"
        row = Row(GROUP, what, tuple(samples[name]), compared, factor, limit, False, wanted)
        rows.append(row)
    return rows


def cpu_time(argv: list[str], given: bytes) -> float:
    """Return the milliseconds of CPU time that a program took, its own children included."""
    reader, writer = os.pipe()
    os.write(writer, given)
    os.close(writer)
    quiet = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    actions = [(os.POSIX_SPAWN_DUP2, reader, 0), quiet]
    environ = {**os.environ, "TMUX": "/nowhere,1,0", "TMUX_PANE": "%0"}
    pid = os.posix_spawn(argv[0], argv, environ, file_actions=actions)
    os.close(reader)
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"{' '.join(argv)}: status {status}")
    return (used.ru_utime + used.ru_stime) * 1000
