"""What ``torch doctor`` looks at, in order. Each thing that it looks at becomes one finding.

It changes nothing, except that it writes a few kilobytes to the state directory and removes them.
"""

import contextlib
import locale
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping

from torch_cli import duration, paths
from torch_cli.doctor.finding import Finding, Level
from torch_cli.doctor.logout import logout
from torch_cli.doctor.programs import killed_proofs, own_profiles, programs, unlogged_agents
from torch_cli.doctor.scheduler import at_start, scheduler
from torch_cli.doctor.snippet import in_tmux
from torch_cli.errors import NotFoundError, TorchError
from torch_cli.git.command import Git
from torch_cli.installed import adding_command
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.process import program as tmux_program
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import check_version, numbers, of_server

LITTLE_SPACE_BYTES = 100 * 1024 * 1024
"""Bytes free on the disk of the state directory below which a warning is given."""

MOST_NAMED = 5
"""Directories that one finding names."""


def examine(socket: Socket, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    tmux, version = _tmux(environ)
    yield tmux
    yield _locale(environ)
    if tmux.level is not Level.FAILURE:
        yield from _frail(version)
        server = list(_server(socket, version, environ))
        yield from server
        answers = server[-1].level is Level.OK
        yield from logout(socket, has_server=answers)
        yield from in_tmux(socket, has_server=answers)
    yield from _state_directory()
    store = _store()
    yield store
    if store.level is not Level.FAILURE:
        yield scheduler(has_store=store.level is Level.OK)
    yield from at_start()
    if store.level is Level.OK:
        yield from _teams()
        yield from _outside_git()
        yield from unlogged_agents()
    yield _python()
    yield _textual()
    yield _git()
    yield _checkpoints(environ)
    yield _notices(environ)
    yield _limits()
    yield own_profiles()
    yield from killed_proofs()
    yield from programs(environ)


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
            "tmux panes",
            Level.NOTE,
            f"tmux {version} can end, with all its sessions, when a program ends in a pane with "
            "'remain-on-exit' while a control client is attached",
            "Torch keeps no dead panes there; leave that option off, or use tmux 3.3 or later.",
        )
    if known and known < (3, 7):
        yield Finding(
            "tmux clients",
            Level.OK,
            f"Torch connects to tmux {version} in a way that is safe; other programs that use "
            "'tmux -C' can end a server before tmux 3.7 (tmux issue 4980)",
        )


def _locale(environ: Mapping[str, str]) -> Finding:
    """Look at the first of the three variables that is set: it decides."""
    names = ["LC_ALL", "LC_CTYPE", "LANG"]
    if environ.get("LC_CTYPE") in ("C.UTF-8", "UTF-8") and not _is_utf8(environ.get("LANG", "")):
        names.remove("LC_CTYPE")  # Python sets it for itself (PEP 538), not the shell
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
    """Return whether ``name`` is an installed UTF-8 locale."""
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
        server = of_server(socket)
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
    """Write a file where the store is, or will be. Permissions alone say too little."""
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
    if why := paths.unwritable(existing):
        yield Finding(
            "state",
            Level.FAILURE,
            f"{existing} cannot be written: {why}",
            "Fix its permissions or free some space, or set TORCH_HOME to another directory.",
        )
        return
    disk = os.statvfs(existing)
    free = disk.f_bavail * disk.f_frsize
    words = f"{directory}, {free / 2**30:.1f} GiB free"
    if free < LITTLE_SPACE_BYTES:
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
        return Finding("store", Level.OK, f"{paths.database()}: its integrity was checked")
    return Finding(
        "store",
        Level.FAILURE,
        f"{paths.database()} is damaged: {said[0]}",
        "Keep a copy, then move it away: Torch begins a new one.",
    )


def _teams() -> Iterator[Finding]:
    """Look for files of teams that are up and on which the scheduler does not act."""
    from torch_cli.store import Store
    from torch_cli.teamfile.load import load_team
    from torch_cli.teams.trust import TrustState, trust_of

    with Store(create=False) as store:
        for path in store.teams.paths():
            try:
                team = load_team(path)
                trust = trust_of(store, team)
            except TorchError as error:
                yield Finding("team", Level.WARNING, error.message.partition("\n")[0], error.hint)
                continue
            if trust.state is not TrustState.SAME:
                advice = f"torch trust --dir {team.root}"
                yield Finding("team", Level.WARNING, f"{path}: {trust.words}", advice)


def _outside_git() -> Iterator[Finding]:
    """Look for agents whose directory is in no repository."""
    from torch_cli.checkpoint.coverage import OUTSIDE_GIT_ADVICE, is_outside_git
    from torch_cli.store import Store

    with Store(create=False) as store:
        found: dict[str, list[str]] = {}
        for agent in store.agents.all():
            if is_outside_git(agent.directory):
                found.setdefault(agent.directory, []).append(agent.name)
    if found:
        named = [f"{path} ({', '.join(names)})" for path, names in found.items()]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        words = f"no checkpoints of {', '.join(named[:MOST_NAMED])}{more}: outside git"
        yield Finding("outside git", Level.WARNING, words, f"{OUTSIDE_GIT_ADVICE}.")


def _python() -> Finding:
    """Say which Python runs Torch."""
    return Finding("python", Level.OK, f"Python {sys.version.split()[0]}, {sys.executable}")


def _textual() -> Finding:
    """Look for the package that ``torch top`` needs."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Finding("torch top", Level.OK, f"Textual {version('textual')}")
    except PackageNotFoundError:
        lacks = "needs the package Textual, which is not installed"
        advice = f"Only for this command:\n{adding_command('textual')}"
        return Finding("torch top", Level.NOTE, lacks, advice)


def _git() -> Finding:
    """Ask git for its version."""
    try:
        said = Git("/", visible=True).text("--version")
    except TorchError as error:
        advice = error.hint or "Install it (apt-get install git, brew install git)."
        return Finding("git", Level.WARNING, error.message, advice)
    return Finding("git", Level.OK, f"{said}, {shutil.which('git')}")


def _checkpoints(environ: Mapping[str, str]) -> Finding:
    """Look at the settings of checkpoints."""
    from torch_cli.checkpoint.settings import load_settings

    if shutil.which("git", path=environ.get("PATH")) is None:
        missing = "git is not on the PATH: no checkpoints are made"
        return Finding("checkpoints", Level.WARNING, missing)
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


def _limits() -> Finding:
    """Look at the settings of what happens after a usage limit."""
    from torch_cli.health.settings import load_health_settings

    try:
        goes_on = load_health_settings().continue_after_limit
    except TorchError as error:
        advice = error.hint or "No agent goes on after a usage limit until it is right."
        return Finding("limits", Level.WARNING, error.message, advice)
    told = "" if goes_on else "not "
    return Finding("limits", Level.OK, f"agents are {told}told to go on after a usage limit")


def _notices(environ: Mapping[str, str]) -> Finding:
    """Look at the settings of notices, and whether there is a desktop for them."""
    from importlib.util import find_spec

    from torch_cli.attention.channels import desktop_command
    from torch_cli.attention.notify_settings import load_notify_settings

    try:
        settings = load_notify_settings()
    except TorchError as error:
        advice = error.hint or "The daemon tells you by its usual channels until it is right."
        return Finding("notices", Level.WARNING, error.message, advice)
    there = {
        "tmux": settings.tmux,
        "bell": settings.bell,
        "desktop": settings.desktop and desktop_command("", environ),
        "command": settings.command,
        "webhook": settings.webhook,
        "ntfy": settings.ntfy,
        "apprise": settings.apprise,
    }
    if settings.apprise and find_spec("apprise") is None:
        advice = "Install torch-cli with its extra 'apprise', or take the setting away."
        return Finding("notices", Level.WARNING, "apprise is not installed", advice)
    channels = ", ".join(name for name, is_there in there.items() if is_there)
    if not channels:
        return Finding("notices", Level.NOTE, "all channels are off: the daemon tells you nothing")
    return Finding("notices", Level.OK, f"by {channels} ('torch notify test' tries them)")
