"""The state file, kept open between uses.

Opening it costs 0.7 ms of CPU time on a busy machine, most of it for the schema that SQLite reads
then. A scheduler uses it several times a second, from several threads.
"""

import contextlib
import threading
from collections.abc import Iterator

from torch_cli.store import Store


class Lender:
    """Lends open state files, each to one user at a time.

    One that was used while an error was raised is closed. So is one that is not the state file any
    more, because another took its place or a newer Torch has changed its schema.
    """

    def __init__(self) -> None:
        self._idle: list[Store] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def lend(self) -> Iterator[Store]:
        """Lend one. Raises ``StoreError`` if none can be opened."""
        store = self._take() or Store(moves=True)
        try:
            yield store
        except BaseException:
            store.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle.append(store)
                return
        store.close()

    def close(self) -> None:
        """Close what is not lent. What comes back later is closed then."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for store in idle:
            store.close()

    def _take(self) -> Store | None:
        while True:
            with self._lock:
                store = self._idle.pop() if self._idle else None
            if store is None or store.database.is_current():
                return store
            store.close()
