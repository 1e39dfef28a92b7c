"""What holds for every agent program that Torch has a profile for, as a class of tests.

A module says with its fixtures ``kit`` and ``setup`` which program, and in which set-ups. Most
programs have with ``Setup.SPAWNED`` a submit key that dialogs ignore, with ``Setup.ADOPTED`` only
Enter; those that have the same key in both are ``Alike``.
"""

import contextlib
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from conftest import SOURCE, Result, wait_until
from e2e.answers import LIMIT_SECONDS, ROUNDS, answer_many
from e2e.conftest import FULL, HEIGHT, PATIENCE, WIDTH, MakeWorld, Sent, Setup, World, describe
from e2e.program import Program
from e2e.report import Report
from e2e.scenes import (
    CRASHES,
    DIALOG,
    RACES,
    REPLIES,
    SEED,
    SIZED,
    SIZES,
    SPECIAL,
    UNSENDABLE,
    WINDOW,
    assert_not_approved,
    assert_nothing_ran,
    assert_out_of_reach,
    assert_spread,
    attached,
    busy,
    deliver_many,
    how_many,
    in_copy_mode,
    race_many,
    until_paste,
)
from torch_cli import procs
from torch_cli.profiling.houses.gemini import GeminiHome
from torch_cli.profiling.houses.qwen import QwenHome
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.verify.plan import QUICK
from torch_cli.profiling.verify.run import verify
from torch_cli.profiling.verify.texts import SPECIALS, lines, prose, tag

DRAFTS = ("half a tho", "two words\nand a line", "rm -rf /")


ANSWERS = {
    "ten words": "one two three four five six seven eight nine ten",
    "500 lines": "\n".join(f"line {n} of 500" for n in range(1, 501)),
    "a code fence": "Here:\n\n```python\nif x:\n    y = 1\n```\n\nThat was it.",
    "a drawing": "```\n┌────┐\n│ ok │\n└────┘\n```",
    "wide characters": "日本語 は 広い, 👩‍👩‍👧 family",
    "a prompt": "❯\u00a0not the box\n› nor this\n > nor that",
}
"""What a program may be made to answer, by what is hard about it."""


class Shared:
    """The tests that every program passes as they are."""

    asking: ClassVar[str] = ""
    """The permission dialog as an answer could quote it."""

    @pytest.mark.parametrize("kind", SIZES)
    def test_a_message_of_any_size_arrives_exact(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, SIZES[kind], how_many(agent.setup, SIZED), report)

    @pytest.mark.parametrize("kind", SPECIALS)
    def test_a_message_with_awkward_content_arrives_exact(
        self, agent: World, kind: str, report: Report
    ) -> None:
        deliver_many(agent, kind, SPECIALS[kind], how_many(agent.setup, SPECIAL), report)

    def test_an_answer_that_quotes_a_dialog_is_not_one(self, agent: World) -> None:
        with agent.stub.behaving(Behaviour(answer=f"I would ask:\n\n{self.asking}\n\nand wait.")):
            agent.ask(prose(30))
            agent.wait(lambda: not agent.stub.busy and agent.view().idle, "the end of the answer")
        sent = agent.send(prose(40))
        assert sent.delivered, f"{sent}\n{agent.server.screens()}"
        assert agent.await_arrival(sent)

    def test_two_senders_at_once_both_arrive_whole(self, agent: World) -> None:
        texts = [lines(5), prose(300)]
        begun = [agent.begin_send() for _ in texts]
        outs: list[bytes] = [b"", b""]

        def talk(index: int) -> None:
            outs[index] = begun[index][0].communicate(texts[index].encode(), PATIENCE)[0]

        threads = [threading.Thread(target=talk, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for text, (process, mark), out in zip(texts, begun, outs, strict=True):
            sent = Sent(text, Result(process.returncode, out.decode(), ""), mark)
            assert sent.delivered, f"{sent}\n{agent.server.screens()}"
            assert agent.await_arrival(sent), agent.stub.texts(mark)
            assert agent.arrivals(sent) == 1

    @pytest.mark.parametrize(("width", "height"), [(40, 15), (60, 24), (200, 50)])
    def test_a_message_arrives_at_any_size_of_the_pane(
        self, agent: World, width: int, height: int, report: Report
    ) -> None:
        agent.resize(width, height)
        try:
            agent.settle()
            tally = report.tally(agent.setup, f"in {width}x{height}")
            for text in [*(make() for make in SIZES.values()), prose(799), lines(3), lines(30)]:
                agent.deliver(text, tally)
            assert not tally.failures, describe(tally.failures)
        finally:
            agent.resize(WIDTH, HEIGHT)

    def test_a_message_that_waits_for_idle_does_not_disturb_the_work(self, agent: World) -> None:
        hold = busy(agent)
        sent = agent.send(prose(40), "--when", "idle", "--timeout", "1")
        assert sent.result.code in (4, 6), sent
        assert not agent.view().box
        hold.release(Behaviour())
        agent.settle()
        assert agent.arrivals(sent) == 0

    def test_a_permission_dialog_is_never_approved(self, agent: World, report: Report) -> None:
        tally = report.tally(agent.setup, "into a permission dialog")
        for number in range(max(3, how_many(agent.setup, SPECIAL))):
            agent.settle()
            with agent.stub.behaving(DIALOG):
                agent.ask(prose(30))
                agent.wait(lambda: agent.view().asks, "the permission dialog")
            state = agent.state()
            assert (state["state"], state["dialog"]["kind"]) == ("waiting", "permission")
            sent = agent.send(REPLIES[number % len(REPLIES)], "--timeout", "2")
            tally.sent += 1
            tally.states[sent.state] += 1
            assert sent.result.code == 4, f"{sent}\n{agent.server.screens()}"
            assert agent.view().asks, agent.server.screens()
            agent.decline()
            agent.wait(lambda: agent.view().box is not None, "the box")
            assert agent.view().box == "", "nothing was typed"
            agent.settle()
            assert_nothing_ran(agent)
            assert agent.arrivals(sent) == 0
            tally.exact += 1

    def test_an_answer_is_pressed_only_into_the_dialog_that_was_seen(self, agent: World) -> None:
        with agent.stub.behaving(DIALOG):
            agent.ask(prose(30))
            agent.wait(lambda: agent.view().asks, "the permission dialog")
        seen = agent.state()["dialog"]["hash"]
        for wrong in ([], ["--dialog", "0" * 12]):
            assert agent.torch("press", agent.name, "Enter", *wrong).code != 0
        assert agent.view().asks
        agent.pause()
        assert agent.torch("press", agent.name, agent.kit.decline, "--dialog", seen).code == 0
        agent.wait(lambda: agent.view().box is not None, "the box")
        assert_nothing_ran(agent)

    def test_a_question_is_answered_by_its_option_and_no_other_is(self, agent: World) -> None:
        """By ``torch answer``; a dialog that has taken the place of another gets nothing of it."""
        yes, no = agent.kit.consent
        approved = agent.home.work / "approved"
        old = ""
        for number, said in enumerate((yes, no)):
            agent.settle()
            command = f"touch approved x{number}"
            with agent.stub.behaving(Behaviour(StubMode.TOOL, command=command)):
                agent.ask(prose(30))
                agent.wait(lambda: agent.view().asks, "the permission dialog")
            if old:
                late = agent.torch("answer", agent.name, yes, "--hash", old, "--json")
                assert (late.code, late.json["error"]["code"]) == (4, "dialog"), late
                assert agent.view().asks
            old = agent.state()["dialog"]["hash"]
            done = agent.torch("answer", agent.name, said, "--hash", old, "--json")
            assert done.code == 0, f"{done}\n{agent.server.screens()}"
            assert done.json["gone"], done
            agent.wait(lambda: agent.view().box is not None, "the box")
            if said == yes:
                agent.wait(approved.exists, "what was allowed to run")
            assert approved.exists() == (said == yes)
            for file in (approved, agent.home.work / f"x{number}"):
                file.unlink(missing_ok=True)

    @pytest.mark.timeout(LIMIT_SECONDS)
    def test_an_answer_falls_to_no_dialog_that_took_the_place_of_the_one_meant(
        self, agent: World, report: Report
    ) -> None:
        """What the program did tells whom it heard. Torch claims nothing else."""
        if agent.setup not in (Setup.CHORD, Setup.SPAWNED):
            return  # the same keys, through the same gate
        rounds = answer_many(agent, ROUNDS, report)
        wrong = [f"{one.said}:\n{one.screen}" for one in rounds if one.wrong or one.claimed]
        assert not wrong, "\n\n".join([report.notes[-1], *wrong])

    def test_a_persons_draft_is_kept_and_not_sent(self, agent: World, report: Report) -> None:
        tally = report.tally(agent.setup, "over a person's draft")
        for draft in DRAFTS:
            agent.settle()
            agent.paste(draft)
            agent.wait(lambda: agent.view().box, "the draft in the box")
            before = agent.view().box
            sent = agent.send(prose(40), "--timeout", "2")
            tally.sent += 1
            tally.states[sent.state] += 1
            assert sent.result.code == 4, f"{sent}\n{agent.server.screens()}"
            assert "draft" in sent.result.json["reason"]
            assert agent.view().box == before
            assert agent.stub.texts(sent.mark) == []
            tally.exact += 1

    def test_copy_mode_that_nobody_looks_at_is_left(self, agent: World) -> None:
        agent.server.cmd("copy-mode", "-t", agent.pane)
        sent = agent.send("what? " + prose(40))
        assert sent.delivered, f"{sent}\n{agent.server.screens()}"
        assert agent.await_arrival(sent)

    def test_copy_mode_of_a_person_is_left_alone(self, agent: World) -> None:
        window = agent.server.cmd("display-message", "-p", "-t", agent.pane, "#{window_id}")
        agent.server.cmd("select-window", "-t", window)
        with attached(agent):
            agent.server.cmd("copy-mode", "-t", agent.pane)
            sent = agent.send("what? " + prose(40), "--timeout", "2")
            assert sent.result.code == 4, f"{sent}\n{agent.server.screens()}"
            assert "copy mode" in sent.result.json["reason"]
            assert in_copy_mode(agent)
            agent.server.cmd("copy-mode", "-q", "-t", agent.pane)
        assert agent.view().box == ""
        assert agent.stub.texts(sent.mark) == []

    # -- modes ---------------------------------------------------------------------------------

    def test_a_mode_is_switched_and_shown(self, agent: World) -> None:
        if not agent.kit.modes:
            assert agent.torch("mode", agent.name).code == 2
            return
        first = agent.torch("mode", agent.name, "--json").json["mode"]
        assert first == agent.kit.modes[0], agent.server.screens()
        for mode in (*agent.kit.modes[1:], first):
            done = agent.torch("mode", agent.name, mode, "--json")
            assert done.code == 0, f"{done}\n{agent.server.screens()}"
            assert done.json["mode"] == agent.state()["mode"] == mode
            sent = agent.send(prose(40))
            assert sent.delivered, f"in {mode} mode: {sent}\n{agent.server.screens()}"
            assert agent.await_arrival(sent), f"in {mode} mode\n{agent.server.screens()}"
            agent.settle()
        assert agent.torch("mode", agent.name, "no-such-mode").code == 2

    # -- conversations ------------------------------------------------------------------------

    def test_ask_prints_what_the_program_answered(self, agent: World) -> None:
        """Exactly: a hook or the transcript has it word for word."""
        answers = {**ANSWERS, "a dialog": f"I would ask:\n\n{self.asking}\n\nand wait."}
        many = range(10 if FULL else 3)
        for what, answer in [*answers.items(), *((f"{n}", f"reply {n}") for n in many)]:
            agent.settle()
            with agent.stub.behaving(Behaviour(answer=answer)):
                words = ["ask", agent.name, "-", "--json", "--timeout", "60"]
                done = agent.torch(*words, text=prose(30))
            assert done.code == 0, f"{what}: {done}\n{agent.server.screens()}"
            assert done.json["text"] == agent.kit.answered(answer), f"{what}: {done}"
            assert done.json["source"] in ("hook", "transcript"), what
            assert not done.json["approximate"], what

    def test_the_proof_on_a_users_machine_finds_nothing_to_say(
        self, kit: Program, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``torch profile verify --quick``; the whole of it takes minutes, and is for users."""
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        monkeypatch.setenv("PYTHONPATH", str(SOURCE))
        found = verify(kit.name, QUICK, command=str(program), quick=True)
        assert found.failures == []
        assert sum(found.result["held"].values()) == found.result["total"]


class Contract(Shared):
    """All tests of a program that has two set-ups; a subclass gives what is the program's own."""

    stripped: ClassVar[frozenset[str]] = frozenset()
    """Which of ``UNSENDABLE`` the program takes as they are."""

    queues: ClassVar[frozenset[Setup]] = frozenset({Setup.SPAWNED})
    """The set-ups in which a message to a working program is queued by it, not held back."""

    joins: ClassVar[bool] = False
    """Whether it makes one message of all that it has queued: then only the first is given it."""

    window: ClassVar[float] = WINDOW
    """Seconds around paste and submit over which the dialogs of the race are spread."""

    # -- start ---------------------------------------------------------------------------------

    def test_the_first_message_after_spawn_arrives(
        self, make_world: MakeWorld, report: Report
    ) -> None:
        world = make_world(Setup.SPAWNED)
        started = world.start()
        assert started.code == 0, started
        assert world.view().idle, world.server.screens()
        assert world.state()["state"] == "idle"
        sent = world.send(prose(40))
        assert sent.delivered, sent
        assert world.await_arrival(sent), world.server.screens()

    def test_a_message_sent_before_the_program_is_ready_arrives(
        self, make_world: MakeWorld, report: Report
    ) -> None:
        world = make_world(Setup.SPAWNED)
        tally = report.tally(world.setup, "before ready")
        for _ in range(how_many(world.setup, SPECIAL)):
            world.start(wait=0)
            sent = world.send(prose(40), "--timeout", "120")
            tally.sent += 1
            tally.states[sent.state] += 1
            assert sent.delivered, f"{sent}\n{world.server.screens()}"
            assert world.await_arrival(sent), world.server.screens()
            assert world.arrivals(sent) == 1
            tally.exact += 1
            world.settle()
            assert world.torch("stop", world.name).code == 0

    # -- contents ------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", UNSENDABLE)
    def test_what_cannot_arrive_intact_is_refused(self, agent: World, kind: str) -> None:
        sent = agent.send(f"{tag()} a{UNSENDABLE[kind]}b")
        if kind in self.stripped:
            assert sent.delivered, sent
            assert agent.await_arrival(sent), agent.stub.texts(sent.mark)
            return
        assert sent.result.code == 2, sent
        assert agent.view().idle, agent.server.screens()
        assert agent.stub.texts(sent.mark) == []

    # -- busy, asking, shared with a person ----------------------------------------------------

    def test_a_message_to_a_working_program_arrives(self, agent: World, report: Report) -> None:
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
            assert {one.outcome for one in agent.stub.requests[sent.mark - 1 :]} == {"answered"}
            tally.exact += 1
            tally.milliseconds.append(sent.result.json["elapsed_ms"])

    def test_a_second_message_is_queued_behind_the_first(self, agent: World) -> None:
        """Or is held back until the program is idle, where it could not be queued safely."""
        hold = busy(agent)
        if agent.setup not in self.queues:
            first = [agent.send(prose(40))] if self.joins else []
            assert all(one.delivered for one in first), first
            early = agent.send(prose(40), "--timeout", "1")
            assert (early.result.code, early.state) == (4, "held"), early
            assert not agent.view().box
            hold.release(Behaviour())
            for one in first:
                assert agent.await_arrival(one), agent.server.screens()
            agent.settle()
            assert agent.arrivals(early) == 0
            return
        texts = [prose(40), lines(5), prose(200), prose(2000)]
        sent = [agent.send(text) for text in texts]
        for one in sent:
            assert one.delivered, f"{one}\n{agent.server.screens()}"
        hold.release(Behaviour())
        for one in sent:
            assert agent.await_arrival(one), agent.stub.texts(one.mark)
        agent.settle()
        assert [agent.arrivals(one) for one in sent] == [1] * len(sent)

    def test_a_dialog_that_opens_during_a_delivery_is_not_approved(
        self, agent: World, report: Report
    ) -> None:
        """With a key that dialogs ignore that is a promise; with Enter it is counted."""
        safe = agent.setup in self.queues
        trials = how_many(agent.setup, RACES)
        races = race_many(agent, trials, report, queues=safe, window=self.window)
        if safe or not self.queues:  # without: nothing is typed while it works, where it asks
            assert_not_approved(races)
        if safe:
            assert_spread(races)

    # -- the end -------------------------------------------------------------------------------

    def test_a_program_that_has_crashed_gets_nothing(self, make_world: MakeWorld) -> None:
        world = make_world(Setup.SPAWNED)
        world.ready()
        os.kill(world.pid, signal.SIGKILL)
        assert_out_of_reach(world)

    def test_a_crash_during_a_delivery_is_not_called_delivered(
        self, make_world: MakeWorld, report: Report
    ) -> None:
        world = make_world(Setup.SPAWNED)
        lead = until_paste(world.ready())
        chance = random.Random(SEED)
        tally = report.tally(world.setup, "crash on the way")
        for _ in range(how_many(world.setup, CRASHES)):
            world.ready()
            process, mark = world.begin_send("--timeout", "5")
            family = [procs.identify(world.pid), *procs.descendants(world.pid)]

            def kill(family: list[procs.Process | None] = family) -> None:
                for one in family:
                    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                        if one is not None and procs.alive(one):  # its number may be another's now
                            os.kill(one.pid, signal.SIGKILL)

            killer = threading.Timer(lead + chance.uniform(-0.05, 0.2), kill)
            killer.start()
            text = prose(40)
            out, err = process.communicate(text.encode(), PATIENCE)
            killer.join()
            sent = Sent(text, Result(process.returncode, out.decode(), err.decode()), mark)
            world.wait(lambda: not world.alive, "the end of the program")
            tally.sent += 1
            tally.states[sent.state] += 1
            # Nothing but the screen speaks for it: the program may die between echo and request.
            lost = sent.state == "failed" and world.arrivals(sent) == 0
            if sent.delivered or lost or sent.result.code in (3, 4, 5):
                tally.exact += 1
            else:
                tally.failures.append(f"{sent}\n{world.server.screen(world.pane).rstrip()}")
        assert not tally.failures, describe(tally.failures)

    @pytest.mark.parametrize("doing", ["idle", "working", "draft", "asking"])
    def test_stop_leaves_nothing_behind(self, make_world: MakeWorld, doing: str) -> None:
        world = make_world(Setup.SPAWNED)
        server = set(world.processes())
        world.ready()
        scene: dict[str, Callable[[], object]] = {
            "idle": lambda: None,
            "working": lambda: busy(world),
            "draft": lambda: world.paste("half a tho"),
            "asking": lambda: self.open_dialog(world),
        }
        scene[doing]()
        program = procs.identify(world.pid)
        assert program is not None
        family = [program, *procs.descendants(world.pid)]
        stopped = world.torch("stop", world.name, "--json")
        assert stopped.code == 0, stopped
        assert not world.alive
        wait_until(lambda: not any(map(procs.alive, family)), what="the end of its processes")
        assert_nothing_ran(world)
        left = [one for one in world.processes() if one not in server]
        assert left == [], "a process of the program's home lives on"

    def open_dialog(self, world: World) -> None:
        """Let the program ask for a permission."""
        with world.stub.behaving(DIALOG):
            world.ask(prose(30))
            world.wait(lambda: world.view().asks, "the permission dialog")


class Alike(Contract):
    """A program that is served alike whether it was spawned or adopted, and has no reports.

    What is sent is the same then, with the same key. The short form proves of the adopted one only
    what is ``in_both``, the full form everything.
    """

    key: ClassVar[str] = ""
    """The submit key of either."""

    in_both: ClassVar[frozenset[str]] = frozenset(
        {
            "test_it_is_served_with_the_same_key",
            "test_a_message_of_any_size_arrives_exact",
            "test_a_permission_dialog_is_never_approved",
            "test_a_persons_draft_is_kept_and_not_sent",
            "test_ask_prints_what_the_program_answered",
        }
    )
    """What may depend on how the agent was registered, and what must never be wrong."""

    def test_it_is_served_with_the_same_key(self, agent: World) -> None:
        """Else the other set-up would need its own proof."""
        assert agent.state()["submit"]["key"] == self.key
        assert not agent.reports


class Trusting(Alike):
    """One that asks at its start whether to trust its directory, and keeps a list of those."""

    trust_question: ClassVar[str] = ""

    def test_the_trust_question_is_not_answered(self, make_world: MakeWorld) -> None:
        world = make_world(Setup.SPAWNED, trusted=False)
        started = world.start()
        assert started.code == 4, started
        assert self.trust_question in started.out
        assert world.state()["dialog"]["kind"] == "trust"
        for text in ("yes", "2", lines(5)):
            sent = world.send(text, "--timeout", "1")
            assert sent.result.code == 4, sent
        assert self.trust_question in world.server.screen(world.pane)
        assert isinstance(world.home, GeminiHome | QwenHome)
        assert world.home.trusted.read_text() == "{}"
        assert world.stub.requests == []
