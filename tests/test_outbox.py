"""The outbox: what could not be delivered waits, in order, and arrives once later."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, DemoAgent, letter, spawn_demo
from conftest import KEEPS_DEAD, PATIENCE, SOURCE, TMUX_VERSION, TmuxServer, Torch, wait_until
from test_attach import terminal
from torch_cli import paths
from torch_cli.delivery.drain import Drain, drain_once
from torch_cli.delivery.lock import pane_lock
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_for_others
from torch_cli.store import Store
from torch_cli.store.messages import new_message


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


@pytest.fixture
def drain() -> Iterator[Drain]:
    """A drain that is used as the daemon does, closed in the end."""
    drain = Drain()
    yield drain
    assert drain.close(PATIENCE)


def drain_now() -> list[Receipt]:
    return drain_once(time.time(), time.monotonic() + PATIENCE)


def decline(demo: DemoAgent) -> None:
    """Turn the permission dialog down, as a person does."""
    hash_ = demo.torch("state", demo.name, "--json").json["dialog"]["hash"]
    assert demo.torch("press", demo.name, "Escape", "--dialog", hash_).code == 0
    demo.wait_for("idle")


def listed(demo: DemoAgent, *options: str) -> list[dict[str, object]]:
    done = demo.torch("outbox", "list", "--json", *options)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_what_a_dialog_held_arrives_in_order_when_it_is_gone(demo: DemoAgent) -> None:
    demo.open_dialog()
    for text in ("first", "second", "third"):
        done = demo.send(text)
        assert (done.code, done.json["state"], done.json["kept"]) == (4, "held", True)
    assert "behind" in done.json["reason"] or "dialog" in done.json["reason"]
    assert drain_now() == [], "the dialog still stands"
    assert demo.submitted() == []
    decline(demo)
    receipts = drain_now()
    assert [receipt.state for receipt in receipts] == [Outcome.CONFIRMED] * 3
    assert demo.submitted() == ["first", "second", "third"]
    assert listed(demo) == []
    assert drain_now() == []
    assert demo.submitted() == ["first", "second", "third"]


def test_a_later_message_does_not_overtake_and_one_of_priority_does(demo: DemoAgent) -> None:
    demo.open_dialog()
    demo.send("low", "--priority", "low")
    demo.send("normal")
    demo.send("high", "--priority", "high")
    assert [one["preview"] for one in listed(demo)] == ["high", "normal", "low"]
    decline(demo)
    assert demo.send("now").code == 0
    assert demo.submitted() == ["high", "normal", "now"]
    drain_now()
    assert demo.submitted() == ["high", "normal", "now", "low"]


def test_the_daemons_round_delivers_as_soon_as_the_way_is_free(
    demo: DemoAgent, drain: Drain
) -> None:
    demo.open_dialog()
    identity = demo.send("go on").json["id"]
    for _ in range(3):
        assert drain.round(time.time()) == []
        assert not drain.busy
    assert "dialog" in str(listed(demo)[0]["reason"])
    decline(demo)

    def settled() -> bool:
        return identity in [receipt.id for receipt in drain.round(time.time())]

    wait_until(settled, what="the receipt")
    assert demo.submitted() == ["go on"]


def test_a_person_who_types_is_waited_for(demo: DemoAgent) -> None:
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", "half a thou")
    demo.tmux.wait_for_text(demo.pane, "half a thou")
    assert demo.send("hello", "--timeout", "0").code == 4
    drain_now()
    assert demo.submitted() == []
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-u")
    demo.tmux.wait_until(lambda: "half a thou" not in demo.screen(), "the draft gone")
    drain_now()
    assert demo.submitted() == ["hello"]


def test_a_text_left_in_the_box_is_finished_and_not_typed_again(demo: DemoAgent) -> None:
    from test_delivery_faults import DIE, send_with

    first = send_with(demo, "hello", DIE.replace("attempting", "seen"))
    assert first.returncode == -signal.SIGKILL
    assert demo.submitted() == []
    drain_now()
    assert demo.submitted() == ["hello"]
    assert len(demo.events("paste")) == 1
    with Store() as store:
        assert store.messages.latest()[0].state == "confirmed"


@pytest.mark.parametrize("step", ["accepted", "attempting", "seen", "submitting"])
def test_two_drains_and_a_sender_at_once_type_it_once(demo: DemoAgent, step: str) -> None:
    from test_delivery_faults import DIE, send_with

    assert send_with(demo, "hello", DIE.replace("attempting", step)).returncode < 0
    threads = [threading.Thread(target=drain_now) for _ in range(2)]
    for thread in threads:
        thread.start()
    demo.send("next")
    for thread in threads:
        thread.join()
    drain_now()
    with Store() as store:
        state = store.messages.latest(limit=2)[1].state
    assert (state, demo.submitted()) == ("confirmed", ["hello", "next"])


def test_an_agent_that_was_lost_gets_its_messages_when_it_is_back(
    demo: DemoAgent, tmp_path: Path
) -> None:
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    done = demo.send("hello")
    assert done.code == 4
    assert done.json["reason"].startswith("gone:")
    drain_now()
    assert listed(demo)[0]["state"] == "held"
    again = spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    assert drain_now()[0].state == Outcome.CONFIRMED
    assert again.submitted() == ["hello"]


def test_a_program_that_crashed_is_started_again_under_its_name(
    demo: DemoAgent, tmp_path: Path
) -> None:
    """Its pane is kept with its last screen, until another takes its place."""
    demo.open_dialog()
    assert demo.send("hello").code == 4
    demo.kill()
    drain_now()
    assert listed(demo)[0]["state"] == "held"
    session = demo.pane.session_id
    again = spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    (left,) = demo.tmux.panes()
    assert (left.id, left.window) == (again.pane.id, "demo")
    assert left.session_id == session or not KEEPS_DEAD
    drain_now()
    assert again.submitted() == ["hello"]


def test_a_briefing_goes_before_what_waits_for_an_agent_come_back(
    demo: DemoAgent, tmp_path: Path
) -> None:
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    assert demo.send("from before").code == 4
    brief = tmp_path / "brief.md"
    brief.write_text("Who you are.")
    environment = {"PATH": f"{Path(DEMO_PROGRAM).parent}:{os.environ['PATH']}"}
    words = ["spawn", "demo", "--profile", "demo", "--session", "agents"]
    place = ["--dir", str(demo.directory), "--brief", str(brief), "--", "--log", str(demo.log)]
    done = demo.torch(*words, *place, env=environment)
    assert done.code == 0, done.err
    drain_now()
    assert demo.submitted() == ["Who you are.", "from before"]


def test_a_tmux_server_that_died_is_waited_for(demo: DemoAgent, tmp_path: Path) -> None:
    demo.open_dialog()
    demo.send("hello")
    demo.tmux.kill()
    drain_now()
    assert "gone" in str(listed(demo)[0]["reason"])
    again = spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    drain_now()
    assert again.submitted() == ["hello"]


def test_another_agent_of_the_name_gets_nothing_of_it(demo: DemoAgent, tmp_path: Path) -> None:
    demo.open_dialog()
    identity = demo.send("for the first one").json["id"]
    assert demo.torch("stop", "demo").code == 0
    other = spawn_demo(demo.tmux, demo.torch, tmp_path / "project")
    assert drain_now() == []
    assert other.send("for the second").code == 0
    assert other.submitted() == ["for the second"]
    assert demo.torch("receipt", identity, "--json").json["state"] == "failed"
    retried = demo.torch("outbox", "retry", identity, "--json")
    assert retried.json["state"] == "confirmed", "on demand it goes to whoever has the name"


def test_a_renamed_agent_keeps_what_waits_for_it(demo: DemoAgent) -> None:
    demo.open_dialog()
    demo.send("hello")
    assert demo.torch("rename", "demo", "backend").code == 0
    assert listed(demo)[0]["target"] == "backend"
    demo.name = "backend"
    decline(demo)
    drain_now()
    assert demo.submitted() == ["hello"]


def test_an_expired_message_fails_and_its_sender_is_told(
    demo: DemoAgent, tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    sender = spawn_demo(tmux, torch, tmp_path / "other", name="pm")
    demo.open_dialog()
    identity = demo.send("too late", "--expires", "1h", "--from", "pm").json["id"]
    assert [r.state for r in drain_once(time.time() + 3601, time.monotonic() + PATIENCE)] == [
        "failed"
    ]
    drain_now()
    told = sender.submitted()
    assert len(told) == 1
    assert told[0].startswith("[from torch · notice · m-")
    assert f"Your message {identity} to demo did not arrive: expired" in told[0]
    assert "too late" in told[0]
    decline(demo)
    drain_now()
    assert demo.submitted() == []
    assert len(sender.submitted()) == 1, "once"


def test_a_person_is_shown_once_what_did_not_arrive(demo: DemoAgent) -> None:
    demo.open_dialog()
    identity = demo.send("too late", "--expires", "1h").json["id"]
    drain_once(time.time() + 3601, time.monotonic() + PATIENCE)
    assert "did not arrive" in demo.torch("ps").err
    shown = listed(demo)
    assert [(one["id"], one["state"]) for one in shown] == [(identity, "failed")]
    assert "expired" in demo.torch("outbox", "list").out
    assert listed(demo) == []
    assert [one["id"] for one in listed(demo, "--all")] == [identity]
    assert "did not arrive" not in demo.torch("ps").err


def test_people_at_tmux_see_at_once_what_did_not_arrive(demo: DemoAgent) -> None:
    demo.open_dialog()
    identity = demo.send("too late", "--expires", "1m").json["id"]
    with terminal(demo.tmux, "agents") as (_, screen):
        drain_once(time.time() + 61, time.monotonic() + PATIENCE)
        seen = b"" if TMUX_VERSION >= (3, 3) else identity.encode() + b" did not arrive"
        while identity.encode() not in seen:
            assert select.select([screen], [], [], PATIENCE)[0], seen
            seen += os.read(screen, 65536)
    assert b"did not arrive" in seen


def test_a_cancelled_message_is_never_typed(demo: DemoAgent) -> None:
    demo.open_dialog()
    first, second = (demo.send(text).json["id"] for text in ("one", "two"))
    assert demo.torch("outbox", "cancel", first).code == 0
    again = demo.torch("outbox", "cancel", first, "--json")
    assert (again.code, again.json["error"]["code"]) == (2, "not-waiting")
    decline(demo)
    drain_now()
    assert demo.submitted() == ["two"]
    late = demo.torch("outbox", "cancel", second, "--json")
    assert late.json["error"]["code"] == "not-waiting"


def test_lists_call_a_cancelled_message_cancelled(demo: DemoAgent) -> None:
    demo.open_dialog()
    identity = demo.send("one").json["id"]
    demo.send("two")
    assert demo.torch("outbox", "cancel", identity).code == 0
    for words in (["outbox", "list", "--all"], ["receipt", "-n", "5"], ["inbox", "demo"]):
        rows = demo.torch(*words).out.splitlines()
        row = next(row for row in rows if identity in row.split()[:2])
        assert "cancelled" in row.partition("cancelled;")[0], words
        assert "failed" not in row
    assert " cancelled " in demo.torch("thread", identity).out
    assert demo.torch("receipt", identity, "--json").json["state"] == "failed"


def test_all_messages_for_an_agent_are_cancelled_at_once(demo: DemoAgent) -> None:
    demo.open_dialog()
    for text in ("one", "two"):
        demo.send(text)
    done = demo.torch("outbox", "cancel", "--agent", "demo")
    assert done.out.count("cancelled") == 2
    assert listed(demo) == []
    assert demo.torch("outbox", "cancel").code == 2


def test_an_edited_message_goes_with_its_new_text_and_its_envelope(demo: DemoAgent) -> None:
    demo.open_dialog()
    identity = demo.send("rm the branch", "--from", "pm").json["id"]
    refused = demo.torch("outbox", "edit", identity, "-", input="bad \x1b[31m")
    assert refused.code == 2
    done = demo.torch("outbox", "edit", identity, "-", input="keep\nthe branch")
    assert done.code == 0, done.err
    decline(demo)
    drain_now()
    assert demo.submitted() == [f"[from pm · message · {identity}]\nkeep\nthe branch"]


def test_one_that_stands_in_the_box_is_neither_cancelled_nor_edited(demo: DemoAgent) -> None:
    from test_delivery_faults import DIE, send_with

    send_with(demo, "hello", DIE.replace("attempting", "seen"))
    with Store() as store:
        identity = store.messages.latest()[0].id
    for words in (("cancel", identity), ("edit", identity, "other")):
        done = demo.torch("outbox", *words, "--json")
        assert (done.code, done.json["error"]["code"]) == (4, "typed")


def test_an_unknown_one_is_sent_again_only_on_demand(demo: DemoAgent) -> None:
    from test_delivery_faults import DIE, send_with

    send_with(demo, "hello", DIE.replace("attempting", "seen"))
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "C-u")
    demo.tmux.wait_until(lambda: "hello" not in demo.screen(), "the text gone")
    assert [receipt.state for receipt in drain_now()] == [Outcome.UNKNOWN]
    with Store() as store:
        identity = store.messages.latest()[0].id
    done = demo.torch("outbox", "retry", identity, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "unknown")
    drain_now()
    assert demo.submitted() == []
    assert demo.torch("outbox", "retry", identity, "--anyway").code == 0
    assert demo.submitted() == ["hello"]


def test_send_waits_until_the_receipt_is_final(demo: DemoAgent) -> None:
    demo.open_dialog()
    words = demo.torch.argv("send", "demo", "go on", "--wait", "60", "--json")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    sender = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    wait_until(lambda: "dialog" in str(listed(demo)), what="the held message")
    decline(demo)
    out, _ = sender.communicate(timeout=60)
    assert sender.returncode == 0, out
    assert json.loads(out)["state"] == "confirmed"
    assert demo.submitted() == ["go on"]


def test_a_wait_that_ends_leaves_the_message_in_the_outbox(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = demo.send("go on", "--wait", "1")
    assert (done.code, done.json["state"], done.json["kept"]) == (4, "held", True)


def test_a_question_that_was_held_is_not_asked_later(demo: DemoAgent) -> None:
    demo.open_dialog()
    assert demo.torch("ask", "demo", "well?").code == 4
    decline(demo)
    drain_now()
    assert demo.submitted() == []


def test_what_an_earlier_version_held_is_not_sent(demo: DemoAgent) -> None:
    demo.open_dialog()
    demo.send("of old")
    connection = sqlite3.connect(paths.database())
    connection.execute("UPDATE messages SET kept = 0, agent = ''")
    connection.commit()
    connection.close()
    decline(demo)
    drain_now()
    assert demo.send("new").code == 0
    assert demo.submitted() == ["new"]


def test_a_stopped_tmux_server_holds_and_loses_nothing(demo: DemoAgent, drain: Drain) -> None:
    demo.open_dialog()
    demo.send("hello")
    decline(demo)
    server = int(demo.tmux.cmd("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    try:
        drain.round(time.time())
    finally:
        os.kill(server, signal.SIGCONT)
    assert listed(demo)[0]["state"] == "held"

    def settled() -> bool:
        return bool(drain.round(time.time()))

    wait_until(settled, what="the receipt")
    assert demo.submitted() == ["hello"]


def test_a_bad_duration_or_priority_is_refused_before_anything(demo: DemoAgent) -> None:
    for words in (("--expires", "0m"), ("--expires", "soon"), ("--priority", "5")):
        assert demo.send("hello", *words).code == 2
    assert demo.torch("receipt", "--json").code == 3
    assert demo.submitted() == []


def test_many_agents_are_served_side_by_side(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, drain: Drain
) -> None:
    agents = [spawn_demo(tmux, torch, tmp_path / f"p{n}", name=f"demo{n}") for n in range(4)]
    for one in agents:
        one.open_dialog()
    for number in range(5):
        for one in agents:
            assert one.send(f"text {number}").code == 4
    for one in agents:
        decline(one)
    receipts: list[Receipt] = []

    def all_settled() -> bool:
        receipts.extend(drain.round(time.time()))
        return len(receipts) == 20

    wait_until(all_settled, what="20 receipts", timeout=60)
    assert {receipt.state for receipt in receipts} == {Outcome.CONFIRMED}
    for one in agents:
        assert one.submitted() == [f"text {number}" for number in range(5)]


def test_what_is_held_again_for_the_same_reason_is_one_event(demo: DemoAgent) -> None:
    demo.open_dialog()
    held = demo.send("hello", "--wait", "3")
    assert held.code == 4
    with Store() as store:
        (events,) = store.database.query("SELECT count(*) FROM events WHERE verb = 'deliver'")
    assert events[0] == 1


# -- many ------------------------------------------------------------------------------------------

MANY = """
import time
import psutil
from torch_cli.delivery.drain import Drain
from torch_cli.store import Store
from torch_cli.store.messages import new_message
from torch_cli.store.database import Database
Database.write.__kwdefaults__["durable"] = False  # it is about memory, and disks are slow
drain, sizes = Drain(), []
body = "a long note " * 1_200
with Store() as store:
    for turn in range(100):
        with store.database.transaction():
            for number in range(100):
                place = {"server": "/nowhere|1|1", "pane": f"%{number}", "pane_pid": 1}
                texts = {"body": body, "typed": body, "recipient": "dev", "kept": True}
                store.messages.insert(new_message(f"m-{turn}-{number}", **place, **texts))
        assert len(drain.round(time.time())) == 100
        if turn % 5 == 4:
            sizes.append(psutil.Process().memory_info().rss)
drain.close(1)
print(*sizes)
"""


@pytest.mark.timeout(1000)
def test_messages_leave_nothing_in_memory(torch: Torch) -> None:
    """10,000 of them. The first are left out: Python keeps what it needs once."""
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    # The texts of the last 5,000 would be 72 MB. SQLite and the allocator take a step of 11 MB now
    # and then, and stay there.
    sizes = [int(size) for size in done.stdout.split()]
    assert max(sizes[10:]) - max(sizes[5:10]) < 20_000_000, sizes


def test_the_first_for_each_recipient_is_next(torch: Torch) -> None:
    """Only these are read: the bodies of 1,200 held messages cost a quarter of a core."""
    with Store() as store, store.database.transaction():
        for number, (pane, agent, step, priority) in enumerate(
            (
                ("%1", "a-1", "accepted", 0),
                ("%1", "a-1", "accepted", 1),
                ("%2", "", "accepted", 0),
                ("%2", "", "seen", 0),
                ("%1", "", "accepted", 0),
                ("%3", "a-3", "accepted", 0),
            )
        ):
            facts = {"agent": agent, "step": step, "priority": priority, "kept": True}
            place = {"server": "s", "pane": pane, "pane_pid": 1, "recipient": "x"}
            store.messages.insert(new_message(f"m-{number}", body="x", typed="x", **place, **facts))
    with Store() as store:
        assert [one.id for one in store.messages.heads()] == ["m-3", "m-1", "m-4", "m-5"]
        left = store.messages.heads({("a-3",), ("s", "%2", "1")})
        assert [one.id for one in left] == ["m-1", "m-4"]


@pytest.mark.parametrize("options", [("--timeout", "0.5"), ("--timeout", "0.2", "--wait", "1")])
def test_what_another_process_types_is_being_delivered_and_not_unknown(
    demo: DemoAgent, options: tuple[str, ...]
) -> None:
    """A script sends again what is unknown; so a sender says that only if nobody has it in hand."""
    with Store() as store:
        agent = store.agents.get(demo.name)
        assert agent is not None
        message = letter(agent, "once")._replace(key="once")
        store.messages.accept(message)
        sql = "UPDATE messages SET step = 'submitting' WHERE id = ?"
        store.database.write(sql, message.id)
        with pane_lock(agent.server, agent.pane, message.id, 0.0):
            sent = demo.send("once", "--key", "once", *options)
            assert (sent.code, sent.json["state"], sent.json["id"]) == (4, "held", message.id)
            assert f"process {os.getpid()} is typing into its pane" in sent.json["reason"]
            assert sent.json["kept"]
            for words in (("receipt", message.id), ("outbox", "show", message.id)):
                told = demo.torch(*words, "--json")
                assert (told.code, told.json["state"]) == (4, "held"), words
                assert f"process {os.getpid()} is typing into its pane" in told.json["reason"]
        assert receipt_for_others(store, message.id).state is Outcome.UNKNOWN, "nobody types it"
    assert demo.submitted() == []


def test_a_sender_that_waits_gets_the_receipt_of_who_delivers(demo: DemoAgent) -> None:
    with Store() as store:
        agent = store.agents.get(demo.name)
        assert agent is not None
        message = letter(agent, "once")._replace(key="once")
        store.messages.accept(message)
        store.database.write("UPDATE messages SET step = 'seen' WHERE id = ?", message.id)
        with ThreadPoolExecutor(1) as pool:
            with pane_lock(agent.server, agent.pane, message.id, 0.0):
                sending = pool.submit(
                    demo.send, "once", "--key", "once", "--timeout", "0.2", "--wait", "60"
                )
                time.sleep(3.0)  # its own time is over
                assert not sending.done()
                confirmed = message._replace(state="confirmed", step="done")
                assert store.messages.settle(confirmed)
            sent = sending.result()
    assert (sent.code, sent.json["state"]) == (0, "confirmed")
    assert demo.submitted() == []
