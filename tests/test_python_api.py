"""The Python API: its page's examples run, and what it does is what the commands do."""

import contextlib
import io
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import libtmux
import pytest

import torch_cli
from agent import DemoAgent, spawn_demo
from conftest import SOURCE, TmuxServer, wait_until
from conftest import Torch as Command
from repository import Repository
from torch_cli import NotFoundError, Outcome, RefusedError, State, Torch

PAGE = Path(__file__).parents[1] / "docs" / "python-api.md"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the demo agent found on the PATH."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


@pytest.fixture
def api(tmux: TmuxServer, torch: Command) -> Torch:
    """Use Torch on the test's own tmux server and state."""
    return Torch(socket=tmux.socket.name)


@pytest.fixture
def demo(tmux: TmuxServer, torch: Command, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def test_the_examples_of_the_page_print_what_it_says(
    path: None, tmux: TmuxServer, torch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_TMUX_SOCKET", tmux.socket.name)
    repository = Repository.make(tmp_path / "project", {"a.py": "x = 1\n"})
    names = {"project": str(repository.path)}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(block, names)
    wanted = re.findall(r"^ *print\(.*\) +# (.+)$", "\n".join(blocks), re.MULTILINE)
    assert printed.getvalue().splitlines() == wanted
    assert len(wanted) == sum(block.count("print(") for block in blocks)


def test_all_that_is_public_is_there() -> None:
    for name in torch_cli.__all__:
        assert getattr(torch_cli, name) is not None
    assert not hasattr(torch_cli, "Store")


def test_importing_it_imports_neither_click_nor_rich_nor_libtmux() -> None:
    code = "import torch_cli; torch_cli.Torch(); import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=True,
    )
    assert not {"click", "rich", "libtmux", "apscheduler", "git"} & set(done.stdout.split())


def test_what_was_sent_from_python_is_what_the_agent_got(api: Torch, demo: DemoAgent) -> None:
    receipt = api.send("demo", "two\nlines and €")
    assert receipt.state is Outcome.CONFIRMED
    assert demo.submitted() == ["two\nlines and €"]
    assert api.send("demo", "once", key="k").id == api.send("demo", "once", key="k").id
    assert demo.submitted()[1:] == ["once"]


def test_a_pane_in_two_sessions_is_found(api: Torch, demo: DemoAgent, tmux: TmuxServer) -> None:
    tmux.cmd("new-session", "-d", "-s", "other", "cat")
    tmux.cmd("link-window", "-d", "-s", demo.pane.id, "-t", "other:9")
    assert api.pane(demo.name).pane_id == demo.pane.id


def test_a_name_that_is_not_there_is_an_error(api: Torch, demo: DemoAgent) -> None:
    with pytest.raises(NotFoundError):
        api.send("nobody", "x")
    with pytest.raises(NotFoundError):
        api.state("nobody")
    with pytest.raises(NotFoundError):
        api.stop("nobody")
    with pytest.raises(RefusedError, match="unknown state 'happy'"):
        api.wait("demo", "happy")
    with pytest.raises(RefusedError, match="invalid time"):
        api.checkin("demo", "x", "soon")
    with pytest.raises(RefusedError, match="already"):
        api.spawn("demo", profile="demo")
    assert demo.submitted() == []


def test_an_agent_that_asks_something_is_held(api: Torch, demo: DemoAgent) -> None:
    demo.open_dialog()
    api.wait("demo", "waiting", timeout=60)
    answer = api.ask("demo", "hello", timeout=2)
    assert answer.text is None
    assert answer.receipt.state is Outcome.HELD
    assert demo.submitted() == []


def test_an_adopted_program_is_an_agent(api: Torch, demo: DemoAgent, torch: Command) -> None:
    pane = demo.pane.id
    torch("stop", "demo", "--forget")
    agent = api.adopt(pane, "mine", profile="demo")
    assert (agent.name, agent.pane) == ("mine", pane)
    assert [line.agent.name for line in api.agents()] == ["mine"]
    assert isinstance(api.pane("mine"), libtmux.Pane)
    assert api.state("mine").state.state is State.IDLE


def test_each_object_has_a_home_of_its_own(
    path: None, tmux: TmuxServer, torch: Command, tmp_path: Path
) -> None:
    one, two = (Torch(tmp_path / name, tmux.socket.name) for name in ("one", "two"))
    one.spawn("dev", profile="demo", directory=tmp_path, session="work", timeout=0)
    assert [line.agent.name for line in one.agents()] == ["dev"]
    assert two.agents() == []
    assert (tmp_path / "one" / "torch.db").exists()
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda torch=torch: found.append(len(torch.agents())))
        for torch in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1]
    pid = int(one.pane("dev").pane_pid or 0)
    wait_until(lambda: f"TORCH_HOME={tmp_path}/one" in environment_of(pid), what="its home")


def environment_of(pid: int) -> str:
    """Return the environment of a process, as the system shows it."""
    words = ["ps", "eww", "-o", "command=", "-p", str(pid)]
    done = subprocess.run(words, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")
