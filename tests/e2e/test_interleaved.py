"""Torch on four real programs at once, on one tmux server and with one store.

Every program gets a message in each round, while the others get theirs; the ground truth is what
reached the stub of each.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.claude import ClaudeCode
from e2e.codex import Codex
from e2e.conftest import FULL, Setup, World, describe
from e2e.gemini import Gemini
from e2e.opencode import OpenCode
from e2e.report import REPORTS, Report
from e2e.scenes import SIZES
from torch_cli.profiling.verify.texts import SPECIALS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

ROUNDS = 100 if FULL else 5
"""Messages to each program."""

KITS = (ClaudeCode(), Codex(), Gemini(), OpenCode())

PLAIN = ("quotes", "emoji", "CJK", "an empty line", "#(…)", "trailing ;", "a dialog's text")
"""Awkward contents that every one of them takes as text."""


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """The four programs in windows of one server, each idle."""
    with ExitStack() as stack:
        made: list[World] = []
        for kit in KITS:
            root: Path = tmp_path_factory.mktemp(kit.name)
            setup = Setup.HOOKS if kit.name == "claude" else Setup.SPAWNED
            beside = made[0] if made else None
            world = World(root, kit, kit.install(), setup, beside=beside)
            # The first one's server ends with it, so it is closed last.
            stack.callback(world.close)
            made.append(world.ready())
        yield made


def test_messages_to_four_programs_at_once_arrive_once_and_exact(worlds: list[World]) -> None:
    title = ", ".join(f"{kit.title} {kit.version}" for kit in KITS)
    truth = "stubs of their APIs"
    report = REPORTS.setdefault("interleaved", Report("interleaved", title, truth, "see each"))
    contents = [*SIZES.values(), *(SPECIALS[kind] for kind in PLAIN)]

    def talk(world: World) -> None:
        tally = report.tally(world.kit.title, "interleaved")
        for number in range(ROUNDS):
            world.deliver(contents[number % len(contents)](), tally)

    threads = [threading.Thread(target=talk, args=(world,)) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tallies = [report.tally(world.kit.title, "interleaved") for world in worlds]
    failures = [failure for tally in tallies for failure in tally.failures]
    assert not failures, describe(failures)
    assert [tally.exact for tally in tallies] == [ROUNDS] * len(worlds)
    for world in worlds:
        # None came to another program, or came again later.
        got = [world.kit.received(text) for text in world.stub.texts()]
        assert len(got) >= ROUNDS
        for other in worlds:
            if other is not world:
                assert not set(got) & {other.kit.received(text) for text in other.stub.texts()}
