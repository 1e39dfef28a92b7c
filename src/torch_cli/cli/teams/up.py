"""``torch up``."""

from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_PROJECT, common_options

if TYPE_CHECKING:
    from torch_cli.teamfile.described import Team
    from torch_cli.teams.plan import PlanStep
    from torch_cli.teams.up import Result

STEP_COLUMNS = 9
"""Columns of the word that says what is done with a member."""


@click.command("up")
@click.option(
    "--only", multiple=True, metavar="NAME|ROLE", help="Only this member, or this role; repeatable."
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option(
    "--restart-changed", is_flag=True, help="Restart members that run otherwise than the file says."
)
@click.option("--resume", is_flag=True, help="Those that start continue their last conversations.")
@click.option(
    "--as-accepted", is_flag=True, hidden=True, help="Accept nothing new; for schedulers."
)
@IN_PROJECT
@common_options
def command(
    common: Common,
    only: tuple[str, ...],
    dry_run: bool,
    restart_changed: bool,
    resume: bool,
    as_accepted: bool,
    directory: str,
) -> int:
    """Start the team of torch.toml: processes and agents, each after the members that it waits for.

    What already runs stays as it is; a second run changes nothing. Torch waits until an agent's
    input is ready, and briefs it once. A changed role, parent or briefing needs no restart. For
    other changes the agent must be restarted, which --restart-changed does.

    An agent that had ended by itself continues its conversation. --resume does the same for agents
    that you have stopped, for example with 'torch down', and for those with 'resume = false'.

    An agent that first asks a question (trust, a login) is listed as 'asks', with the question and
    the command that answers it (exit code 4); then run 'torch up' again.

    If you run this, you accept the file: the daemon acts on the accepted file, and waits when the
    file changes ('torch trust').

    \b
    Examples:
      torch up --dry-run
      torch up
      torch up --only developer
      torch up --resume
    """
    from torch_cli.cli.present import note, printable
    from torch_cli.cli.progress import StepPrinter
    from torch_cli.errors import DONE
    from torch_cli.store import Store
    from torch_cli.teamfile.load import find_file, load_team
    from torch_cli.teams.plan import home_of, plan
    from torch_cli.teams.up import team_lock, up

    team = load_team(find_file(directory))
    with Store() as store:
        if dry_run:
            for step in plan(store, team, only):
                _print_step(step, team, common, restarts=restart_changed)
            return DONE
        status = DONE
        with team_lock(team.path), StepPrinter(common) as progress:
            steps = plan(store, team, only)
            socket = home_of(steps, common.socket)
            if socket != common.socket:
                common.tell(f"the team runs in the tmux server {socket}; the rest starts there")
            results = up(
                store,
                socket,
                team,
                steps,
                as_accepted=as_accepted,
                restart_changed=restart_changed,
                resume=resume,
                tell=progress,
                warn=lambda words: note(printable(f"torch: {words}"), quiet=common.quiet),
            )
            for result in results:
                progress.over()
                _print_result(result, common)
                status = status or _status(result)
    return status


def _status(result: "Result") -> int:
    from torch_cli.errors import DONE, HELD
    from torch_cli.teams.up import UpState

    if result.error is not None:
        return result.error.exit_code
    if result.receipt is not None and result.receipt.exit_code:
        return result.receipt.exit_code
    return HELD if result.state is UpState.BLOCKED else DONE


def _print_step(step: "PlanStep", team: "Team", common: Common, *, restarts: bool) -> None:
    from torch_cli.cli.present import print_json, printable, say
    from torch_cli.cli.table import homely, paper
    from torch_cli.teamfile.directories import directory_of
    from torch_cli.teams.plan import Action, makes_worktree

    member = step.member
    if step.what == Action.RESTART and not restarts:
        words = f"{step.words}; 'torch up --restart-changed' restarts it"
        step = step._replace(what=Action.CHANGED, words=words)
    if common.json:
        facts: dict[str, Any] = {"name": member.name, "kind": member.kind, "what": step.what}
        facts |= {"dir": directory_of(team, member), "makes_worktree": makes_worktree(team, step)}
        print_json({"schema": "torch.up-step/1", **facts, "words": step.words or None})
        return
    made = ""
    if makes_worktree(team, step):
        place = homely(directory_of(team, member), paper().home)
        made = f"makes worktree {place} of branch {member.worktree}"
    shown = [f"{step.what:<{STEP_COLUMNS}}", f"{member.kind} {member.name}", step.words, made]
    say(printable("  ".join(filter(None, shown))), indent=STEP_COLUMNS + 2)


def _print_result(result: "Result", common: Common) -> None:
    from torch_cli.cli.present import error_object, note, print_json, printable, say

    member, receipt = result.member, result.receipt
    if common.json:
        facts: dict[str, Any] = {"name": member.name, "kind": member.kind, "state": result.state}
        facts["words"] = result.words or None
        facts["briefing"] = receipt.as_json() if receipt else None
        error = {"error": error_object(result.error)} if result.error else {}
        print_json({"schema": "torch.up/1", **facts, **error})
        return
    shown = "" if result.error else result.words
    words = [f"{result.state:<{STEP_COLUMNS}}", f"{member.kind} {member.name}", shown]
    say(printable("  ".join(filter(None, words))))
    if result.error is not None:
        from torch_cli.cli.present import print_error

        print_error(result.error, as_json=False)
    if receipt is not None:
        reason = f": {receipt.reason}" if receipt.reason else ""
        words_of = f"  briefing {member.briefing} {receipt.state}  {receipt.id}{reason}"
        note(printable(words_of), quiet=common.quiet)
