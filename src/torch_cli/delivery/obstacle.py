"""What stands in the way of a paste: a decision on what was seen, and how long it may last."""

from torch_cli import procs
from torch_cli.agents.observe import Sight
from torch_cli.agents.state import State
from torch_cli.delivery.recipient import Recipient

PATIENCE = 2.0
"""Seconds that a draft or an unknown screen is waited for: a person pauses, a redraw ends."""

LOWEST = 6
"""Rows of a pane in which a box with two rows of text, its rules and a footer can be seen."""

_CLEAR = ("", 0.0)


def obstacle(sight: Sight, recipient: Recipient, typed: str, *, when: str) -> tuple[str, float]:
    """Return what forbids pasting ``typed`` now, and the seconds that it is given to pass.

    The reason is '' if nothing does. Its first words are the obstacle's kind: ``dead``,
    ``exited``, ``foreign``, ``not visible``, ``dialog``, ``limited``, ``starting``, ``unknown``,
    ``draft`` or ``working``.
    """
    gone = _ended(sight, recipient)
    if gone:
        return gone, 0.0
    state, box = sight.state.state, sight.state.box
    if sight.screen.height < LOWEST:
        return f"not visible: the pane has only {sight.screen.height} rows", 0.0
    if state is State.WAITING:
        return f"dialog: the program asks '{question(sight)}'", 0.0
    if state is State.LIMITED:
        return f"limited: {sight.state.evidence}", 0.0
    hidden = state is State.WORKING and recipient.profile.box.hidden_working
    if state is State.STARTING or hidden:
        return str(state), PATIENCE
    if box is None or state is State.UNKNOWN:
        return f"unknown screen: {sight.state.evidence}", PATIENCE
    if not box.empty:
        return "draft: a person's text stands in the box", PATIENCE
    joined = sight.state.queued and recipient.profile.paste.queue_joins
    queues = recipient.submit.while_working and when != "idle" and not joined
    if state is State.WORKING and not queues:
        return "working", PATIENCE
    if state not in recipient.profile.paste.framed_in and "\n" in typed:
        return "working: the program takes one line only now", PATIENCE
    return _CLEAR


def question(sight: Sight) -> str:
    """Return what the program asks, in one line."""
    return sight.state.dialog.question if sight.state.dialog else sight.state.evidence


def _ended(sight: Sight, recipient: Recipient) -> str:
    """Say that the program has ended, or that another has the pane's terminal, if so."""
    if sight.screen.dead:
        return "dead: the pane's process has ended"
    if sight.state.state in (State.EXITED, State.DEAD):
        return f"{sight.state.state}: {sight.state.evidence}"
    program = recipient.program
    if program is None:
        return ""
    if not procs.alive(program):
        return f"exited: the registered program (process {program.pid}) has ended"
    group = procs.foreground(recipient.pane.pid)
    if group not in (None, program.pid):
        return f"foreign: another program (process group {group}) has the pane's terminal"
    return ""
