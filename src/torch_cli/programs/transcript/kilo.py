"""The transcript of Kilo: ``kilo.db`` in its data directory, of opencode's form (7.7.9)."""

import os

from torch_cli.programs.transcript import Origin
from torch_cli.programs.transcript.opencode import Sessions, data_directory


def open_transcript(origin: Origin) -> Sessions:
    """Return the sessions of every Kilo of that user, in that directory."""
    return Sessions(os.path.join(data_directory(origin), "kilo", "kilo.db"), origin)
