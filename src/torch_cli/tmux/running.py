"""A server that must be there: asking it without a connection, and which one it is."""

import os
import socket
import stat

from torch_cli import procs
from torch_cli.intervals import INTERVALS
from torch_cli.tmux import quote
from torch_cli.tmux.control import no_server
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.version import check_version, note

MADE_SECONDS = 2.0
"""A socket was made within so many seconds of its server's start, which is in whole seconds."""

SERVER_FACTS = "#{version}\t#{socket_path}\t#{pid}\t#{start_time}"
"""What tells a server apart from every other, and what it is."""


def asked(at: Socket, *words: str) -> str:
    """Return what the server of ``at`` prints.

    Raises ``NotFoundError`` if there is none, ``RefusedError`` if tmux is too old.
    """
    done = run(at, "-N", *words)
    if done.status != 0:
        # An old tmux does not know -N. Its error would look like a server that is not there.
        check_version(run(at, "-V").out.strip().removeprefix("tmux "))
        raise no_server(at, done.error)
    return done.out


def server_at(at: Socket) -> tuple[str, str]:
    """Return what distinguishes the server of ``at`` (``Pane.server``), and the id of one of
    its sessions.

    It costs half as much as a list of 64 panes. Raises as ``asked`` does.
    """
    sessions = ("list-sessions", "-F", "#{session_id}")
    done = asked(at, "display-message", "-p", SERVER_FACTS, ";", *sessions)
    server, session, *_ = done.split("\n")
    note(at, server.partition("\t")[0])
    version, path, *process = server.split("\t")
    check_version(version)
    return "|".join([quote.printed(path, version), *process]), session


def was_killed(server: str) -> bool:
    """Return whether it is certain that the server (``Pane.server``) was killed while clients were
    attached: it ended without the end of its last session.

    tmux lets its socket be executed as long as a client is attached, and takes that back when it
    ends by itself, also by ``kill-server`` (3.3a, 2026-11-29). A server that was begun there since
    has a socket of its own, made later. ``False`` if nobody can tell.
    """
    path, pid, started = server.rsplit("|", 2)
    if procs.identify(int(pid)) is not None:
        return False  # it may be ending now
    try:
        found = os.stat(path)
    except OSError:
        return False
    own = abs(found.st_mtime - float(started)) < MADE_SECONDS and not is_heard(path)
    return own and stat.S_ISSOCK(found.st_mode) and bool(found.st_mode & stat.S_IXUSR)


def is_heard(path: str) -> bool:
    """Return whether a server listens at the socket ``path``, or may do so.

    It may if it takes no connection now: Linux says at once that its queue is full.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(INTERVALS.answer)
        try:
            client.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
