"""A server that must be there: asking it without a connection, and which one it is."""

import os
import stat

from torch_cli import procs
from torch_cli.tmux import quote
from torch_cli.tmux.control import no_server
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import check_version, note

SERVER_FACTS = "#{version}\t#{socket_path}\t#{pid}\t#{start_time}"
"""What tells a server apart from every other, and what it is."""


def asked(socket: Socket, *words: str) -> str:
    """Return what the server of ``socket`` prints.

    Raises ``NotFoundError`` if there is none, ``RefusedError`` if tmux is too old.
    """
    done = run(socket, "-N", *words)
    if done.status != 0:
        # An old tmux does not know -N. Its error would look like a server that is not there.
        check_version(run(socket, "-V").out.strip().removeprefix("tmux "))
        raise no_server(socket, done.error)
    return done.out


def server_at(socket: Socket) -> tuple[str, str]:
    """Return what distinguishes the server of ``socket`` (``Pane.server``), and the id of one of
    its sessions.

    It costs half as much as a list of 64 panes. Raises as ``asked`` does.
    """
    sessions = ("list-sessions", "-F", "#{session_id}")
    done = asked(socket, "display-message", "-p", SERVER_FACTS, ";", *sessions)
    server, session, *_ = done.split("\n")
    note(socket, server.partition("\t")[0])
    version, path, *process = server.split("\t")
    check_version(version)
    return "|".join([quote.printed(path, version), *process]), session


def was_killed(server: str) -> bool:
    """Return whether it is certain that the server (``Pane.server``) was killed while clients were
    attached: it ended without the end of its last session.

    tmux lets its socket be executed as long as a client is attached, and takes that back when it
    ends by itself, also by ``kill-server`` (3.3a, 2026-11-29). ``False`` if nobody can tell.
    """
    path, pid, _ = server.rsplit("|", 2)
    if procs.identify(int(pid)) is not None:
        return False  # it may be ending now
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISSOCK(mode) and bool(mode & stat.S_IXUSR)
