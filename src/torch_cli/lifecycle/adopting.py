"""Registering a program that runs: in a pane that is named, or that Torch has found by itself."""

import os

from torch_cli import procs
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.lifecycle.kept import check_start
from torch_cli.lifecycle.spawn import refuse_living
from torch_cli.programs.observe import observe
from torch_cli.programs.profile import Profile
from torch_cli.programs.program import running_version, version_on
from torch_cli.roster.actor import actor
from torch_cli.roster.registry import (
    check_name,
    find,
    knows_chord,
    profile_named,
    program_in,
    recognise,
)
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, pane_at
from torch_cli.tmux.socket import Socket
from torch_cli.watch.strangers import Stranger, stranger_in


def adopt(store: Store, socket: Socket, target: str, name: str, profile: str | None) -> Agent:
    """Register the program that runs in ``target`` as the agent ``name``.

    Raises ``RefusedError`` or ``NotFoundError``, with nothing registered, if the name is taken or
    kept for a member of a team, or the program will not do.
    """
    check_name(name)
    check_start(store, name, actor(store).agent, "nothing was registered")
    found = find(store, socket, target)
    if found.agent is not None:
        raise RefusedError(
            f"pane {found.pane.id} is already agent '{found.agent.name}'", code="adopted"
        )
    gone = refuse_living(store, name)
    pane = found.pane
    if pane.dead:
        raise RefusedError(
            f"the program in pane {pane.id} ({pane.place}) has ended; it was not registered",
            code="dead",
        )
    with ControlClient(found.socket, pane.session_id) as client:
        chosen = profile_named(profile) if profile else _recognised(store, pane, client)
        version = version_on(observe(client, store, pane, chosen).screen, chosen)
    program = program_in(pane) or procs.Process(pane.pid, "")
    if not version and (chosen.submit.idle_key or chosen.submit.chord):
        version = running_version(chosen, program)  # its first words have left the screen
    # Not the reports of a pane with this number of an earlier server.
    reported = store.hooks.latest(pane.server, pane.id, since=pane.server_started)
    agent = store.agents.add(
        Agent.of(
            pane,
            program,
            name=name,
            profile=chosen.name,
            origin="adopted",
            directory=procs.directory(program.pid) or "",
            hooks=reported is not None,
            chord=knows_chord(chosen, os.environ),
            version=version,
        ),
        instead_of=gone,
    )
    store.health.forget_policy(agent.identity)  # Torch cannot restart it, whatever it was before
    store.events.add("adopt", name, {"pane": pane.id, "profile": chosen.name})
    return agent


def _recognised(store: Store, pane: Pane, client: ControlClient) -> Profile:
    """Return the profile of the program in ``pane``, found as ``torch ps`` finds it, too."""
    try:
        return recognise(store, pane, client)
    except NotFoundError:
        one = stranger_in(client, pane)
        if one is None:
            raise
        return one.profile


def adopt_stranger(store: Store, one: Stranger, name: str) -> Agent:
    """Register the program of ``one`` as the agent ``name``.

    Raises ``RefusedError``, with nothing registered, if another program has its pane now, and what
    ``adopt`` raises.
    """
    pane = one.pane
    now = pane_at(pane.socket_path, pane.server, pane.id, pane.pid)
    if now is None or now.dead or now.command != pane.command:
        raise RefusedError(
            f"the program in pane {pane.id} ({pane.place}) has ended since; it was not registered",
            code="vanished",
        )
    return adopt(store, Socket(path=pane.socket_path), pane.id, name, one.profile.name)
