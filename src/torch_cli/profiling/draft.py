"""Turns what was seen of an unknown program into the text of a profile, with comments. Pure.

A value that was seen is a value of the profile. For a value that was not seen, a comment says so.
"""

import math
import re
from typing import NamedTuple

from torch_cli.errors import RefusedError
from torch_cli.profiling.infer import BoxSeen, EnterSeen, Passing, pattern_of
from torch_cli.programs.box import find_box
from torch_cli.programs.loading import parse_profile
from torch_cli.programs.profile import Profile
from torch_cli.tmux.screen import Screen
from torch_cli.toml_text import comment, noted, pattern, value

_UNTELLING = re.compile(
    r"(?:python|pypy|ruby|perl|lua|java|php)[\d.]*|node|nodejs|bun|deno|electron|env|sudo|npx|uv|uvx",
    re.IGNORECASE,
)
"""Names of processes that say nothing about the program: its interpreter, or what starts it."""

_SHELLS = ("bash", "zsh", "sh", "fish", "dash", "ksh")

_READY_TIMES = 10
"""A later start may take this many times as long as the measured one. On a loaded machine it took
four times as long, and more after an update. At least ``_READY_LEAST_SECONDS``."""

_READY_LEAST_SECONDS = 15
_STEADY_LEAST_SECONDS = 0.5


class TrialFindings(NamedTuple):
    """All that one run of an unknown program showed.

    ``command`` is how it was started. ``ready`` is how many seconds it took until the screen
    stopped changing, ``pause`` the longest pause between two changes before that. ``process`` is
    the name that the pane showed. ``framed``: it asked for bracketed paste.
    ``erased``: Backspace took the pasted word away; ``None`` if none showed. ``enter`` is ``None``
    if Enter was not pressed. ``today`` and ``tmux`` are for the heading, ``size`` is the pane's.
    """

    name: str
    command: tuple[str, ...]
    ready: float
    pause: float = 0.0
    process: str = ""
    framed: bool = False
    box: BoxSeen = BoxSeen()
    erased: bool | None = None
    enter: EnterSeen | None = None
    today: str = ""
    tmux: str = ""
    size: tuple[int, int] = (0, 0)


def draft_text(seen: TrialFindings) -> str:
    """Return the profile as TOML: it loads, and says what is missing."""
    parts = [
        _head(seen),
        _launch(seen),
        _process(seen),
        _box(seen),
        _rules(seen),
        _paste(seen),
        _submit(seen),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def profile_of(seen: TrialFindings) -> Profile:
    """Return the draft as a profile."""
    return parse_profile(draft_text(seen), "the draft")


def misread(seen: TrialFindings, empty: Screen, filled: Screen, text: str) -> str:
    """Return why the draft's box does not read what was seen, '' if it does.

    This tests the draft: the empty box must read as empty, and the box with ``text`` as ``text``.
    """
    try:
        profile = profile_of(seen)
    except RefusedError as error:
        return error.message.removeprefix("the draft: ")
    without, with_it = find_box(empty, profile), find_box(filled, profile)
    if without is None or not without.empty:
        return f"an empty {seen.box.kind} box with this prompt does not read as empty"
    if with_it is None or with_it.text != text:
        return f"the text in a {seen.box.kind} box with this prompt is not read"
    return ""


def unproven(seen: TrialFindings) -> list[str]:
    """Return what is still missing before messages can rely on this profile, a sentence each."""
    missing = []
    if seen.box.kind == "none":
        missing.append("The input box was not recognised: no message can be delivered.")
    elif not seen.box.cursor_real:
        missing.append(
            "It is not known what tells the box from a dialog: set prompt_unique once you know."
        )
    if seen.box.kind == "prompt" and not seen.box.wraps:
        missing.append(
            "A text longer than a row of the pane is not recognised: such a message is held."
        )
    if seen.erased is False:
        missing.append("Backspace did not remove the pasted word.")
    if seen.enter is None:
        missing.append("Enter was not pressed: it is not known how a sent message shows.")
    elif seen.enter.cleared is None:
        missing.append("Enter did not empty the box.")
    elif seen.enter.echo is None:
        missing.append("The sent message was not seen again: receipts end as unknown.")
    if seen.box.kind != "prompt":  # where the prompt goes while it works, that reads as unknown
        missing.append("No rule says when the program works: it reads as idle then.")
    missing.append("No dialog was seen.")
    missing.append("It is not known which texts it runs as commands.")
    if not seen.framed:
        missing.append("It did not ask for bracketed paste: messages of one line only.")
    return missing


def _head(seen: TrialFindings) -> list[str]:
    columns, rows = seen.size
    lines = [
        f"# {seen.name}: a draft by `torch profile new`, from what one run showed on {seen.today}",
        f"# in a pane of {columns}x{rows} of tmux {seen.tmux}. The keys are explained in claude's",
        "# profile: torch profile show claude",
        "",
        f"name = {value(seen.name)}",
        f"title = {value(seen.name)}",
        "verified = false",
        "unproven = [",
    ]
    return [*lines, *(f"    {value(one)}," for one in unproven(seen)), "]"]


def _launch(seen: TrialFindings) -> list[str]:
    limit = max(_READY_LEAST_SECONDS, math.ceil(seen.ready * _READY_TIMES / 5) * 5)
    steady = max(_STEADY_LEAST_SECONDS, math.ceil(seen.pause * 20) / 10)
    pause = f"before that it paused for {seen.pause:.1f} s" if seen.pause else "a guess"
    return [
        "[launch]",
        f"command = {value(seen.command)}",
        '# version = ["PROGRAM", "--version"]   # not asked; add version_pattern too',
        noted(f"ready_timeout = {limit}", f"seconds; it took {seen.ready:.1f}"),
        noted(f"steady = {steady:g}", f"seconds; {pause}"),
        noted("stop = []", 'not tried, for example [{ text = "/exit" }, { keys = ["C-d"] }];'),
        "# without it `torch stop` ends the process with SIGTERM",
    ]


def _process(seen: TrialFindings) -> list[str]:
    lines = ["[process]"]
    if seen.process in _SHELLS:
        return [
            *lines,
            f"names = {value([seen.process])}",
            noted("shells = true", "it takes `torch run`, never messages"),
        ]
    if not seen.process or _UNTELLING.fullmatch(seen.process):
        said = comment(seen.process) or "nothing"
        return [
            *lines,
            noted("names = []", f"the pane shows '{said}', as for other programs"),
        ]
    return [*lines, noted(f"names = {value([seen.process])}", "the pane shows it")]


def _box(seen: TrialFindings) -> list[str]:
    box = seen.box
    lines = ["[box]"]
    if box.kind == "none":
        lines += [f"# {comment(box.why)}"] if box.why else []
        return [*lines, 'kind = "none"', f"# the text before the input was {value(box.prompt)}"]
    lines += [f"kind = {value(box.kind)}"]
    if box.kind == "ruled":
        lines += [f"rule = {value(box.rule)}", f"prompt = {value(box.prompt)}"]
        if box.continuation is not None:
            lines += [f"continuation = {value(box.continuation)}"]
        else:
            blanks = " " * len(box.prompt)
            lines += [noted(f"continuation = {value(blanks)}", "not seen")]
        lines += [
            noted("prompt_unique = false", "not seen: do rows of dialogs begin like this too?")
        ]
    else:
        lines += [
            f"prompt = {pattern(prompt_pattern(box.prompt))}",
            "# a pattern; the last row with text must match it. A prompt that changes needs a "
            "wider one",
        ]
    real = str(box.cursor_real).lower()
    where = "right behind the text" if box.cursor_real else "elsewhere"
    lines += [noted(f"cursor_real = {real}", f"tmux's cursor was {where}")]
    if box.wraps:
        lines += [noted("wraps = true", "a text longer than a row of the pane was read correctly")]
    if box.ghost:
        mark = "dim, so it needs no pattern" if box.dim else "not dim"
        lines += [f"# ghost text: {value(box.ghost)}, {mark}"]
        if not box.dim:
            lines += [f"ghost = {pattern('^ *' + pattern_of(box.ghost))}"]
    return lines + _echo(seen)


def prompt_pattern(prompt: str) -> str:
    """Return a pattern for a prompt. An empty row has lost the spaces at the prompt's end."""
    bare = prompt.rstrip(" ")
    return pattern_of(bare) + ("(?: |$)" if bare != prompt else "")


def _echo(seen: TrialFindings) -> list[str]:
    enter, box = seen.enter, seen.box
    if enter is not None and enter.echo is not None:
        note = f"# '{comment(enter.echo + enter.text)}' was above the box after Enter"
        if box.kind == "prompt":
            return [note, f"echoes = {pattern('^' + pattern_of(enter.echo))}"]
        return [note, f"echo = {value(enter.echo)}"]
    if box.kind == "prompt":
        return [
            "# not seen: Torch takes the row to stay where it is, with its prompt",
            f"echoes = {pattern('^' + prompt_pattern(box.prompt))}",
        ]
    return [noted('echo = ""', "not seen: what does the row of a sent message begin with?")]


def _rules(seen: TrialFindings) -> list[str]:
    lines = [
        "# A menu with a marked row, where no box is seen. A guess: no dialog was seen.",
        "[[rules]]",
        'state = "waiting"',
        'name = "menu"',
        'kind = "menu"',
        'where = "bottom"',
        "rows = 40",
        "box = false",
        r"match = '^ {0,4}[❯›»>●] ?\d+[.)] \S'",
    ]
    if seen.enter is None:
        return lines
    return (
        lines + _told(seen.enter) + [line for row in seen.enter.passing for line in _candidate(row)]
    )


def _told(enter: EnterSeen) -> list[str]:
    lines = [""]
    if enter.cleared is not None:
        lines += [f"# After Enter the box was empty within {enter.cleared:.2f} s."]
    if enter.asked:
        lines += [f"# A question followed, and was not answered: {comment(enter.asked)}"]
    if enter.ended:
        lines += ["# After Enter the program ended."]
    if enter.passing:
        lines += ["# Rows that came after Enter and went. Make rules of those that mean work:"]
    return lines if len(lines) > 1 else []


def _candidate(row: Passing) -> list[str]:
    box = "false" if row.where == "bottom" else "true"
    return [
        "#",
        f"# Seen from {row.first:.2f} to {row.last:.2f} s after Enter:",
        "# [[rules]]",
        '# state = "working"',
        '# name = "working"',
        f'# where = "{row.where}"',
        f"# box = {box}",
        f"# match = {pattern(row.pattern)}",
    ]


def _paste(seen: TrialFindings) -> list[str]:
    lines = ["[paste]"]
    if not seen.framed:
        lines += [noted("framed_in = []", "it did not ask for bracketed paste: one line only")]
    elif seen.box.kind == "prompt":
        lines += [
            "# it asked for bracketed paste, but this kind of box takes one line",
            "framed_in = []",
        ]
    else:
        lines += [noted('framed_in = ["idle"]', "it asked for bracketed paste")]
    return [
        *lines,
        noted("queues = false", "not seen: does it take messages while it works?"),
        noted("settle = 0.5", "seconds from the text to Enter; not measured"),
    ]


def _submit(seen: TrialFindings) -> list[str]:
    pressed = (
        ("the key that emptied the box")
        if seen.enter and seen.enter.cleared is not None
        else "not seen"
    )
    return [
        "[submit]",
        noted('key = ["Enter"]', pressed),
        "enter_retries = [1, 2]",
        "",
        "[normalise]",
        "trim_trailing = true",
        "",
        "[guard]",
        noted('first = ["/", "!"]', "not seen: which texts does it run instead of reading them?"),
        noted('prefix = ""', "a message that matches is refused"),
    ]
