"""Which checkpoints are kept: all of today, hourly for a week, daily for a quarter, and a quota."""

import datetime
from collections.abc import Sequence

from torch_cli.checkpoint.record import Checkpoint, checkpoints, latest
from torch_cli.checkpoint.settings import Settings
from torch_cli.git.command import Git
from torch_cli.git.worktree import Worktree, locked

DAY = 86_400.0


def surplus(found: Sequence[Checkpoint], now: float, settings: Settings) -> list[Checkpoint]:
    """Return which checkpoints of one worktree are not kept, the oldest first.

    ``now`` is epoch seconds. Days and hours are those of the local clock. These are kept: all of
    today; for ``hourly_days`` the newest of each hour; for ``daily_days`` the newest of each day
    and those with a note; always the newest of all, the ``latest``, and one after which most files
    were gone.
    """
    today = datetime.datetime.fromtimestamp(now).date()
    guarded = {one.before for one in found}
    slots: dict[object, str] = {}
    kept = {one.id for one in found if one.id in guarded} | {one.id for one in found[-1:]}
    if (newest := latest(found)) is not None:
        kept.add(newest.id)
    for one in found:  # the oldest first, so that the newest one of a slot wins
        at = datetime.datetime.fromtimestamp(one.at)
        days = (now - one.at) / DAY
        if at.date() >= today:
            kept.add(one.id)
        elif days <= settings.hourly_days:
            slots[at.date(), at.hour] = one.id
        elif days <= settings.daily_days:
            slots[at.date()] = one.id
        if one.note and one.reason == "manual" and days <= settings.daily_days:
            kept.add(one.id)
    kept |= set(slots.values())
    return [one for one in found if one.id not in kept]


def over_quota(git: Git, found: Sequence[Checkpoint], quota: int) -> list[Checkpoint]:
    """Return the oldest checkpoints that do not fit into ``quota`` bytes of the repository.

    The newest and guarded ones always fit. Content that HEAD has too does not count.
    """
    if size_of(git, found) <= quota:
        return []
    guarded = {one.before for one in found}
    # Search for the largest number of newest checkpoints that fits.
    fit, too_many = 1, len(found)
    while fit + 1 < too_many:
        middle = (fit + too_many) // 2
        if size_of(git, found[-middle:]) <= quota:
            fit = middle
        else:
            too_many = middle
    return [one for one in found[:-fit] if one.id not in guarded]


def size_of(git: Git, found: Sequence[Checkpoint]) -> int:
    """Return about how many bytes of the repository only these checkpoints take."""
    if not found:
        return 0
    lines = [one.object for one in found]
    head = git.run("rev-parse", "-q", "--verify", "HEAD^{tree}", status=(0, 1)).decode().strip()
    lines += [f"^{head}"] if head else []
    given = "\n".join([*lines, ""]).encode()
    return int(git.run("rev-list", "--objects", "--disk-usage", "--stdin", given=given))


def prune(
    worktree: Worktree, settings: Settings, now: float, *, dry_run: bool = False, size: bool = True
) -> list[Checkpoint]:
    """Delete the refs of checkpoints that are not kept; return them, the oldest first.

    With ``size`` also those over the quota. Git's own garbage collection frees their space later.
    ``dry_run`` deletes nothing.
    """
    with locked(worktree) as lock:
        git = worktree.git(lock=lock)
        found = checkpoints(worktree)
        dropped = surplus(found, now, settings)
        if size:
            rest = [one for one in found if one not in dropped]
            dropped += over_quota(git, rest, settings.quota)
        if dropped and not dry_run:
            given = "".join(f"delete {one.ref} {one.object}\n" for one in dropped)
            git.run("update-ref", "--stdin", given=given.encode())
        return sorted(dropped, key=lambda one: one.at)
