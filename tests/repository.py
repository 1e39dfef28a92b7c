"""Real git repositories for tests, with nothing of the caller's configuration."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conftest import PATIENCE, SOURCE
from torch_cli.checkpoint.record import CheckpointOutcome, Occasion, checkpoints, take
from torch_cli.checkpoint.settings import Settings
from torch_cli.git.worktree import Worktree, locate


@dataclass(frozen=True)
class Repository:
    """A worktree in which tests do as people do."""

    path: Path

    @classmethod
    def make(cls, path: Path, files: Mapping[str, str | bytes] | None = None) -> "Repository":
        """Make a repository with one commit of ``files``, none if there are none."""
        path.mkdir(parents=True, exist_ok=True)
        made = cls(path)
        made.git("init", "-q", "-b", "main")
        made.git("config", "user.name", "Ann")
        made.git("config", "user.email", "ann@example.org")
        if files:
            for name, content in files.items():
                made.write(name, content)
            made.commit("one")
        return made

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, given: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run git as a person does, whatever comes of it."""
        return subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *words],
            cwd=self.path,
            input=given,
            capture_output=True,
            env={**os.environ, **(env or {})},
            timeout=PATIENCE,
            check=False,
        )

    def git(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run git, which must succeed; return its output without the last newline."""
        done = self.run(*words, env=env)
        assert done.returncode == 0, os.fsdecode(done.stderr + done.stdout)
        return os.fsdecode(done.stdout).removesuffix("\n")

    def commit(self, message: str) -> str:
        """Commit everything; return the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, content: str | bytes = "x\n") -> Path:
        """Write a file, and the directories that it needs."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.path / name).read_text()

    @property
    def worktree(self) -> Worktree:
        """What Torch takes it for."""
        return locate(str(self.path))

    def take(
        self, settings: Settings | None = None, note: str = "", agent: str = ""
    ) -> CheckpointOutcome:
        """Make a checkpoint."""
        return take(self.worktree, settings or Settings(), Occasion("manual", agent, note))

    def recorded(self, settings: Settings | None = None, note: str = "") -> str:
        """Make a checkpoint, which must be a new one; return its id."""
        made = self.take(settings, note).checkpoint
        assert made is not None
        return made.id

    def ids(self) -> list[str]:
        """Return the ids of the checkpoints, the newest last."""
        return [one.id for one in checkpoints(self.worktree)]

    def files(self, identity: str = "") -> dict[str, str]:
        """Return the paths of a checkpoint, by default the newest, and the mode of each."""
        found = [c for c in checkpoints(self.worktree) if not identity or c.id == identity]
        listed = self.git("ls-tree", "-r", "-z", found[-1].tree).split("\0")
        rows = (line.split("\t", 1) for line in listed if line)
        return {path: facts.split(" ")[0] for facts, path in rows}

    def content(self, name: str, identity: str = "") -> bytes:
        """Return a file of a checkpoint, by default the newest."""
        found = [c for c in checkpoints(self.worktree) if not identity or c.id == identity]
        done = self.run("cat-file", "blob", f"{found[-1].tree}:{name}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def own(self) -> tuple[bytes, bytes | None, str]:
        """Return what is the user's: HEAD, the index, and every ref that is not Torch's."""
        git_dir = Path(self.git("rev-parse", "--absolute-git-dir"))
        index = git_dir / "index"
        refs = self.git("for-each-ref", "--format=%(refname) %(objectname)")
        mine = "\n".join(line for line in refs.splitlines() if not line.startswith("refs/torch/"))
        head = (git_dir / "HEAD").read_bytes()
        return head, index.read_bytes() if index.exists() else None, mine


def at_a_terminal(
    argv: Sequence[str], directory: Path, answers: Sequence[str], prompts: Sequence[str]
) -> str:
    """Run a command at a terminal, answer each prompt in turn, and return what it showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.environ["PYTHONPATH"] = str(SOURCE)
        os.execv(argv[0], list(argv))
    shown, waiting = "", list(zip(answers, prompts, strict=False))
    deadline = time.monotonic() + 2 * PATIENCE
    while True:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # it has ended
                break
        if waiting and waiting[0][1] in shown:
            os.write(terminal, f"{waiting.pop(0)[0]}\n".encode())
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown
