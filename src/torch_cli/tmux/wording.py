"""The words of a tmux command, in a form in which tmux reads them exactly as they are meant.

libtmux hands names, directories and texts to tmux as they are. But tmux expands formats in some of
them, and ``#(command)`` runs. It matches a target with any name that begins like it. It reads a
text that begins with ``-`` as options. And it types into a pane whose program has ended, which up
to 3.3a can end the server.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.tmux import quote

DEAD = "torch-dead"
"""What tmux prints instead of typing into a pane whose program has ended."""


class _Form(NamedTuple):
    """How tmux reads a command: its options as getopt(3) takes them, and what they mean.

    ``texts`` are options whose value tmux expands although libtmux means it literally; ``-`` is the
    word behind all options. ``sessions`` and ``windows`` are options that name one.
    """

    options: str
    texts: str = ""
    sessions: str = ""
    windows: str = ""


_FORMS = {
    "new-session": _Form("Ac:dDe:EF:f:n:Ps:t:x:Xy:", texts="cns", sessions="t"),
    "new-window": _Form("abc:de:F:kn:PSt:", texts="cn", windows="t"),
    "split-window": _Form("bc:de:fF:hIl:p:Pt:vZ", texts="c"),
    "respawn-pane": _Form("c:e:kt:", texts="c"),
    "respawn-window": _Form("c:e:kt:", texts="c", windows="t"),
    "break-pane": _Form("abdPF:n:s:t:", texts="n", windows="t"),
    "attach-session": _Form("c:dEf:rt:x", texts="c", sessions="t"),
    "rename-session": _Form("t:", texts="-", sessions="t"),
    "rename-window": _Form("t:", texts="-", windows="t"),
    "select-pane": _Form("DdegLlMmP:RT:t:UZ", texts="T"),
    "has-session": _Form("t:", sessions="t"),
    "kill-session": _Form("aCt:", sessions="t"),
    "switch-client": _Form("c:EFlnO:pt:rT:Z", sessions="t"),
    "list-windows": _Form("F:f:art:", sessions="t"),
    "set-environment": _Form("Fhgrt:u", sessions="t"),
    "show-environment": _Form("hgst:", sessions="t"),
    "kill-window": _Form("at:", windows="t"),
    "select-window": _Form("lnpTt:", windows="t"),
    "move-window": _Form("abdkrs:t:", windows="st"),
    "link-window": _Form("abdks:t:", windows="st"),
    "swap-window": _Form("ds:t:", windows="st"),
    "unlink-window": _Form("kt:", windows="t"),
}
"""The commands whose words must be changed (the ``cmd_entry`` of each in tmux 3.2 to 3.7). An
option that is not listed has no value."""

_FULL_NAMES = {
    "new": "new-session",
    "neww": "new-window",
    "splitw": "split-window",
    "respawnp": "respawn-pane",
    "respawnw": "respawn-window",
    "breakp": "break-pane",
    "attach": "attach-session",
    "rename": "rename-session",
    "renamew": "rename-window",
    "selectp": "select-pane",
    "has": "has-session",
    "lsw": "list-windows",
    "switchc": "switch-client",
    "setenv": "set-environment",
    "showenv": "show-environment",
    "killw": "kill-window",
    "selectw": "select-window",
    "movew": "move-window",
    "linkw": "link-window",
    "swapw": "swap-window",
    "unlinkw": "unlink-window",
    "send": "send-keys",
    "pasteb": "paste-buffer",
}

_TYPES = {"send-keys": _Form("c:FHKlMN:Rt:X"), "paste-buffer": _Form("b:dprSs:t:")}

_NO_NAME = re.compile(r"[$@%=+\-!^{~]|$")
"""How a target begins that is not a name: an id, one that is already exact, or a place."""


def command_line(words: Sequence[str]) -> bytes:
    """Return a command line that means exactly ``words``.

    Names, directories and titles are literal, and targets are exact. If the pane's program has
    ended, a command that types does nothing and prints ``DEAD``. tmux itself checks that in the
    same step.

    Raises ``RefusedError`` for a window's name without its session.
    """
    exact = exactly(words)
    said = quote.line(*exact)
    types = _TYPES.get(_FULL_NAMES.get(exact[0], exact[0]))
    options = _options(types, exact[1:])[0] if types else []
    if types is None or any(word.startswith("-") and "X" in word for word in options):
        return said
    where = ["-t", options[options.index("-t") + 1]] if "-t" in options else []
    typed = said.decode("utf-8", "surrogateescape")
    return quote.line("if-shell", "-F", *where, "#{pane_dead}", f"display-message -p {DEAD}", typed)


def exactly(words: Sequence[str]) -> list[str]:
    """Return the words of one command with names and texts literal, and targets exact.

    Raises ``RefusedError`` as ``command_line`` does.
    """
    command, *rest = words
    name = _FULL_NAMES.get(command, command)
    form = _FORMS.get(name)
    if name == "send-keys":
        return _keys(list(words))
    if form is None:
        return list(words)
    count = len(rest) - _is_name(form, rest)
    made, behind = _options(form, rest[:count])
    behind += rest[count:]
    if "-" in form.texts:
        behind = [quote.format_literal(word) for word in behind]
    dashes = ["--"] if behind and behind[0].startswith("-") else []
    return [command, *made, *dashes, *behind]


def _is_name(form: _Form, words: list[str]) -> bool:
    """Say whether the last word is a name, also where it begins as an option does."""
    said = not words or "--" in words[:-1] or words[-2:-1] == ["-t"]
    return "-" in form.texts and not said


def _options(form: _Form, words: list[str]) -> tuple[list[str], list[str]]:
    """Return the options of a command, each with its value exact, and the words behind them."""
    made: list[str] = []
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        flags, option, value = _cluster(form, word)
        made += [f"-{flags}"] if flags else []
        if option:
            if not value and words:
                value = words.pop(0)
            made += [f"-{option}", _value(form, option, value)]
    return made, words


def _cluster(form: _Form, word: str) -> tuple[str, str, str]:
    """Return the flags in ``-abcVALUE``, the option that takes a value, and the value, '' each."""
    for place, char in enumerate(word[1:], 1):
        if f"{char}:" in form.options:
            return word[1:place], char, word[place + 1 :]
    return word[1:], "", ""


def _value(form: _Form, option: str, value: str) -> str:
    if option in form.texts:
        return quote.format_literal(value)
    if option in form.sessions:
        session, colon, rest = value.partition(":")
        return f"{_name(session)}{colon}{rest}"
    if option in form.windows:
        session, colon, window = value.partition(":")
        if colon:
            return f"{_name(session)}:{window if window.isdecimal() else _name(window)}"
        if not _NO_NAME.match(value):
            raise RefusedError(
                f"'{value}' names a window, and not of which session; nothing was done",
                hint=f"Give its id, or SESSION:{value}.",
                code="ambiguous",
            )
    return value


def _name(word: str) -> str:
    return word if _NO_NAME.match(word) else f"={word}"


def _keys(words: list[str]) -> list[str]:
    """Return the words of ``send-keys`` with the text last, and marked as text.

    libtmux does not mark it. Words that are flags of ``send-keys``, such as ``-R``, stay flags
    unless the keys are literal.
    """
    *before, last = words
    if not last.startswith("-") or len(last) == 1 or "--" in before:
        return words
    literal = any(re.fullmatch("-[FHKlMR]+", word) and "l" in word for word in before)
    flags = re.fullmatch("-[FHKlMRX]+", last)
    of_an_option = before[-1] in ("-N", "-t", "-c")
    return words if of_an_option or (flags and not literal) else [*before, "--", last]
