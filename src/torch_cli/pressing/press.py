"""Pressing keys on purpose, and into a dialog only if it is the one that was meant."""

import re
from collections.abc import Sequence
from functools import partial

from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.send import check_permitted
from torch_cli.delivery.typist import Typist
from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.programs.asked import answer_command
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.standing import box_stands, dialog_stands
from torch_cli.programs.state import Dialog
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.store.database import after
from torch_cli.store.events import PRESS
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import await_drawn
from torch_cli.tmux.keys import unread_in
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import profile_of

# tmux types an unknown name letter by letter. These names are from its key-string.c. Beyond ASCII
# it takes one character of its own width as a key: measured on 3.3a with é, 日 and 🚀.
_KEY = re.compile(
    r"(?:[CMS]-)*(?:[!-~]|Enter|Escape|Tab|BTab|Space|BSpace|Up|Down|Left|Right|Home|End"
    r"|PageUp|PageDown|PgUp|PgDn|PPage|NPage|IC|Insert|DC|Delete|F(?:[1-9]|1[0-2]))"
)

_ANOTHER_SECONDS = 10.0
"""Seconds to wait for another 'torch press' or 'torch answer' to the same pane."""


def check_keys(keys: Sequence[str]) -> None:
    """Raise ``RefusedError`` for anything that is not the name of one key."""
    for key in keys:
        if _KEY.fullmatch(key) or _is_a_letter(key):
            continue
        hint = (
            "The space bar is named Space."
            if key == " "
            else "Keys: Enter, Escape, Tab, Up, C-c, M-x, F5, or one printable character. To send "
            "text: 'torch send'."
        )
        raise RefusedError(f"unknown key '{key}'; nothing was pressed", hint=hint, code="bad-key")


def _is_a_letter(key: str) -> bool:
    """Return whether ``key`` is one character by itself, one that combines with no other."""
    import unicodedata

    printed = len(key) == 1 and key.isprintable() and not key.isspace()
    return printed and not unicodedata.category(key).startswith("M")


def press(
    store: Store, socket: Socket, target: str, keys: Sequence[str], dialog: str | None
) -> str:
    """Press ``keys`` in the pane of ``target`` and return the pane's id.

    Raises ``HeldError`` if a dialog shows and ``dialog`` is not its hash, if keys for it wait
    unread, or if the gate refuses the pane. Nothing was pressed then.
    """
    check_keys(keys)
    found = find(store, socket, target)
    check_permitted(store, found.agent, "nothing was pressed")
    pane = found.pane
    with (
        ControlClient(found.socket, pane.session_id) as client,
        # One at a time: the next looks again once the program has drawn what this one did.
        pane_lock(pane.server, f"{pane.id}-answer", "torch press", _ANOTHER_SECONDS),
    ):
        try:
            profile = profile_of(client, store, found)
        except NotFoundError:
            if dialog is not None:
                raise
            conditions: list[str] = []
        else:
            await_drawn(client, pane)
            sight = observe(client, store, pane, profile)
            _check_dialog(target, pane.id, sight.state.dialog, dialog)
            conditions = _as_seen(sight, profile)
        # Keys that wait may answer the dialog, and this key what comes next.
        waiting = None if dialog is None else partial(unread_in, client, pane.id)
        outcome = Typist(client, pane).press(list(keys), conditions, unless=waiting)
    if not outcome.done:
        raise HeldError(
            f"'{target}' has not read other keys yet; nothing was pressed"
            if outcome.reason == "typing"
            else f"nothing was pressed in pane {pane.id}: {outcome.reason}",
            hint=f"Look with 'torch state {target}'.",
            code=outcome.reason,
        )
    with after(f"{' '.join(keys)} was pressed in pane {pane.id}"):
        detail = {"keys": list(keys), "dialog": dialog or ""}
        identity = found.agent.identity if found.agent else ""
        store.events.add(PRESS, found.name, detail, agent=identity)
    return pane.id


def _as_seen(sight: Sight, profile: Profile) -> list[str]:
    """Return the gate's conditions: the dialog, or else the box, is still as it was seen.

    So a dialog that opens between the look and the key does not get the key.
    """
    if sight.state.dialog is not None:
        return dialog_stands(sight)
    return box_stands(sight, profile) if sight.state.box is not None else []


def _check_dialog(target: str, pane: str, shown: Dialog | None, meant: str | None) -> None:
    if shown is None and meant is None:
        return
    if shown is None:
        raise HeldError(f"'{target}' shows no dialog; nothing was pressed", code="no-dialog")
    if shown.hash != meant:
        which = "another dialog" if meant else "a dialog"
        raise HeldError(
            f"'{target}' shows {which}: '{shown.question}'; nothing was pressed",
            hint=f"To answer it: {answer_command(target, shown)}",
            code="dialog",
            details={"pane": pane, "dialog": shown.hash, "question": shown.question},
        )
