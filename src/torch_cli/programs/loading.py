"""Reading and checking profiles: those that come with Torch, and a user's own."""

import os
import re
import time
from typing import Any

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.accepted import LARGEST_PROFILE_BYTES, check_accepted
from torch_cli.programs.profile import BUILT_IN, BoxSpec, Launch, Profile
from torch_cli.programs.reader import TableReader, nearest
from torch_cli.programs.state import State
from torch_cli.programs.swift import table_of
from torch_cli.regular import open_regular
from torch_cli.tmux import quote

STOCK = os.path.join(os.path.dirname(__file__), "profiles")  # pathlib costs 5 ms of CPU time

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SETTING = re.compile(r"[A-Za-z_]\w*=", re.ASCII)

Place = str | os.PathLike[str]


def check_profile_name(name: str) -> None:
    """Raise ``RefusedError`` unless ``name`` can be a profile's name."""
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"'{name}' is not a valid profile name",
            hint="Use lower-case letters, digits, '-' and '_', with a letter first.",
            code="bad-name",
        )


def stock_path(name: str) -> str:
    """Return where the stock profile ``name`` is, '' if there is none."""
    path = os.path.join(STOCK, f"{name}.toml")
    return path if _NAME.fullmatch(name) and os.path.isfile(path) else ""


def list_profiles(user_dir: Place | None) -> list[tuple[str, str]]:
    """Return (name, source) of every profile by name. A user's file hides a stock profile."""
    found = {name: BUILT_IN for name, _ in _files(STOCK)}
    if user_dir is not None:
        found |= _files(user_dir)
    return sorted(found.items())


def _files(folder: Place) -> list[tuple[str, str]]:
    """Return (name, path) of the profiles in ``folder``, none if there is no such directory."""
    try:
        files = os.listdir(folder)
    except OSError:
        return []  # it does not exist, is not a directory, or must not be read
    return [(stem, os.path.join(folder, file)) for file in files if (stem := _stem(file))]


def _stem(file: str) -> str:
    name, extension = os.path.splitext(file)
    return name if extension == ".toml" else ""


def load_profile(name: str, user_dir: Place | None, *, accepted_only: bool = False) -> Profile:
    """Return the profile ``name``: the file in ``user_dir`` if there is one, else the stock one.

    Raises NotFoundError with the known names, RefusedError if the file is not a profile. With
    ``accepted_only`` a file of the user's own must be as a person has accepted it.
    """
    if _NAME.fullmatch(name):
        for folder in (user_dir, STOCK):
            path = os.path.join(folder, f"{name}.toml") if folder is not None else ""
            if os.path.isfile(path):
                profile, text = _load(path)
                if profile.name != name:
                    raise RefusedError(
                        f"{path}: name is {profile.name!r}, but the file is named {name!r}.",
                        hint="Give the file the profile's name.",
                    )
                if accepted_only and folder is user_dir:
                    check_accepted(name, text, path)
                return profile
    known = [known_name for known_name, _ in list_profiles(user_dir)]
    if name in known:
        raise RefusedError(
            f"{name}.toml is not a profile: its name must be lower-case letters, digits, - and "
            "_, with a letter first, and the file must exist.",
            code="bad-profile",
        )
    raise NotFoundError(
        f"no profile named {name!r}.{nearest(name, known)}",
        hint="Known profiles: " + ", ".join(known) + ".",
        code="no-profile",
    )


_LOADED: dict[str, tuple[tuple[int, ...], Profile, str]] = {}

FILE_SETTLED_SECONDS = 2.0
"""Seconds after which a file is known by the time at which it was written. That is the time of the
kernel's last tick, or a whole second or two: a file that is written again sooner may look the same.
"""


def load_profile_file(path: Place) -> Profile:
    """Return the profile in the file ``path``; raises RefusedError if it is not one.

    A file is read again only if it has changed, because a daemon asks for it at every look, or if
    it was written just now.
    """
    return _load(path)[0]


def _load(path: Place) -> tuple[Profile, str]:
    """Return the profile in the file ``path``, and its text."""
    source = BUILT_IN if os.path.dirname(path) == STOCK else os.fspath(path)
    try:
        with open_regular(path) as file:
            facts = os.fstat(file.fileno())
            state = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            known = _LOADED.get(os.fspath(path))
            if known is not None and known[0] == state:
                return known[1:]
            text = text_of(file.read(LARGEST_PROFILE_BYTES + 1))
    except (OSError, ValueError) as error:
        raise RefusedError(f"{path}: cannot be read: {error}.", code="bad-profile") from error
    table = None
    if source == BUILT_IN:
        table = table_of(os.path.splitext(os.path.basename(path))[0], text)
    profile = parse_profile(text, source, table)
    if time.time() - facts.st_mtime > FILE_SETTLED_SECONDS:
        _LOADED[os.fspath(path)] = (state, profile, text)
    return profile, text


def text_of(content: bytes) -> str:
    """Return the text of a profile's file; raises ``ValueError`` if it cannot be one."""
    if len(content) > LARGEST_PROFILE_BYTES:
        raise ValueError(f"larger than {LARGEST_PROFILE_BYTES} bytes")
    return content.decode("utf-8").replace("\r\n", "\n")


def parse_profile(text: str, source: str, table: dict[str, Any] | None = None) -> Profile:
    """Return the profile that the TOML ``text`` holds; ``source`` names it in errors.

    ``table`` is what the text holds, if the caller knows that already. Raises RefusedError with the
    key, and for an unknown key with the nearest known one.
    """
    if table is None:
        table = _parsed(text, source)
    if table.get("verified") is False:
        table["verified"] = []
    reader = TableReader(source, text)
    if "source" in table:
        reader.refuse("source", "is set by Torch")
    profile = reader.table(Profile, table, "")._replace(source=source)
    _check(profile, reader)
    return profile


def _parsed(text: str, source: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RefusedError(f"{source}: not TOML: {error}.", code="bad-profile") from error


def _check(profile: Profile, reader: TableReader) -> None:
    """Refuse values that have the right types but cannot work."""
    if not _NAME.fullmatch(profile.name):
        reader.refuse("name", "must be lower-case letters, digits, - and _, with a letter first")
    _check_box(profile.box, reader)
    _check_launch(profile.launch, reader)
    free = any(rule.state in (State.IDLE, State.WORKING) for rule in profile.rules)
    if profile.unread and (profile.box.kind != "none" or free or profile.verified):
        said = "is for a profile without box, proven versions, and rules for idle and working"
        reader.refuse("unread", said)
    _check_rules(profile, reader)
    _check_troubles(profile, reader)
    if bool(profile.submit.chord_file) != bool(profile.submit.chord_match):
        reader.refuse("submit.chord_file", "and submit.chord_match must be given together")
    if os.path.isabs(file := profile.submit.chord_file) or ".." in file.split("/"):
        reader.refuse("submit.chord_file", "must be a path inside the home directory")
    if len(profile.normalise.wrapper) not in (0, 2):
        reader.refuse("normalise.wrapper", "must be two patterns, the opening and the end")


def _check_rules(profile: Profile, reader: TableReader) -> None:
    for number, rule in enumerate(profile.rules):
        reader.index["rules"] = number
        if rule.reset is not None and rule.reset.groups < 1:
            reader.refuse(f"rules.reset ({rule.name})", "must contain a group for the time")
        if rule.choose and rule.state is not State.WAITING:
            reader.refuse(f"rules.choose ({rule.name})", "is only for the state waiting")
        if rule.question is not None and rule.state is not State.WAITING:
            reader.refuse(f"rules.question ({rule.name})", "is only for the state waiting")
        if rule.choose == "arrows" and profile.box.dialog_cursor is None:
            reader.refuse(f"rules.choose ({rule.name})", "arrows need box.dialog_cursor")
        if rule.choose == "click" and rule.match.groups < 1:
            reader.refuse(f"rules.choose ({rule.name})", "click needs a group of match an option")
        if rule.text is not None and rule.choose not in ("arrows", "digit"):
            reader.refuse(f"rules.text ({rule.name})", 'needs choose = "arrows" or "digit"')
        if rule.text_keys and rule.text is None:
            reader.refuse(f"rules.text_keys ({rule.name})", "needs text")
        if rule.rows < 1:
            reader.refuse(f"rules.rows ({rule.name})", "must be at least 1")


def _check_troubles(profile: Profile, reader: TableReader) -> None:
    for one in profile.troubles:
        if one.rows < 1:
            reader.refuse("troubles.rows", "must be at least 1")
        if "words" not in one.match.groupindex:
            reader.refuse("troubles.match", "must contain a group named 'words'")


def _check_launch(launch: Launch, reader: TableReader) -> None:
    for item in launch.env_set:
        if not _SETTING.match(item):
            reader.refuse("launch.env_set", f"must contain NAME=VALUE, not {item!r}")
    words = {"again": launch.interrupt_again, "shows": launch.interrupt_shows}
    for name, given in words.items():
        if given and not (launch.interrupt and quote.is_literal(given)):
            said = "must be words without special characters, beside launch.interrupt"
            reader.refuse(f"launch.interrupt_{name}", said)
    if launch.interrupt_apart and not (launch.interrupt and 0 < launch.interrupt_apart <= 10):
        said = "must be at most 10 seconds, beside launch.interrupt"
        reader.refuse("launch.interrupt_apart", said)
    for step in launch.stop:
        if bool(step.text) == bool(step.keys):
            reader.refuse("launch.stop", "steps must have either text or keys")


def _check_box(box: BoxSpec, reader: TableReader) -> None:
    if box.kind == "ruled" and (len(box.rule) != 1 or not (box.prompt or box.cursor_real)):
        said = "(one character) and box.prompt or a real cursor must be given for a ruled box"
        reader.refuse("box.rule", said)
    if not quote.is_literal(box.mark):
        reader.refuse("box.prompt", "contains a character with a meaning in tmux's patterns")
    if box.kind == "footed" and not (box.prompt and box.footer):
        reader.refuse("box.footer", "and box.prompt must be given for a footed box")
    if box.kind == "barred" and not (box.bar and box.corner and len(box.rule) == 1):
        reader.refuse("box.bar", "box.corner and box.rule must be given for a barred box")
    if box.kind == "lines" and not (box.prompt and len(box.rule) == 1):
        reader.refuse("box.prompt", "and box.rule (one character) must be given for a box of lines")
    if box.kind in ("prompt", "lines"):
        reader.pattern(box.prompt, "box.prompt")
    if box.wraps and not (box.kind == "prompt" and box.cursor_real):
        reader.refuse("box.wraps", "is only for a box of kind prompt with a real cursor")
    if box.placeholder is not None and box.placeholder.groups < 1:
        reader.refuse("box.placeholder", "must contain a group for the number")
