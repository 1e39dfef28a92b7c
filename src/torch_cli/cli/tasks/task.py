"""``torch task``."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_tasks
from torch_cli.cli.options import ANY_BYTES, SECONDS, common_options
from torch_cli.cli.tasks.task_delegate import command as delegate_command
from torch_cli.cli.tasks.task_route import command as route_command
from torch_cli.cli.tasks.task_shown import (
    print_records,
    print_task,
    print_tasks,
    print_whole,
)
from torch_cli.cli.tasks.task_told import send_about, tell_ended

if TYPE_CHECKING:
    from torch_cli.roster.actor import Actor
    from torch_cli.store import Store
    from torch_cli.store.tasks import Task

REASON = click.option("-m", "--message", default="", metavar="WORDS", help="The reason.")


@click.group("task")
def command() -> None:
    """Share out work as tasks, each with a check.

    A task is in the pool, or belongs to one agent. It returns to the pool if its agent is gone, or
    silent for longer than the task's lease. It is done once its check, a command, exits with 0 in
    the agent's directory.

    \b
    Examples:
      torch task add "Fix the parser" --skill python -- pytest -q tests/test_parser.py
      torch task claim
      torch task done t-4afefc20
      torch task list
    """


@command.command("add")
@click.argument("title")
@click.argument("check", metavar="[-- CHECK…]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--body", default="", type=ANY_BYTES, help="The full text of the task; - reads stdin."
)
@click.option("--criteria", default="", help="What must be true when it is done.")
@click.option(
    "--priority",
    type=click.Choice(["high", "normal", "low"]),
    default="normal",
    show_default=True,
    help="high is taken first, low last.",
)
@click.option(
    "--skill", "skills", multiple=True, help="A skill that the agent must have; repeatable."
)
@click.option(
    "--dir",
    "directory",
    type=ANY_BYTES,
    metavar="DIR",
    help="The directory of its project (default: the project you are in).",
)
@click.option(
    "--anywhere", is_flag=True, help="Make it belong to no project: any agent may get it."
)
@click.option(
    "--after",
    "depends",
    multiple=True,
    metavar="TASK",
    shell_complete=complete_tasks,
    help="A task that must be done first; repeatable.",
)
@click.option(
    "--lease",
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="If its agent is silent for longer, the agent loses the task.",
)
@common_options
def add_command(
    common: Common,
    title: str,
    check: tuple[str, ...],
    body: str,
    criteria: str,
    priority: str,
    skills: tuple[str, ...],
    directory: str | None,
    anywhere: bool,
    depends: tuple[str, ...],
    lease: str,
) -> None:
    """Put a task into the pool.

    CHECK is the command that shows that the task is done: 'torch task done' runs it, without a
    shell. Agents of the task's project get it. A project is one torch.toml, else one git
    repository.

    \b
    Examples:
      torch task add "Fix the parser" -- pytest -q tests/test_parser.py
      torch task add "Write the guide" --after t-4afefc20 --criteria "Every command was run."
    """
    from torch_cli import duration
    from torch_cli.cli.sending import body_of
    from torch_cli.errors import RefusedError
    from torch_cli.roster.actor import actor
    from torch_cli.roster.project import project_here
    from torch_cli.store import Store
    from torch_cli.store.messages import PRIORITIES
    from torch_cli.store.tasks import Task
    from torch_cli.tasks.life import add, by

    if directory and anywhere:
        raise RefusedError("give --dir or --anywhere, not both; no task was made", code="usage")
    if not title.strip():
        raise RefusedError("a task needs a title; no task was made", code="usage")
    try:
        text = body_of(body).decode("utf-8") if body else ""
    except UnicodeDecodeError as error:
        raise RefusedError("the body is not UTF-8; no task was made", code="not-utf8") from error
    wanted = Task(
        id="",
        title=title.strip(),
        body=text,
        criteria=criteria,
        check=check,
        priority=PRIORITIES[priority],
        skills=skills,
        depends=depends,
        lease=duration.parse(lease),
    )
    with Store() as store:
        who = actor(store)
        place = os.path.realpath(os.path.expanduser(directory)) if directory else ""
        place = place if place or anywhere else project_here(store, who.agent)
        task = add(store, by(who, wanted)._replace(directory=place))
        print_task(task, "added", common)


@command.command("list")
@click.option(
    "--agent", metavar="NAME", shell_complete=complete_agents, help="Tasks of this agent only."
)
@click.option("--mine", is_flag=True, help="Your own tasks only, as an agent.")
@click.option("--here", is_flag=True, help="Tasks of the project you are in only.")
@click.option("--all", "ended", is_flag=True, help="Also check-ins that have ended.")
@common_options
def list_command(common: Common, agent: str | None, mine: bool, here: bool, ended: bool) -> None:
    """List the tasks, the most urgent first. With --json, one object for each.

    \b
    Examples:
      torch task list
      torch task list --mine
    """
    from torch_cli.errors import RefusedError
    from torch_cli.roster.actor import actor
    from torch_cli.roster.project import belongs, project_here
    from torch_cli.store import Store
    from torch_cli.tasks.life import reap

    with Store() as store:
        if mine:
            own = actor(store).agent
            if own is None:
                raise RefusedError(
                    "--mine works for an agent only, in its own pane",
                    hint="--agent NAME shows an agent's tasks.",
                    code="no-agent",
                )
            agent = own.name
        reap(store, time.time())
        project = project_here(store, actor(store).agent) if here else ""
        tasks = [t for t in store.tasks.all(ended=ended) if agent in (None, t.holder)]
        tasks = [t for t in tasks if not project or belongs(t, project)]
        unmet = {task.id: store.tasks.unmet(task) for task in tasks}
    print_tasks(tasks, unmet, common)


@command.command("show")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@common_options
def show_command(common: Common, name: str) -> None:
    """Show everything about a task: what it asks for, its evidence, and its history.

    \b
    Examples:
      torch task show t-4afefc20
    """
    from torch_cli.store import Store
    from torch_cli.tasks.life import find_task

    with Store() as store:
        task = find_task(store, name)
        history, unmet = store.tasks.history(task.id), store.tasks.unmet(task)
    print_whole(task, unmet, history, common)


@command.command("claim")
@click.argument("name", metavar="[TASK]", required=False, shell_complete=complete_tasks)
@click.option(
    "--skill", "skills", multiple=True, help="A skill of yours, besides those in the team file."
)
@common_options
def claim_command(common: Common, name: str | None, skills: tuple[str, ...]) -> int:
    """Take TASK, or the most urgent task that you can, as an agent; exit status 4 if there is none.

    \b
    Examples:
      torch task claim
      torch task claim t-4afefc20
    """
    from torch_cli.cli.present import note, print_json
    from torch_cli.errors import DONE, HELD, RefusedError
    from torch_cli.roster.actor import actor
    from torch_cli.store import Store
    from torch_cli.tasks.life import claim, find_task, skills_of
    from torch_cli.tasks.title import show_task

    with Store() as store:
        who = actor(store)
        if who.agent is None:
            raise RefusedError(
                "only an agent can claim a task, in its own pane; no task was taken",
                hint="'torch task assign TASK AGENT' gives one to an agent.",
                code="no-agent",
            )
        task = find_task(store, name) if name else None
        known = (*skills, *skills_of(store, who.agent))
        taken = claim(store, who.agent, who, task, known)
        if taken is None:
            if common.json:
                print_json({"schema": "torch.task/1", "id": None})
            note("  the pool has no task that you can take", quiet=common.quiet)
            return HELD
        show_task(store, taken.agent)
        print_task(taken, "claimed", common)
    return DONE


@command.command("assign")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@click.argument("agent", shell_complete=complete_agents)
@click.option("--no-send", is_flag=True, help="Do not send the agent a message.")
@common_options
def assign_command(common: Common, name: str, agent: str, no_send: bool) -> int:
    """Give TASK to AGENT, and send it a message with what is to be done.

    \b
    Examples:
      torch task assign t-4afefc20 dev
    """
    from torch_cli.errors import DONE
    from torch_cli.roster.actor import actor
    from torch_cli.roster.edges import check_edge
    from torch_cli.roster.registry import registered
    from torch_cli.store import Store
    from torch_cli.tasks.life import claim, find_task
    from torch_cli.tasks.text import order
    from torch_cli.tasks.title import show_task

    with Store() as store:
        task = find_task(store, name)
        to, who = registered(store, agent, "nothing was done"), actor(store)
        if who.agent is not None:
            check_edge(store, who.agent, to, "nothing was done")
        taken = claim(store, to, who, task, ())
        assert taken is not None
        show_task(store, taken.agent)
        print_task(taken, "assigned", common)
        text = order(taken)
    return DONE if no_send else send_about(common, agent, text, "task")


def _act(
    name: str, common: Common, done: str, does: "Callable[[Store, Task, Actor], Task]"
) -> None:
    from torch_cli.roster.actor import actor
    from torch_cli.store import Store
    from torch_cli.tasks.life import find_task
    from torch_cli.tasks.title import show_task

    with Store() as store:
        who = actor(store)
        before = find_task(store, name)
        task = does(store, before, who)
        show_task(store, task.agent or before.agent)
        print_task(task, done, common)
    if task.state in ("done", "failed"):
        tell_ended(common, task, who)


@command.command("start")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@common_options
def start_command(common: Common, name: str) -> None:
    """Say that work on TASK has begun; this also takes a task from the pool.

    \b
    Examples:
      torch task start t-4afefc20
    """
    from torch_cli.tasks import life as task

    _act(name, common, "started", task.start)


@command.command("done")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON
@click.option(
    "--timeout",
    type=SECONDS,
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds for the check.",
)
@common_options
def done_command(common: Common, name: str, message: str, timeout: float) -> None:
    """Say that TASK is done; its check runs first, in the agent's directory.

    If the check does not exit with 0, the task continues, and the check's last lines are shown. The
    maker of the task, and your parent, are told.

    \b
    Examples:
      torch task done t-4afefc20 -m "Commit 3f2a1b0; 214 tests pass."
    """
    from torch_cli.tasks import life as task

    _act(name, common, "done", lambda store, one, who: task.done(store, one, who, message, timeout))


@command.command("fail")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON
@common_options
def fail_command(common: Common, name: str, message: str) -> None:
    """End TASK: it will not be done. Its maker, and your parent, are told.

    \b
    Examples:
      torch task fail t-4afefc20 -m "The service is gone."
    """
    from torch_cli.tasks import life as task

    _act(name, common, "failed", lambda store, one, who: task.fail(store, one, who, message))


@command.command("block")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON
@common_options
def block_command(common: Common, name: str, message: str) -> None:
    """Say that TASK waits for somebody else; it stays yours, and its lease is paused.

    \b
    Examples:
      torch task block t-4afefc20 -m "Needs the key of the test server."
    """
    from torch_cli.tasks import life as task

    _act(name, common, "blocked", lambda store, one, who: task.block(store, one, who, message))


@command.command("release")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@REASON
@common_options
def release_command(common: Common, name: str, message: str) -> None:
    """Give TASK back to the pool.

    \b
    Examples:
      torch task release t-4afefc20 -m "Not my field."
    """
    from torch_cli.tasks import life as task

    _act(name, common, "released", lambda store, one, who: task.release(store, one, who, message))


command.add_command(route_command)
command.add_command(delegate_command)


@command.command("stats")
@common_options
def stats_command(common: Common) -> None:
    """Show each agent's tasks: taken, done, failed, lost, and how long they took.

    \b
    Examples:
      torch task stats
    """
    from torch_cli.store import Store
    from torch_cli.tasks.life import records

    with Store() as store:
        found = records(store)
    print_records(found, common)
