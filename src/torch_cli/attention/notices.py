"""Telling a person, once, that an agent has begun to wait for somebody.

Only what changes is told, not what was so before; only what lasts; and nothing that the person is
looking at.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from torch_cli.attention.account import Refused, is_one_login, is_refused
from torch_cli.attention.channels import (
    RETRY_SECONDS,
    ChannelProgram,
    Programs,
    desktop_command,
    poster,
)
from torch_cli.attention.history import Change
from torch_cli.attention.looking import TOUCHED_SECONDS
from torch_cli.attention.notify_settings import NotifySettings, load_notify_settings
from torch_cli.attention.told import SEVERITIES, TOLD, severest
from torch_cli.errors import TorchError
from torch_cli.programs.asked import Option
from torch_cli.programs.state import ENDED, State
from torch_cli.programs.trouble import trouble_fields
from torch_cli.roster.account import account_of
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.status_line import show
from torch_cli.tmux.terminals import Terminal, ring, terminals

REFUSED = "needs you to log in again"
"""What is said of an agent whose login was refused."""

NOTICE_SCHEMA = "torch.notice/1"

UNKNOWN_STANDS_TIMES = 6
"""An unknown state must stand so many times longer than a question: most go by themselves."""

GATHER_SECONDS = 1.0
"""Seconds at most after a notice in which there is no other: what follows is gathered. With the
time that a question must stand, and two looks, it is told within 5 s."""

CROWD_GATHER_SECONDS = 5.0
"""The same after ``FEW_NOTICES`` of the last ``CROWD_SECONDS``: then many agents need somebody, and
one more notice each second would only disturb."""

FEW_NOTICES = 5
CROWD_SECONDS = 30.0

LATER_SECONDS = 30.0
"""Seconds at most after which what was put off is looked at again."""

MOST_LISTED = 20
"""Agents of one notice that are described; of more of them there is only the number."""

MOST_NAMED = 5
"""Agents that the words of a notice name."""


class Notice(NamedTuple):
    """What was told: of which agents, in which words, in how many terminals it was shown and how
    many rang, and which channels had a program started for it.
    """

    agents: tuple[str, ...]
    words: str
    shown: int = 0
    rung: int = 0
    started: tuple[str, ...] = ()


class _Pending(NamedTuple):
    """What is told at ``at`` (monotonic) unless it is over by then."""

    change: Change
    at: float


class Notices:
    """Decides what is told when, and tells it. ``on_error`` gets what went wrong with a channel.

    ``began`` (epoch seconds) is when the scheduler began its first look: what was so before is not
    told.
    """

    def __init__(self, began: float, on_error: Callable[[TorchError], None]) -> None:
        self._began, self._on_error = began, on_error
        self._pending: dict[str, _Pending] = {}
        self._told: dict[str, float] = {}
        self._rests = 0.0
        self._latest: deque[float] = deque(maxlen=FEW_NOTICES)
        self._programs = Programs(RETRY_SECONDS)
        self._refused = Refused()
        self._wrong = ""

    def take(self, changes: Sequence[Change]) -> None:
        """Note what a look found to have changed."""
        settings = self._settings() if changes else NotifySettings()
        now = time.time()
        if now < self._began:
            self._began = 0.0  # the clock was set back: it cannot say any more what is old
        changed = {change.agent.identity for change in changes}
        self._programs.forget(changed.__contains__)
        for change in changes:
            before = self._pending.pop(change.agent.identity, None)
            told = TOLD.get(change.state.shown)
            if (
                self._refused.is_known(change)
                or told is None
                or _rank(told.severity) < _rank(settings.severity)
            ):
                continue
            if change.since >= self._began:
                dwell = settings.dwell * (
                    UNKNOWN_STANDS_TIMES if change.state.state is State.UNKNOWN else 1
                )
                at = time.monotonic() + min(dwell, max(0.0, change.since + dwell - now))
                if before is not None and _is_same_end(before.change, change):
                    at = min(at, before.at)
                self._pending[change.agent.identity] = _Pending(change, at)

    def tell(
        self,
        alive: Mapping[str, Agent],
        clients: Mapping[str, ControlClient],
        muted: Callable[[], Mapping[str, float]] = dict,
    ) -> Notice | None:
        """Tell what is due now, all of it in one notice; return the notice.

        ``alive`` are the agents that are registered, by identity: of one that was stopped nothing
        is told. ``clients`` are the open connections by the socket of their server. ``muted``
        returns until when (epoch seconds) which agents are muted, and is called if it matters.
        """
        self._programs.forget(lambda one: one not in alive)
        for error in self._programs.check():
            self._on_error(error)
        self._pending = {one: what for one, what in self._pending.items() if one in alive}
        self._told = {one: at for one, at in self._told.items() if one in alive}
        self._refused.keep(alive)
        now = time.monotonic()
        due = [one for one, what in self._pending.items() if what.at <= now]
        if not due or now < self._rests:
            return None
        settings = self._settings()
        if left := settings.quiet.left(time.time()):
            self._rests = now + min(left, LATER_SECONDS)
            return None
        people, mutes = _people(clients), muted()
        chosen = [one for one in due if self._may(one, now, settings, people, mutes)]
        if not chosen:
            return None
        chosen += self._of_the_same_logins(chosen, mutes)
        changes = [self._pending.pop(one).change._replace(agent=alive[one]) for one in chosen]
        self._refused.note(changes)
        self._told |= dict.fromkeys(chosen, now)
        self._rests = now + min(self._gather(now), settings.dwell)
        return self._send(changes, settings, clients, people)

    def _gather(self, now: float) -> float:
        """Return for how many seconds what follows a notice at ``now`` (monotonic) is gathered."""
        self._latest.append(now)
        crowd = len(self._latest) == FEW_NOTICES and now - self._latest[0] < CROWD_SECONDS
        return CROWD_GATHER_SECONDS if crowd else GATHER_SECONDS

    @property
    def busy(self) -> bool:
        """Whether something is to be told, or a program has not ended."""
        return bool(self._pending) or self._programs.running

    def close(self) -> None:
        """Leave no program behind."""
        self._programs.close()

    def _may(
        self,
        one: str,
        now: float,
        settings: NotifySettings,
        people: Mapping[str, Sequence[Terminal]],
        mutes: Mapping[str, float],
    ) -> bool:
        """Return whether it may be told now; else put it off."""
        change = self._pending[one].change
        wait = self._told[one] + settings.cooldown - now if one in self._told else 0.0
        wait = max(wait, mutes.get(one, 0.0) - time.time())
        if wait <= 0 and _is_watched(change, people.get(change.agent.socket, ())):
            wait = settings.dwell
        if wait > 0:
            self._pending[one] = _Pending(change, now + min(wait, LATER_SECONDS))
        return wait <= 0

    def _of_the_same_logins(self, chosen: Sequence[str], mutes: Mapping[str, float]) -> list[str]:
        """Return who else was refused with one of the logins of the ``chosen``: it is one fact."""
        refused = {
            one: account_of(what.change.agent)
            for one, what in self._pending.items()
            if is_refused(what.change.state) and one not in mutes
        }
        accounts = {refused[one] for one in chosen if one in refused}
        return [one for one in refused if refused[one] in accounts and one not in chosen]

    def _send(
        self,
        changes: Sequence[Change],
        settings: NotifySettings,
        clients: Mapping[str, ControlClient],
        people: Mapping[str, Sequence[Terminal]],
    ) -> Notice:
        words = words_of(changes)
        shown = show_all(clients.values(), words) if settings.tmux else 0
        rung = ring(one for each in people.values() for one in each) if settings.bell else 0
        started = []
        told = {one.agent.identity for one in changes}
        for program in programs_of(settings, notice_object(changes, words)):
            try:
                self._programs.start(program, settings.timeout, told)
                started.append(program.channel)
            except TorchError as error:
                self._on_error(error)
        return Notice(tuple(one.agent.name for one in changes), words, shown, rung, tuple(started))

    def _settings(self) -> NotifySettings:
        """Return the settings as they are now; report a file that is wrong once."""
        try:
            found = load_notify_settings()
        except TorchError as error:
            if error.message != self._wrong:
                self._wrong = error.message
                self._on_error(error)
            return NotifySettings()
        self._wrong = ""
        return found


def _is_same_end(before: Change, after: Change) -> bool:
    """Return whether both say that a program has ended: first its hook tells, and then its pane."""
    return before.state.state in ENDED and after.state.state in ENDED


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def programs_of(settings: NotifySettings, notice: Mapping[str, Any]) -> list[ChannelProgram]:
    """Return the programs that tell a person of ``notice``: one of each channel that is on."""
    found = []
    desktop = desktop_command(notice["words"]) if settings.desktop else ()
    for channel, command in (("desktop", desktop), ("command", settings.command)):
        if command:
            found.append(ChannelProgram(channel, command, notice, command[0]))
    for how, to in (("webhook", settings.webhook), ("ntfy", settings.ntfy)):
        if to:
            found.append(poster(how, (to,), notice, settings.timeout))
    if settings.apprise:
        found.append(poster("apprise", settings.apprise, notice, settings.timeout))
    return found


def show_all(clients: Iterable[ControlClient], words: str) -> int:
    """Show ``words`` in the status line of every terminal; return in how many."""
    shown = 0
    for client in clients:
        with contextlib.suppress(TorchError):  # the people at the other servers are told
            shown += show(client, f"torch: {words}")
    return shown


def _people(clients: Mapping[str, ControlClient]) -> dict[str, list[Terminal]]:
    found = {}
    for path, client in clients.items():
        with contextlib.suppress(TorchError):
            found[path] = terminals(client)
    return found


def _is_watched(change: Change, people: Sequence[Terminal]) -> bool:
    """Return whether a person has the agent's pane before their eyes."""
    now = time.time()
    return any(
        one.pane == change.agent.pane and now - one.touched < TOUCHED_SECONDS for one in people
    )


def words_of(changes: Sequence[Change]) -> str:
    """Return the notice in words: who, where, the command, and what is asked.

    The command comes before the question, because a status line is cut at its end.
    """
    if len(changes) > 1:
        names = ", ".join(one.agent.name for one in changes[:MOST_NAMED])
        more = f" and {len(changes) - MOST_NAMED} more" if len(changes) > MOST_NAMED else ""
        if is_one_login(changes):
            what = f"the login of {len(changes)} agents was refused (torch status)"
            return f"{what}: {names}{more}: {changes[0].state.evidence}"
        what = "need you"
        if all(one.state.state is State.LIMITED for one in changes):
            what = "have reached their usage limit"
        return f"{len(changes)} agents {what} (torch status): {names}{more}"
    (one,) = changes
    agent, said = one.agent, one.asked.words or one.state.evidence
    what = REFUSED if is_refused(one.state) else TOLD[one.state.shown].words
    asks = one.state.state is State.WAITING
    command = f"torch answer {agent.name}" if asks else "torch status"
    return f"{agent.name} ({agent.session}:{agent.window}) {what} ({command}): {said}"


def notice_object(changes: Sequence[Change], words: str) -> dict[str, Any]:
    """Return the notice for a program, under its published schema."""
    return {
        "schema": NOTICE_SCHEMA,
        "words": words,
        "severity": severest([one.state.shown for one in changes]),
        "count": len(changes),
        "agents": [_agent_object(one) for one in changes[:MOST_LISTED]],
    }


def plain_notice(words: str, severity: str) -> dict[str, Any]:
    """Return the notice of ``words`` that are about no agent's state, under the same schema."""
    return {
        "schema": NOTICE_SCHEMA,
        "words": words,
        "severity": severity,
        "count": 0,
        "agents": [],
    }


def _agent_object(change: Change) -> dict[str, Any]:
    agent, dialog = change.agent, change.state.dialog
    return {
        "name": agent.name,
        "state": str(change.state.shown),
        "since": _timestamp(change.since),
        "evidence": change.state.evidence,
        "question": change.asked.question or None,
        "about": list(change.asked.about),
        "dialog": dialog.hash if dialog is not None else None,
        **trouble_fields(change.state.trouble),
        "options": [_option_object(option) for option in change.asked.options],
        "pane": agent.pane,
        "session": agent.session,
        "window": agent.window,
        "dir": agent.directory,
    }


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _option_object(option: Option) -> dict[str, str]:
    return {"key": option.key, "words": option.words}
