"""Answering a permission request through the program itself, without a key.

The plugin that `torch spawn` gives to opencode (``programs/profiles/opencode/torch.js``) keeps a
file ``PID-ID.open`` for each request that is open. A file ``PID-ID.reply`` has it answer the
request through opencode, which takes one reply to each; ``PID-ID.done`` says whether it was ours.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from torch_cli import paths, procs
from torch_cli.attention.heard import is_shown
from torch_cli.errors import HeldError, TorchError
from torch_cli.procs import Process
from torch_cli.programs.asked import Option
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import Dialog
from torch_cli.regular import read_regular
from torch_cli.replacing import replace_file
from torch_cli.roster.registry import Found

TAKEN_SECONDS = 2.0
"""Seconds in which the plugin must take a reply; it looks every 50 ms. Then the reply is withdrawn.
"""

DONE_SECONDS = 10.0
"""Seconds in which opencode must say what became of a reply that was taken."""

DRAWN_SECONDS = 0.3
"""Seconds after which a request is on the screen. Of a younger one the dialog before it may still
be drawn; opencode redraws 60 times a second, and an overloaded machine is slower."""

NOT_OPEN_STATUS = 404
"""The status with which opencode says that a request is not open any more (1.18.33)."""

REFUSED_STATUSES = range(400, 500)
"""The statuses with which a server says that it does not do what it was asked (RFC 9110)."""

PERMISSION_KIND = "permission"
"""The kind of dialog that is a permission request."""

LARGEST_REQUEST_BYTES = 1024 * 1024
"""The most bytes of a file that is read."""

_POLL_SECONDS = 0.02
_OPEN = ".open"
_FILE = re.compile(r"(?P<pid>\d{1,10})-per_[A-Za-z0-9]{1,100}\.(?:open|done|reply|taken)(?:\.new)?")


class ReplyLostError(TorchError):
    """A reply was taken, and nothing says what became of it."""


def reply_to(
    found: Found, profile: Profile, shown: Dialog, option: Option, were_open: Collection[str]
) -> tuple[str, bool]:
    """Choose ``option`` through the program itself; return its word for that, and if it took it.

    The word is '' if that is not possible: nothing was chosen then. It is not if one of the
    requests that ``were_open`` when ``shown`` was seen has been answered since: that may be the one
    that it shows, and the open one another. Raises ``HeldError`` if the program had an answer
    before.
    """
    version = found.agent.version if found.agent else ""
    request = open_request(profile, found.program, version, shown)
    if is_closed(were_open):
        return "", False
    reply = reply_of(profile, option) if request else ""
    if not reply:
        return "", False
    try:
        taken = give_reply(request, reply)
    except ReplyLostError:
        return reply, False
    if taken is None:
        return "", False
    if not taken:
        raise HeldError(
            f"'{found.name}' has an answer to this already; nothing was chosen",
            hint=f"Look with 'torch state {found.name}'.",
            code="answered-before",
        )
    return reply, True


def open_request(profile: Profile, program: Process | None, version: str, dialog: Dialog) -> str:
    """Return the open request that ``dialog`` shows, '' if that is not certain.

    It is certain of the only request of the program that is open, if the dialog shows what it is
    about: of two, one may be out of sight. In another ``version`` than those that the profile is
    verified with, nobody has seen what a reply does. Returns the beginning of the names of its
    files.
    """
    if program is None or not profile.hooks.replies or dialog.kind != PERMISSION_KIND:
        return ""
    if version not in profile.verified:
        return ""
    _sweep()
    found = list(_open_requests(program))
    if len(found) != 1:
        return ""
    stem, given = found[0]
    try:
        age = time.time() - os.stat(f"{stem}{_OPEN}").st_mtime
    except OSError:
        return ""  # it has just been closed
    return stem if age >= DRAWN_SECONDS and is_shown(given, dialog) else ""


def open_requests(profile: Profile, program: Process | None) -> frozenset[str]:
    """Return the beginnings of the names of the files of all requests that are open now.

    There are none if the program does not tell of them.
    """
    if program is None or not profile.hooks.replies:
        return frozenset()
    return frozenset(stem for stem, _ in _open_requests(program))


def is_closed(requests: Collection[str]) -> bool:
    """Return whether one of these requests, which were open, has been answered since."""
    return not all(os.path.exists(f"{stem}{_OPEN}") for stem in requests)


def reply_of(profile: Profile, option: Option) -> str:
    """Return the program's own word for the choice of ``option``, '' if it has none."""
    return profile.hooks.replies.get(option.words, "")


def give_reply(request: str, reply: str) -> bool | None:
    """Reply to ``request``; return whether opencode took it. ``None``: it certainly did not.

    That is so if nobody was there to take the reply, or opencode refused it as a bad one.
    ``False`` means that it had been answered before. Raises ``ReplyLostError`` if nothing says.
    """
    asks, done = f"{request}.reply", f"{request}.done"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(done)  # it speaks of an earlier reply
        replace_file(asks, json.dumps({"reply": reply}).encode())
    except OSError:
        return None
    taken = withdrawn = False
    try:
        taken = _await(lambda: not os.path.exists(asks), TAKEN_SECONDS)
    finally:  # also if this process is interrupted
        with contextlib.suppress(FileNotFoundError):
            os.unlink(asks)  # nobody can take it any more
            withdrawn = True
    if not taken and withdrawn:
        return None
    _await(lambda: os.path.exists(done), DONE_SECONDS)
    try:
        said = _read(done)
        os.unlink(done)
    except (OSError, ValueError):
        raise ReplyLostError("its program does not say what became of the answer") from None
    if said.get("ok") is True:
        return True
    status = said.get("status")
    if status == NOT_OPEN_STATUS:
        return False
    if isinstance(status, int) and status in REFUSED_STATUSES:
        return None
    raise ReplyLostError(f"its program does not say that it took the answer (status {status})")


def _open_requests(program: Process) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the open requests of a running program, and what each is about."""
    begun = procs.begun(program) or 0.0
    family = {program.pid, *(one.pid for one in procs.descendants(program.pid))}
    for path, pid in _files():
        if pid not in family or not path.endswith(_OPEN):
            continue
        with contextlib.suppress(OSError):
            if os.stat(path).st_mtime >= begun - 1.0:  # else an earlier process had that number
                yield path.removesuffix(_OPEN), _given(path)


def _sweep() -> None:
    """Remove what programs have left that were killed: commands stand in it."""
    for path, pid in _files():
        if procs.identify(pid) is None:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _files() -> Iterator[tuple[str, int]]:
    """Yield the files of all requests, and the process of each."""
    folder = paths.answers()
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if found := _FILE.fullmatch(name):
                yield os.path.join(folder, name), int(found["pid"])


def _given(path: str) -> tuple[str, ...]:
    """Return what a request is about; nothing, if its file says nothing that can be read."""
    try:
        given = _read(path).get("given")
    except FileNotFoundError:
        raise  # it is not open any more
    except (OSError, ValueError):
        return ()
    texts = given if isinstance(given, list) else []
    return tuple(one for one in texts if isinstance(one, str))


def _read(path: str) -> dict[str, Any]:
    value = json.loads(read_regular(path, LARGEST_REQUEST_BYTES))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _await(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
