"""Text made safe for tmux's three languages: its command lines, its formats, its patterns.

Each of them runs or swallows parts of a string that is not quoted.
"""

import re

_BARE = re.compile(r"[A-Za-z0-9_./=%@:+-]+", re.ASCII)
_SPECIAL = re.compile(rb'["\\$\x00-\x1f\x7f]')
_SPECIAL_OR_HIGH = re.compile(rb'["\\$\x00-\x1f\x7f-\xff]')
_DOLLAR_OF_34 = re.compile(r"\\(?=\$[A-Za-z_{])")
_HASHES = re.compile(r"#+(\[?)")
_LITERAL_IN_PATTERN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_FORBIDDEN_IN_PROMPT = frozenset("#{}[](),:;.*+?^$|\\\"'/")


def word(text: str) -> bytes:
    r"""Return ``text`` as one word of a tmux command line, exact to the byte.

    Undecodable bytes (``surrogateescape``) come out as they went in. NUL cannot be carried and
    raises ``ValueError``.
    """
    if "\0" in text:
        raise ValueError("tmux cannot carry a NUL byte")
    # "%" at the start has a meaning to the parser ("%if"); "$" expands anywhere.
    if _BARE.fullmatch(text) and text[0] not in "%=":
        return text.encode()
    if re.fullmatch(r"[%@]\d+", text):
        return text.encode()
    try:
        out = _SPECIAL.sub(_escape, text.encode())
    except UnicodeEncodeError:
        # A byte that is not UTF-8 would end the parse; octal carries it.
        out = _SPECIAL_OR_HIGH.sub(_escape, text.encode("utf-8", "surrogateescape"))
    if out.startswith(b"~"):
        out = b"\\176" + out[1:]  # it becomes the home directory even inside quotes
    return b'"%b"' % out


def _escape(found: re.Match[bytes]) -> bytes:
    byte = found[0]
    return b"\\" + byte if byte in b'"\\$' else b"\\%03o" % byte[0]


def line(*words: str) -> bytes:
    """Return one command line made of ``words``, without its newline."""
    return b" ".join(word(one) for one in words)


def format_literal(text: str) -> str:
    """Return a format that expands to exactly ``text``.

    It is for arguments that tmux expands (``-c`` and ``-n`` of ``new-window`` and the like): in
    these, ``#(command)`` would run. ``##`` means one ``#``, except that tmux leaves several of them
    before ``[`` as they are, for styles (``format_expand1()`` in its format.c; measured on 3.3a,
    2026-11-22).
    """
    return _HASHES.sub(lambda found: found[0] if found[1] else found[0] * 2, text)


def printed(text: str, version: str) -> str:
    """Return what tmux ``version`` (``3.3a``) meant when it printed ``text``.

    Only 3.4 puts a backslash before every ``$`` that could begin a variable's name
    (``utf8_strvis()`` in its utf8.c, called for all output except that of ``capture-pane``).
    """
    return _DOLLAR_OF_34.sub("", text) if version == "3.4" else text


def is_literal(prompt: str) -> bool:
    """Return whether ``prompt`` can be used literally in a pattern, with nothing special in it."""
    return not _FORBIDDEN_IN_PROMPT & set(prompt)


def row_pattern(text: str, *, prompt: str = "") -> str:
    """Return a pattern for ``#{C/r:…}`` that matches a screen row which reads exactly ``text``.

    Only ASCII letters, digits and single spaces are used as they are. Every other character becomes
    ``.``, which matches one character of any width, because tmux expands formats inside the pattern
    and could run a command. ``prompt`` comes from a profile and never from a message. If ``text``
    begins with it, it is used literally. A prompt with a character that is special to formats or
    patterns raises ``ValueError``.
    """
    if not is_literal(prompt):
        raise ValueError(f"the prompt {prompt!r} cannot be used in a tmux pattern")
    head = prompt if prompt and text.startswith(prompt) else ""
    out: list[str] = []
    previous = head[-1:]
    for char in text[len(head) :].rstrip(" "):
        literal = char in _LITERAL_IN_PATTERN or (char == " " and previous != " ")
        out.append(char if literal else ".")
        previous = char
    return f"^{head}{''.join(out)}$"
