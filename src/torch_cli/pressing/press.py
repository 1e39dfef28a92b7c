"""Pressing keys on purpose, and into a dialog only if it is the one that was meant."""

import contextlib
import re
import time
from collections.abc import Sequence

from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.send import check_permitted
from torch_cli.delivery.typist import Typist
from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.programs.asked import answer_command, asked
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.standing import box_stands, dialog_stands
from torch_cli.programs.state import Dialog
from torch_cli.roster.registry import Found, find
from torch_cli.store import Store, StoreError
from torch_cli.store.database import after
from torch_cli.store.events import NOT_PRESSED, PRESS
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import await_drawn
from torch_cli.tmux.keys import unread_in
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.socket import Socket
from torch_cli.watch.state import profile_of

# tmux types an unknown name letter by letter. These names are from its key-string.c. Beyond ASCII
# it takes one character of its own width as a key: measured on 3.3a with é, 日 and 🚀.
_KEY = re.compile(
    r"(?:[CMS]-)*(?:[!-~]|Enter|Escape|Tab|BTab|Space|BSpace|Up|Down|Left|Right|Home|End"
    r"|PageUp|PageDown|PgUp|PgDn|PPage|NPage|IC|Insert|DC|Delete|F(?:[1-9]|1[0-2]))"
)

KEY_READ_SECONDS = 2.0
"""Seconds in which a program must read a key before the next one is pressed."""

KEY_SHOWS_SECONDS = 0.3
"""Seconds in which a key that was read shows; opencode redraws 60 times a second, and an overloaded
machine is slower."""

_READ_POLL_SECONDS = 0.02

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
    unread, or if the gate refuses the pane. Nothing was pressed then. Of several keys for a dialog
    each is pressed only while the same is asked: the error says which were before.
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
            _press_at_once(client, store, found, keys, [])
            return pane.id
        await_drawn(client, pane, profile.box.draws_within)
        sight = observe(client, store, pane, profile)
        _check_dialog(target, pane.id, sight.state.dialog, dialog)
        if sight.state.dialog is not None:
            _press_into(client, store, found, profile, sight, keys)
        else:
            # So a dialog that opens between the look and the key does not get the key.
            stands = box_stands(sight, profile) if sight.state.box is not None else []
            _press_at_once(client, store, found, keys, stands)
    return pane.id


def _press_at_once(
    client: ControlClient,
    store: Store,
    found: Found,
    keys: Sequence[str],
    conditions: Sequence[str],
) -> None:
    """Press ``keys``, where no dialog was seen."""
    _note(store, found, keys, "")
    outcome = Typist(client, found.pane).press(list(keys), conditions)
    if not outcome.done:
        _withdraw(store, found, keys, "")
        raise _refused(found, outcome.reason, "nothing was pressed")


def _press_into(
    client: ControlClient,
    store: Store,
    found: Found,
    profile: Profile,
    sight: Sight,
    keys: Sequence[str],
) -> None:
    """Press ``keys`` into the dialog of ``sight``, one by one, as long as it asks the same.

    A digit chooses at once in many programs: an Enter behind it would answer what they ask next.
    """
    pane, meant = found.pane, sight.state.dialog
    assert meant is not None
    typist, pressed = Typist(client, pane), list[str]()
    for key in keys:
        if pressed:
            sight = _once_read(client, store, pane, profile, sight)
            _check_same(found, meant, sight.state.dialog, pressed, key)
        _note(store, found, [key], meant.hash, pressed)
        # Keys that wait may answer the dialog, and this key what comes next.
        outcome = typist.press([key], dialog_stands(sight), unless=typist.keys_wait)
        if not outcome.done:
            _withdraw(store, found, [key], meant.hash)
            raise _refused(found, outcome.reason, _so_far(pressed, key))
        pressed.append(key)


def _once_read(
    client: ControlClient, store: Store, pane: Pane, profile: Profile, before: Sight
) -> Sight:
    """Return what the pane shows once its program has read the last key, and drawn that.

    A key that changes nothing is waited for, too: it may be another process that draws its effect.
    """
    until = time.monotonic() + KEY_READ_SECONDS
    while unread_in(client, pane.id) and time.monotonic() < until:
        client.wait_output(pane.id, client.output.get(pane.id, 0), _READ_POLL_SECONDS)
    until = time.monotonic() + KEY_SHOWS_SECONDS
    while True:
        heard = client.output.get(pane.id, 0)
        await_drawn(client, pane, profile.box.draws_within)
        sight = observe(client, store, pane, profile)
        if sight.state.dialog != before.state.dialog or time.monotonic() >= until:
            return sight
        client.wait_output(pane.id, heard, _READ_POLL_SECONDS)


def _check_same(
    found: Found, meant: Dialog, shown: Dialog | None, pressed: Sequence[str], key: str
) -> None:
    """Raise ``HeldError`` unless ``shown`` asks the same as ``meant``, with any selection."""
    if (
        shown is not None
        and (
            (shown.kind, asked(shown).digest) == (meant.kind, asked(meant).digest)
            # What is typed behind the question.
            or (shown.rows[:-1] == meant.rows[:-1] and shown.rows[-1].startswith(meant.rows[-1]))
        )
    ):
        return
    what = "the dialog has gone" if shown is None else f"it shows '{shown.question}'"
    raise HeldError(
        f"{' '.join(pressed)} was pressed in '{found.name}', and then {what}: {key} was not "
        "pressed",
        hint=f"Look with 'torch state {found.name}'.",
        code="dialog",
    )


def _so_far(pressed: Sequence[str], key: str) -> str:
    words = f"{' '.join(pressed)} was pressed, and {key} was not"
    return words if pressed else "nothing was pressed"


def _refused(found: Found, reason: str, done: str) -> HeldError:
    """Return the error for keys that the gate refused; ``done`` says which were pressed before."""
    typing = f"'{found.name}' has not read other keys yet; {done}"
    return HeldError(
        typing if reason == "typing" else f"{done} in pane {found.pane.id}: {reason}",
        hint=f"Look with 'torch state {found.name}'.",
        code=reason,
    )


def _note(
    store: Store, found: Found, keys: Sequence[str], dialog: str, pressed: Sequence[str] = ()
) -> None:
    """Record that ``keys`` are about to be pressed, after those that were ``pressed``.

    Whoever else wants to press a key there knows of these then, also if this process is killed.
    """
    with after(f"{_so_far(pressed, ' '.join(keys))} in pane {found.pane.id}"):
        _add(store, found, PRESS, keys, dialog)


def _withdraw(store: Store, found: Found, keys: Sequence[str], dialog: str) -> None:
    """Record that ``keys`` were not pressed. If that fails too, they count as pressed."""
    with contextlib.suppress(StoreError):
        _add(store, found, NOT_PRESSED, keys, dialog)


def _add(store: Store, found: Found, verb: str, keys: Sequence[str], dialog: str) -> None:
    detail = {"keys": list(keys), "dialog": dialog}
    identity = found.agent.identity if found.agent else ""
    store.events.add(verb, found.name, detail, agent=identity)


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
