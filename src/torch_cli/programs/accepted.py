"""Which profiles of a user's own a person has accepted: Torch uses only those.

A profile decides which keys Torch presses, and any program of the user's can write to the directory
of profiles. So Torch keeps a copy of each profile that a person has installed. If the file in the
directory differs from its copy, nothing is started and nothing is typed by it.
"""

import enum
import os

from torch_cli.errors import RefusedError
from torch_cli.paths import state_dir
from torch_cli.regular import read_regular

LARGEST_PROFILE_BYTES = 1 << 20
"""The most bytes of a profile; the largest stock profile has 15 KB."""


class Standing(enum.StrEnum):
    """How a profile of the user's own compares with the one that a person has installed."""

    INSTALLED = "installed"
    CHANGED = "changed"
    NEW = "new"


STANDING_WORDS = {
    Standing.INSTALLED: "",
    Standing.CHANGED: "it has changed since a person installed it",
    Standing.NEW: "no person has installed it",
}
"""A sentence about each standing, '' for the one in which a profile is used."""


def copy_of(name: str) -> str:
    """Return where the accepted copy of the profile ``name`` is kept; it may not exist."""
    return os.path.join(state_dir(), "accepted", f"{name}.toml")


def accepted_text(name: str) -> str | None:
    """Return the profile ``name`` as a person accepted it, ``None`` if nobody did."""
    try:
        return read_regular(copy_of(name), LARGEST_PROFILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def standing_of(name: str, text: str) -> Standing:
    """Return how ``text``, the file of the profile ``name``, compares with the accepted copy."""
    before = accepted_text(name)
    if before is None:
        return Standing.NEW
    return Standing.INSTALLED if before == text else Standing.CHANGED


def check_accepted(name: str, text: str, path: str) -> None:
    """Raise ``RefusedError`` unless ``text``, which is in the file ``path``, was accepted."""
    standing = standing_of(name, text)
    if standing is not Standing.INSTALLED:
        raise RefusedError(
            f"the profile {path} is not used: {STANDING_WORDS[standing]}",
            hint=f"A person shows what is new in it, and accepts it: torch profile install {path}",
            code="untrusted",
        )
