"""The append-only log of what happened. Other views are made from it."""

import json
import time
from collections.abc import Mapping

from torch_cli.store.database import Database


class Events:
    """Appends to the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, verb: str, target: str, detail: Mapping[str, object] | None = None, actor: str = ""
    ) -> None:
        """Record that ``actor`` (an agent's name, '' for a person) did ``verb`` to ``target``."""
        self._database.write(
            "INSERT INTO events (at, actor, verb, target, detail) VALUES (?, ?, ?, ?, ?)",
            *(time.time(), actor, verb, target, json.dumps(detail or {}, default=str)),
            durable=False,
        )
