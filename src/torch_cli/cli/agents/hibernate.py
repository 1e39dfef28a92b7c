"""``torch hibernate``."""

from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import SECONDS, common_options
from torch_cli.cli.several import agents_argument, for_each
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from torch_cli.store.agents import Agent
    from torch_cli.tmux.panes import Pane


@click.command("hibernate")
@agents_argument
@click.option(
    "--idle",
    type=SECONDS,
    metavar="SECONDS",
    hidden=True,
    help="Only if it is idle and unseen for so long; for schedulers.",
)
@common_options
def command(
    common: Common, names: tuple[str, ...], everyone: bool, team: str, idle: float | None
) -> int:
    """End the programs of idle agents until they are needed, to free their memory.

    A hibernated agent keeps its name, window, tasks, check-ins and conversation. The next message
    for it, 'torch wake' or 'torch attach' starts its program again in that conversation, and the
    message is then delivered. The daemon does this by itself to agents that are idle and unseen
    for long, if you set it: [health] hibernate in config.toml, or 'torch health AGENT --hibernate'.

    Only an idle agent is hibernated, and only if its conversation is known and its program can
    continue it: Claude Code, Codex, Gemini CLI, opencode, Kilo, Qwen Code. Not one that is
    frozen, holds a draft or messages, has a task that it has taken, runs something in the
    background, or was started with variables, of which Torch keeps only the names. It is left as
    it was then, and the exit status is 4, or 2 if it never can be.

    \b
    Examples:
      torch hibernate dev
      torch hibernate --team shop
      torch hibernate dev --json | jq -r .conversation
    """
    from torch_cli.lifecycle.hibernate import hibernate
    from torch_cli.lifecycle.several import chosen
    from torch_cli.store import Store

    with Store() as store:
        meant = chosen(
            *(store, common.socket, names),
            everyone=everyone,
            team=team,
            nothing="nothing was hibernated",
        )

        def unless(agent: "Agent", pane: "Pane") -> str:
            if idle is None:
                return ""
            from torch_cli.health.hibernation import attended

            return attended(store, agent, pane, idle)

        def act(name: str) -> int:
            from torch_cli.cli.schema import timestamp

            done = hibernate(store, name, unless=unless)
            agent = done.agent
            common.show(
                {
                    "schema": "torch.hibernate/1",
                    "agent": name,
                    "hibernated": timestamp(agent.hibernated),
                    "already": done.already,
                    "conversation": agent.conversation or None,
                },
                f"hibernated  {name}" + ("  it was already" if done.already else ""),
                f"a message, 'torch wake {name}' or 'torch attach {name}' wakes it",
            )
            return DONE

        return for_each(common, meant, act, not_done="were not hibernated")
