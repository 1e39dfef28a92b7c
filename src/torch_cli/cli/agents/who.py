"""``torch who``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options, table_options
from torch_cli.cli.schema import agent_object
from torch_cli.cli.table import Column, TableForm
from torch_cli.errors import DONE, NOT_FOUND

_COLUMNS = (
    Column("name", 0, 24),
    Column("state", 0, 0, "state"),
    Column("role", 2),
    Column("tasks", 1, 0),
    Column("skills", 3, 10),
)


@click.command("who")
@click.option(
    "--skill",
    "skills",
    multiple=True,
    help="A skill that the agent has; repeatable, all must match.",
)
@click.option("--role", help="The agent's role.")
@click.option("--state", help="The agent's state: idle, working, waiting, …")
@common_options
@table_options(_COLUMNS)
def command(
    common: Common, look: TableForm, skills: tuple[str, ...], role: str | None, state: str | None
) -> int:
    """Find agents by skill, role and state; exit status 3 if no agent matches.

    Skills are those of the team file. With --json, one object for each agent.

    \b
    Examples:
      torch who --skill auth --state idle
    """
    from torch_cli.store import Store
    from torch_cli.store.tasks import TASK_HELD, skills_fit
    from torch_cli.tasks.life import skills_of
    from torch_cli.watch.listing import agents_on, list_agents

    with Store() as store:
        agents = [
            (one, skills_of(store, one))
            for one in agents_on(store, common.socket)
            if role in (None, one.role)
        ]
        agents = [(one, has) for one, has in agents if skills_fit(skills, has)]
        known = {one.name: has for one, has in agents}
        lines = list_agents(store, [one for one, _ in agents])
        busy = [task.holder for task in store.tasks.all() if task.state in TASK_HELD]
    lines = [line for line in lines if state in (None, line.state)]
    tasks = {line.agent.name: busy.count(line.agent.name) for line in lines}
    common.show_all(
        (
            {**agent_object(line), "skills": list(known[name]), "tasks": tasks[name]}
            for line in lines
            for name in [line.agent.name]
        ),
        _COLUMNS,
        (
            [name, line.shown, line.agent.role, str(tasks[name] or ""), ", ".join(known[name])]
            for line in lines
            for name in [line.agent.name]
        ),
        look,
        "no agent matches; 'torch ps' lists all agents",
    )
    return DONE if lines else NOT_FOUND
