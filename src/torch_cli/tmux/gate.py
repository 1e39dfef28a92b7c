"""Acts that tmux itself makes conditional, in the same step of its server.

Nothing can come between the look and the key: an ``if-shell -F`` compares what is to be true of
the pane with what is, and only then pastes or presses. Its printed word is the result; the exit
status says nothing.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import run
from torch_cli.tmux.version import OLDEST, numbers

# What must be true of any pane that is to be typed into. In a mode nothing reaches the program,
# with input off it is swallowed, with synchronize-panes every pane of the window gets it, and a
# paste into a dead pane ends the whole server (tmux up to 3.3a).
_FACTS = (
    "#{pane_id}/#{pane_pid}/#{?pane_dead,dead,}/#{?pane_in_mode,mode,}"
    "/#{?pane_input_off,input-off,}/#{?pane_synchronized,synchronized,}"
)
_DONE = "torch-done"
_BLOCKED = "torch-blocked"

_ENCODES = (3, 7)
"""From this version on ``paste-buffer`` writes control characters and what is not UTF-8 in another
form (``M^?``) unless it is given ``-S``, which is as new (``cmd_paste_buffer_paste()`` in tmux)."""

_NO_KEY = "^[^^]*"
"""Matches the beginning of a row up to the first ``^``."""

_LINE_BYTES = 4096
"""Bytes of text that go through a command line of control mode."""


class GateOutcome(NamedTuple):
    """Whether the act was done, and if not, what the gate found instead.

    ``reason`` is one of ``gone``, ``replaced``, ``dead``, ``mode``, ``input-off``,
    ``synchronized``, ``changed`` (a row or the cursor is not as required), or ''.
    """

    done: bool
    reason: str = ""


def rows_stand(rows: Sequence[str], *, prompt: str = "") -> list[str]:
    """Return conditions: each of ``rows`` is on the screen, whole, somewhere.

    The first may begin with ``prompt``, which is matched literally.
    """
    patterns = [quote.row_pattern(rows[0], prompt=prompt)]
    patterns += [quote.row_pattern(row) for row in rows[1:]]
    return ["#{C/r:%s}" % pattern for pattern in dict.fromkeys(patterns)]


def row_has(words: str, row: int, *, unbroken: bool = False) -> list[str]:
    """Return the condition: ``row`` (from 0) is the first that has ``words``, a profile's, in it.

    A row above it may quote them: then nothing is sure. With ``unbroken`` rows do not count in
    which the terminal has shown a key, such as ``^C``, before them. Raises ``ValueError`` if they
    have a character that means something to formats or patterns.
    """
    if not quote.is_literal(words):
        raise ValueError(f"{words!r} cannot be used in a tmux pattern")
    return ["#{==:#{C/r:%s%s},%d}" % (_NO_KEY if unbroken else "", words, row + 1)]


def rows_absent(patterns: Sequence[str]) -> list[str]:
    """Return conditions: no row matches one of ``patterns``, which are a profile's."""
    return ["#{?#{C/r:%s},0,1}" % pattern for pattern in patterns]


def cursor_at(position: tuple[int, int], *, shown: bool = False) -> list[str]:
    """Return the condition that the cursor is at (column, row), from 0; with ``shown``, visible."""
    there = "#{==:#{cursor_x}.#{cursor_y},%d.%d}" % position
    return [there, "#{==:#{cursor_flag},1}"] if shown else [there]


def paste(
    client: ControlClient,
    pane: Pane,
    *,
    framed: bool,
    conditions: Sequence[str],
    buffer: str,
    unless: Callable[[], bool] | None = None,
) -> GateOutcome:
    """Paste what was loaded into ``buffer`` into ``pane`` if the gate lets it through.

    ``framed`` asks tmux for a bracketed paste, which it gives if the program wants it. ``unless``
    is as for ``press``. The buffer is gone afterwards, unless tmux did not answer in time: then
    nobody knows what was done.
    """
    flags = ["-p"] if framed else []
    if (numbers(pane.version) or OLDEST) >= _ENCODES:
        flags.append("-S")
    act = quote.line("paste-buffer", *flags, "-r", "-d", "-b", buffer, "-t", pane.id)
    outcome = _guarded(client, pane, act, conditions, unless)
    if not outcome.done:
        unload(client, buffer)
    return outcome


def unload(client: ControlClient, buffer: str) -> bool:
    """Delete the buffer of that name; say whether there was one.

    If there was, it was not pasted, for a paste deletes it in the same step, and it never will be.
    """
    return client.ask(quote.line("delete-buffer", "-b", buffer))[-1].ok


def load(client: ControlClient, buffer: str, text: bytes) -> bool:
    """Put ``text`` into a buffer with a name that nobody else uses; types nothing.

    A process of its own takes any size, and 3 ms.
    """
    if len(text) <= _LINE_BYTES:
        words = ("set-buffer", "-b", buffer, "--", text.decode("utf-8", "surrogateescape"))
        return client.ask(quote.line(*words))[-1].ok
    return run(client.socket, "-N", "load-buffer", "-b", buffer, "-", stdin=text).status == 0


def press(
    client: ControlClient,
    pane: Pane,
    keys: Sequence[str],
    conditions: Sequence[str] = (),
    *,
    unless: Callable[[], bool] | None = None,
) -> GateOutcome:
    """Press ``keys`` (tmux's names) in ``pane`` if the gate lets it through.

    ``unless`` is asked last, just before tmux is: if it is true, nothing is pressed (``typing``).
    """
    act = quote.line("send-keys", "-t", pane.id, "--", *keys)
    return _guarded(client, pane, act, conditions, unless)


def look(client: ControlClient, pane: Pane) -> GateOutcome:
    """Return what the gate would find now, with nothing to do behind it."""
    return _guarded(client, pane, b"display-message -p ok", ())


def _guarded(
    client: ControlClient,
    pane: Pane,
    act: bytes,
    conditions: Sequence[str],
    unless: Callable[[], bool] | None = None,
) -> GateOutcome:
    wanted = f"{pane.id}/{pane.pid}////"
    condition = "#{==:%s,%s}" % (_FACTS, wanted)
    for extra in conditions:
        condition = "#{&&:%s,%s}" % (condition, extra)
    step = (
        b"if-shell -F -t %b %b { %b ; display-message -p %b } { display-message -p -t %b %b }"
        % (
            pane.id.encode(),
            quote.word(condition),
            act,
            _DONE.encode(),
            pane.id.encode(),
            quote.word(f"{_BLOCKED} {_FACTS}"),
        )
    )
    if unless is not None and unless():
        return GateOutcome(False, "typing")
    last = client.ask(step)[-1]
    if last.ok and last.text == _DONE:
        return GateOutcome(True)
    return GateOutcome(False, _reason(pane, last.text if last.ok else ""))


def _reason(pane: Pane, said: str) -> str:
    facts = said.removeprefix(_BLOCKED + " ").split("/")
    if len(facts) != 6 or facts[0] != pane.id:
        return "gone"
    if facts[2]:
        return "dead"
    if facts[1] != str(pane.pid):
        return "replaced"
    return next((fact for fact in facts[3:] if fact), "changed")
