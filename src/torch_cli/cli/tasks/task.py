"""``torch task``."""

import os
import time

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_tasks
from torch_cli.cli.options import ANY_BYTES, common_options, table_options
from torch_cli.cli.present import note, print_json
from torch_cli.cli.table import TableForm
from torch_cli.cli.tasks.task_act import COMMANDS
from torch_cli.cli.tasks.task_delegate import command as delegate_command
from torch_cli.cli.tasks.task_route import command as route_command
from torch_cli.cli.tasks.task_shown import (
    TASK_COLUMNS,
    print_task,
    print_tasks,
    print_whole,
)
from torch_cli.cli.tasks.task_stats import command as stats_command
from torch_cli.cli.tasks.task_told import send_about
from torch_cli.cli.verbs import Verbs
from torch_cli.errors import DONE, HELD, RefusedError


@click.group("task", cls=Verbs)
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
@click.option("--all", "ended", is_flag=True, help="Also tasks that have ended.")
@common_options
@table_options(TASK_COLUMNS)
def list_command(
    common: Common, look: TableForm, agent: str | None, mine: bool, here: bool, ended: bool
) -> None:
    """List the tasks, the most urgent first. With --json, one object for each.

    \b
    Examples:
      torch task list
      torch task list --mine
    """
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
    print_tasks(tasks, unmet, common, look)


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
    from torch_cli.delivery.recipient import no_shell
    from torch_cli.roster.actor import actor
    from torch_cli.roster.registry import profile_named, registered
    from torch_cli.store import Store
    from torch_cli.tasks.life import claim, find_task
    from torch_cli.tasks.text import order
    from torch_cli.tasks.title import show_task

    with Store() as store:
        task = find_task(store, name)
        to, who = registered(store, agent, "nothing was done"), actor(store)
        if not no_send:
            no_shell(profile_named(to.profile), to.name, "nothing was done")
        taken = claim(store, to, who, task, ())
        assert taken is not None
        show_task(store, taken.agent)
        print_task(taken, "assigned", common)
        text = order(taken)
    return DONE if no_send else send_about(common, agent, text, "task")


command.add_command(route_command)
command.add_command(delegate_command)
command.add_command(stats_command)
for _command in COMMANDS:
    command.add_command(_command)
