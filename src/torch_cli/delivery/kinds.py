"""Kinds of messages between agents, each with the fields of its form."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from torch_cli.errors import RefusedError


class Field(NamedTuple):
    """A field of a form; ``about`` says what belongs there."""

    name: str
    about: str
    required: bool = False


MESSAGE_KINDS: dict[str, tuple[Field, ...]] = {
    "status": (
        Field("done", "what is done, with commits", required=True),
        Field("doing", "what you are doing"),
        Field("next", "what comes next"),
        Field("blocked", "what blocks you, and who could help"),
    ),
    "task": (
        Field("what", "the work to be done", required=True),
        Field("why", "the reason for the work"),
        Field("where", "files, branch, directory"),
        Field("done-when", "what must be true, and the command that shows it", required=True),
    ),
    "ack": (Field("of", "the message that you have read", required=True), Field("words", "more")),
    "question": (
        Field("question", "one question", required=True),
        Field("tried", "what you found out yourself"),
        Field("needed-for", "what waits for the answer"),
    ),
    "answer": (
        Field("answer", "the answer", required=True),
        Field("because", "how you know: file, command, source"),
    ),
    "escalation": (
        Field("problem", "what is blocked", required=True),
        Field("tried", "what was tried, and with what result", required=True),
        Field("need", "what you need, from whom", required=True),
    ),
    "handoff": (
        Field("state", "the state of the work: branch, commits", required=True),
        Field("open", "what is left"),
        Field("next", "the next step", required=True),
        Field("risks", "the risks"),
    ),
    "broadcast": (Field("text", "what everybody should know", required=True),),
}
"""The kinds, by name."""

_LINE = re.compile(r"^([a-z][a-z-]*):[ \t]*+(.*)$")


def kind_named(name: str) -> str:
    """Return the kind named ``name``, in any case; raises ``RefusedError`` with the known kinds."""
    kind = name.lower()
    if kind in MESSAGE_KINDS:
        return kind
    near = get_close_matches(kind, MESSAGE_KINDS, 1)
    raise RefusedError(
        f"no kind of message named '{name}'",
        hint=f"Did you mean '{near[0]}'?" if near else f"Known kinds: {', '.join(MESSAGE_KINDS)}.",
        code="bad-kind",
    )


def form(kind: str) -> str:
    """Return the empty form of a kind: a line for each field, and what belongs there."""
    lines = [f"# {kind}: fill in, then: torch send TARGET --kind {kind} - < FILE"]
    for field in MESSAGE_KINDS[kind]:
        must = ", required" if field.required else ""
        lines += [f"# {field.about}{must}", f"{field.name}: "]
    return "\n".join([*lines, ""])


def read_form(kind: str, text: str) -> dict[str, str]:
    """Return the fields of a filled-in form; a value continues until the next field.

    Lines that begin with ``#`` are left out. Raises ``RefusedError`` for text before the first
    field.
    """
    known = {field.name for field in MESSAGE_KINDS[kind]}
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        head = _LINE.match(line)
        if head and head[1] in known:
            current = found.setdefault(head[1], [])
            current.append(head[2])
        elif current is not None and not line.startswith("#"):
            current.append(line)
        elif line.strip() and not line.startswith("#"):
            raise RefusedError(
                f"'{line[:60]}' belongs to no field of {kind}; nothing was sent",
                hint=f"'torch message new {kind}' prints the form.",
                code="bad-form",
            )
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def fields_of(pairs: Iterable[str]) -> dict[str, str]:
    """Return fields given as ``name=value``; raises ``RefusedError`` for one without a name."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise RefusedError(f"'{pair}' is not NAME=VALUE; nothing was sent", code="bad-form")
        found[name] = value
    return found


def compose(kind: str, fields: Mapping[str, str]) -> str:
    """Return the message that the fields make, in the order of the form.

    Raises ``RefusedError`` for a field that the kind does not have, and for one that is missing.
    """
    known = [field.name for field in MESSAGE_KINDS[kind]]
    for name in fields:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise RefusedError(
                f"{kind} has no field '{name}'; nothing was sent",
                hint=f"Did you mean '{near[0]}'?" if near else f"It has {', '.join(known)}.",
                code="bad-form",
            )
    needed = [field.name for field in MESSAGE_KINDS[kind] if field.required]
    missing = [name for name in needed if not fields.get(name, "").strip()]
    if missing:
        raise RefusedError(
            f"{kind} needs {', '.join(missing)}; nothing was sent",
            hint=f"'torch message new {kind}' prints the form.",
            code="bad-form",
        )
    given = {name: fields[name].strip() for name in known if fields.get(name, "").strip()}
    if len(known) == 1:
        return next(iter(given.values()))
    return "\n".join(f"{name}: {value}" for name, value in given.items())
