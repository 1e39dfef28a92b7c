"""What keeps the real programs from going on: a usage limit, an API that does not answer.

Claude Code says such a limit, and waits for its end by itself, if it is logged in by a token. Codex
names the moment if its API does. Gemini CLI asks a person what to do, and opencode waits by itself.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from e2e.claude import ClaudeCode
from e2e.codex import Codex
from e2e.configurations import delegated
from e2e.conftest import FULL, PATIENCE, MakeWorld, Setup, World
from e2e.gemini import Gemini
from e2e.opencode import OpenCode
from e2e.program import Program
from torch_cli.health.limits import GO_ON_WORDS
from torch_cli.intervals import VARIABLE
from torch_cli.profiling.houses import Home
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.programs.reset import reset_at

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

TOKEN = "sk-ant-oat01-not-a-real-token-0123456789"
"""An invented one; only the stub gets it."""

TURN_SECONDS = 50 if FULL else 5
"""How long the turn lasts until the limit cuts it off. The screen is the same after 50 s."""

SOON = "limit_over=1 limit_between=0.1 states=0.3 health=0.5"
"""Intervals of a scheduler with which an agent that has not moved goes on 1 s after the reset."""

HASTE = """
from torch_cli.attention import stalled
stalled.NO_PROGRESS_SECONDS, stalled.DEEP_SECONDS = 6.0, 2.0
stalled.SAMPLE_SECONDS, stalled.REST_SECONDS = 0.0, 0.0
"""
"""Has the scheduler take six seconds without a sign of progress for a stall."""


class LoggedIn(ClaudeCode):
    """Claude Code with a login instead of a key."""

    def environment(self, home: Home, url: str) -> dict[str, str]:
        found = super().environment(home, url)
        del found["ANTHROPIC_API_KEY"]
        return found | {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}


@pytest.fixture(scope="module", params=[LoggedIn, Codex], ids=lambda one: str(one.name))
def kit(request: pytest.FixtureRequest) -> Program:
    program: Program = request.param()
    return program


@contextlib.contextmanager
def daemon(world: World, fault: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run a scheduler, which runs the code ``fault`` first."""
    world.environment[VARIABLE] = SOON
    one = world.popen_with(fault, "daemon", "run", "--quiet")
    try:
        yield one
    finally:
        one.terminate()
        one.communicate(timeout=60)


def limit(reset: float) -> Behaviour:
    """Return how the API refuses a request of an account whose limit ends at ``reset``."""
    name = "anthropic-ratelimit-unified"
    headers = {f"{name}-status": "rejected", f"{name}-reset": f"{reset:.0f}"}
    headers |= {f"{name}-representative-claim": "five_hour", "x-should-retry": "false"}
    more = {"resets_at": int(reset)}
    return Behaviour(StubMode.ERROR, delay=TURN_SECONDS, status=429, headers=headers, given=more)


def unnamed(reset: float) -> Behaviour:
    """Return how Codex's API refuses a request without a moment in its words, but with figures."""
    windows = {"primary": (100.0, 300, reset), "secondary": (40.0, 10080, reset + 9999)}
    headers = {"x-should-retry": "false"}
    for name, (used, minutes, ends) in windows.items():
        headers |= {f"x-codex-{name}-used-percent": f"{used}"}
        headers |= {f"x-codex-{name}-window-minutes": f"{minutes}"}
        headers |= {f"x-codex-{name}-reset-at": f"{ends:.0f}"}
    return replace(limit(reset), headers=headers, given={})


def goes_on(world: World) -> int:
    """Return how often the program was told to go on, by the requests that came."""
    return sum(GO_ON_WORDS in text for text in world.stub.texts())


def test_a_turn_that_a_limit_has_cut_off_goes_on_once_after_the_reset(
    kit: Program, make_world: MakeWorld
) -> None:
    """If the program does not go on by itself, or was told not to. What waits comes after that."""
    world = make_world(Setup.SPAWNED)
    assert world.start().code == 0, world.server.screens()
    with daemon(world):
        assert world.send("Hello.").delivered
        world.settle()
        now = time.time() + TURN_SECONDS + 20  # a person needs a moment for the key
        # Claude Code also writes the second of it.
        reset = now - now % 60 + (77 if kit.name == "claude" else 60)
        with world.stub.behaving(limit(reset)):
            assert world.send("Do it.").delivered
            world.wait(lambda: world.state()["state"] == "limited", "the limit")
        said = world.state()["reset"]
        named = reset_at(said, time.time())
        assert named is not None
        assert 0 <= reset - named < 60, said
        if kit.name == "claude":
            world.keys("Escape")
            told = "continue cancelled"
            world.wait(lambda: told in "\n".join(world.view().rows), "its word for that")
        if kit.name == "claude":  # it knows the second, and its screen the minute
            due = world.torch("health", world.name, "--json").json["limit"]["due"]
            assert datetime.fromisoformat(due).timestamp() == reset + 1
        held = world.send("And then this.", "--timeout", "0")
        assert held.result.json["reason"].startswith("limited:"), held
        assert world.state()["state"] == "limited"
        assert not goes_on(world)
        world.wait(lambda: goes_on(world), "the message after the reset")
        assert time.time() >= reset
        assert world.await_arrival(held), world.server.screens()
    assert goes_on(world) == 1
    texts = world.stub.texts()
    first = next(at for at, text in enumerate(texts) if GO_ON_WORDS in text)
    assert first < next(at for at, text in enumerate(texts) if "And then this." in text)


@pytest.mark.parametrize("kit", [Codex], indirect=True)
def test_a_limit_whose_end_the_screen_does_not_name_ends_by_the_programs_own_figures(
    make_world: MakeWorld,
) -> None:
    """It says "try again later", and offers a cheaper model, which a person declines here."""
    world = make_world(Setup.SPAWNED)
    assert world.start().code == 0, world.server.screens()
    with daemon(world):
        assert world.await_arrival(world.send("Hello.")), world.server.screens()
        world.settle()
        reset = float(round(time.time() + TURN_SECONDS + 60))
        with world.stub.behaving(unnamed(reset)):
            world.send("Do it.")
            offers = "Approaching rate limits"
            world.wait(lambda: offers in "\n".join(world.view().rows), "its offer")
        world.keys("Escape")
        world.wait(lambda: world.state()["state"] == "limited", "the limit")
        assert world.state()["reset"] is None
        found = world.torch("health", world.name, "--json").json["limit"]
        until, due = (datetime.fromisoformat(found[name]) for name in ("until", "due"))
        assert (until.timestamp(), due.timestamp()) == (reset, reset + 1), found
        world.wait(lambda: goes_on(world), "the message after the reset")
        assert time.time() >= reset
    assert goes_on(world) == 1


@pytest.mark.parametrize("kit", [Gemini], indirect=True)
def test_a_turn_goes_on_after_a_limit_about_which_a_person_was_asked(make_world: MakeWorld) -> None:
    """Gemini CLI names the minute. Another agent of that account, at rest, hears nothing."""
    world = make_world(Setup.SPAWNED)
    assert world.start().code == 0, world.server.screens()
    resting = world.name
    assert world.start().code == 0, world.server.screens()
    with daemon(world):
        assert world.await_arrival(world.send("Hello.")), world.server.screens()
        world.settle()
        asks = time.time() + TURN_SECONDS
        reset = asks + 125 - asks % 60  # some seconds behind the minute that it names
        with world.stub.behaving(exhausted(reset - asks)):
            world.send("Do it.")
            world.wait(lambda: world.state()["state"] == "waiting", "its question")
        held = world.send("And then this.", "--timeout", "0")
        asked = world.state()["dialog"]["hash"]
        done = world.torch("answer", world.name, "stop", "--hash", asked)
        assert done.code == 0, f"{done}\n{world.server.screens()}"
        world.wait(lambda: world.state()["state"] == "limited", "the limit")
        found = world.torch("health", world.name, "--json").json["limit"]
        until, due = (datetime.fromisoformat(found[name]).timestamp() for name in ("until", "due"))
        assert (until % 60, due) == (0, until + 1), found
        assert 0 <= until - (reset - 5) < PATIENCE, found
        assert not goes_on(world)
        world.wait(lambda: goes_on(world), "the message after the reset")
        assert time.time() >= due
        assert world.await_arrival(held), world.server.screens()
        world.settle()
        assert world.torch("health", resting, "--json").json["limit"] is None
    assert goes_on(world) == 1
    texts = world.stub.texts()
    first = next(at for at, text in enumerate(texts) if GO_ON_WORDS in text)
    assert first < next(at for at, text in enumerate(texts) if "And then this." in text)


def exhausted(delay: float) -> Behaviour:
    """Return how Gemini's API refuses a request whose quota begins again in ``delay`` seconds.

    Without the reason the program asks a person only about more than five minutes (0.61.0).
    """
    types = "type.googleapis.com/google.rpc."
    info = {"@type": f"{types}ErrorInfo", "reason": "QUOTA_EXHAUSTED"}
    info["domain"] = "cloudcode-pa.googleapis.com"
    given = {"details": [info, {"@type": f"{types}RetryInfo", "retryDelay": f"{delay:.0f}s"}]}
    words = "You exceeded your current quota, please check your plan and billing details."
    error = StubMode.ERROR
    return Behaviour(error, delay=TURN_SECONDS, status=429, answer=words, given=given)


@pytest.mark.parametrize("kit", [OpenCode], indirect=True)
def test_a_program_that_waits_for_the_reset_by_itself_is_told_nothing(
    make_world: MakeWorld,
) -> None:
    """opencode shows when it tries again, and does."""
    world = make_world(Setup.SPAWNED)
    assert world.start().code == 0, world.server.screens()
    with daemon(world):
        assert world.await_arrival(world.send("Hello.")), world.server.screens()
        world.settle()
        headers = {"retry-after": "25"}
        limited = Behaviour(StubMode.ERROR, delay=TURN_SECONDS, status=429, headers=headers)
        with world.stub.behaving(limited):
            world.send("Do it.")
            world.wait(lambda: world.state()["state"] == "retrying", "its wait")
        held = world.send("And then this.", "--timeout", "0")
        assert held.state == "held", held
        assert world.await_arrival(held), world.server.screens()
    assert not goes_on(world)


@pytest.mark.parametrize("kit", [LoggedIn], indirect=True)
def test_a_turn_that_makes_no_progress_is_told_and_nudged(make_world: MakeWorld) -> None:
    """Its spinner turns, and the stream is kept alive: neither is progress. A sub-agent is.

    Without the chord of ``agent-setup`` it takes no message while it works, and is not nudged.
    """
    world = make_world(Setup.CHORD)
    assert world.start().code == 0, world.server.screens()
    assert world.torch("health", world.name, "--stalled", "nudge").code == 0
    with daemon(world, HASTE):
        assert world.send("Hello.").delivered
        world.settle()
        helper, hold = delegated(world, lambda: world.send("Do it."))
        until = time.monotonic() + 20  # three times what is long enough here
        while time.monotonic() < until:
            assert world.state()["state"] == "working", "a sub-agent is at work"
        helper.release(Behaviour())
        world.wait(lambda: world.state()["state"] == "stalled", "the stall")
        told = world.torch("status", "--json").json
        assert world.name in str(told), told
        events = ("events", "--agent", world.name)
        world.wait(lambda: "nudged" in world.torch(*events).out, "the nudge")
        assert world.view().working, "the turn goes on"
        hold.release(Behaviour())
        world.wait(lambda: nudges(world), "the nudge in a request")
        world.settle()
    assert nudges(world) == 1


def nudges(world: World) -> int:
    return sum("no sign of progress" in text for text in world.stub.texts())
