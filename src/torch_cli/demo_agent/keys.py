"""From bytes to events: what the person or program at the terminal typed, pasted and pressed.

The decoder is fed one ``read()`` at a time, because that border matters: a carriage return that
comes in the same read as typed text cannot be told from pasted text, and counts as a newline.
"""

import codecs
import re
from dataclasses import dataclass
from enum import Enum

# "surrogateescape" keeps bytes that are not UTF-8, so that to_bytes() gives back the exact input.
_ERRORS = "surrogateescape"


@dataclass(frozen=True, slots=True)
class Text:
    """Typed text, without a frame around it; newlines are LF, or CR as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """The content of one bracketed paste, without its frame, otherwise as it came."""

    text: str


class KeyPress(Enum):
    """A key that means something; all others are dropped."""

    ENTER = "enter"
    SUBMIT = "submit"  # the chord C-x C-q
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    CLEAR = "clear"
    INTERRUPT = "interrupt"
    END = "end"
    UP = "up"
    DOWN = "down"
    MODE = "mode"


Event = Text | Pasted | KeyPress

_TOKEN = re.compile(
    rb"(?P<text>[^\x00-\x08\x0b-\x1f\x7f]+)"
    rb"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    rb"|(?P<sequence>\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[@-~]|\x1b[\r -NP-Z\\-~])"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
_PASTE_START = b"\x1b[200~"
_PASTE_END = b"\x1b[201~"
_CHORD_START = b"\x18"
_CHORD_END = b"\x11"
_KEYS: dict[bytes, Event] = {
    b"\r": KeyPress.ENTER,
    b"\x03": KeyPress.INTERRUPT,
    b"\x04": KeyPress.END,
    b"\x08": KeyPress.BACKSPACE,
    b"\x15": KeyPress.CLEAR,
    b"\x7f": KeyPress.BACKSPACE,
    b"\x1b[A": KeyPress.UP,
    b"\x1bOA": KeyPress.UP,
    b"\x1b[B": KeyPress.DOWN,
    b"\x1bOB": KeyPress.DOWN,
    b"\x1b[Z": KeyPress.MODE,
    b"\x1b\r": Text("\n"),
}


def to_bytes(text: str) -> bytes:
    """Return the bytes that ``text`` was decoded from."""
    return text.encode("utf-8", _ERRORS)


class Decoder:
    """An incremental decoder from terminal input to events."""

    def __init__(self) -> None:
        self._rest = b""
        self._paste: bytearray | None = None
        self._chord = False
        self._utf8 = codecs.getincrementaldecoder("utf-8")(_ERRORS)

    @property
    def waiting(self) -> bool:
        """Whether an Esc is at the end that may be a key, or the start of a sequence."""
        return bool(self._rest)

    def flush(self) -> list[Event]:
        """Take a waiting Esc for the key; call this when nothing has followed for a moment."""
        if not self._rest:
            return []
        self._rest = b""
        return [KeyPress.ESCAPE]

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events of one read."""
        events = self._events(chunk)
        if any(isinstance(event, Text) for event in events):
            events = [Text("\r") if event is KeyPress.ENTER else event for event in events]
        return _merged(events)

    def _events(self, chunk: bytes) -> list[Event]:
        data, self._rest = self._rest + chunk, b""
        events: list[Event] = []
        position = 0
        while position < len(data):
            if self._paste is not None:
                position = self._read_paste(data, position, events)
            elif token := _TOKEN.match(data, position):
                position = token.end()
                self._read_token(token[0], token.lastgroup, events)
            elif _UNFINISHED.match(data, position):
                self._rest = data[position:]
                break
            else:
                events.append(KeyPress.ESCAPE)
                position += 1
        return events

    def _read_paste(self, data: bytes, position: int, events: list[Event]) -> int:
        """Take paste content from ``data``; return the position after it."""
        paste = self._paste
        assert paste is not None
        # The end of the frame may have begun in an earlier read.
        before = len(paste)
        paste += data[position:]
        end = paste.find(_PASTE_END, max(0, before - len(_PASTE_END) + 1))
        if end < 0:
            return len(data)
        after = end + len(_PASTE_END) - before
        events.append(Pasted(paste[:end].decode("utf-8", _ERRORS)))
        self._paste = None
        return position + after

    def _read_token(self, token: bytes, kind: str | None, events: list[Event]) -> None:
        chord, self._chord = self._chord, token == _CHORD_START
        if kind == "text":
            events.append(Text(self._utf8.decode(token)))
            return
        if torn := self._utf8.decode(b"", final=True):
            events.append(Text(torn))
        if token == _PASTE_START:
            self._paste = bytearray()
        elif chord and token == _CHORD_END:
            events.append(KeyPress.SUBMIT)
        elif token in _KEYS:
            events.append(_KEYS[token])


def _merged(events: list[Event]) -> list[Event]:
    """Join neighbouring texts, and drop empty ones."""
    merged: list[Event] = []
    for event in events:
        if isinstance(event, Text) and not event.text:
            continue
        last = merged[-1] if merged else None
        if isinstance(event, Text) and isinstance(last, Text):
            merged[-1] = Text(last.text + event.text)
        else:
            merged.append(event)
    return merged
