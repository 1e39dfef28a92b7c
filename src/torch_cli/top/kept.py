"""How a person last wanted ``torch top``: kept from one time to the next."""

import contextlib
import json
import os
from typing import NamedTuple

from torch_cli import paths
from torch_cli.regular import open_regular
from torch_cli.replacing import replace_file

LARGEST_KEPT_BYTES = 4096
"""The most bytes of the file that are read; it has a few dozen."""


class Kept(NamedTuple):
    """What is kept: ``tree`` says that each agent is shown below its parent."""

    tree: bool = False


def load_kept() -> Kept:
    """Return what is kept. A file that is not there, or cannot be read, is as none."""
    with contextlib.suppress(OSError, ValueError):
        with open_regular(_path()) as file:
            known = json.loads(file.read(LARGEST_KEPT_BYTES))
        if isinstance(known, dict):
            return Kept(tree=known.get("tree") is True)
    return Kept()


def save_kept(kept: Kept) -> None:
    """Keep it. Nothing else depends on that, so a disk that is full is no error."""
    with contextlib.suppress(OSError):
        paths.make_private(paths.state_dir())
        replace_file(_path(), json.dumps(kept._asdict()).encode())


def _path() -> str:
    return os.path.join(paths.state_dir(), "top.json")
