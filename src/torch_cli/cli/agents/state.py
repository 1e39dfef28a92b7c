"""``torch state``."""

import time
from typing import TYPE_CHECKING

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options
from torch_cli.cli.present import age, note, print_error, print_json, printable, report_words, say
from torch_cli.cli.schema import state_object
from torch_cli.errors import DONE

if TYPE_CHECKING:
    from torch_cli.watch.sources import StateSource
    from torch_cli.watch.state import StateOf


@click.command("state")
@click.argument("targets", nargs=-1, shell_complete=complete_agents)
@common_options
def command(common: Common, targets: tuple[str, ...]) -> int:
    """Show the state of TARGETs (default: every agent), since when, and the evidence.

    'error' is an idle agent whose last turn ended with an error of its API: it takes messages.
    'retrying' is a working one that tries again after such an error, 'stalled' one of which the
    daemon has seen no sign of progress for a quarter of an hour or longer. A 'hibernated' one has
    no program until a message wakes it. -v adds what each source says (screen, hook, sub-agent,
    record, log, report), how old that is, and which one decides; with --json as 'sources'. With
    --json, 'error' or 'retry' has the kind (rate-limited, overloaded, authentication, billing,
    network, server, context, request, other), the HTTP status (code), and the words.

    Of an 'unknown' state it says why, and what to do ('advice' with --json). A dialog is shown with
    its text and the command that answers it. With --json, one object for each target. If Torch
    cannot look at one, the others are still shown: an agent is 'unknown' with the reason, a TARGET
    has its error at the end. The exit status is that of the first error.

    \b
    Examples:
      torch state dev
      torch state dev qa %7 --json
    """
    from torch_cli.store import Store
    from torch_cli.watch.state import states_of

    with Store() as store:
        found = states_of(store, common.socket, targets, sources=common.verbose)
    errors = [one.error for one in found if one.error]
    for one in found:
        if not (targets and one.error):
            show(one, common)
    for error in errors if targets else []:
        print_error(error, common.json)
    return errors[0].exit_code if errors else DONE


_WITH_RULE = ("screen", "sub-agent")
"""The sources whose evidence does not name their rule already."""


def _source_words(one: "StateOf", source: "StateSource") -> str:
    """Return what one source says of an agent, in one line."""
    says = f"says {source.state}" if source.state else "says nothing of the state"
    if source.decides:
        says += " and decides"
    elif source.state and source.state != one.state.shown:
        says += f", which does not count against {one.state.shown}"
    facts = [f"rule '{source.rule}'"] if source.rule and source.name in _WITH_RULE else []
    since = "changed" if source.name == "screen" else "written"
    facts += [f"{since} {age(time.time() - source.at)} ago"] if source.at else []
    about = f" ({', '.join(facts)})" if facts else ""
    return f"{one.target}: the {source.name} {says}{about}: {source.evidence}"


def _facts(one: "StateOf") -> list[str]:
    facts = [f"{one.state.shown:<9}", one.target, one.pane]
    facts += [f"for {age(time.time() - one.since)}"] if one.since is not None else []
    facts += [f"in {one.state.mode} mode"] if one.state.mode else []
    facts += [f"frozen for {age(time.time() - one.frozen)}"] if one.frozen is not None else []
    return facts


def show(one: "StateOf", common: Common) -> None:
    """Print one state, for people or as an object."""
    if common.json:
        print_json(state_object(one))
        return
    say("  ".join(printable(word) for word in (*_facts(one), one.state.evidence)))
    common.tell(f"{one.target} is on the tmux server {one.server}")
    for source in one.sources:
        common.tell(_source_words(one, source))
    if one.state.report:
        common.tell(f"{one.target} reports of itself: {report_words(one.state.report)}")
    if one.conversation:
        common.tell(f"{one.target} has the conversation {one.conversation}")
    if one.safety:
        common.tell(f"protection of messages to {one.target}: {one.safety.sentence}")
    if one.error and one.error.hint:
        note(f"    {printable(one.error.hint)}", quiet=common.quiet)
    from torch_cli.programs.unclear import advice

    if words := advice(one.state, one.target):
        note(f"    {printable(words)}", quiet=common.quiet)
    dialog = one.state.dialog
    if dialog is not None:
        from torch_cli.programs.asked import answer_command
        from torch_cli.programs.state import UNKNOWN_KIND

        for row in dialog.rows:
            say(f"    {printable(row)}")
        how = "press a key of your choice" if dialog.kind == UNKNOWN_KIND else "answer with"
        note(
            f"    {how}: {printable(answer_command(one.target, dialog))}",
            quiet=common.quiet,
        )
