"""Asks an agent's program to end, with the keys or the command that its profile names."""

import os
import time
from collections.abc import Callable, Sequence

from torch_cli import procs
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.typist import Typist
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.lifecycle.processes import gone_within
from torch_cli.programs.observe import observe
from torch_cli.programs.profile import Profile, StopStep
from torch_cli.programs.standing import box_stands
from torch_cli.programs.state import State
from torch_cli.roster.registry import Found, profile_named
from torch_cli.roster.safety import submit_key
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.drawn import await_drawn

PANE_LOCK_SECONDS = 30.0
"""Seconds to wait for a delivery to the same pane before the agent is asked to end."""


def program_of(agent: Agent) -> procs.Process:
    """Return the program of ``agent``, alive or not."""
    return procs.Process(agent.program_pid, agent.program_started)


def ask(
    store: Store,
    found: Found,
    agent: Agent,
    begin: Callable[[], None] | None = None,
    done: Callable[[], object] = lambda: None,
) -> tuple[bool, bool]:
    """Take the profile's steps in turn until the program has ended, and call ``done`` then.

    With ``begin``, which is called first, only those that an idle program with an empty box gets.
    Return whether any step could be taken, and whether the program has ended.
    """
    pane, launch = found.pane, _profile(agent).launch
    asked = False
    with (
        pane_lock(pane.server, pane.id, f"stop {found.name}", PANE_LOCK_SECONDS),
        ControlClient(found.socket, pane.session_id) as client,
    ):
        if begin is not None:
            begin()
        for step in launch.stop:
            taken = _taken(client, store, found, agent, step, resting=begin is not None)
            if taken is None:
                break
            if gone_within(program_of(agent), launch.stop_grace if taken else 0.0):
                done()
                return True, True
            asked = asked or taken
    return asked, False


def _taken(
    client: ControlClient,
    store: Store,
    found: Found,
    agent: Agent,
    step: StopStep,
    *,
    resting: bool,
) -> bool | None:
    """Take a step; return whether its program was asked by it to end.

    ``None`` if nothing was pressed because the program must be ``resting`` for that, and is not.
    """
    stands: list[str] = []
    try:
        if resting:
            rest = _rests(client, store, found, agent)
            if rest is None:
                return None
            stands = rest
        return _press(client, store, found, agent, step, stands)
    except NotFoundError:
        # The end of its last program ends a session, and that of its last session a server.
        if gone_within(program_of(agent), _profile(agent).launch.stop_grace):
            return True
        raise


def _rests(client: ControlClient, store: Store, found: Found, agent: Agent) -> list[str] | None:
    """Return the gate's conditions that its empty box is there, for the keys of the next step.

    ``None`` if a turn, a question or a draft shows, or no box: the step could cost something.
    """
    profile = _profile(agent)
    await_drawn(client, found.pane, profile.box.draws_within)  # a person's keys may be among that
    sight = observe(client, store, found.pane, profile, program=program_of(agent))
    box = sight.state.box
    if sight.state.state is not State.IDLE or box is None or not box.empty:
        return None
    return box_stands(sight, profile)


def _profile(agent: Agent) -> Profile:
    """Return the agent's profile; a profile without steps if the user's file no longer exists."""
    try:
        return profile_named(agent.profile)
    except (NotFoundError, RefusedError):
        return Profile(agent.profile)


def _press(
    client: ControlClient,
    store: Store,
    found: Found,
    agent: Agent,
    step: StopStep,
    stands: Sequence[str] = (),
) -> bool:
    """Press a step's keys, or type its command if there is an empty box for it.

    Returns whether anything was pressed that asks it: the first of several keys may have ended it.
    ``stands`` are conditions for that one, which then must not follow unread ones: the next may
    find another screen, which that has made. A program in the background gets no keys: they would
    reach what a person has started in its pane meanwhile.
    """
    if not step.keys:
        return _type(client, store, found, agent, step.text)
    typist = Typist(client, found.pane)
    first = typist.keys_wait if stands else None
    pressed = False
    for at, key in enumerate(step.keys):
        if not _has_terminal(agent):
            break
        unless = None if at else first
        if not typist.press([key], () if at else stands, unless=unless).done:
            break
        pressed = True
    return pressed


def _has_terminal(agent: Agent) -> bool:
    return procs.foreground(agent.pane_pid) in (None, agent.program_pid)


def _type(client: ControlClient, store: Store, found: Found, agent: Agent, command: str) -> bool:
    """Type ``command`` and submit it as a message is; return whether that was done."""
    pane, profile = found.pane, _profile(agent)
    await_drawn(client, pane, profile.box.draws_within)
    sight = observe(client, store, pane, profile, program=program_of(agent))
    box = sight.state.box
    if sight.state.state is not State.IDLE or box is None or not box.empty:
        return False
    typist = Typist(client, pane)
    given = (command.encode(), f"torch-stop-{os.getpid()}", box_stands(sight, profile))
    pasted = _has_terminal(agent) and typist.type(*given, unless=typist.keys_wait).done
    keys = submit_key(profile, chord=agent.chord, version=agent.version).keys
    deadline = time.monotonic() + 2.0
    while pasted and time.monotonic() < deadline:
        heard = client.output.get(pane.id, 0)
        sight = observe(client, store, pane, profile)
        box = sight.state.box
        if box is not None and box.text.strip() == command and _has_terminal(agent):
            await_drawn(client, pane, profile.box.draws_within)
            return typist.press(keys, box_stands(sight, profile), unless=typist.keys_wait).done
        client.wait_output(pane.id, heard, 0.1)
    return False
