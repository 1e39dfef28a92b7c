"""``torch retire``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import SECONDS, common_options

NOTE_WITHIN = click.option(
    "--deadline",
    type=SECONDS,
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="The most seconds to wait for its note; 0 asks for none.",
)


@click.command("retire")
@click.argument("agent", shell_complete=complete_agents)
@NOTE_WITHIN
@click.option(
    "--force", is_flag=True, help="Also if its input box holds a text that was not submitted."
)
@common_options
def command(common: Common, agent: str, deadline: float, force: bool) -> None:
    """End an agent, and keep its note, screen and work.

    Torch asks the agent for a handoff note, and saves the note and what tmux still has of its pane
    (of the alternate screen, only what it shows). Then Torch makes a checkpoint of its directory
    and stops it. Once it has ended, its tasks return to the pool. A worktree that 'torch up' made
    for it is removed only if it is clean, merged, and nobody else is in it.

    \b
    Examples:
      torch retire dev
      torch retire dev --deadline 0
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.store import Store
    from torch_cli.teams.retire import retire

    with Store() as store:
        done = retire(store, agent, deadline=deadline, force=force)
    if common.json:
        print_json(
            {
                "schema": "torch.retire/1",
                "agent": agent,
                "how": done.stopped.how,
                "note": done.note.text or None,
                "no_note": done.note.why or None,
                "saved": str(done.saved.folder),
                "screen_lacks": done.saved.lacks or None,
                "transcript": done.saved.transcript or None,
                "tasks": [task.id for task in done.tasks],
                "checkpoint": done.checkpoint or None,
                "worktree": done.worktree or None,
            }
        )
        return
    say(printable(f"retired  {agent}  {done.saved.folder}"))
    words = [f"no note: {done.note.why}"] if done.note.why else []
    words += [f"screen.txt: {done.saved.lacks}"] if done.saved.lacks else []
    if done.saved.transcript:
        words += [f"screen.txt: what was said, from {done.saved.transcript}, and the last screen"]
    words += [f"checkpoint {done.checkpoint}"] if done.checkpoint else []
    words += [f"{task.id} is in the pool again" for task in done.tasks]
    words += [done.worktree] if done.worktree else []
    for line in words:
        note(printable(f"  {line}"), quiet=common.quiet)
