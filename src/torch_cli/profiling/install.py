"""Installing and removing profiles of a person's own.

A profile decides which program is started and which keys are pressed, so only a person installs
one. Everything is checked before any file is written, and no file is read but those given.
"""

import contextlib
import os
import stat
from difflib import unified_diff
from typing import NamedTuple

from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.paths import make_private
from torch_cli.programs import accepted
from torch_cli.programs.accepted import Standing
from torch_cli.programs.loading import list_profiles, parse_profile, stock_path, text_of
from torch_cli.programs.profile import BUILT_IN, Profile
from torch_cli.regular import open_regular
from torch_cli.replacing import replace_file
from torch_cli.roster.actor import actor
from torch_cli.roster.registry import profiles_dir
from torch_cli.store import Store

MOST_PROFILES = 100
"""The most profiles in a directory that is installed; nobody has so many programs."""


class ProfileFile(NamedTuple):
    """A profile that can be installed: ``file`` holds its ``text``, ``path`` is its place.

    ``standing`` compares the text with the accepted copy. ``hides`` says that a stock profile has
    the same name. ``agents`` are the names of the living agents that use the profile.
    """

    profile: Profile
    file: str
    text: str
    path: str
    standing: Standing
    hides: bool
    agents: tuple[str, ...]

    @property
    def changes(self) -> str:
        """The difference between the accepted copy, if any, and the file."""
        before = accepted.accepted_text(self.profile.name) or ""
        lines = unified_diff(
            before.splitlines(), self.text.splitlines(), "installed", self.file, lineterm=""
        )
        return "".join(f"{line}\n" for line in lines)


def candidates(store: Store, place: str) -> list[ProfileFile]:
    """Return the profiles in the file or directory ``place``, each checked.

    Raises ``NotFoundError`` if it is not there, ``RefusedError`` with all that is wrong.
    """
    found: dict[str, ProfileFile] = {}
    wrong: list[str] = []
    for file in _files(place):
        try:
            one = _candidate(store, file)
        except TorchError as error:
            wrong.append(error.message)
            continue
        other = found.setdefault(one.profile.name, one)
        if other is not one:
            wrong.append(f"{file}: {other.file} has the name '{one.profile.name}', too.")
    if wrong:
        raise RefusedError(
            "\n".join([*wrong, "Nothing was installed."]),
            hint="The stock profile claude.toml explains every key.",
            code="bad-profile",
        )
    return list(found.values())


def install(store: Store, found: list[ProfileFile], *, force: bool = False) -> None:
    """Install profiles that were checked.

    Raises ``RefusedError`` if an agent runs this process, or if one would replace another profile
    of the user's own without ``force``; nothing is installed then.
    """
    check_person(store, "install a profile", "nothing was installed")
    for one in found:
        if not force and _replaces(one):
            raise RefusedError(
                f"{one.path} already exists and differs from {one.file}; nothing was installed",
                hint="'--dry-run' shows what is new. Replace it with --force.",
                code="name-taken",
            )
    for one in found:
        put(store, one.profile.name, one.text)


def put(store: Store, name: str, text: str) -> str:
    """Write the profile ``name`` and its accepted copy; return where it is now."""
    path = os.path.join(profiles_dir(), f"{name}.toml")
    try:
        for file in (path, accepted.copy_of(name)):
            make_private(os.path.dirname(file))
            replace_file(file, text.encode())
    except OSError as error:
        raise TorchError(
            f"{error.filename or path} cannot be written: {error.strerror}; the profile '{name}' "
            "is not installed",
            code="unwritable",
        ) from error
    store.events.add("install", name, {"path": path})
    return path


def remove(store: Store, name: str, *, force: bool = False) -> tuple[str, bool]:
    """Remove a profile of the user's own; return where it was, and whether a stock one is left.

    Raises ``RefusedError`` if an agent runs this process, and without ``force`` if living agents
    would be left without a profile.
    """
    path = dict(list_profiles(profiles_dir())).get(name, "")
    if path in ("", BUILT_IN):
        what = f"the profile '{name}' comes with Torch" if path else f"no profile named '{name}'"
        raise NotFoundError(
            f"{what}; nothing was removed", hint="'torch profile list' shows yours.", code="no-own"
        )
    check_person(store, "remove a profile", "nothing was removed")
    stock = bool(stock_path(name))
    users = _users(store, name)
    if users and not stock and not force:
        raise RefusedError(
            f"{', '.join(users)} would be left without the profile '{name}', and could get no "
            "message; nothing was removed",
            hint="Stop them first, or remove it with --force.",
            code="in-use",
        )
    try:
        if os.path.lexists(copy := accepted.copy_of(name)):
            os.unlink(copy)
        os.unlink(path)
    except OSError as error:
        raise TorchError(
            f"{path} cannot be removed: {error.strerror}", code="unwritable"
        ) from error
    store.events.add("uninstall", name, {"path": path})
    return path, stock


def check_person(store: Store, deed: str, nothing: str) -> None:
    """Raise ``RefusedError``, which says ``nothing``, if an agent runs this process."""
    own = actor(store).agent
    if own is not None:
        raise RefusedError(
            f"'{own.name}' is an agent, and only people {deed}, for it decides which keys are "
            f"pressed; {nothing}",
            hint="Ask a person to look at it, and to run the command.",
            code="not-yours",
        )


def _files(place: str) -> list[str]:
    """Return the files that ``place`` means: itself, or the ``.toml`` files in it."""
    if not os.path.lexists(place):
        raise NotFoundError(f"no file {place}; nothing was installed", code="no-file")
    if not os.path.isdir(place):
        return [place]
    names = sorted(name for name in os.listdir(place) if name.endswith(".toml"))
    if not names or len(names) > MOST_PROFILES:
        why = "no file of it ends in .toml" if not names else f"over {MOST_PROFILES} .toml files"
        raise RefusedError(f"{place}: {why}; nothing was installed", code="bad-profile")
    files = [os.path.join(place, name) for name in names]
    for file in files:
        if stat.S_ISLNK(os.lstat(file).st_mode):
            raise RefusedError(
                f"{file} is a link, and may lead anywhere; nothing was installed",
                hint="Give the path of the file itself.",
                code="bad-profile",
            )
    return files


def _candidate(store: Store, file: str) -> ProfileFile:
    try:
        with open_regular(file) as opened:
            text = text_of(opened.read(accepted.LARGEST_PROFILE_BYTES + 1))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RefusedError(f"{file}: cannot be read: {why}.", code="bad-profile") from error
    profile = parse_profile(text, file)
    name = profile.name
    return ProfileFile(
        profile,
        file,
        text,
        os.path.join(profiles_dir(), f"{name}.toml"),
        accepted.standing_of(name, text),
        bool(stock_path(name)),
        _users(store, name),
    )


def _users(store: Store, name: str) -> tuple[str, ...]:
    return tuple(
        sorted(one.name for one in store.agents.all() if one.profile == name and not one.stopped)
    )


def _replaces(one: ProfileFile) -> bool:
    """Return whether another profile of the user's own is in its place."""
    with contextlib.suppress(OSError):
        if os.path.samefile(one.file, one.path):
            return False
    try:
        with open_regular(one.path) as opened:
            return text_of(opened.read(accepted.LARGEST_PROFILE_BYTES + 1)) != one.text
    except (OSError, ValueError):
        return os.path.lexists(one.path)
