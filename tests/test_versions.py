"""docs/versions.md is made of what was found, and says no more."""

from pathlib import Path
from typing import Any

import pytest
import versions

from e2e.program import NotInstalledError, _check


def test_the_page_is_made_of_what_was_found() -> None:
    assert versions.PAGE.read_text() == versions.page(versions.read())


def test_a_row_says_what_failed_and_what_was_not_tried_is_named() -> None:
    row: dict[str, Any] = {
        "program": "codex",
        "title": "Codex",
        "version": "0.2.0",
        "date": "2026-11-28",
    }
    row |= {"verdict": "failed", "words": "it is | broken", "keys": ["F12: not believed"]}
    row |= {"held": 3, "total": 4, "load": 1}
    known = {"found": [row], "published": {"codex": ["0.10.0", "0.2.0"]}}
    page = versions.page(known)
    assert (
        "| 0.2.0 | failed | 3 of 4 | F12: not believed | it is \\| broken | 1 | 2026-11-28 |"
        in page
    )
    assert "Published, and not tried yet: 0.10.0." in page


@pytest.mark.parametrize(("program", "verdict"), [("aider", "failed"), ("crush", "open")])
def test_only_what_the_program_does_fails_its_version(
    program: str, verdict: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One that prints no version has failed; one for which there is no proof has not."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert versions._verdict(program, Path("/bin/true"))["verdict"] == verdict


@pytest.mark.parametrize(
    ("verdict", "known"),
    [("proven", True), ("failed", True), ("open", False), ("not installed", False)],
)
def test_what_is_not_decided_is_tried_again(verdict: str, known: bool) -> None:
    found = [{"program": "codex", "version": "0.2.0", "verdict": verdict}]
    assert versions._known(found, "codex", "0.2.0") is known


def test_a_program_that_does_not_say_its_version_in_time_ends_only_its_own_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("e2e.program.VERSION_TIMEOUT", 0.2)
    with pytest.raises(NotInstalledError, match="timed out"):
        _check(program, "1.0")
