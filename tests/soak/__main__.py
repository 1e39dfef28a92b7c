"""``python -m soak``: run for some minutes with faults, drain, judge, and say how it was."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from types import FrameType
from typing import Any

from e2e import claude
from soak import faults, senders
from soak.oracle import Claim, Records, Sent, judge, passes
from soak.table import in_words, table
from soak.texts import number_of
from soak.world import BrokenError, World, make_root

DEMOS, CLAUDES, SENDERS, TROUBLES = 4, 2, 5, 3
"""How many agents of each kind, senders, and faults at a time."""

DRAIN = 90.0
"""Seconds after the last fault in which everything must be delivered or told."""

ASKS = "press Enter there"
"""So a receipt asks a person to look at a box."""

QUIET = 3.0
"""Seconds that nothing may wait before the agents' logs are read."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; return 0 if it passes, 1 if not, 2 if it could not run."""
    asked = _parser().parse_args(arguments)
    seed = asked.seed or str(int.from_bytes(os.urandom(3)))
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    program = None if asked.no_claude else claude.install()
    root = make_root()
    world = World(root, seed)
    print(f"soak: seed {seed}, {asked.minutes:g} min, in {root}", flush=True)
    keep = True
    try:
        world.open(DEMOS, 0 if asked.no_claude else CLAUDES, program)
        records, counted = run(world, asked.minutes * 60)
        keep = asked.keep
        findings = judge(records)
        good = passes(findings, len(records.sent))
        print(table(records, findings, counted))
        print(in_words(findings), flush=True)
        keep = keep or not good
        (root / "findings.txt").write_text(in_words(findings) + "\n")
        if not good:
            print(f"soak: FAILED with seed {seed}; the logs are in {root}")
        else:
            print(f"soak: good, with seed {seed}")
        return 0 if good else 1
    except BrokenError as error:
        print(f"soak: could not run: {error}; the logs are in {root}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"soak: interrupted; seed {seed}, the logs are in {root}", file=sys.stderr)
        return 130
    finally:
        world.close(keep=keep)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="with faults (5)")
    parser.add_argument("--seed", default="", help="repeats the choices of a run")
    parser.add_argument("--no-claude", action="store_true", help="demo agents only")
    parser.add_argument("--keep", action="store_true", help="keep the directory in any case")
    return parser


# -- the run ---------------------------------------------------------------------------------------


def run(world: World, seconds: float) -> tuple[Records, Counter[str]]:
    """Send for so long while things go wrong, let it drain, and return all that is known."""
    sent: list[Sent] = []
    counted: list[str] = []
    broken: list[BaseException] = []

    def guarded(what: Callable[..., None], *given: object) -> threading.Thread:
        def work() -> None:
            try:
                what(world, *given)
            except BaseException as error:
                if not world.quitting.is_set():
                    broken.append(error)
                    world.over.set()

        thread = threading.Thread(target=work, daemon=True, name=str(given[:1]))
        thread.start()
        return thread

    threads = [
        guarded(senders.send_many, f"sender-{n}", sent, counted) for n in range(1, SENDERS + 1)
    ]
    threads += [guarded(senders.check_in, sent)]
    threads += [guarded(faults.make_faults, f"faults-{n}", counted) for n in range(1, TROUBLES + 1)]
    ticks = guarded(senders.tick)
    until = time.monotonic() + seconds
    while time.monotonic() < until and not world.over.wait(1):
        world.look_after()
    world.over.set()
    for thread in threads:
        while thread.is_alive():
            thread.join(1)
            world.look_after()
    if broken:
        raise BrokenError(repr(broken[0])) from broken[0]
    world.note("drain")
    senders.end_repeats(world, sent)
    faults.put_right(world)
    claims = drain(world, sent)
    world.quitting.set()
    ticks.join()
    for agent in world.agents:
        (world.root / f"{agent.name}.screen").write_text(world.screen(agent))
    return _records(world, sent, claims), Counter(counted)


def drain(world: World, sent: list[Sent]) -> list[Claim]:
    """Wait until nothing waits any more, ``DRAIN`` seconds at most; return what Torch says."""
    deadline = time.monotonic() + DRAIN
    numbers = {one.number for one in sent}
    quiet = 0.0
    while True:
        claims = claims_of(world, numbers)
        known = {claim.number for claim in claims}
        missing = [
            one for one in sent if one.checkin and not one.repeats and one.number not in known
        ]
        waits = any(claim.waits for claim in claims) or any(
            one.attempts[-1].status == 0 for one in missing
        )
        heed(world, claims, sent)
        now = time.monotonic()
        quiet = 0.0 if waits else quiet or now
        if now > deadline or (quiet and now - quiet > QUIET):
            return claims
        world.look_after()
        world.quitting.wait(1)


def heed(world: World, claims: list[Claim], sent: list[Sent]) -> None:
    """Be the person who reads what Torch asks for, and does it, once for each message."""
    recipients = {one.number: one.recipient for one in sent}
    for claim in claims:
        asked = claim.waits and ASKS in claim.reason and not claim.reason.startswith("behind")
        if not asked or any(number == claim.number for number, _ in world.asked):
            continue
        agent = next(one for one in world.agents if one.name == recipients[claim.number])
        if world.box(agent):
            world.asked.append((claim.number, claim.reason))
            world.note("heeded", message=claim.number, agent=agent.name, words=claim.reason)
            world.press(agent, "Enter")


def claims_of(world: World, numbers: set[int]) -> list[Claim]:
    """Return what Torch says of every message; what it said by itself is left out."""
    done = world.torch("receipt", "-n", "1000000", "--json", *world.server.socket.arguments)
    world.others.append(("receipt", replace(done, out="")))
    claims = []
    for line in done.out.splitlines():
        told: dict[str, Any] = json.loads(line)
        number = number_of(told["preview"])
        if number is None or number not in numbers or told["preview"].startswith("Your message"):
            continue
        created = datetime.fromisoformat(told["created"]).timestamp()
        settled = created + told["elapsed_ms"] / 1000
        claims.append(
            Claim(number, told["id"], told["state"], told["reason"], told["kept"], settled, created)
        )
    return claims


def _records(world: World, sent: list[Sent], claims: list[Claim]) -> Records:
    errors = sorted(world.root.glob("daemon-*.err"))
    last = [(path.name, world.finished(path.read_text())) for path in errors]
    return Records(
        sent,
        claims,
        [arrival for agent in world.agents for arrival in agent.arrivals()],
        world.drafts,
        [arrived for agent in world.agents for arrived in agent.drafts()],
        [(agent.name, at) for agent in world.agents for at in agent.approved()],
        world.entered,
        world.ended,
        world.asked,
        [*world.others, *last],
        world.schedulers,
    )


if __name__ == "__main__":
    sys.exit(main())
