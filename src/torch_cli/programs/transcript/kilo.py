"""The transcript of Kilo: ``kilo.db`` in its data directory, of opencode's form (7.7.9)."""

from torch_cli.programs.transcript import Origin
from torch_cli.programs.transcript.opencode import Sessions, sessions_file


def open_transcript(origin: Origin) -> Sessions:
    """Return the sessions of every Kilo of that user, in that directory."""
    return Sessions(sessions_file(origin.environ, "kilo"), origin)
