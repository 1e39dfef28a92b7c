"""Reading a command line: which words it surely is, and which commands may be in it.

What allows must be sure: only a command that every shell takes literally has words here. What
denies may err on the safe side: it looks at all that could be a command.
"""

import re

_PLAIN = frozenset("_-./:,@%+=~")
"""What a word may hold outside of quotes, beside letters and digits."""

_EXPANDED = frozenset("~=")
"""Of these, what a shell expands at the beginning of a word; ``~`` also behind ``=`` and ``:``."""

_SUBSTITUTED = frozenset("$`!")
"""What a shell may replace within double quotes."""

_SEPARATOR = re.compile(r"[;&|()<>{}\n\r`]")
_QUOTING = re.compile(r"[\\'\"]")
_ASSIGNMENT = re.compile(r"\w+\+?=")

_RUNNERS = frozenset(
    [
        *("!", "bash", "builtin", "command", "dash", "do", "doas", "elif", "else", "env", "eval"),
        *("exec", "find", "if", "ionice", "nice", "nohup", "parallel", "script", "setsid", "sh"),
        *("ssh", "stdbuf", "su", "sudo", "then", "time", "timeout", "until", "watch", "while"),
        *("xargs", "zsh"),
    ]
)
"""Words behind which a command may follow, anywhere."""

MOST = 20_000
"""Characters of a command line that are looked at. A longer one is not allowed by any rule."""


def words(command: str) -> tuple[str, ...] | None:
    """Return the words of ``command`` if it is one command that any shell takes as it is.

    ``None`` if it holds anything that a shell would act on: another command, a redirection, a
    substitution, a variable, a file pattern, an assignment, a comment, an escape, or a character
    that is not printed. Quotes may hold all that the shell does not replace in them.
    """
    if len(command) > MOST:
        return None
    found: list[str] = []
    word, begun, quote = "", False, ""
    for character in command:
        if character in " \t" and not quote:
            if begun:
                found.append(word)
            word, begun = "", False
            continue
        if not character.isprintable() and character != "\t":
            return None
        if character in "'\"" and quote in ("", character):
            quote, begun = "" if quote else character, True
            continue
        if not _literal(character, word, begun, quote):
            return None
        word, begun = word + character, True
    if quote:
        return None
    if begun:
        found.append(word)
    return tuple(found) if found and not _ASSIGNMENT.match(found[0]) else None


def _literal(character: str, word: str, begun: bool, quote: str) -> bool:
    """Return whether a shell takes ``character`` behind ``word`` as it is."""
    if quote == "'":
        return True
    if quote == '"':
        return character not in _SUBSTITUTED and character != "\\"
    if not (character.isalnum() or character in _PLAIN):
        return False
    if character in _EXPANDED and not begun:
        return False
    return character != "~" or word[-1:] not in ("=", ":")


def parts(command: str) -> list[tuple[str, ...]]:
    """Return all that could be a command in ``command``, as words, quotes taken away.

    A command in another one's arguments counts where that one is known to run it (``sudo``).
    """
    found: list[tuple[str, ...]] = []
    for piece in _SEPARATOR.split(command[:MOST].replace("\\\n", "")):
        said = _QUOTING.sub("", piece).replace("$", " ").split()
        while said and _ASSIGNMENT.match(said[0]):
            del said[0]
        if not said:
            continue
        found.append(tuple(said))
        if _bare(said[0]) in _RUNNERS:
            found += [tuple(said[at:]) for at in range(1, min(len(said), 50))]
    return [(_bare(one[0]), *one[1:]) for one in found]


def _bare(word: str) -> str:
    """Return the name of a program without its directory."""
    return word.rpartition("/")[2] or word
