"""How checkpoints are shown: lines for people, objects under their schemas."""

import time
from typing import TYPE_CHECKING, Any

from torch_cli.cli.common import Common
from torch_cli.cli.present import age, error_object, note, print_json, printable, say
from torch_cli.cli.schema import timestamp
from torch_cli.cli.table import Column, TableForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch_cli.checkpoint.record import Checkpoint, CheckpointOutcome
    from torch_cli.checkpoint.restore import Earlier, RestorePlan
    from torch_cli.checkpoint.scan import LeftOut

CHECKPOINT_COLUMNS = (
    Column("checkpoint", 0, 0),
    Column("when", 3, 0),
    Column("age", 1, 0),
    Column("agent", 2, 10),
    Column("reason", 4, 0),
    Column("changed", 0, 0),
    Column("note", 2, 12, heading=""),
    Column("worktree", 5, 0),
)

SHOWN_PATHS = 20
"""How many left-out files, or changes, are shown. -v shows all."""


def checkpoint_object(one: "Checkpoint", *, latest: bool | None = None) -> dict[str, Any]:
    """Return a checkpoint under its published schema. ``latest`` says whether it is the latest.

    With ``None`` the field is left out.
    """
    return {
        "schema": "torch.checkpoint/1",
        "id": one.id,
        "worktree": one.ref.split("/")[-2],
        "ref": one.ref,
        "tree": one.tree,
        "at": timestamp(one.at),
        "reason": one.reason,
        "agent": one.agent or None,
        "note": one.note or None,
        "head": one.head or None,
        "branch": one.branch or None,
        "files": one.files,
        **counts_object(one.counts),
        "left_out": left_out_objects(one.left_out),
        "left_out_more": one.more,
        "alert": one.alert or None,
        **({} if latest is None else {"latest": latest}),
    }


def counts_object(counts: Any) -> dict[str, Any]:
    """Return how two trees differ."""
    return {
        "files_changed": counts.files,
        "lines_added": counts.added,
        "lines_removed": counts.removed,
    }


def left_out_objects(left_out: "Iterable[LeftOut]") -> list[dict[str, str]]:
    """Return the files that were left out, each with a word and a sentence why."""
    return [{"path": one.path, "why": one.why, "detail": one.detail} for one in left_out]


def print_outcomes(outcomes: "Sequence[CheckpointOutcome]", common: Common) -> int:
    """Print the outcome for each worktree; return the exit status of the first error, or 0."""
    status = 0
    for one in (each for outcome in outcomes for each in outcome.each()):
        if common.json:
            print_json(_outcome_object(one))
        elif one.error is not None:
            from torch_cli.cli.present import print_error

            print_error(one.error, as_json=False)
        else:
            _print_outcome(one, common)
        if one.error is not None:
            status = status or one.error.exit_code
    return status


def _outcome_object(one: "CheckpointOutcome") -> dict[str, Any]:
    if one.error is not None:
        return {"dir": one.top, "error": error_object(one.error)}
    assert one.last is not None
    made = checkpoint_object(one.last)
    state = "recorded" if one.checkpoint else "unchanged"
    return {**made, "state": state, "dir": one.top, "left_out": left_out_objects(one.left_out)}


def _print_outcome(one: "CheckpointOutcome", common: Common) -> None:
    made = one.checkpoint
    if made is not None:
        say(f"recorded  {made.id}  {printable(one.top)}  {made.counts}")
        if made.alert:
            kept = f"; {made.before} is kept" if made.before else ""
            note(f"  alert: {made.alert}{kept}", quiet=False)
    elif one.last is not None:
        common.tell(f"unchanged since {one.last.id}: {one.top}")
    limit = None if common.verbose else SHOWN_PATHS
    for left in one.left_out[:limit]:
        note(f"  left out: {printable(left.path)}: {left.detail}", quiet=common.quiet)
    if limit and len(one.left_out) > limit:
        note(f"  left out: {len(one.left_out) - limit} more; -v shows all", quiet=common.quiet)


def print_checkpoints(
    found: "Sequence[Checkpoint]", look: TableForm, *, every: bool, latest: str
) -> None:
    """Print a table, the newest last. ``latest`` is the id of the latest.

    With ``every`` they are of several worktrees, and each says of which.
    """
    from torch_cli.cli.table import print_table

    now = time.time()
    rows = []
    for one in found:
        marks = ["latest"] if one.id == latest else []
        marks += [one.alert] if one.alert else []
        marks += [f"{len(one.left_out) + one.more} left out"] if one.left_out else []
        words = "; ".join([*marks, *one.note.splitlines()[:1]])
        row = [one.id, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))]
        row += [age(now - one.at), one.agent, one.reason, str(one.counts), words]
        rows.append([*row, one.ref.split("/")[-2]])
    print_table(CHECKPOINT_COLUMNS, rows, look, hidden=() if every else ("worktree",))


def print_checkpoint(one: "Checkpoint") -> None:
    """Print everything about a checkpoint except its files."""
    from torch_cli.cli.present import print_fields

    at = f"{one.branch or 'a detached HEAD'} at {one.head[:10] or 'no commit yet'}"
    print_fields(
        {
            "checkpoint": one.id,
            "ref": one.ref,
            "when": time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(one.at)),
            "agent": one.agent,
            "reason": one.reason,
            "beside": at,
            "files": f"{one.files:,}",
            "changed": str(one.counts),
            "alert": one.alert,
        }
    )
    for line in ["", *one.note.splitlines()] if one.note else []:
        say(printable(line))
    for left in one.left_out:
        say(f"left out  {printable(left.path)}  {left.detail}")
    if one.more:
        say(f"left out  {one.more:,} more")


def print_plan(
    plan: "RestorePlan",
    common: Common,
    *,
    saved: str = "",
    earlier: "Earlier | None" = None,
) -> None:
    """Print what a restore changes, and what it leaves alone.

    With ``saved``, the checkpoint of the files from before, the restore is done. ``earlier`` is a
    checkpoint that would change something.
    """
    if common.json:
        before = {"id": earlier.checkpoint.id, "files": earlier.files} if earlier else None
        print_json(
            {
                "schema": "torch.restore/1",
                "state": "restored" if saved else "planned",
                "from": plan.source.name,
                "tree": plan.source.tree,
                "saved": saved or None,
                "earlier": before,
                "changes": [{"path": c.path, "change": c.what} for c in plan.changes],
                "skipped": [{"path": path, "why": why} for path, why in plan.skipped],
            }
        )
        return
    limit = None if common.verbose else SHOWN_PATHS
    for change in plan.changes[:limit]:
        verb = change.what if saved else change.what.removesuffix("d")  # what is still to be done
        say(f"{verb:<9} {printable(change.path)}")
    if limit and len(plan.changes) > limit:
        say(f"and {len(plan.changes) - limit:,} more; -v shows all")
    for path, why in plan.skipped:
        note(f"  left alone: {printable(path)}: {why}", quiet=common.quiet)
