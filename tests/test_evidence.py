"""What a screen proves about a message, in programs whose echoes look like their input box."""

import pytest

from torch_cli.delivery.evidence import Baseline, baseline, departed, echoed
from torch_cli.delivery.ours import is_ours
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import AgentState
from torch_cli.roster.registry import knows_chord
from torch_cli.roster.safety import submit_key
from torch_cli.tmux.screen import Screen

CODEX = load_profile("codex", None)
GEMINI = load_profile("gemini", None)
WIDTH = 60
BELOW = ["", "  gpt-5 default · ~/project", "  ? for shortcuts"]
BUSY = "• Working (1s • esc to interrupt)"
LONG = "\n".join(f"line {number} of a long message" for number in range(80))


def shown(*rows: str) -> tuple[Screen, AgentState]:
    screen = Screen.parse("\n".join(rows), width=WIDTH, height=max(24, len(rows)))
    return screen, classify(screen, CODEX)


def proves(typed: str, before: list[str], after: list[str]) -> bool:
    screen, state = shown(*before)
    base = baseline(screen, state, CODEX, 0)
    screen, state = shown(*after)
    return echoed(screen, state.box, typed.split("\n")[0], base, CODEX)


def test_an_echo_is_proof_and_the_box_is_none() -> None:
    idle = ["› earlier", "", "• OK.", "", "› ", *BELOW]
    assert proves("hello", idle, ["› earlier", "", "› hello", "", BUSY, "", "› ", *BELOW])
    assert not proves("hello", idle, ["› earlier", "", "• OK.", "", "› hello", *BELOW])
    assert not proves("earlier", idle, [*idle])


def test_a_message_in_the_queue_is_proof_though_its_row_is_shorter() -> None:
    words = "word " * 10 + "and some more of it"
    queue = ["• Queued follow-up inputs", f"  ↳ {words[:54]}", f"    {words[54:]}", ""]
    before = ["› earlier", "", BUSY, "", "› ", *BELOW]
    assert proves(words, before, ["› earlier", "", BUSY, "", *queue, "› ", *BELOW])


def test_an_echo_may_be_rendered_without_its_marks() -> None:
    idle = ["› ", *BELOW]
    assert proves("**one** two \\", idle, ["› one two", "", BUSY, "", "› ", *BELOW])
    assert not proves("!?", idle, ["› ...", "", BUSY, "", "› ", *BELOW])


def test_the_row_of_a_menu_is_no_echo() -> None:
    menu = ["  Would you like it?", "", "› 1. Yes, proceed (y)", "  2. No", "", "  Press enter"]
    before = ["› earlier", "", BUSY, "", "› ", *BELOW]
    assert not proves("1", before, ["› earlier", "", "• Running", "", *menu])
    assert proves("1. do", before, ["› earlier", "", "› 1. do", "", BUSY, "", "› ", *BELOW])


def leaves(typed: str, before: list[str], at_key: list[str], after: list[str]) -> str:
    screen, state = shown(*before)
    base = baseline(screen, state, CODEX, 0)
    pressed, held = shown(*at_key)
    assert held.box is not None
    assert is_ours(held.box, typed, base, CODEX, pasted=True)
    screen, state = shown(*after)
    return departed(screen, state, pressed, held.box, typed, base, CODEX)


def test_a_long_text_is_known_by_its_end() -> None:
    at_key = ["• OK.", "", f"› [Pasted Content {len(LONG)} chars]", *BELOW]
    rows = [f"  {line}" for line in LONG.split("\n")[-10:]]
    after = [*rows, "", "• OK.", "", "› ", *BELOW]
    assert "end is echoed" in leaves(LONG, ["› ", *BELOW], at_key, after)
    assert not leaves(LONG, ["› ", *BELOW], at_key, ["• OK.", "", "› ", *BELOW])


def test_a_box_that_is_half_drawn_is_no_proof() -> None:
    """The footer is still missing, so nothing tells the box from an echo."""
    idle, at_key = ["› ", *BELOW], ["• OK.", "", "› hello", *BELOW]
    assert not leaves("hello", idle, at_key, ["• OK.", "", "› hello"])
    assert not leaves("hello", idle, at_key, ["• OK.", "", "› hello", "", "› hello"])
    assert leaves("hello", idle, at_key, ["› hello", "", "› ", *BELOW])
    dialog = ["› hello", "", "• Running", "", "  May I?", "", "› 1. Yes", "", "  Press enter"]
    assert leaves("hello", idle, at_key, dialog)


@pytest.mark.parametrize("wrong", [len(LONG) - 1, len(LONG) + 1, 5])
def test_a_placeholder_of_another_size_is_not_ours(wrong: int) -> None:
    _, state = shown("• OK.", "", f"› [Pasted Content {wrong} chars]", *BELOW)
    assert state.box is not None
    assert not is_ours(state.box, LONG, Baseline(), CODEX, pasted=True)
    _, state = shown("• OK.", "", f"› mine [Pasted Content {len(LONG)} chars]", *BELOW)
    assert state.box is not None
    assert not is_ours(state.box, LONG, Baseline(), CODEX, pasted=True)


def test_the_end_of_a_text_is_ours_only_in_a_box_that_has_scrolled() -> None:
    rows = LONG.split("\n")[-3:]
    _, state = shown("• OK.", "", f"› {rows[0]} ↑", f"  {rows[1]}", f"  {rows[2]}")
    assert state.box is not None
    assert is_ours(state.box, LONG, Baseline(), CODEX, pasted=True)
    _, state = shown("• OK.", "", f"› {rows[0]}", f"  {rows[1]}", f"  {rows[2]}", *BELOW)
    assert state.box is not None
    assert not is_ours(state.box, LONG, Baseline(), CODEX, pasted=True)


# Which key


def test_a_key_that_the_arguments_bind_is_known_to_what_torch_started() -> None:
    assert knows_chord(CODEX, {}, launched=True)
    assert not knows_chord(CODEX, {})
    assert submit_key(CODEX, chord=True, version="").keys == ("F12",)
    adopted = submit_key(CODEX, chord=False, version="0.169.0")
    assert (adopted.keys, adopted.safe, adopted.while_working) == (("Enter",), False, False)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ('[{"command": "input.submit", "key": "f5"}]', True),
        ('[{"command":"input.submit","key":"f8"}]', False),
        ("", False),
        (None, False),
    ],
)
def test_a_key_that_a_file_binds_is_known_where_the_file_says_so(
    tmp_path_factory: pytest.TempPathFactory, written: str | None, known: bool
) -> None:
    home = tmp_path_factory.mktemp("home")
    if written is not None:
        (home / ".gemini").mkdir()
        (home / ".gemini" / "keybindings.json").write_text(written)
    assert knows_chord(GEMINI, {"HOME": str(home)}, launched=True) is known
    assert knows_chord(GEMINI, {"HOME": str(home)}) is known
