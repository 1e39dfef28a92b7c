"""A command of Torch that a scheduler begins, and that can outlive it."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from torch_cli.child import detached_environment


class Background:
    """A command of Torch in a process of its own, as a person would run it.

    ``words`` are the command and its arguments, ``socket`` is that of its tmux server, '' for the
    usual one. ``environment`` are variables beside those of this process.
    """

    def __init__(
        self, words: Sequence[str], *, socket: str = "", environment: Mapping[str, str]
    ) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._child = subprocess.Popen(
            [sys.executable, "-m", "torch_cli", *words, *(["-S", socket] if socket else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
            cwd="/",
            env={**detached_environment(), **environment},
        )

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._child.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end, ``seconds`` at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(max(0.0, seconds))

    @property
    def status(self) -> int:
        """Its exit status, 0 if it continues."""
        return self._child.returncode or 0

    @property
    def failure(self) -> str:
        """What went wrong, in its own words; '' if nothing did, or it continues."""
        if not self.status:
            return ""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        said = [line for line in lines if line.startswith("torch: ")] or lines[-1:]
        words = said[0].removeprefix("torch: ") if said else ""
        return words or f"it ended with status {self.status}"
