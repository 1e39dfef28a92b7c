"""Messages that a hook of the user's refuses: the program has them, and sends them nowhere.

Our own hook runs beside that one, so its report proves only that the text was submitted. What
became of it stands in the program's transcript, and a refused text stands in the box again.
"""

import time

from torch_cli.delivery import ours
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.reading import Reader
from torch_cli.delivery.text import same
from torch_cli.programs.observe import Sight
from torch_cli.programs.standing import box_stands
from torch_cli.programs.transcript import REFUSALS, Turn, open_transcript, turn_of
from torch_cli.programs.transcript.lines import Lines
from torch_cli.store.messages import Message
from torch_cli.tmux import gate

WRITTEN = 5.0
"""Seconds that the transcript is given to tell what became of a message. Claude Code writes it down
0.1 s after its last hook has ended (2.1.330, 2026-11-28); a hook of the user's may be slow."""

ABSENT = 1.0
"""The same for a program that has no transcript and does not name one: it may keep none."""

_LOOK = 0.02
"""Seconds between two looks at the transcript, which wakes nobody."""

_RESTORED = 1.0
"""Seconds that a refused text is given to stand in the box again."""


def tells(reader: Reader) -> bool:
    """Say whether the program's transcript tells of a message that was refused."""
    return reader.recipient.profile.answer.transcript in REFUSALS


def fate(reader: Reader, message: Message) -> Turn | None:
    """Return the turn that ``message`` began or was refused in; ``None`` if no transcript has it.

    An empty ``Turn`` stands for a program that keeps no transcript: nothing more can be known.
    """
    to = reader.recipient
    pid = to.program.pid if to.program is not None else to.pane.pid
    transcript = open_transcript(to.profile.answer.transcript, pid, message.created)
    began = time.monotonic()
    while True:
        heard = reader.heard()
        turn = turn_of(transcript, lambda text: same(text, message.typed, to.profile))
        waited = time.monotonic() - began
        if turn is not None or waited >= WRITTEN:
            return turn
        if waited >= ABSENT and isinstance(transcript, Lines) and not transcript.exists:
            return Turn()
        reader.wait(heard, _LOOK)


def clear(reader: Reader, message: Message) -> bool:
    """Take a refused text out of the box again; say whether that is empty then.

    Each key goes through the gate, and only while nothing but our text, or its beginning, stands
    there: the key deletes one line.
    """
    keys = reader.recipient.profile.submit.clear
    until = time.monotonic() + _RESTORED
    seen = False
    for _ in range(2 * message.typed.count("\n") + 4 if keys else 0):
        heard = reader.heard()
        sight = reader.look()
        while not seen and not (seen := _is_ours(sight, message, reader)):
            if time.monotonic() >= until:
                return False
            reader.wait(heard, _LOOK)
            heard, sight = reader.heard(), reader.look()
        box = sight.state.box
        if box is None or not ours.begins_with(message.typed, box, reader.recipient.profile):
            return False
        if box.empty:
            return True
        gate.press(reader.client, reader.pane, keys, box_stands(sight, reader.recipient.profile))
        reader.wait(heard, _RESTORED)
    return False


def _is_ours(sight: Sight, message: Message, reader: Reader) -> bool:
    box, profile = sight.state.box, reader.recipient.profile
    if box is None or box.placeholders:
        return False
    return ours.is_ours(box, message.typed, Baseline(), profile, pasted=False)
