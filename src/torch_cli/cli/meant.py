"""What a person may have meant by a command that Torch does not have.

It only says so: Torch never runs a command that was not typed.
"""

from collections.abc import Sequence

ELSEWHERE = {
    "agents": ("ps",),
    "approve": ("answer",),
    "at": ("checkin add",),
    "backup": ("checkpoint now",),
    "bye": ("stop",),
    "cat": ("capture",),
    "clone": ("spawn",),
    "close": ("stop",),
    "connect": ("attach",),
    "create": ("spawn",),
    "cron": ("checkin add", "crontab"),
    "delete": ("stop", "retire"),
    "describe": ("state", "why"),
    "destroy": ("stop", "retire"),
    "end": ("stop",),
    "enter": ("attach",),
    "exec": ("run",),
    "exit": ("stop",),
    "fork": ("spawn",),
    "goto": ("attach",),
    "halt": ("stop",),
    "history": ("events",),
    "info": ("state",),
    "inspect": ("state", "why"),
    "keys": ("press",),
    "kill": ("stop",),
    "launch": ("spawn",),
    "list": ("ps",),
    "logs": ("log", "capture"),
    "ls": ("ps",),
    "mail": ("send",),
    "monitor": ("ps --watch", "status"),
    "msg": ("send",),
    "new": ("spawn",),
    "nudge": ("send",),
    "open": ("attach", "window"),
    "output": ("capture",),
    "peek": ("capture",),
    "prompt": ("send",),
    "read": ("capture",),
    "register": ("adopt",),
    "remind": ("checkin add",),
    "remove": ("stop", "retire"),
    "revert": ("recover",),
    "restore": ("checkpoint restore",),
    "rm": ("stop", "retire"),
    "rollback": ("recover",),
    "save": ("checkpoint now",),
    "say": ("send",),
    "schedule": ("checkin add",),
    "send-keys": ("press",),
    "sessions": ("ps",),
    "setup": ("init", "agent-setup"),
    "show": ("capture", "state"),
    "snapshot": ("checkpoint now",),
    "split": ("window",),
    "start": ("spawn", "up"),
    "switch": ("attach",),
    "tail": ("capture", "log"),
    "talk": ("send",),
    "tasks": ("task list",),
    "tell": ("send",),
    "terminate": ("stop",),
    "type": ("send", "press"),
    "undo": ("recover",),
    "view": ("capture",),
    "watch": ("ps --watch",),
    "write": ("send",),
}
"""Verbs of other tools, and the commands of Torch that do the same, without ``torch``."""

_SAME = (
    ("list", "ls", "ps", "all", "status"),
    ("remove", "rm", "delete", "del", "cancel", "drop", "kill", "uninstall", "undo"),
    ("add", "new", "create", "make", "start", "now", "install", "init"),
    ("show", "info", "get", "cat", "view", "inspect", "describe", "print"),
    ("edit", "change", "set", "update"),
    ("history", "log", "logs", "runs"),
    ("pause", "stop", "disable", "suspend", "hold"),
    ("resume", "continue", "enable", "restart"),
    ("done", "complete", "finish", "close"),
)
"""Verbs of which one may stand for another below ``torch checkin``, ``torch task`` and so on."""


def meant(word: str, known: Sequence[str], group: str = "") -> str:
    """Return a question that names what was meant, '' if nothing is like ``word``.

    ``known`` are the commands that there are, ``group`` the words before them.
    """
    if not group and word.lower() in ELSEWHERE:
        found = ELSEWHERE[word.lower()]
    else:
        from difflib import get_close_matches

        # The same verb counts before similar letters: 'create' is like 'restore', which overwrites.
        same = [one for verbs in _SAME if word.lower() in verbs for one in known if one in verbs]
        found = tuple(same[:2] or get_close_matches(word.lower(), known, 1))
    names = " or ".join(f"'{' '.join(filter(None, ('torch', group, one)))}'" for one in found)
    return f"Did you mean {names}?" if names else ""
