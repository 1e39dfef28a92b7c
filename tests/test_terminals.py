"""The terminals of the people at a server, and their bell."""

import contextlib
import os
import pty
import select
import subprocess
import time
from pathlib import Path

from agent import DemoAgent
from conftest import PATIENCE, TMUX, wait_until
from test_move import looking
from torch_cli.tmux.terminals import Terminal, is_seen, ring, terminals


def test_terminals_ring_unless_their_owner_wants_no_bell(demo: DemoAgent) -> None:
    with demo.tmux.client() as client:
        assert terminals(client) == []
        with looking(demo.tmux, "agents") as name:
            (one,) = terminals(client)
            assert (one.name, one.device, one.pane, one.rings) == (name, name, demo.pane.id, True)
            assert 0 <= time.time() - one.touched < PATIENCE
            assert ring(terminals(client)) == 1
            for option, value in (("bell-action", "none"), ("visual-bell", "on")):
                demo.tmux.cmd("set-option", "-g", option, value)
                assert ring(terminals(client)) == 0, option
                demo.tmux.cmd("set-option", "-gu", option)


def test_a_program_that_shows_a_session_by_control_mode_sees_its_panes(demo: DemoAgent) -> None:
    """As iTerm2 does. Torch itself does not look."""
    device = demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{pane_tty}").strip()
    demo.tmux.new_session("other", "cat")
    form = ("list-clients", "-F", "#{session_name} #{client_flags}")
    with demo.tmux.client() as client:
        assert not is_seen(client, demo.pane.id, device)
        for session, seen in (("other", False), ("agents", True)):
            words = [TMUX, *demo.tmux.socket.arguments, "-C", "attach-session", "-t", session]
            with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
                demo.tmux.wait_until(lambda: len(demo.tmux.cmd(*form).splitlines()) == 2, session)
                assert is_seen(client, demo.pane.id, device) is seen, demo.tmux.cmd(*form)
                program.kill()
            demo.tmux.wait_until(lambda: len(demo.tmux.cmd(*form).splitlines()) == 1, "its end")


def test_a_terminal_that_does_not_read_is_left_out(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    one = Terminal("x", os.ttyname(theirs), "%0", 0.0, rings=True)
    assert ring([one]) == 1
    assert os.read(ours, 10) == b"\a"
    os.set_blocking(theirs, False)

    def takes_no_more() -> bool:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(theirs, b"x")
        return ring([one]) == 0  # the kernel may have made room since

    wait_until(takes_no_more, what="a terminal that is full")
    file = tmp_path / "file"
    file.write_text("")
    others = [one._replace(device=str(file)), one._replace(device="/nowhere")]
    assert ring(others) == 0
    assert file.read_text() == ""
    assert select.select([ours], [], [], 0)[0]
    os.close(ours)
    os.close(theirs)
