"""To whom a message goes: a pane, the program that is expected in it, and what it offers."""

import os
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.procs import Process
from torch_cli.programs.profile import Profile
from torch_cli.roster.registry import Found, knows_chord, profile_named, program_in, recognise
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane


class SubmitKey(NamedTuple):
    """The keys that submit the box of one program.

    ``safe`` says that dialogs ignore them, ``while_working`` that they queue a message in a
    working program. ``retries`` are the seconds before each repetition.
    """

    keys: tuple[str, ...]
    safe: bool
    while_working: bool
    retries: tuple[float, ...]


def submit_key(profile: Profile, *, chord: bool, version: str) -> SubmitKey:
    """Return the best submit key that the program is known to have.

    ``chord`` says that it knows the profile's chord, ``version`` which one it is ('' if that is
    not known). Of an unverified profile nothing is believed that would let a key be pressed
    anywhere but into an idle program's box.
    """
    submit = profile.submit
    repeated = (submit.chord_retry,) * 3
    asked = submit.chord_setup or submit.chord_launch or submit.chord_match
    if submit.chord and (chord or not asked):
        proven = bool(profile.verified)
        return SubmitKey(submit.chord, proven, proven and profile.paste.queues, repeated)
    if submit.idle_key and version in profile.verified:
        return SubmitKey(submit.idle_key, True, False, repeated)
    return SubmitKey(submit.key, False, False, submit.enter_retries)


class Recipient(NamedTuple):
    """A resolved recipient.

    ``name`` is how it was called. ``program`` is the process that was registered, ``None`` if
    the pane is no registered agent. ``hooks`` says that the program reports its prompts to Torch.
    ``started`` is when the agent was registered, else when the tmux server began (epoch seconds):
    what was reported before is another program's. ``ready`` says that its input was seen ready.
    """

    name: str
    pane: Pane
    profile: Profile
    submit: SubmitKey
    program: Process | None = None
    hooks: bool = False
    started: float = 0.0
    ready: bool = False


def recipient(store: Store, found: Found, client: ControlClient) -> Recipient:
    """Return to whom a message for ``found`` goes.

    An unregistered pane is recognised by its process and its input box. Raises ``NotFoundError``
    with the ``adopt`` command if it is not, ``RefusedError`` if it is a shell.
    """
    agent = found.agent
    started = agent.created if agent else float(found.pane.server_started)
    reports = store.hooks.latest(found.pane.socket_path, found.pane.id, since=started)
    if agent is None:
        profile = recognise(store, found.pane, client)
        return Recipient(
            found.name,
            found.pane,
            no_shell(profile, found.name),
            submit_key(profile, chord=knows_chord(profile, os.environ), version=""),
            program_in(found.pane),
            hooks=reports is not None,
            started=started,
        )
    profile = no_shell(profile_named(agent.profile), agent.name)
    return Recipient(
        agent.name,
        found.pane,
        profile,
        submit_key(profile, chord=agent.chord, version=agent.version),
        found.program,
        hooks=agent.hooks or reports is not None,
        started=started,
        ready=agent.ready is not None,
    )


def no_shell(profile: Profile, name: str) -> Profile:
    """Return ``profile``; raise ``RefusedError`` if it is a shell's, which is sent no messages."""
    if profile.process.shells:
        raise RefusedError(
            f"'{name}' is a shell: what is sent to it would run as commands; nothing was sent",
            hint="Start an agent program in it first, or name another pane.",
            code="shell",
        )
    return profile
