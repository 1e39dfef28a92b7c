"""``torch health``."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import POLICIES, STALLED, common_options, table_options
from torch_cli.cli.table import Column, TableForm
from torch_cli.errors import RefusedError

if TYPE_CHECKING:
    from torch_cli.health.report import HealthOf
    from torch_cli.health.stalls import Stall

_STALLED = {
    "tell": "if it makes no progress, you are told",
    "nudge": "if it makes no progress, you are told, and it gets a message",
    "restart": "if it makes no progress, you are told, it gets a message, and is restarted if that "
    "changes nothing",
}
_COLUMNS = (
    Column("name", 0, 24),
    Column("restart", 1),
    Column("starts", 3, 0),
    Column("last end", 2, 16),
    Column("next", 0, 24),
)


@click.command("health")
@click.argument("agent", required=False, shell_complete=complete_agents)
@click.option(
    "--restart",
    type=click.Choice(POLICIES),
    help="Set when the daemon restarts AGENT after its program has ended.",
)
@click.option(
    "--stalled",
    type=click.Choice(STALLED),
    help="Set what the daemon does if AGENT makes no progress.",
)
@click.option(
    "--hibernate",
    metavar="TIME|never|default",
    help="Set after which time of idleness AGENT is hibernated; default: as config.toml says.",
)
@click.option("--explain", is_flag=True, help="Say why, in sentences.")
@common_options
@table_options(_COLUMNS)
def command(
    common: Common,
    look: TableForm,
    agent: str | None,
    restart: str | None,
    stalled: str | None,
    hibernate: str | None,
    explain: bool,
) -> None:
    """Show how agents have ended, and when they are restarted; for all, or for AGENT.

    An agent has a restart policy: 'never', 'on-failure' (its program exited with a status other
    than 0, or was killed), 'always' (also with status 0). Its team's torch.toml says which, for
    other agents --restart, here or of 'torch spawn'. The daemon, or 'torch tick', restarts it in
    its conversation, after a wait that grows. After five restarts in ten minutes Torch gives up,
    until you set --restart here, or run 'torch restart'.

    An agent that works and makes no progress has stalled, and you are told. With --stalled nudge it
    gets a message as well, once. With --stalled restart it is restarted if that has changed nothing
    for ten minutes, in its conversation, and three times a day at most.

    An agent whose turn a usage limit has cut off is told to go on two minutes after the reset,
    unless it has gone on by itself.

    An agent that is idle, and that nobody looks at, can be hibernated after a time: see 'torch
    hibernate'. --hibernate sets the time for AGENT, [health] hibernate in config.toml for all.

    What you have stopped or closed stays. So does an agent whose shell or tmux server is left or
    gone: a person may use the shell.

    \b
    Examples:
      torch health
      torch health dev --restart on-failure
      torch health dev --stalled nudge
      torch health dev --hibernate 1h
      torch health dev --explain
      torch health --json | jq -r 'select(.given_up) | .name'
    """
    from torch_cli.cli.present import note, unscheduled
    from torch_cli.health.policy import set_policy
    from torch_cli.health.report import health_of
    from torch_cli.lifecycle.hibernate import unfit
    from torch_cli.roster.registry import registered
    from torch_cli.store import Store
    from torch_cli.store.health import NEVER, AgentPolicy
    from torch_cli.watch.listing import agents_on

    given = {"--restart": restart, "--stalled": stalled, "--hibernate": hibernate}
    if any(given.values()) and not agent:
        named = next(name for name, value in given.items() if value)
        raise RefusedError(f"{named} needs an agent; nothing was changed", code="usage")
    with Store() as store:
        if any(given.values()) and agent:
            set_policy(
                *(store, agent),
                restart=restart or "",
                stalled=stalled or "",
                hibernate=hibernate or "",
            )
        now = time.time()
        chosen = [registered(store, agent)] if agent else agents_on(store, common.socket)
        found = [health_of(store, one, now) for one in chosen]
        missing = unscheduled(store)
        awake = unfit(chosen[0]) if hibernate not in (None, NEVER) else ""
    if explain and not common.json:
        _explain(found)
    else:
        objects = (_object(one) for one in found)
        rows = (_row(one) for one in found)
        common.show_all(objects, _COLUMNS, rows, look, "no agents")
    if awake:
        note(f"torch: {agent} is never hibernated: {awake}", quiet=common.quiet)
    if missing and any(one.governed.policy != AgentPolicy() for one in found):
        note(f"torch: nothing is restarted: {missing}", quiet=common.quiet)


def _object(one: "HealthOf") -> dict[str, Any]:
    """Return the health of an agent, under its published schema."""
    from torch_cli.cli.schema import timestamp

    end = one.end
    last = None
    if end is not None:
        last = {
            "cause": str(end.cause),
            "code": end.code,
            "signal": end.signal,
            "words": end.words,
            "at": timestamp(one.ended) if one.ended is not None else None,
        }
    return {
        "schema": "torch.health/1",
        "name": one.agent.name,
        "running": one.runs,
        "restart": one.governed.policy.restart,
        "set_by": one.governed.by,
        "stalled": one.governed.policy.stalled,
        "hibernate": one.rest,
        "hibernated": timestamp(one.agent.hibernated) if one.asleep != "none" else None,
        "starts": one.starts,
        "recent_restarts": one.restarts,
        "last_end": last,
        "due": timestamp(one.due) if one.due is not None else None,
        "given_up": timestamp(one.given_up) if one.given_up is not None else None,
        "next": one.next,
        "failed": one.failed or None,
        "limit": _limit(one),
        "stall": _stall(one),
    }


def _limit(one: "HealthOf") -> dict[str, Any] | None:
    """Return the usage limit of an agent, and what is done when that is over."""
    from torch_cli.cli.schema import timestamp

    if one.limit is None:
        return None
    limit, over = one.limit.limit, one.limit.over
    return {
        "reset": limit.reset,
        "since": timestamp(limit.since),
        "until": timestamp(limit.until),
        "due": timestamp(limit.due),
        "continues": not one.limit.why_not and limit.due is not None,
        "why_not": one.limit.why_not or None,
        "over": timestamp(over.at) if over is not None else None,
        "message": over.message or None if over is not None else None,
    }


def _stall(one: "HealthOf") -> dict[str, Any] | None:
    """Return how an agent has stalled, and what is done about it."""
    from torch_cli.cli.schema import timestamp
    from torch_cli.store.events import since_of

    if one.stall is None:
        return None
    step = one.stall.step
    return {
        "words": one.stall.words,
        "since": timestamp(since_of(one.stall.event)),
        "nudged": timestamp(step.nudged) if step is not None else None,
        "message": step.message or None if step is not None else None,
        "restarts": timestamp(one.stall.due),
        "outcome": step.outcome or None if step is not None else None,
    }


def _row(one: "HealthOf") -> list[str]:
    last = str(one.end.cause) if one.end is not None else ""
    return [one.agent.name, one.governed.policy.restart, str(one.starts), last, _next(one)]


def _next(one: "HealthOf") -> str:
    from torch_cli.cli.present import age

    if one.due is None or one.agent.frozen is not None:
        return one.next
    return f"restarts in {age(max(0.0, one.due - time.time()))}"


def _explain(found: "list[HealthOf]") -> None:
    from torch_cli.cli.present import print_folded

    for one in found:
        print_folded(f"{one.agent.name}  {_next(one)}", 4)
        for line in _sentences(one):
            print_folded(f"    {line}", 8)


def _sentences(one: "HealthOf") -> Iterator[str]:
    from torch_cli.cli.present import age, limit_sentences

    now, name = time.time(), one.agent.name
    by = {
        "torch.toml": f"by {one.governed.member.team}" if one.governed.member else "",
        "set": "as you have set it",
        "default": "because nobody has set it",
    }
    yield f"restart = {one.governed.policy.restart}, {by[one.governed.by]}"
    lately = f", {one.restarts} times by its policy lately" if one.restarts else ""
    yield f"started {one.starts} times{lately}" if one.starts > 1 else "started once"
    if one.end is not None:
        when = f", {age(now - one.ended)} ago" if one.ended is not None else ""
        yield f"last end: {one.end.words}{when} ({one.end.cause})"
    yield f"stalled = {one.governed.policy.stalled}: {_STALLED[one.governed.policy.stalled]}"
    if one.stall is not None:
        yield from _of_stall(one.stall, now)
    yield _of_rest(one)
    if one.limit is not None:
        yield from limit_sentences(one.limit, now)
    if one.failed:
        yield f"its last restart failed: {one.failed}"
    if one.given_up is not None:
        yield f"'torch restart {name}' starts it, and it is looked after again"


def _of_rest(one: "HealthOf") -> str:
    from torch_cli.duration import words

    own = one.governed.policy.hibernate
    by = "as you have set it" if own else "as [health] in config.toml says"
    if one.rest is None:
        return f"hibernate = never, {by if own else 'because nobody has set it'}"
    said = f"hibernate = {words(one.rest)}, {by}"
    return f"{said}; not now: {one.why_awake}" if one.why_awake else said


def _of_stall(stall: "Stall", now: float) -> Iterator[str]:
    from torch_cli.cli.present import age

    yield f"it has stalled: {stall.words}"
    if stall.step is not None:
        if stall.step.message:
            yield f"it was nudged {age(now - stall.step.nudged)} ago ({stall.step.message})"
        else:
            yield "it was not nudged: its program takes no messages while it works"
        if stall.step.outcome:
            yield f"that changed nothing; {stall.step.outcome}"
    if stall.due is not None:
        yield f"if that changes nothing it is restarted in {age(max(0.0, stall.due - now))}"
