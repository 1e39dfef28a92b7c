"""A notice for trying: sent at once and waited for, so that a person sees whether it arrives."""

import contextlib
import enum
import select
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch_cli.attention.channels import ChannelProgram, Programs
from torch_cli.attention.notices import notice_object, programs_of
from torch_cli.attention.notify_settings import NotifySettings, load_notify_settings
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.store import Store
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.status_line import show
from torch_cli.tmux.terminals import ring, terminals

TRIAL_WORDS = "a test: this is how you are told that an agent needs you (torch status)"

NO_TERMINAL = "no terminal is attached that can show it"

CHANNEL_POLL_SECONDS = 0.02
"""Seconds between two looks whether a program has ended."""


class TrialState(enum.StrEnum):
    """What became of a test."""

    TOLD = "told"
    NOBODY = "nobody"
    """There is nobody whom it could reach."""
    FAILED = "failed"
    OFF = "off"


class ChannelTrial(NamedTuple):
    """What became of the test by one channel."""

    channel: str
    state: TrialState
    words: str


def try_channels(store: Store, socket: Socket) -> list[ChannelTrial]:
    """Tell people now, at ``socket`` and at the servers of all agents; return what became of it.

    Raises ``RefusedError`` for settings that are wrong.
    """
    settings = load_notify_settings()
    found = _at_terminals(store, socket, settings)
    programs = programs_of(settings, notice_object((), TRIAL_WORDS))
    started = {one.channel: one for one in programs}
    tried = _run(programs, settings.timeout)
    for channel in ("desktop", "command", "webhook", "ntfy", "apprise"):
        if channel in started:
            found.append(tried[channel])
        elif channel != "desktop":
            found.append(ChannelTrial(channel, TrialState.OFF, "config.toml names none"))
        elif settings.desktop:
            missing = "no desktop here that notify-send or osascript could show it on"
            found.append(ChannelTrial("desktop", TrialState.NOBODY, missing))
        else:
            found.append(_off("desktop"))
    return found


def _off(channel: str) -> ChannelTrial:
    return ChannelTrial(channel, TrialState.OFF, "off in config.toml")


def _run(all_of_them: Sequence[ChannelProgram], timeout: float) -> dict[str, ChannelTrial]:
    """Run the programs side by side to their ends; return what became of each, by its channel."""
    found, running = {}, dict[str, Programs]()
    try:
        for program in all_of_them:
            running[program.channel] = Programs()
            found[program.channel] = _succeeded(program)
            try:
                running[program.channel].start(program, timeout)
            except TorchError as error:
                found[program.channel] = ChannelTrial(
                    program.channel, TrialState.FAILED, error.message
                )
        while any(one.running for one in running.values()):
            select.select([], [], [], CHANNEL_POLL_SECONDS)
            for channel, one in running.items():
                for wrong in one.check():
                    found[channel] = ChannelTrial(channel, TrialState.FAILED, wrong.message)
    finally:
        for one in running.values():
            one.close()
    return found


def _succeeded(program: ChannelProgram) -> ChannelTrial:
    if program.channel == program.name:
        return ChannelTrial(program.channel, TrialState.TOLD, "sent")
    return ChannelTrial(program.channel, TrialState.TOLD, f"'{program.name}' ended with status 0")


def _at_terminals(store: Store, socket: Socket, settings: NotifySettings) -> list[ChannelTrial]:
    """Show the words, and ring, at each server."""
    shown = rung = 0
    for client in _servers(store, socket):
        with client:
            shown += show(client, f"torch: {TRIAL_WORDS}") if settings.tmux else 0
            rung += ring(terminals(client)) if settings.bell else 0
    return [
        _counted("tmux", shown, "shown in", NO_TERMINAL) if settings.tmux else _off("tmux"),
        _counted("bell", rung, "rung in", "no terminal is attached that may ring")
        if settings.bell
        else _off("bell"),
    ]


def _counted(channel: str, count: int, done: str, nobody: str) -> ChannelTrial:
    if not count:
        return ChannelTrial(channel, TrialState.NOBODY, nobody)
    return ChannelTrial(channel, TrialState.TOLD, f"{done} {count} terminal{'s' * (count != 1)}")


def _servers(store: Store, socket: Socket) -> Iterator[ControlClient]:
    """Yield a connection to each server that answers, once."""
    reached = set[str]()
    for path in [None, *sorted({agent.socket for agent in store.agents.all()})]:
        with contextlib.suppress(NotFoundError):
            one = socket if path is None else Socket(path=path)
            panes = list_panes(one)
            if panes and panes[0].server not in reached:
                reached.add(panes[0].server)
                yield ControlClient(one, panes[0].session_id)
