"""The classifier against screens that were taken while the programs were first tried out.

``screens/lab/PROGRAM-WHAT.txt`` are 120x40, without attributes, from tmux 3.3a on 2026-11-22: aider
0.86.2, bash 5.2, Codex 0.169.0, Gemini CLI 0.61.0, IPython, opencode 1.18.33 and Python 3.11. The
last line of most is what tmux knew: the cursor's column and row, and whether the process had ended.
Whether the cursor showed is not known. What each shows was worked out by eye.
"""

import re
from pathlib import Path

import pytest

from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import State
from torch_cli.tmux.screen import Screen

FOLDER = Path(__file__).parent / "screens" / "lab"
PROGRAMS = {"bash": "shell", "ipython": "python"}  # the others are named as their profiles

GHOST = "Ask Codex to do anything"  # nothing but its attribute tells it from a draft
SHORT, LONG, LINES = "…z", "…", "… line one: … … line two … indented three … line five end"

# Screen: state, what stands in the box (None: no box). Blanks do not count, "…" is some text.
SCREENS: dict[str, tuple[str, str | None]] = {
    "aider-error": ("idle", ""),
    "aider-error-401": ("idle", ""),
    "aider-error-500": ("working", None),  # it tries again
    "aider-exited": ("dead", None),
    "aider-idle": ("idle", ""),
    "aider-pasted": ("idle", "pasted line 0 … pasted line 29 of a longer text"),
    "aider-queued-long": ("working", None),  # what was typed meanwhile lies across the spinner
    "aider-queued-multi": ("working", None),
    "aider-queued-short": ("working", None),
    "aider-shell-approval": ("waiting", None),
    "aider-starting1": ("starting", None),
    "aider-starting2": ("starting", None),
    "aider-starting3": ("idle", ""),
    "aider-typing": ("idle", "typing something"),
    "aider-working": ("working", None),
    "bash-idle": ("idle", ""),
    "bash-queued": ("working", None),
    "codex-approval": ("waiting", None),
    "codex-error": ("idle", GHOST),
    "codex-error-401": ("idle", GHOST),
    "codex-error-500": ("working", GHOST),  # it tries again
    "codex-exited": ("dead", None),
    "codex-idle": ("idle", GHOST),
    "codex-pasted": ("idle", "pasted line 6 … pasted line 29 of a longer text"),
    "codex-queued-long": ("working", GHOST),
    "codex-queued-multi": ("working", GHOST),
    "codex-queued-short": ("working", GHOST),
    "codex-special-at-paste": ("idle", GHOST),
    "codex-special-bang-paste": ("idle", GHOST),
    "codex-special-big-paste": ("idle", GHOST),
    "codex-special-crlf-paste": ("idle", GHOST),
    "codex-special-dash-paste": ("idle", GHOST),
    "codex-special-emoji-paste": ("idle", GHOST),
    "codex-special-esc-paste": ("idle", GHOST),
    "codex-special-hash-paste": ("idle", GHOST),
    "codex-special-question-paste": ("idle", GHOST),
    "codex-special-semi-paste": ("idle", GHOST),
    "codex-special-slash-paste": ("idle", "/CX857084 not a command"),
    "codex-special-tab-paste": ("idle", GHOST),
    "codex-special-trail-paste": ("idle", GHOST),
    "codex-starting1": ("starting", None),
    "codex-stuck-lit0-long": ("idle", LONG),
    "codex-stuck-lit0-multi": ("idle", LINES),
    "codex-stuck-lit0-short": ("idle", SHORT),
    "codex-stuck-lit10-long": ("idle", LONG),
    "codex-stuck-lit10-multi": ("idle", LINES),
    "codex-stuck-lit10-short": ("idle", SHORT),
    "codex-stuck-lit100-long": ("idle", "CX846936 golf papa … charlie CX846936 delta pap"),
    "codex-stuck-lit200-long": ("idle", "[Pasted Content 2001 chars]"),
    "codex-stuck-lit50-long": ("idle", LONG),
    "codex-stuck-lit50-multi": ("idle", LINES),
    "codex-stuck-lit50-short": ("idle", SHORT),
    "codex-stuck-lit500-long": ("idle", "[Pasted Content 2001 chars]"),
    "codex-stuck-one0-long": ("idle", LONG),
    "codex-stuck-one0-multi": ("idle", LINES),
    "codex-stuck-one0-short": ("idle", SHORT),
    "codex-trust": ("waiting", None),
    "codex-typing": ("idle", "typing something"),
    "codex-working": ("working", GHOST),
    "gemini-approval": ("waiting", None),
    "gemini-error-401": ("idle", ""),
    "gemini-error-500": ("working", ""),  # it tries again
    "gemini-exited": ("dead", None),
    "gemini-idle": ("idle", ""),
    "gemini-pasted": ("idle", "[Pasted Text: 30 lines]"),
    "gemini-queued-long": ("working", ""),
    "gemini-queued-multi": ("working", ""),
    "gemini-queued-short": ("working", ""),
    "gemini-starting1": ("idle", ""),  # its first box: what is typed now is lost, hence `steady`
    "gemini-stuck-paste0-multi": ("idle", LINES),
    "gemini-stuck-paste10-long": ("idle", "[Pasted Text: 2000 chars]"),
    "gemini-trust": ("waiting", None),
    "gemini-typing": ("idle", "typing something"),
    "gemini-working": ("working", ""),
    "ipython-idle": ("idle", ""),
    "ipython-queued": ("working", None),
    "opencode-approval": ("waiting", None),
    "opencode-approval-externaldir": ("waiting", None),
    "opencode-error": ("idle", ""),
    "opencode-exited": ("dead", None),
    "opencode-idle": ("idle", ""),
    "opencode-pasted": ("idle", "[Pasted ~30 lines]"),
    "opencode-queued-long": ("working", ""),
    "opencode-queued-multi": ("working", ""),
    "opencode-queued-short": ("working", ""),  # taken before the queued message showed
    "opencode-starting1": ("idle", ""),
    "opencode-typing": ("idle", "typing something"),
    "opencode-working": ("working", ""),
    "python-idle": ("idle", ""),
    "python-queued": ("working", None),
}
# Where tmux was not asked, the cursor stood where the next letter would have appeared.
CURSORS = {
    "aider-error": (6, 36),
    "bash-idle": (10, 0),
    "bash-queued": (23, 1),
    "codex-error": (2, 36),
    "ipython-idle": (8, 1),
    "ipython-queued": (21, 2),
    "opencode-error": (5, 34),
    "python-idle": (4, 0),
    "python-queued": (19, 1),
}
QUESTIONS = {
    "aider-shell-approval": ("permission", "Run shell command?"),
    "codex-approval": ("permission", "Would you like to run the following command?"),
    "codex-trust": ("trust", "Trust this folder?"),
    "gemini-approval": ("permission", "│ Allow execution of [Shell]?"),
    "gemini-trust": ("trust", "│ Do you trust the files in this folder?"),
    "opencode-approval": ("permission", "△ Permission required"),
    "opencode-approval-externaldir": ("permission", "△ Permission required"),
}


def load(name: str) -> Screen:
    captured = (FOLDER / f"{name}.txt").read_text("utf-8").rstrip("\n").split("\n")
    facts = captured.pop() if re.match("(?:--- )?cmd=", captured[-1]) else ""
    asked = re.search(r" cursor=(\d+),(\d+) dead=([01]) ", facts)
    cursor = (int(asked[1]), int(asked[2])) if asked else CURSORS[name]
    dead = asked is not None and asked[3] == "1"
    return Screen.parse("\n".join(captured), width=120, height=40, cursor=cursor, dead=dead)


def profile_of(name: str) -> Profile:
    program = name.partition("-")[0]
    return load_profile(PROGRAMS.get(program, program), None)


def test_every_screen_is_in_the_table() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SCREENS)


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_reads_as_what_it_shows(name: str) -> None:
    state, text = SCREENS[name]
    found = classify(load(name), profile_of(name))
    assert found.state == state, (found.evidence, load(name).text)
    assert (found.box is None) == (text is None)
    if found.box is not None and text is not None:
        pattern = ".+".join(re.escape("".join(part.split())) for part in text.split("…"))
        assert re.fullmatch(pattern, "".join(found.box.text.split())), found.box.text
    waits = "queued" in name and profile_of(name).paste.queued is not None
    assert found.queued == (waits and name != "opencode-queued-short")
    dialog = found.dialog and (found.dialog.kind, found.dialog.question)
    assert dialog == QUESTIONS.get(name)


@pytest.mark.parametrize("name", [name for name in SCREENS if name.endswith("-exited")])
def test_a_farewell_is_no_box_while_tmux_does_not_say_that_the_process_ended(name: str) -> None:
    found = classify(load(name)._replace(dead=False), profile_of(name))
    assert found.state in (State.EXITED, State.WORKING), found.evidence
    assert found.box is None


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("visible", [True, False])
def test_a_dialog_is_one_whether_the_cursor_shows_or_not(name: str, visible: bool) -> None:
    found = classify(load(name)._replace(cursor_visible=visible), profile_of(name))
    assert found.state is State.WAITING, found.evidence
    assert found.box is None
