"""The terminals of the people at a server, and their bell."""

import contextlib
import os
import pty
import select
import time
from pathlib import Path

from agent import DemoAgent
from conftest import PATIENCE, wait_until
from test_move import looking
from torch_cli.tmux.terminals import Terminal, ring, terminals


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
