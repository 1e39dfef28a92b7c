"""Proofs of new versions: what ``torch profile verify`` does, by itself and one at a time.

Only if the user's ``config.toml`` asks for it: it runs the installed programs for minutes. Whatever
ends the scheduler ends the proof, which leaves nothing.
"""

import contextlib
import enum
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch_cli.errors import TorchError
from torch_cli.intervals import INTERVALS
from torch_cli.profiling.verify.plan import WHOLE
from torch_cli.profiling.verify.run import VerifyReport, verify
from torch_cli.programs.profile import Profile
from torch_cli.programs.program import ask_version, find_program
from torch_cli.programs.proof import VERIFIABLE, proof_of
from torch_cli.roster.actor import TORCH
from torch_cli.roster.registry import profile_named
from torch_cli.settings import read_table, unknown, wrong
from torch_cli.store import Store

PLAN = WHOLE._replace(patience=90.0)
"""The whole proof, with more patience: it comes after everything else that the machine does."""

NICENESS = 19
"""As low as there is: nobody waits for it."""

CLOSING_SECONDS = 10.0
"""Seconds that a proof gets to clean up after itself when the scheduler ends."""


class ProofState(enum.StrEnum):
    """How far a proof is, or how it ended."""

    BEGUN = "begun"
    PROVEN = "proven"
    FAILED = "failed"
    """The program is not what its profile says."""
    BROKEN = "broken"
    """The proof itself could not be done."""


class Proven(NamedTuple):
    """What becomes of a proof; ``words`` name the keys that dialogs ignored, or say what failed."""

    profile: str
    version: str
    state: ProofState
    words: str = ""


def is_wanted() -> bool:
    """Say whether the daemon is to prove new versions; raises ``RefusedError`` for a wrong file."""
    table = read_table("profiles")
    for name in table:
        if name != "verify":
            raise unknown("profiles", name, ["verify"])
    wanted = table.get("verify", "off")
    if wanted not in ("auto", "off"):
        raise wrong('\'profiles.verify\' must be "auto" or "off"')
    return bool(wanted == "auto")


class Proofs:
    """Proves one version after the other. ``waits`` says that there is something to come back for
    soon.
    """

    def __init__(self) -> None:
        self.waits = False
        self._going: _Proof | None = None
        self._broken: dict[tuple[str, str], float] = {}

    def run(
        self, store: Store, now: float, *, may_begin: bool, until: Callable[[], bool]
    ) -> Iterator[Proven]:
        """Take what has ended, and begin the next if one ``may_begin``; yield what happened.

        ``now`` is in epoch seconds. Nothing more is begun once ``until`` says so.
        """
        self.waits = True
        if self._going is not None:
            if self._going.is_alive():
                return
            yield self._ended(store, self._going, now)
            self._going = None
        self.waits = False
        if not is_wanted():
            return
        if not may_begin:
            self.waits = True
            return
        for profile, program, version in _unproven(until):
            broken = self._broken.get((profile.name, version))
            if broken is None or not 0 <= now - broken < INTERVALS.proofs_again:
                self._going = _Proof(profile.name, program, version)
                self._going.start()
                self.waits = True
                yield Proven(profile.name, version, ProofState.BEGUN, program)
                return

    def _ended(self, store: Store, proof: "_Proof", now: float) -> Proven:
        if proof.report is None:
            self._broken[proof.profile, proof.version] = now
            proven = Proven(proof.profile, proof.version, ProofState.BROKEN, proof.error)
        else:
            proven = _proven(proof, proof.report)
        detail = {"version": proven.version, "state": proven.state, "words": proven.words}
        store.events.add("verify", proven.profile, detail, actor=TORCH.name)
        return proven

    def close(self) -> None:
        """End the proof that goes on, with everything that it has started."""
        if self._going is not None:
            self._going.end()


def _unproven(until: Callable[[], bool]) -> Iterator[tuple[Profile, str, str]]:
    """Yield each profile whose program here has a version that nobody has proven, and where."""
    for name in VERIFIABLE:
        if until():
            return
        try:
            profile = profile_named(name)
        except TorchError:
            continue  # the user's own, and wrong: 'torch doctor' says so
        program = find_program(profile, os.environ)
        version = ask_version(profile, program, os.environ) if program else ""
        if not (program and version) or version in profile.verified:
            continue
        if proof_of(profile, version) is None:
            yield profile, program, version


def _proven(proof: "_Proof", report: VerifyReport) -> Proven:
    version = str(report.result["version"])
    if report.failures:
        words = "; ".join(one["sentence"] for one in report.failures)
        return Proven(proof.profile, version, ProofState.FAILED, words)
    keys = [key["keys"] for key in report.result["keys"].values() if key["ignored"]]
    words = f"dialogs ignore {' and '.join(keys)}" if keys else "Enter is its only key"
    return Proven(proof.profile, version, ProofState.PROVEN, words)


class _Proof(threading.Thread):
    """One proof. It ends with this process, or by ``end``; its own processes then end as well."""

    def __init__(self, profile: str, program: str, version: str) -> None:
        super().__init__(name=f"proof of {profile}", daemon=True)
        self.profile, self.program, self.version = profile, program, version
        self.report: VerifyReport | None = None
        self.error = ""
        self._pid = 0
        self._ending = False

    def run(self) -> None:
        try:
            self.report = verify(
                self.profile, PLAN, command=self.program, niceness=NICENESS, tell=self._hear
            )
        except TorchError as error:
            self.error = error.message
        except Exception as error:  # a fault of Torch's: the scheduler says it, and goes on
            self.error = f"{type(error).__name__}: {error}"

    def _hear(self, said: dict[str, Any]) -> None:
        self._pid = said.get("pid", self._pid)
        if self._ending:
            raise TorchError("the scheduler ended before the proof did")

    def end(self) -> None:
        """End it, and wait ``CLOSING_SECONDS`` for that."""
        self._ending = True
        if self._pid and self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
        self.join(CLOSING_SECONDS)
