"""``torch why``."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import COUNT, common_options

if TYPE_CHECKING:
    from torch_cli.attention.stream import Entry
    from torch_cli.attention.why import Why
    from torch_cli.health.limits import LimitProspect

INDENT_COLUMNS = 4
"""Columns by which what belongs to a line begins later."""


@click.command("why")
@click.argument("agent", shell_complete=complete_agents)
@click.option(
    "--limit",
    "-n",
    type=COUNT,
    default=10,
    show_default=True,
    metavar="N",
    help="The last N things that happened.",
)
@common_options
def command(common: Common, agent: str, limit: int) -> None:
    """Show how AGENT came to the state that it is in.

    First the state as it is seen now: the rule that found it, the evidence, since when, the
    sub-agents that work and the compaction that goes on by the program's own hooks, and their last
    report. Then what led to it, the newest last: its changes of
    state, each with its rule and evidence, and what was done to it between them: messages, keys,
    check-ins, restarts.

    Changes of state are written by the daemon, or by 'torch tick'. With --json, one object.

    \b
    Examples:
      torch why dev
      torch why dev -n 30
      torch why dev --json | jq -r .now.rule
    """
    from torch_cli.attention.why import why
    from torch_cli.cli.present import note, print_json, unscheduled
    from torch_cli.health.limits import limit_known
    from torch_cli.store import Store

    with Store() as store:
        found = why(store, common.socket, agent, limit)
        missing = unscheduled(store)
        known = store.agents.get(agent) if found.now is not None else None
        usage = limit_known(store, known, time.time()) if known is not None else None
    if common.json:
        print_json(_object(found))
        return
    _print(found, usage)
    if found.more:
        note(f"  there is more: torch events --agent {agent}", quiet=common.quiet)
    if missing:
        note(f"torch: states of agents are not written: {missing}", quiet=common.quiet)


def _object(found: "Why") -> dict[str, Any]:
    """Return how it came to its state, under its published schema."""
    from torch_cli.cli.attention.events import event_object
    from torch_cli.cli.schema import state_object, timestamp

    report, now = found.report, found.now
    return {
        "schema": "torch.why/1",
        "name": found.name,
        "now": {**state_object(now), "rule": now.state.rule} if now is not None else None,
        "report": {"name": report.name, "at": timestamp(report.at)} if report else None,
        "beside": [
            {"what": one.what, "name": one.name, "rule": one.rule, "at": timestamp(one.at)}
            for one in found.beside
        ],
        "events": [event_object(one) for one in found.entries],
        "more": found.more,
    }


def _print(found: "Why", usage: "LimitProspect | None") -> None:
    from torch_cli.cli.present import age, limit_sentences, print_folded, report_words
    from torch_cli.programs.asked import asked_by

    clock = time.time()
    if found.now is None:
        print_folded(f"{found.name}  is not running: it was stopped", INDENT_COLUMNS)
    else:
        state = found.now.state
        since = f"for {age(clock - found.now.since)}" if found.now.since is not None else ""
        print_folded("  ".join(filter(None, [found.name, str(state.shown), since])), INDENT_COLUMNS)
        print_folded(f"    rule {_by(state.rule, state.evidence)}", INDENT_COLUMNS + 4)
        asks = asked_by(state).words
        if asks:
            print_folded(f"    it asks: {asks}", INDENT_COLUMNS + 4)
    for one in found.beside:
        goes = f"{one.words}, for {age(clock - one.at)}, by the report {one.rule}"
        print_folded(f"    also at work: {goes}", INDENT_COLUMNS + 4)
    for line in limit_sentences(usage, clock) if usage is not None else ():
        print_folded(f"    {line}", INDENT_COLUMNS + 4)
    if found.now is not None and found.now.state.report is not None:
        own = report_words(found.now.state.report)
        print_folded(f"    it reports of itself: {own}", INDENT_COLUMNS + 4)
    if found.report is not None:
        told = f"{found.report.name}, {age(clock - found.report.at)} ago"
        print_folded(f"    last report of its hooks: {told}", INDENT_COLUMNS + 4)
    if found.now is not None and found.now.conversation:
        print_folded(f"    conversation {found.now.conversation}", INDENT_COLUMNS + 4)
    for entry in found.entries:
        _print_entry(entry)


def _print_entry(one: "Entry") -> None:
    from torch_cli.cli.present import print_folded
    from torch_cli.store.events import STATE

    at = time.strftime("%m-%d %H:%M:%S", time.localtime(one.event.at))
    known = one.event.detail if one.event.verb == STATE else {}
    rule = known.get("rule")
    # The words of a dialog are its question. Of other states they are the evidence already.
    by = _by(rule, known.get("evidence") if known.get("question") else "") if rule else ""
    by = f"  [{by}]" if by else ""
    print_folded(f"{at}  {one.kind:<10}  {one.words}{by}", len(at) + 2)


def _by(rule: str, evidence: str | None) -> str:
    """Return a rule with its evidence, which often begins with the name of the rule."""
    if not evidence or evidence.startswith(rule):
        return evidence or rule
    return f"{rule}: {evidence}"
