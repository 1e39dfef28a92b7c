"""From a name or a target to one pane, and to the agent program that runs in it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch_cli import procs
from torch_cli.agents.observe import observe
from torch_cli.agents.profile import Profile, list_profiles, load_profile
from torch_cli.agents.state import State
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.paths import config_dir
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, list_panes, resolve
from torch_cli.tmux.socket import Socket

NAME = re.compile(r"\w[\w.-]{0,63}")


class Found(NamedTuple):
    """What a name or target leads to: a pane, and the agent registered in it, if any."""

    name: str
    socket: Socket
    pane: Pane
    agent: Agent | None

    @property
    def started(self) -> float:
        """When the agent was registered (epoch seconds), 0 if the pane is none."""
        return self.agent.created if self.agent else 0.0

    @property
    def program(self) -> procs.Process | None:
        """The process that was registered, if any."""
        agent = self.agent
        return procs.Process(agent.program_pid, agent.program_started) if agent else None


def profiles_dir() -> Path:
    """Return the directory of the user's own profiles."""
    return Path(config_dir()) / "profiles"


def profile_named(name: str) -> Profile:
    """Return the profile called ``name``; raises ``NotFoundError`` with the names there are."""
    return load_profile(name, profiles_dir())


def check_name(name: str) -> None:
    """Raise ``RefusedError`` unless ``name`` can be an agent's.

    Letters, digits, ``_``, ``-`` and ``.``, at most 64: what needs no quoting in any shell and
    cannot be taken for a tmux target.
    """
    if not NAME.fullmatch(name):
        raise RefusedError(
            f"'{name}' cannot be an agent's name",
            hint="Use letters, digits, '_', '-' and '.', at most 64, not '-' or '.' first.",
            code="bad-name",
        )


def find(store: Store, socket: Socket, target: str) -> Found:
    """Return the pane that ``target`` means: a registered agent's name first, else a tmux target.

    Raises ``NotFoundError`` if it leads nowhere, or the agent's pane has vanished.
    """
    agent = store.agents.get(target)
    if agent is not None and agent.stopped is None:
        home = Socket(path=agent.socket)
        return Found(target, home, _pane_of(agent, home), agent)
    try:
        pane = resolve(list_panes(socket), target)
    except NotFoundError as missing:
        if agent is not None:
            raise NotFoundError(
                f"agent '{target}' was stopped, and no pane has that name",
                hint=f"Start it again with 'torch spawn {target}'.",
                code="stopped",
            ) from missing
        raise
    agent = store.agents.in_pane(pane.server, pane.id, pane.pid)
    return Found(agent.name if agent else target, Socket(path=pane.socket_path), pane, agent)


def _pane_of(agent: Agent, home: Socket) -> Pane:
    try:
        panes = list_panes(home)
    except NotFoundError as missing:
        if missing.code != "no-server":
            raise  # without tmux nobody can tell whether the pane is gone
        panes = []
    for pane in panes:
        if (pane.server, pane.id, pane.pid) == (agent.server, agent.pane, agent.pane_pid):
            return pane
    raise NotFoundError(
        f"agent '{agent.name}' was in pane {agent.pane} of {agent.socket}, which is gone",
        hint=f"'torch stop {agent.name}' forgets it; 'torch spawn {agent.name}' starts it anew.",
        code="vanished",
    )


def recognise(store: Store, pane: Pane, client: ControlClient) -> Profile:
    """Return the profile of the program in an unregistered pane.

    The name of the process must be one of the profile's, and the screen one that the profile
    knows. Raises ``NotFoundError`` with the command that registers it by hand.
    """
    for name, _ in list_profiles(profiles_dir()):
        profile = profile_named(name)
        if pane.command not in profile.process.names:
            continue
        if profile.process.shells:
            return profile
        if observe(client, store, pane, profile).state.state is not State.UNKNOWN:
            return profile
    raise NotFoundError(
        f"pane {pane.id} ({pane.place}) is no registered agent, and its program "
        f"'{pane.command}' is not recognised; nothing was typed",
        hint=f"Register it: torch adopt {pane.id} NAME --profile PROFILE",
        code="not-an-agent",
    )


def knows_chord(profile: Profile, environ: Mapping[str, str], *, launched: bool = False) -> bool:
    """Say whether a program with this environment knows the profile's submit chord.

    ``launched`` says that Torch starts it, with the profile's arguments.
    """
    if profile.submit.chord_launch:
        return launched and bool(profile.submit.chord)
    if profile.submit.chord_match is not None:
        path = Path(environ.get("HOME") or Path.home()) / profile.submit.chord_file
        try:
            return bool(profile.submit.chord_match.search(path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError):
            return False
    if not profile.submit.chord_setup:
        return bool(profile.submit.chord)
    from torch_cli.agents.setup import chord_installed

    return chord_installed(environ)


def program_in(pane: Pane) -> procs.Process | None:
    """Return the process that has the pane's terminal now."""
    group = procs.foreground(pane.pid)
    found = procs.identify(group) if group else None
    return found or procs.identify(pane.pid)
