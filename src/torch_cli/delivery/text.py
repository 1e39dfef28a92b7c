"""Which texts may be sent: refusals of texts that cannot arrive intact, the guard, and what "the
same" means.
"""

import re
import unicodedata
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.programs.profile import Profile

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""A whole control sequence (CSI, OSC). Without its ESC the rest would stay as text."""

_JOINER, _NON_JOINER, _SELECTORS = "\u200d", "\u200c", "\ufe0e\ufe0f"
_TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
_BLACK_FLAG = "\N{WAVING BLACK FLAG}"
_BLANKS = "\u034f\u3164"  # not format characters in Unicode, but stripped too
_KEYCAPS = "#*0123456789\N{INFORMATION SOURCE}"  # they take a selector, and are not symbols
_SIGNS = ("So", "Sm", "Sk", "Po")


class Prepared(NamedTuple):
    """A message ready to be typed.

    ``typed`` is the text that goes into the box, guard included. ``changes`` names, for the
    receipt, what differs from the text that was given.
    """

    typed: str
    changes: tuple[str, ...]


def decode(data: bytes) -> str:
    """Return ``data`` as text; raises ``RefusedError`` naming the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"the message is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}; "
            "nothing was sent",
            code="not-utf8",
        ) from None


def prepare(text: str, profile: Profile, *, head: str = "", clean: bool = False) -> Prepared:
    """Return ``text`` behind ``head`` in the form that is typed into a program of this profile.

    Raises ``RefusedError`` for text that is empty, too large, or contains characters that the
    program or the terminal would change or run; ``clean`` removes these characters instead, and
    says so.
    """
    changes: list[str] = []
    text = head + text
    if not clean and len(text.rstrip()) > profile.paste.max_bytes:
        _check_size(len(_one_line_end(text).rstrip().encode()), profile)  # before each character is
    lines = _one_line_end(text)
    if lines != text:
        changes.append("line ends became LF")
    cleaned = _clean(lines, profile, changes) if clean else lines
    if not clean:
        _refuse_unprintable(text, profile)
    if profile.normalise.trim_trailing:
        trimmed = cleaned.rstrip(" \t\n")
        if trimmed != cleaned:
            changes.append("trailing spaces trimmed")
    else:
        trimmed = cleaned
    if not trimmed.removeprefix(head.rstrip()).strip():
        raise RefusedError("the message is empty; nothing was sent", code="empty")
    typed = _guard(trimmed, profile, changes)
    _refuse_placeholder(typed, profile)
    _refuse_hidden(typed, profile)
    if profile.normalise.nfc and not unicodedata.is_normalized("NFC", typed):
        changes.append("the program brings text to Unicode form NFC")
    if profile.normalise.tab and "\t" in typed:
        changes.append(f"the program shows a tab as {profile.normalise.tab} spaces")
    trims = profile.normalise.placeholder_trims and shows_as_placeholder(typed, profile)
    if trims and typed != typed.lstrip():
        changes.append("the program drops the spaces before a long text")
    _check_size(len(typed.encode()), profile)
    return Prepared(typed, tuple(changes))


def _check_size(size: int, profile: Profile) -> None:
    """Refuse a message of ``size`` bytes if that is over the program's limit."""
    if size > profile.paste.max_bytes:
        raise RefusedError(
            f"the message has {size:,} bytes; the limit for {profile.title or profile.name} is "
            f"{profile.paste.max_bytes:,}; nothing was sent",
            hint="Put it into a file and send the file's path.",
            code="too-large",
        )


def shows_as_placeholder(typed: str, profile: Profile) -> bool:
    """Say whether the program shows a paste of ``typed`` as a placeholder, by its profile."""
    paste = profile.paste
    if profile.normalise.placeholder_trims:
        typed = typed.strip()
    many = paste.placeholder_lines and typed.count("\n") + 1 >= paste.placeholder_lines
    return bool(many or (paste.placeholder_chars and len(typed) >= paste.placeholder_chars))


def may_show_as_placeholder(typed: str, profile: Profile) -> bool:
    """Return whether the program may show a paste of ``typed`` as a placeholder in some pane.

    In a low pane Claude Code does that for fewer lines: usually for more than two newlines, in 11
    rows for more than one, in 10 or fewer rows for any. A program may count a character beyond
    U+FFFF as two, and a tab as spaces.
    """
    paste = profile.paste
    many = paste.placeholder_lines and "\n" in typed
    most = len(typed.encode("utf-16-le", "surrogatepass")) // 2
    most += typed.count("\t") * max(profile.normalise.tab - 1, 0)
    long = paste.placeholder_chars and most >= paste.placeholder_chars
    return bool(many or long) or shows_as_placeholder(typed, profile)


def skeletons(shown: str, typed: str) -> tuple[str, str]:
    """Return the parts of two texts that do not depend on wrapping and drawing.

    Spaces are removed, because wrapping drops them. Terminals may join symbols beyond ASCII, or
    draw others in their place. If the typed text has any, such symbols are removed from both.
    """
    bare = [unwrapped(shown), unwrapped(typed)]
    if any(_is_symbol(char) for char in bare[1]):
        letters = ["".join(char for char in text if not _is_symbol(char)) for text in bare]
        if letters[1]:
            return letters[0], letters[1]
    return bare[0], bare[1]


def unwrapped(text: str) -> str:
    """Return ``text`` without spaces and line ends, in Unicode form NFC."""
    return "".join(unicodedata.normalize("NFC", text).split())


def _is_symbol(char: str) -> bool:
    return not (char.isascii() or char.isalnum())


def same(reported: str, typed: str, profile: Profile) -> bool:
    """Say whether a text that the program reported is the one typed, after its normalisation."""
    for wrapper in profile.normalise.wrapper:
        reported = wrapper.sub("", reported)
    return _normal(reported, profile) == _normal(typed, profile)


FEW = 12
"""A text with fewer characters, without spaces, may be part of another text by chance."""


def carries(reported: str, typed: str, profile: Profile) -> bool:
    """Return whether a reported text contains the whole typed text, with more around it."""
    if len("".join(typed.split())) < FEW:
        return False
    for wrapper in profile.normalise.wrapper:
        reported = wrapper.sub("", reported)
    return _normal(typed, profile) in _normal(reported, profile)


def _normal(text: str, profile: Profile) -> str:
    text = _one_line_end(text)
    if profile.normalise.nfc:
        text = unicodedata.normalize("NFC", text)
    if profile.normalise.tab:
        text = text.replace("\t", " " * profile.normalise.tab)
    # The guard puts a space before or after. The program may drop spaces at the ends.
    return text.strip()


def _one_line_end(text: str) -> str:
    """Return ``text`` with LF for CR LF, CR, and Unicode's line and paragraph separators."""
    for end in ("\r\n", "\r", "\u2028", "\u2029"):
        text = text.replace(end, "\n")
    return text


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t\r"


def _is_stripped(text: str, index: int) -> bool:
    """Return whether the character is one that programs strip, and not part of its neighbours.

    Measured with Claude Code 2.1.330 (2026-11-22): zero-width and bidi characters go, variation
    selectors, joiners and tags on their own too. Kept: joiners and selectors inside emoji, the
    tags of a flag, the non-joiner between Arabic letters.
    """
    char = text[index]
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if char in _SELECTORS:
        return not (before and (before in _KEYCAPS or unicodedata.category(before) in _SIGNS))
    if char == _JOINER:
        return not (_is_emoji(before) and _is_emoji(after))
    if char == _NON_JOINER:
        return not (_is_arabic(before) and _is_arabic(after))
    if char in _TAGS:
        return not (before == _BLACK_FLAG or before in _TAGS)
    return unicodedata.category(char) == "Cf" or char in _BLANKS


def _is_emoji(char: str) -> bool:
    return bool(char) and (char in _SELECTORS or unicodedata.category(char) in ("So", "Sk", "Sm"))


def _is_arabic(char: str) -> bool:
    return bool(char) and unicodedata.name(char, "").startswith("ARABIC LETTER")


def _refuse_unprintable(text: str, profile: Profile) -> None:
    for index, char in enumerate(text):
        if _is_control(char):
            kind = "a control character"
        elif profile.normalise.strips_invisible and _is_stripped(text, index):
            kind = f"an invisible character, which {profile.title or profile.name} strips"
        else:
            continue
        offset = len(text[:index].encode("utf-8", "surrogatepass"))
        name = unicodedata.name(char, "")
        raise RefusedError(
            f"the message contains U+{ord(char):04X}{' ' + name if name else ''} at byte "
            f"{offset}: {kind}; nothing was sent",
            hint="--clean removes these characters and says so.",
            code="control-character",
        )


def _refuse_placeholder(typed: str, profile: Profile) -> None:
    """Refuse a text that looks, in the box, like a paste of somebody else."""
    placeholder = profile.box.placeholder
    if placeholder is None or not placeholder.fullmatch(typed.strip()):
        return
    raise RefusedError(
        f"{profile.title or profile.name} shows '{typed.strip()}' in place of pasted text; "
        "nothing was sent",
        hint="To send it as text, put words in front of it.",
        code="placeholder",
    )


def _refuse_hidden(typed: str, profile: Profile) -> None:
    """Refuse a text that nobody could recognise in the box, because parts of it do not show."""
    hides = profile.normalise.hides
    if hides is None or shows_as_placeholder(typed, profile):
        return
    found = hides.search(typed)
    if found is not None:
        raise RefusedError(
            f"{profile.title or profile.name} does not show '{found[0]}' in its input box, so the "
            "message could not be recognised there; nothing was sent",
            hint="Take such characters out, or send the name of a file with the text.",
            code="hidden",
        )


def _clean(text: str, profile: Profile, changes: list[str]) -> str:
    bare = _ESCAPE.sub("", text)
    kept = [
        char
        for index, char in enumerate(bare)
        if not _is_control(char)
        and not (profile.normalise.strips_invisible and _is_stripped(bare, index))
    ]
    stripped = len(text) - len(kept)
    if stripped:
        changes.append(f"{stripped} control or invisible characters removed")
    return "".join(kept)


def _guard(text: str, profile: Profile, changes: list[str]) -> str:
    """Put the profile's guard around text that would run as a command, or refuse it."""
    guard = profile.guard
    name = profile.title or profile.name
    if any(pattern.search(text.strip()) for pattern in guard.refuse):
        import shlex  # only here, because sending must start fast

        command = text.strip().partition("\n")[0][:60]
        raise RefusedError(
            f"{name} would run this as a command instead of reading it: '{text.strip()[:60]}'; "
            "nothing was sent",
            hint=f"To run it: torch command AGENT {shlex.quote(command)}\n"
            "To send it as text, put words in front of it.",
            code="command",
        )
    first = next((mark for mark in guard.first if text.startswith(mark)), None)
    last = next((mark for mark in guard.last if text.endswith(mark)), None)
    if last is None and guard.tail is not None and guard.suffix and guard.tail.search(text):
        text += guard.suffix
        changes.append("guarded with a space behind a word that would open a menu")
    for mark, blank, where in ((first, guard.prefix, "first"), (last, guard.suffix, "last")):
        if mark is None:
            continue
        if not blank:
            raise RefusedError(
                f"a message whose {where} character is '{mark}' would not arrive as text in "
                f"{name}; nothing was sent",
                code="guarded",
            )
        text = blank + text if where == "first" else text + blank
        changes.append(f"guarded with a space {'before' if where == 'first' else 'after'} '{mark}'")
    return text
