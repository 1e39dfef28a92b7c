"""Runs a proof: makes a private place for it, starts the process that does it, and cleans up.

Nothing is left in any case: no process, no tmux server, no directory; of a proof whose processes
were all killed at once, the next one ends what was left. The result is kept in the
state directory, where ``programs/proof`` reads it.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.paths import make_private
from torch_cli.profiling.verify.leaving import STAGE_END_SECONDS, leave_nothing
from torch_cli.profiling.verify.left import end_left, noted
from torch_cli.profiling.verify.plan import Plan
from torch_cli.programs import proof
from torch_cli.programs.accepted import copy_of
from torch_cli.programs.profile import BUILT_IN, Profile
from torch_cli.programs.program import ask_version, find_program
from torch_cli.roster.registry import profile_named
from torch_cli.tmux.process import program as tmux_program

VERSION_WITHIN_SECONDS = 180.0
"""Seconds that a program gets to say its version: a proof may wait for a busy machine."""


class VerifyReport(NamedTuple):
    """The result of a proof. ``path`` says where it is kept, '' if it is not kept."""

    result: dict[str, Any]
    path: str

    @property
    def failures(self) -> list[dict[str, str]]:
        """What failed."""
        found: list[dict[str, str]] = self.result["failures"]
        return found


def verify(
    name: str,
    plan: Plan,
    *,
    command: str | None = None,
    quick: bool = False,
    niceness: int = 0,
    tell: Callable[[dict[str, Any]], None] = lambda said: None,
) -> VerifyReport:
    """Prove the program of the profile ``name``, or ``command``. ``tell`` gets the progress.

    Everything that is started steps back by ``niceness``, as nice(1) has it. What ``tell`` raises
    ends the proof.

    Raises ``RefusedError`` for a profile whose program has no stub, ``NotFoundError`` if the
    program is not there, ``TorchError`` if the proof itself failed; nothing is kept then.
    """
    profile = profile_named(name)
    if name not in proof.VERIFIABLE:
        raise RefusedError(
            f"'{name}' cannot be verified: Torch has no stub for its program; nothing was started",
            hint=f"These can: {', '.join(proof.VERIFIABLE)}.",
            code="not-verifiable",
        )
    program = _program(profile, command)
    began = time.monotonic()
    for ended in end_left():
        tell({"ended": str(ended)})
    root = Path(tempfile.mkdtemp(prefix="torch-")).resolve()
    with noted(root):
        try:
            version, found = _run(root, profile, program, plan, niceness, tell)
        finally:
            leave_nothing(root)
    result = {
        "schema": proof.PROOF_SCHEMA,
        "profile": name,
        "title": profile.title or name,
        "version": version,
        "profile_digest": proof.digest(profile),
        "binary": _binary(program),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "quick": quick,
        **found,
    }
    kept = not quick or bool(result["failures"])
    return VerifyReport(result, _keep(name, version, result) if kept else "")


def _run(
    root: Path,
    profile: Profile,
    program: str,
    plan: Plan,
    niceness: int,
    tell: Callable[[dict[str, Any]], None],
) -> tuple[str, dict[str, Any]]:
    """Return the version of the program, and the result of its proof in ``root``."""
    environ = _environment(root, profile, program)
    version = ask_version(profile, program, environ, VERSION_WITHIN_SECONDS)
    if not version:
        raise TorchError(
            f"{program} does not print its version, so nothing can be proven about it",
            hint=f"Run '{shlex.join([program, *profile.launch.version[1:]])}'.",
            code="no-version",
        )
    tell({"version": version, "program": program})
    return version, _prove(root, profile, plan, environ, niceness, tell)


def _program(profile: Profile, command: str | None) -> str:
    if command is not None:
        found = shutil.which(str(Path(command).expanduser().absolute()))
    else:
        found = find_program(profile, os.environ)
    if found is None:
        wanted = command or profile.launch.command[0]
        raise NotFoundError(
            f"no program '{wanted}' was found; nothing was started",
            hint="Install it, or give its path with --command.",
            code="no-program",
        )
    return str(Path(found).absolute())


def _environment(root: Path, profile: Profile, program: str) -> dict[str, str]:
    """Return the environment of the proof, with the program first on the PATH.

    It gets your own profile if you have one, and nothing else of yours.
    """
    folder = root / "bin"
    folder.mkdir()
    start = folder / profile.launch.command[0]
    start.write_text(f'#!/bin/sh\nexec {shlex.quote(program)} "$@"\n')
    start.chmod(0o755)
    home = root / "torch"
    if profile.source != BUILT_IN:
        for own in (home / "config" / "profiles", home / "accepted"):
            own.mkdir(parents=True)
            shutil.copy(copy_of(profile.name), own / f"{profile.name}.toml")
    environ = {
        "HOME": str(root / "home"),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)]),
        "SHELL": "/bin/sh",
        "TERM": "xterm-256color",
        "TMUX_TMPDIR": str(root),
        "TORCH_HOME": str(home),
        "TORCH_TMUX": shutil.which(tmux_program()) or tmux_program(),
    }
    if "PYTHONPATH" in os.environ:  # Torch itself may be there
        environ["PYTHONPATH"] = str(Path(__file__).parents[3])
    (root / "home").mkdir()
    return environ


def _prove(
    root: Path,
    profile: Profile,
    plan: Plan,
    environ: Mapping[str, str],
    niceness: int,
    tell: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Run the process that proves; return its result."""
    errors = root / "errors"
    with errors.open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-m", "torch_cli.profiling.verify"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environ),
            cwd=root,
            text=True,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the proof
        )
    result: dict[str, Any] | None = None
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        tell({"pid": child.pid})
        if niceness:  # before it knows what to do: all that it starts takes it over
            os.setpriority(os.PRIO_PROCESS, child.pid, niceness)
        order = {"root": str(root), "profile": profile.name, "plan": plan._asdict()}
        child.stdin.write(json.dumps(order) + "\n")
        child.stdin.flush()
        for line in child.stdout:
            said = json.loads(line)
            result = said.get("result", result)
            tell(said)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL if result is None else signal.SIGTERM)
        with contextlib.suppress(OSError):
            child.communicate(timeout=STAGE_END_SECONDS)
    if result is None:
        raise TorchError(
            f"the proof itself failed: {errors.read_text(errors='replace').strip()[-2000:]}",
            hint="Nothing was kept. This is a fault in Torch, not in the program.",
            code="broken-proof",
        )
    return result


def _binary(program: str) -> dict[str, Any]:
    """Return what identifies the program's file."""
    real = os.path.realpath(program)
    with open(real, "rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return {"path": program, "file": real, "bytes": os.path.getsize(real), "sha256": digest}


def _keep(name: str, version: str, result: dict[str, Any]) -> str:
    """Write the result, whole or not at all, where deliveries look for it; return the path."""
    path = Path(proof.path_of(name, version))
    try:
        make_private(str(path.parent))
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(path)
    except OSError as error:
        raise TorchError(f"{path} cannot be written: {error.strerror}; nothing was kept") from None
    return str(path)
