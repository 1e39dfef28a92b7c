"""A team as its file describes it."""

from collections.abc import Mapping
from typing import NamedTuple

from torch_cli.rules.rule import PermissionRule
from torch_cli.store.teams import MemberKind
from torch_cli.teamfile.schema import STRATEGIES

READY_SECONDS = 60.0
"""Seconds until a process must be ready, unless the file says otherwise."""

MIB = 1024 * 1024
LARGEST_POOL = 64
"""The most agents of a pool. Four Claude Codes 2.1 took 183 to 206 MiB each after a few turns, with
their share of shared memory (2026-11-25). A pool plans with twice that."""

MAX_AGENTS, MAX_DEPTH = 16, 4
"""The limits unless the team file says otherwise. 16 agents take some 3 GiB, and a deeper chain is
probably a mistake."""


class Limits(NamedTuple):
    """How many agents there may be in all, how deep below one that a person started, and which
    roles may start others (all roles if none is named). ``source`` is the file that says so.
    """

    max_agents: int = MAX_AGENTS
    max_depth: int = MAX_DEPTH
    spawners: tuple[str, ...] = ()
    source: str = "the default"


class Agreement(NamedTuple):
    """The rules of work. Times are seconds. 0, or an empty ``may_message``, means no rule.

    With ``enforce`` Torch refuses messages that ``may_message`` forbids. With ``remind`` Torch
    tells agents what they break, and their parents ``parent_after`` seconds later if it goes on.
    """

    may_message: Mapping[str, tuple[str, ...]] = {}
    ack_within: float = 0.0
    blocked_at_most: float = 0.0
    exchanges_at_most: int = 0
    uncommitted_at_most: float = 0.0
    research_after: int = 0
    one_topic: bool = False
    enforce: bool = False
    remind: bool = True
    parent_after: float = 300.0


class Pool(NamedTuple):
    """Agents of one role, whose number grows while tasks wait.

    ``names`` are all possible names, and ``least`` is how many agents always run. If a task waits
    for ``wait`` seconds, one more starts. An agent that is idle for ``idle`` seconds is retired.
    ``memory`` is what one agent is expected to need, and ``headroom`` what must stay free, in
    bytes.
    """

    names: tuple[str, ...]
    least: int
    skills: tuple[str, ...] = ()
    wait: float = 120.0
    idle: float = 900.0
    memory: int = 400 * MIB
    headroom: int = 1024 * MIB


class Member(NamedTuple):
    """An agent or a process of the team, as the file has it.

    ``kind`` is ``agent`` or ``process``. Directories are absolute. ``after`` are the names of
    members that must be ready first, the parent among them. ``briefing`` is '' for none. ``port``
    is 0 and ``ready`` is '' if Torch does not wait for them. ``stalled`` and ``hibernate`` are as
    in ``AgentPolicy``, '' if the file does not say. ``timeout`` is seconds. ``line`` is the line of
    the file where it begins.
    """

    kind: MemberKind
    name: str
    directory: str
    line: int
    role: str = ""
    profile: str = "claude"
    worktree: str = ""
    parent: str = ""
    briefing: str = ""
    arguments: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    port: int = 0
    ready: str = ""
    timeout: float = READY_SECONDS
    environment: Mapping[str, str] = {}
    env_files: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    autostart: bool = True
    restart: str = "never"
    stalled: str = ""
    hibernate: str = ""
    resume: bool = True


class Team(NamedTuple):
    """A team: its file, the project's directory, its name and session, and its members.

    ``members`` are in the order of their start, with those of ``pools``. ``route`` says that the
    daemon gives out tasks, by ``strategy``, to agents of ``roles`` (empty for all). ``rules``
    answer permission requests. ``text`` is the text of the file.
    """

    path: str
    root: str
    name: str
    session: str
    members: tuple[Member, ...]
    limits: Limits = Limits()
    agreement: Agreement = Agreement()
    pools: tuple[Pool, ...] = ()
    route: bool = False
    strategy: str = STRATEGIES[0]
    roles: tuple[str, ...] = ()
    rules: tuple[PermissionRule, ...] = ()
    text: str = ""

    @property
    def spare(self) -> frozenset[str]:
        """The members of pools that run only while they are needed."""
        return frozenset(name for pool in self.pools for name in pool.names[pool.least :])

    def member(self, name: str) -> Member | None:
        """Return the member of that name."""
        return next((one for one in self.members if one.name == name), None)
