"""Ending what a team file has started, and nothing else."""

import contextlib
import enum
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from torch_cli.checkpoint.record import Occasion, take
from torch_cli.checkpoint.settings import load_settings
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.git.command import NotARepositoryError
from torch_cli.git.worktree import locate
from torch_cli.lifecycle.stop import Ending, close_ended, end_agent, end_pane
from torch_cli.lifecycle.worktrees import remove_worktree
from torch_cli.roster.authority import check_outside, check_over, check_over_process
from torch_cli.roster.project import FILE, own_place
from torch_cli.roster.started import agent_of, pane_of
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started
from torch_cli.teamfile.load import find_file
from torch_cli.teams.handoff import Note, ask_for_note, save
from torch_cli.tmux.socket import Socket
from torch_cli.watch.asleep import lives


class DownState(enum.StrEnum):
    """What became of a member when its team was ended."""

    STOPPED = "stopped"
    GONE = "gone"
    """It had ended."""
    LEFT = "left"
    """It was there before the team."""
    FAILED = "failed"


class EndedMember(NamedTuple):
    """The outcome of a member, with an error if it failed. ``said`` are sentences that say more."""

    name: str
    state: DownState
    said: tuple[str, ...] = ()
    error: TorchError | None = None

    @property
    def words(self) -> str:
        """All that is said, as one sentence."""
        return "; ".join(self.said)


def down(
    store: Store,
    team: str,
    *,
    only: Sequence[str] = (),
    on: Socket | None = None,
    force: bool = False,
    notes: float = 0.0,
    tell: Callable[[str], None] = lambda step: None,
) -> Iterator[EndedMember]:
    """End the members of the team whose file is ``team``, the last started first.

    ``on`` limits this to the members on that tmux server. ``only`` limits it to these names; raises
    ``NotFoundError`` for an unknown one, and ``RefusedError`` if the calling agent has no right
    over all of them.

    All agents are asked for a handoff note at the same time, and have ``notes`` seconds for it; 0
    asks for none. ``tell`` hears of each step. The note and the pane's content are saved. A
    checkpoint of each directory comes first, if it is in a repository. If that fails, the members
    there continue, unless ``force``. A worktree that was made for a member is removed only if
    nothing in it would be lost.
    """
    saved: dict[str, str] = {}
    known = store.teams.members(team)
    if on is not None and on.demanded:
        known = {name: one for name, one in known.items() if _is_on(store, one, on)}
    for name in only:
        if name not in known:
            raise NotFoundError(
                f"nothing named '{name}' of {team} is running; nothing was done",
                hint=f"Running: {', '.join(known) or 'nothing'}",
                code="no-member",
            )
    members = [one for one in reversed(known.values()) if not only or one.name in only]
    for one in members:
        _check_may_end(store, one)
    asked = _ask_all(store, members, notes, tell) if notes else {}
    for member in members:
        tell(f"making a checkpoint of {member.directory}, and ending {member.name}")
        try:
            words = _save(member, saved)
        except TorchError as error:
            if not force:
                words = f"it continues: {error.message}"
                yield EndedMember(member.name, DownState.FAILED, (words,), error)
                continue
            words = f"no checkpoint: {error.message}"
        try:
            left, lost = _keep(store, member, asked), _held(store, member)
            yield _end(store, member, (words, left, lost))
        except TorchError as error:
            said = (error.message.partition("\n")[0],)
            yield EndedMember(member.name, DownState.FAILED, said, error)
    if not store.teams.members(team):
        store.teams.enforce(team, None)


def _is_on(store: Store, member: Started, server: Socket) -> bool:
    agent = agent_of(store, member) if member.kind == MemberKind.AGENT else None
    path = agent.socket if agent else member.socket
    return not path or server.leads_to(path)  # a member that never came up has no server


def _check_may_end(store: Store, member: Started) -> None:
    if member.kind == MemberKind.PROCESS:
        check_over_process(store, member)
    elif agent := agent_of(store, member):
        check_over(store, agent, "end")
        check_outside(agent, "ended")


def team_path(store: Store, directory: str) -> str:
    """Return the path of the team file of ``directory``. The file may be gone while the team is up.

    Raises ``NotFoundError`` if there is neither a file nor a running team.
    """
    path = Path(os.path.realpath(os.path.expanduser(directory)))
    path = Path(own_place(str(path)))
    known = set(store.teams.paths())
    for place in (path, *path.parents):
        file = place / FILE
        if str(file) in known or file.is_file():
            return str(file)
    return find_file(directory)


def _save(member: Started, saved: dict[str, str]) -> str:
    """Make a checkpoint of the member's worktree, once for each worktree; return a sentence."""
    try:
        worktree = locate(member.directory)
        if worktree.top not in saved:
            outcome = take(worktree, load_settings(), Occasion("down", member.name))
            made = outcome.checkpoint or outcome.last
            saved[worktree.top] = f"checkpoint {made.id}" if made else ""
        return saved[worktree.top]
    except NotARepositoryError:
        if not os.path.isdir(member.directory):
            return ""
        return f"no checkpoint: {member.directory} is outside git"
    except TorchError:
        if not os.path.isdir(member.directory):
            return ""  # nothing is left that could be lost
        raise


def _ask_all(
    store: Store, members: Sequence[Started], seconds: float, tell: Callable[[str], None]
) -> dict[str, Note]:
    """Ask all of the team's agents for their notes at once; return the notes by identity."""
    ours = [one for one in members if one.kind == MemberKind.AGENT and one.ours]
    found = (agent_of(store, one) for one in ours)
    agents = [agent for agent in found if agent is not None and lives(store, agent)]
    if not agents:
        return {}
    names = ", ".join(agent.name for agent in agents)
    tell(f"waiting {seconds:g} s at most for handoff notes of {names} (--deadline 0 asks for none)")
    with ThreadPoolExecutor(len(agents)) as pool:
        notes = pool.map(lambda agent: ask_for_note(agent, seconds), agents)
        return {agent.identity: note for agent, note in zip(agents, notes, strict=True)}


def _keep(store: Store, member: Started, asked: Mapping[str, Note]) -> str:
    """Save the note and the pane of an agent that was asked; return a sentence."""
    agent = agent_of(store, member) if member.kind == MemberKind.AGENT else None
    note = asked.get(agent.identity) if agent else None
    if note is None or agent is None:
        return ""
    saved = save(store, agent, note, time.time())
    return f"note {saved.folder / 'note.md'}" if note.text else f"no note: {note.why}"


def _held(store: Store, member: Started) -> str:
    """Say which messages for the member wait in the outbox and will not arrive."""
    agent = agent_of(store, member) if member.kind == MemberKind.AGENT and member.ours else None
    waiting = store.messages.waiting(agent.identity) if agent else []
    if not waiting:
        return ""
    words = "1 message" if len(waiting) == 1 else f"{len(waiting)} messages"
    return f"{words} for it did not arrive: torch outbox list"


def _end(store: Store, member: Started, said: tuple[str, ...]) -> EndedMember:
    state = (
        _end_agent(store, member) if member.kind == MemberKind.AGENT else _end_pane(store, member)
    )
    if state is DownState.GONE and not member.pane:
        said = ("its start had failed", *said)
    store.teams.remove(member.team, member.name)
    if state is not DownState.LEFT:
        said = (*said, remove_worktree(store, member))
    return EndedMember(member.name, state, tuple(filter(None, said)))


def _end_agent(store: Store, member: Started) -> DownState:
    agent = agent_of(store, member)
    if agent is None:
        return DownState.GONE
    if not member.ours:
        return DownState.LEFT
    if agent.name != member.name:
        # Its registration is found by the member's name when the team comes up again.
        with contextlib.suppress(TorchError):
            agent = store.agents.rename(agent, member.name)
    gone = end_agent(store, agent.name).how is Ending.GONE
    return DownState.GONE if gone else DownState.STOPPED


def _end_pane(store: Store, member: Started) -> DownState:
    pane = pane_of(store, member)
    if pane is None:
        close_ended(store, member)
        return DownState.GONE
    end_pane(store, pane)
    return DownState.STOPPED
