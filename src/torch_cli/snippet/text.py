"""The snippet for ``tmux.conf``: commands that add to a person's settings and replace none.

It only reads user options that the daemon sets (``marks``), so that tmux starts no process to draw
its status line. Sourced again, it finds its own additions and leaves them.
"""

import os
import shlex
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from torch_cli.tmux import quote
from torch_cli.tmux.process import program

SOURCED = "@torch_tmux"
"""The option by which a server says that the snippet was sourced there."""

LINE = "@torch"
"""The option that holds who needs a person, '' if nobody does."""

CLIENT = "@torch_client"
"""The option that names the daemon's connection. It is there for as long as the marks are true."""

ROOM = "@torch_room"
"""The option that holds the limit of ``status-right`` as the snippet has raised it."""

DO = "@torch_do"
"""The option of a pane: what a person has to do for its agent, one of ``groups.URGENT``."""

DONE_UNSEEN = "@torch_done"
"""The option of a pane whose agent has ended a turn that nobody has looked at since."""

LOST = "torch: no daemon"
"""What stands in place of who needs a person once the daemon's connection has ended."""

COLUMNS = 40
"""Columns of the segment at most; the limit of ``status-right`` is raised by these and a blank."""

KEY_MARK = ": torch shell tmux;"
"""Stands in the commands of Torch's keys, so that they are known as Torch's. It does nothing."""

HOOK = "client-detached[7717]"
"""The place of our command in tmux's list of commands for that hook; others keep theirs."""


class SnippetKey(NamedTuple):
    """A key behind tmux's prefix key, and what it does."""

    key: str
    words: str


ANSWER = SnippetKey("A", "a popup in which you answer what agents ask")
MENU = SnippetKey("T", "a menu of the agents, who needs you first")
NEXT = SnippetKey("N", "the agent that has waited longest for you")
BACK = SnippetKey("B", "where you were before that")
KEYS = (ANSWER, NEXT, BACK, MENU)

_MARK = "#{P:#{?%(do)s,#{?#{==:#{%(do)s},answer},?,!},}}"
_ENDED_MARK = "#{P:#{?%(ended)s,+,}}"
_COLOUR = (
    "#{?#{==:#{%(do)s},answer},fg=yellow,#{?#{==:#{%(do)s},look},fg=magenta,#{?%(do)s,fg=red,}}}"
)

_HEAD = """\
# Torch in tmux: who needs you. It adds to your settings and replaces none of them; you may source
# it again. Source it below your own settings. What it shows comes from the daemon: 'torch daemon
# start'.
set-option -g {sourced} 1

# The status line says who needs you, and is as before while nobody does.
"""

_ROOM = """\
if-shell -F '#{?#{==:#{%(room)s},#{status-right-length}},,1}' {
  set-option -gF status-right-length '#{e|+:#{status-right-length},%(more)d}'
  set-option -gF %(room)s '#{status-right-length}'
}
"""

_ADD = """\
if-shell -F '#{{?#{{m:*{known}*,#{{{option}}}}},,1}}' {{
  set-option -ga {option} '{text}'
}}
"""

_HOOK = f"""\
# When the daemon's connection ends, however it ends, nothing old stays on the screen. tmux names a
# connection by its process, and the daemon may have others: the one that looks hears no output.
set-hook -g {HOOK} {{
  if-shell -F '#{{?{CLIENT},#{{==:#{{hook_client}},#{{{CLIENT}}}}},}}' {{
    if-shell -b %s {{
      set-option -g {LINE} '{LOST}'
      set-option -gu {CLIENT}
    }}
  }}
}}
"""


_STATUS = f"#{{?{LINE}, #{{{LINE}}},}}"


def _marks() -> tuple[str, str, str]:
    """Return the formats of a window's marks, of the one for an ended turn, and of a border."""
    names = {"do": DO, "ended": DONE_UNSEEN}
    mark, ended, colour = (
        f"#{{?{CLIENT},{text % names},}}" for text in (_MARK, _ENDED_MARK, _COLOUR)
    )
    return mark, ended, colour


_NAMES = ("window-status-format", "window-status-current-format")
_BORDERS = ("pane-border-style", "pane-active-border-style")


def additions() -> list[tuple[str, str]]:
    """Return the options that the snippet adds to, and each text that it adds."""
    mark, ended, colour = _marks()
    found = [("status-right", _STATUS)]
    found += [(option, text) for option in _NAMES for text in (mark, ended)]
    return found + [(option, colour) for option in _BORDERS]


def snippet(torch: Sequence[str]) -> str:
    """Return the snippet; ``torch`` are the words by which tmux can start this Torch."""
    mark, ended, colour = _marks()
    parts = [
        _HEAD.format(sourced=SOURCED),
        _add("status-right", _STATUS),
        _ROOM % {"room": ROOM, "more": COLUMNS + 1},
        "\n# The names of windows: '?' for each agent that waits for an answer, '!' for each that\n"
        "# needs a look or has ended, '+' for each that has ended a turn you have not looked at.\n",
        *(_add(option, mark) + _add(option, ended, DONE_UNSEEN) for option in _NAMES),
        "\n# The borders of panes: yellow answer, magenta look, red fix.\n",
        *(_add(option, colour) for option in _BORDERS),
        f"\n{_HOOK % _word(_lost())}",
        "\n# Keys behind the prefix key. A key that is bound already is not taken.\n",
        *(_bind(key, torch) for key in KEYS),
    ]
    return "".join(parts)


NO_WAY_BACK = "torch: there is nowhere to go back to"


def _add(option: str, text: str, known: str = LINE) -> str:
    """Return the command that appends ``text`` to an option that does not name ``known`` yet."""
    return _ADD.format(option=option, text=text, known=known)


def _lost() -> str:
    """Return the shell command that succeeds if the daemon's connection that looks has ended."""
    listed = "list-clients -F '#{client_name} #{client_flags}' 2>/dev/null"
    found = f'grep -q "^#{{{CLIENT}}} .*no-output"'
    return f"! {_tmux()} {quote.format_literal(listed)} | {found}"


def _tmux() -> str:
    return shlex.quote(shutil.which(program()) or program())


def listing(key: str) -> str:
    """Return the shell command that succeeds if ``key`` is bound to something of somebody else."""
    listed = f"{_tmux()} list-keys -T prefix {shlex.quote(key)} 2>/dev/null"
    return f"{listed} | grep -v {shlex.quote(KEY_MARK)} | grep -q ."


def _bind(key: SnippetKey, torch: Sequence[str]) -> str:
    taken = _word(f"torch: prefix {key.key} is bound already, and was not taken for {key.words}")
    test = _word(quote.format_literal(listing(key.key)))
    action = _popup(torch) if key is ANSWER else _in_background(key, torch)
    bound = f"bind-key -T prefix -N {_word(f'Torch: {key.words}')} {key.key} {action}"
    return (
        f"# prefix {key.key}: {key.words}\n"
        f"if-shell {test} {{\n  display-message {taken}\n}} {{\n  {bound}\n}}\n"
    )


def _popup(torch: Sequence[str]) -> str:
    """Return the tmux command that answers in a popup, which stays until Enter is pressed."""
    call = shlex.join([*torch, "answer"])
    script = f"{KEY_MARK} {call}; echo; echo Enter closes this.; read -r _"
    # The popup's shell may be any; tmux does not expand its command.
    return f"display-popup -E -w 80% -h 80% {_word(f'exec sh -c {shlex.quote(script)}')}"


def _in_background(key: SnippetKey, torch: Sequence[str]) -> str:
    """Return the tmux command that shows the menu, goes to the next agent, or back."""
    # tmux expands the command of run-shell as a format, and gives it to sh.
    ways = {NEXT: ["next", "--quiet"], BACK: ["back", "--quiet"]}
    words = ways.get(key, ["shell", "menu", "-S", "#{q:socket_path}"])
    call = quote.format_literal(shlex.join(torch))
    call += f" {' '.join(words)} --client #{{q:client_name}}"
    if key is BACK:
        # What a command prints puts the pane into a mode, in which an agent gets no messages.
        tell = f"{_tmux()} display-message -c #{{q:client_name}} {shlex.quote(NO_WAY_BACK)}"
        call += f" >/dev/null 2>&1 || {tell}"
    else:
        call += " 2>&1"
    return f"run-shell -b {_word(f'{KEY_MARK} {call}')}"


def _word(text: str) -> str:
    return os.fsdecode(quote.word(text))
