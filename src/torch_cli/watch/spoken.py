"""The last lines of an agent, also where tmux keeps none: from the transcript of its program."""

from typing import NamedTuple

from torch_cli.errors import TorchError
from torch_cli.programs.said import Transcribed, said_by, transcript_path
from torch_cli.roster.registry import Found, profile_named
from torch_cli.tmux.capture import shown

SCREEN = "── the screen now ──"
"""The line between what was said and the rows of the screen."""


class Spoken(NamedTuple):
    """Lines, the rows of the screen last.

    ``alternate`` says that the program draws on the alternate screen, of which tmux keeps no
    history. Then ``said`` is what the lines above the screen are from, ``None`` if there is nothing
    else than the screen.
    """

    lines: list[str]
    alternate: bool
    said: Transcribed | None = None

    @property
    def origin(self) -> str:
        """What the lines are, in words; '' if they are what tmux has kept."""
        if not self.alternate:
            return ""
        if self.said is None:
            return (
                "only the last screen: tmux keeps no history of the alternate screen, and no "
                "transcript of its program is known"
            )
        cut = "" if self.said.whole else " (its end)"
        return f"what was said, from its transcript {self.said.path}{cut}, and the last screen"


def spoken(
    found: Found,
    *,
    count: int | None = None,
    history: bool = False,
    ansi: bool = False,
    join: bool = False,
) -> Spoken:
    """Return the last lines of ``found``: as many as ``count``, or all with ``history``.

    ``ansi`` and ``join`` are as for ``tmux.capture.shown``. Raises ``NotFoundError`` if the pane is
    gone.
    """
    seen = shown(found.socket, found.pane, count=count, history=history, ansi=ansi, join=join)
    wanted = history or (count is not None and count > found.pane.height)
    if not (seen.alternate and wanted):
        return Spoken(seen.lines, seen.alternate)
    said = said_by(_kind(found), found.program or found.pane.pid)
    screen = shown(found.socket, found.pane, ansi=ansi, join=join).lines
    if said is None:
        return Spoken(seen.lines, True)
    lines = [*said.lines, "", SCREEN, *screen]
    return Spoken(lines[-count:] if count is not None else lines, True, said)


def transcript_of(found: Found) -> str:
    """Return the path of the transcript of the program of ``found``, '' if that is not known."""
    return transcript_path(_kind(found), found.program or found.pane.pid)


def _kind(found: Found) -> str:
    try:
        profile = profile_named(found.agent.profile) if found.agent is not None else None
    except TorchError:
        return ""
    return profile.answer.transcript if profile is not None else ""
