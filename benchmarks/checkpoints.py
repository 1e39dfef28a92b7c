"""Checkpoints of a large worktree, beside git's bare plumbing, and what ``torch send`` feels."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import sending
from benchmarks.figures import Row, median, p95
from benchmarks.lab import Lab, check, say, timed

GROUP = "checkpoint"
RUNS, WARM_UP = 15, 2
FILES, CHANGED = 20_000, 10
LINES = 40
WORKTREES = 8
SENDS = 40

LOOP = """
import os, sys
from torch_cli.git.command import NICENESS
from torch_cli.checkpoint.record import Occasion, take
from torch_cli.checkpoint.settings import Settings
from torch_cli.git.worktree import locate
worktree = locate(sys.argv[1])
os.nice(NICENESS)
n = 0
while True:
    n += 1
    for number in range(10):
        with open(f"{sys.argv[1]}/d0/f{number}.py", "w") as file:
            file.write(f"y = {n}\\n" * 40)
    take(worktree, Settings(), Occasion("interval"))
    print(n, flush=True)
"""
"""Checkpoints of one worktree without a pause, as a daemon of its own would make them."""

MEMORY = """
import resource, sys
from torch_cli.checkpoint.record import Occasion, take
from torch_cli.checkpoint.settings import Settings
from torch_cli.git.worktree import locate
take(locate(sys.argv[1]), Settings(), Occasion("interval"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure(lab: Lab) -> Iterator[Row]:
    """Yield the rows."""
    project = lab.directory / "large"
    say(f"a worktree of {FILES:,} files ...")
    _make(project)
    for changed, what in ((0, "nothing changed"), (CHANGED, f"{CHANGED} files changed")):
        yield from _against_plumbing(lab, project, changed, f"{FILES:,} files, {what}")
    yield _memory(lab, project)
    yield from _beside(lab, project)


def _make(project: Path) -> None:
    for number in range(FILES):
        path = project / f"d{number // 100}" / f"f{number % 100}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"x = {number}\n" * LINES)
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Ann"),
        ("config", "user.email", "ann@example.org"),
        ("config", "gc.auto", "0"),  # not while it is measured
        ("add", "."),
        ("commit", "-qm", "one"),
        ("gc", "-q"),
    ):
        _git(project, *words)


def _git(project: Path, *words: str, index: Path | None = None) -> str:
    env = {**os.environ, **({"GIT_INDEX_FILE": str(index)} if index else {})}
    done = subprocess.run(
        ["git", *words], cwd=project, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _plumbing(project: Path, index: Path, number: int, *, record: bool) -> None:
    """Do the least that makes a snapshot: without limits, counts, or a look for secrets."""
    shutil.copy2(project / ".git/index", index)
    _git(project, "add", "-A", index=index)
    tree = _git(project, "write-tree", index=index)
    last = _git(project, "rev-parse", "-q", "--verify", "refs/bare/last^{tree}") if number else ""
    if record or tree != last:
        commit = _git(project, "commit-tree", tree, "-m", "snapshot")
        _git(project, "update-ref", "refs/bare/last", commit)


def _against_plumbing(lab: Lab, project: Path, changed: int, what: str) -> list[Row]:
    from torch_cli.checkpoint.record import Occasion, take
    from torch_cli.checkpoint.settings import Settings
    from torch_cli.git.worktree import locate

    index, torch = lab.directory / "index", str(lab.bin / "torch")
    turns = iter(range(10**6))

    def plumbing() -> None:
        _plumbing(project, index, next(turns), record=bool(changed))

    def library() -> None:
        take(locate(str(project)), Settings(), Occasion("interval"))

    def command() -> None:
        check([torch, "checkpoint", "now", str(project)])

    ways: dict[str, Callable[[], None]] = {"plumbing": plumbing, "library": library}
    ways["command"] = command
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(WARM_UP + RUNS):
        for name, way in ways.items():
            _change(project, changed, f"{name} {number}")
            took = timed(way)
            if number >= WARM_UP:
                samples[name].append(took)
    bare = median(samples["plumbing"])
    factors = {name: median(taken) / bare for name, taken in samples.items()}
    rows = [Row(GROUP, f"bare plumbing: {what}", tuple(samples["plumbing"]))]
    factor = factors["library"]
    words, wanted = f"{factor:.2f} x the plumbing", "at most 1.3 x"
    taken = tuple(samples["library"])
    rows.append(Row(GROUP, f"checkpoint: {what}", taken, words, factor, 1.3, False, wanted))
    more = median(samples["command"]) - bare
    words = f"{more:.0f} ms more than the plumbing"
    taken = tuple(samples["command"])
    rows.append(Row(GROUP, f"torch checkpoint now: {what}", taken, words, more))
    return rows


def _change(project: Path, files: int, content: str) -> None:
    for number in range(files):
        (project / f"d{number}" / f"f{number}.py").write_text(f"{content}\n" * LINES)


def _memory(lab: Lab, project: Path) -> Row:
    _change(project, CHANGED, "memory")
    python = str(lab.bin / "python")
    done = subprocess.run(
        [python, "-c", MEMORY, str(project)], check=True, capture_output=True, text=True
    )
    unit = 1024 if sys.platform == "linux" else 1  # getrusage(2): kilobytes, on macOS bytes
    megabytes = int(done.stdout) * unit / 1e6
    what = f"checkpoint of {FILES:,} files: memory beside git's own"
    return Row(
        GROUP, what, (), f"{megabytes:.0f} MB", megabytes, 60.0, False, "at most 60 MB"
    )  # fmt: skip


def _beside(lab: Lab, project: Path) -> list[Row]:
    """Return what ``torch send`` takes alone, and beside checkpoints without a pause."""
    say(f"{WORKTREES} worktrees of {FILES:,} files ...")
    worktrees = [lab.directory / f"worktree-{number}" for number in range(WORKTREES)]
    for worktree in worktrees:
        _git(project, "worktree", "add", "-q", "--detach", str(worktree))
    torch = str(lab.bin / "torch")
    os.environ["TORCH_TMUX_SOCKET"] = lab.socket.name
    sending.adopted(lab, torch, "plain")
    time.sleep(sending.RIPE)
    alone = _sends(torch, "alone")
    with _loops(str(lab.bin / "python"), worktrees):
        beside = _sends(torch, "beside")
    again = _sends(torch, "again")
    base = p95([*alone, *again])
    factor = p95(beside) / base
    what = f"torch send beside checkpoints of {WORKTREES} worktrees at once"
    words = f"p95 {p95(beside):.0f} ms, {factor:.1f} x that alone ({base:.0f} ms)"
    return [Row(GROUP, what, tuple(beside), words, factor, 2.0, False, "p95 at most 2 x")]


def _sends(torch: str, name: str) -> list[float]:
    took = []
    for number in range(SENDS):
        took.append(timed(lambda: check([torch, "send", "plain", f"{name} {number}"])))  # noqa: B023
        time.sleep(0.1)
    return took


@contextmanager
def _loops(python: str, worktrees: list[Path]) -> Iterator[None]:
    loops = [
        subprocess.Popen([python, "-c", LOOP, str(worktree)], stdout=subprocess.PIPE)
        for worktree in worktrees
    ]
    try:
        for loop in loops:  # each has made one by now
            assert loop.stdout is not None
            loop.stdout.readline()
        yield
    finally:
        for loop in loops:
            loop.terminate()
            loop.communicate()
