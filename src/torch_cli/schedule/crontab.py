"""Torch's one line in the user's crontab. All other lines stay byte for byte."""

import shlex
import subprocess
from typing import NamedTuple

from torch_cli.errors import NotFoundError, TorchError
from torch_cli.schedule import cron_mark
from torch_cli.schedule.command import environment, torch_words

CRONTAB_MARK = b"# torch tick"
"""The end of Torch's line. A line with this end is Torch's."""

CRONTAB_SECONDS = 20.0
"""Seconds that the crontab program may take."""


class CrontabChange(NamedTuple):
    """A crontab before and after, as bytes, and our line in each, '' if there is none."""

    before: bytes
    after: bytes
    line_before: str
    line_after: str


def line() -> str:
    """Return our line: every minute, with the paths and variables that cron does not give."""
    given = [f"{name}={shlex.quote(value)}" for name, value in environment().items()]
    words = [shlex.quote(word) for word in [*torch_words(), "tick", "--quiet"]]
    # For cron "%" is a newline, also in quotes, unless a backslash is before it.
    return (
        f"* * * * * {' '.join([*given, *words])}".replace("%", "\\%") + f" {CRONTAB_MARK.decode()}"
    )


def change(*, keep: bool) -> CrontabChange:
    """Return the crontab with our line installed (``keep``) or removed.

    Raises ``NotFoundError`` if there is no crontab program, ``TorchError`` if it fails.
    """
    before = read()
    lines = before.splitlines(keepends=True)
    ours = [text for text in lines if _is_ours(text)]
    new = f"{line()}\n".encode() if keep else b""
    if ours:
        at = lines.index(ours[0])
        lines = [text for text in lines if not _is_ours(text)]
        lines.insert(at, new)
    elif keep:
        # Our line would become part of a last line without a newline.
        lines += [b"\n"] if lines and not lines[-1].endswith(b"\n") else []
        lines.append(new)
    shown = ours[0].decode("utf-8", "replace").strip() if ours else ""
    return CrontabChange(before, b"".join(lines), shown, new.decode().strip())


def _is_ours(text: bytes) -> bool:
    return text.rstrip().endswith(CRONTAB_MARK) and not text.lstrip().startswith(b"#")


def read() -> bytes:
    """Return the user's crontab, empty if there is none."""
    done = _crontab(["-l"], b"")
    if done.returncode == 0:
        return done.stdout
    if b"no crontab for" in done.stderr.lower():
        return b""
    raise _failed("be read", done)


def write(text: bytes) -> None:
    """Make ``text`` the user's crontab."""
    done = _crontab(["-"], text)
    if done.returncode != 0:
        raise _failed("be written; it was not changed", done)
    cron_mark.remember(any(map(_is_ours, text.splitlines())))


def _crontab(words: list[str], given: bytes) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["crontab", *words],
            input=given,
            capture_output=True,
            timeout=CRONTAB_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NotFoundError(
            "this machine has no crontab program; nothing was changed",
            hint="Install cron, or use 'torch daemon start' or 'torch daemon install'.",
            code="no-crontab",
        ) from None
    except subprocess.TimeoutExpired:
        raise TorchError(
            f"crontab did not answer in {CRONTAB_SECONDS:g} s", code="crontab"
        ) from None


def _failed(what: str, done: "subprocess.CompletedProcess[bytes]") -> TorchError:
    said = done.stderr.decode("utf-8", "replace").strip()
    return TorchError(f"the crontab could not {what}: {said}", code="crontab")
