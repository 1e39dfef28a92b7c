"""The input box, what a message becomes when it is submitted, and the markers inside it."""

import re
from dataclasses import dataclass, field

from torch_cli.demo_agent.keys import to_bytes

LONG_PASTE = 800  # characters; a paste of more is shown as a placeholder
MANY_LINES = 4  # a paste of so many lines is shown as a placeholder
QUOTED = 200  # characters of a line that an answer repeats
ENVELOPED = 8  # lines that it repeats of a message with an envelope

_NEWLINE = re.compile(r"\r\n|\r|\n")
_MARKER = re.compile(r"\b(DELAY|ANSWER|DIALOGAT|DIALOG|LIMIT|ERROR|RETRY|CRASH|SLEEP)\(([^()]*)\)")
_COMMAND = re.compile(r"/([\w:-]+)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Submission:
    """One message: ``text`` as the agent takes it, ``raw`` as it was given, ``shown`` on screen."""

    text: str
    raw: bytes
    shown: str

    @property
    def command(self) -> str:
        """The name after a leading ``/``, or an empty string; a path such as ``/a/b`` is text."""
        found = _COMMAND.match(self.text)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A request to misbehave, ``NAME(value)``, found in a message."""

    name: str
    value: str

    @property
    def seconds(self) -> float:
        """The number that ``value`` begins with; 0 if there is none."""
        try:
            return float(self.value.partition(",")[0])
        except ValueError:
            return 0.0


def markers(text: str) -> list[Marker]:
    """Return the markers in ``text``, in order."""
    return [Marker(found[1], found[2].strip()) for found in _MARKER.finditer(text)]


def answer_to(messages: list[Submission]) -> str:
    """Return the answer that a marker asks for, or else the beginning of each message."""
    for message in messages:
        for marker in markers(message.text):
            if marker.name == "ANSWER":
                return marker.value.replace("\\n", "\n")
    return "\n".join(f"You said: {_beginning(message.text.strip())}" for message in messages)


def _beginning(text: str) -> str:
    """Return the first line of a message, cut; of one with an envelope some lines more."""
    lines = text.split("\n")
    most = ENVELOPED if lines[0].startswith("[") and lines[0].endswith("]") else 1
    return "\n".join(f"{line[:QUOTED]}{'…' if len(line) > QUOTED else ''}" for line in lines[:most])


def normalise(text: str) -> str:
    """Return ``text`` as the agent takes it: LF for CR, 4 spaces for a tab, no spaces at the end.

    Bytes that are not UTF-8 become U+FFFD.
    """
    lines = _NEWLINE.sub("\n", text).replace("\t", "    ").rstrip(" \n")
    return to_bytes(lines).decode("utf-8", "replace")


@dataclass(slots=True)
class InputBox:
    """The input box: typed text, short pastes as text, long pastes behind a placeholder.

    The cursor is always at the end.
    """

    _parts: list[tuple[str, str]] = field(default_factory=list)  # (text, placeholder or "")
    _pastes: int = 0

    @property
    def text(self) -> str:
        """All of the text, as it was given."""
        return "".join(text for text, _ in self._parts)

    @property
    def shown(self) -> str:
        """The text with placeholders, as it was given."""
        return "".join(placeholder or text for text, placeholder in self._parts)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def type(self, text: str) -> None:
        """Add typed text."""
        self._parts.append((text, ""))

    def paste(self, text: str) -> bool:
        """Add pasted text; return whether a placeholder stands for it."""
        newlines = len(_NEWLINE.findall(text))
        if len(text) <= LONG_PASTE and newlines + 1 < MANY_LINES:
            if text:
                self._parts.append((text, ""))
            return False
        self._pastes += 1
        lines = f" +{newlines} lines" if newlines else ""
        self._parts.append((text, f"[Pasted text #{self._pastes}{lines}]"))
        return True

    def erase(self) -> None:
        """Remove the last character, or the whole paste that a placeholder stands for."""
        if not self._parts:
            return
        text, placeholder = self._parts.pop()
        if not placeholder and len(text) > 1:
            self._parts.append((text[:-1], ""))

    def clear(self) -> None:
        """Remove everything."""
        self._parts.clear()

    def continue_line(self) -> bool:
        r"""Turn a ``\`` at the end into a newline; return whether there was one."""
        if not self._parts or self._parts[-1][1] or not self._parts[-1][0].endswith("\\"):
            return False
        self.erase()
        self.type("\n")
        return True

    def message(self) -> Submission:
        """Return the content as a message; its text is empty if there is nothing but spaces."""
        text = self.text
        return Submission(normalise(text), to_bytes(text), normalise(self.shown))
