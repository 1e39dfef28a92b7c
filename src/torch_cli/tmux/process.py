"""A tmux client process and its pipes, started without the cost of importing ``subprocess``."""

import errno
import os
import select
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.errors import NotFoundError, TimedOutError
from torch_cli.intervals import INTERVALS
from torch_cli.tmux.socket import Socket

CALL_TIMEOUT = INTERVALS.answer
"""Seconds that one exchange with tmux may take."""

_OF_ANOTHER = frozenset(
    {
        *("TMUX", "TMUX_PANE"),
        *("INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "SYSTEMD_EXEC_PID"),
        *("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"),
    }
)
"""The variables that mean one pane, or one service (systemd.exec(5), sd_notify(3))."""

PIPE_READ_BYTES = 1 << 18
"""Bytes asked of a pipe at once."""


class Completed(NamedTuple):
    """A tmux command run as a process of its own: exit status, output, error output."""

    status: int
    out: str
    error: str


def program() -> str:
    """Return the tmux program: what ``TORCH_TMUX`` names, else ``tmux``.

    A name without a slash is searched for on the ``PATH`` when it is run. A path is made absolute,
    so that it means the same in an agent's directory.
    """
    chosen = os.environ.get("TORCH_TMUX", "")
    if "/" not in chosen:
        return chosen or "tmux"
    # pathlib would cost half as much as an empty Python.
    return os.path.abspath(os.path.expanduser(chosen))  # noqa: PTH100


def environment(path: str | None = None) -> dict[str, str]:
    """Return the environment in which tmux itself is run, with ``path`` as its ``PATH`` if given.

    ``TMUX`` and ``TMUX_PANE`` are left out, because the server is always named explicitly, and what
    systemd tells a service about itself: a server started by one outlives it.
    """
    own = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER}
    return own if path is None else {**own, "PATH": path}


def run(
    socket: Socket,
    *words: str,
    stdin: bytes = b"",
    timeout: float = CALL_TIMEOUT,
    path: str | None = None,
    before: tuple[str, ...] = (),
) -> Completed:
    """Run one tmux command as a process and return what it said.

    ``path`` is the ``PATH`` of what tmux starts for it, by default the caller's. ``before`` is a
    program with its words that runs tmux. Raises ``NotFoundError`` if there is no tmux,
    ``TimedOutError`` after ``timeout`` seconds.
    """
    arguments = ["-u", *socket.arguments, *words]
    pipes = Pipes(arguments, merge_errors=False, path=path, before=before)
    try:
        out, error = pipes.communicate(stdin, time.monotonic() + timeout)
        status = pipes.wait(1.0)
    except TimeoutError:
        command = next((word for word in words if not word.startswith("-")), words[0])
        raise too_slow(socket, command, timeout) from None
    finally:
        pipes.close()
    return Completed(
        status, out.decode("utf-8", "surrogateescape"), error.decode("utf-8", "replace").strip()
    )


def too_slow(socket: Socket, what: str, timeout: float) -> TimedOutError:
    """Return the error for ``what``, which tmux did not answer within ``timeout`` seconds."""
    return TimedOutError(
        f"tmux server {socket} did not answer '{what}' within {timeout:g} s",
        hint="The server may be stopped or overloaded; try 'tmux ls' on it.",
    )


_NO_PROGRAM = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.ELOOP)
"""The errors of execve(2) for a path that does not lead to a program."""


def no_tmux(error: OSError) -> NotFoundError:
    """Return the error for a tmux that cannot be run; ``error`` is the system's."""
    chosen = os.environ.get("TORCH_TMUX", "")
    if chosen:
        return NotFoundError(
            f"TORCH_TMUX names {chosen!r}, which cannot be run: {error.strerror}",
            hint="Set it to the name or the path of a tmux program, or unset it.",
            code="no-tmux",
        )
    return NotFoundError(
        "tmux is not installed, or not on the PATH",
        hint="Install it (apt-get install tmux, brew install tmux), then 'torch doctor'.",
        code="no-tmux",
    )


class Streams:
    """The two pipes to a tmux client, which reads what is written to ``stdin``. -1 is closed."""

    stdin = stdout = -1

    def open_streams(self, theirs: list[int]) -> None:
        """Make both pipes. Adds the client's ends to ``theirs``, its input first."""
        end, self.stdin = os.pipe()
        theirs.append(end)
        self.stdout, end = os.pipe()
        theirs.append(end)
        os.set_blocking(self.stdin, False)

    def send(self, data: bytes, deadline: float, drain: Callable[[], object] | None = None) -> None:
        """Write all of ``data``. Calls ``drain`` when output waits, so that neither side blocks.

        Raises ``TimeoutError`` at ``deadline`` (monotonic seconds).
        """
        view = memoryview(data)
        while view:
            readable = [self.stdout] if drain else []
            ready, writable, _ = select.select(
                readable, [self.stdin], [], max(0.0, deadline - time.monotonic())
            )
            if not ready and not writable:
                raise TimeoutError
            if ready and drain:
                drain()
            if writable:
                try:
                    view = view[os.write(self.stdin, view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    return

    def close_stdin(self) -> None:
        """Say that no more input comes."""
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def close_streams(self) -> None:
        """Close both."""
        self.close_stdin()
        if self.stdout >= 0:
            os.close(self.stdout)
            self.stdout = -1


class Pipes(Streams):
    """A tmux client with ``arguments``, its standard input and its outputs.

    Raises ``NotFoundError`` if there is no tmux to run. ``before`` is a program that runs it.
    """

    def __init__(
        self,
        arguments: list[str],
        *,
        merge_errors: bool,
        path: str | None = None,
        before: tuple[str, ...] = (),
    ) -> None:
        self.pid, self.stderr = 0, -1
        theirs: list[int] = []
        try:
            self.open_streams(theirs)
            if not merge_errors:
                self.stderr, end = os.pipe()
                theirs.append(end)
            command, last = [*before, program(), *arguments], len(theirs) - 1
            self.pid = os.posix_spawnp(
                command[0],
                command,
                environment(path),
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs[min(n, last)], n) for n in range(3)],
                setsigdef=[signal.SIGPIPE],
            )
        except OSError as error:
            self.close()
            if error.errno not in _NO_PROGRAM:
                raise
            raise no_tmux(error) from None
        finally:
            for fd in theirs:
                os.close(fd)

    def communicate(self, stdin: bytes, deadline: float) -> tuple[bytes, bytes]:
        """Write ``stdin``, close it, and read both outputs to their ends."""
        if len(stdin) > 0:
            self.send(stdin, deadline)
        self.close_stdin()
        parts: dict[int, list[bytes]] = {self.stdout: [], self.stderr: []}
        open_fds = set(parts)
        while open_fds:
            ready, _, _ = select.select(
                list(open_fds), [], [], max(0.0, deadline - time.monotonic())
            )
            if not ready:
                raise TimeoutError
            for fd in ready:
                piece = os.read(fd, PIPE_READ_BYTES)
                if piece:
                    parts[fd].append(piece)
                else:
                    open_fds.discard(fd)
        return b"".join(parts[self.stdout]), b"".join(parts[self.stderr])

    def wait(self, seconds: float) -> int:
        """Reap the child. Kills it if it has not ended after ``seconds``."""
        deadline = time.monotonic() + seconds
        pause = 0.0005
        while self.pid:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                deadline += 60
            select.select([], [], [], pause)  # SIGCHLD belongs to the caller
            pause = min(pause * 2, 0.02)
        return 0

    def close(self) -> None:
        """Close the pipes and reap the child."""
        self.close_streams()
        if self.stderr >= 0:
            os.close(self.stderr)
            self.stderr = -1
        self.wait(1.0)
