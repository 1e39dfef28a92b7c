"""Live names for shell completion. Nothing here may print or fail."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from click import Context, Parameter

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Names that need no quotes in a shell. Others are not offered.
_PLAIN = re.compile(r"[\w.@%+-]+")
_COMPLETION_SECONDS = 1.0


def complete_agents(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the agents whose names begin with ``incomplete``; for a target, sessions and windows
    too.
    """
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        names |= _agents()
    if (param.name or "").startswith("target"):
        with contextlib.suppress(Exception):
            names = _windows(ctx) | names
    return _items(names, incomplete)


def complete_profiles(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the profiles whose names begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        from torch_cli.programs.loading import list_profiles
        from torch_cli.roster.registry import profiles_dir

        names = dict(list_profiles(profiles_dir()))
    return _items(names, incomplete)


def complete_own_profiles(
    ctx: Context, param: Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Return the user's own profiles whose names begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        from torch_cli.programs.loading import list_profiles
        from torch_cli.programs.profile import BUILT_IN
        from torch_cli.roster.registry import profiles_dir

        names = {name: at for name, at in list_profiles(profiles_dir()) if at != BUILT_IN}
    return _items(names, incomplete)


def complete_waiting(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the messages of the outbox whose ids begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        sql = "SELECT id, recipient FROM messages WHERE kept = 1 AND step <> 'done'"
        names = {identity: f"to {recipient}" for identity, recipient in _read(sql)}
    return _items(names, incomplete)


def complete_tasks(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the tasks that have not ended and whose ids begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        names = dict(_read("SELECT id, title FROM tasks WHERE state NOT IN ('done', 'failed')"))
    return _items(names, incomplete)


def complete_checkins(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the check-ins whose names begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        sql = "SELECT name, target FROM checkins WHERE state IN ('active', 'paused')"
        names = {name: f"for {target}" for name, target in _read(sql)}
    return _items(names, incomplete)


def complete_checkpoints(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the checkpoints of this worktree whose ids begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        from torch_cli.checkpoint.record import checkpoints
        from torch_cli.git.worktree import locate

        found = checkpoints(locate(ctx.params.get("directory") or "."))
        names = {"latest": "the newest that no restore has made"} | {
            one.id: f"{one.reason}: {one.counts}" for one in found
        }
    return _items(names, incomplete)


def complete_briefings(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the briefings whose names begin with ``incomplete``."""
    known: dict[str, str] = {}
    with contextlib.suppress(Exception):
        from torch_cli.teamfile.briefing import names, project_of

        known = names(project_of(ctx.params.get("directory") or "."))
    return _items(known, incomplete)


def complete_modes(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the modes of the agent named before on the command line."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        from torch_cli.roster.registry import profile_named

        profile = _agents()[ctx.params["target"]].removesuffix(" agent")
        names = {mode.name: "" for mode in profile_named(profile).modes.known}
    return _items(names, incomplete)


def complete_kinds(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the kinds of events that begin with ``incomplete``."""
    from torch_cli.attention.stream import EVENT_KINDS

    return _items(dict.fromkeys(EVENT_KINDS, ""), incomplete)


def complete_reportable(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the states that a program can report and that begin with ``incomplete``."""
    from torch_cli.programs.own_report import REPORTABLE

    return _items(dict.fromkeys(map(str, REPORTABLE), ""), incomplete)


def complete_sessions(ctx: Context, param: Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return the sessions whose names begin with ``incomplete``."""
    names: dict[str, str] = {}
    with contextlib.suppress(Exception):
        names = {session: "session" for session, _ in _pairs(ctx)}
    return _items(names, incomplete)


def _items(names: dict[str, str], incomplete: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(name, help=words)
        for name, words in sorted(names.items())
        if name.startswith(incomplete) and _PLAIN.fullmatch(name)
    ]


def _agents() -> dict[str, str]:
    found = _read("SELECT name, profile FROM agents WHERE stopped IS NULL")
    return {name: f"{profile} agent" for name, profile in found}


def _read(sql: str) -> list[tuple[str, str]]:
    """Read names from the store's file as it is: completion neither makes nor migrates it."""
    import sqlite3

    from torch_cli import paths

    quoted = paths.database().replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    uri = f"file:{quoted}?mode=ro"
    with contextlib.closing(
        sqlite3.connect(uri, uri=True, timeout=_COMPLETION_SECONDS)
    ) as connection:
        return connection.execute(sql).fetchall()


def _windows(ctx: Context) -> dict[str, str]:
    """Return the names of sessions, and of windows that only one has."""
    pairs = _pairs(ctx)
    windows = [window for _, window in pairs]
    names = {window: "window" for window in windows if windows.count(window) == 1}
    sessions = {session for session, _ in pairs}
    # A name of a session that is also the name of a window elsewhere is ambiguous as a target.
    return {
        **{name: words for name, words in names.items() if name not in sessions},
        **dict.fromkeys(sessions, "session"),
    }


def _pairs(ctx: Context) -> list[list[str]]:
    """Return the names of session and window of every window."""
    from torch_cli.tmux.process import run
    from torch_cli.tmux.socket import Socket

    given = [(c.params.get("socket_name"), c.params.get("socket_path")) for c in _upwards(ctx)]
    socket = Socket.choose(*next(filter(any, given), (None, None)))
    form = "#{session_name}\t#{window_name}"
    listed = run(socket, "-N", "list-windows", "-a", "-F", form, timeout=_COMPLETION_SECONDS)
    return [line.split("\t", 1) for line in listed.out.splitlines() if "\t" in line]


def _upwards(ctx: Context | None) -> Iterator[Context]:
    """Yield the command's context and those above it."""
    while ctx is not None:
        yield ctx
        ctx = ctx.parent
