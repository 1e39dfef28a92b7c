"""Profiles: how one agent program starts, looks and takes messages, read from TOML.

The named tuples are the schema. A key that is not a field, or has another type, is refused by name.
``profiles/claude.toml`` explains every key and is the example to copy.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch_cli.programs.reader import Pattern
from torch_cli.programs.state import State

BUILT_IN = "built in"
"""The source of a profile that comes with Torch."""

Words = tuple[str, ...]


class StopStep(NamedTuple):
    """One step of stopping a program: a text typed as a command, or keys."""

    text: str = ""
    keys: Words = ()


class Launch(NamedTuple):
    """How the program is started and stopped. Times are seconds.

    ``env_set`` are ``NAME=VALUE`` for this run alone, for example to make the program report to
    Torch, or know a key. ``{profiles}`` and ``{profiles_url}`` mean the directory of the stock
    profiles, ``{hook}`` the command that takes a report, ``{answers}`` the directory in which a
    plugin is asked to answer, ``{log}`` a file for a log of the program's. ``resume`` are the
    arguments with which it continues the conversation ``{id}``. They replace those of
    ``resume_replaces``: with ``=`` at its end, one with the value behind it. ``begin`` are those
    with which it begins one under the ``{id}``, from version ``begin_since`` on.

    ``interrupt`` is the key that ends a turn, and does nothing in an empty box;
    ``interrupt_again`` are the words in a row as long as a second one is wanted.
    ``interrupt_shows`` are words in the last rows of a program that hides its box while it works:
    only while they stand there the key is pressed.
    ``interrupt_apart`` are the seconds within which a second one ends the program.
    """

    command: Words = ()
    arguments: Words = ()
    version: Words = ()
    version_pattern: Pattern | None = None
    settings_flag: str = ""
    hook_flag: str = ""
    ready_timeout: float = 30.0
    steady: float = 0.5
    env_unset: Words = ()
    env_set: Words = ()
    resume: Words = ()
    resume_replaces: Words = ()
    begin: Words = ()
    begin_since: str = ""
    stop: tuple[StopStep, ...] = ()
    stop_grace: float = 5.0
    interrupt: Words = ()
    interrupt_again: str = ""
    interrupt_shows: str = ""
    interrupt_apart: float = 0.0


class ProcessMatch(NamedTuple):
    """How the program is recognised in a pane that nobody registered."""

    names: Words = ()
    shells: bool = False


class BoxSpec(NamedTuple):
    """Where the input box is on the screen, and how it is drawn.

    ``draws_within`` is the most seconds that pass until the program begins to draw what it has
    read, if nothing keeps it from running: 0 if it draws before it waits for more. The default is
    for programs that draw in frames: Claude Code draws at most every 16 ms, and drew a key or a
    paste of two lines 10 to 30 ms after it had read it (2.1.330, 2026-11-29).
    """

    kind: str = "none"
    rule: str = ""
    bar: str = ""
    corner: str = ""
    prompt: str = ""
    prompts: Words = ()
    prompts_same: Words = ()
    continuation: str = ""
    footer: Pattern | None = None
    footer_whole: bool = False
    footer_own: Pattern | None = None
    footer_rows: int = 0
    footer_none: bool = False
    footer_not: Pattern | None = None
    footer_known: Pattern | None = None
    footer_empty: Pattern | None = None
    panel: Pattern | None = None
    panel_top: Pattern | None = None
    padding: str = ""
    tallest: int = 0
    tallest_part: int = 0
    least: int = 0
    low: int = 0
    scrolled: Pattern | None = None
    draws_within: float = 0.05
    prompt_unique: bool = False
    cursor_real: bool = False
    cursor_hidden: bool = False
    wraps: bool = False
    hidden_working: bool = False
    echo: str = ""
    echo_queued: str = ""
    echoes: Pattern | None = None
    ghost: Pattern | None = None
    ghost_tinted: bool = False
    placeholder: Pattern | None = None
    tab: str = ""
    hint: Pattern | None = None
    dialog_top: str = ""
    dialog_above: Pattern | None = None
    dialog_start: Pattern | None = None
    dialog_cursor: Pattern | None = None
    dialog_end: Pattern | None = None
    dialog_more: Pattern | None = None
    dialog_aside: Pattern | None = None

    @property
    def mark(self) -> str:
        """The exact text at the start of the box's first row; '' if a pattern describes it."""
        return self.prompt if self.kind in ("ruled", "footed", "barred") else ""

    @property
    def frame(self) -> int:
        """How many rows of the box are above and below its text."""
        return 1 if self.kind in ("ruled", "barred") else 0


class Rule(NamedTuple):
    """One rule of the decision: rows that look like this, in this region, mean this state.

    ``title`` must match the pane's title, too. ``choose`` is how an option of this dialog is
    chosen: by its ``digit``, which acts at once, by its ``letter`` and Enter, by moving the
    selection with the ``arrows``, and Enter, or by a ``click`` of the mouse: each group of
    ``match`` is an option then. '' if that is not known. ``text`` matches the words of an option
    that takes a text, once it is selected or its digit was pressed; ``text_keys`` open a field for
    a text beside any such option. ``question`` finds the row that says what this dialog is, where
    its last question may be somebody's text. ``advice`` is for a person: what to do if
    the state is ``unknown``, in a sentence; ``{agent}`` in it is the name of the agent.
    """

    state: State
    name: str
    where: str
    match: Pattern
    also: Pattern | None = None
    unless: Pattern | None = None
    title: Pattern | None = None
    box: bool | None = None
    rows: int = 3
    kind: str = ""
    choose: str = ""
    text: Pattern | None = None
    text_keys: Words = ()
    question: Pattern | None = None
    reset: Pattern | None = None
    advice: str = ""


class TroubleRule(NamedTuple):
    """How an error, or another attempt after one, shows: rows that look like this, in this region.

    It is looked for in an idle program if ``state`` is ``error``, and in a working one if it is
    ``retrying``, and never decides which of them it is. ``match`` must match where a row begins,
    with all rows that follow it in the region joined to it. Its groups ``words``, ``code``,
    ``attempt``, ``attempts`` and ``wait`` are what it says.
    """

    state: str
    match: Pattern
    where: str = "nearest"
    rows: int = 12


class Paste(NamedTuple):
    """How the program takes a paste. ``settle`` is seconds, ``max_bytes`` bytes of UTF-8.

    ``queue_joins`` says that it joins all messages in its queue into one.
    """

    framed_in: tuple[State, ...] = ()
    queues: bool = False
    queued: Pattern | None = None
    queue_joins: bool = False
    settle: float = 0.5
    placeholder_lines: int = 0
    placeholder_chars: int = 0
    max_bytes: int = 100_000


class Submit(NamedTuple):
    """The keys that submit the box. Times are seconds.

    Dialogs ignore ``chord`` and ``idle_key``. ``idle_key`` submits like Enter, from ``idle`` only,
    and only in the versions that the profile is verified with. ``chord_setup`` says that the chord
    needs ``torch agent-setup``; ``chord_launch`` that only programs which Torch started with
    ``launch.arguments`` have it; ``chord_match`` that it exists if this pattern is found in
    ``chord_file``, a file in the home directory. ``clear`` deletes the text between the start of a
    line and the cursor, and does nothing if there is none.
    """

    key: Words = ("Enter",)
    enter_retries: tuple[float, ...] = ()
    chord: Words = ()
    chord_retry: float = 2.0
    chord_setup: bool = False
    chord_launch: bool = False
    chord_file: str = ""
    chord_match: Pattern | None = None
    idle_key: Words = ()
    clear: Words = ()


class Normalise(NamedTuple):
    """What the program changes in a text. ``wrapper`` is empty, or an opening and an end.

    ``placeholder_trims`` says that it drops spaces around a paste that shows as a placeholder.
    ``hides`` finds what its input box shows as blank, and takes nevertheless.
    """

    tab: int = 0
    trim_trailing: bool = False
    nfc: bool = False
    wrapper: tuple[Pattern, ...] = ()
    strips_invisible: bool = False
    placeholder_trims: bool = False
    hides: Pattern | None = None


class Guard(NamedTuple):
    """Texts that would run as a command, and what Torch puts before or after to prevent it.

    ``tail`` finds other ends of the whole text that get the suffix. ``refuse`` are patterns of
    texts that nothing makes harmless. They are searched in the text without spaces at its ends.
    """

    first: Words = ()
    prefix: str = ""
    last: Words = ()
    suffix: str = ""
    tail: Pattern | None = None
    refuse: tuple[Pattern, ...] = ()


class Hooks(NamedTuple):
    """The events that the program reports. ``events`` maps each event to its meaning.

    ``replies`` maps the words of an option of its permission dialog to its own word for it, with
    which its plugin can answer.
    """

    kind: str = ""
    events: Mapping[str, str] = MappingProxyType({})
    replies: Mapping[str, str] = MappingProxyType({})

    @property
    def aside(self) -> tuple[str, ...]:
        """The events about sub-agents, which say nothing of the agent's own turn."""
        return tuple(name for name, says in self.events.items() if says.startswith("helper-"))


class Mode(NamedTuple):
    """One mode of a program, and how it shows: ``match`` in a row of ``where``.

    ``footer`` is what is below the box, ``above`` the nearest row with text above it. ``keys`` lead
    to this mode, and back, from any other. A mode without keys is reached by the ``cycle``.
    """

    name: str
    match: Pattern
    where: str = "footer"
    keys: Words = ()


class Modes(NamedTuple):
    """The modes of a program. The keys ``cycle`` lead from each mode to the next."""

    cycle: Words = ()
    known: tuple[Mode, ...] = ()


class AnswerSpec(NamedTuple):
    """Where to find an answer that the program does not report.

    ``transcript`` is the kind of file that has it word for word, '' if there is none. On the
    screen, ``begin`` matches the mark in front of its first row, and in front of every other part.
    ``indent`` is the number of spaces in front of the other rows. Rows that match ``skip`` do not
    belong to it. ``declines`` matches the words of options that allow nothing, so that what the
    transcript says of a permission can be told apart.
    """

    transcript: str = ""
    begin: Pattern | None = None
    indent: int = 0
    skip: tuple[Pattern, ...] = ()
    declines: Pattern | None = None


class Profile(NamedTuple):
    """Everything Torch knows about one agent program. ``source`` is the profile's file.

    ``verified`` lists the program versions with which it was proven end to end. Without any, or
    with ``verified = false`` in TOML, the profile is unverified. ``unproven`` are sentences about
    what was not proven. ``unread`` is for a program whose screens are not known: all that match no
    rule are ``unknown`` then, and this sentence says what to do; ``{agent}`` in it is the agent.
    """

    name: str
    title: str = ""
    verified: Words = ()
    unproven: Words = ()
    unread: str = ""
    source: str = BUILT_IN
    launch: Launch = Launch()
    process: ProcessMatch = ProcessMatch()
    box: BoxSpec = BoxSpec()
    rules: tuple[Rule, ...] = ()
    troubles: tuple[TroubleRule, ...] = ()
    paste: Paste = Paste()
    submit: Submit = Submit()
    normalise: Normalise = Normalise()
    guard: Guard = Guard()
    hooks: Hooks = Hooks()
    answer: AnswerSpec = AnswerSpec()
    modes: Modes = Modes()
