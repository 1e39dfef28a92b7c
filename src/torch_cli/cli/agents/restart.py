"""``torch restart``."""

import sys
from typing import TYPE_CHECKING

import click

from torch_cli.cli.asking import confirmed
from torch_cli.cli.common import Common
from torch_cli.cli.options import SECONDS, common_options
from torch_cli.cli.progress import StepPrinter
from torch_cli.cli.several import agents_argument, consent, for_each
from torch_cli.errors import DONE, RefusedError

if TYPE_CHECKING:
    from torch_cli.lifecycle.restart import Restarted, RestartPlan


@click.command("restart")
@agents_argument
@click.option("--fresh", is_flag=True, help="Begin a new conversation.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, whatever is lost.")
@click.option(
    "--wait",
    "seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="The most seconds until it is ready (default: the profile's).",
)
@click.option(
    "--ended", metavar="WHY", hidden=True, help="Only if its program has ended; for schedulers."
)
@click.option(
    "--stalled", metavar="WHY", hidden=True, help="Only if it makes no progress; for schedulers."
)
@common_options
def command(
    common: Common,
    names: tuple[str, ...],
    everyone: bool,
    team: str,
    fresh: bool,
    yes: bool,
    seconds: float | None,
    ended: str | None,
    stalled: str | None,
) -> int:
    """Restart agents, in the same conversation if their program can continue one.

    Its program is asked to end as 'torch stop' asks it. One that does not end is left alone. Then
    the agent starts again, also if its program or its pane was gone: with the same name, directory,
    session, profile, arguments and variables. Its check-ins, tasks and messages stay. It gets a
    message that says why it was restarted, and what its program before has left running.

    If Torch had given it up after too many restarts ('torch health'), it is looked after again.

    Torch asks first if something is lost: a turn, a question, a text that was not submitted, or
    the conversation. Without a terminal it then does nothing, unless --yes.

    Several are restarted one after the other, each with its own result; the exit status is the
    first that is not 0. --all and --team ask first, too.

    \b
    Examples:
      torch restart dev
      torch restart dev --fresh --yes
      torch restart --all --yes
      torch restart dev --json | jq -r .conversation
    """
    from torch_cli.lifecycle.restart import plan_restart, restart
    from torch_cli.lifecycle.several import chosen
    from torch_cli.store import Store

    nothing, by_policy = "nothing was restarted", not (ended is None and stalled is None)
    with Store() as store:
        meant = chosen(store, common.socket, names, everyone=everyone, team=team, nothing=nothing)
        if not (names or yes):
            consent(common, meant, "restart")

        def act(name: str) -> int:
            plan = plan_restart(
                store, name, fresh=fresh, ended=ended is not None, stalled=stalled is not None
            )
            if plan.losses and not (yes or by_policy):
                _ask(common, plan)
            with StepPrinter(common) as progress:
                done = restart(
                    *(store, plan),
                    why=ended or stalled or "",
                    by_policy=by_policy,
                    seconds=seconds,
                    on_step=progress,
                )
            _show(common, done)
            return DONE

        return for_each(common, meant, act, not_done="were not restarted")


def _ask(common: Common, plan: "RestartPlan") -> None:
    """Ask the person at the terminal; raise unless the answer is yes."""
    from torch_cli.lifecycle.restart import check_losses

    lost = "; ".join(plan.losses)
    if common.json or not sys.stdin.isatty():
        check_losses(plan, "--yes restarts it nevertheless.")
    if not confirmed(f"{plan.agent.name}: {lost}. Restart it?", err=True):
        raise RefusedError(f"agent '{plan.agent.name}' was not restarted", code="no-consent")


def _show(common: Common, done: "Restarted") -> None:
    from torch_cli.lifecycle.survivors import in_words

    agent, receipt = done.agent, done.receipt
    facts = {
        "agent": agent.name,
        "pane": agent.pane,
        "pid": agent.pane_pid,
        "session": done.window.pane.session,
        "dir": agent.directory,
        "conversation": agent.conversation or None,
        "resumed": not done.why_new,
        "why_new": done.why_new or None,
        "notice": receipt.as_json(),
        "unknown": list(done.unknown),
        "left": [one._asdict() for one in done.left],
    }
    words = (
        f"in its conversation {agent.conversation}" if not done.why_new else "in a new conversation"
    )
    notes = [f"a new conversation, because {done.why_new}"] if done.why_new else []
    notes += [f"not known whether it arrived: torch receipt {one}" for one in done.unknown]
    if done.left:
        notes.append(f"still running from before, and not ended: {in_words(done.left)}")
    if receipt.exit_code != DONE:
        notes.append(f"the message that it was restarted is {receipt.state}: {receipt.reason}")
    place = f"{done.window.pane.place} ({agent.pane})"
    common.show(
        {"schema": "torch.restart/1", **facts}, f"restarted  {agent.name}  {place}  {words}", *notes
    )
