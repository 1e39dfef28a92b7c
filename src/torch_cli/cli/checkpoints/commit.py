"""``torch commit``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import IN_DIR, common_options, seconds_option
from torch_cli.cli.present import note, print_json, printable, say
from torch_cli.errors import RefusedError


@click.command("commit")
@click.option(
    "-m",
    "--message",
    default="",
    help="The commit's message (default: 'Progress: …', from the agent's last "
    "status or the files).",
)
@click.option(
    "--every",
    metavar="DURATION",
    help="Have the daemon or tick commit repeatedly, for example every 30m; 0 ends it.",
)
@seconds_option("--timeout", 60.0, "The most seconds that hooks and signing may take.")
@IN_DIR
@common_options
def command(
    common: Common, message: str, every: str | None, timeout: float, directory: str
) -> None:
    """Commit your changes, new files too, on the current branch.

    It is a real commit, with your identity, hooks and signing. Torch reports what would prompt. A
    checkpoint comes first. What the checkpoint leaves out, for example secrets, the commit leaves
    out too. Torch refuses in the middle of a merge, rebase, cherry-pick, revert or bisection, on a
    detached HEAD, with conflicts, and while another git is working.

    \b
    Examples:
      torch commit -m "Add the parser"
      torch commit
      torch commit --every 30m -C ~/project
    """
    from torch_cli.checkpoint.author import author_in
    from torch_cli.checkpoint.settings import load_settings
    from torch_cli.cli.checkpoints.checkpoint_shown import left_out_objects
    from torch_cli.commit.commit import commit
    from torch_cli.commit.status import last_status
    from torch_cli.git.worktree import locate
    from torch_cli.store import Store

    worktree = locate(directory)
    if every is not None:
        if message:
            raise RefusedError(
                "--every makes each message from the changes; nothing was changed",
                code="usage",
            )
        _commit_every(worktree.top, every, common)
        return
    agent = author_in(worktree)
    with Store() as store:
        said = last_status(store, worktree, agent)
    made = commit(
        worktree,
        load_settings(),
        message=message,
        said=said,
        agent=agent,
        timeout=timeout,
        slow=lambda: note(
            f"  waiting for hooks or signing, at most {timeout:g} s (--timeout)",
            quiet=common.quiet or common.json,
        ),
    )
    if common.json:
        facts = {"state": "unchanged"} if made is None else {"state": "committed"}
        if made is not None:
            facts |= made._asdict() | {"left_out": left_out_objects(made.left_out)}
        print_json({"schema": "torch.commit/1", "dir": worktree.top, **facts})
    elif made is None:
        note("  nothing to commit", quiet=common.quiet)
    else:
        subject = printable(made.subject)
        say(f"committed  {made.commit[:10]}  {printable(made.branch)}  {subject}")
        for left in made.left_out:
            note(f"  left out: {printable(left.path)}: {left.detail}", quiet=common.quiet)


def _commit_every(top: str, every: str, common: Common) -> None:
    from torch_cli import duration
    from torch_cli.store import Store

    seconds = 0.0 if every.strip() == "0" else duration.parse(every)
    with Store() as store:
        store.watches.set_commits(top, seconds)
    often = f"commits every {duration.words(seconds)}" if seconds else "no repeated commits"
    common.show(
        {"schema": "torch.commit-watch/1", "dir": top, "every_s": seconds}, f"{often}  {top}"
    )
