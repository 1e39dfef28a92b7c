"""How often a scheduler looks, how long it rests, and what it waits for: one value, in seconds.

The environment variable ``TORCH_INTERVALS`` is for Torch's own tests, which shorten some of the
intervals, for example ``teams=1 tasks=1``. The times of a delivery are not here: they were measured
on programs, and are in the modules that use them.
"""

import os
from typing import NamedTuple

VARIABLE = "TORCH_INTERVALS"


class Intervals(NamedTuple):
    """All of them; each is a number of seconds."""

    look: float = 0.25
    """Between two checks by the daemon whether the store has changed: one PRAGMA, 10 µs."""

    renew: float = 3.0
    """Between two renewals of the lease: a fifth of the time for which it holds."""

    stalled: float = 5.0
    """How long the loop must have been stopped for an outage to be recorded."""

    closing: float = 20.0
    """How long running work is given when the daemon ends, all together."""

    fire_again: float = 0.2
    """At least this long between two passes of firing."""

    overdue: float = 5.0
    """Between two checks whether an agent is there to take an overdue run."""

    states: float = 0.5
    """Between two looks at the states of all agents; a hook's report brings one forward."""

    parents: float = 5.0
    """Between two looks at which agents have waited for so long that their parents are told."""

    outbox: float = 0.5
    """Between two looks at agents whose messages are held."""

    unknown: float = 10.0
    """Between two looks for the outcome of ``unknown`` messages in the records of programs."""

    tasks: float = 15.0
    """Between two looks for tasks whose agents are gone."""

    tasks_soon: float = 0.5
    """Between two looks by 'torch task route --wait' at who is idle by now."""

    health: float = 5.0
    """Between two looks at which agents have ended. One takes 0.1 ms for each that runs."""

    health_soon: float = 0.5
    """The same while an agent starts, or waits for its restart."""

    arrange: float = 5.0
    """Between two looks at how the windows of agents' sessions are arranged: two lists of tmux."""

    awake: float = 5.0
    """Between two looks by 'torch inhibit' at who works: systems sleep after minutes at least."""

    rests: float = 60.0
    """Without an agent at work until 'torch inhibit' lets the machine sleep: turns follow each
    other."""

    limit_over: float = 120.0
    """After the reset of a usage limit until an agent that has not moved may go on: some programs
    continue by themselves, and a reset is written to the minute."""

    limit_between: float = 20.0
    """At least this long between two agents of one account that are told to go on after a limit."""

    nudged: float = 600.0
    """After a nudge until a stalled agent is restarted that it has not helped. A program tries
    again by itself after some ten minutes (``attention/stalled.py``)."""

    teams: float = 15.0
    """Between two looks at teams."""

    teams_soon: float = 1.0
    """The same while a member of a team starts, or waits for its restart."""

    remind: float = 60.0
    """Between two checks of the working agreements. These checks run git."""

    pools_again: float = 300.0
    """Before a pool that could not be changed is tried again."""

    checkpoints: float = 60.0
    """Between two looks at which worktrees are due, at most."""

    checkpoints_idle: float = 5.0
    """The same while a checkpoint waits for the end of a turn. One look costs 5 ms."""

    checkpoint_again: float = 300.0
    """Before a failed attempt is repeated, if the worktree's own interval is longer."""

    copy: float = 600.0
    """Between two checks whether the daily copy of the state file is due, or rows are too old."""

    proofs: float = 900.0
    """Between two looks at whether an installed program has a version that nobody has proven: each
    program is asked for its version, which takes a second or two of work."""

    proofs_soon: float = 2.0
    """The same while a proof is going on, or waits for a delivery to end."""

    proofs_again: float = 21600.0
    """Before a proof that broke down is tried again."""

    after_error: float = 2.0
    """Before a pass that failed is tried again, unless that pass has a longer interval."""

    answer: float = 5.0
    """In which tmux must answer one call. A loaded 2-core machine answered in 0.15 s at worst
    (2026-11-22); a server that is stopped never answers."""

    starts: float = 0.4
    """Within this time a command that cannot start should have said so."""

    prompts: float = 2.0
    """In which a shell is expected to show its prompt; then it is looked at as it is."""

    quiet: float = 0.1
    """A program counts as settled after this time without output. A shell's start-up file changed
    the directory 8 to 33 ms after the start (tmux 3.3a, 2 cores, 2026-11-22)."""


def intervals(words: str) -> Intervals:
    """Return the usual intervals, changed by ``words``: NAME=SECONDS, separated by spaces.

    Raises ``ValueError`` for any other words.
    """
    given = (word.partition("=") for word in words.split())
    changes = {name: float(seconds) for name, _, seconds in given}
    return Intervals()._replace(**changes)


INTERVALS = intervals(os.environ.get(VARIABLE, ""))
"""Those of this process."""
