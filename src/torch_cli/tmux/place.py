"""Checks of names, directories and commands for a window, made before anything is touched."""

import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence

from torch_cli.errors import RefusedError
from torch_cli.tmux.panes import Pane

_UNFIT_FOR_A_SESSION = re.compile(r"[:.\\]|\$(?=[A-Za-z_{])")
"""What tmux replaces or escapes in a session's name: ``session_check_name()`` in its session.c
turns ``:`` and ``.`` into ``_``, and measured on 3.3a (2026-11-22) ``a\\b`` becomes ``a\\\\b``
and ``${x}`` becomes ``\\${x}``."""

_LONGEST_VARIABLE = 131_071 if sys.platform.startswith("linux") else sys.maxsize
"""Bytes of ``NAME=VALUE`` that Linux hands to a program: ``MAX_ARG_STRLEN`` in its binfmts.h,
32 pages of 4 KiB, less the closing NUL. A longer one would make every start fail."""


def check_directory(path: str) -> str:
    """Return the directory that ``path`` means: absolute, symbolic links resolved.

    ``~`` and ``~user`` are expanded, and nothing else is. Raises ``RefusedError`` if it does not
    exist, is not a directory, or may not be entered.
    """
    if not path or "\0" in path:
        raise RefusedError(f"{path!r} is not a valid directory", code="bad-directory")
    shown = f"{path!r}"
    try:
        resolved = os.path.realpath(os.path.expanduser(path))
        if resolved != path:
            shown += f" ({resolved!r})"
        os.stat(resolved)
    except OSError as error:
        said = (error.strerror or "it cannot be read").lower()
        raise RefusedError(f"directory {shown}: {said}", code="bad-directory") from None
    if not os.path.isdir(resolved):
        raise RefusedError(f"{shown} is not a directory", code="bad-directory")
    if not os.access(resolved, os.X_OK):
        raise RefusedError(
            f"directory {shown} cannot be entered",
            hint="Check its permissions.",
            code="bad-directory",
        )
    return resolved


def check_window_name(name: str) -> None:
    """Raise ``RefusedError`` unless ``name`` can be a window's name: no control characters."""
    if not name:
        raise RefusedError("the window's name is empty", code="bad-name")
    for offset, char in enumerate(name):
        if unicodedata.category(char) == "Cc":
            raise RefusedError(
                f"the window's name {name!r} contains a control character at {offset}",
                code="bad-name",
            )


def check_session_name(name: str) -> None:
    """Raise ``RefusedError`` unless tmux would keep ``name`` as the name of a new session."""
    if not name:
        raise RefusedError("the session's name is empty", code="bad-name")
    if fit_session_name(name) != name:
        raise RefusedError(
            f"{name!r} is not a valid session name: tmux would change ':', '.', '\\', a '$' "
            "before a letter, and characters that cannot be shown, and it reads '$1', '@1' and "
            "'%1' as ids",
            hint=f"Use --session {fit_session_name(name)!r}.",
            code="bad-name",
        )


def default_session(panes: Sequence[Pane], directory: str, environ: Mapping[str, str]) -> str:
    """Return the session to use if the caller names none.

    It is the caller's own session if the caller runs in a pane of this server, else one named after
    ``directory``.
    """
    here = environ.get("TMUX_PANE", "")
    server = environ.get("TMUX", "").rsplit(",", 2)[1:2]
    for pane in panes:
        if pane.id == here and [str(pane.server_pid)] == server:
            return pane.session
    return fit_session_name(os.path.basename(directory)) or "root"


def check_environment(environment: Mapping[str, str]) -> None:
    """Raise ``RefusedError`` for a variable that cannot be given to any program."""
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name + value:
            raise RefusedError(f"variable {name!r} cannot be passed on", code="bad-environment")
        if len(os.fsencode(f"{name}={value}")) > _LONGEST_VARIABLE:
            raise RefusedError(
                f"variable {name!r} is longer than {_LONGEST_VARIABLE} bytes, too long for a "
                "program to be started with",
                hint="Put the value into a file and pass its path.",
                code="bad-environment",
            )


def check_command(command: Sequence[str]) -> None:
    """Raise ``RefusedError`` for a command that no system call can carry."""
    if (command and not command[0]) or any("\0" in word for word in command):
        raise RefusedError(f"{list(command)!r} is not a valid command", code="bad-command")


def fit_session_name(name: str) -> str:
    """Return ``name`` in a form that tmux keeps as a session's name, with ``_`` for what it would
    change.
    """
    shown = "".join(
        "_" if unicodedata.category(char) in ("Cc", "Cs", "Cn", "Zl", "Zp") else char
        for char in _UNFIT_FOR_A_SESSION.sub("_", name)
    )
    return re.sub(r"^[$@%](?=\d+$)", "_", shown)
