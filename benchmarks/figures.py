"""Samples, what is made of them, and the table."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table; ``samples`` are milliseconds, none if it could not be measured.

    ``compared`` is the figure that the target is about, in words, ``value`` and ``limit`` the same
    in numbers: ``limit`` is the largest value wanted, or the smallest where ``at_least``.
    """

    group: str
    what: str
    samples: tuple[float, ...]
    compared: str = ""
    value: float = 0.0
    limit: float | None = None
    at_least: bool = False
    wanted: str = ""

    @property
    def met(self) -> str:
        """``yes`` or ``no``, empty if nothing is wanted."""
        if self.limit is None:
            return ""
        return "yes" if (self.value >= self.limit) is self.at_least else "no"

    @property
    def in_words(self) -> str:
        """The row in one line, for who waits for the table."""
        middle = f"median {median(self.samples):.1f} ms" if self.samples else ""
        met = self.met and f"met: {self.met}"
        return ", ".join(filter(None, [self.what, middle, self.compared, self.wanted, met]))

    def as_json(self) -> dict[str, object]:
        """Return the row's figures for programs."""
        return {
            "group": self.group,
            "what": self.what,
            "min_ms": round(min(self.samples), 3) if self.samples else None,
            "median_ms": round(median(self.samples), 3) if self.samples else None,
            "p95_ms": round(p95(self.samples), 3) if self.samples else None,
            "runs": len(self.samples),
            "compared": self.compared,
            "value": round(self.value, 3),
            "limit": self.limit,
            "wanted": self.wanted,
            "met": self.met,
        }


def median(samples: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    """Return the smallest sample that 95 of 100 are not above."""
    return sorted(samples)[math.ceil(0.95 * len(samples)) - 1]


def _figures(samples: Sequence[float]) -> tuple[str, str, str, str]:
    """Return the cells of the samples; ``-`` says that there are none."""
    if not samples:
        return "-", "-", "-", "0"
    values = min(samples), median(samples), p95(samples)
    least, middle, most = (f"{value:.1f}" for value in values)
    return least, middle, most, str(len(samples))


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for people, a blank line between groups."""
    head = ("", "min ms", "median", "p95", "runs", "compared", "wanted", "met")
    cells = [
        (
            row.what,
            *_figures(row.samples),
            row.compared,
            row.wanted,
            row.met,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]

    def line(values: Sequence[str]) -> str:
        numbers = range(1, 5)
        padded = (
            value.rjust(width) if column in numbers else value.ljust(width)
            for column, (value, width) in enumerate(zip(values, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    lines = [line(head), line(["-" * width for width in widths])]
    for number, (row, values) in enumerate(zip(rows, cells, strict=True)):
        if number and row.group != rows[number - 1].group:
            lines.append("")
        lines.append(line(values))
    return "\n".join(lines)
