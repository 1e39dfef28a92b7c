"""The hierarchy of agents: who answers to whom."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from torch_cli.store.agents import Agent


class OfAgent(Protocol):
    """What is known of one agent."""

    @property
    def agent(self) -> Agent:
        """The agent."""


Shown = TypeVar("Shown", bound=OfAgent)


def tree(
    lines: Sequence[Shown], above: Callable[[Agent], Agent | None]
) -> Iterator[tuple[int, Shown]]:
    """Yield each agent after its parent, with its depth, 0 without a parent.

    Those with the same parent keep their order. A parent that is not among the ``lines``, or is in
    a circle, does not count.
    """
    names = {line.agent.name for line in lines}
    children: dict[str, list[Shown]] = {}
    for line in lines:
        found = above(line.agent)
        parent = found.name if found and found.name in names else ""
        children.setdefault(parent, []).append(line)
    shown: set[str] = set()

    def below(name: str, depth: int) -> Iterator[tuple[int, Shown]]:
        for line in children.get(name, ()):
            if line.agent.name not in shown:
                shown.add(line.agent.name)
                yield depth, line
                yield from below(line.agent.name, depth + 1)

    yield from below("", 0)
    for line in lines:  # those in a circle
        if line.agent.name not in shown:
            shown.add(line.agent.name)
            yield 0, line
            yield from below(line.agent.name, 1)
