"""docs/dialogs.md is made of what was counted, run by run, and says no more."""

from pathlib import Path
from typing import Any

import pytest

from e2e import counted, dialogs
from e2e.openings import Opened
from e2e.scenes import SEED

HELD = Opened("before the paste", "held", "", False, "")
GONE = Opened("after the key", "confirmed", "the dialog is gone", False, "❯ Yes")
NONE = Opened("after the key", "confirmed", "", True, "")


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is counted in a directory of the test's own, and return the page's path."""
    monkeypatch.setattr(counted, "FOUND", tmp_path / "dialogs.json")
    monkeypatch.setattr(counted, "PAGE", tmp_path / "dialogs.md")
    return tmp_path / "dialogs.md"


def run(*seen: Opened, name: str = "plan mode", version: str = "0") -> counted.Run:
    """Begin a run, and count and keep what it has seen."""
    begun = counted.Run(name, version)
    begun.counts["key"] = "C-x C-q"
    for one in seen:
        begun.count(one)
        begun.keep()
    return begun


def row(**more: Any) -> dict[str, Any]:
    """Return the row of a configuration with one run, in which 300 dialogs were opened."""
    counts = {"seed": 7, "key": "C-x C-q", "dialogs": 300, "answered": 0, "unclear": 0}
    counts |= {"cut_short": 0, "moments": {"before the paste": 250, "after the key": 50}}
    counts |= {"date": "2026-11-29", "load": 7, **more}
    return {"configuration": "plan mode", "version": "0", "kind": "plan", "runs": [counts]}


def test_the_page_is_made_of_what_was_counted() -> None:
    assert counted.PAGE.read_text() == counted.page(counted.read())


def test_a_row_says_how_many_were_answered_and_what_was_not_tried_is_named() -> None:
    page = counted.page({"found": [row()]})
    assert (
        "| plan mode | 0 | plan | C-x C-q | 300 | 0 | 1.0% | 50 after the key, "
        "250 before the paste | 0 | 1 | 7 | 2026-11-29 |" in page
    )
    left = page.partition("Not tried yet: ")[2]
    assert "vim, classic" in left
    assert "plan mode" not in left


def test_too_few_dialogs_are_no_claim_and_an_answered_one_is_shown() -> None:
    words = "the dialog is gone (after the key; the receipt says confirmed)"
    page = counted.page({"found": [row(dialogs=12, answered=1, words=words, screen="❯ Yes")]})
    assert "| 12 (of 300) | 1 |" in page
    assert f"**plan mode**: {words}" in page
    assert "❯ Yes" in page


def test_runs_add_up_and_each_keeps_its_seed(pages: Path) -> None:
    run(HELD, HELD, NONE)
    run(HELD, name="continue")
    run(HELD, version="1")
    second = run(HELD)
    second.unclear("it hung\non a screen")
    second.keep()
    sums = counted.summed("plan mode", "0")
    assert [sums[name] for name in counted.COUNTS] == [3, 0, 1, 1]
    assert sums["moments"] == {"before the paste": 3}
    seeds = [(one["seed"], one["dialogs"], one["troubles"]) for one in sums["runs_kept"]]
    assert seeds == [(SEED, 2, []), (SEED + 1, 1, ["it hung"])]
    assert "| 3 (of 300) | 0 | 63.2% | 3 before the paste | 1 | 2 |" in pages.read_text()


def test_runs_at_the_same_time_do_not_take_each_others_counts(pages: Path) -> None:
    first, second = run(HELD), run(HELD, HELD)
    first.count(HELD)
    first.keep()
    second.count(HELD)
    second.keep()
    assert counted.summed("plan mode", "0")["dialogs"] == 5


def test_an_answered_dialog_stays_in_the_sum(pages: Path) -> None:
    run(HELD, GONE)
    run(HELD, HELD)
    again = run()
    again.keep()
    assert counted.summed("plan mode", "0")["answered"] == 1
    page = pages.read_text()
    assert "| 4 (of 300) | 1 |" in page
    assert "**plan mode**: the dialog is gone (after the key; the receipt says confirmed)" in page


def test_what_has_only_begun_counts_as_not_tried(pages: Path) -> None:
    run()
    run().keep()
    run(HELD, name="continue")
    assert "plan mode" in pages.read_text().partition("Not tried yet: ")[2]


def test_an_unknown_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["dialogs", "vim"])
    with pytest.raises(SystemExit) as ended:
        dialogs.main()
    assert ended.value.code == 2
    assert "unknown configuration 'vim'; there are: all traffic; no colour" in (
        capsys.readouterr().err
    )
