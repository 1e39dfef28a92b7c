"""``torch mode``: what the screen shows, and keys that are proven by it."""

import threading
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch, accept_profiles, wait_until
from torch_cli.programs.loading import STOCK


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "work")


def pressed(demo: DemoAgent) -> list[str]:
    """Return the keys that the program got."""
    return [event["key"] for event in demo.events("typed") if "key" in event]


def test_the_mode_is_shown(demo: DemoAgent) -> None:
    assert demo.torch("mode", "demo").out == "manual\n"
    assert "in manual mode" in demo.torch("state", "demo").out
    assert demo.torch("state", "demo", "--json").json["mode"] == "manual"
    assert pressed(demo) == []


def test_a_mode_is_switched_key_by_key_and_proven(demo: DemoAgent) -> None:
    done = demo.torch("mode", "demo", "auto", "--json")
    assert done.code == 0, done
    assert (done.json["mode"], done.json["before"], done.json["presses"]) == ("auto", "manual", 2)
    assert "auto mode on" in demo.screen()
    assert demo.torch("mode", "demo", "plan").out == "plan  (was auto)\n"
    assert pressed(demo) == ["mode"] * 4


def test_no_key_is_pressed_for_the_mode_that_is_on(demo: DemoAgent) -> None:
    assert demo.torch("mode", "demo", "manual", "--json").json["presses"] == 0
    assert pressed(demo) == []


def test_a_mode_of_another_program_is_refused(demo: DemoAgent) -> None:
    done = demo.torch("mode", "demo", "yolo")
    assert done.code == 2
    assert "manual, plan, auto" in done.err
    assert pressed(demo) == []


def test_a_mode_that_is_not_offered_leaves_it_where_it_was(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    write_profile(tmp_path, '\n[[modes.known]]\nname = "yolo"\nmatch = "YOLO"\n')
    spawn_demo(tmux, torch, tmp_path / "work")
    assert torch("mode", "demo", "plan").code == 0
    done = torch("mode", "demo", "yolo")
    assert done.code == 2, done
    assert "showed plan, auto, manual and is in plan mode again" in done.err
    assert torch("mode", "demo").out == "plan\n"


def test_a_key_without_effect_is_told(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    write_profile(tmp_path, "", ('cycle = ["BTab"]', 'cycle = ["F7"]'))
    spawn_demo(tmux, torch, tmp_path / "work")
    done = torch("mode", "demo", "plan")
    assert done.code == 6, done
    assert "no other mode than manual after F7" in done.err


def test_a_draft_behind_the_key_ends_it_with_the_mode_that_shows(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    write_profile(tmp_path, "", ('cycle = ["BTab"]', 'cycle = ["BTab", "x"]'))
    spawn_demo(tmux, torch, tmp_path / "work")
    done = torch("mode", "demo", "auto")
    assert done.code == 4, done
    assert "shows plan mode, but has a draft" in done.err


def test_a_draft_keeps_every_key_away(demo: DemoAgent) -> None:
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "half a tho")
    demo.tmux.wait_for_text(demo.pane, "half a tho")
    done = demo.torch("mode", "demo", "plan", "--timeout", "0.3")
    assert done.code == 4, done
    assert "draft" in done.err
    assert "mode" not in pressed(demo)


def test_a_dialog_keeps_every_key_away(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = demo.torch("mode", "demo", "plan")
    assert done.code == 4, done
    assert "Do you want to proceed?" in done.err
    assert pressed(demo) == []


def test_it_waits_for_the_end_of_the_work(demo: DemoAgent) -> None:
    assert demo.send("DELAY(4) go").code == 0
    assert demo.torch("mode", "demo", "plan").code == 0
    assert demo.torch("mode", "demo").out == "plan\n"
    (answer,) = demo.events("answer")
    (key,) = [event for event in demo.events("typed") if event.get("key") == "mode"]
    assert answer["t"] < key["t"]


def test_it_waits_while_something_else_stands_where_the_mode_is_shown(demo: DemoAgent) -> None:
    """After Ctrl-C the footer says how to leave, and no mode, until another key or some seconds."""
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-c")
    demo.tmux.wait_for_text(demo.pane, "Press Ctrl-C again to exit")
    said = wait_until(
        lambda: demo.torch("mode", "demo", "plan", "--timeout", "0").err, what="a word"
    )
    assert "shows no mode" in said
    clear = threading.Timer(2, demo.tmux.cmd, ["send-keys", "-t", demo.pane.id, "C-u"])
    clear.start()
    done = demo.torch("mode", "demo", "plan", "--timeout", "60")
    clear.join()
    assert done.out == "plan  (was manual)\n", f"{done}\n{demo.screen()}"


def test_a_profile_without_modes_is_told(tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("shells", "sh")
    done = torch("mode", pane.id)
    assert done.code == 2, done
    assert "has no modes" in done.err


def test_a_target_that_is_not_there_is_told(torch: Torch) -> None:
    assert torch("mode", "nobody", "plan").code == 3


def write_profile(tmp_path: Path, more: str, *changes: tuple[str, str]) -> None:
    """Put the demo profile, changed, where a user's own stands."""
    text = (Path(STOCK) / "demo.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    folder = tmp_path / "torch" / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "demo.toml").write_text(text + more)
    accept_profiles()
