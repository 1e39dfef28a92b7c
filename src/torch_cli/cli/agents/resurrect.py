"""``torch resurrect``."""

import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.agents.rebuilt import (
    print_hint,
    print_line,
    print_object,
    show_plan,
    show_process,
    show_process_plan,
    show_rebuilt,
)
from torch_cli.cli.common import Common
from torch_cli.cli.options import SECONDS, common_options
from torch_cli.cli.present import note, printable
from torch_cli.cli.progress import StepPrinter
from torch_cli.errors import DONE, HELD, NOT_BACK, Interrupted

if TYPE_CHECKING:
    from torch_cli.lifecycle.prospect import Prospect
    from torch_cli.lifecycle.rebuild_plan import Step
    from torch_cli.lifecycle.resurrect import Outcome, RaisedAgent

_MESSAGE = "a message that says why it was restarted: one turn of its program"
"""What a resurrected agent is sent, and what that costs."""


@click.command("resurrect")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option(
    "--wait",
    "seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="The most seconds until each is ready (default: the profile's).",
)
@click.option(
    "--server-gone",
    is_flag=True,
    help="Only agents whose tmux server is gone; none into a session begun since, and none whose "
    "window was the last of its server: it may have been closed.",
)
@click.option("--by", default="", hidden=True)
@common_options
def command(
    common: Common, dry_run: bool, seconds: float | None, server_gone: bool, by: str
) -> int:
    """Bring back the agents that have fallen, each in its conversation.

    After 'tmux kill-server', a crash or a restart of the machine: every agent that Torch has
    started and that was running starts again, with its name, session, directory, profile, arguments
    and variables. Its check-ins, tasks and messages stay, and it gets a message that says why it
    was restarted. Several start at a time.

    If a scheduler was running, the sessions of those agents are rebuilt as they were: windows in
    their order, with names and layouts, processes of their team file, and a shell in each other
    pane, in its directory. What ran in it is not started again. A session of that name that lives
    is not touched.

    What you have stopped or closed, and what has ended by itself or was given up, stays as it is.
    Torch keeps only the names of variables, so those that were given with --env must be set for
    this command. What could not be brought back is listed with the reason (exit code 10). An agent
    that first asks a question is listed as 'asks' (exit code 4).

    \b
    Examples:
      torch resurrect --dry-run
      torch resurrect
      SHOP_KEY=… torch resurrect
    """
    from torch_cli.lifecycle.prospect import Prospect, of_gone_servers, prospects
    from torch_cli.lifecycle.rebuild_plan import lost_processes, steps_of
    from torch_cli.lifecycle.resurrect import resurrect, resurrecting
    from torch_cli.lifecycle.site import close_unfinished
    from torch_cli.store import Store
    from torch_cli.teams.lost import process_prospects, raise_processes
    from torch_cli.tmux.socket import Socket
    from torch_cli.watch.listing import agents_on

    with Store() as store:
        agents = agents_on(store, common.socket)

        def look() -> list[Prospect]:
            found = list(prospects(store, agents))
            return of_gone_servers(store, found) if server_gone else found

        if dry_run:
            found = look()
            processes = process_prospects(store, lost_processes(store, found))
            status = _show_steps(common, steps_of(store, found))
            return max([status, *(show_process_plan(common, one) for one in processes)])
        with resurrecting(), StepPrinter(common) as progress:
            for path in sorted({one.socket for one in agents}):
                for words in close_unfinished(store, Socket(path=path)):
                    common.tell(words)
            found = look()
            start = partial(raise_processes, store, lost_processes(store, found), progress)
            outcomes = resurrect(
                *(store, steps_of(store, found)),
                by=by,
                seconds=seconds,
                processes=start,
                on_step=progress,
            )
            return _show_outcomes(common, outcomes)


def _show_steps(common: Common, steps: "Iterable[Step]") -> int:
    """Print what would be done; return the exit code that a run would have."""
    from torch_cli.lifecycle.rebuild_plan import WindowPlan

    statuses, agents = [DONE], []
    for step in steps:
        if isinstance(step, WindowPlan):
            statuses.append(show_plan(common, step))
            agents += [pane.agent for pane in step.panes if pane.agent]
        else:
            agents.append(step)
    return max(*statuses, _show_prospects(common, agents))


def _show_prospects(common: Common, found: "Iterable[Prospect]") -> int:
    """Print what would be done with each agent; return the exit code that a run would have."""
    status = DONE
    nothing, planned = True, False
    for one in found:
        plan, status = one.plan, NOT_BACK if one.error is not None else status
        nothing = nothing and one.plan is None and one.error is None
        planned = planned or plan is not None
        conversation = plan.order.conversation if plan else ""
        if one.course == "runs":
            conversation = one.agent.conversation
        if common.json:
            facts = {"agent": one.agent.name, "course": one.course, "why": one.why or None}
            facts |= {"session": one.agent.session, "dir": one.agent.directory}
            facts |= {"conversation": conversation or None}
            facts |= {"why_new": plan.why_new or None if plan else None}
            print_object("torch.resurrect-plan/1", facts, one.error)
            continue
        words = one.why
        if plan is not None:
            words = f"in session {one.agent.session}, {_in(conversation, plan.why_new)} ({one.why})"
            if one.orphan is not None:
                words += f"; its program {one.orphan.pid} still runs, and is ended first"
        print_line(one.course, one.agent.name, words)
        print_hint(common, one.error)
    if nothing and not common.json:
        note("  nothing has fallen", quiet=common.quiet)
    if planned and not common.json:
        note(f"  each that comes back gets {_MESSAGE}", quiet=common.quiet)
    return status


def _show_outcomes(common: Common, outcomes: "Iterable[Outcome]") -> int:
    """Print what became of each agent, window and process as it comes; return the exit code."""
    from torch_cli.lifecycle.rebuild import Rebuilt
    from torch_cli.lifecycle.resurrect import Raised, RaisedProcess

    began, counts, lacking = time.monotonic(), dict.fromkeys(Raised, 0), False
    try:
        for one in outcomes:
            if isinstance(one, Rebuilt):
                show_rebuilt(common, one)
                lacking = lacking or bool(one.lacks)
                continue
            if isinstance(one, RaisedProcess):
                show_process(common, one)
                lacking = lacking or one.what is Raised.FAILED
                continue
            counts[one.what] += 1
            _show(common, one)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            Interrupted.number_of(interrupt),
            f"{counts[Raised.BACK]} agents are back; no more were started",
            hint="Agents that were starting continue to start. 'torch resurrect' goes on with the "
            "rest, and 'torch up' with processes of its team.",
        ) from None
    fallen = sum(counts.values()) - counts[Raised.RUNS] - counts[Raised.STAYS]
    if not common.json:
        seconds = time.monotonic() - began
        words = f"{counts[Raised.BACK]} of {fallen} agents are back, after {seconds:.1f} s"
        words += f"; each that is back gets {_MESSAGE}" if counts[Raised.BACK] else ""
        note(f"  {words}" if fallen else "  nothing has fallen", quiet=common.quiet)
    if counts[Raised.FAILED] or lacking:
        return NOT_BACK
    return HELD if counts[Raised.ASKS] or counts[Raised.STARTING] else DONE


def _show(common: Common, one: "RaisedAgent") -> None:
    again, restarted = one.again, one.restarted
    now = restarted.agent if restarted else one.agent
    unknown = list(restarted.unknown) if restarted else []
    if common.json:
        facts: dict[str, Any] = {"agent": one.agent.name, "what": one.what}
        facts |= {"why": one.why or None, "pane": now.pane if again else None}
        facts |= {"session": now.session, "dir": now.directory}
        facts |= {"conversation": now.conversation or None}
        facts |= {"why_new": again.why_new or None if again else None}
        facts |= {"notice": restarted.receipt.as_json() if restarted else None, "unknown": unknown}
        print_object("torch.resurrect/1", facts, one.error)
        return
    if one.what == "runs":
        return
    words = one.why
    if restarted is not None:
        place = f"{now.session}:{now.window} ({now.pane})"
        words = f"{place}  {_in(now.conversation, restarted.why_new)}"
    print_line(one.what, one.agent.name, words)
    print_hint(common, one.error)
    for message in unknown:
        note(f"  not known whether it arrived: torch receipt {message}", quiet=common.quiet)
    if restarted is not None and restarted.receipt.exit_code != DONE:
        receipt = restarted.receipt
        words = f"the message that it was restarted is {receipt.state}: {receipt.reason}"
        note(f"  {printable(words)}", quiet=common.quiet)


def _in(conversation: str, why_new: str) -> str:
    if not why_new:
        return f"in its conversation {conversation}"
    return f"in a new conversation, because {why_new}"
