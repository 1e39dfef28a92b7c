"""Taking the snippet out of a tmux server that runs, as ``torch shell tmux --remove`` does.

Only what the snippet has added goes: a key, an option or a text that is another's stays.
"""

import os

from torch_cli import paths
from torch_cli.errors import TorchError
from torch_cli.snippet.text import (
    CLIENT,
    COLUMNS,
    DO,
    DONE_UNSEEN,
    HOOK,
    KEY_MARK,
    KEYS,
    LINE,
    ROOM,
    SOURCED,
    additions,
)
from torch_cli.store import Store
from torch_cli.tmux.process import run
from torch_cli.tmux.running import is_heard
from torch_cli.tmux.socket import Socket


def servers() -> list[str]:
    """Return the sockets of the servers that run and have sourced the snippet.

    Torch knows those of its agents, the one that this process is in, and the default one.
    """
    known = {Socket().file, Socket.choose(None, None).file}
    if os.path.exists(paths.database()):
        with Store() as store:
            known |= {agent.socket for agent in store.agents.all()}
    return [path for path in sorted(known) if is_heard(path) and _has_sourced(path)]


def take_back(path: str) -> None:
    """Take the snippet's keys, texts, options and hook out of the server at the socket ``path``.

    Raises ``TorchError`` if it does not answer.
    """
    for one in KEYS:
        if KEY_MARK in _ask(path, "list-keys", "-T", "prefix", one.key):
            _ask(path, "unbind-key", "-T", "prefix", one.key)
    for option, text in additions():
        _cut_out(path, option, text)
    room = _ask(path, "display-message", "-p", f"#{{{ROOM}}} #{{status-right-length}}").split()
    if len(room) == 2 and room[0] == room[1]:  # a person has not set it since
        _ask(path, "set-option", "-g", "status-right-length", str(int(room[0]) - COLUMNS - 1))
    _ask(path, "set-hook", "-gu", HOOK)
    for option in (LINE, CLIENT, ROOM, SOURCED):
        _ask(path, "set-option", "-gqu", option)
    form = f"#{{pane_id}} #{{{DO}}}#{{{DONE_UNSEEN}}}"
    for row in _ask(path, "list-panes", "-a", "-F", form).splitlines():
        pane, _, marked = row.partition(" ")
        for option in (DO, DONE_UNSEEN) if marked else ():
            _ask(path, "set-option", "-pqu", "-t", pane, option)


def _cut_out(path: str, option: str, text: str) -> None:
    before = _ask(path, "show-options", "-gv", option)
    # tmux puts a comma before what is appended to a style.
    added = next((one for one in (f",{text}", text) if one in before), "")
    if added:
        _ask(path, "set-option", "-g", option, before.replace(added, "", 1))


def _has_sourced(path: str) -> bool:
    try:
        return bool(_ask(path, "display-message", "-p", f"#{{{SOURCED}}}"))
    except TorchError:
        return False


def _ask(path: str, *words: str) -> str:
    """Return what the server says; an error of tmux itself, as for a missing key, is ''."""
    return run(Socket(path=path), "-N", *words).out.removesuffix("\n")
