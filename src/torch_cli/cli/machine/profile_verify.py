"""``torch profile verify``: proof that a program behaves as its profile says."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.cells import cut
from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_profiles
from torch_cli.cli.options import ANY_BYTES, common_options
from torch_cli.cli.present import note, terminal_size

if TYPE_CHECKING:
    from torch_cli.profiling.verify.run import VerifyReport

ROWS = 12
"""How many rows of a failure's last screen are printed. All rows are kept."""

CHECKS = {
    "start": "started and was ready",
    "texts": "texts arrived exact, or were refused",
    "queue": "messages to the working program arrived",
    "draft": "a half-written line was kept",
    "transcript": "the transcript was where it was",
    "keys": "dialogs and keys as they should be",
}


@click.command("verify")
@click.argument("name", shell_complete=complete_profiles)
@click.option(
    "--command",
    "program",
    type=ANY_BYTES,
    metavar="PATH",
    help="The program (default: the installed one).",
)
@click.option(
    "--quick", is_flag=True, help="A third of it: finds what is broken, and proves no key."
)
@common_options
def verify_command(common: Common, name: str, program: str | None, quick: bool) -> int:
    """Prove on this machine that the program of profile NAME is what the profile says.

    The program runs on a private tmux server, in a private home, with a stub of its API that ships
    with Torch: no account, no key, no network, nothing of yours is read or written. Texts of all
    sizes, its queue, a draft, its states at three sizes of the pane, hooks and transcript, and each
    submit key against each dialog that can be raised. What passes is kept, and this version then
    counts as proven on this machine; what fails is not believed. Exit status 1 if anything failed.

    \b
    Examples:
      torch profile verify claude
      torch profile verify claude --quick --json
      torch profile verify claude --command ~/bin/claude
    """
    from torch_cli.cli.present import print_json
    from torch_cli.profiling.verify.plan import QUICK, WHOLE
    from torch_cli.profiling.verify.run import verify

    bar = Bar(common)
    try:
        plan = QUICK if quick else WHOLE
        report = verify(name, plan, command=program, quick=quick, tell=bar)
    finally:
        bar.end()
    if common.json:
        print_json({**report.result, "kept": report.path or None})
    else:
        _print(report, common)
    return int(bool(report.failures))


class Bar:
    """The progress: one line that is written over, only on a terminal."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._shows = not (common.quiet or common.json) and sys.stderr.isatty()
        self._began = time.monotonic()

    def __call__(self, said: dict[str, Any]) -> None:
        """Show one report of the proof."""
        if "failure" in said:
            self._common.tell(f"failed: {said['failure']['sentence']}")
        elif "ended" in said:
            note(
                f"  ended what a killed proof had left in {said['ended']}", quiet=self._common.quiet
            )
        elif "version" in said:
            self._common.tell(f"proving {said['program']}, version {said['version']}")
        elif "held" in said and self._shows:
            held, total = said["held"], said["total"]
            full = 30 * held // max(total, 1)
            seconds = time.monotonic() - self._began
            words = f"[{'=' * full:<30}] {held}/{total}  {said['check']}  {seconds:.0f} s"
            row = cut(words, terminal_size(sys.stderr).columns - 1)
            click.echo(f"\r\x1b[K{row}", nl=False, err=True)

    def end(self) -> None:
        """Clear the line."""
        if self._shows:
            click.echo("\r\x1b[K", nl=False, err=True)


def _print(report: "VerifyReport", common: Common) -> None:
    from torch_cli.cli.present import note, printable, say

    result = report.result
    head = f"{result['title']} {result['version']}"
    say(f"{'failed' if report.failures else 'verified'}  {head}  in {result['seconds']:.0f} s")
    for check, held in result["held"].items():
        words = CHECKS.get(check, f"{check.removeprefix('states').strip()} states read right")
        say(f"  {held:>4}  {printable(words.strip())}")
    for key in result["keys"].values():
        say(f"  {_key_words(key)}")
    for one in report.failures:
        say(f"  failed: {printable(one['sentence'])}")
        rows = [row for row in one["screen"].split("\n") if row.strip()]
        for row in rows[-ROWS:]:
            say(f"    | {printable(row)}")
    if report.path:
        note(f"  kept in {report.path}", quiet=common.quiet)
    else:
        note("  not kept: a quick run finds faults and proves no key", quiet=common.quiet)


def _key_words(key: dict[str, Any]) -> str:
    """Return a sentence about one key and the dialogs that it met."""
    met = ", ".join(
        f"{kind} {one['openings'] or one['presses']}" for kind, one in key["dialogs"].items()
    )
    words = {
        True: "dialogs ignore it",
        None: "too few dialogs to tell",
        False: "not believed",
    }
    return f"{key['keys']}: {words[key['ignored']]} ({met})" if met else f"{key['keys']}: not tried"
