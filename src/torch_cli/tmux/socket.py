"""Which tmux server: the choice between ``-L``, ``-S``, the environment, and tmux's default."""

import os
from collections.abc import Mapping
from typing import NamedTuple


class Socket(NamedTuple):
    """How to reach one tmux server: a socket name (``tmux -L``) or a path (``tmux -S``).

    ``demanded`` says that the caller named it for this one call and means no other server.
    """

    name: str = "default"
    path: str = ""
    demanded: bool = False

    @property
    def arguments(self) -> list[str]:
        """The words that go between ``tmux`` and its command."""
        return ["-S", self.path] if self.path else ["-L", self.name]

    def __str__(self) -> str:
        return self.path or self.name

    @property
    def file(self) -> str:
        """The path of the socket, as ``make_label()`` in tmux's tmux.c has it."""
        if self.path:
            return self.path
        return os.path.join(
            os.environ.get("TMUX_TMPDIR") or "/tmp", f"tmux-{os.getuid()}", self.name
        )

    def leads_to(self, file: str) -> bool:
        """Say whether this is the server with the socket ``file``."""
        return os.path.realpath(self.file) == os.path.realpath(file)

    @classmethod
    def choose(
        cls, name: str | None, path: str | None, environ: Mapping[str, str] = os.environ
    ) -> "Socket":
        """Return the server that the caller means.

        In order: an explicit path, an explicit name, ``TORCH_TMUX_SOCKET`` (a path if it holds a
        slash, else a name), the server of ``$TMUX``, tmux's default.
        """
        if path:
            return cls(path=path, demanded=True)
        if name:
            return cls(name=name, demanded=True)
        chosen = environ.get("TORCH_TMUX_SOCKET", "")
        if chosen:
            return cls(path=chosen) if "/" in chosen else cls(name=chosen)
        # $TMUX is "path,server pid,session"; only the last two commas are tmux's own.
        inherited = environ.get("TMUX", "").rsplit(",", 2)[0]
        return cls(path=inherited) if inherited else cls()
