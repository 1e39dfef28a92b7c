"""What is counted in a run of the e2e tests, program by program, and how it is written down."""

import datetime
import json
import math
import os
import platform
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from conftest import TMUX

DOCUMENTS = Path(__file__).parents[2] / "docs"


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided Clopper-Pearson upper bound of a proportion (0 hits: about 3/n)."""
    if hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(
            math.comb(trials, k) * middle**k * (1 - middle) ** (trials - k) for k in range(hits + 1)
        )
        low, high = (middle, high) if below > 1 - confidence else (low, middle)
    return high


@dataclass
class Tally:
    """What became of the messages of one kind in one set-up."""

    sent: int = 0
    exact: int = 0
    states: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        """Return what is printed of it."""
        states = ", ".join(f"{count} {state}" for state, count in self.states.most_common())
        times = self.milliseconds
        speed = f"{median(times):.0f} (max {max(times):.0f})" if times else "-"
        return [str(self.sent), str(self.exact), states, speed]


@dataclass
class Report:
    """Everything counted of one program, and sentences about what is not a count of messages.

    ``name`` is its profile's, ``title`` has its version; ``truth`` says what the ground truth is,
    and ``exact`` which changes to a text are the program's own.
    """

    name: str
    title: str
    truth: str = ""
    exact: str = ""
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def tally(self, setup: str, kind: str) -> Tally:
        """Return the tally of one kind of message in one set-up."""
        return self.tallies.setdefault((str(setup), kind), Tally())

    def add(self, other: "Report") -> None:
        """Take what another worker has counted."""
        for key, tally in other.tallies.items():
            mine = self.tally(*key)
            mine.sent += tally.sent
            mine.exact += tally.exact
            mine.states += tally.states
            mine.milliseconds += tally.milliseconds
            mine.failures += tally.failures
        self.notes += other.notes

    def rows(self) -> list[list[str]]:
        """Return the table, headings first."""
        headings = ["set-up", "content", "sent", "exact", "receipts", "ms, median (max)"]
        return [headings, *([*key, *tally.cells()] for key, tally in self.tallies.items())]

    def versions(self) -> str:
        """Return what the figures were measured with."""
        tmux = subprocess.run([TMUX, "-V"], capture_output=True, text=True, check=False).stdout
        date = datetime.datetime.now(datetime.UTC).date()
        return (
            f"{date}, {self.title}, {tmux.strip()}, Python {platform.python_version()}, "
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        )

    def printed(self) -> list[str]:
        """Return the lines that a person is shown at the end of the run."""
        rows = self.rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        cells = (
            [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows
        )
        return [*("  ".join(row).rstrip() for row in cells), *(f"* {note}" for note in self.notes)]

    def document(self) -> None:
        """Write down what a full run has counted, in ``docs/``."""
        headings, *rows = ([cell.replace("|", "\\|") for cell in row] for row in self.rows())
        table = [headings, ["---"] * len(headings), *rows]
        lines = [
            f"# Delivery to the real {self.title}",
            "",
            f"Measured {self.versions()}. Written by `make e2e-full`.",
            "",
            f"Ground truth is what reached {self.truth} on loopback. *Exact* is once, and "
            "identical but for what the profile publishes as the program's own doing: "
            f"{self.exact}. Refused kinds are exact when nothing reached the program. Times are "
            "those of the receipt, from acceptance to the last evidence.",
            "",
            *(f"- {note}" for note in self.notes),
            "",
            *("| " + " | ".join(row) + " |" for row in table),
        ]
        DOCUMENTS.mkdir(exist_ok=True)
        (DOCUMENTS / f"e2e-{self.name}.md").write_text("\n".join(lines) + "\n")

    def packed(self) -> str:
        """Return it as text, for the process that prints it."""
        tallies = [[*key, vars(tally)] for key, tally in self.tallies.items()]
        return json.dumps({**vars(self), "tallies": tallies})

    @classmethod
    def unpacked(cls, text: str) -> "Report":
        """Return what ``packed`` made a text of."""
        fields: dict[str, Any] = json.loads(text)
        tallies = {
            (setup, kind): Tally(**{**tally, "states": Counter(tally["states"])})
            for setup, kind, tally in fields.pop("tallies")
        }
        return cls(**fields, tallies=tallies)


REPORTS: dict[str, Report] = {}
"""The reports of this process by program."""
