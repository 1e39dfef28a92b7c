"""What each agent has done with tasks, worked out from their history."""

from typing import NamedTuple

from torch_cli.store import Store
from torch_cli.store.tasks import TAKEN


class TaskRecord(NamedTuple):
    """What an agent has done with tasks: how many it took, ended well, failed, and lost.

    ``seconds`` is the median from taking a task to its end. ``agent`` is the agent's identity,
    because an earlier agent can have had its name.
    """

    name: str
    taken: int
    done: int
    failed: int
    returned: int
    seconds: float | None
    agent: str = ""

    @property
    def rate(self) -> float | None:
        """The share of its ended tasks that are done; ``None`` if it has ended none."""
        ended = self.done + self.failed
        return self.done / ended if ended else None


def records(store: Store) -> list[TaskRecord]:
    """Return what each agent has done with tasks, as their history says."""
    from statistics import median

    names: dict[str, str] = {}
    taken: dict[str, tuple[str, float]] = {}
    counts: dict[str, dict[str, int]] = {}
    took: dict[str, list[float]] = {}
    for entry in store.tasks.history():
        # The agent that returns a task no longer has it. It is the last agent that took it.
        last, since = taken.get(entry.task, ("", 0.0))
        whose = entry.agent or entry.holder or last
        if entry.verb not in (*TAKEN, "done", "fail", "return") or not whose:
            continue
        names[whose] = entry.holder or names.get(whose, "")
        kind = "claim" if entry.verb in TAKEN else entry.verb
        mine = counts.setdefault(whose, {})
        mine[kind] = mine.get(kind, 0) + 1
        if entry.verb in TAKEN:
            taken[entry.task] = (whose, entry.at)
        if entry.verb == "done" and last == whose:
            took.setdefault(whose, []).append(entry.at - since)
    found = [
        TaskRecord(
            name=names[whose],
            taken=mine.get("claim", 0),
            done=mine.get("done", 0),
            failed=mine.get("fail", 0),
            returned=mine.get("return", 0),
            seconds=median(took[whose]) if whose in took else None,
            agent=whose if whose != names[whose] else "",
        )
        for whose, mine in counts.items()
    ]
    return sorted(found, key=lambda one: one.name)
