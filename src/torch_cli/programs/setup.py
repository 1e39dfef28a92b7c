"""The settings with which Claude Code reports to Torch and knows the submit chord.

Every ``torch spawn`` imports this module, so it is small and writes nothing. ``setup_files`` edits
the program's own files, ``changes`` writes them.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

EVENTS = {
    "SessionStart": "1.0.62",
    "UserPromptSubmit": "1.0.54",
    "PermissionRequest": "2.0.45",
    "Notification": "1.0.38",
    "Stop": "1.0.38",
    "StopFailure": "2.1.78",
    "SubagentStart": "2.0.43",
    "SubagentStop": "1.0.41",
    "PreCompact": "1.0.48",
    "SessionEnd": "1.0.85",
}
"""The events that are reported, each with the first version that knows it (by its changelog). Those
of every tool call are not, because they would cost most; nor is ``PostCompact``, because the end of
a compaction is a ``SessionStart``. A version that does not know an event ignores the whole file
(before 2.1.101), or asks at each start what to do about it (2.1.330, 2026-11-30)."""

HOOK_SECONDS = 5
"""Seconds after which the program gives up a hook. A hook takes about 0.05."""

CONTEXT, CHORD, ACTION = "Chat", "ctrl+x ctrl+q", "chat:submit"
FORMER_CHORD = "ctrl+x ctrl+g"
"""Torch's chord until 2026-11-28. Its second half alone opens an editor, and the first half is lost
if a person's Esc is read together with it. ``ctrl+q`` alone does nothing."""

SETTINGS, LOCAL_SETTINGS, KEYBINDINGS = "settings.json", "settings.local.json", "keybindings.json"


def config_dir(environ: Mapping[str, str] = os.environ) -> str:
    """Return the directory of the user's own Claude Code settings."""
    chosen = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(
        environ.get("HOME") or os.path.expanduser("~"), ".claude"
    )
    # Ask for the current directory only if it matters, because it may be gone.
    return chosen if os.path.isabs(chosen) else os.path.join(os.getcwd(), chosen)


def hook_command() -> str:
    """Return the command line, quoted for a shell, with which a hook calls this Torch."""
    import shlex
    import shutil
    import sys

    if os.path.basename(sys.argv[0]) == "torch":
        program = shutil.which(sys.argv[0])
    else:
        program = shutil.which("torch", path=os.path.dirname(sys.executable))
    if program:
        place = program if os.path.isabs(program) else os.path.join(os.getcwd(), program)
        return shlex.join([place, "hook"])
    return shlex.join([sys.executable, "-m", "torch_cli", "hook"])


def known_events(version: str) -> tuple[str, ...]:
    """Return the events of ``EVENTS`` that this version knows; all if none is given."""
    have = numbers(version)
    return tuple(one for one, since in EVENTS.items() if not have or have >= numbers(since))


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to compare them."""
    return tuple(int(one) for one in version.split(".") if one.isdigit())


def hook_settings(command: str, version: str = "") -> dict[str, Any]:
    """Return the settings with which every reported event that ``version`` knows runs ``command``.

    ``version`` is as in ``known_events``.
    """
    entry = {"type": "command", "command": command, "timeout": HOOK_SECONDS}
    return {"hooks": {event: [{"hooks": [dict(entry)]}] for event in known_events(version)}}


def is_our_hook(entry: object) -> bool:
    """Return whether a hook's entry runs ``torch hook`` of any installation."""
    import shlex

    command = entry.get("command") if isinstance(entry, dict) else None
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    if words[1:] == ["hook"]:
        return os.path.basename(words[0]) == "torch"
    return words[1:] == ["-m", "torch_cli", "hook"]


def hooks_installed(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the command of each event that the user's settings report to Torch.

    Empty if there are none, or if the settings cannot be read.
    """
    try:
        with open(os.path.join(config_dir(environ), SETTINGS), encoding="utf-8-sig") as file:
            hooks = json.load(file)["hooks"]
        return {
            event: entry["command"]
            for event, groups in hooks.items()
            for group in groups
            for entry in group["hooks"]
            if is_our_hook(entry)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def chord_installed(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the user's key bindings have the chord; ``False`` if they cannot be read."""
    try:
        with open(os.path.join(config_dir(environ), KEYBINDINGS), encoding="utf-8-sig") as file:
            keys = chat_keys(json.load(file))
    except (OSError, ValueError):
        return False
    return keys.get(CHORD) == ACTION and CHORD.split()[0] not in keys


def chat_keys(bindings: object) -> dict[str, object]:
    """Return what the keys of the message box are bound to, in a file of key bindings.

    Keys are in one spelling. Of two bindings of one key the last counts.
    """
    keys: dict[str, object] = {}
    blocks = bindings.get("bindings") if isinstance(bindings, dict) else None
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, dict) and block.get("context") == CONTEXT:
            bound = block.get("bindings")
            for key, action in bound.items() if isinstance(bound, dict) else ():
                keys[spelling(key)] = action
    return keys


def spelling(keys: str) -> str:
    """Return a key or chord in the spelling for comparison: ``ctrl+x ctrl+q``."""
    strokes = [stroke.replace("control+", "ctrl+").split("+") for stroke in keys.lower().split()]
    return " ".join("+".join([*sorted(words[:-1]), words[-1]]) for words in strokes)
