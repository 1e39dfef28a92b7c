"""``torch attach``: this terminal, or the tmux client that one is in, shows the agent's window."""

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from conftest import SOURCE, TMUX, TmuxServer, Torch


@contextmanager
def terminal(tmux: TmuxServer, session: str) -> Iterator[tuple[str, int]]:
    """A terminal attached to ``session``; yields its name, and where to type."""
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    with subprocess.Popen(
        [TMUX, "-u", *tmux.socket.arguments, "attach-session", "-t", session],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    ) as client:
        os.close(theirs)
        try:
            tmux.wait_until(lambda: name in clients(tmux), f"a client on {name}")
            yield name, ours
        finally:
            client.kill()
            os.close(ours)


def clients(tmux: TmuxServer) -> dict[str, str]:
    """Return the session that each attached terminal shows."""
    listed = tmux.cmd("list-clients", "-F", "#{client_tty} #{session_name}").splitlines()
    return dict(line.split(" ", 1) for line in listed)


def test_inside_tmux_the_client_that_asks_is_switched_and_no_other(tmux: TmuxServer) -> None:
    mine = tmux.new_session("mine", "sh")
    tmux.new_session("yours", "cat")
    agent = tmux.new_session("agents", "cat")
    # In a terminal inside the pane's own, tmux knows by the environment alone where it is asked.
    within = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
    words = [f"PYTHONPATH={SOURCE}", *within, sys.executable, "-m", "torch_cli", "attach", agent.id]
    with ExitStack() as both:
        asking, _ = both.enter_context(terminal(tmux, "mine"))
        other, keyboard = both.enter_context(terminal(tmux, "yours"))
        # Without being told, tmux takes the client that was used last.
        os.write(keyboard, b"busy\r")
        tmux.wait_until(lambda: "busy" in tmux.screen("yours:"), "what was typed")
        tmux.cmd("send-keys", "-t", mine.id, "env " + shlex.join(words), "Enter")
        tmux.wait_until(lambda: clients(tmux)[asking] == "agents", "the switch")
        assert clients(tmux)[other] == "yours"


@pytest.mark.parametrize(("inside", "verb"), [(True, "switch-client"), (False, "attach-session")])
def test_json_gives_the_command_that_would_do_it(
    tmux: TmuxServer, torch: Torch, inside: bool, verb: str
) -> None:
    pane = tmux.new_session()
    env = {"TMUX": f"{pane.socket_path},1,0"} if inside else {"TMUX": "/elsewhere,1,0"}
    assert verb in torch("attach", pane.id, "--json", env=env).json["command"]


def test_without_a_terminal_nothing_is_attached(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session()
    done = torch("attach", pane.id)
    assert done.code == 2
    assert "needs a terminal" in done.err
