"""Proves the last published versions of the agent programs, and writes the table of versions.md.

``make versions`` runs it. It begins with the newest version of each program, and leaves out what it
has proven before: it may be interrupted at any time, and continues there. What was found stands in
versions.json; the page is made of nothing else, so that no row is written by hand.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from e2e import aider, claude, codex, gemini, kilo, opencode, qwen
from e2e.program import CACHE, NotInstalledError, Program
from torch_cli.errors import TorchError
from torch_cli.profiling.verify.plan import WHOLE
from torch_cli.profiling.verify.run import verify

FOUND, PAGE = Path(__file__).with_name("versions.json"), Path(__file__).with_name("versions.md")
LAST = 10
"""Published versions of each program that the page is about."""

PLAN = WHOLE._replace(patience=180.0)
"""The whole proof, and patience with a busy machine."""

KITS: dict[str, type[Program]] = {
    "claude": claude.ClaudeCode,
    "codex": codex.Codex,
    "gemini": gemini.Gemini,
    "opencode": opencode.OpenCode,
    "kilo": kilo.Kilo,
    "aider": aider.Aider,
    "qwen": qwen.Qwen,
}
PACKAGES = {
    "claude": "@anthropic-ai/claude-code",
    "codex": "@openai/codex",
    "gemini": "@google/gemini-cli",
    "opencode": "opencode-ai",
    "qwen": "@qwen-code/qwen-code",
    "kilo": "@kilocode/cli-linux-x64",
}
"""Those of npm; aider is Python's."""

HEAD = f"""\
# Versions of the agent programs

What `torch profile verify` finds of the last {LAST} published versions of each program, without
those before a release. `make versions` makes this page: it downloads a version, proves it against
the stub, and goes on with the next; `make versions PROGRAMS=codex COUNT=3` takes the three newest
of one. The rows are what was seen, with the day. A version that failed was proven a second time;
where that passed, the row says what had failed. What a proof is, and that it holds for the
machine on which it was made, is in [programs.md](programs.md#your-version-on-your-machine).

*proven*: everything held, and dialogs ignored each key that the profile has. *failed*: what is
named did not hold, and Torch does not use it where that proof is kept. *open*: the proof
itself failed, or something did not hold on a machine with so much else to do (its load average
over 15 minutes stands there) that this may be why; `make versions` proves such a version again.
That average counts work of a lower priority too, although it gives way to the proof: beside such
work a fault is called *open* sooner than it had to be, and never the other way round.
"""

BUSY = 2
"""Load for each processor from which on what fails may be the machine's fault."""

UNDECIDED = ("open", "not installed")
"""Verdicts that the next run tries to improve on."""

BELIEVED = {True: "ignored", None: "too few dialogs", False: "not believed"}


def main() -> int:
    """Prove what is asked for and not known yet; write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=LAST, help="of the newest of each program")
    parser.add_argument("programs", nargs="*", default=[*KITS])
    given = parser.parse_args()
    known = read()
    found, newest = known["found"], known["published"]
    newest |= {name: _published(name)[-LAST:][::-1] for name in given.programs}
    for place in range(given.count):
        for name in given.programs:
            for version in newest[name][place : place + 1]:
                if not _known(found, name, version):
                    _say(f"{name} {version}")
                    row = _prove(name, version)
                    found[:] = [one for one in found if not _is(one, name, version)] + [row]
                    _write(known)
                    _say(f"{name} {version}: {row['verdict']}")
    _write(known)
    return 0


def read() -> dict[str, Any]:
    """Return what is known: the rows that were ``found``, and the ``published`` versions."""
    if not FOUND.exists():
        return {"found": [], "published": {}}
    known: dict[str, Any] = json.loads(FOUND.read_text(encoding="utf-8"))
    return known


def _say(words: str) -> None:
    sys.stderr.write(f"{datetime.datetime.now():%H:%M:%S} {words}\n")


def _known(found: list[dict[str, Any]], name: str, version: str) -> bool:
    """Say whether a version has its verdict; one that is open or was not had is tried again."""
    return any(_is(one, name, version) and one["verdict"] not in UNDECIDED for one in found)


def _is(row: dict[str, Any], name: str, version: str) -> bool:
    return bool((row["program"], row["version"]) == (name, version))


def _published(name: str) -> list[str]:
    """Return the released versions, the newest last."""
    if name in PACKAGES:
        words = ["npm", "view", PACKAGES[name], "versions", "--json"]
        said = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    else:
        words = [sys.executable, "-m", "pip", "index", "versions", "aider-chat", "--json"]
        said = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        said = said["versions"][::-1]
    return [one for one in said if one.replace(".", "").isdigit()]


def _prove(name: str, version: str) -> dict[str, Any]:
    """Download a version, prove it, remove it again unless the tests need it; return its row."""
    kit = KITS[name]()
    own = kit.version
    kit.version = version
    row = {"program": name, "title": kit.title, "version": version}
    row |= {"date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    try:
        program = kit.install()
    except NotInstalledError as error:
        return row | {"verdict": "not installed", "words": str(error).partition("\n")[0][:200]}
    try:
        first = _verdict(name, program)
        if first["verdict"] != "failed":
            return row | first
        again = _verdict(name, program)
        if again["verdict"] == "proven":
            again["words"] += f"; at the first try: {first['words']}"
        return row | again
    finally:
        if version != own:
            shutil.rmtree(CACHE / f"{name}-{version}", ignore_errors=True)


def _verdict(name: str, program: Path) -> dict[str, Any]:
    """Prove the program once, and say what was found."""
    with tempfile.TemporaryDirectory(prefix="torch-versions-") as home:
        os.environ["TORCH_HOME"] = home
        try:
            report = verify(name, PLAN, command=str(program))
        except TorchError as error:
            verdict = "failed" if error.code == "no-version" else "open"  # else it is Torch's fault
            return {"verdict": verdict, "words": error.message[:300]}
    result = report.result
    keys = [f"{one['keys']}: {BELIEVED[one['ignored']]}" for one in result["keys"].values()]
    load = round(os.getloadavg()[2])
    failed = "open" if load > BUSY * (os.cpu_count() or 1) else "failed"
    return {
        "verdict": failed if report.failures else "proven",
        "words": "; ".join(one["sentence"] for one in report.failures),
        "keys": keys,
        "held": sum(result["held"].values()),
        "total": result["total"],
        "seconds": round(result["seconds"]),
        "load": load,
    }


def _write(known: dict[str, Any]) -> None:
    FOUND.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(known), encoding="utf-8")


def page(known: dict[str, Any]) -> str:
    """Return the page: a table of what was found, and which published versions were not tried."""
    found = known["found"]
    lines = [HEAD]
    for name, kit in KITS.items():
        rows = sorted((one for one in found if one["program"] == name), key=_order, reverse=True)
        lines.append(f"## {kit.title}\n")
        if rows:
            lines += [
                "| version | verdict | held | keys | what failed | load | day |",
                "|---|---|---|---|---|---|---|",
            ]
            lines += [_row(one) for one in rows]
            lines.append("")
        tried = [one["version"] for one in found if one["program"] == name]
        left = [one for one in known["published"].get(name, []) if one not in tried]
        if left:
            lines.append(f"Published, and not tried yet: {', '.join(left)}.\n")
    return "\n".join(lines)


def _order(row: dict[str, Any]) -> list[int]:
    return [int(part) for part in row["version"].split(".")]


def _row(one: dict[str, Any]) -> str:
    held = f"{one['held']} of {one['total']}" if "held" in one else ""
    words = one["words"].replace("|", "\\|").replace("\n", " ")
    cells = [
        one["version"],
        one["verdict"],
        held,
        ", ".join(one.get("keys", [])),
        words,
        str(one.get("load", "")),
        one["date"],
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
