"""Who needs a person, and for what: agents grouped by what has to be done next."""

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from torch_cli.attention.groups import GROUP_OF, GROUPS, URGENT
from torch_cli.attention.history import key_in, key_of_state
from torch_cli.attention.left import left_in
from torch_cli.attention.looking import CHANGES_READ, has_ended_a_turn
from torch_cli.programs.asked import NOTHING, Asked, asked_by, with_directory
from torch_cli.programs.state import AT_REST, AgentState, State
from torch_cli.roster.anew import spawn_words
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import since_of
from torch_cli.tmux.socket import Socket
from torch_cli.watch.end import is_shell
from torch_cli.watch.listing import Lookout, agents_on
from torch_cli.watch.state import StateOf, states_of

_BEFORE = {
    "authentication": "log in again",
    "billing": "see what is to be paid",
    "context": "compact its conversation, or clear it",
}
"""What a person does before an agent can go on after an error, by its kind."""


class NextStep(NamedTuple):
    """A command that deals with it, and what it does, '' if that is plain."""

    command: tuple[str, ...]
    words: str = ""

    @property
    def line(self) -> str:
        """The command as a shell takes it."""
        return shlex.join(self.command)


class Need(NamedTuple):
    """One agent: what a person has to do next for it (``group``), and how.

    ``since`` is in seconds since the epoch, ``None`` if nobody can tell. ``asked`` is its question.
    ``steps`` are the commands to choose from. ``left`` is the id of a message whose text is in the
    box of the agent, unsent; '' if none is.
    """

    agent: Agent
    group: str
    state: StateOf
    since: float | None
    asked: Asked = NOTHING
    steps: tuple[NextStep, ...] = ()
    left: str = ""

    @property
    def urgent(self) -> bool:
        """Whether the agent waits for a person."""
        return self.group in URGENT

    @property
    def words(self) -> str:
        """Its question, or else what its state rests on, in one line."""
        if self.left:
            return f"the text of {self.left} is in its box, and was not submitted"
        return self.asked.words or self.state.state.evidence


def needs(store: Store, socket: Socket, lookout: Lookout | None = None) -> list[Need]:
    """Look at every agent now, those of the server that was demanded if one was.

    They come in the order of ``GROUPS``, in each who has waited longest first. Since when is what
    the history of states says, where it has the same state and a scheduler keeps it. Only then it
    is known who has ended a turn since a person last looked. They are looked at over ``lookout`` if
    one is open.
    """
    kept, looks = store.lease.at_work() is not None, store.looks.all()
    agents = {agent.name: agent for agent in agents_on(store, socket)}
    found = [
        _need(store, agents[one.target], one, looks if kept else None)
        for one in states_of(store, socket, (), lookout=lookout)
        if one.target in agents
    ]
    return sorted(found, key=lambda one: (GROUPS.index(one.group), one.since or 0.0))


def _need(store: Store, agent: Agent, state: StateOf, looks: Mapping[str, float] | None) -> Need:
    """Return what ``agent`` needs. ``looks`` are ``None`` if the history is not kept now."""
    seen = state.state
    asked = with_directory(asked_by(seen), seen.dialog, agent.directory)
    group = "fix" if state.error is not None else GROUP_OF[seen.shown]
    states = store.events.last_states(agent.identity, CHANGES_READ) if looks is not None else []
    since = state.since
    if states and key_in(states[0]) == key_of_state(seen):
        since = since_of(states[0])
        looked = looks.get(agent.identity, 0.0) if looks else 0.0
        ended = seen.shown in AT_REST and has_ended_a_turn(states, looked)
        if ended and not is_shell(agent):
            group = "done"
    if agent.frozen is not None and group in ("done", "nothing"):
        thaw = NextStep(("torch", "thaw", agent.name), "it goes on")
        return Need(agent, "wait", state, since, steps=(thaw,))
    left = left_in(store, agent, seen) if state.error is None else None
    if left is not None:
        attach = NextStep(("torch", "attach", agent.name), "submit it, or delete it")
        show = NextStep(("torch", "receipt", left.id))
        return Need(agent, "look", state, since, steps=(attach, show), left=left.id)
    return Need(agent, group, state, since, asked, _steps(agent, group, state, asked))


def _steps(agent: Agent, group: str, state: StateOf, asked: Asked) -> tuple[NextStep, ...]:
    attach = NextStep(("torch", "attach", agent.name))
    if state.error is not None:
        return (NextStep(("torch", "doctor")),)
    if group == "answer":
        dialog = state.state.dialog
        if dialog is None or not asked.options:
            return (attach,)  # of an unknown dialog nobody knows which keys are options
        verb, which = ("answer", "--hash") if asked.choose else ("press", "--dialog")
        begin, end = ("torch", verb, agent.name), (which, dialog.hash)
        text = {"needed": ("--text", "TEXT")}
        return tuple(
            NextStep((*begin, one.key, *text.get(one.text, ()), *end), one.words)
            for one in asked.options
        )
    if state.state.state is State.DEAD and state.state.rule == "gone":
        return (*_again(agent), NextStep(("torch", "stop", agent.name), "forgets it"))
    if state.state.shown is State.ERROR:
        return _steps_after_error(agent, attach, state.state)
    if group == "fix":
        stop = NextStep(("torch", "stop", agent.name), "ends it, and frees its name")
        return (attach, *_again(agent), stop)
    if group == "done":
        seen = NextStep(("torch", "seen", agent.name), "you have looked at it")
        return (attach, seen)
    return (attach,) if group == "look" else ()


def _again(agent: Agent) -> tuple[NextStep, ...]:
    """Return how an agent without a program starts again, if Torch knows how it was started."""
    if agent.origin != "spawned":
        anew = spawn_words(agent)
        return (NextStep(anew, "starts it with Torch"),) if anew else ()
    words = "starts it again; torch resurrect: all that a crash has ended"
    return (NextStep(("torch", "restart", agent.name), words),)


def _steps_after_error(agent: Agent, attach: NextStep, state: AgentState) -> tuple[NextStep, ...]:
    """Return how an agent goes on whose turn ended with an error."""
    again = NextStep(("torch", "send", agent.name, "Please continue."), "it goes on")
    first = _BEFORE.get(state.trouble.kind, "") if state.trouble is not None else ""
    return (attach._replace(words=first), again) if first else (again, attach)
