"""What was counted of dialogs: kept run by run, summed up, and written as docs/dialogs.md.

A run is one start of the program in a configuration, with a seed of its own. It writes only its
own counts, so that runs add up, also those at the same time, and no later one takes away what an
earlier one has seen.
"""

import contextlib
import datetime
import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2e.configurations import CASES
from e2e.openings import Opened
from e2e.report import upper_bound
from e2e.scenes import SEED

DOCUMENTS = Path(__file__).parents[2] / "docs"
FOUND, PAGE = DOCUMENTS / "dialogs.json", DOCUMENTS / "dialogs.md"

CLAIM = 300
"""Dialogs of one configuration that a claim needs."""

COUNTS = ("dialogs", "answered", "unclear", "cut_short")

HEAD = f"""\
# Dialogs in the configurations that people have

`make dialogs CONFIG="vim, classic" ROUNDS={CLAIM}` makes this page. In one configuration of Claude
Code, with hooks and chord as `torch agent-setup` installs them, it sends a message (`… no, please
stop`) to the working program, and lets a dialog open at a seeded moment around paste and key. Where
it comes up before the paste, Torch must hold the message; where it comes later, the key may fall to
it. A dialog counts as answered unless it still stands when the message has its receipt, and nobody
has run what it asks about, or told the API. A round that could not be judged counts as *unclear*,
and not as a dialog.

A row is the sum of the *runs* of one configuration of one version, with the days on which they
were. Each run's seed and counts stand in `docs/dialogs.json`; none is ever taken out, and an
answered dialog stays in the sum. *bound* is the 95 % upper bound (Clopper-Pearson), *load* the load
average over 15 minutes. What each configuration is stands in `tests/e2e/configurations.py`.

"""

HEADINGS = "configuration | version | dialog | key | dialogs | answered | bound | came up | unclear"
HEADINGS += " | runs | load | day"


class Run:
    """The counts of one run, in the file from its beginning on."""

    def __init__(self, name: str, version: str) -> None:
        """Begin a run of a configuration, with the first seed that no run of it has had."""
        self.name, self.version = name, version
        with _found() as known:
            runs = _row(known, name, version)["runs"]
            seed = max([SEED - 1, *(one["seed"] or 0 for one in runs)]) + 1
            self.counts: dict[str, Any] = {"seed": seed, "key": "", **dict.fromkeys(COUNTS, 0)}
            self.counts |= {"moments": {}, "receipts": {}, "troubles": []}
            runs.append(self.counts)

    def keep(self) -> None:
        """Write the counts of this run, and the page; those of others stay as they are."""
        self.counts["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
        self.counts["load"] = round(os.getloadavg()[2])
        with _found() as known:
            runs = _row(known, self.name, self.version)["runs"]
            others = [one for one in runs if one["seed"] != self.counts["seed"]]
            runs[:] = [*others, self.counts]

    def count(self, seen: Opened) -> None:
        """Count what became of one round, and keep the screen of a dialog that was answered."""
        if seen.cut_short:  # no dialog came
            self.counts["cut_short"] += 1
            return
        self.counts["dialogs"] += 1
        for name, what in (("moments", seen.moment), ("receipts", f"{seen.state} ({seen.moment})")):
            self.counts[name][what] = self.counts[name].get(what, 0) + 1
        if seen.why:
            words = f"{seen.why} ({seen.moment}; the receipt says {seen.state})"
            self.answered(words, seen.screen)

    def answered(self, words: str, screen: str) -> None:
        """Count a dialog, counted before, as answered; it stays so."""
        self.counts["answered"] += 1
        self.counts |= {"words": words, "screen": screen}

    def unclear(self, words: str) -> None:
        """Count a round that could not be judged, and why."""
        self.counts["unclear"] += 1
        self.counts["troubles"].append(words.partition("\n")[0][:200])


def summed(name: str, version: str) -> dict[str, Any]:
    """Return the sum of the runs of a configuration and version, as a row of the page has it."""
    return total(_row(read(), name, version))


def total(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the file with the sums of its runs."""
    runs = [one for one in row["runs"] if any(one[name] for name in COUNTS)]
    sums = {name: sum(one[name] for one in runs) for name in COUNTS}
    moments: Counter[str] = Counter()
    for one in runs:
        moments.update(one["moments"])
    keys = list(dict.fromkeys(one["key"] for one in runs if one["key"]))
    spans = {"load": [one["load"] for one in runs], "date": [one["date"] for one in runs]}
    return {
        **row,
        **sums,
        "runs": len(runs),
        "runs_kept": runs,
        "moments": dict(moments),
        "key": ", ".join(keys),
        **{name: _span(values) for name, values in spans.items()},
    }


def _span(values: list[Any]) -> str:
    """Return the least and the greatest of some values, or the one that there is."""
    ends = sorted({min(values), max(values)}) if values else []
    return " to ".join(str(end) for end in ends)


# -- the file and the page -------------------------------------------------------------------------


def read() -> dict[str, Any]:
    """Return what is known: the rows that were ``found``, each with its runs."""
    if not FOUND.exists():
        return {"found": []}
    known: dict[str, Any] = json.loads(FOUND.read_text(encoding="utf-8"))
    return known


@contextlib.contextmanager
def _found() -> Iterator[dict[str, Any]]:
    """Lend what is known, to be changed by one process at a time; write it and the page."""
    with FOUND.with_name(".dialogs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read()
        yield known
        known["found"].sort(key=_order)
        unfinished = FOUND.with_name(".dialogs.unfinished")
        unfinished.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
        unfinished.replace(FOUND)
        PAGE.write_text(page(known), encoding="utf-8")


def _row(known: dict[str, Any], name: str, version: str) -> dict[str, Any]:
    """Return the row of a configuration and version, which is one of ``known`` from now on."""
    for row in known["found"]:
        if (row["configuration"], row["version"]) == (name, version):
            return dict(row)  # its list of runs is the same one
    row = {"configuration": name, "version": version, "kind": CASES[name].kind, "runs": []}
    known["found"].append(row)
    return row


def _order(row: dict[str, Any]) -> tuple[int, str]:
    names = [*CASES]
    name = row["configuration"]
    return names.index(name) if name in names else len(names), row["version"]


def page(known: dict[str, Any]) -> str:
    """Return the page: a table of what was counted, and which configurations were not tried."""
    found = [one for one in map(total, known["found"]) if one["runs"]]
    lines = [HEAD + f"| {HEADINGS} |", "|---" * (HEADINGS.count("|") + 1) + "|"]
    lines += [_cells(one) for one in found]
    lines.append("")
    left = [name for name in CASES if name not in {one["configuration"] for one in found}]
    if left:
        lines.append(f"Not tried yet: {'; '.join(left)}.\n")
    for one in found:
        for run in one["runs_kept"]:
            if run["answered"]:
                lines += [f"**{one['configuration']}**: {run['words']}\n", "```text"]
                lines += [run["screen"], "```\n"]
    return "\n".join(lines)


def _cells(one: dict[str, Any]) -> str:
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
        str(one["runs"]),
        one["load"],
        one["date"],
    ]
    return f"| {' | '.join(cells)} |"
