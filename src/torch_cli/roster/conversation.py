"""The conversation of an agent, followed when it changes: by ``/clear``, a fork, a resumed one."""

from torch_cli.errors import TorchError
from torch_cli.procs import Process
from torch_cli.programs.conversation import conversation_of
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
    found = conversation_of(known.answer.transcript, process) or _reported(store, agent, known)
    if not found or found == agent.conversation:
        return agent
    store.agents.converses(agent, found)
    return agent._replace(conversation=found)


def _reported(store: Store, agent: Agent, profile: Profile) -> str:
    """Return the conversation that its hooks have reported last, '' if they never did.

    A program that the agent starts may have the same hooks, and reports from the same pane.
    """
    names = [name for name, said in profile.hooks.events.items() if said == "started"]
    found = agent.conversation
    for report in store.hooks.named(agent.server, agent.pane, names, agent.created):
        changed = store.hooks.detail(report.id).get("source") not in (None, BEGUN)
        if report.session and (changed or not found):
            found = report.session
    return found
