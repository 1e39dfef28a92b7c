"""From a name or a target to one pane, and to the agent program in it."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.paths import config_dir
from torch_cli.programs.accepted import LARGEST_PROFILE_BYTES
from torch_cli.programs.loading import list_profiles, load_profile, stock_path
from torch_cli.programs.observe import observe
from torch_cli.programs.profile import BUILT_IN, Profile
from torch_cli.programs.state import State
from torch_cli.regular import open_regular
from torch_cli.roster.asleep import is_without_program
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes, pane_at, resolve
from torch_cli.tmux.socket import Socket

RESERVED = ("torch", "parent")
"""Names that no agent can have: the sender of Torch's own messages, and ``parent`` in the rules
of a team.
"""

AGENT_NAME = re.compile(r"\w[\w.-]{0,63}")


class VanishedError(NotFoundError):
    """The pane of ``agent`` is gone, as it was recorded when tmux was asked."""

    code = "vanished"

    def __init__(self, agent: Agent, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.agent = agent


class Found(NamedTuple):
    """What a name or target leads to: a pane, and the agent registered in it, if any."""

    name: str
    socket: Socket
    pane: Pane
    agent: Agent | None

    @property
    def started(self) -> float:
        """When the agent was registered (epoch seconds), 0 if the pane has no agent."""
        return self.agent.created if self.agent else 0.0

    @property
    def program(self) -> procs.Process | None:
        """The process that was registered, if any."""
        agent = self.agent
        return procs.Process(agent.program_pid, agent.program_started) if agent else None


def profiles_dir() -> str:
    """Return the directory of the user's own profiles."""
    return os.path.join(config_dir(), "profiles")


def profile_named(name: str) -> Profile:
    """Return the profile named ``name``; raises ``NotFoundError`` with the names there are.

    One of the user's own must be as a person has installed it, else raises ``RefusedError``.
    """
    return load_profile(name, profiles_dir(), accepted_only=True)


def check_name(name: str) -> None:
    """Raise ``RefusedError`` unless ``name`` can be an agent's name.

    A name is at most 64 letters, digits, ``_``, ``-`` and ``.``. It needs no quotes in any shell,
    and cannot be confused with a tmux target.
    """
    if name in RESERVED:
        raise RefusedError(
            f"'{name}' is not allowed as an agent's name: it means something else to Torch",
            hint="Choose another name.",
            code="bad-name",
        )
    if not AGENT_NAME.fullmatch(name):
        raise RefusedError(
            f"'{name}' is not a valid agent name",
            hint="Use at most 64 letters, digits, '_', '-' and '.', with neither "
            "'-' nor '.' first.",
            code="bad-name",
        )


def find(store: Store, socket: Socket, target: str) -> Found:
    """Return the pane that ``target`` means: a registered agent's name first, else a tmux target.

    An agent is found on any server, unless the caller named ``socket``. Raises ``NotFoundError`` if
    nothing matches the target, or the agent's pane is gone.
    """
    agent = store.agents.get(target)
    elsewhere = agent is not None and socket.demanded and not socket.leads_to(agent.socket)
    if agent is not None and agent.stopped is None and not elsewhere:
        return _find_agent(store, agent)
    try:
        pane = resolve(list_panes(socket), target)
    except NotFoundError as missing:
        if agent is not None:
            raise _no_such_agent(agent, socket, elsewhere=elsewhere) from missing
        if AGENT_NAME.fullmatch(target):
            raise _nothing_named(store, target, missing) from missing
        _check_single(target)
        raise
    agent = store.agents.in_pane(pane.server, pane.id, pane.pid)
    return Found(agent.name if agent else target, Socket(path=pane.socket_path), pane, agent)


def _find_agent(store: Store, agent: Agent) -> Found:
    """Return the pane of ``agent``, also if it is started in another while tmux is asked."""
    while True:
        try:
            return Found(agent.name, Socket(path=agent.socket), _pane_of(agent), agent)
        except VanishedError:
            now = store.agents.get(agent.name)
            if now is None or now.stopped is not None or now.at == agent.at:
                raise
            agent = now


def _check_single(target: str) -> None:
    """Raise ``RefusedError`` if ``target``, which means nothing, is a list of names."""
    names = re.split(r"[, ]+", target)
    if len(names) > 1 and all(AGENT_NAME.fullmatch(name) for name in names):
        raise RefusedError(
            f"'{target}' names several agents, and one is wanted; nothing was done",
            hint=f"Name one: {names[0]}. 'torch broadcast TEXT' sends to all agents of a project, "
            "with --role ROLE to those of a role.",
            code="several",
        )


def _no_such_agent(agent: Agent, socket: Socket, *, elsewhere: bool) -> NotFoundError:
    if elsewhere and agent.stopped is None:
        return NotFoundError(
            f"agent '{agent.name}' is on the tmux server {agent.socket}, and no pane of "
            f"{socket} has that name",
            hint="Leave -L and -S out: Torch finds an agent on any server.",
            code="other-server",
        )
    return NotFoundError(
        f"agent '{agent.name}' was stopped, and no pane has that name",
        hint=_start_again(agent.name),
        code="stopped",
    )


def registered(store: Store, name: str, nothing: str = "") -> Agent:
    """Return the agent ``name``. If there is none, raises ``NotFoundError``, which says
    ``nothing``.

    The agent's program may have ended.
    """
    agent = store.agents.get(name)
    if agent is None or agent.stopped is not None:
        raise no_agent(store, name, f"; {nothing}" if nothing else "")
    return agent


def no_agent(store: Store, name: str, end: str = "") -> NotFoundError:
    """Return the error for a name that no agent has, with a similar name. ``end`` ends it."""
    agent = store.agents.get(name)
    ended = agent is not None and agent.stopped is not None
    hint = f"It was stopped. {_start_again(name)}" if ended else _similar(store, name)
    return NotFoundError(f"no agent named '{name}'{end}", hint=hint, code="no-agent")


def _start_again(name: str) -> str:
    return f"Start it again: torch spawn {name}. If a team's file names it: torch up."


def _nothing_named(store: Store, target: str, missing: NotFoundError) -> NotFoundError:
    """Return the error for a target that no agent and, as ``missing`` says, no pane has."""
    known = missing.code == "no-target"
    rest = ", and no session, window or pane of that name" if known else f"; {missing.message}"
    hint = _similar(store, target, missing.hint)
    if missing.code == "no-server" and not any(store.agents.all()):
        rest = "; there are no agents yet, and tmux does not run"
        hint = f"'torch spawn {target}' starts it, and tmux for it."
    return NotFoundError(f"no agent named '{target}'{rest}", hint=hint, code=missing.code)


def _similar(store: Store, name: str, otherwise: str = "") -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [agent.name for agent in store.agents.all()], 1)
    return f"Did you mean '{near[0]}'?" if near else otherwise or "'torch ps' lists the agents."


def runs(agent: Agent) -> bool:
    """Return whether the program of ``agent`` runs; raises ``TorchError`` if nobody can tell."""
    pane = pane_at(agent.socket, agent.server, agent.pane, agent.pane_pid)
    program = procs.Process(agent.program_pid, agent.program_started)
    return pane is not None and not pane.dead and procs.alive(program)


def _pane_of(agent: Agent) -> Pane:
    """Return the pane with the agent's process; raises ``NotFoundError``, which says what is there.

    Whether a message wakes one that is hibernated is asked elsewhere, before this.
    """
    try:
        panes = list_panes(Socket(path=agent.socket))
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise
        panes = []
    here = next((one for one in panes if (one.server, one.id) == (agent.server, agent.pane)), None)
    if here is not None and here.pid == agent.pane_pid:
        return here
    asleep = is_without_program(agent)
    if here is not None and not here.dead:
        what = (
            f"pane {agent.pane} of agent '{agent.name}', whose program has ended, is used again: "
            f"'{here.command}' (process {here.pid}) runs there"
        )
    elif asleep and all(one.server != agent.server for one in panes):
        what = (
            f"agent '{agent.name}' is hibernated, its tmux server on {agent.socket} is gone, and "
            "somebody may have closed its window"
        )
    else:
        what = f"pane {agent.pane} of agent '{agent.name}' on {agent.socket} is gone"
    starts = "wake" if asleep else "restart"
    again = f"'torch {starts} {agent.name}' starts it again. " if agent.origin == "spawned" else ""
    hint = f"{again}'torch stop {agent.name}' removes it."
    raise VanishedError(agent, what, hint=hint)


def recognise(store: Store, pane: Pane, client: ControlClient) -> Profile:
    """Return the profile of the program in an unregistered pane.

    The profile must list the name of the process and know the screen, if it reads any. Otherwise
    raises ``NotFoundError``, with the command that registers the program by hand.
    """
    for profile in _sound_profiles():
        if pane.command not in profile.process.names:
            continue
        if profile.process.shells or profile.unread:
            return profile
        if observe(client, store, pane, profile).state.state is not State.UNKNOWN:
            return profile
    raise NotFoundError(
        f"pane {pane.id} ({pane.place}) is not a registered agent, and its program "
        f"'{pane.command}' is not recognised; nothing was typed",
        hint=f"Register it: torch adopt {pane.id} NAME --profile PROFILE (other, if no profile "
        "knows the program)",
        code="not-an-agent",
    )


def profiles_naming(word: str) -> Iterator[Profile]:
    """Yield every valid profile whose file has ``word`` in quotes. Only these are parsed."""
    quoted = [f"{mark}{word}{mark}".encode() for mark in "\"'"]
    for name, source in list_profiles(profiles_dir()):
        path = stock_path(name) if source == BUILT_IN else source
        with contextlib.suppress(NotFoundError, RefusedError, OSError, ValueError):
            with open_regular(path) as file:
                text = file.read(LARGEST_PROFILE_BYTES)
            if any(one in text for one in quoted):
                yield profile_named(name)


def _sound_profiles() -> Iterator[Profile]:
    """Yield every valid profile. An invalid file matters only to a command that names it."""
    for name, _ in list_profiles(profiles_dir()):
        with contextlib.suppress(NotFoundError, RefusedError):
            yield profile_named(name)


def knows_chord(profile: Profile, environ: Mapping[str, str], *, launched: bool = False) -> bool:
    """Return whether a program with this environment knows the profile's submit chord.

    ``launched`` says that Torch starts the program, with the profile's arguments.
    """
    if profile.submit.chord_launch:
        return launched and bool(profile.submit.chord)
    if profile.submit.chord_match is not None:
        home = environ.get("HOME") or os.path.expanduser("~")
        try:
            with open(os.path.join(home, profile.submit.chord_file), encoding="utf-8") as file:
                return bool(profile.submit.chord_match.search(file.read()))
        except (OSError, UnicodeDecodeError):
            return False
    if not profile.submit.chord_setup:
        return bool(profile.submit.chord)
    from torch_cli.programs.setup import chord_installed

    return chord_installed(environ)


def program_in(pane: Pane) -> procs.Process | None:
    """Return the process that has the pane's terminal now."""
    group = procs.foreground(pane.pid)
    found = procs.identify(group) if group else None
    return found or procs.identify(pane.pid)
