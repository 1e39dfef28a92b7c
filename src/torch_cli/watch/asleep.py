"""The state of an agent that is hibernated."""

import time

from torch_cli.programs.state import ENDED, AgentState, State
from torch_cli.roster.asleep import is_closed, is_without_program
from torch_cli.store.agents import Agent


def hibernated(agent: Agent) -> AgentState:
    """Return the state of ``agent``, which is hibernated."""
    at = time.strftime("%m-%d %H:%M", time.localtime(agent.hibernated))
    words = f"its program was ended at {at}; a message or 'torch wake {agent.name}' starts it again"
    return AgentState(State.HIBERNATED, words, "hibernated")


def unless_asleep(agent: Agent, state: AgentState) -> AgentState:
    """Return ``state``, seen in the pane of ``agent``, or ``hibernated`` if that has it so."""
    asleep = state.state in ENDED and is_without_program(agent)
    return hibernated(agent) if asleep else state


def gone(agent: Agent, ended: State = State.DEAD) -> AgentState:
    """Return the state of ``agent``, whose pane is gone: ``ended``, unless it is hibernated.

    Raises ``TorchError`` if tmux does not answer.
    """
    if is_without_program(agent) and not is_closed(agent):
        return hibernated(agent)
    return AgentState(ended, f"pane {agent.pane} is gone", "gone")
