"""Errors of an agent's API: what kind each is, and whether the last turn ended with one. Pure.

A screen shows words, which an answer can quote. So a program's own report of how its turn ended
counts for more than its screen.
"""

import re
from typing import Any

from torch_cli.programs.state import AgentState, HookEvent, State, Trouble, one_line

TROUBLE_KINDS = (
    "rate-limited",
    "overloaded",
    "authentication",
    "billing",
    "network",
    "server",
    "context",
    "request",
    "other",
)
"""What kinds of errors there are. ``request`` is one that the API refuses for another reason than
its length (``context``), ``other`` what nobody can tell."""

MOST_CHARACTERS = 300
"""Characters of a program's words that are kept."""

_FIELDS = {State.ERROR: "error", State.RETRYING: "retry", State.STALLED: "stall"}

_CONTEXT = re.compile(
    r"prompt is too long|context (?:window|length|limit)|ran out of room|too large|too many tokens",
    re.IGNORECASE,
)
_BY_CODE = {
    401: "authentication",
    402: "billing",
    403: "authentication",
    413: "context",
    429: "rate-limited",
    529: "overloaded",
}
# Claude Code's words in its report of a turn that failed (2.1.330, 2026-11-29), but for "unknown"
# and "server_error", which is also a 529.
_BY_NAME = {
    "authentication_failed": "authentication",
    "billing_error": "billing",
    "rate_limit": "rate-limited",
    "overloaded": "overloaded",
    "invalid_request": "request",
}
_BY_WORDS = (
    ("server", r"internal ?server"),
    ("billing", r"credit balance|billing|insufficient.?quota|quota exceeded"),
    ("rate-limited", r"rate.?limit|too many requests|usage limit"),
    ("overloaded", r"overloaded|at capacity|high demand"),
    (
        "authentication",
        r"authenticat|unauthori[sz]ed|/login|log ?in again|api key|token (?:has |could not )",
    ),
    (
        "network",
        r"connect|network|socket|fetch failed|timed? ?out|stream disconnected|ENOTFOUND|"
        r"EAI_AGAIN|ECONN",
    ),
    ("server", r"server error|server_error|servers are down|server-side"),
    ("request", r"bad ?request|invalid.?request"),
)
_CODE = re.compile(
    r"(?:API Error:?(?: Repeated)?|status(?: code)?:?|code\"?:|rejected|HTTP(?:/\d)?)"
    r"\W{0,3}([45]\d\d)\b"
    r"|^([45]\d\d)\b",
    re.IGNORECASE,
)


def kind_of(words: str, code: int | None, name: str = "") -> str:
    """Return the kind of an error, one of ``TROUBLE_KINDS``.

    ``words`` are what the program shows, ``code`` the HTTP status, and ``name`` its own word for
    the kind, '' if it has none.
    """
    if _CONTEXT.search(words):
        return "context"
    found = _BY_CODE.get(code or 0) or _BY_NAME.get(name)
    if found is not None:
        return found
    for kind, pattern in _BY_WORDS:
        if re.search(pattern, f"{words} {name}", re.IGNORECASE):
            return kind
    if code is not None:
        return "server" if code >= 500 else "request"
    return "other"


def code_in(words: str) -> int | None:
    """Return the HTTP status that ``words`` name, ``None`` if they name none."""
    found = _CODE.search(words)
    return int(found[1] or found[2]) if found else None


def said(state: State, matched: re.Match[str]) -> Trouble:
    """Return the trouble that a rule of the profile has ``matched`` on the screen."""
    groups = {name: text for name, text in matched.groupdict().items() if text}
    words = one_line(groups["words"], MOST_CHARACTERS) if "words" in groups else ""
    code = int(groups["code"]) if "code" in groups else code_in(words)
    return Trouble(
        state,
        words,
        kind_of(words, code),
        code,
        attempt=_number(groups.get("attempt")),
        attempts=_number(groups.get("attempts")),
        wait=groups.get("wait", ""),
        source="screen",
    )


def weigh_trouble(state: AgentState, event: HookEvent | None) -> AgentState:
    """Return ``state`` with what troubles the program, which is the evidence then.

    ``event`` is its latest report. If it reported how its last turn ended, the words on the screen
    do not count.
    """
    trouble = state.trouble
    if state.state is State.IDLE and event is not None and event.ended:
        trouble = error_of(event.failed, event.kind, "hook") if event.failed else None
    evidence = state.evidence if trouble is None else trouble_words(trouble)
    return state._replace(trouble=trouble, evidence=evidence)


def error_of(words: str, name: str, source: str) -> Trouble:
    """Return the error with these words, and the program's ``name`` for its kind."""
    code = code_in(words)
    kind = kind_of(words, code, name)
    return Trouble(State.ERROR, one_line(words, MOST_CHARACTERS), kind, code, source=source)


def trouble_object(trouble: Trouble) -> dict[str, Any]:
    """Return ``trouble`` as an object for JSON and for events; what is not known is left out."""
    found = {
        "kind": trouble.kind,
        "code": trouble.code,
        "words": trouble.words,
        "attempt": trouble.attempt,
        "attempts": trouble.attempts,
        "wait": trouble.wait,
        "source": trouble.source,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def trouble_fields(trouble: Trouble | None) -> dict[str, Any]:
    """Return what troubles an agent as a field of JSON: ``error``, ``retry`` or ``stall``."""
    return {_FIELDS[trouble.state]: trouble_object(trouble)} if trouble is not None else {}


def trouble_words(trouble: Trouble) -> str:
    """Return ``trouble`` for people, in one line."""
    tries = ""
    if trouble.attempt is not None:
        of = f" of {trouble.attempts}" if trouble.attempts is not None else ""
        tries = f"attempt {trouble.attempt}{of}"
    wait = f"in {trouble.wait}" if trouble.wait else ""
    before = " ".join(filter(None, [tries, wait]))
    said = f"{trouble.kind}: {trouble.words}" if trouble.kind else trouble.words
    return ", ".join(filter(None, [before, said]))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
