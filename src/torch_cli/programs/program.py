"""The agent program on this machine: where it is, and which version."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping

from torch_cli.procs import Process, descendants
from torch_cli.programs.profile import Profile
from torch_cli.tmux.screen import Screen

PACKAGE_LEVELS = 3
"""How many directories above a program may be that of its npm package."""

VERSION_SECONDS = 30.0
"""Seconds that a program may take to say its version; on an overloaded machine ten are too few."""


def find_program(profile: Profile, environ: Mapping[str, str]) -> str | None:
    """Return the path of the profile's program: on the PATH, or installed beside Torch."""
    command = profile.launch.command[0]
    beside = os.path.dirname(sys.executable)
    return shutil.which(command, path=environ.get("PATH")) or shutil.which(command, path=beside)


def ask_version(
    profile: Profile, program: str, environ: Mapping[str, str], timeout: float = VERSION_SECONDS
) -> str | None:
    """Return the version that ``program`` prints, '' if its profile does not say how to ask.

    ``None`` means that it did not answer within ``timeout`` seconds.
    """
    if not profile.launch.version or profile.launch.version_pattern is None:
        return ""
    try:
        said = subprocess.run(
            [program, *profile.launch.version[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=dict(environ),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = profile.launch.version_pattern.search(said.stdout.decode("utf-8", "replace"))
    return _version_in(found)


def packaged_version(program: str) -> str:
    """Return the version of a program that npm has installed, without running it, else ''."""
    folder = os.path.realpath(program)
    for _ in range(PACKAGE_LEVELS):
        folder = os.path.dirname(folder)
        path = os.path.join(folder, "package.json")
        with contextlib.suppress(OSError, ValueError, AttributeError), open(path, "rb") as file:
            return str(json.load(file).get("version", ""))
    return ""


def version_on(screen: Screen, profile: Profile) -> str:
    """Return the program's version if ``screen`` shows it behind the profile's title, else ''."""
    pattern = profile.launch.version_pattern
    if pattern is None or not profile.title:
        return ""
    found = re.search(re.escape(profile.title) + r"\s+\(?v?" + pattern.pattern, screen.text)
    return _version_in(found) or ""


def running_version(profile: Profile, process: Process) -> str:
    """Return the version of a program that runs, by its own file; '' if that cannot be known.

    The file that is executed is asked, also if an update has replaced it since; a shell may have
    started it. An interpreter's file says nothing of the script that it runs, so it is not asked.
    Linux only.
    """
    known = (*profile.process.names, os.path.basename(profile.launch.command[0]))
    for one in (process, *descendants(process.pid)):
        file = f"/proc/{one.pid}/exe"
        with contextlib.suppress(OSError):
            name = os.path.basename(os.readlink(file)).removesuffix(" (deleted)")
            if name in known:
                return ask_version(profile, file, os.environ) or ""
    return ""


def _version_in(found: re.Match[str] | None) -> str | None:
    """Return the version that a profile's pattern found: its group, or the whole match."""
    if found is None:
        return None
    return found[1] if found.re.groups else found[0]
