"""Programs whose screens nobody has seen: known by name, read as unknown, and never typed into."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from conftest import PATIENCE, TmuxServer, Torch
from test_profiles import refusal
from test_unknown_dialogs import SCREENS, look
from torch_cli.cli.agents.ps_shown import drawn_strangers
from torch_cli.cli.table import Paper, TableForm
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import list_profiles, load_profile
from torch_cli.programs.state import State
from torch_cli.store import Store
from torch_cli.tmux.panes import Pane
from torch_cli.watch.listing import Lookout
from torch_cli.watch.strangers import Stranger, strangers

UNREAD = [name for name, _ in list_profiles(None) if load_profile(name, None).unread]
NAMED = [name for name in UNREAD if name != "other"]


def start(tmux: TmuxServer, folder: Path, name: str) -> Pane:
    """Start a program with the name of that of a profile, which draws an input box."""
    program = folder / load_profile(name, None).launch.command[0]
    program.symlink_to(shutil.which("cat") or "")
    pane = tmux.new_session(name, f"printf '────\\n> \\n────\\nready\\n'; exec '{program}'")
    tmux.wait_for_text(pane, "ready")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == program.name, "the program")
    return pane


def found(tmux: TmuxServer) -> list[Stranger]:
    with Store() as store, Lookout(store) as lookout:
        return strangers(store, tmux.socket, lookout)


def test_the_programs_of_which_no_screen_is_known() -> None:
    assert UNREAD == ["antigravity", "crush", "cursor", "droid", "other"]


@pytest.mark.parametrize("name", UNREAD)
def test_every_screen_is_unknown_and_says_what_to_do(name: str) -> None:
    """Screens of all programs, boxes and dialogs, among them those that look like its own."""
    profile = load_profile(name, None)
    assert (profile.verified, profile.box.kind, profile.paste.framed_in) == ((), "none", ())
    for program, shown_name, shown in SCREENS:
        state = classify(shown, profile)
        if shown.dead:
            continue  # that it has ended, tmux says
        assert state.state is State.UNKNOWN, (program, shown_name)
        assert state.box is None
        assert state.dialog is not None or state.advice == profile.unread
    assert look("").state is State.UNKNOWN
    for word in ("torch attach {agent}", "torch report", "torch profile new"):
        assert word in profile.unread


@pytest.mark.parametrize("name", NAMED)
def test_one_that_runs_is_recognised_and_gets_nothing(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, name: str
) -> None:
    profile = load_profile(name, None)
    pane = start(tmux, tmp_path, name)
    stranger, *more = found(tmux)
    assert (stranger.pane.id, stranger.profile.name, more) == (pane.id, name, [])
    listed = drawn_strangers([stranger], TableForm(), Paper(200, colours=False))
    assert profile.title in listed[-1]
    assert f"torch adopt {pane.id} " in listed[-1]

    straight = torch("send", pane.id, "hello", "--timeout", "0", "--json")
    assert (straight.code, straight.json["state"]) == (4, "held"), straight
    adopted = torch("adopt", pane.id, "one")
    assert adopted.code == 0, adopted
    assert f"one  {name}" in adopted.out
    assert "it gets no messages" in adopted.err
    assert "protection" not in adopted.err, "of what never comes"

    state = torch("state", "one", "--json").json
    assert (state["state"], state["submit"]) == ("unknown", None)
    assert "torch attach one" in torch("ps").err
    for when in ("ready", "idle", "now"):
        held = torch("send", "one", "hello", "--when", when, "--timeout", "0", "--json")
        assert (held.code, held.json["state"]) == (4, "held"), held
    tmux.cmd("set-option", "-p", "-t", pane.id, "@torch_state", "waiting may I?")
    assert torch("state", "one", "--json").json["state"] == "waiting"
    assert torch("send", "one", "hello", "--timeout", "0").code == 4
    assert "hello" not in tmux.screen(pane)


def test_spawning_one_says_what_is_not_known(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back as soon as the program runs, instead of waiting for a box."""
    (tmp_path / "crush").write_text("#!/bin/sh\nprintf 'one\\ntwo\\n'\nexec cat\n")
    (tmp_path / "crush").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin")
    words = ("--profile", "crush", "--session", "agents", "--dir", str(tmp_path))
    done = torch("spawn", "one", *words, "--wait", str(PATIENCE), "--json")
    assert done.code == 0, done
    assert (done.json["state"], done.json["submit"]) == ("unknown", None)
    assert any("No screen of Crush is known" in note for note in done.json["notes"])
    listed = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    assert [(one["name"], one["state"]) for one in listed] == [("one", "unknown")]
    stopped = torch("stop", "one")
    assert stopped.code == 0, stopped


@pytest.mark.parametrize(
    "more",
    [
        'verified = ["1"]',
        '[box]\nkind = "prompt"\nprompt = "> "',
        '[[rules]]\nstate = "idle"\nname = "r"\nwhere = "bottom"\nmatch = "x"',
    ],
)
def test_such_a_profile_cannot_read_anything_besides(more: str) -> None:
    error = refusal(f'name = "x"\nunread = "Look at it."\n{more}\n')
    assert (
        "unread is for a profile without box, proven versions, and rules for idle" in error.message
    )
