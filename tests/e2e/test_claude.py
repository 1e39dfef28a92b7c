"""Torch on the real Claude Code: what it says of a message is what became of it.

The ground truth is what reached a stub of the API, never a screen. Short form: as
much as every change should pass. ``TORCH_E2E=full``: 30 of everything, and the document.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from functools import partial
from typing import Any

import pytest

from conftest import SOURCE, TMUX, Result, wait_until
from e2e.claude import ClaudeCode
from e2e.configurations import delegated
from e2e.conftest import HEIGHT, PATIENCE, WIDTH, MakeWorld, Sent, Setup, World, describe
from e2e.contract import Shared
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import (
    CRASHES,
    RACES,
    SEED,
    SIZES,
    SPECIAL,
    UNSENDABLE,
    assert_not_approved,
    assert_out_of_reach,
    assert_spread,
    how_many,
    race_many,
    until_paste,
)
from torch_cli import procs
from torch_cli.profiling.houses.claude import ClaudeHome
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.texts import ASKING, lines, prose, tag
from torch_cli.toml_text import document

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def kit() -> Program:
    """The program of this module."""
    return ClaudeCode()


def home_of(world: World) -> ClaudeHome:
    """Return the program's home with what it keeps there."""
    assert isinstance(world.home, ClaudeHome)
    return world.home


SETUPS = [Setup.CHORD, Setup.HOOKS, Setup.BARE]


@pytest.fixture(scope="module", params=SETUPS, ids=lambda setup: setup.name.lower())
def setup(request: pytest.FixtureRequest) -> Setup:
    """The set-ups that everything is proven in."""
    return Setup(request.param)


COMMANDS = (
    "exit",
    " quit ",
    ":q",
    ":wq!",
    "/exit",
    " /exit",
    "/clear",
    " /clear",
    "/compact now",
    "/frobnicate",
    "/frobnicate it\nat once",
)
"""What Claude Code would run, or swallow: a blank before a known command does not help."""


class TestClaude(Shared):
    """What every program passes."""

    asking = ASKING


# -- start and readiness ---------------------------------------------------------------------------


def test_spawn_returns_when_the_input_is_ready(make_world: MakeWorld, report: Report) -> None:
    """The first message after ``spawn`` arrives, whatever the program still does."""
    world = make_world()
    began = time.monotonic()
    started = world.start()
    took = time.monotonic() - began
    assert started.code == 0, started
    assert world.view().idle, world.server.screens()
    assert world.state()["state"] == "idle"
    assert started.json["pane"] == world.pane
    sent = world.send(prose(40))
    assert sent.delivered, sent
    assert world.await_arrival(sent)
    report.notes.append(f"start to ready by `torch spawn`: {took:.1f} s")


@pytest.mark.parametrize("setup", [Setup.CHORD, Setup.HOOKS])
def test_a_message_sent_before_the_program_is_ready_arrives(
    make_world: MakeWorld, setup: Setup, report: Report
) -> None:
    world = make_world(setup)
    tally = report.tally(setup, "before ready")
    for _ in range(how_many(setup, SPECIAL)):
        world.start(wait=0)
        sent = world.send(prose(40))
        tally.sent += 1
        tally.states[sent.state] += 1
        assert sent.delivered, f"{sent}\n{world.server.screens()}"
        assert world.await_arrival(sent), world.server.screens()
        assert world.arrivals(sent) == 1
        tally.exact += 1
        world.settle()
        assert world.torch("stop", world.name).code == 0


@pytest.mark.parametrize(
    ("kind", "words"), [("trust", "Yes, I trust this folder"), ("auto-mode", "Make auto mode")]
)
def test_a_question_at_the_start_is_not_answered(
    make_world: MakeWorld, kind: str, words: str
) -> None:
    world = make_world(trusted=kind != "trust", mode_asked=kind != "auto-mode")
    before = home_of(world).settings.read_text()
    started = world.start()
    assert started.code == 4, started
    assert words in started.out, "it says what is asked"
    world.wait(lambda: words in world.server.screen(world.pane), f"the {kind} question")
    assert world.state()["dialog"]["kind"] == kind
    sent = world.send("yes", "--timeout", "2")
    assert sent.result.code == 4, sent
    wrong = world.torch("press", world.name, "Enter", "--dialog", "0" * 12)
    assert wrong.code != 0
    assert world.alive
    assert words in world.server.screen(world.pane)
    assert home_of(world).settings.read_text() == before
    projects = json.loads(home_of(world).state.read_text())["projects"]
    assert kind != "trust" or not any(one["hasTrustDialogAccepted"] for one in projects.values())
    assert world.stub.requests == []


@pytest.mark.parametrize(("said", "keys"), [("yes", ["Down", "Enter"]), ("no", ["Enter"])])
def test_the_trust_question_is_answered_by_its_words(
    make_world: MakeWorld, said: str, keys: list[str]
) -> None:
    world = make_world(trusted=False)
    assert world.start().code == 4
    dialog = world.state()["dialog"]
    assert dialog["kind"] == "trust"
    done = world.torch("answer", world.name, said, "--hash", dialog["hash"], "--json")
    assert (done.code, done.json["keys"], done.json["gone"]) == (0, keys, True), done
    world.wait(lambda: world.view().idle or not world.alive, "what becomes of it")
    assert world.alive == (said == "yes")
    projects = json.loads(home_of(world).state.read_text())["projects"]
    accepted = any(one["hasTrustDialogAccepted"] for one in projects.values())
    assert accepted == (said == "yes")


def test_a_message_sent_before_the_question_about_auto_mode_does_not_answer_it(
    make_world: MakeWorld,
) -> None:
    """It comes a moment after the first box: the box alone is not readiness."""
    world = make_world(mode_asked=False)
    before = home_of(world).settings.read_text()
    world.start(wait=0)
    sent = world.send(prose(40), "--timeout", "5")
    world.wait(lambda: "Make auto mode" in world.server.screen(world.pane), "the question")
    assert sent.result.code == 4, sent
    assert home_of(world).settings.read_text() == before
    assert world.stub.requests == []


# -- contents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_what_would_run_as_a_command_is_refused(agent: World, command: str, report: Report) -> None:
    """Guarding an unknown one is as good, if it arrives; nothing may be run or swallowed."""
    tally = report.tally(agent.setup, "would-be commands")
    pid = agent.pid
    sent = agent.send(command)
    arrived = sent.delivered and agent.await_arrival(sent)
    tally.sent += 1
    tally.states[sent.state] += 1
    assert sent.result.code == 2 or arrived, f"{sent}\n{agent.server.screens()}"
    assert agent.alive, f"{command!r} ended the program"
    assert agent.pid == pid
    agent.settle()
    if not arrived:
        assert agent.stub.texts(sent.mark) == []
    tally.exact += 1


@pytest.mark.parametrize("kind", UNSENDABLE)
def test_what_cannot_arrive_intact_is_refused_unless_cleaned(
    agent: World, kind: str, report: Report
) -> None:
    tally = report.tally(agent.setup, "control and invisible characters")
    name = tag()
    sent = agent.send(f"{name} a{UNSENDABLE[kind]}b")
    tally.sent += 1
    tally.states[sent.state] += 1
    assert sent.result.code == 2, sent
    assert agent.view().idle, agent.server.screens()
    assert agent.stub.texts(sent.mark) == []
    tally.exact += 1
    cleaned = agent.send(f"{name} a{UNSENDABLE[kind]}b", "--clean")
    assert cleaned.delivered, cleaned
    assert cleaned.result.json["evidence"], "it says that something was stripped"
    plain = Sent(f"{name} ab", cleaned.result, cleaned.mark)
    assert agent.await_arrival(plain), (cleaned, agent.stub.texts(cleaned.mark))


def test_an_envelope_names_the_sender_and_the_message(agent: World) -> None:
    mark = len(agent.stub.requests)
    body = lines(3)
    result = agent.torch("send", agent.name, "-", "--from", "pm", "--json", text=body)
    assert result.code == 0, result
    agent.wait(lambda: len(agent.stub.requests) > mark, "the message at the stub")
    (text,) = (text for text in agent.stub.texts(mark) if body.split("\n")[0] in text)
    assert body in text
    assert "pm" in text.split(body)[0]
    assert result.json["id"] in text.split(body)[0]


def test_a_command_of_its_own_is_proven_by_its_effect(agent: World) -> None:
    mark = len(agent.stub.requests)
    done = agent.torch("command", agent.name, "/model", "--json")
    assert (done.code, done.json["state"]) == (0, "submitted"), done
    assert agent.state()["state"] == "waiting", agent.server.screens()
    agent.settle()
    done = agent.torch("command", agent.name, "/clear", "--json")
    assert (done.code, done.json["state"]) == (0, "submitted"), done
    assert agent.stub.texts(mark) == []


def test_it_schedules_its_own_check_in_from_inside_its_pane(agent: World) -> None:
    """It is asked to, runs ``torch checkin add .`` in its shell, and a tick wakes it later."""
    note = f"Look whether the build is through. {tag()}"
    state = f"TORCH_HOME={agent.directory / 'torch'} TORCH_TMUX={TMUX} PYTHONPATH={SOURCE}"
    torch = f"{state} {sys.executable} -m torch_cli"
    command = f"{torch} checkin add . '{note}' --in 1s --name build"
    with agent.stub.behaving(Behaviour(StubMode.TOOL, command=command)):
        agent.ask(prose(30))
        agent.wait(lambda: agent.view().asks, "the permission dialog")
    seen = agent.state()["dialog"]["hash"]
    mark = len(agent.stub.requests)
    assert agent.torch("press", agent.name, "Enter", "--dialog", seen).code == 0
    listed = ("checkin", "list", "--all", "--json")
    agent.wait(lambda: agent.torch(*listed).out, "its check-in")
    assert agent.torch(*listed).json["target"] == agent.name
    agent.settle()

    def told() -> bool:
        assert agent.torch("tick").code == 0
        return any(note in text for text in agent.stub.texts(mark))

    agent.wait(told, "the note at the stub")
    run = agent.torch("checkin", "history", "--json").json
    assert (run["checkin"], run["recipient"]) == ("build", agent.name)
    assert run["outcome"] in ("confirmed", "submitted")


# -- other shapes of the screen --------------------------------------------------------------------


def test_a_message_arrives_in_the_classic_renderer(make_world: MakeWorld, report: Report) -> None:
    """Claude Code falls back to it by itself: no alternate screen, the box below the text."""
    world = make_world(extra={"CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1"})
    world.ready()
    tally = report.tally(world.setup, "classic renderer")
    for _ in range(how_many(Setup.HOOKS, SPECIAL)):
        for make in SIZES.values():
            world.deliver(make(), tally)
    assert not tally.failures, describe(tally.failures)


@pytest.mark.parametrize("height", [12, 11, 10, 9])
def test_a_message_arrives_in_a_low_pane_or_is_held_before_it_is_typed(
    agent: World, height: int
) -> None:
    """How many lines show as a placeholder depends on the height; a box needs its edge."""
    agent.resize(WIDTH, height)
    try:
        for text in ("one line", "two\nlines", "three\nlines\nhere", "and\n\nfour\nlines"):
            sent = agent.send(f"{height} rows: {text}")
            assert sent.delivered, sent
            assert agent.await_arrival(sent), sent
            agent.settle()
        wraps = agent.send("a long line " * 16, "--timeout", "2")
        if height == 12:
            assert wraps.delivered, wraps
            assert agent.await_arrival(wraps), wraps
        else:
            assert wraps.state == "held", wraps
            assert "make it higher" in wraps.result.json["reason"]
            assert not agent.view().box
    finally:
        agent.resize(WIDTH, HEIGHT)


# -- busy, asking, shared with a person ------------------------------------------------------------


def test_a_message_to_a_working_program_arrives(agent: World, report: Report) -> None:
    """With the chord the program queues it; without, Torch waits for the end of the turn."""
    tally = report.tally(agent.setup, "while it works")
    for _ in range(how_many(agent.setup, SPECIAL)):
        agent.settle()
        with agent.stub.behaving(Behaviour(delay=1.5)):
            agent.ask(prose(30))
            agent.wait(lambda: agent.view().working, "a program that says that it works")
            assert agent.state()["state"] == "working"
            sent = agent.send(lines(5) if tally.sent % 2 else prose(40))
            tally.sent += 1
            tally.states[sent.state] += 1
            assert sent.delivered, f"{sent}\n{agent.server.screens()}"
            assert agent.await_arrival(sent), agent.server.screens()
        agent.settle()
        assert agent.arrivals(sent) == 1
        assert {one.outcome for one in agent.stub.requests[sent.mark :]} == {"answered"}
        tally.exact += 1
        tally.milliseconds.append(sent.result.json["elapsed_ms"])


def test_the_version_of_a_program_that_was_adopted_late_is_known(make_world: MakeWorld) -> None:
    """Its first words, which name the version, have left the screen by then."""
    world = make_world(Setup.BARE)
    world.start()
    with world.stub.behaving(Behaviour(answer="\n\n".join(map(str, range(60))))):
        world.ask(prose(30))
        world.wait(lambda: "59" in world.server.screen(world.pane), "the long answer")
    world.settle()
    assert f"v{world.kit.version}" not in world.server.screen(world.pane)
    assert world.torch("stop", world.name, "--forget").code == 0
    adopted = world.torch("adopt", world.pane, "late", "--profile", "claude")
    assert adopted.code == 0, adopted
    submit = world.torch("state", "late", "--json").json["submit"]
    assert submit["degree"] == "safe-idle", (submit, adopted)


def _source(agent: World, name: str) -> dict[str, Any]:
    found = agent.torch("state", agent.name, "-v", "--json").json["sources"]
    return next(dict(one) for one in found if one["source"] == name)


def test_each_source_of_its_state_is_named(agent: World) -> None:
    """Its own record and, with hooks, its reports say the same as its screen."""
    names = {"screen", "record"} | (
        {"hook"} if agent.setup in (Setup.CHORD, Setup.HOOKS) else set()
    )
    agent.settle()
    with agent.stub.behaving(Behaviour(delay=3.0)):
        agent.ask(prose(30))
        agent.wait(lambda: agent.view().working, "a program that says that it works")
        working = agent.torch("state", agent.name, "-v", "--json").json["sources"]
    agent.settle()
    idle = agent.torch("state", agent.name, "-v", "--json").json["sources"]
    with agent.stub.behaving(Behaviour(StubMode.TOOL)):
        agent.ask(prose(30))
        agent.wait(lambda: agent.view().asks, "the permission dialog")
    # It writes a moment later than it draws.
    agent.wait(lambda: _source(agent, "record")["state"] == "waiting", "the record of it")
    waiting = agent.torch("state", agent.name, "-v", "--json").json["sources"]
    agent.settle()
    for state, found in (("working", working), ("idle", idle), ("waiting", waiting)):
        assert {one["source"]: one["state"] for one in found} == dict.fromkeys(names, state)
        assert [one["source"] for one in found if one["decides"]] == ["screen"]
        assert all(one["at"] for one in found)


def test_a_dialog_that_opens_during_a_delivery_is_not_approved(
    agent: World, report: Report
) -> None:
    """With the chord that is a promise; without it, it is counted and its bound is reported."""
    chord = agent.setup is Setup.CHORD
    races = race_many(agent, how_many(agent.setup, RACES), report, queues=chord)
    interrupted = [one.offset for one in races if one.interrupted]
    assert not interrupted, f"the submit key cut the work short at offsets {interrupted}"
    if chord:
        assert_not_approved(races)
        assert_spread(races)


def test_the_chord_does_nothing_if_it_is_read_together_with_an_esc(make_world: MakeWorld) -> None:
    """The program takes Esc and the first half for one key. The other half must do nothing."""
    world = make_world(Setup.CHORD)
    world.start()
    text = prose(20)
    world.server.cmd("send-keys", "-t", world.pane, "-l", text)
    world.wait(lambda: world.view().box == text, "the text in the box")
    world.server.cmd("send-keys", "-t", world.pane, "-H", "1b", "18", "11")
    world.server.cmd("send-keys", "-t", world.pane, "C-x", "C-q")
    arrived = lambda: any(text in block for block in world.stub.texts())  # noqa: E731
    world.wait(arrived, "the text at the stub, by the chord alone")


# -- the end ---------------------------------------------------------------------------------------


def test_a_program_that_has_exited_gets_nothing(make_world: MakeWorld) -> None:
    world = make_world(Setup.HOOKS)
    world.ready()
    world.paste("/exit")
    world.wait(lambda: world.view().box, "the command in the box")
    world.keys("Enter")
    assert_out_of_reach(world)


def test_a_program_that_has_crashed_gets_nothing(make_world: MakeWorld) -> None:
    world = make_world(Setup.HOOKS)
    world.ready()
    os.kill(world.pid, signal.SIGKILL)
    assert_out_of_reach(world)


def test_a_crash_during_a_delivery_is_not_called_delivered(
    make_world: MakeWorld, report: Report
) -> None:
    """Nothing is claimed that did not happen, wherever in the procedure the program dies."""
    world = make_world(Setup.HOOKS)
    lead = until_paste(world.ready())
    chance = random.Random(SEED)
    tally = report.tally(world.setup, "crash on the way")
    for _ in range(how_many(world.setup, CRASHES)):
        world.ready()
        process, mark = world.begin_send("--timeout", "5")
        moment = lead + chance.uniform(-0.05, 0.2)
        killer = threading.Timer(moment, os.kill, [world.pid, signal.SIGKILL])
        killer.start()
        text = prose(40)
        out, err = process.communicate(text.encode(), PATIENCE)
        killer.join()
        sent = Sent(text, Result(process.returncode, out.decode(), err.decode()), mark)
        world.wait(lambda: not world.alive, "the end of the program")
        tally.sent += 1
        tally.states[sent.state] += 1
        # The hook speaks before the request: a program may die between the two, rightly confirmed.
        came = sent.state == "confirmed" or world.arrivals(sent) == 1
        honest = sent.result.code in (3, 4, 5) or (sent.state == "failed" and not came)
        if came if sent.delivered else honest:
            tally.exact += 1
        else:
            tally.failures.append(f"{sent}\n{world.server.screen(world.pane).rstrip()}")
    assert not tally.failures, describe(tally.failures)


def test_stop_leaves_nothing_behind(make_world: MakeWorld) -> None:
    world = make_world()
    world.ready()
    # A number alone would not do: tmux may leave a zombie until its next child ends.
    program = procs.identify(world.pid)
    assert program is not None
    stopped = world.torch("stop", world.name, "--json")
    assert stopped.code == 0, stopped
    assert not world.alive
    wait_until(lambda: not procs.alive(program), what="the end of the program's process")
    assert stopped.json["how"] == "asked"


# -- who waits for a person ------------------------------------------------------------------------


def test_a_question_is_told_and_answered_by_the_command_shown(make_world: MakeWorld) -> None:
    world = make_world(Setup.HOOKS)
    world.start()
    daemon = world.popen("daemon", "run", "--quiet")
    try:
        with world.stub.behaving(Behaviour(StubMode.TOOL)):
            assert world.send(prose(40)).delivered
            world.wait(lambda: world.view().asks, "the dialog")
        world.wait(lambda: _written(world)[-1:] == ["waiting"], "the event")
        needed = _needed(world, 8)
        assert (needed["do"], needed["question"]) == ("answer", "Do you want to proceed?")
        assert any("touch approved" in row for row in needed["about"]), needed

        def answered() -> bool:
            """Press again what the program has ignored because the dialog had just opened."""
            if not world.view().asks:
                return True
            found = world.torch("status", "--json")
            steps = json.loads(found.out)["steps"] if found.code == 8 else []
            for step in (one for one in steps if one["words"] == "No"):
                world.torch(*step["command"][1:])
            return False

        world.wait(answered, "the end of the dialog")
        world.wait(lambda: world.torch("status").code == 0, "nobody waits")
        world.wait(lambda: _written(world)[-1] == "idle", "the event of its end")
        assert _needed(world, 0)["do"] in ("done", "nothing"), "done if it was seen at work"
        assert world.torch("seen", world.name).code == 0
        assert _needed(world, 0)["do"] == "nothing"
        assert _written(world).count("waiting") == 1, "told once"
        assert not (home_of(world).work / "approved").exists()
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)


def _written(world: World) -> list[str]:
    """Return the states that the daemon has written, in order."""
    lines = world.torch("events", "--kind", "state", "--json").out.splitlines()
    return [one["detail"]["state"] for one in map(json.loads, lines) if "detail" in one]


def _needed(world: World, code: int) -> dict[str, Any]:
    done = world.torch("status", "--json")
    assert done.code == code, done
    found: dict[str, Any] = done.json
    return found


RULES = """\
[[allow]]
command = "touch approved"
[[allow]]
tool = "Write"
[[deny]]
command = "touch forbidden"
"""


def test_rules_answer_through_the_programs_hook(make_world: MakeWorld) -> None:
    """What is named is answered, and nothing else: also while the file has changed."""
    world = make_world(Setup.HOOKS)
    work = home_of(world).work
    agent = {"name": "dev", "profile": "claude", "env": world.variables}
    file = work / "torch.toml"
    file.write_text(document({"team": {"name": "ruled"}, "agent": [agent]}) + RULES)
    done = world.torch("up", "--dir", str(work))
    assert done.code == 0, f"{done}\n{world.server.screens()}"
    world.name, world.pane = "dev", world.torch("ps", "--json").json["pane"]
    world.resize(WIDTH, HEIGHT)

    def asked(behaviour: Behaviour, *, answered: bool) -> None:
        """Have it ask; wait for the end of the turn. What is not answered, a person declines."""
        with world.stub.behaving(behaviour):
            mark = len(world.stub.requests)
            assert world.send(prose(40)).delivered
            if answered:
                world.wait(lambda: len(world.stub.requests) > mark + 1, "the answer of the rule")
            else:
                world.wait(lambda: world.state()["state"] == "waiting", "the dialog")
                world.decline()
            world.wait(lambda: world.view().idle, "the end of the turn")

    def command(words: str, *, answered: bool = True) -> None:
        asked(Behaviour(StubMode.TOOL, command=words), answered=answered)

    def write(path: str, *, answered: bool = True) -> None:
        given = {"file_path": str(work / path), "content": "x"}
        asked(Behaviour(StubMode.TOOL, tool="Write", given=given), answered=answered)

    command("touch approved")
    assert (work / "approved").exists()
    command("touch forbidden")
    command("touch approved && touch forbidden")
    assert not (work / "forbidden").exists()
    write("written")
    assert (work / "written").exists()
    assert [(one["decision"], one["acted"]) for one in _ruled(world)] == [
        ("allow", True),
        ("deny", True),
        ("deny", True),
        ("allow", True),
    ]
    (work / "approved").unlink()
    for unnamed in ("touch approved; touch other", "touch approved $(touch other)"):
        command(unnamed, answered=False)
    write(".claude/settings.local.json", answered=False)
    # Who writes into the file allows nothing by that.
    file.write_text(file.read_text() + "[[allow]]\ncommand = '*'\n")
    for changed in ("touch approved", "touch other"):
        command(changed, answered=False)
    command("touch forbidden")
    assert _ruled(world)[-1]["decision"] == "deny"
    assert not [name for name in ("approved", "forbidden", "other") if (work / name).exists()]
    assert not (work / ".claude" / "settings.local.json").exists()


def _ruled(world: World) -> list[dict[str, Any]]:
    """Return what the events say of rules, in order."""
    lines = world.torch("events", "--kind", "answer", "--json").out.splitlines()
    return [one["detail"] for one in map(json.loads, lines) if one.get("verb") == "rule"]


# -- when a turn is over ---------------------------------------------------------------------------


def _approved(world: World, pressed: list[float]) -> bool:
    """Press the key again until it counts: a dialog that has just opened ignores it."""
    view = world.view()
    if view.asks and (not pressed or time.monotonic() - pressed[-1] > 2):
        pressed.append(time.monotonic())
        world.keys("1")
    if view.box == "1":  # the first one had counted
        world.keys("BSpace")
    return view.working


@pytest.mark.parametrize("setup", [Setup.HOOKS, Setup.BARE])
@pytest.mark.parametrize("when", ["before the first word", "while a tool runs", "in a dialog"])
def test_after_an_interrupt_the_next_message_arrives(
    make_world: MakeWorld, setup: Setup, when: str
) -> None:
    """Nothing is reported of it; the program's own record says that the turn has ended."""
    world = make_world(setup)
    world.start()
    command = "python3 -c 'import time; time.sleep(60)'"
    with world.stub.behaving(Behaviour(StubMode.TOOL, command=command)):
        hold = world.stub.hold()
        assert world.send(prose(40)).delivered
        hold.wait()
        if when == "before the first word":
            world.wait(lambda: world.view().working, "a working program")
        else:
            hold.release(world.stub.behaviour)
            world.wait(lambda: world.view().asks, "the dialog")
        if when == "while a tool runs":
            world.wait(partial(_approved, world, []), "a running tool")
        assert world.state()["state"] in ("working", "waiting")
        world.keys("Escape")
        if when == "before the first word":
            world.wait(lambda: bool(world.view().box), "the message in the box again")
            world.wait(lambda: world.state()["state"] == "idle", "an idle agent")
            world.keys("C-u")
        world.wait(lambda: world.view().idle, "an idle program")
        hold.release(Behaviour())
    sent = world.send(prose(40), "--when", "idle")
    assert sent.delivered, f"{sent}\n{world.server.screens()}"
    assert world.await_arrival(sent)


@pytest.mark.parametrize("setup", [Setup.HOOKS, Setup.BARE])
def test_an_error_that_ends_the_turn_is_not_an_answer(make_world: MakeWorld, setup: Setup) -> None:
    """Its text stands as an answer in the transcript, and a report of the end carries it."""
    world = make_world(setup)
    world.start()
    with world.stub.behaving(Behaviour(StubMode.ERROR, status=400)):
        done = world.torch("ask", world.name, prose(40), "--timeout", "60", "--json")
    error = done.json["error"]
    assert (done.code, error["code"]) == (9, "turn-failed"), done
    assert "API Error" in error["message"]
    done = world.torch("ask", world.name, prose(40), "--timeout", "60", "--json")
    assert done.code == 0, done


ERRORS = {401: "authentication", 429: "rate-limited", 529: "overloaded", 500: "server"}
"""What an error of the API with each HTTP status is."""


@pytest.mark.parametrize("setup", [Setup.HOOKS, Setup.BARE])
def test_an_error_of_the_api_is_a_state_of_its_own(make_world: MakeWorld, setup: Setup) -> None:
    """It tries again, and ends the turn; its own report says how, or else the screen does."""
    world = make_world(setup, extra={"CLAUDE_CODE_MAX_RETRIES": "2"})
    world.start()
    source = "hook" if setup is Setup.HOOKS else "screen"
    for status, kind in ERRORS.items():
        with world.stub.behaving(Behaviour(StubMode.ERROR, status=status)):
            world.ask(prose(40))
            seen = list[dict[str, Any]]()

            def ended(seen: list[dict[str, Any]] = seen) -> bool:
                """Whether it is told whole: the screen may show it before the hook reports it."""
                seen.append(world.state())
                error = seen[-1].get("error") or {}
                said = (error.get("kind"), error.get("code"), error.get("source"))
                return seen[-1]["state"] == "error" and said == (kind, status, source)  # noqa: B023

            world.wait(ended, f"the error {status}")
        tries = [one["retry"] for one in seen if one["state"] == "retrying"]
        # At the first attempt it says no more than "API error".
        assert all(one["attempts"] == 2 and one["kind"] in (kind, "other") for one in tries), tries
        assert {one["state"] for one in seen} <= {"working", "retrying", "error"}, seen
    done = world.torch("ask", world.name, prose(40), "--timeout", "60", "--json")
    assert done.code == 0, done
    world.wait(lambda: world.state()["state"] == "idle", "an idle agent")


def test_sub_agents_and_a_compaction_are_told_and_a_failed_one_ends_no_turn(
    make_world: MakeWorld,
) -> None:
    """It reports that a sub-agent failed under the name of the turn's own failure."""
    world = make_world(Setup.HOOKS)
    settings = json.loads(home_of(world).settings.read_text())
    settings["permissions"]["allow"] = ["Bash(sleep:*)"]
    home_of(world).settings.write_text(json.dumps(settings))
    world.start()
    world.send(prose(40))
    world.settle()
    ask = list[Any]()

    def begin() -> None:
        ask.append(world.popen("ask", world.name, prose(40), "--timeout", "120", "--json"))

    helper, leader = delegated(world, begin)
    world.wait(lambda: _beside(world) == ["sub-agent general-purpose"], "the sub-agent")
    told = world.torch("state", world.name, "-v").err
    assert f"{world.name}: the sub-agent says working (rule 'SubagentStart', written" in told
    with world.stub.behaving(Behaviour(StubMode.ERROR, status=400)):
        helper.release(Behaviour(StubMode.TOOL, command="sleep 0"))
        world.wait(lambda: not _beside(world), "its failure")
    assert world.state()["state"] == "working"
    assert ask[0].poll() is None, "the turn of the agent itself goes on"
    leader.release(Behaviour(answer="Done by myself."))
    out, err = ask[0].communicate(timeout=120)
    assert ask[0].returncode == 0, f"{out!r}{err!r}"
    assert json.loads(out)["text"] == "Done by myself."
    world.settle()

    hold = world.stub.hold()
    assert world.torch("command", world.name, "/compact").code == 0
    hold.wait(60)
    world.wait(lambda: _beside(world) == ["compaction"], "the compaction")
    assert world.state()["state"] == "working"
    hold.release(Behaviour())
    world.wait(lambda: not _beside(world), "its end")
    world.wait(lambda: world.state()["state"] == "idle", "an idle agent")


def _beside(world: World) -> list[str]:
    """Return what the program has going on beside its turn, in words."""
    found = world.torch("why", world.name, "--json").json["beside"]
    return [f"{one['what']} {one['name']}".rstrip() for one in found]


_REFUSING = """#!/usr/bin/env python3
import json, sys
prompt = json.load(sys.stdin)["prompt"]
if "EXIT" in prompt:
    sys.stderr.write("not so")
    sys.exit(2)
if "BLOCK" in prompt:
    print(json.dumps({"decision": "block", "reason": "not so"}))
if "STOP" in prompt:
    print(json.dumps({"continue": False, "stopReason": "not so"}))
"""
_REFUSED = ("EXIT this", "BLOCK this")
_LONG = "\n".join(f"{n} of a text that shows as a placeholder" for n in range(8))


def _with_a_refusing_hook(world: World) -> World:
    """Give the user a hook that refuses some messages, and start the program."""
    return _with_a_hook(world, _REFUSING)


def _with_a_hook(world: World, content: str) -> World:
    script = world.home.path / "hook"
    script.write_text(content)
    script.chmod(0o755)
    settings = json.loads(home_of(world).settings.read_text())
    entry = {"hooks": [{"type": "command", "command": str(script)}]}
    settings.setdefault("hooks", {}).setdefault("UserPromptSubmit", []).append(entry)
    home_of(world).settings.write_text(json.dumps(settings))
    world.start()
    return world


@pytest.mark.parametrize("setup", [Setup.HOOKS, Setup.BARE])
def test_a_message_that_a_hook_refuses_is_not_delivered(
    make_world: MakeWorld, setup: Setup
) -> None:
    """Torch's own hook runs beside it and has reported the text by then."""
    world = _with_a_refusing_hook(make_world(setup))
    for text in ("EXIT this", "BLOCK this\nof three\nlines", f"EXIT this\n{_LONG}"):
        sent = world.send(text)
        assert sent.state == "failed", f"{sent}\n{world.server.screens()}"
        assert "not so" in sent.result.json["reason"]
        assert world.view().box == ""
        assert world.state()["state"] == "idle"
    sent = world.send(prose(40))
    assert sent.delivered, f"{sent}\n{world.server.screens()}"
    assert world.await_arrival(sent)
    assert not any(word in text for text in world.stub.texts(sent.mark) for word in _REFUSED)


def test_a_message_that_a_hook_refuses_while_it_works_is_not_delivered(
    make_world: MakeWorld,
) -> None:
    """Nothing is written down of that; what waits in the queue is."""
    world = _with_a_refusing_hook(make_world(Setup.CHORD))
    for text in ("EXIT this", f"BLOCK this\n{_LONG}"):
        hold = world.stub.hold()
        assert world.send(prose(40)).delivered
        hold.wait()
        world.wait(lambda: world.view().working, "a working program")
        sent = world.send(text)
        assert sent.state == "failed", f"{sent}\n{world.server.screens()}"
        assert "put the text back into its box" in sent.result.json["reason"]
        assert world.view().box == ""
        queued = world.send(prose(40))
        assert queued.state == "confirmed", f"{queued}\n{world.server.screens()}"
        assert queued.result.json["reason"] == "queued by the program"
        hold.release(Behaviour())
        assert world.await_arrival(queued)
        assert not any(word in text for text in world.stub.texts(sent.mark) for word in _REFUSED)
        world.settle()


def test_a_message_whose_hook_is_slow_is_confirmed(make_world: MakeWorld) -> None:
    """Nothing is written down before the hook has ended."""
    world = _with_a_hook(make_world(Setup.HOOKS), "#!/bin/sh\nexec sleep 8\n")
    sent = world.send(prose(40))
    assert sent.state == "confirmed", f"{sent}\n{world.server.screens()}"
    assert world.await_arrival(sent)


def test_a_message_whose_turn_a_hook_stops_is_kept_by_the_program(make_world: MakeWorld) -> None:
    world = _with_a_refusing_hook(make_world(Setup.HOOKS))
    sent = world.send("STOP this")
    assert sent.state == "confirmed", f"{sent}\n{world.server.screens()}"
    assert "a hook of the program's stopped the turn: not so" in sent.result.json["evidence"]
    asked = world.torch("ask", world.name, "STOP that", "--json", "--timeout", "30")
    assert asked.code == 1, f"{asked}\n{world.server.screens()}"
    assert asked.json["error"]["code"] == "unanswered"
    assert "not so" in asked.json["error"]["message"]
    sent = world.send(prose(40))
    assert world.await_arrival(sent)
    assert any("STOP that" in text for text in world.stub.texts(sent.mark))
