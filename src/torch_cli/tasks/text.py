"""The texts of messages to agents about tasks."""

import shlex

from torch_cli.store.tasks import Task


def order(task: Task) -> str:
    """Return the message that gives a task to an agent."""
    lines = [f"Task {task.id}: {task.title}"]
    lines += ["", task.body] if task.body else []
    lines += ["", f"Done when: {task.criteria}"] if task.criteria else []
    lines += ["", f"Its check: {shlex.join(task.check)}"] if task.check else []
    lines += [
        "",
        f"Begin with: torch task start {task.id}",
        f'When it is done: torch task done {task.id} -m "what you did, and how you checked it"',
        f'If you cannot: torch task block {task.id} -m "why", or torch task release {task.id}',
    ]
    return "\n".join(lines)


def outline(task: Task) -> str:
    """Return a task in one line: its id, state, title and check."""
    check = f"; its check: {shlex.join(task.check)}" if task.check else ""
    return f"{task.id} ({task.state}): {task.title}{check}"


def result(task: Task) -> str:
    """Return the message that tells the maker of a task how it ended."""
    how = f"Task {task.id} is {task.state}: {task.title}"
    lines = [how, f"by {task.holder}" if task.holder else ""]
    lines += [task.reason] if task.reason else []
    if task.evidence.get("check"):
        check = shlex.join(task.evidence["check"])
        lines.append(f"Its check exited with 0: {check}")
    return "\n".join(line for line in lines if line)
