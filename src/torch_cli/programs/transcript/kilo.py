"""The transcript of Kilo: ``kilo.db`` in its data directory, of opencode's form (7.7.9)."""

from collections.abc import Mapping

from torch_cli.programs.transcript import Origin, opencode
from torch_cli.programs.transcript.opencode import Sessions, sessions_file

PROGRAM = "kilo"


def open_transcript(origin: Origin) -> Sessions:
    """Return the sessions of every Kilo of that user, in that directory."""
    return Sessions(sessions_file(origin.environ, PROGRAM), origin)


def file_with(session: str, environ: Mapping[str, str]) -> str:
    """Return the file that has ``session``, as for opencode."""
    return opencode.file_with(session, environ, PROGRAM)


def newest_session(directory: str, environ: Mapping[str, str]) -> str:
    """Return the session of ``directory`` that was used last, '' if there is none."""
    return opencode.newest_session(directory, environ, PROGRAM)


said_in, used_at = opencode.said_in, opencode.used_at
