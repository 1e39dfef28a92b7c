"""What becomes of a message whose sender is ended on the way, and what the sender says of it."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, TmuxServer, Torch, wait_until
from torch_cli import paths, procs
from torch_cli.store import Store
from torch_cli.store.messages import Message

CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


@pytest.fixture
def busy(demo: DemoAgent) -> DemoAgent:
    """An agent at work for longer than a test takes."""
    assert demo.send("DELAY(300) work").code == 0
    demo.wait_for("working")
    return demo


@contextlib.contextmanager
def begun(torch: Torch, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Begin a command, which is ended if it is still there."""
    with subprocess.Popen(
        torch.argv(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def messages() -> list[Message]:
    """Return the messages in the store but the one that the agent works on."""
    with Store() as store:
        return [one for one in store.messages.latest(limit=50) if not one.body.startswith("DELAY")]


def held(count: int = 1) -> list[Message]:
    """Return them once there are so many."""
    wait_until(lambda: len(messages()) == count, what=f"{count} messages")
    return messages()


# While an agent starts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_says_what_goes_on(
    torch: Torch, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is there, and starts. What to do about it is said, also by a restart."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    words = ("--profile", "demo", "--dir", str(tmp_path), "--brief", "developer", "-v")
    delay = ("--", "--start-delay", "20")
    for start in (("spawn", "dev", *words, *delay), ("restart", "dev", "--yes", "-v")):
        with begun(torch, *start) as child:
            assert child.stderr is not None
            assert any("waiting up to" in line for line in child.stderr)
            child.send_signal(number)
            out, err = child.communicate(timeout=PATIENCE)
        with Store() as store:
            agent = store.agents.get("dev")
        assert agent is not None
        what = "started" if start[0] == "spawn" else "restarted"
        assert (child.returncode, out) == (128 + number, "")
        assert f"agent 'dev' was {what}, and goes on in {agent.pane}" in err
        assert "torch stop dev" in err
        assert ("the briefing was not sent" in err) == (start[0] == "spawn")
        assert procs.alive(procs.Process(agent.program_pid, agent.program_started))


# Before anything was typed


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_sender_that_is_ended_before_it_types_cancels_its_message_and_says_so(
    busy: DemoAgent, number: int, code: int
) -> None:
    with begun(busy.torch, "send", "demo", "not wanted", "--when", "idle") as child:
        (message,) = held()
        child.send_signal(number)
        out, err = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out) == (code, "")
    assert err == f"torch: cancelled {message.id}, nothing was typed\n"
    (message,) = messages()
    assert (message.state, message.step) == ("failed", "done")
    assert message.reason == "cancelled; nothing was typed"
    assert busy.torch("outbox", "list").out == "", "nobody is told what the sender did itself"


@pytest.mark.parametrize(
    "words",
    [
        ("send", "demo", "not wanted", "--when", "idle", "--wait", "60", "--timeout", "0", "-v"),
        ("send", "demo", "not wanted", "--when", "idle", "--priority", "low", "--clean"),
        ("ask", "demo", "not wanted"),
        ("command", "demo", "/clear"),
    ],
    ids=["wait", "click", "ask", "command"],
)
def test_whatever_sends_cancels_what_it_has_not_typed(
    busy: DemoAgent, words: tuple[str, ...]
) -> None:
    with begun(busy.torch, *words, "--json") as child:
        (message,) = held()
        if "--wait" in words:
            assert child.stderr is not None
            assert "torch: waiting\n" in iter(child.stderr.readline, "")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130, err
    error = json.loads(out)["error"]
    assert error["code"] == "interrupted"
    assert error["message"] == f"cancelled {message.id}, nothing was typed"
    assert error["details"]["id"] == message.id
    assert messages()[0].reason == "cancelled; nothing was typed"


def test_an_answer_is_cancelled_too(busy: DemoAgent) -> None:
    with Store() as store:
        agent = store.agents.get("demo")
        assert agent is not None
    asked = busy.torch("send", "demo", "a question", "--from", "demo", "--timeout", "0")
    identity = asked.out.split()[1]
    with begun(busy.torch, "reply", identity, "my answer", "--when", "idle") as child:
        held(2)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 143
    assert "cancelled m-" in err
    assert sorted(one.state for one in messages()) == ["confirmed", "failed"]


def test_a_broadcast_that_is_interrupted_names_whom_it_did_not_reach(
    busy: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    spawn_demo(tmux, torch, tmp_path / "other", name="zoe")
    words = ("broadcast", "all stop", "--everywhere", "--timeout", "60")
    busy.open_dialog()
    with begun(torch, *words, "--json") as child:
        held()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
    if child.returncode == 130:
        error = json.loads(out.splitlines()[-1])["error"]
        assert "nothing was sent to zoe" in error["message"], err


def test_what_waited_under_its_key_before_is_left_in_the_outbox(busy: DemoAgent) -> None:
    words = ("demo", "wanted", "--when", "idle", "--key", "k")
    assert busy.torch("send", *words, "--timeout", "0").code == 4
    with begun(busy.torch, "send", *words, "-v") as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "torch: accepted\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
    (message,) = messages()
    assert (child.returncode, message.step) == (130, "accepted")
    assert f"torch outbox cancel {message.id}" in err


def test_a_retry_that_is_interrupted_leaves_its_message_in_the_outbox(demo: DemoAgent) -> None:
    demo.open_dialog()
    assert demo.send("wanted").code == 4
    (message,) = messages()
    with begun(demo.torch, "outbox", "retry", message.id) as child:
        wait_until(
            lambda: messages()[0].state == "queued" or child.poll() is not None, what="the retry"
        )
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
    if child.returncode == 130:  # else it had been tried already
        assert f"torch outbox cancel {message.id}" in err
    assert messages()[0].step == "accepted"


RETRY = """
import os, signal, sys
from torch_cli.cli.signals import heed
from torch_cli.cli.present import run
from torch_cli.delivery.outbox import retry
from torch_cli.store import Store
from torch_cli.store.messages import Messages

heed()
requeue = Messages.requeue

def requeued(*given):
    requeue(*given)
    os.kill(os.getpid(), signal.SIGINT)

Messages.requeue = requeued

def main():
    with Store() as store:
        return retry(store, sys.argv[1], expires=None).exit_code

sys.exit(run(main, as_json=False))
"""


def test_a_retry_interrupted_as_soon_as_it_is_queued_says_that_it_waits(demo: DemoAgent) -> None:
    demo.open_dialog()
    assert demo.send("wanted").code == 4
    (message,) = messages()
    done = subprocess.run(
        [sys.executable, "-c", RETRY, message.id],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )
    assert (done.returncode, messages()[0].state) == (130, "queued"), done
    assert f"torch outbox cancel {message.id}" in done.stderr


# After the paste


AT_STEP = """
import os, signal, sys
from torch_cli.cli.signals import heed
from torch_cli.cli.present import run
from torch_cli.delivery.send import Request, send
from torch_cli.tmux.socket import Socket

heed()

def on_step(step):
    if step == sys.argv[2]:
        FAULT

def main():
    receipt = send(Socket(sys.argv[1]), Request("demo", b"hello"), on_step)
    print(receipt.state, receipt.reason, receipt.evidence)
    return receipt.exit_code

sys.exit(run(main, as_json=False))
"""


def at_step(
    demo: DemoAgent, step: str, fault: str, script: str = AT_STEP
) -> subprocess.CompletedProcess[str]:
    """Send "hello" from a process in which ``fault`` happens as soon as ``step`` begins."""
    return subprocess.run(
        [sys.executable, "-c", script.replace("FAULT", fault), str(demo.tmux.socket.name), step],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("step", "words", "state"),
    [
        ("accepted", "cancelled m-", "failed"),
        ("attempting", "cancelled m-", "failed"),
        ("seen", "the text was left in the box", "held"),
        ("submitting", "the text was left in the box", "held"),
    ],
)
def test_an_interrupt_at_any_step_says_what_is_known_and_nothing_is_typed_twice(
    demo: DemoAgent, step: str, words: str, state: str
) -> None:
    done = at_step(demo, step, "os.kill(os.getpid(), signal.SIGINT)")
    assert (done.returncode, done.stdout) == (130, ""), done
    assert words in done.stderr
    (message,) = messages()
    assert message.id in done.stderr
    assert message.state == state, message
    assert demo.submitted() == []
    assert demo.send("next").code == 0
    assert demo.submitted() == (["next"] if state == "failed" else ["hello", "next"])


LONG = "\n".join(f"line {number} of a message" for number in range(5))
"""Shows as a placeholder, which is ours only by the number that it was seen with."""

AT_THE_PASTE = """
from torch_cli.tmux import gate
paste = gate.paste
def pasted(*a, **k):
    done = paste(*a, **k)
    os.kill(os.getpid(), NUMBER)
    return done
gate.paste = pasted
"""


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_signal_at_the_paste_leaves_no_placeholder_that_nobody_knows(
    demo: DemoAgent, number: signal.Signals, code: int
) -> None:
    fault = AT_THE_PASTE.replace("NUMBER", str(int(number)))
    script = AT_STEP.replace("heed()", f"heed(){fault}", 1).replace('b"hello"', repr(LONG.encode()))
    done = subprocess.run(
        [sys.executable, "-c", script, str(demo.tmux.socket.name), ""],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, ""), done
    assert "the text was left in the box" in done.stderr
    assert demo.send("next").code == 0
    assert demo.submitted() == [LONG, "next"]


def test_a_signal_is_put_off_for_a_bounded_time_only(demo: DemoAgent) -> None:
    fault = """
        from torch_cli.delivery import job, ours
        job.SIGNALS_DELAYED_SECONDS = 0.2
        ours.is_ours = lambda *a, **k: False
        os.kill(os.getpid(), signal.SIGTERM)"""
    done = at_step(demo, "attempting", fault)
    assert done.returncode == 143, done


def test_a_second_signal_does_not_end_the_settling_of_the_first(demo: DemoAgent) -> None:
    fault = """
        from torch_cli.store.messages import Messages
        settle = Messages.settle
        def settled(*a, **k):
            os.kill(os.getpid(), signal.SIGINT)
            return settle(*a, **k)
        Messages.settle = settled
        os.kill(os.getpid(), signal.SIGTERM)"""
    done = at_step(demo, "attempting", fault)
    assert done.returncode == 143, done
    assert "cancelled m-" in done.stderr
    assert messages()[0].state == "failed"


def test_a_signal_that_comes_where_python_drops_exceptions_is_not_lost(demo: DemoAgent) -> None:
    fault = """
        import weakref
        thing = type("Thing", (), {})()
        kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
        del thing
        while True:
            pass"""
    done = at_step(demo, "accepted", fault)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False), done
    assert "cancelled m-" in done.stderr


def test_an_interrupted_ask_says_that_its_message_was_delivered(demo: DemoAgent) -> None:
    with begun(demo.torch, "ask", "demo", "DELAY(300) work", "-v") as child:
        assert child.stderr is not None
        assert "torch: asked\n" in iter(child.stderr.readline, "")
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    with Store() as store:
        (message,) = store.messages.latest(limit=2)
    assert f"{message.id} is {message.state}" in err
    assert "Torch no longer waits for its answer" in err


# A reader that goes away


@contextlib.contextmanager
def unread(torch: Torch, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Begin a command whose stdout is a pipe that nobody reads once this has ended.

    What it then says on stderr is added to the list.
    """
    reading, writing = os.pipe()
    with subprocess.Popen(
        torch.argv(*words),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as child:
        os.close(writing)
        said: list[str] = []
        try:
            yield child, said
            os.close(reading)
            said.append(child.communicate(timeout=PATIENCE)[1])
        finally:
            child.kill()


@pytest.mark.parametrize(
    "words",
    [
        ("send", "demo", "not wanted", "--when", "idle"),
        ("send", "demo", "not wanted", "--when", "idle", "--wait", "60", "--timeout", "0"),
        ("send", "demo", "not wanted", "--when", "idle", "--json"),
        ("ask", "demo", "not wanted"),
        ("command", "demo", "/clear"),
    ],
    ids=["send", "wait", "json", "ask", "command"],
)
def test_what_nobody_will_read_of_is_cancelled_while_it_waits(
    busy: DemoAgent, words: tuple[str, ...]
) -> None:
    with unread(busy.torch, *words) as (child, said):
        (message,) = held()
    assert child.returncode == 141
    assert said[0].strip() == f"torch: cancelled {message.id}, nothing was typed"
    (message,) = messages()
    assert (message.state, message.reason) == ("failed", "cancelled; nothing was typed")


def test_what_was_typed_goes_out_though_nobody_reads_its_receipt(demo: DemoAgent) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        demo.torch.argv("send", "demo", "hello"),
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert demo.submitted() == ["hello"]


def test_an_answer_that_nobody_will_read_is_not_waited_for(demo: DemoAgent) -> None:
    with unread(demo.torch, "ask", "demo", "DELAY(300) work", "-v") as (child, said):
        assert child.stderr is not None
        assert "torch: asked\n" in iter(child.stderr.readline, "")
    assert child.returncode == 141
    assert "Torch no longer waits for its answer" in said[0]


def test_a_state_that_nobody_will_read_is_not_waited_for(demo: DemoAgent) -> None:
    with unread(demo.torch, "wait", "demo", "--for", "limited", "--timeout", "60") as (child, _):
        pass
    assert child.returncode == 141


# The state file, the machine and Torch itself


@pytest.mark.parametrize("step", ["accepted", "attempting"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise ValueError('a fault of our own')", "a fault of our own"),
        ("raise OSError(28, os.strerror(28))", "No space left on device"),
        ("raise MemoryError", "no memory is left"),
    ],
)
def test_what_fails_before_the_paste_is_never_delivered_later(
    demo: DemoAgent, step: str, fault: str, words: str
) -> None:
    done = at_step(demo, step, fault)
    assert done.returncode not in (0, 4, 5), done
    assert words in done.stderr
    (message,) = messages()
    assert (message.state, message.step) == ("failed", "done"), message
    assert demo.torch("tick").code == 0
    assert demo.submitted() == []


@pytest.mark.parametrize("step", ["seen", "submitting"])
def test_what_fails_after_the_paste_does_not_read_as_a_failure(demo: DemoAgent, step: str) -> None:
    done = at_step(demo, step, "raise OSError(28, os.strerror(28))")
    assert done.returncode in (4, 5), done
    assert "interrupted: No space left on device" in done.stdout


def test_a_tmux_that_stops_while_an_earlier_message_is_unfinished_delivers_nothing_later(
    demo: DemoAgent,
) -> None:
    """Its sender is told that it failed (exit 6): then a tick may not type it."""
    assert at_step(demo, "seen", "os.kill(os.getpid(), signal.SIGKILL)").returncode == -9
    fault = """
        from torch_cli.tmux import gate
        import torch_cli.tmux.control as control
        pid = int(os.popen("tmux -L t display-message -p '#{pid}'").read())
        def unload(client, name):
            client._timeout = 0.5
            os.kill(pid, signal.SIGSTOP)
        gate.unload = unload
        close = control.ControlClient.close
        def closed(self):
            os.kill(pid, signal.SIGCONT)
            close(self)
        control.ControlClient.close = closed"""
    done = at_step(demo, "accepted", fault)
    assert done.returncode == 6, done
    assert "nothing was typed" in done.stderr
    assert messages()[0].step == "done"
    demo.torch("tick")
    assert demo.submitted().count("hello") <= 1, "the one that was left in the box"


def test_a_lock_that_cannot_be_made_is_a_failure_and_stays_one(demo: DemoAgent) -> None:
    locks = Path(paths.state_dir()) / "locks"
    shutil.rmtree(locks)
    locks.write_text("in its place")
    done = demo.send("hello")
    assert (done.code, done.json["error"]["code"]) == (1, "store")
    assert "nothing was typed" in done.json["error"]["message"]
    assert messages()[0].step == "done"
    locks.unlink()
    assert demo.torch("tick").code == 0
    assert demo.submitted() == []


LOCKED = """
        import sqlite3
        from torch_cli import paths
        global lock
        lock = sqlite3.connect(paths.database(), isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")"""


def short_timeout(lines: str) -> str:
    return f"""
        import gc
        from torch_cli.store.database import Database
        for one in gc.get_objects():
            if isinstance(one, Database):
                one._connection.execute("PRAGMA busy_timeout = 200"){lines}"""


def test_what_cannot_be_written_down_at_all_is_not_called_failed(demo: DemoAgent) -> None:
    done = at_step(demo, "accepted", short_timeout(LOCKED))
    assert done.returncode == 5, done
    (message,) = messages()
    assert "the scheduler may deliver it later" in done.stderr
    assert f"torch outbox cancel {message.id}" in done.stderr


def test_a_state_file_that_is_locked_after_the_paste_gives_a_true_receipt(
    demo: DemoAgent,
) -> None:
    done = at_step(demo, "attempting", short_timeout(LOCKED))
    assert done.returncode == 5, done
    assert "unknown" in done.stdout
    assert demo.submitted() == []


def test_a_state_file_that_is_locked_for_a_moment_is_waited_for(demo: DemoAgent) -> None:
    fault = f"""{LOCKED}
        import threading
        threading.Timer(2.0, os.write, (1, b"")).start()
        def let_go():
            other.execute("ROLLBACK")
        lock.close()
        other = sqlite3.connect(
            paths.database(), isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(2.0, let_go).start()"""
    done = at_step(demo, "attempting", fault)
    assert done.returncode == 0, done
    assert demo.submitted() == ["hello"]


def test_a_receipt_that_cannot_be_printed_does_not_change_the_exit_code(demo: DemoAgent) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device here that is always full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            demo.torch.argv("send", "demo", "hello"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            check=False,
        )
    assert done.returncode == 0, done
    assert "its receipt could not be printed" in done.stderr
    assert demo.submitted() == ["hello"]


def test_a_reader_of_stderr_that_goes_away_does_not_end_a_delivery(demo: DemoAgent) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        demo.torch.argv("send", "demo", "hello", "-v"),
        stdout=subprocess.PIPE,
        stderr=writing,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert demo.submitted() == ["hello"]
    assert messages()[0].state == "confirmed"


# Commands in shells


def test_an_interrupted_run_says_that_its_command_goes_on(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    pane = tmux.new_session("main", "bash", "--norc", "--noprofile")
    tmux.wait_for_text(pane, "$")
    mark = tmp_path / "begun"
    with begun(torch, "run", pane.id, "--", f"touch {mark}; read answer") as child:
        wait_until(mark.exists, what="the command")
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 143
    assert f"the command in pane {pane.id} continues" in err
    assert f"torch press {pane.id} C-c" in err


def test_a_run_whose_output_nobody_reads_says_that_its_command_goes_on(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    pane = tmux.new_session("main", "bash", "--norc", "--noprofile")
    tmux.wait_for_text(pane, "$")
    mark = tmp_path / "begun"
    with unread(torch, "run", pane.id, "--", f"touch {mark}; read answer") as (_, said):
        wait_until(mark.exists, what="the command")
    assert f"the command in pane {pane.id} any more; the command continues" in said[0]


# The start of Torch itself

SLOW_IMPORT = """
import os, signal, sys
wanted = sys.argv.pop(1)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            FAULT
sys.meta_path.insert(0, Finder())
from torch_cli.__main__ import main
main()
"""


def importing(module: str, fault: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``torch WORDS``, with a fault when ``module`` is looked for."""
    return subprocess.run(
        [sys.executable, "-c", SLOW_IMPORT.replace("FAULT", fault), module, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )


MODULES = ["torch_cli.cli.signals", "torch_cli.cli.direct", "torch_cli.delivery.send"]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "interrupted"),
        ("raise MemoryError", 7, "no memory is left"),
        ("raise OSError(24, os.strerror(24))", 7, "Too many open files"),
        (
            "raise ImportError('x.so: failed to map segment from shared object')",
            7,
            "failed to map segment",
        ),
    ],
)
def test_what_ends_torch_while_it_is_loaded_is_said_in_words(
    module: str, fault: str, code: int, words: str
) -> None:
    done = importing(module, fault, "send", "dev", "hello")
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert words in done.stderr or code == 130
    done = importing(module, fault, "send", "dev", "hello", "--json")
    assert done.returncode == code, done
    assert words in json.loads(done.stdout)["error"]["message"]
    assert done.stderr == ""


@pytest.mark.parametrize("files", range(4, 12))
def test_a_limit_of_open_files_is_said_in_words(files: int) -> None:
    code = (
        "import resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files})); "
        "from torch_cli.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "send", "dev", "hello"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    assert done.returncode in (1, 3, 7), done
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("torch: ")


# What is waited for


def on_terminal(torch: Torch, *words: str, until: str) -> str:
    """Run a command on a terminal of its own until it shows ``until``; return what it showed."""
    shown = b""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = str(SOURCE)
        os.execv(sys.executable, list(torch.argv(*words)))
    try:
        deadline = time.monotonic() + PATIENCE
        while until.encode() not in shown and time.monotonic() < deadline:
            try:
                shown += os.read(terminal, 1000)
            except OSError:  # the terminal of a process that ended (Linux)
                break
        os.kill(pid, signal.SIGINT)
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 1000):
                shown += data
    finally:
        os.waitpid(pid, 0)
        os.close(terminal)
    return shown.decode()


def test_on_a_terminal_it_says_what_is_waited_for(busy: DemoAgent) -> None:
    words = ("send", "demo", "hello", "--when", "idle")
    shown = on_terminal(busy.torch, *words, until="Ctrl-C cancels")
    assert "torch: waiting for demo: working" in shown
    assert shown.count("waiting for") == 1, "it is said once"
    assert "30 s at most, then the outbox keeps it. Ctrl-C cancels" in shown


def test_on_a_terminal_it_names_who_holds_the_pane(busy: DemoAgent) -> None:
    with begun(busy.torch, "send", "demo", "first", "--when", "idle") as child:
        (first,) = held()
        wanted = f"another sender (process {child.pid} {first.id})"
        shown = on_terminal(busy.torch, "send", "demo", "second", until=wanted)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=PATIENCE)
    assert wanted in shown


def test_nothing_is_said_where_nobody_looks_on(busy: DemoAgent) -> None:
    done = busy.torch("send", "demo", "hello", "--when", "idle", "--timeout", "2")
    assert done.code == 4
    assert "waiting for" not in done.err


def test_a_text_that_was_left_and_that_a_person_submits_is_settled(demo: DemoAgent) -> None:
    """It waits for nobody, as the one of an ``ask``: else its receipt said held for ever."""
    script = AT_STEP.replace('b"hello")', 'b"hello", keep=False)')
    done = at_step(demo, "seen", "os.kill(os.getpid(), signal.SIGINT)", script)
    assert done.returncode == 130, done
    left = messages()[0]
    assert (left.state, left.step, left.kept) == ("held", "seen", False)
    assert demo.torch("tick").code == 0
    assert messages()[0].state == "held", "nobody has submitted it"
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Enter")
    wait_until(lambda: demo.submitted() == ["hello"], what="a person's Enter")
    wait_until(
        lambda: demo.torch("tick").code == 0 and messages()[0].state == "confirmed",
        what="the program's report",
    )
    assert messages()[0].reason == "found afterwards"
