"""Trying how a person is told."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import DemoAgent
from conftest import TMUX_VERSION, Torch
from test_move import looking
from test_notices import configure, keep_in, kept

SHOWS = pytest.mark.skipif(TMUX_VERSION < (3, 3), reason="display-message takes no client")


def states(demo: DemoAgent, **others: Any) -> tuple[int, dict[str, str]]:
    done = demo.torch("notify", "test", "--json", **others)
    return done.code, {one["channel"]: one["state"] for one in done.json["channels"]}


@SHOWS
@pytest.mark.skipif(sys.platform == "darwin", reason="a desktop that is there would be told")
def test_a_trial_says_what_became_of_it(demo: DemoAgent, tmp_path: Path) -> None:
    off = dict.fromkeys(("command", "webhook", "ntfy", "apprise"), "off")
    nobody = {"tmux": "nobody", "bell": "nobody", "desktop": "nobody", **off}
    assert states(demo) == (1, nobody)
    assert "you were not told by any channel" in demo.torch("notify", "test").err
    file = tmp_path / "notices"
    keep_in(file, "bell = false\ndesktop = false")
    assert states(demo) == (0, {**nobody, "bell": "off", "desktop": "off", "command": "told"})
    assert kept(file)[0]["count"] == 0
    configure('command = ["/bin/sh", "-c", "exit 3"]')
    assert states(demo) == (1, {**nobody, "command": "failed"})
    assert "'/bin/sh' of [notify] ended with status 3" in demo.torch("notify", "test").out
    configure("")
    (tmp_path / "bin").mkdir()
    shown = tmp_path / "shown"
    program = tmp_path / "bin" / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(shown))}\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    with looking(demo.tmux, "agents") as terminal:
        done = demo.torch("notify", "test", env={"PATH": path, "DISPLAY": ":9"})
        assert "a test: this is how" in demo.tmux.cmd("show-messages", "-t", terminal)
    assert (done.code, done.err) == (0, "")
    rows = [line.split(None, 2) for line in done.out.splitlines()]
    assert rows[1] == ["tmux", "told", "shown in 1 terminal"]
    assert rows[2] == ["bell", "told", "rung in 1 terminal"]
    assert rows[3] == ["desktop", "told", f"'{program}' ended with status 0"]
    assert rows[4][:2] == ["command", "off"]
    assert "a test: this is how" in shown.read_text()


@SHOWS
def test_a_trial_tells_at_each_server_once(demo: DemoAgent) -> None:
    """At that of the agents, also where another is asked for."""
    with looking(demo.tmux, "agents"):
        for words in ((), ("-S", demo.tmux.socket.file), ("-L", "nowhere")):
            done = demo.torch("notify", "test", "--json", *words)
            assert done.json["channels"][0]["words"] == "shown in 1 terminal", done.out


def test_settings_that_are_wrong_are_refused(torch: Torch) -> None:
    configure('dwel = "5s"')
    done = torch("notify", "test", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "bad-config")
