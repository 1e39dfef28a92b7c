"""What to do about an agent whose state is unknown, in one sentence with the command. Pure.

Why it is unknown, its evidence says. A profile knows more about screens of its own program: its
rules may carry the sentence.
"""

from torch_cli.programs.state import LOW_PANE, UNKNOWN_DIALOG, AgentState, State

_ADVICE = {
    "mode": "Leave the mode with q: 'torch attach {agent}'.",
    "no box": "Look at it with 'torch attach {agent}'; 'torch doctor' says whether its version is "
    "known.",
    "another session": "Go back to its own session: 'torch attach {agent}'.",
    UNKNOWN_DIALOG: "Answer it there: 'torch attach {agent}'.",
    LOW_PANE: "Give it a window of its own, which is higher: 'torch move {agent} --apart'.",
}
_LOOK = "Look at it, and leave that screen: 'torch attach {agent}'."


def advice(state: AgentState, name: str) -> str:
    """Return what to do about ``state`` of the agent ``name``, '' unless it is unknown.

    Of one that Torch cannot look at, the error tells what to do.
    """
    if state.shown is not State.UNKNOWN or state.rule == "error":
        return ""
    return (state.advice or _ADVICE.get(state.rule, _LOOK)).replace("{agent}", name)
