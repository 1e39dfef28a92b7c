"""The variables that ``--env`` and ``--env-file`` name, as a dictionary.

Values keep every byte: ``surrogateescape`` carries bytes that are not UTF-8. Error messages name
variables and lines, never values.
"""

import os
import re
from collections.abc import Iterable, Mapping

from torch_cli.errors import RefusedError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TMUX_OWN = ("TMUX", "TMUX_PANE")


def read_environment(
    given: Iterable[str] = (),
    files: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the variables of ``files``, then those ``given``; a later one replaces an earlier.

    ``given`` holds ``NAME=VALUE``, or ``NAME`` alone to take the value from ``environ``. Raises
    ``RefusedError`` for a file that cannot be read, a name that cannot be one, a NUL, a variable
    that is not set, and for ``TMUX`` and ``TMUX_PANE``, which tmux sets itself.
    """
    variables: dict[str, str] = {}
    for path in files:
        variables.update(read_file(path))
    for one in given:
        name, equals, value = one.partition("=")
        _check(name, value, "--env")
        if not equals:
            if name not in environ:
                raise RefusedError(f"--env {name}: {name} is not set here", code="bad-environment")
            value = environ[name]
        variables[name] = value
    return variables


def read_file(path: str) -> dict[str, str]:
    """Return the variables of a dotenv file; a quoted value may span lines, nothing is expanded.

    Raises ``RefusedError`` with the line that cannot be understood.
    """
    from io import StringIO

    from dotenv.parser import parse_stream

    variables: dict[str, str] = {}
    for binding in parse_stream(StringIO(_read(path), newline="")):
        place = f"{path!r}, line {_line(binding.original.string, binding.original.line)}"
        if binding.error:
            raise RefusedError(
                f"{place}: not NAME=VALUE",
                hint="Put a value of several lines in quotes.",
                code="bad-environment",
            )
        if binding.key is None:
            continue  # blank, or a comment
        if binding.value is None:
            raise RefusedError(
                f"{place}: variable {binding.key!r} has no value",
                hint="Write NAME= for an empty value; --env NAME takes the caller's value.",
                code="bad-environment",
            )
        _check(binding.key, binding.value, place)
        variables[binding.key] = binding.value
    return variables


def _read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except OSError as error:
        said = (error.strerror or "it cannot be read").lower()
        raise RefusedError(f"--env-file {path!r}: {said}", code="bad-environment") from None


def _line(original: str, first: int) -> int:
    """Return the line where a binding itself begins; the parser counts blank lines before it."""
    blank = original[: len(original) - len(original.lstrip())]
    return first + len(re.findall(r"\r\n|\n|\r", blank))


def _check(name: str, value: str, place: str) -> None:
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"{place}: {name!r} is not a valid variable name",
            hint="Use letters, digits and '_', and no digit first.",
            code="bad-environment",
        )
    if name in _TMUX_OWN:
        raise RefusedError(f"{place}: tmux sets {name} itself", code="bad-environment")
    if "\0" in value:
        raise RefusedError(
            f"{place}: the value of {name} contains a NUL byte, and a variable cannot",
            code="bad-environment",
        )
