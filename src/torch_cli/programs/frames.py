"""Whether two screens of a working program differ only by frames of its spinner. Pure.

A spinner draws another sign, counts seconds, and moves a colour along its words, several times a
second. Nothing else follows from that than that the program works.
"""

import re

from torch_cli.programs.state import AgentState, State

SPINNERS = "✢✳✶✻✽∗·•◦○●◐◓◑◒◴◷◶◵⬝■\u2800-\u28ff"
"""Signs that programs of our profiles draw in turn: Claude Code's stars, Codex's bullets, braille
(Gemini CLI, Qwen Code, aider), opencode's squares. No sign of an end is one, as ✓ and ✗ are."""

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_SIGN = re.compile(f"[{SPINNERS}]")
_NUMBER = re.compile(r"\d+")


def differs_by_frame(state: AgentState, before: str, now: str) -> bool:
    """Return whether ``now`` means what ``before`` meant, from which ``state`` was read.

    Both are rows as ``capture-pane -p -e`` prints them. Only a program counts that works, without
    trouble: what it says of another attempt, or of a limit, is in numbers. Its box and what is
    below must be the same, and so must every row above, but for colours, signs, and numbers.
    """
    if state.state is not State.WORKING or state.trouble is not None or state.box is None:
        return False
    old, new = before.split("\n"), now.split("\n")
    first = state.box.first
    if len(old) != len(new) or old[first:] != new[first:]:
        return False
    pairs = zip(old[:first], new[:first], strict=True)
    return all(one == other or _frame(one) == _frame(other) for one, other in pairs)


def _frame(row: str) -> str:
    return _NUMBER.sub("0", _SIGN.sub("*", _COLOUR.sub("", row)))
