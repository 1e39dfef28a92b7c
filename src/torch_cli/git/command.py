"""Running git: with which environment and options, for how long, and what its errors mean."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from torch_cli.child import end
from torch_cli.errors import RefusedError, TimedOutError, TorchError

GIT_SECONDS = 300.0
"""Seconds that one git process may take; 20,000 files take less than one."""

SLOW_SECONDS = 2.0
"""After this many seconds a person who waits is told what Torch waits for."""

NICENESS = 19
"""The niceness of git processes for checkpoints, so that people and agents do not wait for them.
With 10, 'torch send' took seven times as long beside eight of them on two cores (2026-11-25)."""

KEPT_VARIABLES = frozenset(
    {
        *("GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
        *("GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"),
        "GIT_TEST_ASSUME_DIFFERENT_OWNER",
    }
)
"""The variables that say where git is installed and configured. Git gets no others, because they
name another repository or index (git(1), "ENVIRONMENT VARIABLES")."""

QUIET = (
    *("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "core.splitIndex=false"),
    *("core.logAllRefUpdates=false", "gc.auto=0", "maintenance.auto=false"),
    *("core.quotePath=false", "core.alternateRefsCommand=", "submodule.recurse=false"),
    "core.safecrlf=false",
)
"""With these settings git runs no program of the repository, writes only what it is told to, and
refuses no line ends. ``filters`` handles filters."""


class GitError(TorchError):
    """A git command failed. ``said`` is what it wrote to stderr."""

    code = "git"
    said = ""


@contextlib.contextmanager
def saying(nothing: str) -> Iterator[None]:
    """Add to an error of git what was not done because of it."""
    try:
        yield
    except GitError as error:
        error.message += f"; {nothing}"
        raise


class NotARepositoryError(RefusedError):
    """The directory is not in a git repository."""

    code = "not-a-repository"


class Git(NamedTuple):
    """How git is run for one worktree.

    Git runs in ``directory``. ``git_dir`` names the repository if git does not find it from there
    (a shadow). ``index_file`` is used in place of the repository's index. ``settings`` are
    ``name=value``. ``lock`` is a file descriptor that every process inherits, so that the lock
    lasts until the last of them has ended. ``visible`` leaves hooks and signing as the user has
    them. ``slow`` is called once if a process takes longer than ``SLOW_SECONDS``.
    """

    directory: str
    git_dir: str = ""
    index_file: str = ""
    settings: tuple[str, ...] = ()
    lock: int = -1
    visible: bool = False
    timeout: float = GIT_SECONDS
    slow: Callable[[], None] | None = None

    def text(self, *words: str) -> str:
        """Return what git prints, without the last newline."""
        return os.fsdecode(self.run(*words)).removesuffix("\n")

    def run(self, *words: str, given: bytes = b"", status: Sequence[int] = (0,)) -> bytes:
        """Run git with ``given`` on its standard input; return its standard output.

        If its exit status is not among ``status``, raises ``GitError``, or what git's words mean:
        ``NotARepositoryError``, or ``RefusedError`` for a repository of another user. Raises
        ``TimedOutError`` if git took longer than ``timeout`` and was ended.
        """
        with self.start(*words) as running:
            return running.result(given, status)

    def start(self, *words: str) -> "Running":
        """Start git and do not wait for it."""
        settings = self.settings if self.visible else (*QUIET, *self.settings)
        options = [word for setting in settings for word in ("-c", setting)]
        try:
            child = subprocess.Popen(
                ["git", *options, *words],
                cwd=self.directory,
                env=self._environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(self.lock,) if self.lock >= 0 else (),
                start_new_session=True,  # no terminal: nothing prompts, and no C-c reaches git
            )
        except FileNotFoundError as error:
            if not os.path.isdir(self.directory):
                raise GitError(f"directory {self.directory} no longer exists") from error
            raise GitError("git is not installed, or not on the PATH", code="no-git") from error
        except OSError as error:
            raise GitError(f"git could not be run in {self.directory}: {error.strerror}") from error
        if not self.visible:
            _step_back(child.pid)
        return Running(child, " ".join(words)[:80], self.directory, self.timeout, self.slow)

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        kept = {n: v for n, v in environ.items() if not n.startswith("GIT_") or n in KEPT_VARIABLES}
        kept |= {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
        kept |= {"GIT_ASKPASS": "true", "GIT_EDITOR": ":"}
        if self.visible:
            names = ("AUTHOR", "COMMITTER")
            parts = ("NAME", "EMAIL", "DATE")
            wanted = [f"GIT_{name}_{part}" for name in names for part in parts]
            kept |= {name: environ[name] for name in wanted if name in environ}
            for name in ("GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY"):  # where a prompt would appear
                kept.pop(name, None)
        else:
            kept |= {
                "GIT_OPTIONAL_LOCKS": "0",
                "GIT_LITERAL_PATHSPECS": "1",
                "GIT_NO_LAZY_FETCH": "1",
                "GIT_ALLOW_PROTOCOL": "none",
                "GIT_NO_REPLACE_OBJECTS": "1",
            }
        if self.git_dir:
            kept |= {"GIT_DIR": self.git_dir, "GIT_WORK_TREE": self.directory}
        if self.index_file:
            kept["GIT_INDEX_FILE"] = self.index_file
        return kept


class Running:
    """A running git process. The ``with`` block ends it if nothing has waited for it."""

    def __init__(
        self,
        child: "subprocess.Popen[bytes]",
        words: str,
        directory: str,
        timeout: float,
        slow: Callable[[], None] | None = None,
    ) -> None:
        self._child, self._timeout, self._slow = child, timeout, slow
        self._what, self._where = f"git {words}", directory
        self._waited = False

    def result(self, given: bytes = b"", status: Sequence[int] = (0,)) -> bytes:
        """Wait for it, with ``given`` on its standard input; return what it printed.

        Raises as ``Git.run`` does.
        """
        try:
            out, err = self._communicate(given)
        except subprocess.TimeoutExpired as error:
            raise TimedOutError(
                f"'{self._what}' took more than {self._timeout:g} s in {self._where} and was ended"
            ) from error
        self._waited = True
        if self._child.returncode not in status:
            raise self._explained(os.fsdecode(err or out).strip())
        return out

    def _communicate(self, given: bytes) -> tuple[bytes, bytes]:
        if self._slow is None or self._timeout <= SLOW_SECONDS:
            return self._child.communicate(given, timeout=self._timeout)
        try:
            return self._child.communicate(given, timeout=SLOW_SECONDS)
        except subprocess.TimeoutExpired:
            self._slow()
        return self._child.communicate(timeout=self._timeout - SLOW_SECONDS)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._waited:
            end(self._child)

    def _explained(self, said: str) -> TorchError:
        """Return the error that git's words mean."""
        where = self._where
        if "dubious ownership" in said:
            return RefusedError(
                f"git does not trust {where}: another user owns it",
                hint=f"If you do: git config --global --add safe.directory {where}",
                code="not-owner",
            )
        if "not a git repository" in said:
            return NotARepositoryError(
                f"{where} is not in a git repository",
                hint="Run 'git init' there. Or keep checkpoints outside the directory: 'torch "
                "checkpoint init DIR --shadow'.",
            )
        if "must be run in a work tree" in said:
            return RefusedError(
                f"{where} is a bare repository, or inside a .git directory: it has no worktree",
                code="no-worktree",
            )
        status = self._child.returncode
        ended = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
        words = said.rpartition("\n")[2] if len(said) > 500 else said
        full = "No space left" in said
        error = GitError(
            f"'{self._what}' {ended} in {where}" + (f": {words}" if words else ""),
            hint="Free some space on that disk." if full else "",
            code="disk-full" if full else None,
        )
        error.said = said
        return error


def _step_back(pid: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    except OSError:
        return  # it has ended, or its priority is lower already
