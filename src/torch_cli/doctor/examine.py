"""The problems of this machine, as values: what was looked at, its state, what to do.

Nothing is changed, except that a few kilobytes are written to the state directory and removed.
"""

import contextlib
import enum
import locale
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch_cli import duration, paths
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.programs.loading import list_profiles, load_profile
from torch_cli.programs.profile import BUILT_IN, Profile
from torch_cli.programs.program import ask_version, find_program
from torch_cli.programs.proof import VERIFIABLE, proof_of
from torch_cli.programs.setup import hooks_installed
from torch_cli.roster.registry import knows_chord, profiles_dir
from torch_cli.roster.safety import Degree, caution_of, safety_of
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.process import program as tmux_program
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import check_version, numbers

LITTLE_SPACE = 100 * 1024 * 1024
"""Bytes free on the disk of the state directory below which a warning is given."""

PROBE = b"torch doctor\n" * 1024


class Level(enum.StrEnum):
    """How much a finding matters: only a failure makes the exit status 1."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``advice`` says what to do, '' if nothing."""

    subject: str
    level: Level
    message: str
    advice: str = ""


def examine(socket: Socket, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    tmux, version = _tmux(environ)
    yield tmux
    yield _locale(environ)
    if tmux.level is not Level.FAILURE:
        yield from _frail(version)
        yield from _server(socket, version, environ)
    yield from _state_directory()
    store = _store()
    yield store
    if store.level is Level.OK:
        yield _scheduler()
        yield from _teams()
    yield _git(environ)
    yield _own_profiles()
    yield from _programs(environ)


def _tmux(environ: Mapping[str, str]) -> tuple[Finding, str]:
    """Ask the tmux program for its version; return the finding and that version, '' if none."""
    program = tmux_program()
    program = shutil.which(program) or program
    try:
        said = run(Socket(), "-V").out.strip()
        version = said.removeprefix("tmux ")
        check_version(version)
    except TorchError as error:
        return Finding("tmux", Level.FAILURE, error.message, error.hint), ""
    words = f"{said}, {program}"
    if environ.get("TORCH_TMUX"):
        words += " (TORCH_TMUX)"
    if not re.fullmatch(r"tmux \S+", said):
        words = f"{program} does not print its version as tmux does"
        advice = "Make TORCH_TMUX, or the PATH, lead to a tmux program."
        return Finding("tmux", Level.FAILURE, words, advice), ""
    return Finding("tmux", Level.OK, words), version


def _frail(version: str) -> Iterator[Finding]:
    """Name the faults of tmux that Torch can avoid for itself only (its issues 2828 and 4980)."""
    known = numbers(version)
    if known == (3, 2):
        yield Finding(
            "tmux",
            Level.NOTE,
            f"tmux {version} can end, with all its sessions, when a program ends in a pane with "
            "'remain-on-exit' while a control client is attached",
            "Torch keeps no dead panes there; leave that option off, or use tmux 3.3 or later.",
        )
    if known and known < (3, 7):
        yield Finding(
            "tmux",
            Level.OK,
            f"Torch connects to tmux {version} in a way that is safe; other programs that use "
            "'tmux -C' can end a server before tmux 3.7 (tmux issue 4980)",
        )


def _locale(environ: Mapping[str, str]) -> Finding:
    """Look at the variable that decides: the first of the three that is set."""
    names = ["LC_ALL", "LC_CTYPE", "LANG"]
    if environ.get("LC_CTYPE") in ("C.UTF-8", "UTF-8") and not _is_utf8(environ.get("LANG", "")):
        names.remove("LC_CTYPE")  # Python sets it for itself (PEP 538); the shell has it not
    name = next((name for name in names if environ.get(name)), "LANG")
    value = environ.get(name, "")
    if _is_utf8(value):
        return Finding("locale", Level.OK, f"{name}={value}")
    return Finding(
        "locale",
        Level.WARNING,
        f"no UTF-8 locale of this machine ({name}={value or 'unset'}): agent programs may draw "
        "with other characters than their profiles know",
        "Before tmux starts, set LANG to C.UTF-8 or to another locale that 'locale -a' lists.",
    )


def _is_utf8(name: str) -> bool:
    """Say whether ``name`` is a UTF-8 locale and installed."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name or "C")
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return re.search(r"utf-?8", name, re.IGNORECASE) is not None


def _server(socket: Socket, client: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        panes = list_panes(socket)
        server = run(socket, "-N", "display-message", "-p", "#{version}").out.strip()
    except NotFoundError as error:
        yield _no_server(socket, error.message, environ)
        return
    except TorchError as error:
        yield Finding("server", Level.FAILURE, error.message, error.hint)
        return
    if server and server != client:
        yield Finding(
            "server",
            Level.WARNING,
            f"the server at {socket} is tmux {server}, the tmux that Torch runs is {client}",
            "A server keeps its version until it ends; tmux may refuse to talk across versions. "
            "TORCH_TMUX can name the tmux of the server's version.",
        )
    count = len({pane.id for pane in panes})
    yield Finding("server", Level.OK, f"{socket} answers: {count} pane{'s' * (count != 1)}")


def _no_server(socket: Socket, said: str, environ: Mapping[str, str]) -> Finding:
    if environ.get("TMUX") and str(socket) == Socket.choose(None, None, environ).path:
        return Finding(
            "server",
            Level.FAILURE,
            f"TMUX names a server that does not answer: {said}",
            "Unset TMUX, or name a server with -L NAME or -S PATH.",
        )
    if re.search(r"permission|unsafe", said, re.IGNORECASE):
        return Finding(
            "server",
            Level.FAILURE,
            said,
            "Only you may have access to the socket and its directory.",
        )
    return Finding("server", Level.NOTE, f"no server at {socket}; 'torch spawn' starts one")


def _state_directory() -> Iterator[Finding]:
    """Write a file where the store is, or will be: permissions alone say too little."""
    directory = paths.state_dir()
    existing = directory
    while not os.path.lexists(existing) and existing != os.path.dirname(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        yield Finding(
            "state",
            Level.FAILURE,
            f"{existing} is not a directory",
            "Move it away, or set TORCH_HOME to another directory.",
        )
        return
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield Finding(
            "state",
            Level.FAILURE,
            f"{existing} cannot be written: {error.strerror}",
            "Fix its permissions or free some space, or set TORCH_HOME to another directory.",
        )
        return
    disk = os.statvfs(existing)
    free = disk.f_bavail * disk.f_frsize
    words = f"{directory}, {free / 2**30:.1f} GiB free"
    if free < LITTLE_SPACE:
        advice = "Free some space, or set TORCH_HOME to another disk."
        yield Finding("state", Level.WARNING, words, advice)
    else:
        yield Finding("state", Level.OK, words)
    with contextlib.suppress(FileNotFoundError):
        if os.stat(paths.database()).st_mode & 0o077:
            yield Finding(
                "state",
                Level.WARNING,
                f"others can read {paths.database()}, which contains every message",
                f"chmod 600 {shlex.quote(paths.database())}",
            )


def _store() -> Finding:
    from torch_cli.store import Store

    try:
        with Store(create=False) as store:
            said = [str(row[0]) for row in store.database.query("PRAGMA integrity_check")]
    except TorchError as error:
        if error.code == "no-store":
            return Finding("store", Level.NOTE, "does not exist yet; the first message makes it")
        return Finding("store", Level.FAILURE, error.message, error.hint)
    if said == ["ok"]:
        return Finding("store", Level.OK, "its integrity was checked")
    return Finding(
        "store",
        Level.FAILURE,
        f"{paths.database()} is damaged: {said[0]}",
        "Keep a copy, then move it away: Torch begins a new one.",
    )


def _scheduler() -> Finding:
    from torch_cli.store import Store

    with Store(create=False) as store:
        held = store.lease.at_work()
        idle = not store.checkins.names() and not store.messages.waiting()
    if held is not None:
        return Finding("scheduler", Level.OK, f"{held.kind}, process {held.process.pid}")
    return Finding(
        "scheduler",
        Level.NOTE if idle else Level.WARNING,
        "none is running" + ("" if idle else ", and check-ins or messages wait for one"),
        "Start one: 'torch daemon start'. Or have cron do it: 'torch crontab install'.",
    )


def _teams() -> Iterator[Finding]:
    """Look for files of teams that are up and on which the scheduler does not act."""
    from torch_cli.store import Store
    from torch_cli.teamfile.load import load_team
    from torch_cli.teams.trust import trust_of

    with Store(create=False) as store:
        for path in store.teams.paths():
            try:
                team = load_team(path)
                trust = trust_of(store, team)
            except TorchError as error:
                yield Finding("team", Level.WARNING, error.message.partition("\n")[0], error.hint)
                continue
            if trust.state != "same":
                advice = f"torch trust --dir {team.root}"
                yield Finding("team", Level.WARNING, f"{path}: {trust.words}", advice)


def _git(environ: Mapping[str, str]) -> Finding:
    """Look for git, and at the settings of checkpoints."""
    from torch_cli.checkpoint.settings import load_settings

    if shutil.which("git", path=environ.get("PATH")) is None:
        missing = "git is not on the PATH: no checkpoints are made"
        return Finding("checkpoints", Level.WARNING, missing, "Install git.")
    try:
        settings = load_settings()
    except TorchError as error:
        return Finding("checkpoints", Level.WARNING, error.message, error.hint)
    often = (
        f"every {duration.words(settings.every)}"
        if settings.every
        else "only of directories that are watched"
    )
    return Finding("checkpoints", Level.OK, f"of agents' directories, {often}")


def _own_profiles() -> Finding:
    """Say where the user's own profiles stand, and how many there are."""
    own = [source for _, source in list_profiles(profiles_dir()) if source != BUILT_IN]
    words = f"{len(own)} of your own" if own else "none of your own"
    return Finding("profiles", Level.OK, f"{words} in {profiles_dir()}")


def _programs(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look for the program of every profile, and at what it was told of Torch."""
    for name, _ in list_profiles(profiles_dir()):
        try:
            profile = load_profile(name, profiles_dir())
        except TorchError as error:
            yield Finding(f"profile {name}", Level.WARNING, error.message, error.hint)
            continue
        if not profile.launch.command or profile.process.shells:
            continue
        program = find_program(profile, environ)
        if program is None:
            missing = f"not installed: no '{profile.launch.command[0]}' on the PATH"
            yield Finding(name, Level.NOTE, missing, "Only needed for agents of this profile.")
            continue
        version = ask_version(profile, program, environ)
        yield _version(profile, program, version)
        yield from _submit(profile, version, environ)
        if profile.hooks.kind == "claude" and profile.launch.settings_flag:
            yield from _hooks(profile, environ)


def _version(profile: Profile, program: str, version: str | None) -> Finding:
    """Say whether the profile was proven with this version of the program."""
    if version is None:
        return Finding(
            profile.name,
            Level.WARNING,
            f"{program} does not print its version",
            f"Run '{shlex.join([program, *profile.launch.version[1:]])}' and see what it prints.",
        )
    words = f"{program}, version {version}" if version else program
    proof = proof_of(profile, version)
    if proof is not None and not proof.failures:
        return Finding(profile.name, Level.OK, f"{words}, proven on this machine on {proof.date}")
    if proof is not None:
        failed = f"{words}; on this machine failed: {'; '.join(proof.failures)}"
        return Finding(profile.name, Level.WARNING, failed, "Torch does not use what failed.")
    if version in profile.verified:
        return Finding(profile.name, Level.OK, words)
    if not profile.verified:
        return Finding(profile.name, Level.NOTE, f"{words}; {caution_of(profile, version)}")
    verify = f", or prove it here: torch profile verify {profile.name}"
    return Finding(
        profile.name,
        Level.WARNING,
        f"{words}; the profile was proven with {', '.join(profile.verified)}",
        "It will probably work. If a state is read wrongly: torch profile check --help"
        + (verify if profile.name in VERIFIABLE else ""),
    )


def _submit(profile: Profile, version: str | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say by which key messages to agents that Torch starts are submitted, and what that means."""
    chord = knows_chord(profile, environ, launched=True)
    safety = safety_of(profile, chord=chord, version=version or "")
    subject, levels = f"{profile.name} chord", {Degree.SAFE: Level.OK, Degree.SAFE_IDLE: Level.NOTE}
    level = levels.get(safety.degree, Level.WARNING)
    if profile.submit.chord_setup:
        words = f"{'installed' if chord else 'not installed'}: {safety.degree}, {safety.why}"
        advice = f"torch agent-setup {profile.name}" if not chord else safety.more
        yield Finding(subject, level, words, advice)
    elif safety.degree is not Degree.ENTER or profile.submit.chord:
        yield Finding(subject, level, f"{safety.degree}: {safety.why}", safety.more)


def _hooks(profile: Profile, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the hooks in the program's own settings, and whether what they call is there."""
    subject, advice = f"{profile.name} hooks", f"torch agent-setup {profile.name}"
    commands = hooks_installed(environ)
    if not commands:
        words = "not installed: the agents that 'torch spawn' starts have them, others do not"
        yield Finding(subject, Level.NOTE, words, advice)
    for command in sorted(set(commands.values())):
        program = shlex.split(command)[0]
        if shutil.which(program, path=environ.get("PATH")) is None:
            words = f"they call {program}, which does not exist"
            yield Finding(subject, Level.FAILURE, words, advice)
        else:
            yield Finding(subject, Level.OK, f"installed: they call {program}")
