"""Starting an agent program in a window of its own."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch_cli import procs
from torch_cli.errors import (
    Interrupted,
    NotFoundError,
    RefusedError,
    TimedOutError,
)
from torch_cli.lifecycle.alone import alone
from torch_cli.lifecycle.leftover import Start
from torch_cli.lifecycle.resume import arguments_for, own_id
from torch_cli.lifecycle.unready import asks_first, ended_early
from torch_cli.lifecycle.variables import gets_all, variables_of
from torch_cli.lifecycle.window import closed_on_failure, create_window, in_place_of
from torch_cli.paths import is_chosen, state_dir
from torch_cli.programs.observe import Sight, observe
from torch_cli.programs.profile import Launch, Profile
from torch_cli.programs.program import ask_version, find_program, version_on
from torch_cli.programs.setup import hook_command, hook_settings
from torch_cli.programs.state import UNREAD, State
from torch_cli.programs.unclear import advice
from torch_cli.roster.asleep import is_without_program
from torch_cli.roster.conversation import follow
from torch_cli.roster.membership import check_parent
from torch_cli.roster.registry import (
    check_name,
    find,
    knows_chord,
    no_agent,
    profile_named,
    runs,
)
from torch_cli.roster.rest import policy_of
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.health import STALLED
from torch_cli.teamfile.schema import RESTARTS
from torch_cli.tmux.capture import last_lines
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import program as tmux_program
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import OpenedWindow, check_directory, reopen_window
from torch_cli.watch.asleep import lives
from torch_cli.watch.memory import kills_around

START_LOCK_SECONDS = 60.0
"""Seconds to wait for another start of the same name. A program may take 30 to say its version."""


@dataclass(frozen=True, slots=True)
class SpawnOrder:
    """An order to start an agent: the profile's program with ``arguments``, in ``directory``.

    ``conversation`` is the id of the one that it continues, '' to begin another. ``restart`` is its
    restart policy, ``stalled`` what is done if it makes no progress, ``hibernate`` after which time
    it is hibernated, '' for those of the agent it replaces, else ``never``, ``tell`` and as the
    settings say. ``again``: it is an agent of that name that Torch knows, and may be hibernated.
    ``into`` is the dead pane that it starts in, ``None`` for a new window. ``frozen`` is since when
    it is frozen, ``None`` if it is not. ``path`` is the ``PATH`` of the program, '' for that of the
    caller; unlike ``environment`` it is not recorded.
    """

    name: str
    profile: str
    directory: str
    session: str | None = None
    role: str = ""
    parent: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    conversation: str = ""
    restart: str = ""
    stalled: str = ""
    hibernate: str = ""
    again: bool = False
    into: Pane | None = None
    frozen: float | None = None
    path: str = ""


def spawn(store: Store, socket: Socket, order: SpawnOrder) -> tuple[Agent, OpenedWindow]:
    """Open a window with the program in it and register the agent; do not wait until it is ready.

    If the name, the profile, the program, the parent or the directory cannot be used, raises before
    anything is touched. One process at a time starts an agent of a name: two would both open a
    window, perhaps in the same conversation, before one of them is registered.
    """
    refusal = f"starts an agent '{order.name}'"
    with alone("start", order.name, refusal, "nothing was started", START_LOCK_SECONDS):
        return _spawn(store, socket, order)


def _spawn(store: Store, socket: Socket, order: SpawnOrder) -> tuple[Agent, OpenedWindow]:
    profile, gone = check(store, order)
    program = find_program(profile, _environment(order)) or ""
    begins = "" if order.conversation else own_id(profile, order.arguments, program)
    command = command_of(profile, order, begins)
    directory = check_directory(order.directory)
    start = Start(order.name)
    left = start.close_leftovers(store, socket, order.into.id if order.into is not None else "")
    with start.noted():
        environment = {
            **variables_of(profile),
            **_path(order),
            **order.environment,
            **_identity(order.name),
            **start.variables,
        }
        if order.into is not None:
            window = reopen_window(socket, order.into, order.name, directory, environment, command)
        else:
            with in_place_of(store, gone):
                window = create_window(
                    store,
                    socket,
                    name=order.name,
                    session=order.session,
                    directory=directory,
                    environment=environment,
                    command=command,
                    keep_dead=True,
                )
        with closed_on_failure(window.pane, keep=order.into is not None):
            agent = _register(store, order, profile, window, gone)
            if begins:  # it is known from the start, and none that is continued
                store.agents.converses(agent, begins)
    return agent, replace(window, notes=(*left, *window.notes))


def close_leftovers(store: Store, agent: Agent) -> None:
    """End what a start of ``agent`` has left that was killed on the way; its pane stays."""
    refusal, nothing = f"starts an agent '{agent.name}'", "nothing was started"
    with alone("start", agent.name, refusal, nothing, START_LOCK_SECONDS):
        Start(agent.name).close_leftovers(store, Socket(path=agent.socket), agent.pane)


def check(store: Store, order: SpawnOrder) -> tuple[Profile, Agent | None]:
    """Raise unless the name, the profile, the program and the parent can be used.

    Returns the profile, and an agent of that name whose program is gone.
    """
    check_name(order.name)
    restarts, stalls = (order.restart, RESTARTS), (order.stalled, STALLED)
    for what, (given, known) in {"restart policy": restarts, "policy for stalls": stalls}.items():
        if given not in ("", *known):
            raise RefusedError(
                f"unknown {what} '{given}'; nothing was started",
                hint=f"Policies: {', '.join(known)}.",
                code="bad-policy",
            )
    policy_of(order.hibernate)
    profile = profile_named(order.profile)
    if order.parent and store.agents.get(order.parent) is None:
        raise no_agent(store, order.parent, " to be the parent; nothing was started")
    check_parent(store, order.name, order.parent)
    gone = refuse_living(store, order.name, again=order.again)
    command_of(profile, order)
    return profile, gone


def _register(
    store: Store, order: SpawnOrder, profile: Profile, window: OpenedWindow, gone: Agent | None
) -> Agent:
    """Record the agent in ``window``; ``gone`` is one of the same name whose program is gone."""
    pane = window.pane
    ours = gets_all(profile, order.environment)
    agent = Agent.of(
        pane,
        procs.identify(pane.pid) or procs.Process(pane.pid, ""),
        name=order.name,
        role=order.role,
        profile=profile.name,
        parent=order.parent,
        origin="spawned",
        directory=window.directory,
        conversation=order.conversation,
        arguments=tuple(order.arguments),
        variables=tuple(order.environment),
        frozen=order.frozen,
        hooks=_reports(profile, ours),
        chord=knows_chord(profile, _environment(order), launched=ours),
        version=_version(profile, order),
    )
    agent = store.agents.add(agent, instead_of=gone)
    # Delete a few old rows at each start, for people who run no scheduler.
    with contextlib.suppress(RefusedError):  # wrong settings: the scheduler says so
        store.retention.sweep(time.time(), until=lambda: True)
    detail = {"pane": agent.pane, "profile": agent.profile}
    store.events.add("spawn", agent.name, detail, agent=agent.identity)
    rest = policy_of(order.hibernate)
    if order.restart or order.stalled or rest:
        store.health.change_policy(agent.identity, order.restart, order.stalled, rest)
    store.health.note_kills(agent.identity, kills_around(agent.program_pid))
    return agent


def _version(profile: Profile, order: SpawnOrder) -> str:
    """Return the program's version if it decides how messages are submitted, else ''.

    The program is asked, because a first question can hide the version on the screen.
    """
    if not (profile.submit.idle_key or profile.submit.chord):
        return ""
    environ = _environment(order)
    program = find_program(profile, environ)
    return (ask_version(profile, program, environ) if program else "") or ""


@contextlib.contextmanager
def going_on(agent: Agent, what: str, left: str = "") -> Iterator[None]:
    """Say, if a signal ends the block, that the agent was ``what`` and goes on; ``left`` is what
    was not done.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        said = f"agent '{agent.name}' was {what}, and goes on in {agent.pane} "
        said += f"({agent.session}:{agent.window})"
        raise Interrupted(
            Interrupted.number_of(interrupt),
            "; ".join(filter(None, [said, left])),
            hint=f"'torch status' shows it when it is ready, 'torch stop {agent.name}' ends it.",
            details={"agent": agent.name, "pane": agent.pane},
        ) from None


def await_ready(
    client: ControlClient, store: Store, agent: Agent, profile: Profile, seconds: float
) -> Sight:
    """Wait until the program's input is really ready, and return what it shows then.

    Of a program whose box the profile does not know, being idle is enough: nothing is typed there.
    If the profile reads no screen, it is enough that the program runs, and shows no question.

    Raises ``HeldError`` if it asks a question first, ``TorchError`` with its last screen if it
    ended, ``TimedOutError`` after ``seconds``.
    """
    pane = find(store, Socket(path=agent.socket), agent.name).pane
    deadline = time.monotonic() + seconds
    steady: tuple[object, float] | None = None
    while True:
        heard = client.output.get(pane.id, 0)
        sight = observe(client, store, pane, profile, since=agent.created)
        now = time.monotonic()
        state = sight.state.state
        if state in (State.EXITED, State.DEAD):
            # remain-on-exit pushes the first row into the history.
            raise ended_early(agent, sight, last_lines(client.socket, pane, history=True))
        shown = (state, sight.state.box, sight.state.dialog)
        if steady is None or steady[0] != shown:
            steady = (shown, now)
        settled = now - steady[1] >= profile.launch.steady
        boxed = sight.state.box is not None or profile.box.kind == "none"
        if settled and (sight.state.rule == UNREAD or (state is State.IDLE and boxed)):
            store.agents.ready(agent.name, version_on(sight.screen, profile) or agent.version)
            if (known := store.agents.get(agent.name)) is not None:
                follow(store, known, profile)
            return sight
        if state in (State.WAITING, State.LIMITED) and settled:
            raise asks_first(agent, sight)
        if now >= deadline and sight.state.dialog is not None:
            raise asks_first(agent, sight)
        if now >= deadline:
            raise TimedOutError(
                f"agent '{agent.name}' in pane {agent.pane} was not ready after {seconds:g} s: "
                f"{state} ({sight.state.evidence})",
                hint=advice(sight.state, agent.name)
                or f"Look with 'torch capture {agent.name}'; it continues to start.",
            )
        client.wait_output(pane.id, heard, min(0.1, deadline - now))


def _identity(name: str) -> dict[str, str]:
    """Return the variables for an agent's hooks and for its own calls of torch."""
    identity = {"TORCH_AGENT": name}
    if is_chosen():
        identity["TORCH_HOME"] = state_dir()
    if os.environ.get("TORCH_TMUX"):
        identity["TORCH_TMUX"] = tmux_program()
    return identity


def _environment(order: SpawnOrder) -> dict[str, str]:
    return {**os.environ, **_path(order), **order.environment}


def _path(order: SpawnOrder) -> dict[str, str]:
    return {"PATH": order.path} if order.path else {}


def _reports(profile: Profile, ours: bool) -> bool:
    """Return whether the program reports to Torch. ``ours``: it has the profile's variables."""
    launch = profile.launch
    plugin = profile.hooks.kind == "plugin" and ours
    return bool(launch.settings_flag or launch.hook_flag or plugin)


def command_of(profile: Profile, order: SpawnOrder, begins: str = "") -> list[str]:
    """Return the program's argument list; raises ``NotFoundError`` if it is not installed.

    ``begins`` is the id of the conversation that it begins, '' if the program chooses one.
    """
    launch = profile.launch
    if not launch.command:
        raise RefusedError(f"profile '{profile.name}' names no program to start")
    # The agent's own PATH decides, as it does when tmux starts the program.
    program = find_program(profile, _environment(order))
    if program is None:
        raise NotFoundError(
            f"{profile.title or profile.name} is not installed: no '{launch.command[0]}' on the "
            "PATH; no window was opened",
            hint="Install it, or give its directory in PATH. 'torch doctor' lists what is found.",
            code="no-program",
        )
    unset = [word for name in launch.env_unset for word in ("-u", name)]
    prefix = ["/usr/bin/env", *unset] if unset else []
    fixed = [program, *launch.command[1:], *launch.arguments]
    given: Sequence[str] = order.arguments
    if order.conversation:
        given = arguments_for(profile, order.conversation, given)
    elif begins:
        given = [*(word.replace("{id}", begins) for word in launch.begin), *given]
    return [*prefix, *fixed, *_with_hooks(launch, given)]


def _with_hooks(launch: Launch, arguments: Sequence[str]) -> list[str]:
    """Return the program's arguments with Torch's hooks among them, for this run alone.

    A program uses only the last of several settings flags, so the caller's settings are merged with
    Torch's. Raises ``RefusedError`` if they cannot be read.
    """
    if launch.hook_flag:
        return [launch.hook_flag, hook_command(), *arguments]
    flag = launch.settings_flag
    if not flag:
        return list(arguments)
    kept: list[str] = []
    settings: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == flag or argument.startswith(f"{flag}="):
            given = next(rest, "") if argument == flag else argument.partition("=")[2]
            settings = _read_settings(flag, given)
        else:
            kept.append(argument)
    hooks = settings.setdefault("hooks", {})
    for event, groups in hook_settings(hook_command())["hooks"].items():
        hooks[event] = [*hooks.get(event, []), *groups]
    return [flag, json.dumps(settings), *kept]


def _read_settings(flag: str, given: str) -> dict[str, Any]:
    """Return settings that are given as JSON, or as a file of JSON."""
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text("utf-8")
        settings = json.loads(text)
        if not isinstance(settings, dict) or not isinstance(settings.get("hooks", {}), dict):
            raise ValueError("not a table of settings")
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"{flag} {given}: {error}; no window was opened", code="bad-settings"
        ) from error
    return settings


def refuse_living(store: Store, name: str, *, again: bool = False) -> Agent | None:
    """Raise ``RefusedError`` for the name of a living agent, ``again``: of one whose program runs.

    Returns the agent of that name whose program is gone, ``None`` if there is none.
    """
    taken = store.agents.get(name)
    if taken is None or taken.stopped is not None:
        return None
    if not (runs(taken) if again else lives(store, taken)):
        return taken
    if is_without_program(taken):
        raise RefusedError(
            f"agent '{name}' already exists, and is hibernated",
            hint=f"Wake it: torch wake {name}. Or end it first: torch stop {name}",
            code="name-taken",
        )
    raise RefusedError(
        f"agent '{taken.name}' already exists, in pane {taken.pane} "
        f"({taken.session}:{taken.window})",
        hint=f"Choose another name, or end it first: torch stop {taken.name}",
        code="name-taken",
    )
