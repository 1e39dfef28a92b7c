"""A sweep over the agents of one server: what it sees, and what it does not look at twice."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent import spawn_demo
from conftest import TMUX_VERSION, TmuxServer, Torch
from torch_cli import procs
from torch_cli.programs.classify import classify
from torch_cli.programs.state import State
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import Pane, capture_rows
from torch_cli.watch import sweep
from torch_cli.watch.sweep import Sweep

SIZE = (40, 10)
RULE = "─" * SIZE[0]


class Stage:
    """Panes in which nothing runs but ``cat``, registered as demo agents and drawn on at will."""

    def __init__(self, tmux: TmuxServer, store: Store) -> None:
        self.tmux, self.store = tmux, store
        self.agents: dict[str, Agent] = {}

    def add(self, name: str) -> Pane:
        """Register an agent in a new pane that shows an empty box."""
        command = ("sh", "-c", "stty -echo; exec cat")
        if self.agents:
            pane = self.tmux.new_window("main", name, *command)
        else:
            pane = self.tmux.new_session("main", *command, size=SIZE)
        program = procs.identify(pane.pid)
        assert program is not None
        self.agents[name] = self.store.agents.add(
            Agent.of(pane, program, name=name, profile="demo", origin="adopted", directory="/")
        )
        self.draw(pane, "")
        return pane

    def draw(self, pane: Pane, text: str, status: str = "") -> None:
        """Have ``pane`` show the demo agent's box with ``text`` in it."""
        rows = [status, RULE, f"»\u00a0{text}", RULE, "  ? for help"]
        tty = self.tmux.cmd("display-message", "-p", "-t", pane.id, "#{pane_tty}")
        with open(tty, "wb", buffering=0) as screen:
            screen.write(
                b"\x1b[?7l\x1b[H"
                + "\r\n".join(f"\x1b[2K{row}" for row in rows).encode()
                + b"\x1b[J"
            )
        shown = [row.rstrip(" ") for row in rows]
        self.tmux.wait_until(
            lambda: self.tmux.screen(pane).split("\n")[: len(rows)] == shown, f"{text!r} drawn"
        )


@pytest.fixture
def stage(tmux: TmuxServer, store: Store) -> Stage:
    return Stage(tmux, store)


class Counted:
    """Counts what a sweep reads and classifies."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = self.classified = 0

        def reading(client: ControlClient, panes: Sequence[Pane]) -> list[str | None]:
            self.read += len(panes)
            return capture_rows(client, panes)

        def classifying(*args: object) -> object:
            self.classified += 1
            return classify(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(sweep, "capture_rows", reading)
        monkeypatch.setattr(sweep, "classify", classifying)

    def during(self, action: Callable[[], object]) -> tuple[int, int]:
        """Return how many screens ``action`` read and classified."""
        before = self.read, self.classified
        action()
        return self.read - before[0], self.classified - before[1]


def next_second() -> None:
    """Wait until the clock shows another second."""
    time.sleep(1.0 - time.time() % 1.0 + 0.01)


def test_each_agent_is_seen_as_it_is(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    idle, busy, asking = (
        spawn_demo(tmux, torch, tmp_path / name, name=name) for name in ("idle", "busy", "asking")
    )
    assert busy.send("DELAY(300)").code == 0
    asking.open_dialog()
    with tmux.client() as client, Store() as store:
        seen = Sweep(client, store).look(store.agents.all())
    assert {name: one.state.state for name, one in seen.items()} == {
        idle.name: State.IDLE,
        busy.name: State.WORKING,
        asking.name: State.WAITING,
    }
    assert seen["busy"].pane.id == busy.pane.id
    assert seen["busy"].reported > 0


def test_a_sweep_says_what_a_single_look_says(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "demo")
    [listed] = [json.loads(line) for line in torch("ps", "--json").out.splitlines()]
    looked_at = torch("state", "demo", "--json").json
    assert (listed["state"], listed["evidence"]) == (looked_at["state"], looked_at["evidence"])


def test_a_screen_that_did_not_change_is_neither_read_nor_classified_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    panes = [stage.add(name) for name in ("a", "b", "c")]
    agents = list(stage.agents.values())
    counted = Counted(monkeypatch)
    next_second()
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)
        assert counted.during(lambda: watch.look(agents)) == (3, 3)
        assert counted.during(lambda: watch.look(agents)) == (0, 0)
        stage.draw(panes[1], "a draft")
        assert counted.during(lambda: watch.look(agents)) == (1, 1)
        # The same picture is drawn anew: read, and found to be the same.
        stage.draw(panes[1], "a draft")
        assert counted.during(lambda: watch.look(agents)) == (1, 0)
        next_second()
        watch.look(agents)
        assert counted.during(lambda: watch.look(agents)) == (0, 0)


def test_the_frames_of_a_spinner_are_not_classified_one_by_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = stage.add("a")
    stage.draw(pane, "", "✳ Working… (1s)")
    counted = Counted(monkeypatch)
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)
        assert watch.look(stage.agents.values())["a"].state.state is State.WORKING
        stage.draw(pane, "", "✶ Working… (2s)")
        assert counted.during(lambda: watch.look(stage.agents.values())) == (1, 0)
        stage.draw(pane, "a draft", "✶ Working… (2s)")
        assert counted.during(lambda: watch.look(stage.agents.values()))[1] == 1
        stage.draw(pane, "a draft")
        assert watch.look(stage.agents.values())["a"].state.state is State.IDLE
        monkeypatch.setattr(sweep, "FRAME_SECONDS", 0.0)
        stage.draw(pane, "", "✳ Working… (3s)")
        watch.look(stage.agents.values())
        stage.draw(pane, "", "✶ Working… (4s)")
        assert counted.during(lambda: watch.look(stage.agents.values())) == (1, 1)


def test_no_change_is_missed_however_soon_it_follows(stage: Stage) -> None:
    """tmux tells only to the second when a window last wrote; several changes fall into one."""
    pane = stage.add("a")
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)
        for number in range(30):
            stage.draw(pane, f"draft {number}")
            state = watch.look(stage.agents.values())["a"].state
            assert state.box is not None
            assert state.box.text == f"draft {number}"


def test_changes_that_write_nothing_are_seen(stage: Stage) -> None:
    first, second = stage.add("a"), stage.add("b")
    next_second()
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)

        def states() -> list[State]:
            return [one.state.state for one in watch.look(stage.agents.values()).values()]

        assert states() == [State.IDLE, State.IDLE]
        stage.tmux.cmd("copy-mode", "-t", first.id)
        assert states() == [State.UNKNOWN, State.IDLE]
        stage.tmux.cmd("send-keys", "-t", first.id, "-X", "cancel")
        assert states() == [State.IDLE, State.IDLE]
        stage.tmux.cmd("resize-window", "-t", second.id, "-x", "30")
        assert states() == [State.IDLE, State.UNKNOWN]
        assert watch.look(stage.agents.values())["b"].pane.width == 30


def test_an_agent_whose_pane_is_gone_or_replaced_is_left_out(stage: Stage) -> None:
    stage.add("kept")
    gone, replaced = stage.add("gone"), stage.add("replaced")
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)
        assert list(watch.look(stage.agents.values())) == ["kept", "gone", "replaced"]
        stage.tmux.cmd("kill-pane", "-t", gone.id)
        stage.tmux.cmd("respawn-pane", "-k", "-t", replaced.id, "cat")
        assert list(watch.look(stage.agents.values())) == ["kept"]


def test_a_program_that_has_ended_is_seen_though_its_screen_stands(stage: Stage) -> None:
    stage.add("a")
    ended = stage.agents["a"]._replace(program_pid=2**22 + 1)
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)
        assert watch.look(stage.agents.values())["a"].state.state is State.IDLE
        assert watch.look([ended])["a"].state.state is State.EXITED


def test_a_new_hook_report_counts_without_a_new_screen(stage: Stage, torch: Torch) -> None:
    pane = stage.add("a")
    stage.draw(pane, "a draft hides the signs of work")
    next_second()
    with stage.tmux.client() as client:
        watch = Sweep(client, stage.store)
        before = watch.look(stage.agents.values())["a"]
        environ = {"TMUX": f"{pane.socket_path},{pane.server_pid},0", "TMUX_PANE": pane.id}
        event = '{"hook_event_name": "UserPromptSubmit", "prompt": "x"}'
        assert torch("hook", input=event, env=environ).code == 0
        after = watch.look(stage.agents.values())["a"]
    assert (before.state.state, before.reported) == (State.IDLE, 0.0)
    assert after.state.state is State.WORKING
    assert after.reported > 0


def test_odd_names_do_not_confuse_the_list(stage: Stage) -> None:
    pane = stage.add("a")
    stage.tmux.cmd("rename-window", "-t", pane.id, "first")  # or tmux goes on naming it itself
    # From 3.7 on tmux refuses control characters in names.
    odd = "x y $0 @0 %0" if TMUX_VERSION >= (3, 7) else "x\ty\n$0\t@0\t%0"
    stage.tmux.new_window("main", odd, "cat")
    stage.add("b")
    with stage.tmux.client() as client:
        seen = Sweep(client, stage.store).look(stage.agents.values())
    assert [one.pane.window for one in seen.values()] == ["first", "b"]
