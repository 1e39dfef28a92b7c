"""``torch ask``: the whole way from a message to its answer, on the demo agent."""

import json
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, Result, TmuxServer, Torch, accept_profiles
from torch_cli.delivery import ask as asking_module
from torch_cli.delivery.send import Request
from torch_cli.errors import UNKNOWN, TorchError
from torch_cli.programs import profile as profile_module
from torch_cli.programs import turn
from torch_cli.programs.answer import answer_on
from torch_cli.programs.profile import AnswerSpec
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store

LONG = "\n".join(f"line {n} of a long answer" for n in range(500))

AWKWARD = {
    "a fence": "```python\nif x:\n    y = 1\n```\nand that was it.",
    "a drawing": "┌────┐\n│ ok │\n└────┘",
    "wide characters": "日本語 は 広い\n👩‍👩‍👧 family",
    "a prompt": "»\u00a0not the box\n» nor an echo",
    "a dialog": "Do you want to proceed?\n ❯ 1. Yes\n   2. No",
    "blank lines": "one\n\n\ntwo",
}


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


@pytest.fixture
def bare(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    log = tmp_path / "bare.log"
    pane = tmux.new_session("bare", f"{sys.executable} -m torch_cli.demo_agent --log {log}")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "bare", "--profile", "demo").code == 0
    return DemoAgent(tmux, torch, "bare", pane, log, tmp_path)


def asking(answer: str) -> str:
    """Return a message that the demo agent answers so."""
    return "ANSWER({})".format(answer.replace("\n", "\\n"))


def ask(demo: DemoAgent, message: str, *options: str) -> Result:
    return demo.torch("ask", demo.name, "-", "--json", "--timeout", "60", *options, input=message)


def test_the_answer_that_a_hook_reports_is_exact(demo: DemoAgent) -> None:
    for what, answer in {**AWKWARD, "500 lines": LONG}.items():
        done = ask(demo, asking(answer))
        assert (done.code, done.json["text"]) == (0, answer), what
        assert (done.json["source"], done.json["approximate"]) == ("hook", False)


def test_ten_questions_in_a_row_get_their_own_answers(demo: DemoAgent) -> None:
    for number in range(10):
        done = ask(demo, f"question {number}")
        assert done.json["text"] == f"You said: question {number}"


def test_without_hooks_the_answer_is_read_off_the_screen_and_said_to_be(bare: DemoAgent) -> None:
    for what in ("a fence", "a drawing", "wide characters", "a dialog", "blank lines"):
        done = ask(bare, asking(AWKWARD[what]))
        assert (done.code, done.json["text"]) == (0, AWKWARD[what]), (what, bare.screen())
        assert (done.json["source"], done.json["approximate"]) == ("screen", True)


def test_the_answer_to_somebody_elses_message_is_no_part_of_it(bare: DemoAgent) -> None:
    """Theirs waited in the program's queue, and was answered before the program was idle again."""
    answers: list[Result] = []
    asker = threading.Thread(target=lambda: answers.append(ask(bare, "DELAY(300) mine")))
    asker.start()
    bare.tmux.wait_until(lambda: bare.events("submit"), "our message")
    assert bare.send("DELAY(1) theirs").code == 0
    bare.end_work()
    asker.join()
    assert (answers[0].code, answers[0].json["text"]) == (0, "You said: DELAY(300) mine")


def test_an_answer_that_has_scrolled_away_is_whole(bare: DemoAgent) -> None:
    answer = "\n".join(f"line {n}" for n in range(60))
    done = ask(bare, asking(answer))
    assert done.json["text"] == answer


def test_a_person_reads_the_answer_on_stdout_alone(bare: DemoAgent) -> None:
    done = bare.torch("ask", bare.name, "hello there")
    assert (done.code, done.out) == (0, "You said: hello there\n")
    assert "read from the screen" in done.err


def test_a_question_on_the_way_ends_it_and_is_not_answered(demo: DemoAgent) -> None:
    done = ask(demo, "DIALOG(touch approved) please")
    assert (done.code, done.json["error"]["code"]) == (4, "dialog")
    assert "Do you want to proceed?" in done.json["error"]["message"]
    assert "torch answer demo OPTION --hash " in done.json["error"]["hint"]
    assert not demo.events("approved", "declined")


def test_a_limit_on_the_way_ends_it(demo: DemoAgent) -> None:
    done = ask(demo, "LIMIT(3pm) please")
    assert (done.code, done.json["error"]["code"]) == (4, "limited")


def test_a_program_that_ends_on_the_way_is_said_to_have(demo: DemoAgent) -> None:
    done = ask(demo, "DELAY(1) CRASH(3) please")
    assert (done.code, done.json["error"]["code"]) == (1, "exited")


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(demo: DemoAgent) -> None:
    done = demo.torch("ask", demo.name, "DELAY(60) hello", "--timeout", "5", "--json")
    assert (done.code, done.json["error"]["code"]) == (6, "timed-out")
    assert "working" in done.json["error"]["message"]


def test_an_answer_that_a_person_broke_off_is_none(
    demo: DemoAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No end of the turn is reported then, and what the screen shows is no answer."""
    monkeypatch.setattr(turn, "QUIET_TURN_SECONDS", 0.0)
    monkeypatch.setattr(asking_module, "REPORT_GRACE_SECONDS", 0.2)
    failed: list[TorchError] = []

    def asks() -> None:
        try:
            request = Request(demo.name, b"DELAY(300) mine", timeout=PATIENCE)
            asking_module.ask(demo.tmux.socket, request)
        except TorchError as error:
            failed.append(error)

    asker = threading.Thread(target=asks)
    asker.start()
    demo.wait_for("working")
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "Escape")
    asker.join()
    assert [error.code for error in failed] == ["unanswered"]
    assert "capture" in failed[0].hint


def test_an_error_that_ends_the_turn_is_not_an_answer(demo: DemoAgent) -> None:
    done: list[Result] = []
    asker = threading.Thread(target=lambda: done.append(ask(demo, "DELAY(60) mine")))
    asker.start()
    demo.wait_for("working")
    with Store() as store:
        asked = store.hooks.latest(demo.pane.server, demo.pane.id)
        assert asked is not None
        detail = store.hooks.detail(asked.id)
    told = {"hook_event_name": "StopFailure", "session_id": asked.session, **detail}
    told |= {"error": "invalid_request", "last_assistant_message": "API Error: 400 no"}
    env = {"TMUX": f"{demo.pane.socket_path},{demo.pane.server_pid},0", "TMUX_PANE": demo.pane.id}
    assert demo.torch("hook", input=json.dumps(told), env=env).code == 0
    asker.join()
    error = done[0].json["error"]
    assert (done[0].code, error["code"]) == (9, "turn-failed")
    assert "API Error: 400 no" in error["message"]


def test_what_may_be_half_an_answer_is_none(
    tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that writes its turns down elsewhere, and shows no work on the screen."""
    profiles = tmp_path / "torch" / "config" / "profiles"
    profiles.mkdir(parents=True)
    stock = Path(profile_module.__file__).with_name("profiles") / "demo.toml"
    (profiles / "demo.toml").write_text(
        stock.read_text().replace("[answer]\n", '[answer]\ntranscript = "claude"\n')
    )
    accept_profiles()
    log = tmp_path / "bare.log"
    pane = tmux.new_session("bare", f"{sys.executable} -m torch_cli.demo_agent --log {log}")
    tmux.wait_for_text(pane, "for help")
    assert torch("adopt", pane.id, "bare", "--profile", "demo").code == 0
    monkeypatch.setattr(turn, "QUIET_TURN_SECONDS", 0.5)
    request = Request("bare", asking("the first half").encode(), timeout=PATIENCE)
    with pytest.raises(TorchError, match="may have answered m-") as failed:
        asking_module.ask(tmux.socket, request)
    assert (failed.value.code, failed.value.exit_code) == ("unknown", UNKNOWN)
    assert "capture" in failed.value.hint


def test_what_cannot_be_delivered_ends_with_its_receipt(demo: DemoAgent) -> None:
    demo.open_dialog()
    done = ask(demo, "hello")
    assert (done.code, done.json["state"]) == (4, "held")


def test_askers_of_one_agent_take_turns_and_each_gets_its_answer(demo: DemoAgent) -> None:
    answers = at_once(lambda n: ask(demo, f"DELAY(0.3) question {n}"), 4)
    assert [done.json["text"] for done in answers] == [
        f"You said: DELAY(0.3) question {n}" for n in range(4)
    ]
    assert demo.events("queued") == []


def test_askers_of_different_agents_do_not_wait_for_each_other(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    agents = [spawn_demo(tmux, torch, tmp_path / f"p{n}", name=f"demo{n}") for n in range(2)]
    askers = [
        threading.Thread(target=ask, args=(agent, f"DELAY(300) question {n}"))
        for n, agent in enumerate(agents)
    ]
    for asker in askers:
        asker.start()
    tmux.wait_until(lambda: all(agent.events("submit") for agent in agents), "both questions")
    assert not any(agent.events("answer") for agent in agents)
    for agent, asker in zip(agents, askers, strict=True):
        agent.end_work()
        asker.join()


def at_once(run: Callable[[int], Result], count: int) -> list[Result]:
    """Run it with 0, 1, … in threads of their own; return the results in that order."""
    results: dict[int, Result] = {}
    threads = [
        threading.Thread(target=lambda n=n: results.update({n: run(n)})) for n in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[n] for n in range(count)]


def test_lines_that_the_pane_broke_are_joined_and_others_are_not() -> None:
    spec = profile_named("claude").answer
    shown = [
        "",
        "● A sentence that is too long for one row of",
        "  this pane, and goes on.",
        "  - an item that is as long as it can possibly",
        "  - another",
        "",
        "● Second part.",
        "  ⎿  a note",
        "✻ Cogitated for 3s · done 11:05 PM",
    ]
    assert answer_on(shown, spec, 48) == (
        "A sentence that is too long for one row of this pane, and goes on.\n"
        "- an item that is as long as it can possibly\n"
        "- another\n"
        "\n"
        "Second part."
    )


def test_an_answer_that_began_out_of_sight_is_read_from_where_it_shows() -> None:
    spec = profile_named("claude").answer
    assert answer_on(["  line 4", "  line 5", ""], spec, 48, within=True) == "line 4\nline 5"


def test_a_screen_without_an_answer_gives_none() -> None:
    assert answer_on(["", "  text"], AnswerSpec(begin=re.compile("● ")), 80) == ""


@pytest.mark.parametrize(
    ("program", "row"),
    [
        ("claude", "✢ Whisking… (7s · ↓ 5 tokens)"),
        ("claude", "● Whisking… (1m 7s · ↓ 5 tokens)"),
        ("codex", "• Working (0s • esc to interrupt)"),
        ("codex", "Working (1m 10s • esc to interrupt)"),
    ],
)
def test_a_sign_of_work_is_no_answer(program: str, row: str) -> None:
    """Whatever else says that the program is idle."""
    spec = profile_named(program).answer
    assert answer_on(["", row, ""], spec, 80) == ""
    assert answer_on(["● Four.", "", row, ""], spec, 80, within=True).strip("● ") == "Four."
