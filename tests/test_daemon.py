"""The daemon and tick: one scheduler at a time, and what they do through faults."""

import contextlib
import inspect
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from apscheduler.schedulers.base import STATE_STOPPED
from apscheduler.triggers.base import BaseTrigger

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, SOURCE, Torch, wait_until
from scheduler import history
from torch_cli import paths
from torch_cli.intervals import VARIABLE
from torch_cli.schedule.firing import fire_due
from torch_cli.schedule.loop import Loop
from torch_cli.schedule.passes import PASSES, Passes
from torch_cli.schedule.tick import tick
from torch_cli.store import Store, StoreError, schema
from torch_cli.store.database import backup


def add(demo: DemoAgent, note: str, *words: str) -> None:
    done = demo.torch("-L", "t", "checkin", "add", demo.name, note, *words)
    assert done.code == 0, done.err


def notes(demo: DemoAgent) -> list[str]:
    """Return the notes that the agent got, without what stands before them."""
    return [text.partition("\n\n")[2] for text in demo.submitted()]


def wait_for(demo: DemoAgent, expected: list[str], timeout: float = PATIENCE) -> None:
    wait_until(
        lambda: sorted(notes(demo)) == sorted(expected),
        timeout,
        "the notes",
        screen=lambda: f"{notes(demo)}\n{history(demo.torch)}",
    )


# -- starting and ending ---------------------------------------------------------------------------


def test_start_waits_until_it_is_at_work_and_stop_until_it_has_ended(torch: Torch) -> None:
    assert torch("daemon", "status").code == 3
    started = torch("daemon", "start", "--json")
    assert started.code == 0, started.err
    found = torch("daemon", "status", "--json")
    assert (found.code, found.json["pid"]) == (0, started.json["pid"])
    assert found.json["kind"] == "daemon"
    second = torch("daemon", "start", "--json")
    assert (second.code, second.json["pid"]) == (0, started.json["pid"])
    assert (started.json["started"], second.json["started"]) == (True, False)
    words = torch("daemon", "start", "--if-needed")
    assert words.code == 0
    assert words.out.startswith("a scheduler is already working: daemon, process ")
    assert torch("daemon", "run", "--if-needed").code == 0
    assert torch("daemon", "run").code == 4
    assert (found.json["unwritable"], "state file" in torch("daemon", "status").out) == ("", False)
    # A limit of 8 KiB for files, as a disk that is full.
    limited = ("sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *torch.argv("daemon", "status"))
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    full = subprocess.run(limited, env=environ, capture_output=True, text=True, check=False)
    assert full.returncode == 1, full
    assert "cannot be written: File too large. Nothing is delivered" in full.stdout
    assert torch("daemon", "stop", "--json").json["pid"] == started.json["pid"]
    assert torch("daemon", "status").code == 3
    assert torch("daemon", "stop").code == 0
    log = torch("daemon", "logs", "-n", "1")
    assert "stopped" in log.out


def test_a_daemon_that_cannot_work_says_why(torch: Torch, tmp_path: Path) -> None:
    Path(paths.database()).parent.mkdir(parents=True, exist_ok=True)
    Path(paths.database()).write_bytes(b"this is no database" * 100)
    for words in (("start",), ("run",), ("status",)):
        done = torch("daemon", *words)
        assert (done.code, "damaged" in done.err) == (1, True), done
    assert Path(paths.database()).read_bytes() == b"this is no database" * 100


def test_it_fires_when_due_and_delivers(demo: DemoAgent) -> None:
    daemon = scheduler.start(demo.torch)
    add(demo, "once", "--in", "1s")
    add(demo, "thrice", "--every", "1s", "--count", "3")
    wait_for(demo, ["once", "thrice", "thrice", "thrice"])
    runs = history(demo.torch)
    wait_until(lambda: {run["outcome"] for run in history(demo.torch)} == {"confirmed"})
    assert all(run["late_s"] < PATIENCE for run in runs)
    assert daemon.stop() == 0
    logged = [
        json.loads(line) for line in demo.torch("daemon", "logs", "-n", "99").out.splitlines()
    ]
    assert [one["event"] for one in logged].count("run") == 4
    assert [one["event"] for one in logged].count("message") == 4, logged
    assert not any("thrice" in json.dumps(one) for one in logged), "no text of messages"


def test_what_is_held_is_delivered_when_the_way_is_free(demo: DemoAgent) -> None:
    scheduler.start(demo.torch)
    demo.open_dialog()
    assert demo.send("go on").json["state"] == "held"
    hash_ = demo.torch("state", demo.name, "--json").json["dialog"]["hash"]
    assert demo.torch("press", demo.name, "Escape", "--dialog", hash_).code == 0
    wait_until(lambda: demo.submitted() == ["go on"], what="the message")


def test_two_daemons_and_three_ticks_at_once_fire_once(demo: DemoAgent) -> None:
    for number in range(5):
        add(demo, f"note {number}", "--in", "0.5s")
    time.sleep(0.5)  # for all to be due; nothing is concluded from it
    commands = [("daemon", "run", "--quiet")] * 2 + [("tick",)] * 3
    running = [
        subprocess.Popen(demo.torch.argv(*words), stderr=subprocess.PIPE) for words in commands
    ]
    ticks = [process.wait(120) for process in running[2:]]
    assert ticks == [0, 0, 0]
    wait_for(demo, [f"note {number}" for number in range(5)])
    wait_until(
        lambda: sum(p.poll() is None for p in running[:2]) == 1, what="one daemon", timeout=120
    )
    ended = next(process for process in running[:2] if process.poll() is not None)
    assert ended.returncode == 4
    assert ended.stderr is not None
    assert b"a scheduler is already working" in ended.stderr.read()
    assert len(history(demo.torch)) == 5
    for process in running:
        process.terminate()
        process.wait(PATIENCE)


# -- tick ------------------------------------------------------------------------------------------


def test_a_tick_says_nothing_if_there_is_nothing_to_do(demo: DemoAgent) -> None:
    first = demo.torch("tick")
    assert "is not in a git repository: it has no checkpoints" in first.out  # which is said once
    done = demo.torch("tick")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_what_cron_does_counts_as_a_scheduler(demo: DemoAgent) -> None:
    said = demo.torch("-L", "t", "checkin", "add", "demo", "x", "--in", "1h")
    assert "no scheduler is running" in said.err
    assert demo.torch("tick").code == 0
    said = demo.torch("-L", "t", "checkin", "add", "demo", "x", "--in", "1h")
    assert said.err == ""
    status = demo.torch("daemon", "status")
    assert (status.code, "a tick worked" in status.out) == (3, True)


def test_a_tick_works_with_no_more_than_cron_gives(demo: DemoAgent) -> None:
    add(demo, "from cron", "--in", "0.1s")
    wait_until(lambda: demo.torch("daemon", "status", "--json").json["next_due"] is not None)
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], "SHELL": "/bin/sh"}
    environment |= {
        name: os.environ[name] for name in ("TORCH_HOME", "TORCH_TMUX") if name in os.environ
    }
    environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")

    def ticked() -> bool:
        done = subprocess.run(
            demo.torch.argv("tick"), capture_output=True, env=environment, cwd="/", check=True
        )
        return b"from-cron" in done.stdout

    wait_until(ticked, what="a tick that fires")
    assert notes(demo) == ["from cron"]


def test_a_tick_beside_a_daemon_does_nothing(demo: DemoAgent) -> None:
    daemon = scheduler.start(demo.torch)
    assert demo.torch("tick").out == ""
    said = demo.torch("tick", "--verbose")
    assert (said.code, said.out) == (0, "")
    assert f"daemon {daemon.process.pid} is working" in said.err


def test_a_tick_ends_when_its_time_is_up(demo: DemoAgent) -> None:
    """A program that answers no key would hold it up for longer."""
    add(demo, "late", "--in", "0.1s")
    with Store() as store:
        wait_until(lambda: store.checkins.due(time.time()), what="the moment at which it is due")
    server = int(demo.tmux.cmd("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = demo.torch("tick", "--timeout", "1", timeout=60, env={VARIABLE: "answer=1"})
        assert time.monotonic() - began < 40
    finally:
        os.kill(server, signal.SIGCONT)
    assert (done.code, "did not answer" in done.err) == (6, True), done
    wait_until(lambda: demo.torch("tick").code == 0 and notes(demo) == ["late"])


# -- faults ----------------------------------------------------------------------------------------


def test_a_stopped_daemon_says_so_of_what_came_late(demo: DemoAgent) -> None:
    daemon = scheduler.start(demo.torch, intervals="stalled=2")
    daemon.freeze()
    add(demo, "in time", "--in", "1s")
    add(demo, "too late", "--in", "1s", "--grace", "1s")
    began = time.monotonic()
    # Longer than a stall, and than the grace.
    wait_until(lambda: time.monotonic() - began > 4)
    daemon.signal(signal.SIGCONT)
    wait_for(demo, ["in time"])
    wait_until(lambda: len(history(demo.torch)) == 2, what="both runs")
    runs = {run["checkin"]: run for run in history(demo.torch)}
    assert runs["too-late"]["state"] == "missed"
    assert "its grace is 1 s" in runs["too-late"]["reason"]
    with Store() as store:
        assert "stopped" in [one.kind for one in store.lease.outages(0, 1e12)]


def test_a_stopped_daemon_is_followed_and_fenced(demo: DemoAgent, tmp_path: Path) -> None:
    daemon = scheduler.start(demo.torch, tmp_path, lease=2.0)
    daemon.freeze()
    add(demo, "once", "--in", "0.5s")
    wait_until(
        lambda: demo.torch("tick").code == 0 and notes(demo) == ["once"],
        what="a tick that takes over",
    )
    daemon.signal(signal.SIGCONT)
    assert daemon.process.wait(PATIENCE) == 1
    assert daemon.process.stderr is not None
    assert b"another scheduler has taken over" in daemon.process.stderr.read()
    assert notes(demo) == ["once"]


def test_a_tmux_server_that_dies_and_comes_back_is_served_again(
    demo: DemoAgent, tmp_path: Path
) -> None:
    daemon = scheduler.start(demo.torch)
    add(demo, "before", "--in", "0.2s")
    wait_for(demo, ["before"])
    daemon.freeze()  # else it could fire before the server has ended
    add(demo, "after", "--in", "0.2s")
    demo.tmux.kill()
    daemon.signal(signal.SIGCONT)
    wait_until(lambda: [run["state"] for run in history(demo.torch)][-1:] == ["overdue"])
    again = spawn_demo(demo.tmux, demo.torch, tmp_path / "project", "--work", "0")
    wait_until(lambda: notes(again)[-1:] == ["after"], what="the note")
    wait_until(  # while it is on its way nobody knows
        lambda: history(demo.torch)[-1]["outcome"] in ("confirmed", "queued"), what="its receipt"
    )


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_is_set_an_hour_and_back_doubles_and_loses_nothing(
    demo: DemoAgent, tmp_path: Path, jump: float
) -> None:
    daemon = scheduler.start(demo.torch, tmp_path)
    add(demo, "often", "--every", "1s")

    def runs() -> list[dict[str, object]]:
        return history(demo.torch)

    for offset in (0.0, jump, 0.0):
        daemon.set_clock(offset)
        before = len(runs())
        wait_until(lambda: len(runs()) >= before + 2, what="two more runs")  # noqa: B023
    assert demo.torch("checkin", "remove", "often").code == 0
    dues = [run["due"] for run in runs()]
    assert len(dues) == len(set(dues))
    sent = [run for run in runs() if run["state"] == "sent"]
    wait_for(demo, ["often"] * len(sent))


def test_a_locked_store_delays_and_loses_nothing(demo: DemoAgent) -> None:
    scheduler.start(demo.torch)
    add(demo, "once", "--in", "1s")
    add(demo, "again", "--every", "1s", "--count", "2")
    connection = sqlite3.connect(paths.database(), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 5)
    connection.execute("ROLLBACK")
    connection.close()
    wait_until(lambda: "once" in notes(demo) and "again" in notes(demo))
    wait_until(lambda: not _waiting())
    states = [run["state"] for run in history(demo.torch)]
    assert notes(demo).count("once") == 1
    assert notes(demo).count("again") == states.count("sent") - 1


def _waiting() -> list[object]:
    with Store() as store:
        return [*store.messages.waiting(), *store.checkins.due(time.time() + 60)]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_full_disk_delays_and_loses_nothing(demo: DemoAgent) -> None:
    daemon = scheduler.start(demo.torch)
    pid = daemon.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    add(demo, "once", "--in", "0.5s")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 3)
    assert daemon.process.poll() is None, "it lives on"
    assert history(demo.torch) == []
    assert notes(demo) == []
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    wait_for(demo, ["once"])
    wait_until(lambda: [run["outcome"] for run in history(demo.torch)] == ["confirmed"])


def test_a_full_store_refuses_a_check_in_whole(demo: DemoAgent) -> None:
    script = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.argv = ["torch", "-L", "t", "checkin", "add", "{demo.name}", "x", "--in", "5m"]
from torch_cli.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the state file" in done.stderr
    assert "Free some space" in done.stderr
    assert demo.torch("checkin", "list").out == ""


def test_a_store_that_may_not_grow_fires_whole_or_not_at_all(demo: DemoAgent) -> None:
    add(demo, "x" * 90_000, "--in", "0.1s", "--name", "large")
    now = time.time() + 60
    with Store() as store:
        pages = store.database.query("PRAGMA page_count")[0][0]
        store.database.query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full"):
            fire_due(store, now, 0)
        assert store.checkins.history() == []
        assert store.messages.waiting() == []
        assert store.checkins.due(now)
    with Store() as store:
        assert [run.state for run in fire_due(store, now, 0)] == ["sent"]
        assert fire_due(store, now, 0) == []


def test_a_damaged_file_is_left_and_the_copy_offered(demo: DemoAgent) -> None:
    add(demo, "kept", "--in", "1h", "--name", "kept")
    assert demo.torch("tick").code == 0
    copy = backup(paths.database())
    assert Path(copy).exists(), "a tick keeps a copy, once a day"
    database = Path(paths.database())
    for path in database.parent.glob("torch.db-*"):
        path.unlink()
    damage = b"\0garbage\0" * 200
    database.write_bytes(damage)
    for words in (("checkin", "list"), ("tick",), ("daemon", "status"), ("ps",)):
        done = demo.torch(*words)
        assert done.code == 1
        assert "damaged" in done.err
        assert copy in done.err
    assert database.read_bytes() == damage
    database.write_bytes(Path(copy).read_bytes())
    assert "kept" in demo.torch("checkin", "list").out


def test_a_damaged_file_replaces_no_good_copy(demo: DemoAgent) -> None:
    assert demo.torch("tick").code == 0
    copy = Path(backup(paths.database()))
    good = copy.read_bytes()
    os.utime(copy, (1, 1))
    with Store() as store:
        store.database.write("PRAGMA wal_checkpoint(TRUNCATE)")
    database = Path(paths.database())
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * 4096 * 3
    database.write_bytes(bytes(content))
    assert demo.torch("tick").code == 1
    assert copy.read_bytes() == good


def test_a_copy_that_cannot_be_made_stops_nothing_else_and_is_told(demo: DemoAgent) -> None:
    Path(backup(paths.database())).mkdir(parents=True)
    os.utime(backup(paths.database()), (1, 1))
    add(demo, "in spite of it", "--in", "1s")
    with Store() as store:
        wait_until(lambda: bool(store.checkins.due(time.time())), what="the moment")
    done = demo.torch("tick", "--json")
    assert done.code == 1
    first, *_, last = [json.loads(line) for line in done.out.splitlines()]
    assert (first["schema"], first["state"]) == ("torch.tick/1", "sent")
    assert "copied" in last["error"]["message"]
    assert notes(demo) == ["in spite of it"]
    assert list(Path(paths.state_dir()).glob("*.new*")) == []
    daemon = scheduler.start(demo.torch)
    add(demo, "here too", "--in", "0.1s")
    wait_for(demo, ["in spite of it", "here too"])
    wait_until(lambda: "copied" in demo.torch("daemon", "logs").out, what="the word of it")
    assert daemon.stop() == 0
    log = demo.torch("daemon", "logs", "-n", "999").out
    assert log.count("could not be copied") == 1, "not again at once"


def test_a_scheduler_that_was_stopped_in_its_copying_holds_up_no_other(torch: Torch) -> None:
    """It has the file that it writes locked, and SQLite waits for such a one without end."""
    assert torch("checkin", "list").code == 0
    unfinished, left = (Path(f"{backup(paths.database())}.{name}") for name in ("new", "x.new"))
    left.touch()
    os.utime(left, (1, 1))
    with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as stopped:
        stopped.execute("BEGIN EXCLUSIVE")
        assert torch("tick", timeout=PATIENCE).code == 0
    assert Path(backup(paths.database())).exists()
    assert unfinished.exists()
    assert not left.exists(), "it was begun long ago"


@pytest.mark.parametrize("broken", ["tasks", "teams", "outbox", "checkpoint"])
def test_no_pass_that_fails_stops_another(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Whatever it is that went wrong, in the very first pass or the last."""
    add(demo, "in spite of it", "--in", "0.1s")
    with Store() as store:
        wait_until(lambda: bool(store.checkins.due(time.time())), what="the moment")
    did: list[str] = []

    def run(passes: Passes, name: str, store: Store, now: float) -> float:
        if name == broken:
            raise ZeroDivisionError("a fault of Torch's own")
        did.append(name)
        return original(passes, name, store, now)

    original = Passes.run
    monkeypatch.setattr(Passes, "run", run)
    done = tick(time.time(), PATIENCE)
    assert did == [one.name for one in PASSES if one.name != broken]
    assert [error.code for error in done.errors] == ["unforeseen"]
    assert [one.state for one in done.runs] == ["sent"]


def test_one_check_in_that_cannot_fire_stops_no_other(demo: DemoAgent) -> None:
    add(demo, "broken", "--in", "0.1s", "--name", "broken")
    add(demo, "whole", "--in", "0.2s")
    with Store() as store:
        store.database.write("UPDATE checkins SET expression = '?', zone = '?' WHERE name='broken'")
        wait_until(lambda: len(store.checkins.due(time.time())) == 2, what="the moment")
    done = demo.torch("tick")
    assert (done.code, "'broken' did not fire" in done.err) == (1, True), done
    assert notes(demo) == ["whole"]


STUCK = """
import sys, time
from torch_cli.schedule import daemon, passes
def stuck(self, store, now):
    open(sys.argv[1], "w").close()
    while True:
        time.sleep(60)
passes.Passes.copy = stuck
daemon.run(as_json=False, bodies=False, echo=False)
"""


FORSAKEN = """
import threading, time
from apscheduler.schedulers.blocking import BlockingScheduler
from torch_cli.schedule import daemon
start = BlockingScheduler.start
def end(self):
    while not self.running:
        time.sleep(0.01)
    time.sleep(0.2)
    self.shutdown(False)
def start_and_end(self):
    threading.Thread(target=end, args=[self], daemon=True).start()
    start(self)
BlockingScheduler.start = start_and_end
daemon.run(as_json=True, bodies=False, echo=False)
"""
"""A daemon whose APScheduler ends by itself."""


def test_a_daemon_ends_with_the_thread_that_runs_its_passes() -> None:
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = [sys.executable, "-c", FORSAKEN]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "APScheduler has ended" in done.stderr
    with Store() as store:
        assert store.lease.current() is None, "another can take over at once"


def test_apscheduler_is_used_as_it_is() -> None:
    assert Loop.__mro__ == (Loop, object)
    source = Path(inspect.getfile(Loop)).read_text()
    assert not re.findall(r"_scheduler\._\w+|_main_loop|_process_jobs|\(\w*Scheduler\):", source)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_daemon_of_which_a_pass_never_ends(
    torch: Torch, tmp_path: Path, number: signal.Signals
) -> None:
    words = [sys.executable, "-c", STUCK, str(tmp_path / "stuck")]
    quick = {VARIABLE: "closing=0.5 renew=0.1"}
    daemon = subprocess.Popen(words, env={**os.environ, **quick, "PYTHONPATH": str(SOURCE)})
    try:
        wait_until(lambda: (tmp_path / "stuck").exists(), what="the pass")
        with Store() as store:
            seen = store.lease.holder()
            wait_until(lambda: store.lease.holder() != seen, what="the lease renewed meanwhile")
        daemon.send_signal(number)
        assert daemon.wait(PATIENCE) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert 'unfinished="copy"' in torch("daemon", "logs").out
    assert torch("daemon", "status").code == 3


def test_check_ins_survive_a_later_schema(demo: DemoAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    add(demo, "kept", "--every", "1h", "--name", "kept")
    later = (*schema.MIGRATIONS, "ALTER TABLE checkins ADD COLUMN colour TEXT NOT NULL DEFAULT '';")
    monkeypatch.setattr("torch_cli.store.database.MIGRATIONS", later)
    with Store() as store:
        found = store.checkins.named("kept")
        assert found is not None
        assert found.note == "kept"
        assert store.database.query("SELECT colour FROM checkins")
    assert Path(f"{paths.database()}.schema-{len(schema.MIGRATIONS)}").exists()


KILLED = """
import collections, json, os, random, signal, sys, time
from torch_cli.schedule import checkin, daemon, journal, loop, trigger
from torch_cli.schedule.checkin import CheckinOrder
from torch_cli.store import Store
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

name, target, times, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
moments = collections.Counter()
longest = 0.5  # seconds; longer on a machine that is slow, so that all moments occur
for number in range(times):
    with Store() as store:
        now = time.time()
        rule = trigger.Trigger("at", repr(now + chance.uniform(0.01, 0.25)), "UTC", now)
        order = CheckinOrder(target, f"note {number}".encode(), rule)
        made, _ = checkin.add(store, Socket(name), order, now)
    child = os.fork()
    if child == 0:
        try:
            daemon.run(as_json=True, bodies=False, echo=False)
        finally:
            os._exit(9)
    time.sleep(chance.uniform(0.02, longest))  # the point at which it is killed
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with Store() as store:
        runs = store.checkins.history(made.id)
        step = store.messages.get(runs[0].message).step if runs else "before it fired"
        moments[{"done": "after it arrived", "accepted": "fired"}.get(step, step)] += 1
        for left in store.messages.waiting():
            # Killed between the paste and the first look: only a person can say whose it is.
            if left.step != "accepted" and "nothing shows whether" in left.reason:
                moments["left to a person"] += 1
                run(Socket(name), "send-keys", "-t", left.pane, "Enter")
        slow = moments["after it arrived"] < number / 5
        longest = min(4.0, longest * 1.1) if slow else longest * 0.98
print(json.dumps(moments))
"""


@pytest.mark.timeout(900)
def test_a_daemon_killed_200_times_loses_and_doubles_nothing(demo: DemoAgent) -> None:
    """Every run happened exactly once, or its message is reported as unknown."""
    times = 200
    words = [sys.executable, "-c", KILLED, demo.tmux.socket.name, demo.name, str(times), "4"]
    done = subprocess.run(words, check=False, timeout=700, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    moments = json.loads(done.stdout)
    assert moments["before it fired"] > 10
    assert moments["after it arrived"] > 10
    left = moments.pop("left to a person", 0)
    assert left < times / 10, left
    assert times - moments["before it fired"] - moments["after it arrived"] > 10, moments

    def all_settled() -> bool:
        assert demo.torch("tick").code == 0
        with Store() as store:
            for one in store.messages.waiting():
                if one.step != "accepted" and "nothing shows whether" in one.reason:
                    demo.tmux.cmd("send-keys", "-t", one.pane, "Enter")
        return not _waiting()

    wait_until(all_settled, what="an empty outbox", timeout=120)
    runs = history(demo.torch)
    assert len(runs) == len({run["checkin"] for run in runs}) == times, "a run for each, and one"
    got = notes(demo)
    assert len(got) == len(set(got)), "none twice"
    outcomes = [run["outcome"] for run in runs]
    assert set(outcomes) <= {"confirmed", "submitted", "unknown"}
    with Store() as store:
        for run in runs:
            message = store.messages.get(run["message"])
            if run["outcome"] != "unknown":
                assert message.body in got
    assert outcomes.count("unknown") < times / 4, outcomes.count("unknown")
    print(f"{times} kills, {moments}: {outcomes.count('unknown')} unknown")  # noqa: T201


class _Last(BaseTrigger):  # type: ignore[misc]
    """Has a run now, and no other: the loop is told to end while APScheduler learns that."""

    loop: Loop

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        if previous is None:
            return now
        self.loop.stop()
        self.loop._scheduler.state = STATE_STOPPED  # the first thing that its shutdown does
        return None


def test_a_loop_that_ends_while_a_run_is_planned_is_silent(
    torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with Store() as store:
        loop = Loop(store, told=None)  # type: ignore[arg-type]
        trigger = _Last()
        trigger.loop = loop
        loop._scheduler.add_job(lambda: None, trigger)
        jobs = loop._started()
        jobs.join(PATIENCE)
    assert not jobs.is_alive()
    assert died == []
