"""What ``make dialogs`` counts: a dialog that was answered, and one that was not."""

from functools import partial

import pytest

from e2e.configurations import CASES
from e2e.dialogs import begun
from e2e.openings import Near, opened

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def _answer(world: Near, key: str) -> None:
    """Answer the dialog that stands."""
    world.keys(key)
    world.wait(lambda: not world.view().asks, "the end of the dialog")


@pytest.mark.parametrize("name", ["vim, classic", "plan mode", "a server of tools"])
def test_a_dialog_counts_as_answered_only_if_somebody_answers_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    monkeypatch.setenv("TORCH_HOME", "")  # what the world sets goes with the test
    monkeypatch.setenv("TORCH_TMUX", "")
    with begun(case) as world:
        assert opened(world, case.dialog, 0.0).why == ""
        for key in ("Escape", "1"):
            seen = opened(world, case.dialog, 0.0, after=partial(_answer, world, key))
            assert seen.why, seen
            world.settle()
            (world.home.work / "approved").unlink(missing_ok=True)
