"""The scheduler's log: what fired, what arrived, what failed. By default without texts of messages.

It goes to a file that is rotated, as lines for people or as JSON. In the foreground it goes to
stderr too.
"""

import json
import logging
import sys
import time
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any

from torch_cli.delivery.receipt import Receipt
from torch_cli.errors import TorchError
from torch_cli.lifecycle.did import Did, show_people
from torch_cli.paths import make_private, state_dir
from torch_cli.schedule.logs import log_file
from torch_cli.schedule.worktrees import Done, alert_people
from torch_cli.store.checkin import Run
from torch_cli.store.lease import Outage
from torch_cli.store.tasks import Task

if TYPE_CHECKING:
    from torch_cli.attention.notices import Notice
    from torch_cli.attention.parents import ParentTold
    from torch_cli.schedule.proofs import Proven

FILE_SIZE, FILES = 1_000_000, 4
"""Bytes of the log file, and how many older ones are kept."""


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        facts: dict[str, Any] = getattr(record, "facts", {})
        words = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]
        return " ".join([at, record.levelname.lower(), record.getMessage(), *words])


class _Objects(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "schema": "torch.log/1",
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        return json.dumps(entry, ensure_ascii=False)


class Journal:
    """Writes the log. With ``bodies`` it contains the texts of messages too."""

    def __init__(self, *, as_json: bool, bodies: bool, echo: bool) -> None:
        make_private(state_dir())
        self.bodies = bodies
        self._log = logging.getLogger("torch.daemon")
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        handlers: list[logging.Handler] = [
            RotatingFileHandler(
                log_file(), maxBytes=FILE_SIZE, backupCount=FILES, encoding="utf-8", delay=True
            )
        ]
        handlers += [logging.StreamHandler(sys.stderr)] if echo else []
        for handler in handlers:
            handler.setFormatter(_Objects() if as_json else _Lines())
            # A full disk must stop only the log.
            handler.handleError = lambda record: None  # type: ignore[method-assign]
            self._log.addHandler(handler)

    def say(self, event: str, **facts: Any) -> None:
        """Record that ``event`` happened. Facts without a value are left out."""
        self._log.info(event, extra={"facts": _kept(facts)})

    def runs(self, runs: list[Run]) -> None:
        """Record what fired."""
        for run in runs:
            self.say(
                "run",
                run=run.id,
                checkin=run.checkin,
                state=run.state,
                late_s=round(run.fired - run.due, 3),
                delay=run.delay,
                message=run.message,
                recipient=run.recipient,
                reason=run.reason,
            )

    def receipts(self, receipts: list[Receipt]) -> None:
        """Record what left the outbox."""
        for receipt in receipts:
            self.say(
                "message",
                message=receipt.id,
                recipient=receipt.target,
                pane=receipt.pane,
                state=str(receipt.state),
                reason=receipt.reason,
                body=self._body(receipt.id) if self.bodies else "",
            )

    def done(self, done: Done) -> None:
        """Record a checkpoint or a commit, and show people what they should know."""
        if done.again or not done.noteworthy:
            return
        self.say(
            "checkpoint",
            dir=done.watched.top,
            agents=done.watched.names,
            said=done.said,
            failed=done.failed or None,
            alert=done.alert,
        )
        if done.alert:
            alert_people(done)

    def returned(self, task: Task) -> None:
        """Record that a task is in the pool again."""
        self.say("task", task=task.id, state=task.state, reason=task.reason)

    def team(self, did: Did) -> None:
        """Record what was done for a team. Show people what cannot be told to an agent."""
        if did.error is not None:
            self.error(did.error)
            return
        self.say(did.what, agent=did.agent, words=did.words)
        if did.people:
            show_people(did)

    def proven(self, proven: "Proven") -> None:
        """Record the beginning or the finding of a proof of a program's new version."""
        self.say("verify", **proven._asdict())

    def notice(self, notice: "Notice") -> None:
        """Record that people were told of agents. The words quote screens, and are left out."""
        self.say(
            "notice",
            agents=", ".join(notice.agents),
            shown=notice.shown,
            rung=notice.rung,
            started=", ".join(notice.started),
        )

    def parent(self, told: "ParentTold") -> None:
        """Record that an agent's parent gets a message about what the agent waits for."""
        self.say("parent", **told._asdict())

    def outage(self, outage: Outage) -> None:
        """Record that nothing could fire for a time."""
        seconds = round(outage.ended - outage.began, 3)
        self.say("outage", kind=outage.kind, seconds=seconds)

    def error(self, error: BaseException) -> None:
        """Record an error. Its traceback is included, unless it is a ``TorchError``."""
        if isinstance(error, TorchError):
            facts = _kept({"code": error.code, "hint": error.hint})
            self._log.error(error.message, extra={"facts": facts})
        else:
            import traceback

            where = "".join(traceback.format_exception(error))
            self._log.error("unforeseen", extra={"facts": {"traceback": where}})

    @staticmethod
    def _body(identity: str) -> str:
        from torch_cli.store import Store

        with Store() as store:
            return store.messages.get(identity).body


def _kept(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in ("", None)}
