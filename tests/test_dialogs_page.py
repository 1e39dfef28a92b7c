"""docs/dialogs.md is made of what was counted, and says no more."""

from typing import Any

import pytest

from e2e import dialogs


def row(**more: Any) -> dict[str, Any]:
    """Return the row of a configuration in which 300 dialogs were opened."""
    return {
        **dialogs.row_of("plan mode", "0"),
        "key": "C-x C-q",
        "dialogs": 300,
        "moments": {"before the paste": 250, "after the key": 50},
        "date": "2026-11-29",
        "load": 7,
        **more,
    }


def test_the_page_is_made_of_what_was_counted() -> None:
    assert dialogs.PAGE.read_text() == dialogs.page(dialogs.read())


def test_a_row_says_how_many_were_answered_and_what_was_not_tried_is_named() -> None:
    page = dialogs.page({"found": [row()]})
    assert (
        "| plan mode | 0 | plan | C-x C-q | 300 | 0 | 1.0% | 50 after the key, "
        "250 before the paste | 0 | 7 | 2026-11-29 |" in page
    )
    left = page.partition("Not tried yet: ")[2]
    assert "vim, classic" in left
    assert "plan mode" not in left


def test_too_few_dialogs_are_no_claim_and_an_answered_one_is_shown() -> None:
    words = "the dialog is gone (after the key; the receipt says confirmed)"
    page = dialogs.page({"found": [row(dialogs=12, answered=1, words=words, screen="❯ Yes")]})
    assert "| 12 (of 300) | 1 |" in page
    assert f"**plan mode**: {words}" in page
    assert "❯ Yes" in page


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
