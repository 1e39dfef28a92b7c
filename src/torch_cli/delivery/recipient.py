"""The recipient of a message: a pane, the program that is expected in it, and what it offers."""

import os
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.procs import Process
from torch_cli.programs.profile import Profile
from torch_cli.roster.registry import Found, knows_chord, profile_named, program_in, recognise
from torch_cli.roster.safety import Safety, SubmitKey, safety_for, submit_key
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane


class Recipient(NamedTuple):
    """A resolved recipient.

    ``name`` is the name that the caller used. ``program`` is the registered process, ``None`` if
    the pane is not a registered agent. ``hooks`` says that the program reports its prompts to
    Torch. ``started`` is when the agent was registered, else when the tmux server began (epoch
    seconds); earlier reports are those of other programs. ``ready`` says that its input was seen
    ready. ``safety`` is what protects a message to it, ``None`` if it never gets one. ``agent`` is
    the identity of an agent.
    """

    name: str
    pane: Pane
    profile: Profile
    submit: SubmitKey
    program: Process | None = None
    hooks: bool = False
    started: float = 0.0
    ready: bool = False
    safety: Safety | None = None
    agent: str = ""

    @property
    def pid(self) -> int:
        """The process whose transcripts and record count: the program, else the pane's."""
        return self.program.pid if self.program is not None else self.pane.pid


def recipient(store: Store, found: Found, client: ControlClient) -> Recipient:
    """Return the recipient of a message for ``found``.

    An unregistered pane is recognised by its process and its input box. Raises ``NotFoundError``
    with the ``adopt`` command if it is not, ``RefusedError`` if it is a shell.
    """
    agent = found.agent
    started = agent.created if agent else float(found.pane.server_started)
    reports = store.hooks.latest(found.pane.server, found.pane.id, since=started)
    if agent is None:
        profile = no_shell(recognise(store, found.pane, client), found.name)
        chord = knows_chord(profile, os.environ)
        return Recipient(
            found.name,
            found.pane,
            profile,
            submit_key(profile, chord=chord, version=""),
            program_in(found.pane),
            hooks=reports is not None,
            started=started,
            safety=safety_for(None, profile),
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
        safety=safety_for(agent, profile),
        agent=agent.identity,
    )


def no_shell(profile: Profile, name: str, consequence: str = "nothing was sent") -> Profile:
    """Return ``profile``; raise ``RefusedError`` for a shell, which gets no messages.

    ``consequence`` ends the error: what was not done.
    """
    if profile.process.shells:
        raise RefusedError(
            f"'{name}' is a shell: it would run the message as commands; {consequence}",
            hint="Start an agent program in it first, or name another pane.",
            code="shell",
        )
    return profile
