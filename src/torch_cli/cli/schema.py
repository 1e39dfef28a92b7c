"""Objects that more than one command prints with ``--json``, under their published schemas."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from torch_cli.cli.present import error_object

if TYPE_CHECKING:
    from torch_cli.programs.state import OwnReport
    from torch_cli.store.briefings import Briefed
    from torch_cli.store.messages import Message
    from torch_cli.watch.listing import Line
    from torch_cli.watch.sources import StateSource
    from torch_cli.watch.state import StateOf


def timestamp(at: float | None) -> str | None:
    """Return a time in seconds since the epoch as ISO 8601, in UTC with milliseconds."""
    return (
        None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    )


def agent_object(line: "Line") -> dict[str, Any]:
    """Return one agent, with an ``error`` if its state cannot be known."""
    from torch_cli.delivery.receipt import receipt_of
    from torch_cli.programs.trouble import trouble_fields

    agent, message = line.agent, line.message
    return {
        "schema": "torch.agent/1",
        "name": agent.name,
        "role": agent.role,
        "profile": agent.profile,
        "parent": agent.parent,
        "state": line.state,
        "since": timestamp(line.since),
        "evidence": line.evidence,
        "advice": line.advice or None,
        "pane": agent.pane,
        "pid": agent.pane_pid,
        "session": agent.session,
        "window": agent.window,
        "dir": agent.directory,
        "conversation": agent.conversation or None,
        "frozen": timestamp(agent.frozen),
        "message": message.id if message else None,
        "message_state": str(receipt_of(message).state) if message else None,
        "briefing": briefing_object(line.briefed),
        "submit": line.safety.as_json() if line.safety else None,
        **trouble_fields(line.trouble),
        **({"error": error_object(line.error)} if line.error else {}),
    }


def shown_state(message: "Message") -> str:
    """Return the state of a message for people: of its receipt, or ``cancelled``."""
    from torch_cli.delivery import ending
    from torch_cli.delivery.receipt import receipt_of

    return ending.shown_state(receipt_of(message))


def briefing_object(briefed: "Briefed | None") -> dict[str, Any] | None:
    """Return what an agent was briefed with last, and whether it has acknowledged it."""
    if briefed is None:
        return None
    return {
        "name": briefed.name,
        "message": briefed.message,
        "sent": timestamp(briefed.sent),
        "acknowledged": timestamp(briefed.acknowledged),
        "words": briefed.words or None,
    }


def report_object(report: "OwnReport | None") -> dict[str, Any] | None:
    """Return what a program says of itself, ``None`` if it says nothing."""
    if report is None:
        return None
    return {
        "state": str(report.state),
        "at": timestamp(report.at),
        "message": report.words or None,
        "stale": report.stale,
    }


def source_object(source: "StateSource") -> dict[str, Any]:
    """Return what one source says of an agent's state."""
    return {
        "source": source.name,
        "state": source.state or None,
        "rule": source.rule or None,
        "evidence": source.evidence,
        "at": timestamp(source.at or None),
        "decides": source.decides,
    }


def state_object(one: "StateOf") -> dict[str, Any]:
    """Return the state of one target, with an ``error`` if it cannot be known."""
    from torch_cli.programs.trouble import trouble_fields
    from torch_cli.programs.unclear import advice

    dialog = one.state.dialog
    return {
        "schema": "torch.state/1",
        "target": one.target,
        "pane": one.pane,
        "state": str(one.state.shown),
        "since": timestamp(one.since),
        "evidence": one.state.evidence,
        "advice": advice(one.state, one.target) or None,
        "draft": one.state.box.text if one.state.box else None,
        "reset": one.state.reset,
        "mode": one.state.mode or None,
        "report": report_object(one.state.report),
        "conversation": one.conversation or None,
        "frozen": timestamp(one.frozen),
        "submit": one.safety.as_json() if one.safety else None,
        **({"sources": [source_object(source) for source in one.sources]} if one.sources else {}),
        "dialog": (
            {
                "kind": dialog.kind,
                "question": dialog.question,
                "rows": list(dialog.rows),
                "hash": dialog.hash,
            }
            if dialog
            else None
        ),
        **trouble_fields(one.state.trouble),
        **({"error": error_object(one.error)} if one.error else {}),
    }
