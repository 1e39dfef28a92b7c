"""The process at the end of a pane's pipe: it turns the pane's output into lines of a text file.

tmux starts it as a script, without the rest of Torch. It never ends before the pane does. Output
that cannot be written, because the disk is full or the directory is gone, is dropped and counted.
The file says so once there is room again.
"""

import codecs
import contextlib
import fcntl
import os
import re
import sys
import time
from typing import Any

LOG_FILE_BYTES = 10 * 1024 * 1024
"""At this many bytes the file is put aside and a new one begins."""

KEPT_FILES = 4
"""How many older files are kept: ``….log.1`` (the newest) and so on."""

LOG_LINE_CHARACTERS = 8192
"""A line without an end is written after this many characters."""

HELD_BACK_CHARACTERS = 4096
"""This many characters of an unfinished sequence are kept. The rest of a longer one (a picture, a
text for the clipboard) is dropped."""

EXIT_LOCKED = 3
"""Exit status if another writer has the file."""

LOG_LOCK_SECONDS = 2.0
"""Seconds for which a lock that another has is waited for: who only looks whether anybody writes
has it for a moment, and for a longer one on a busy machine."""

_TOKEN = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS and its kin
    r"|\x1b\[(?P<count>[0-?]{0,256})[ -/]{0,16}(?P<final>[@-~])"  # CSI
    r"|\x1b[ -/]{0,16}[0-~]"
    r"|(?P<text>[^\x00-\x1f\x7f\x80-\x9f]+)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f\x80-\x9f])",
)
_UNFINISHED = re.compile(
    r"\x1b(?:\[[0-?]{0,256}[ -/]{0,16}|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]{0,16})?\Z"
)
# From inside a string to behind its end, for an OSC and for the others.
_END_OF_OSC = re.compile(r"[^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b[^\\]))")
_END_OF_OTHER = re.compile(r"[^\x1b]*(?:\x1b\\|(?=\x1b[^\\]))")
_MOVES = "ABEFHfd"  # CSI that goes to another row


class LineWriter:
    """Turns output for a terminal into lines of text. Sequences may come in pieces.

    A carriage return begins its line again. Moving to another row ends the line. Several blank
    lines become one. Programs that draw a screen leave a line for each row that they draw.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._inside: re.Pattern[str] | None = None  # inside a string: how it ends
        self._line = ""
        self._return = False
        self._blank = True

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """Return the lines that end in ``data``, each with its newline. ``last`` ends all lines."""
        text = self._rest + self._decoder.decode(data, last)
        self._rest = ""
        if self._inside is not None:
            end = self._inside.match(text)
            text = text[end.end() :] if end else text[-1:] if text.endswith("\x1b") else ""
            self._inside = None if end else self._inside
        cut = None if last else _UNFINISHED.search(text)
        if cut:
            text, self._rest = text[: cut.start()], text[cut.start() :]
            if len(self._rest) > HELD_BACK_CHARACTERS:
                self._inside = _END_OF_OSC if self._rest[1] == "]" else _END_OF_OTHER
                self._rest = "\x1b" if self._rest.endswith("\x1b") else ""
        out: list[str] = []
        for token in _TOKEN.finditer(text):
            self._take(token, out)
        if last and self._line:
            self._end(out)
        return "".join(out)

    def _take(self, token: re.Match[str], out: list[str]) -> None:
        if token["text"]:
            if self._return:
                self._line, self._return = "", False
            self._line += token["text"]
            while len(self._line) > LOG_LINE_CHARACTERS:
                rest, self._line = (
                    self._line[LOG_LINE_CHARACTERS:],
                    self._line[:LOG_LINE_CHARACTERS],
                )
                self._end(out)
                self._line = rest
        elif token["control"] == "\n" or (token["final"] or "_") in _MOVES:
            self._end(out)
        elif token["control"] == "\r":
            self._return = True
        elif token["control"] == "\t":
            self._line += "\t"
        elif token["control"] == "\b":
            self._line = self._line[:-1]
        elif token["final"] == "C":
            self._line += " " * min(int(re.sub(r"\D", "", token["count"]) or 1), 500)

    def _end(self, out: list[str]) -> None:
        line, self._line, self._return = self._line.rstrip(), "", False
        if line or not self._blank:
            out.append(line + "\n")
        self._blank = not line


class Rotated:
    """A file that is put aside when it is large. Only its owner may read it."""

    def __init__(self, path: str, largest: int = LOG_FILE_BYTES, kept: int = KEPT_FILES) -> None:
        self.path, self.largest, self.kept = path, largest, kept
        self.lost = 0
        self._why = ""
        self._file = -1
        self._open()

    def write(self, text: str) -> None:
        """Append ``text``, or count its bytes as lost."""
        data = text.encode("utf-8", "replace")
        try:
            self._make_room(len(data))
            if self.lost:
                when = time.strftime("%Y-%m-%d %H:%M:%S")
                gap = f"[torch log: {self.lost} bytes until {when} were lost: {self._why}]\n"
                self._append(gap.encode())
                self.lost = 0
            self._append(data)
        except OSError as error:
            self.lost += len(data)
            self._why = error.strerror or str(error)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
        self._file = -1

    def _append(self, data: bytes) -> None:
        """Append all of ``data``, or nothing."""
        size = os.fstat(self._file).st_size
        written = os.write(self._file, data)
        if written != len(data):
            os.ftruncate(self._file, size)
            raise OSError(0, "there was not enough room for all of it")

    def _make_room(self, more: int) -> None:
        """Begin a new file if this one is large, or no longer has that name."""
        if self._file < 0:
            self._open()
        here = os.fstat(self._file)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            self._open()
            return
        if (here.st_dev, here.st_ino) != (named.st_dev, named.st_ino):
            self._open()
        elif here.st_size and here.st_size + more > self.largest:
            for number in range(self.kept, 0, -1):
                older = f"{self.path}.{number - 1}" if number > 1 else self.path
                with contextlib.suppress(FileNotFoundError):
                    os.replace(older, f"{self.path}.{number}")
            self._open()

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self.path, flags, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file = file


def lock(path: str, seconds: float = 0.0) -> Any:
    """Take the right to write to ``path``; return ``None`` if another has it for ``seconds``."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                os.close(file)
                return None
            time.sleep(0.01)
        else:
            return file


def is_locked(path: str) -> bool:
    """Return whether a process writes to ``path``; one that only looks does not count."""
    try:
        file = os.open(f"{path}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def main(path: str) -> int:
    """Write standard input to ``path`` until it ends; return the exit status."""
    held = lock(path, LOG_LOCK_SECONDS)
    if held is None:
        return EXIT_LOCKED
    file, lines = Rotated(path), LineWriter()
    while data := os.read(0, 1 << 16):
        if text := lines.feed(data):
            file.write(text)
    if text := lines.feed(b"", last=True):
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
