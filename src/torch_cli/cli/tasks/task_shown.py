"""What the commands about tasks print."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch_cli.cli.present import (
    age,
    note,
    print_fields,
    print_json,
    printable,
    say,
)
from torch_cli.cli.schema import timestamp
from torch_cli.cli.table import Column, TableForm

if TYPE_CHECKING:
    from torch_cli.cli.common import Common
    from torch_cli.store.tasks import Task, TaskEvent
    from torch_cli.tasks.ranking import Choice
    from torch_cli.tasks.record import TaskRecord

_HISTORY_COLUMNS = 21
"""Columns before what was done, in a line of a task's history."""

TASK_COLUMNS = (
    Column("task", 0, 0),
    Column("state", 0, 0, "state"),
    Column("agent", 1, 10),
    Column("since", 2, 0),
    Column("title", 0, 20),
    Column("skills", 4),
    Column("why", 3, 14, heading=""),
)

RECORD_COLUMNS = (
    Column("agent", 0, 24),
    Column("done", 0, 0),
    Column("taken", 1, 0),
    Column("failed", 1, 0),
    Column("lost", 3, 0),
    Column("rate", 2, 0),
    Column("median", 4, 0),
)


def task_object(task: "Task", unmet: "list[Task] | None" = None) -> dict[str, Any]:
    """Return a task under its published schema."""
    waits = [] if unmet is None else [one.id for one in unmet]
    return {
        "schema": "torch.task/1",
        "id": task.id,
        "title": task.title,
        "body": task.body or None,
        "criteria": task.criteria or None,
        "check": list(task.check) or None,
        "state": task.state,
        "priority": task.priority,
        "skills": list(task.skills),
        "dir": task.directory or None,
        "depends": list(task.depends),
        "waits_for": waits,
        "creator": task.creator or None,
        "agent": task.holder or None,
        "attempts": task.attempts,
        "lease_s": task.lease,
        "reason": task.reason or None,
        "evidence": dict(task.evidence) or None,
        "created": timestamp(task.created),
        "changed": timestamp(task.changed),
    }


def print_task(task: "Task", done: str, common: "Common") -> None:
    """Print what was done with a task."""
    holder = f"  {task.holder}" if task.holder else ""
    shows_check = task.check and done in ("claimed", "assigned")
    common.show(
        task_object(task),
        f"{done}  {task.id}{holder}  {task.title}",
        *([f"its check: {' '.join(task.check)}"] if shows_check else []),
    )


def print_tasks(
    tasks: "Sequence[Task]", unmet: "dict[str, list[Task]]", common: "Common", look: TableForm
) -> None:
    """Print tasks as a table; ``unmet`` says what each one waits for."""
    now = time.time()
    rows = []
    for task in tasks:
        waits = ", ".join(one.id for one in unmet[task.id])
        words = f"waits for {waits}" if waits and task.state == "open" else task.reason
        row = [task.id, task.state, task.holder, age(now - task.changed)]
        rows.append([*row, task.title, ", ".join(task.skills), words.partition("\n")[0]])
    common.show_all(
        (task_object(task, unmet[task.id]) for task in tasks),
        TASK_COLUMNS,
        rows,
        look,
        "no tasks; 'torch task add' makes one",
    )


def print_whole(
    task: "Task", unmet: "list[Task]", history: "Sequence[TaskEvent]", common: "Common"
) -> None:
    """Print all of a task."""
    if common.json:
        print_json(task_object(task, unmet))
        return
    print_fields(
        {
            "task": task.id,
            "title": task.title,
            "state": task.state,
            "agent": task.holder,
            "from": task.creator,
            "skills": ", ".join(task.skills),
            "after": ", ".join(task.depends),
            "waits for": ", ".join(f"{one.id} ({one.state})" for one in unmet),
            "done when": task.criteria,
            "check": " ".join(task.check),
            "attempts": task.attempts or "",
            "reason": task.reason,
        }
    )
    for line in ["", *task.body.splitlines()] if task.body else []:
        say(printable(line))
    for line in task.evidence.get("output", ()):
        say(printable(f"  {line}"))
    if history:
        say("")
    for entry in history:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
        did = f"{entry.verb} to {entry.holder}" if entry.verb == "assign" else entry.verb
        words = "" if entry.words == task.title else entry.words
        line = f"{at}  {entry.actor or 'a person'}: {did}  {words}"
        say(printable(line.rstrip()), indent=_HISTORY_COLUMNS)


def print_choice(choice: "Choice", given: bool, common: "Common", *, explain: bool) -> None:
    """Print who gets a task, or why nobody does."""
    name = choice.agent.name if choice.agent else None
    others = [{"agent": one, "why": why} for one, why in choice.others]
    facts = {"task": choice.task.id, "agent": name, "given": given, "why": choice.why}
    free = "waits" if choice.task.state == "open" else "not given"
    done = "assigned" if given else ("would go" if name else free)
    to = f"  {name}" if name else ""
    common.show(
        {"schema": "torch.route/1", **facts, "others": others},
        f"{done}  {choice.task.id}{to}  {choice.task.title}",
        choice.why,
        *(f"not {one}: {why}" for one, why in choice.others if explain),
    )


def print_records(found: "Sequence[TaskRecord]", common: "Common", look: TableForm) -> None:
    """Print what each agent has done with tasks."""
    if common.json:
        for one in found:
            print_json({"schema": "torch.task-stats/1", **one._asdict(), "rate": one.rate})
        return
    if not found:
        note("no agent has taken a task yet", quiet=common.quiet)
        return
    from torch_cli.store import Store

    with Store() as store:
        present = {agent.name: agent.identity for agent in store.agents.all()}
    earlier = {
        one.agent for one in found if one.agent and present.get(one.name, one.agent) != one.agent
    }
    rows = [
        [
            f"{one.name} (an earlier one)" if one.agent in earlier else one.name,
            *(str(count) for count in (one.done, one.taken, one.failed, one.returned)),
            "" if one.rate is None else f"{one.rate:.0%}",
            "" if one.seconds is None else age(one.seconds),
        ]
        for one in found
    ]
    from torch_cli.cli.table import print_table

    print_table(RECORD_COLUMNS, rows, look)
