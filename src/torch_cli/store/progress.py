"""Every write of a message's state or step.

Each write obeys the table of ``steps``. If a row meanwhile has a status that the write may not
follow, the row stays as it is, and the caller is told.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from torch_cli.pane_id import PaneId
from torch_cli.store.message import Message
from torch_cli.store.outbox import Rows
from torch_cli.store.steps import Status, Step, before, steps_before

_UNTYPED = (Step.ACCEPTED,)
"""The steps at which a message can still be changed or cancelled."""


class Progress(Rows):
    """Moves messages from one status to the next."""

    def step(self, identity: str, step: str, baseline: Mapping[str, Any] | None = None) -> bool:
        """Record how far the delivery has come, and what is known of how the text shows."""
        known = {} if baseline is None else {"baseline": json.dumps(baseline)}
        changes = {"step": step, "updated": time.time(), **known}
        return self._update(identity, changes, _at(steps_before(step)))

    def note_baseline(self, identity: str, baseline: Mapping[str, Any]) -> None:
        """Record what is known of how the text shows."""
        self._update(identity, {"baseline": json.dumps(baseline), "updated": time.time()})

    def claim(self, message: Message, baseline: Mapping[str, Any]) -> bool:
        """Record that ``message`` is about to be typed, and what the screen shows before that.

        Returns ``False`` if it was cancelled, edited or replaced meanwhile. Then it must not be
        typed.
        """
        changes = {
            "step": Step.ATTEMPTING,
            "baseline": json.dumps(baseline),
            "updated": time.time(),
        }
        clause, values = _at(_UNTYPED)
        same = (f"{clause} AND typed = ?", (*values, message.typed.encode()))
        return self._update(message.id, changes, same)

    def rewrite(self, identity: str, body: str, typed: str, evidence: Sequence[str]) -> bool:
        """Change the text of a message that was not typed; return whether that was possible."""
        changes = {
            "body": body.encode(),
            "typed": typed.encode(),
            "evidence": json.dumps(list(evidence)),
            "updated": time.time(),
        }
        return self._database.write(*_statement(identity, changes, _at(_UNTYPED))) == 1

    def withdraw(self, identity: str, reason: str, *, told: bool) -> bool:
        """End a message that was not typed; return whether that was possible.

        ``told`` says that its sender knows.
        """
        statement = _statement(identity, _withdrawn(reason, told=told), _at(_UNTYPED))
        return self._database.write(*statement) == 1

    def supersede(self, identity: str, reason: str) -> bool:
        """End a message that was not typed, as part of the caller's transaction.

        Returns whether that was possible. Its sender need not be told.
        """
        sql, *values = _statement(identity, _withdrawn(reason, told=True), _at(_UNTYPED))
        return bool(self._database.query(f"{sql} RETURNING id", *values))

    def requeue(self, identity: str, deadline: float | None) -> bool:
        """Put a message that did not arrive into the outbox; return whether that was possible.

        Without a ``deadline``, a waiting message keeps its own.
        """
        clause, values = _on(before(Status("queued", Step.ACCEPTED)), but=Step.ATTEMPTING)
        changed = self._database.write(
            "UPDATE messages SET state = 'queued', reason = '', step = 'accepted', kept = 1,"
            " attempts = 0, baseline = '{}', told = NULL, updated = ?,"
            " deadline = coalesce(?, CASE step WHEN 'accepted' THEN deadline END)"
            f" WHERE id = ? AND {clause}",
            *(time.time(), deadline, identity, *values),
        )
        return changed == 1

    def address(self, identity: str, agent: str) -> None:
        """Record that the message is for the agent of that identity."""
        self._database.write("UPDATE messages SET agent = ? WHERE id = ?", agent, identity)

    def settle(self, message: Message, *, only_at: Sequence[str] | None = None) -> bool:
        """Save the state of ``message`` and its evidence; return whether it was saved.

        With ``only_at`` saves only if the step is still one of those. Raises ``ValueError`` for a
        state that no message has at its step.
        """
        changes: dict[str, object] = {
            "state": message.state,
            "reason": message.reason,
            "step": message.step,
            "attempts": message.attempts,
            "evidence": json.dumps(list(message.evidence)),
            "elapsed_ms": message.elapsed_ms,
            "submit": json.dumps(dict(message.submit)),
            "updated": time.time(),
        }
        clause, values = _on(before(Status(message.state, message.step)))
        if only_at is not None:
            still, steps = _at(only_at)
            clause, values = f"{clause} AND {still}", (*values, *steps)
        return self._update(message.id, changes, (clause, values))

    def reopen(self, identity: str, pane: PaneId) -> Message:
        """Return the message. If it was not typed, queue it again for that pane."""
        self._update(identity, {"state": "queued", "reason": "", **pane.columns}, _at(_UNTYPED))
        return self._where("id = ?", identity)[0]

    def _update(
        self,
        identity: str,
        changes: Mapping[str, object],
        only: tuple[str, tuple[object, ...]] = ("1", ()),
    ) -> bool:
        """Make a write that may be lost in a power cut; return whether a row was written."""
        return self._database.write(*_statement(identity, changes, only), durable=False) == 1


def _statement(
    identity: str, changes: Mapping[str, object], only: tuple[str, tuple[object, ...]]
) -> tuple[Any, ...]:
    """Return a statement that writes ``changes`` if ``only`` holds, and its values."""
    sets = ", ".join(f"{column} = ?" for column in changes)
    clause, values = only
    sql = f"UPDATE messages SET {sets} WHERE id = ? AND {clause}"
    return (sql, *changes.values(), identity, *values)


def _withdrawn(reason: str, *, told: bool) -> dict[str, object]:
    now = time.time()
    return {
        "state": "failed",
        "reason": reason,
        "step": Step.DONE,
        "updated": now,
        "told": now if told else None,
    }


def _at(steps: Sequence[str]) -> tuple[str, tuple[object, ...]]:
    """Return the condition that a message is at one of ``steps``."""
    return f"step IN ({', '.join('?' for _ in steps)})", tuple(steps)


def _on(statuses: Sequence[Status], but: str = "") -> tuple[str, tuple[object, ...]]:
    """Return the condition that a message has one of ``statuses``, except at the step ``but``."""
    meant = [status for status in statuses if status.step != but]
    clause = f"(state, step) IN (VALUES {', '.join('(?, ?)' for _ in meant)})"
    return clause, tuple(value for status in meant for value in status)
