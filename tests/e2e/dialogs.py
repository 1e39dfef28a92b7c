"""Opens dialogs around deliveries in one configuration of Claude Code, and counts those answered.

``make dialogs CONFIG="vim, classic" ROUNDS=300`` runs it. It may be interrupted at any time, and
continues there; several may run at once. What was counted stands in docs/dialogs.json, run by run;
docs/dialogs.md is made of nothing else. A dialog that was answered ends its run, and its screen is
kept.
"""

import argparse
import contextlib
import datetime
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.claude import ClaudeCode
from e2e.configurations import CASES, Case
from e2e.conftest import Setup
from e2e.counted import CLAIM, Run, summed
from e2e.openings import Near, Opened, opened, until_paste
from e2e.scenes import EARLY, TOO_EARLY, WINDOW, until_dialog

PAUSE_SECONDS = 6.0
"""Seconds between two keys of a person's, if the program is not seen to act on the first: on a busy
machine that takes effect late, and the second opens a list or ends the program."""

FOLLOWS = 0.2
"""By which part of the window the moment of the next dialog follows the last. On a busy machine it
is off by seconds in the beginning, and dialogs that come long before the paste say little."""

MEASURED = 2
"""Dialogs by which a run learns how long one takes to come up; after that the moments follow."""

TROUBLES = 5
"""This many rounds that could not be judged, one after the other, end a run."""


def main() -> int:
    """Open what is asked for and not done yet; write the page. 1: not all stood, or too few."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=CLAIM, help="dialogs, with those of before")
    parser.add_argument("names", nargs="+", metavar="CONFIG", help=f"of {', '.join(CASES)}; or all")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: end what was started
    names = [*CASES] if given.names == ["all"] else given.names
    for name in names:
        if name not in CASES:
            parser.error(f"unknown configuration '{name}'; there are: {'; '.join(CASES)}")
    return max(run(name, given.rounds) for name in names)


def run(name: str, rounds: int) -> int:
    """Open dialogs in the configuration ``name`` until its runs have ``rounds`` of them."""
    case, version = CASES[name], ClaudeCode().version
    troubles = answered = 0
    while _left(name, rounds) > 0 and not answered and troubles < TROUBLES:
        counted = Run(name, version)
        try:
            with begun(case) as world:
                counted.counts["key"] = world.state()["submit"]["key"]
                _many(world, case, counted, rounds)
        except (AssertionError, OSError, TimeoutError, pytest.fail.Exception) as error:
            troubles = 1 if counted.counts["dialogs"] else troubles + 1
            if not counted.counts["answered"]:
                counted.unclear(str(error))
            _say(f"{name}: a round could not be judged: {error}")
        finally:
            counted.keep()
        answered += counted.counts["answered"]
    sums = summed(name, version)
    _say(f"{name}: {sums['answered']} of {sums['dialogs']} dialogs answered")
    return int(sums["answered"] > 0 or sums["dialogs"] < rounds)


def _left(name: str, rounds: int) -> int:
    """Say how many dialogs are left of ``rounds``, by what is kept of all runs."""
    return rounds - int(summed(name, ClaudeCode().version)["dialogs"])


@contextlib.contextmanager
def begun(case: Case) -> Iterator[Near]:
    """Start the program in the configuration, in a place of its own."""
    kit = ClaudeCode()
    kit.pause = PAUSE_SECONDS
    program = kit.install()
    with tempfile.TemporaryDirectory(prefix="torch-dialogs-", ignore_cleanup_errors=True) as root:
        home = kit.make_home(Path(root).resolve())
        world = Near(
            Path(root).resolve(), kit, program, Setup.CHORD, home=home, extra=case.variables
        )
        try:
            case.begin(world)
            with world.near():
                yield world
        finally:
            world.close()


def _many(world: Near, case: Case, counted: Run, rounds: int) -> None:
    """Open dialogs at moments that follow the last ones, as ``scenes.race_many`` does."""
    chance = random.Random(counted.counts["seed"])
    lead = until_paste(world)
    first = lead - until_dialog(world, case.dialog, MEASURED) - EARLY
    while _left(counted.name, rounds) > 0:
        seen = _round(world, case, counted, first + chance.uniform(0, WINDOW))
        first += FOLLOWS * WINDOW * TOO_EARLY.get(seen.moment, 0)
        counted.count(seen)
        counted.keep()
        if seen.why:
            return
        if counted.counts["dialogs"] % 10 == 0:
            sums = summed(counted.name, counted.version)
            _say(f"{counted.name}: {sums['answered']} of {sums['dialogs']} answered")


def _round(world: Near, case: Case, counted: Run, offset: float) -> Opened:
    """Open one dialog. If that fails although somebody has approved it, it counts as answered."""
    try:
        return opened(world, case.dialog, offset)
    except BaseException:
        if (world.home.work / "approved").exists():
            words, screen = "the program acted on an answer, and then hung", world.server.screens()
            counted.count(Opened("at an unknown moment", "unknown", words, False, screen))
        raise


def _say(words: str) -> None:
    sys.stderr.write(f"{datetime.datetime.now():%H:%M:%S} {words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
