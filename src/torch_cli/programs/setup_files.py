"""Edits of Claude Code's own files: hooks in its settings, the submit chord in its key bindings.

Hooks for one project are in the project's ``.claude/settings.local.json``. That file is not shared,
and the hooks contain a path of this machine. The chord exists per user only. This module writes
nothing; ``changes`` does.
"""

import os
from collections.abc import Callable, Collection

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs import json_text
from torch_cli.programs.changes import FileChange, is_ours, read, recall, remembered
from torch_cli.programs.setup import (
    ACTION,
    CHORD,
    CONTEXT,
    EVENTS,
    FORMER_CHORD,
    KEYBINDINGS,
    LOCAL_SETTINGS,
    SETTINGS,
    chat_keys,
    config_dir,
    hook_settings,
    is_our_hook,
    spelling,
)

Add = Callable[[str, str], str]
Remove = Callable[[str, object], str]
_BOM = "\ufeff"


def plan(project: str | None, command: str, version: str = "") -> list[FileChange]:
    """Return the changes that install hooks and chord, the unneeded ones too.

    Hooks are installed of the events that ``version`` of the program knows, all if none is given.
    Raises ``RefusedError`` if a file is not valid JSON, has another form than the program's, or
    binds the chord's keys to something else.
    """
    return [
        _change(
            _settings(project),
            lambda text, path: add_hooks(text, command, path, version),
            remove_hooks,
        ),
        _change(_keybindings(), add_chord, remove_chord),
    ]


def plan_undo(project: str | None) -> list[FileChange]:
    """Return the changes that take back what ``plan`` installed.

    A file that is as Torch left it gets its former bytes back. From a file that was changed since,
    only Torch's entries are removed. The chord stays while hooks are installed elsewhere.
    """
    settings, bindings = _settings(project), _keybindings()
    others = [
        path
        for path in remembered()
        if os.path.basename(path) in (SETTINGS, LOCAL_SETTINGS)
        and os.path.realpath(path) != os.path.realpath(settings)
    ]
    if others:
        content = read(bindings)
        kept = FileChange(bindings, content, content, why=f"kept for the hooks in {others[0]}")
        return [_undo(settings, remove_hooks), kept]
    return [_undo(settings, remove_hooks), _undo(bindings, remove_chord)]


def plan_undo_everywhere() -> list[FileChange]:
    """Return the changes that take back all hooks that were installed, and the chord."""
    known = remembered()
    settings = [path for path in known if os.path.basename(path) in (SETTINGS, LOCAL_SETTINGS)]
    bindings = [path for path in known if os.path.basename(path) == KEYBINDINGS]
    return [
        *(_undo(path, remove_hooks) for path in dict.fromkeys([*settings, _settings(None)])),
        *(_undo(path, remove_chord) for path in dict.fromkeys([*bindings, _keybindings()])),
    ]


def _settings(project: str | None) -> str:
    if project is None:
        return os.path.join(config_dir(), SETTINGS)
    if not os.path.isdir(project):
        raise NotFoundError(f"no directory {project}", code="no-directory")
    return os.path.join(os.path.realpath(project), ".claude", LOCAL_SETTINGS)


def _keybindings() -> str:
    return os.path.join(config_dir(), KEYBINDINGS)


def _change(path: str, add: Add, remove: Remove) -> FileChange:
    before = read(path)
    bom, text = _text(before, path)
    after = (bom + add(text, path)).encode()
    if before is None:
        after += b"\n"
    memory = recall(path)
    if memory is not None and is_ours(before, memory):
        original = memory.original
    elif before is None:
        original = None
    else:
        # An undo must restore this file without entries of an earlier Torch.
        cleaned = (bom + remove(text, None)).encode()
        original = (
            before
            if json_text.check(text) == json_text.check(cleaned.decode("utf-8-sig"))
            else cleaned
        )
    return FileChange(path, before, before if after == before else after, original)


def _undo(path: str, remove: Remove) -> FileChange:
    before = read(path)
    memory = recall(path)
    if is_ours(before, memory) and memory is not None:
        why = (
            "to be removed: Torch made it"
            if memory.original is None
            else ("to be restored to its state before Torch")
        )
        return FileChange(path, before, memory.original, why=why, forget=True)
    if before is None:
        return FileChange(path, None, None, why="does not exist", forget=True)
    bom, text = _text(before, path)
    original = memory.original if memory else None
    kept = json_text.check(_text(original, path)[1]) if original is not None else None
    after = (bom + remove(text, kept)).encode()
    if after == before:
        return FileChange(path, before, before, why="contains nothing of Torch's", forget=True)
    why = "others have changed it since: only Torch's entries are removed"
    return FileChange(path, before, after, why=why, forget=True)


def _text(content: bytes | None, path: str) -> tuple[str, str]:
    """Return a file's byte order mark, if it has one, and its text, which is a JSON object."""
    try:
        text = (content or b"").decode()
        bom, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
        if not text.strip():
            return bom, "{}"
        if isinstance(json_text.check(text), dict):
            return bom, text
        problem = "it is not an object"
    except ValueError as error:
        problem = str(error)
    raise RefusedError(
        f"{path} is not the JSON that it should be: {problem}. Nothing was changed",
        hint="Fix the file, then try again.",
        code="bad-json",
    )


def _member(text: str, keys: tuple[str, ...], kind: str, path: str) -> int | None:
    """Return the position of a member that must be an object (``{``) or a list (``[``)."""
    at = json_text.find(text, *keys)
    if at is not None and text[at] != kind:
        wanted = "an object" if kind == "{" else "a list"
        raise RefusedError(
            f"{path}: '{'.'.join(keys)}' is not {wanted}; nothing was changed",
            hint="Claude Code would not accept it either: fix the file, then try again.",
            code="bad-settings",
        )
    return at


def add_hooks(text: str, command: str, path: str, version: str = "") -> str:
    """Return the settings ``text`` with Torch's hooks. The path of another Torch is updated.

    Those of events that ``version`` does not know are removed. Raises ``RefusedError``, with the
    file ``path``, if hooks there do not have the program's form.
    """
    wanted = hook_settings(command, version)["hooks"]
    text = remove_hooks(text, None, events=EVENTS.keys() - wanted.keys())
    for event, (group,) in wanted.items():
        hooks = _member(text, ("hooks",), "{", path)
        if hooks is None:
            return json_text.add(text, _root(text), wanted, "hooks")
        groups = _member(text, ("hooks", event), "[", path)
        if groups is None:
            text = json_text.add(text, hooks, [group], event)
            continue
        ours = _our_hooks(text, groups)
        if not ours:
            text = json_text.add(text, groups, group)
        for _, entries, number in reversed(ours):
            entry = json_text.entries(text, entries)[number].value
            place = next(e for e in json_text.entries(text, entry) if e.key == "command")
            if json_text.value(text, place.value) != command:
                text = json_text.replace(text, place.value, command)
    return text


def remove_hooks(text: str, original: object, *, events: Collection[str] | None = None) -> str:
    """Return the settings ``text`` without Torch's hooks, or without those for ``events``.

    Containers that are then empty are removed too, unless ``original``, the settings before Torch,
    had them.
    """
    had = original.get("hooks") if isinstance(original, dict) else None
    root, hooks = _root(text), json_text.find(text, "hooks")
    if hooks is None or text[hooks] != "{":
        return text
    emptied = False
    for event in dict.fromkeys(entry.key or "" for entry in json_text.entries(text, hooks)):
        groups = json_text.find(text, "hooks", event)
        if (events is not None and event not in events) or groups is None or text[groups] != "[":
            continue
        ours = _our_hooks(text, groups)
        for group, entries, number in reversed(ours):
            text = json_text.drop(text, entries, number)
            if not json_text.entries(text, entries):
                text = json_text.drop(text, groups, group)
        if ours and not json_text.entries(text, groups) and event not in (had or {}):
            text = _drop_key(text, hooks, event)
            emptied = True
    if emptied and not json_text.entries(text, hooks) and had is None:
        text = _drop_key(text, root, "hooks")
    return text


def _our_hooks(text: str, groups: int) -> list[tuple[int, int, int]]:
    """Return Torch's entries among an event's ``groups``, in order.

    Each is: the group's number, the position of its list of hooks, the entry's number there.
    """
    found = []
    for number, group in enumerate(json_text.entries(text, groups)):
        if text[group.value] != "{":
            continue
        for member in json_text.entries(text, group.value):
            if member.key == "hooks" and text[member.value] == "[":
                found += [
                    (number, member.value, index)
                    for index, entry in enumerate(json_text.entries(text, member.value))
                    if is_our_hook(json_text.value(text, entry.value))
                ]
    return found


def add_chord(text: str, path: str) -> str:
    """Return the key bindings ``text`` with the chord in place of the former one.

    Refuses if its keys do something else.
    """
    blocks = _member(text, ("bindings",), "[", path)
    keys = chat_keys(json_text.check(text))
    for taken in (CHORD, CHORD.split()[0]):
        if taken in keys and (taken, keys[taken]) != (CHORD, ACTION):
            raise RefusedError(
                f"{path} binds '{taken}' to {keys[taken]!r} in the message box, so Torch's "
                f"submit chord '{CHORD}' would not work. Nothing was changed",
                hint="Bind it to other keys and try again. Without the chord, Torch uses Enter.",
                code="chord-taken",
            )
    if blocks is not None:
        for _, position in reversed(_chat_blocks(text, blocks)):
            text, _ = _without(text, position, FORMER_CHORD)
    if CHORD in keys:
        return text
    block = {"context": CONTEXT, "bindings": {CHORD: ACTION}}
    if blocks is None:
        return json_text.add(text, _root(text), [block], "bindings")
    inner = [position for _, position in _chat_blocks(text, blocks)]
    if inner:
        return json_text.add(text, inner[-1], ACTION, CHORD)
    return json_text.add(text, blocks, block)


def remove_chord(text: str, original: object) -> str:
    """Return the key bindings ``text`` without the chord, and without containers that are empty.

    A block of the message box stays if ``original``, the file before Torch, had it.
    """
    had = original if isinstance(original, dict) else {}
    blocks = json_text.find(text, "bindings")
    if blocks is None or text[blocks] != "[":
        return text
    for number, inner in reversed(_chat_blocks(text, blocks)):
        text, found = _without(text, inner, CHORD, FORMER_CHORD)
        if found and not json_text.entries(text, inner) and not _has_chat_block(had):
            text = json_text.drop(text, blocks, number)
            if not json_text.entries(text, blocks) and "bindings" not in had:
                text = _drop_key(text, _root(text), "bindings")
    return text


def _without(text: str, inner: int, *chords: str) -> tuple[str, bool]:
    """Return ``text`` without Torch's ``chords`` at ``inner``, and whether there was one."""
    found = [
        index
        for index, entry in enumerate(json_text.entries(text, inner))
        if spelling(entry.key or "") in chords and json_text.value(text, entry.value) == ACTION
    ]
    for index in reversed(found):
        text = json_text.drop(text, inner, index)
    return text, bool(found)


def _chat_blocks(text: str, blocks: int) -> list[tuple[int, int]]:
    """Return the blocks for the message box: each one's number, and where its bindings are."""
    found = []
    for number, block in enumerate(json_text.entries(text, blocks)):
        if (
            text[block.value] == "{"
            and json_text.value(text, block.value).get("context") == CONTEXT
        ):
            members = json_text.entries(text, block.value)
            inner = [e.value for e in members if e.key == "bindings" and text[e.value] == "{"]
            found += [(number, position) for position in inner[-1:]]
    return found


def _has_chat_block(bindings: dict[str, object]) -> bool:
    blocks = bindings.get("bindings")
    found = blocks if isinstance(blocks, list) else []
    return any(isinstance(b, dict) and b.get("context") == CONTEXT for b in found)


def _root(text: str) -> int:
    root = json_text.find(text)
    assert root is not None
    return root


def _drop_key(text: str, position: int, key: str) -> str:
    keys = [entry.key for entry in json_text.entries(text, position)]
    return json_text.drop(text, position, len(keys) - 1 - keys[::-1].index(key))
