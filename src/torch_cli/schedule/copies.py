"""A copy of the state file, once a day, in case the file is damaged."""

import os

from torch_cli.store import Store
from torch_cli.store.database import backup

COPY_INTERVAL_SECONDS = 86_400.0
"""Seconds between two copies."""


def keep_copy(store: Store, now: float) -> str | None:
    """Copy the state file if the last copy is a day old at ``now``; return the path of a new copy.

    Raises ``StoreError`` if the file is damaged. The old copy stays then.
    """
    try:
        age = now - os.path.getmtime(backup(store.database.path))
    except FileNotFoundError:
        age = COPY_INTERVAL_SECONDS
    return store.database.copy() if age >= COPY_INTERVAL_SECONDS or age < 0 else None
