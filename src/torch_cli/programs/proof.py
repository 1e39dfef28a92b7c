"""What ``torch profile verify`` has proven about an agent program on this machine.

A proof is valid for one version of the program and for the profile as it was read. It says nothing
about other versions, or about a profile that has changed since.
"""

import json
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch_cli.paths import state_dir
from torch_cli.programs.loading import STOCK
from torch_cli.programs.profile import BUILT_IN, Profile

PROOF_SCHEMA = "torch.verified/1"

VERIFIABLE = ("aider", "claude", "codex", "demo", "gemini", "kilo", "opencode", "pi", "qwen")
"""The stock profiles that can be verified."""

_VERSION = re.compile(r"\w[\w.+-]{0,63}")


class Proof(NamedTuple):
    """What one verification found. ``date`` is the day, ISO 8601.

    ``keys`` says for ``chord`` and ``idle_key``, if they were tried, whether dialogs ignored them.
    ``queues`` says whether messages to the working program arrived, ``None`` if that was not
    tried. ``failures`` are sentences about what failed.
    """

    version: str
    date: str
    keys: Mapping[str, bool] = MappingProxyType({})
    queues: bool | None = None
    failures: tuple[str, ...] = ()


def folder() -> str:
    """Return the directory of the proofs; it may not exist yet."""
    return os.path.join(state_dir(), "verified")


def path_of(name: str, version: str) -> str:
    """Return where the proof of the profile ``name`` for that version is kept."""
    return os.path.join(folder(), f"{name}-{version}.json")


def proof_of(profile: Profile, version: str) -> Proof | None:
    """Return what was proven about that version on this machine, ``None`` if nothing valid was.

    Every delivery can afford this: without a proof it costs one failing ``open``.
    """
    kept = read(profile.name, version)
    if kept is None or kept.get("profile_digest") != digest(profile):
        return None
    try:
        return Proof(
            version,
            str(kept["date"])[:10],
            {
                str(n): key["ignored"]
                for n, key in kept["keys"].items()
                if key["ignored"] is not None
            },
            None if kept["queues"] is None else bool(kept["queues"]),
            tuple(str(one["sentence"]) for one in kept["failures"]),
        )
    except (AttributeError, KeyError, TypeError):
        return None  # not written by this Torch


def read(name: str, version: str) -> dict[str, Any] | None:
    """Return the kept result as it was written, ``None`` if none can be read."""
    if not _VERSION.fullmatch(version):
        return None
    try:
        with open(path_of(name, version), encoding="utf-8") as file:
            kept = json.load(file)
    except (OSError, ValueError):
        return None
    known = isinstance(kept, dict) and kept.get("schema") == PROOF_SCHEMA
    return kept if known and kept.get("version") == version else None


def digest(profile: Profile) -> str:
    """Return a digest of the profile's file, '' if it cannot be read."""
    from hashlib import sha256

    place = profile.source
    if place == BUILT_IN:
        place = os.path.join(STOCK, f"{profile.name}.toml")
    try:
        with open(place, "rb") as file:
            return sha256(file.read()).hexdigest()
    except OSError:
        return ""
