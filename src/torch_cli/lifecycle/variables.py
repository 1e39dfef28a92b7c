"""The variables that a profile gives its program, for one run."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from torch_cli import paths
from torch_cli.programs.loading import STOCK
from torch_cli.programs.profile import Profile
from torch_cli.programs.setup import hook_command


def variables_of(profile: Profile) -> dict[str, str]:
    """Return the variables that the profile sets for this run. The caller's own come first.

    Each run has a log of its own, in a directory for its owner alone. Raises ``OSError`` if that
    cannot be made.
    """
    words = {"profiles": STOCK, "profiles_url": Path(STOCK).as_uri(), "hook": hook_command()}
    words["answers"] = paths.answers()
    if any("{log}" in item for item in profile.launch.env_set):
        paths.make_private(paths.program_logs())
        words["log"] = os.path.join(paths.program_logs(), f"{secrets.token_hex(8)}.log")
    found = {}
    for item in profile.launch.env_set:
        name, _, value = item.partition("=")
        found[name] = re.sub(r"\{(\w+)\}", lambda one: words.get(one[1], one[0]), value)
    return found


def gets_all(profile: Profile, own: Mapping[str, str]) -> bool:
    """Return whether none of the profile's variables is among its caller's ``own``."""
    names = {item.partition("=")[0] for item in profile.launch.env_set}
    return not names & own.keys()
