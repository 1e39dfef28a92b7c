"""What a program has going on beside its own turn, by its reports: sub-agents, a compaction.

It is work that may show on no screen. Only a program whose reports of it are understood has any.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from torch_cli.programs.profile import Profile
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.hooks import HookReport

SUB_AGENT, COMPACTION = "sub-agent", "compaction"

SUB_AGENT_SECONDS = 4 * 3600.0
"""Seconds for which a sub-agent counts after the report of its beginning: that of its end can get
lost, and what works for longer writes into its transcript, which counts as well."""

COMPACTION_SECONDS = 3600.0
"""The same for a compaction. Nothing reports that a person has broken it off (Claude Code 2.1.330,
2026-11-30)."""


class Beside(NamedTuple):
    """One thing that goes on: a ``SUB_AGENT`` or a ``COMPACTION``, as ``what`` says.

    ``name`` is the program's word for what kind of it that is, '' if it has none. ``at`` is when
    its beginning was reported (epoch seconds), by the event ``rule``.
    """

    what: str
    name: str
    at: float
    rule: str

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"{self.what} {self.name}".rstrip()


def beside_of(store: Store, profile: Profile, agent: Agent) -> tuple[Beside, ...]:
    """Return what ``agent``, of that profile, has going on, in the order of its beginnings."""
    return beside_in(store, profile, agent.server, agent.pane, agent.created)


def beside_in(
    store: Store, profile: Profile, server: str, pane: str, since: float
) -> tuple[Beside, ...]:
    """Return the same for the program in a pane. Reports before ``since`` do not count (epoch
    seconds).
    """
    now = time.time()
    if not profile.hooks.aside and "compacting" not in profile.hooks.events.values():
        return ()
    found = (
        *_sub_agents(store, profile, server, pane, max(since, now - SUB_AGENT_SECONDS)),
        *_compactions(store, profile, server, pane, max(since, now - COMPACTION_SECONDS)),
    )
    return tuple(sorted(found, key=lambda one: one.at))


def words_of(found: Iterable[Beside]) -> str:
    """Return what goes on, in words: kinds that there are several of are counted."""
    counted: dict[str, int] = {}
    for one in found:
        counted[one.words] = counted.get(one.words, 0) + 1
    return ", ".join(words if n == 1 else f"{n} x {words}" for words, n in counted.items())


def _sub_agents(
    store: Store, profile: Profile, server: str, pane: str, since: float
) -> Iterable[Beside]:
    """Return the sub-agents whose beginning was reported, and not their end."""
    says = profile.hooks.events
    if not store.hooks.named(server, pane, _named(profile, "helper-began"), since):
        return ()
    names = _named(profile, "helper-began", "helper-ended", "idle")
    reports = store.hooks.named(server, pane, names, since)
    last = max((one.id for one in reports if says[one.name] == "idle"), default=0)
    running: dict[str, Beside] = {}
    for report in reports:
        if says[report.name] != "idle":
            _count(running, store, report, began=says[report.name] == "helper-began")
        elif report.id == last:
            # The end of a turn lists all that is left in the background.
            listed = store.hooks.detail(report.id).get("background")
            if isinstance(listed, list):
                running = {one: it for one, it in running.items() if one in listed}
    return running.values()


def _count(running: dict[str, Beside], store: Store, report: HookReport, *, began: bool) -> None:
    detail = store.hooks.detail(report.id)
    one = str(detail.get("agent_id") or "")
    if not began:
        running.pop(one, None)
    elif one:
        name = str(detail.get("agent_type") or "")
        running.setdefault(one, Beside(SUB_AGENT, name, report.at, report.name))


def _compactions(
    store: Store, profile: Profile, server: str, pane: str, since: float
) -> Iterable[Beside]:
    """Return the compaction whose beginning is the last that was reported of the program itself."""
    says = profile.hooks.events
    quiet = [name for name, said in says.items() if said in ("notice", "retrying")]
    last = store.hooks.latest(server, pane, since=since, besides=(*quiet, *profile.hooks.aside))
    if last is None or says.get(last.name) != "compacting":
        return ()
    return (Beside(COMPACTION, "", last.at, last.name),)


def _named(profile: Profile, *meanings: str) -> list[str]:
    return [name for name, said in profile.hooks.events.items() if said in meanings]
