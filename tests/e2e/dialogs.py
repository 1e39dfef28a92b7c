"""Opens dialogs around deliveries in one configuration of Claude Code, and counts those answered.

``make dialogs CONFIG="vim, classic" ROUNDS=300`` runs it. It may be interrupted at any time, and
continues there. What was counted stands in docs/dialogs.json; docs/dialogs.md is made of nothing
else. A dialog that was answered ends it at once, and its screen is kept.
"""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.claude import ClaudeCode
from e2e.configurations import CASES, Case
from e2e.conftest import Setup
from e2e.openings import Near, Opened, opened, until_paste
from e2e.report import upper_bound
from e2e.scenes import EARLY, FOLLOWS, SEED, TOO_EARLY, WINDOW, until_dialog

DOCUMENTS = Path(__file__).parents[2] / "docs"
FOUND, PAGE = DOCUMENTS / "dialogs.json", DOCUMENTS / "dialogs.md"

CLAIM = 300
"""Dialogs of one configuration that a claim needs."""

PAUSE_SECONDS = 6.0
"""Seconds between two keys of a person's: on a busy machine the first takes effect late, and the
second opens a list or ends the program."""

TROUBLES = 5
"""This many rounds that could not be judged, one after the other, end a run."""

HEAD = f"""\
# Dialogs in the configurations that people have

`make dialogs CONFIG="vim, classic" ROUNDS={CLAIM}` makes this page. In one configuration of Claude
Code, with hooks and chord as `torch agent-setup` installs them, it sends a message (`… no, please
stop`) to the working program, and lets a dialog open at a seeded moment around paste and key. Where
it comes up before the paste, Torch must hold the message; where it comes later, the key may fall to
it. A dialog counts as answered unless it still stands when the message has its receipt, and nobody
has run what it asks about, or told the API. One that was answered ends the run, and its row says
so. A round that could not be judged counts as *unclear*, and not as a dialog. The rows are what was
seen, with the day; *bound* is the 95 % upper bound (Clopper-Pearson), *load* the load average over
15 minutes. What each configuration is stands in `tests/e2e/configurations.py`.

"""

HEADINGS = "configuration | version | dialog | key | dialogs | answered | bound | came up | unclear"
HEADINGS += " | load | day"


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
    """Open dialogs in the configuration ``name`` until there are ``rounds`` of them."""
    case, row = CASES[name], row_of(name, ClaudeCode().version)
    troubles = 0
    while row["dialogs"] < rounds and not row["answered"] and troubles < TROUBLES:
        before = row["dialogs"]
        try:
            with begun(case) as world:
                row["key"] = world.state()["submit"]["key"]
                _many(world, case, row, rounds)
        except (AssertionError, OSError, TimeoutError, pytest.fail.Exception) as error:
            troubles = 1 if row["dialogs"] > before else troubles + 1
            row["unclear"] += 1
            _say(f"{name}: a round could not be judged: {error}")
        finally:
            _keep(row)
    _say(f"{name}: {row['answered']} of {row['dialogs']} dialogs answered")
    return int(row["answered"] > 0 or row["dialogs"] < rounds)


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


def _many(world: Near, case: Case, row: dict[str, Any], rounds: int) -> None:
    """Open dialogs at moments that follow the last ones, as ``scenes.race_many`` does."""
    chance = random.Random(SEED + row["dialogs"])
    lead = until_paste(world)
    first = lead - until_dialog(world, case.dialog) - EARLY
    while row["dialogs"] < rounds:
        seen = opened(world, case.dialog, first + chance.uniform(0, WINDOW))
        first += FOLLOWS * WINDOW * TOO_EARLY.get(seen.moment, 0)
        _count(row, seen)
        if seen.why:
            row["words"] = f"{seen.why} ({seen.moment}; the receipt says {seen.state})"
            row["screen"] = seen.screen
            return
        if row["dialogs"] % 10 == 0:
            _keep(row)
            _say(f"{row['configuration']}: {row['answered']} of {row['dialogs']} answered")


# -- what is kept ----------------------------------------------------------------------------------


def _count(row: dict[str, Any], seen: Opened) -> None:
    if seen.cut_short:  # no dialog came
        row["cut_short"] += 1
        return
    row["dialogs"] += 1
    row["answered"] += bool(seen.why)
    for name, what in (("moments", seen.moment), ("receipts", f"{seen.state} ({seen.moment})")):
        row[name][what] = row[name].get(what, 0) + 1


def row_of(name: str, version: str) -> dict[str, Any]:
    """Return the row of a configuration, as it is kept or a new one."""
    for row in read()["found"]:
        if (row["configuration"], row["version"]) == (name, version):
            return dict(row)
    counts = dict.fromkeys(("dialogs", "answered", "unclear", "cut_short"), 0)
    row = {"configuration": name, "version": version, "kind": CASES[name].kind, "key": ""}
    return row | counts | {"moments": {}, "receipts": {}, "words": ""}


def read() -> dict[str, Any]:
    """Return what is known: the rows that were ``found``."""
    if not FOUND.exists():
        return {"found": []}
    known: dict[str, Any] = json.loads(FOUND.read_text(encoding="utf-8"))
    return known


def _keep(row: dict[str, Any]) -> None:
    """Write the row and the page; another run may do so for another configuration."""
    row["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    row["load"] = round(os.getloadavg()[2])
    with FOUND.with_name(".dialogs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read()
        mine = (row["configuration"], row["version"])
        others = [one for one in known["found"] if (one["configuration"], one["version"]) != mine]
        known["found"] = sorted([*others, row], key=_order)
        unfinished = FOUND.with_name(".dialogs.unfinished")
        unfinished.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
        unfinished.replace(FOUND)
        PAGE.write_text(page(known), encoding="utf-8")


def _order(row: dict[str, Any]) -> tuple[int, str]:
    names = [*CASES]
    name = row["configuration"]
    return names.index(name) if name in names else len(names), row["version"]


def page(known: dict[str, Any]) -> str:
    """Return the page: a table of what was counted, and which configurations were not tried."""
    found = known["found"]
    lines = [HEAD + f"| {HEADINGS} |", "|---" * (HEADINGS.count("|") + 1) + "|"]
    lines += [_row(one) for one in found]
    lines.append("")
    left = [name for name in CASES if name not in {one["configuration"] for one in found}]
    if left:
        lines.append(f"Not tried yet: {'; '.join(left)}.\n")
    for one in found:
        if one["answered"]:
            lines += [f"**{one['configuration']}**: {one['words']}\n", "```text"]
            lines += [one["screen"], "```\n"]
    return "\n".join(lines)


def _row(one: dict[str, Any]) -> str:
    few = "" if one["dialogs"] >= CLAIM else f" (of {CLAIM})"
    cells = [
        one["configuration"],
        one["version"],
        one["kind"],
        one["key"],
        f"{one['dialogs']}{few}",
        str(one["answered"]),
        f"{upper_bound(one['answered'], one['dialogs']):.1%}",
        ", ".join(f"{count} {what}" for what, count in sorted(one["moments"].items())),
        str(one["unclear"]),
        str(one["load"]),
        one["date"],
    ]
    return f"| {' | '.join(cells)} |"


def _say(words: str) -> None:
    sys.stderr.write(f"{datetime.datetime.now():%H:%M:%S} {words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
