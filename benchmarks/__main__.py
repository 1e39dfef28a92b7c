"""``python -m benchmarks``: measure, print one table, and never fail because a clock says so."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from benchmarks import (
    attending,
    checkpoints,
    delivery,
    programs,
    scheduling,
    sending,
    startup,
    sweeping,
    watching,
)
from benchmarks.figures import Row, table
from benchmarks.lab import Installed, Lab, directory, lab, say
from torch_cli.tmux.process import program

GROUPS: dict[str, Callable[[Lab], Iterable[Row]]] = {
    startup.GROUP: startup.measure,
    sending.GROUP: sending.measure,
    delivery.GROUP: delivery.measure,
    sweeping.GROUP: sweeping.measure,
    watching.GROUP: watching.measure,
    attending.GROUP: attending.measure,
    scheduling.GROUP: scheduling.measure,
    checkpoints.GROUP: checkpoints.measure,
    **{kit.name: partial(programs.measure, kit) for kit in programs.KITS},
}
PROGRAMS = "programs"
"""The groups of all agent programs."""


def main() -> int:
    """Measure what the command line asks for; return 0, or 130 if Ctrl-C ended it.

    Each row is printed when it is measured, and what was measured before an interrupt is kept.
    """
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    names = [*GROUPS, PROGRAMS]
    parser.add_argument("--only", metavar="NAME", choices=names, help=" · ".join(names))
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there as well")
    asked = parser.parse_args()
    facts = machine()
    rows: list[Row] = []
    interrupted = False
    try:
        _measure(_groups(asked.only), rows)
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted: what follows was measured before that")
    facts["load average after"] = _load()
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), end="\n\n")
    print(table(rows) if rows else "nothing was measured")
    if asked.json:
        figures = {"machine": facts, "rows": [row.as_json() for row in rows]}
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 130 if interrupted else 0


def _measure(groups: list[str], rows: list[Row]) -> None:
    """Measure ``groups``, and add each row to ``rows`` as it comes."""
    with directory() as wheels:
        installed = Installed(wheels)
        for name in groups:
            # Every group has a server of its own: 256 windows would be felt by the others.
            with lab(installed) as place:
                say(f"measuring {name} ...")
                for row in GROUPS[name](place):
                    rows.append(row)
                    say(f"  {row.in_words}")


def _groups(only: str | None) -> list[str]:
    if only == PROGRAMS:
        return [kit.name for kit in programs.KITS]
    return [only] if only else list(GROUPS)


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    tmux = subprocess.run([program(), "-V"], capture_output=True, text=True, check=True)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "tmux": tmux.stdout.strip().removeprefix("tmux "),
        "load average before": _load(),
    }


def _load() -> str:
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
