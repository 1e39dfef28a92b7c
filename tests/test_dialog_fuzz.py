"""No screen on which a dialog stands reads as ``idle``, however it is torn.

``make fuzz`` takes 100,000 screens; here a short form of it runs. The seed is printed with every
failure, and ``TORCH_FUZZ_SEED`` repeats it.
"""

import os
import random
from collections import Counter

import pytest

from dialogs import IDLE, PROFILES, changed, waiting
from torch_cli.programs.classify import classify
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import State
from torch_cli.tmux.screen import Row

COUNT = int(os.environ.get("TORCH_FUZZ", "5000"))
SEED = int(os.environ.get("TORCH_FUZZ_SEED", "20261124"))
SCREENS = waiting()
MENUS = ("at_menu", "slash_menu")


def fuzz(count: int, profiles: dict[str, Profile]) -> tuple[list[str], Counter[str]]:
    """Read ``count`` changed screens; return those read as idle, and how often each state came."""
    chance = random.Random(SEED)
    idle, states = [], Counter[str]()
    for number in range(count):
        program, name, screen = SCREENS[number % len(SCREENS)]
        shown, done = changed(chance, program, screen)
        found = classify(shown, profiles[program])
        states[f"{program} {found.state}"] += 1
        # A completion menu stands over a draft, and that is what keeps a message away.
        drafted = name.startswith(MENUS) and found.box is not None and not found.box.empty
        if found.state is State.IDLE and not drafted:
            idle.append(f"{program} {name}: {done} ({found.evidence})\n{shown.text}\n")
    return idle, states


def test_every_program_has_dialogs_to_change() -> None:
    assert {program for program, _, _ in SCREENS} == set(PROFILES)


@pytest.mark.timeout(3600)
def test_no_changed_screen_of_a_dialog_is_idle() -> None:
    idle, states = fuzz(COUNT, PROFILES)
    for state, number in sorted(states.items()):
        print(f"{number:>7} {state}")  # noqa: T201 - shown by -s and with a failure
    print(f"{COUNT} screens, seed {SEED}: {len(idle)} idle")  # noqa: T201
    assert not idle, f"{len(idle)} of {COUNT}, seed {SEED}:\n" + "\n".join(idle[:20])


@pytest.mark.parametrize("program", PROFILES)
def test_an_idle_screen_stays_idle_whatever_scrolled_above_it(program: str) -> None:
    """Else never to say idle would be a way to pass."""
    for screen in IDLE[program]:
        before = classify(screen, PROFILES[program])
        assert before.box is not None
        for cut in range(0, max(1, before.box.first - 4), 3):
            rows = (*screen.rows[cut:], *(Row.plain(""),) * cut)
            column, line = screen.cursor
            shown = screen._replace(rows=rows, cursor=(column, max(0, line - cut)))
            found = classify(shown, PROFILES[program])
            assert found.state is State.IDLE, f"{cut} rows cut: {found.evidence}\n{shown.text}"
