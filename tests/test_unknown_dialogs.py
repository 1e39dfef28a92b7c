"""What has the shape of a menu or a question is a dialog, also if no profile knows it.

The screens are those of real programs. Each dialog is read by a profile of the program without its
rules, as one would read a dialog of its next version.
"""

import random
import re
from collections import Counter

import pytest

import test_classify as claude
import test_classify_others as others
import test_other_screens as footed
import test_settings_screens as settings
from dialogs import PROFILES, changed, waiting
from torch_cli.programs.asked import Asked, Option, asked, option_of
from torch_cli.programs.classify import classify
from torch_cli.programs.loading import load_profile
from torch_cli.programs.shape import shape_of
from torch_cli.programs.state import UNKNOWN_KIND, AgentState, Dialog, State
from torch_cli.tmux.screen import Row, Screen

RULELESS = {name: profile._replace(rules=()) for name, profile in PROFILES.items()}
OTHER = load_profile("other", None)

UNLIKE = re.compile(
    r"claude (?:auto_mode_dialog(?:_second)?@40x40|held_message@\S*)|codex question_notes\S*"
    r"|opencode (?:at_menu|slash_menu|command_palette)@\S*"
)
"""Dialogs that have no such shape: a field for a text, a menu in the middle of the screen or above
the box, a question whose only sign is too far above in a narrow pane, a list that says neither keys
nor a question."""


def everything() -> list[tuple[str, str, Screen]]:
    found = [("claude", name, claude.load(name)) for name in claude.FILES]
    for module in (footed, others):
        found += [(program, name, module.load(program, name)) for program, name in module.FILES]
    return found + [(name.partition("-")[0], name, settings.load(name)) for name in settings.FACTS]


SCREENS = everything()
STATES = [classify(shown, PROFILES[program]) for program, _, shown in SCREENS]


def screen(text: str, cursor: tuple[int, int] | None = None) -> Screen:
    rows = tuple(Row.plain(row) for row in text.strip("\n").split("\n"))
    at = cursor or (len(rows[-1].text) + 1, len(rows) - 1)
    return Screen(rows, 80, len(rows), at)


def look(text: str) -> AgentState:
    return classify(screen(text), OTHER)


# -- real dialogs ----------------------------------------------------------------------------------


def test_the_dialogs_of_all_programs_have_the_shape_of_one() -> None:
    missed = []
    for program, name, shown in waiting():
        found = classify(shown, RULELESS[program])
        if found.dialog is None:
            missed.append(f"{program} {name}")
            continue
        assert found.state is State.UNKNOWN, "nothing that is only guessed counts as known"
        assert found.dialog.kind == UNKNOWN_KIND
        assert found.dialog.hash
        assert not asked(found.dialog).options, "nobody knows which keys choose them"
    assert [name for name in missed if not UNLIKE.match(name)] == []


@pytest.mark.parametrize("state", [State.IDLE, State.WORKING, State.LIMITED, State.STARTING])
def test_what_an_idle_or_a_working_program_shows_is_no_dialog(state: State) -> None:
    """Not even if nobody knew its box, but for the help of Codex, which is closed by a key."""
    for (program, name, shown), read in zip(SCREENS, STATES, strict=True):
        if read.state is state:
            assert read.dialog is None, (program, name)
            cursor = shown.cursor if shown.cursor_visible else None
            found = shape_of([row.text for row in shown.rows], cursor)
            assert found is None or name.startswith("shortcuts"), (program, name, shown.text)


def test_menus_of_programs_that_have_no_rule_are_unknown_dialogs() -> None:
    """The pickers of Codex, and the list of agents of Claude Code."""
    names = {
        f"{program} {re.split('[@-]', name)[0]}"
        for (program, name, _), read in zip(SCREENS, STATES, strict=True)
        if read.rule == "unknown dialog"
    }
    assert names == {
        *("claude agent_viewed_list", "claude agents_list", "claude teammate_list"),
        *("codex agents_view", "codex resume_picker", "codex theme_picker"),
        *("codex statusline_picker", "codex statusline_picker_end"),
    }


def test_no_changed_screen_of_a_dialog_breaks_the_look_for_one() -> None:
    chance = random.Random(20261129)
    screens = waiting()
    found = 0
    for number in range(1500):
        program, _, shown = screens[number % len(screens)]
        torn, _ = changed(chance, program, shown)
        state = classify(torn, RULELESS[program])
        found += state.dialog is not None
        assert state.dialog is None or state.state is State.UNKNOWN
    assert found > 700


# -- shapes ----------------------------------------------------------------------------------------

DIALOGS = {
    "numbered": """
Deploy to production?
❯ 1. Yes
  2. No
""",
    "numbered in brackets": """
What now?
  [1] Retry
  [2] Give up
Your choice:
""",
    "marked": """
Which branch?
> main
  develop
(use arrow keys)
""",
    "in a frame": """
╭──────────────────────────────╮
│ Allow this tool?             │
│                              │
│ ▶ Allow                      │
│   Reject                     │
╰──────────────────────────────╯
""",
    "radio": """
Pick a theme
● Dark
○ Light
enter confirm · esc cancel
""",
    "checkboxes": """
Which servers?
❯ [x] files
  [ ] search
space to toggle, enter to confirm
""",
    "buttons": """
Apply this patch to 3 files?

   [ Yes ]   [ No ]
""",
    "letters": "Overwrite the file? [y/N]",
    "letters, with an answer": "Do you want to continue? [Y/n] y",
    "letters in words": "Are you sure you want to continue connecting (yes/no/[fingerprint])?",
    "letters of aider": "Add it to the chat? (Y)es/(N)o [Yes]:",
    "a wrapped question": """
Remove all of the 214 files that are not known to
git (y/n)?
""",
    "a bare question": "Really quit? ",
    "a password": "dev@example.org's password: ",
    "a key": """
The session was moved.
Press Enter to continue
""",
}


@pytest.mark.parametrize("name", DIALOGS)
def test_a_shape_is_a_dialog(name: str) -> None:
    found = look(DIALOGS[name])
    assert found.state is State.UNKNOWN
    assert found.dialog is not None, found.evidence
    assert found.dialog.kind == UNKNOWN_KIND
    assert found.dialog.question in found.evidence


NO_DIALOGS = {
    "a list in prose": """
There are three ways:
1. Rewrite it.
2. Patch it.
3. Leave it as it is.
I would take the second, because the code around it is sound
and nobody else calls it.

 ask anything
""",
    "a list above a prompt": """
Which one shall I take?
1. Rewrite it.
2. Patch it.

>
""",
    "a quoted menu": """
The dialog looked so:
  Do you want to proceed?
  ❯ 1. Yes
    2. No
  Esc to cancel
It is gone now.

────────────────────────────────────────
❯ write a message
────────────────────────────────────────
  gpt-5 · ~/project
""",
    "a table": """
| 1. | Yes |
| 2. | No  |
──────────
done, 2 rows
""",
    "a draft of two lines": """
Shall I go on?
──────────────────
❯ yes, and then
  the docs, please
──────────────────
""",
    "a draft of two lines without a frame": """
Shall I go on?
> yes, and then do all of the other things that we spoke about today
  the docs, please, and the tests, and the example in the README as well
""",
    "a question in prose": """
Shall I go on?

$
""",
    "work": """
⠋ Thinking about it (esc to cancel, 3s)
""",
    "keys of a box": """
│ >                     │
╰───────────────────────╯
  enter to send · shift+tab to accept edits · ctrl+c to quit
""",
    "rows of code": """
  12  fn greet() {
  13 -    println!("a");
  13 +    println!("b");
""",
    "steps": """
● Step 1
● Step 2
● Step 3
""",
}


@pytest.mark.parametrize("name", NO_DIALOGS)
def test_what_only_looks_a_little_like_one_is_none(name: str) -> None:
    found = look(NO_DIALOGS[name])
    assert found.dialog is None, found.evidence


def test_a_command_that_aider_runs_may_ask() -> None:
    """Without a box each of its screens counts as work, but for a question at the end."""
    for row, state in (("Proceed (Y/n)? ", State.UNKNOWN), ("Proceeding.", State.WORKING)):
        found = classify(screen(f"/run pip uninstall x\nWould remove x\n{row}"), PROFILES["aider"])
        assert found.state is state
        assert (found.dialog is not None) == (state is State.UNKNOWN)


def test_a_menu_below_the_box_is_a_dialog_too() -> None:
    """Whatever it is, what is typed may go to it."""
    shown = next(one for program, name, one in SCREENS if (program, name) == ("claude", "idle"))
    profile = PROFILES["claude"]._replace(rules=())
    assert classify(shown, profile).state is State.IDLE
    rows = list(shown.rows)
    last = max(at for at, row in enumerate(rows) if row.text)
    rows[last : last + 1] = [Row.plain("  ❯ 1. Yes"), Row.plain("    2. No"), rows[last]]
    found = classify(shown._replace(rows=tuple(rows)), profile)
    assert (found.state, found.dialog and found.dialog.kind) == (State.UNKNOWN, UNKNOWN_KIND)
    # A status line of the user's may have numbers.
    rows[last] = Row.plain("    1. main")
    assert classify(shown._replace(rows=tuple(rows)), profile).state is State.IDLE


def test_the_hash_is_over_all_that_is_shown() -> None:
    """Nobody knows how far above its options an unknown dialog says what it is about."""
    one, two = (
        look(f"$ rm -rf {what}\n──────────\nProceed?\n❯ 1. Yes\n  2. No").dialog
        for what in ("/tmp/x", "/home")
    )
    assert one is not None
    assert two is not None
    assert one.hash != two.hash
    assert one.marked == 3


# -- another order ---------------------------------------------------------------------------------


def swapped(shown: Screen, one: Option, two: Option, dialog: Dialog) -> Screen:
    """Return the screen with the words of two options in each other's places."""
    texts = [row.text for row in shown.rows]
    if one.row == two.row:
        at = max(n for n, text in enumerate(texts) if text == dialog.rows[one.row])
        words = sorted((option.words for option in (one, two)), key=texts[at].index)
        first, second = (texts[at].index(each) for each in words)
        behind = texts[at][first + len(words[0]) : second], texts[at][second + len(words[1]) :]
        made = {at: texts[at][:first] + words[1] + behind[0] + words[0] + behind[1]}
    else:
        places = [
            max(n for n, text in enumerate(texts) if text == dialog.rows[option.row])
            for option in (one, two)
        ]
        parts = []
        for at, option in zip(places, (one, two), strict=True):
            begin = texts[at].index(
                option.words.split()[0], 0 if option.key not in "123456789" else 2
            )
            end = len(texts[at].rstrip(" │"))
            parts.append((texts[at][:begin], texts[at][begin:end], texts[at][end:]))
        (lead, words_one, end_one), (lead_two, words_two, end_two) = parts
        made = {
            places[0]: lead + words_two + end_one.rjust(len(words_one + end_one) - len(words_two)),
            places[1]: lead_two
            + words_one
            + end_two.rjust(len(words_two + end_two) - len(words_one)),
        }
    rows = [Row.plain(made.get(at, text)) for at, text in enumerate(texts)]
    return shown._replace(rows=tuple(rows))


def test_a_dialog_whose_options_come_in_another_order_is_still_that_dialog() -> None:
    """The same question of the same kind, whose hash and whose keys are those of the new order."""
    tried: Counter[str] = Counter()
    for program, name, shown in waiting():
        profile = PROFILES[program]
        before = classify(shown, profile)
        assert before.dialog is not None
        asks = asked(before.dialog)
        if len(asks.options) < 2 or before.dialog.choose == "letter":
            continue
        one, two = asks.options[0], asks.options[-1]
        after = classify(swapped(shown, one, two, before.dialog), profile)
        assert (after.state, after.rule) == (State.WAITING, before.rule), (name, after.evidence)
        assert after.dialog is not None
        now = asked(after.dialog)
        assert (after.dialog.kind, now.question) == (before.dialog.kind, asks.question), name
        assert now.is_still(asks), (name, asks, now)
        assert option_of(now, two.words).key == one.key, "chosen by its place, not by its words"
        assert after.dialog.hash != before.dialog.hash, "an answer to the old order is refused"
        tried[program] += 1
    assert set(tried) == set(PROFILES) - {"aider"}


def test_letters_in_another_order_are_the_same_question() -> None:
    one, two = (
        asked(Dialog("permission", "Run it?", (f"Run it? {letters} [Yes]:",), "", "letter"))
        for letters in ("(Y)es/(N)o", "(N)o/(Y)es")
    )
    assert [option.key for option in two.options] == ["n", "y"]
    assert two.is_still(one)


def test_another_question_or_another_option_is_another_dialog() -> None:
    def ask(question: str, *options: str) -> Asked:
        rows = (question, *(f"{n}. {words}" for n, words in enumerate(options, 1)))
        return asked(Dialog("permission", question, rows, ""))

    before = ask("Run it?", "Yes", "No")
    assert ask("Run it?", "No", "Yes").is_still(before)
    assert not ask("Run that?", "Yes", "No").is_still(before)
    assert not ask("Run it?", "Yes", "Never").is_still(before)
    assert not ask("Run it?", "Yes", "No", "Always").is_still(before)
