"""Obstacles to a paste: a decision on what was seen, and how long to wait for each."""

from torch_cli import procs
from torch_cli.delivery.recipient import Recipient
from torch_cli.delivery.text import shows_as_placeholder
from torch_cli.programs.observe import Sight
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import State
from torch_cli.roster.asleep import is_without_program, stay_awake
from torch_cli.store import Store
from torch_cli.store.messages import CHECKIN, Message

OBSTACLE_SECONDS = 2.0
"""Seconds to wait for the end of a draft, or of an unknown screen that may be a redraw."""

LOWEST = 6
"""Rows of a pane in which a box with two rows of text, its rules and a footer can be seen."""

_CLEAR = ("", 0.0)


def obstacle(sight: Sight, recipient: Recipient, typed: str, *, when: str) -> tuple[str, float]:
    """Return the obstacle to pasting ``typed`` now, and the seconds to wait for it to pass.

    The reason is '' if there is none. Its first words are the obstacle's kind: ``dead``,
    ``exited``, ``foreign``, ``not visible``, ``dialog``, ``limited``, ``starting``, ``unknown``,
    ``draft`` or ``working``.
    """
    gone = _ended(sight, recipient)
    if gone:
        return gone, 0.0
    state, box = sight.state.state, sight.state.box
    if sight.screen.height < LOWEST:
        return f"not visible: {_low(sight)}", 0.0
    if state is State.WAITING:
        return f"dialog: the program asks '{question(sight)}'", 0.0
    if state is State.LIMITED:
        return f"limited: {sight.state.evidence}", 0.0
    hidden = state is State.WORKING and recipient.profile.box.hidden_working
    if state is State.STARTING or hidden:
        return str(state), OBSTACLE_SECONDS
    if box is None or state is State.UNKNOWN:
        low = f"; {_low(sight)}" if sight.screen.height < recipient.profile.box.low else ""
        return f"unknown screen: {sight.state.evidence}{low}", OBSTACLE_SECONDS
    if not box.empty:
        return "draft: a person's text is in the box", OBSTACLE_SECONDS
    joined = sight.state.queued and recipient.profile.paste.queue_joins
    queues = recipient.submit.while_working and when != "idle" and not joined
    if state is State.WORKING and not queues:
        return "working", OBSTACLE_SECONDS
    return _unfit(typed, sight, recipient.profile)


def frozen(store: Store, recipient: Recipient) -> str:
    """Return why nothing is typed for a recipient that is frozen now, '' if it is not."""
    if recipient.agent and store.agents.is_frozen(recipient.agent):
        return f"frozen: 'torch thaw {recipient.name}' lets it go on"
    return ""


def refused(store: Store, recipient: Recipient, message: Message) -> str:
    """Return why ``message`` is not typed because the login of an account was refused, '' if it is.

    What a person sends is typed: so they see whether it works again.
    """
    if not (message.sender or message.author) and message.kind != CHECKIN:
        return ""
    from torch_cli.roster.account import refused_login  # a person's message never needs it

    name = refused_login(store, recipient.agent)
    if not name:
        return ""
    other = "" if name == recipient.name else f" of agent '{name}', which has the same account,"
    return (
        f"login: the login{other} was refused; log in there and send it a message yourself, then "
        "the others follow"
    )


def asleep(store: Store, recipient: Recipient) -> str:
    """Return why nothing is typed for a recipient that is hibernated, '' if it is awake.

    The lock of its pane is held. So nobody is ending its program: one that was to be hibernated,
    and runs, stays awake from now on.
    """
    agent = store.agents.known_as(recipient.agent) if recipient.agent else None
    if agent is None or agent.stopped is not None:
        return ""
    if is_without_program(agent):
        return f"hibernated: 'torch wake {recipient.name}' wakes it"
    if agent.hibernating is not None:
        stay_awake(store, agent)
    return ""


def _unfit(typed: str, sight: Sight, profile: Profile) -> tuple[str, float]:
    """Return why ``typed`` cannot be pasted into an open box as it is, and the patience for it."""
    if not _can_be_seen(typed, sight, profile):
        return f"not visible: the message is too long for the box, {_low(sight)}", 0.0
    if sight.state.state not in profile.paste.framed_in and "\n" in typed:
        return "working: the program takes one line only now", OBSTACLE_SECONDS
    return _CLEAR


def _can_be_seen(typed: str, sight: Sight, profile: Profile) -> bool:
    """Return whether the box of a low pane would show its edges around ``typed``.

    A text with more lines than the box has rows shows as a placeholder, in one row. Claude Code
    2.1.330 shows two lines in 11 rows, and one line in 10 or fewer (2026-11-28).
    """
    low, height = profile.box.low, sight.screen.height
    if height >= low or shows_as_placeholder(typed, profile):
        return True
    most, lines = max(1, height - low + 3), typed.split("\n")
    return len(lines) > most or sum(_rows(line, sight.screen.width) for line in lines) <= most


def _rows(line: str, width: int) -> int:
    """Return how many rows a line takes at most in a box that wraps at words."""
    cells, room = len(line) + sum(not char.isascii() for char in line), max(1, width - 4)
    return 1 if cells <= room else 2 + cells // room


def _low(sight: Sight) -> str:
    return f"the pane has only {sight.screen.height} rows: make it higher"


def question(sight: Sight) -> str:
    """Return what the program asks, in one line."""
    return sight.state.dialog.question if sight.state.dialog else sight.state.evidence


def _ended(sight: Sight, recipient: Recipient) -> str:
    """Say that the program has ended, or that another one has the pane's terminal, or ''."""
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
