"""The conversation of an agent, followed when it changes: by ``/clear``, a fork, a resumed one."""

import os
from collections.abc import Mapping

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.procs import Process
from torch_cli.programs.conversation import began_since, conversation_of, transcript_of
from torch_cli.programs.profile import Profile
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent

BEGUN = "startup"
"""The source of a program's first start. A later one is that of another program in its pane."""


def follow(store: Store, agent: Agent, profile: Profile | None = None) -> Agent:
    """Return ``agent`` with the conversation that its program has, or had when it ended.

    Records it. What the program itself records counts most, then what its hooks have reported,
    then what was known before.
    """
    try:
        known = profile or profile_named(agent.profile)
    except TorchError:  # its profile is gone
        return agent
    process = Process(agent.program_pid, agent.program_started)
    kind = known.answer.transcript
    found = conversation_of(kind, process) or _reported(store, agent, known)
    if not found and agent.ready is not None:
        # A quick program has begun its conversation before the agent is registered.
        since = min(agent.created, procs.begun(process) or agent.created)
        others = {one.conversation for one in store.agents.all() if one.name != agent.name}
        found = began_since(kind, agent.directory, _environment(agent), since, but=others)
    if not found or found == agent.conversation:
        return agent
    store.agents.converses(agent, found)
    return agent._replace(conversation=found)


def _reported(store: Store, agent: Agent, profile: Profile) -> str:
    """Return the conversation that its hooks have reported last, '' if they never did.

    A program that the agent starts may have the same hooks, and reports from the same pane.
    """
    names = [name for name, said in profile.hooks.events.items() if said == "started"]
    if not names:
        return _spoken_in(store, agent, profile)
    found = agent.conversation
    for report in store.hooks.named(agent.server, agent.pane, names, agent.created):
        changed = store.hooks.detail(report.id).get("source") not in (None, BEGUN)
        if report.session and (changed or not found):
            found = report.session
    return found


def changes_are_seen(store: Store, agent: Agent, profile: Profile) -> bool:
    """Return whether Torch hears of it if the program of ``agent`` begins another conversation.

    One that was given the id of its conversation says no other, unless it has reported by a hook.
    """
    if not profile.launch.begin:
        return True
    names = [name for name, said in profile.hooks.events.items() if said == "started"]
    return bool(store.hooks.named(agent.server, agent.pane, names, agent.created))


def _spoken_in(store: Store, agent: Agent, profile: Profile) -> str:
    """Return the conversation that the last message was given to, as its hooks have reported.

    opencode begins one with its first message. It also reports the messages to its sub-agents,
    whose conversations are none that it could continue.
    """
    names = [name for name, said in profile.hooks.events.items() if said == "submitted"]
    report = store.hooks.last_of(agent.server, agent.pane, names, agent.created) if names else None
    if report is None or report.session in ("", agent.conversation):
        return agent.conversation
    kind = profile.answer.transcript
    is_own = transcript_of(kind, report.session, _environment(agent))
    return report.session if is_own else agent.conversation


def _environment(agent: Agent) -> Mapping[str, str]:
    return procs.environment(agent.program_pid) or os.environ
