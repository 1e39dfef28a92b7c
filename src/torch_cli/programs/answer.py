"""A program's answer, read from the screen between Torch's message and the box. Pure.

Programs break lines at the edge of the pane and put marks in front, so this is only close to the
answer. A report through the program's hook is better, and is used instead if there is one.
"""

import re
from collections.abc import Sequence

from torch_cli.programs.box import echo_in
from torch_cli.programs.profile import AnswerSpec, BoxSpec


def before_next(lines: Sequence[str], spec: BoxSpec) -> Sequence[str]:
    """Return the rows after a message's first row, up to the next submitted message.

    The message may have more rows that look like its first.
    """
    answered = False
    for number, line in enumerate(lines):
        if echo_in(line, spec, queued=False) is None:
            answered |= bool(line.replace(spec.bar, "").strip()) if spec.bar else bool(line.strip())
        elif answered:
            return lines[:number]
    return lines


def answer_on(lines: Sequence[str], spec: AnswerSpec, width: int, *, within: bool = False) -> str:
    """Return the answer in ``lines``, which go from behind the message's first row to the box.

    ``width`` is the pane's, in cells. ``within`` says that the answer begins above ``lines``. The
    rows, marks and indent that the profile names are left out, and lines that the program broke at
    the edge are joined.
    """
    beginnings = (n for n, line in enumerate(lines) if within or _begins(line, spec))
    first = next(beginnings, None)
    if first is None:
        return ""
    kept: list[str] = []
    for line in lines[first:]:
        if any(pattern.search(line) for pattern in spec.skip):
            continue
        mark = spec.begin.match(line) if spec.begin is not None else None
        if mark is not None and kept and kept[-1]:
            kept.append("")
        text = line[mark.end() :] if mark is not None else line
        kept.append(text if mark is not None else _without_indent(text, spec.indent))
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(_joined([line.rstrip() for line in kept], width - spec.indent))


def _begins(line: str, spec: AnswerSpec) -> bool:
    return spec.begin is None or spec.begin.match(line) is not None


def _without_indent(line: str, indent: int) -> str:
    blanks = len(line) - len(line.lstrip(" "))
    return line[min(indent, blanks) :]


def _joined(lines: Sequence[str], width: int) -> list[str]:
    """Join each line to the one before if its first word did not fit there."""
    out: list[str] = []
    room = 0
    for line in lines:
        word = line.split(" ", 1)[0]
        wrapped = bool(out) and bool(word) and _is_prose(out[-1]) and _is_prose(line)
        if wrapped and room - len(word) - 1 < 0:
            out[-1] = f"{out[-1]} {line}"
        else:
            out.append(line)
        room = width - len(line)
    return out


def _is_prose(line: str) -> bool:
    """Return whether a line is running text, not a list item, code, or part of a drawing."""
    return re.match(r"\w", line) is not None
