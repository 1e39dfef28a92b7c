"""What a person has to do next for an agent, by its state."""

from torch_cli.programs.state import State

GROUPS = ("answer", "look", "fix", "done", "wait", "nothing")
"""What a person has to do next, the most urgent first."""

URGENT = ("answer", "look", "fix")
"""Where an agent goes no further until a person does something."""

GROUP_OF = {
    State.WAITING: "answer",
    State.UNKNOWN: "look",
    State.EXITED: "fix",
    State.DEAD: "fix",
    State.ERROR: "fix",
    State.STALLED: "look",
    State.RETRYING: "wait",
    State.LIMITED: "wait",
    State.STARTING: "wait",
    State.WORKING: "nothing",
    State.IDLE: "nothing",
    State.HIBERNATED: "nothing",
}


def group_of(state: str) -> str:
    """Return what a person has to do next for an agent in ``state``, as the history writes it."""
    return next((group for one, group in GROUP_OF.items() if one == state), "look")
