"""Find the input box of an agent program on a screen, and what is in it. Pure.

Ghost text differs from a draft by its attribute: it is dim, except its first character if the
program draws its cursor there (reverse). A capture without attributes shows no ghosts. If a program
marks its ghosts in another way, the profile knows their words.
"""

import re
from collections.abc import Sequence

from torch_cli.programs.foot import below_box, end_of_box, is_doubtful, says_empty, status_rows
from torch_cli.programs.place import BoxPlace, behind_bar, in_lines, in_wrapped
from torch_cli.programs.profile import BoxSpec, Profile
from torch_cli.programs.state import Box
from torch_cli.tmux.screen import Row, Screen
from torch_cli.width import cells_of

_OPTION = re.compile(r" *\d+\. ")  # a row of a numbered menu, or of a list in a draft

_BLANKS = " \u200b"
"""What may stand behind a text: Qwen Code draws its cursor there with a zero-width space."""

_Cell = tuple[str, bool, bool]  # character, dim, reverse


def find_box(screen: Screen, profile: Profile) -> Box | None:
    """Return the input box that ``screen`` shows, or None if it shows none.

    A half-drawn box, a box behind a dialog, and a box in one of tmux's modes do not count.
    """
    spec = profile.box
    if spec.kind == "prompt":
        if not spec.wraps:
            return _prompt_box(screen, spec)
        wrapped = in_wrapped(screen, spec)
        return _placed_box(screen, spec, wrapped) if wrapped else None
    if spec.kind in ("barred", "lines"):
        place = behind_bar(screen, spec) if spec.kind == "barred" else in_lines(screen, spec)
        return _placed_box(screen, spec, place) if place else None
    box = None
    if spec.kind == "ruled":
        box = _without_plain_ghost(_ruled_box(screen, spec), screen, spec)
        if profile.normalise.hides is not None:
            box = _with_hidden(box, screen, spec)
    elif spec.kind == "footed":
        box = _footed_box(screen, spec)
    return None if box is None or _under_dialog(screen, box, spec) else box


def is_rule(text: str, width: int, characters: str) -> bool:
    """Whether ``text`` is a row of one of ``characters`` from the left edge to the right."""
    return bool(text) and text[0] in characters and text == text[0] * width


def _under_dialog(screen: Screen, box: Box, spec: BoxSpec) -> bool:
    """Whether a dialog is below ``box``, which is then old, or is the box itself.

    The top of the dialog may be out of sight. Its remaining rows, its last row, or the gap between
    it and the footer show that it is one.
    """
    below = [screen.rows[index].text for index in below_box(screen, box, spec)[0]]
    filled = [at for at, text in enumerate(below) if text.strip()]
    strangers = [p for p in (spec.dialog_above, spec.dialog_cursor) if p is not None]
    foreign = below[: status_rows(below, spec)]
    if any(p.search(text) for text in below[len(foreign) :] for p in strangers):
        return True
    if spec.footer_whole and filled and filled[-1] - filled[0] >= len(filled):
        return True
    # The rows of a menu look like a box with text, except for the cursor.
    inside = _placed(screen) and box.first <= screen.cursor[1] <= box.last
    menu = spec.cursor_real and not inside
    if menu and spec.dialog_cursor is not None and spec.dialog_cursor.search(box.rows[0]):
        return True
    last = below[filled[-1]] if filled else box.rows[-1]
    if spec.dialog_end is None:
        return False
    if (menu or filled) and spec.dialog_end.search(last):
        return True
    if filled:
        return False
    # From its first option to the row about its keys, wrapped or not. No draft looks like that,
    # wherever the cursor is.
    whole = spec.dialog_cursor is not None and spec.dialog_cursor.search(box.rows[0])
    ends = (last, f"{box.rows[-2]} {last.strip()}") if len(box.rows) > 1 else (last,)
    return bool(whole) and any(
        spec.dialog_end.search(end) and not _OPTION.match(end) for end in ends
    )


def _placed(screen: Screen) -> bool:
    """Whether the program itself put the cursor where it is.

    Beyond the right edge, the cursor is only left from the last row that was drawn to its end.
    """
    return screen.cursor_visible and screen.cursor[0] < screen.width


def _ruled_box(screen: Screen, spec: BoxSpec) -> Box | None:
    """Return the rows between the last two rules, if they begin as the profile says."""
    rules = _last_rules(screen, spec)
    if rules is None:
        return None
    top, bottom, scrolled = rules
    if not spec.prompt and not _holds_cursor(screen, top, bottom, spec):
        return None
    rows = screen.rows[top + 1 : bottom]
    first = rows[0].text
    prompt = _prompt_of(first, spec)
    if prompt is None and not (scrolled and _begins(first, spec.continuation)):
        return None
    if not all(_begins(row.text, spec.continuation) for row in rows[1:]):
        return None
    cells = [_cells(rows[0])[len(prompt if prompt is not None else spec.continuation) :]]
    hidden = prompt is None or (scrolled and not prompt) or 0 < spec.tallest <= len(rows)
    box = _box_of(top + 1, rows, cells, prompt, spec, scrolled=hidden)
    pads = len(rows) <= spec.least
    return box._replace(text=box.text.rstrip("\n")) if pads else box


def _holds_cursor(screen: Screen, top: int, bottom: int, spec: BoxSpec) -> bool:
    """Whether the cursor shows between two rules as it does in a box without a prompt.

    A menu between the same rules hides it, or has it in a field above the row about its keys.
    """
    line = screen.cursor[1]
    filled = [at for at in range(top + 1, bottom) if screen.rows[at].text.strip()]
    if not (_placed(screen) and top < line < bottom):
        return False
    if spec.dialog_end is None or not filled or line >= filled[-1]:
        return True
    return spec.dialog_end.search(screen.rows[filled[-1]].text) is None


def _footed_box(screen: Screen, spec: BoxSpec) -> Box | None:
    """Return the rows from the last prompt down to the blank row above the footer.

    If the profile names a rule, one is a few rows above.

    A tall box has no footer. It fills the screen to the end, and it has scrolled, or the cursor is
    in its last row.
    """
    # A row that only pads the box counts as blank.
    pads = [is_rule(row.text, screen.width, spec.padding) for row in screen.rows]
    rows = [Row.plain("") if pad else row for row, pad in zip(screen.rows, pads, strict=True)]
    first = next((i for i in range(len(rows) - 1, -1, -1) if _prompt_of(rows[i].text, spec)), None)
    if first is None or spec.footer is None:
        return None
    if spec.rule and not any(
        is_rule(row.text, screen.width, spec.rule) for row in screen.rows[max(0, first - 4) : first]
    ):
        return None
    further = first + 1  # rows up to here can belong to the box
    while further < len(rows) and _begins(rows[further].text, spec.continuation):
        further += 1
    feet = [
        index
        for index in range(first + 2, min(further + 1, len(rows)))
        if not rows[index - 1].text and spec.footer.search(rows[index].text)
    ]
    hidden = spec.scrolled.search(rows[first].text) if spec.scrolled else None
    free = 0 if feet else end_of_box(screen, rows, (first, further), spec)
    if feet:
        end = feet[-1] - 1
    elif free:
        end = free
    else:
        end = _end_of_tall(screen, first, spec, scrolled=hidden is not None)
        if not first < end <= further:
            return None
    prompt = _prompt_of(rows[first].text, spec) or ""
    cells = [_cells(rows[first])[len(prompt) : hidden.start() if hidden else None]]
    scrolled = hidden is not None or 0 < spec.tallest <= end - first
    box = _box_of(first, rows[first:end], cells, prompt, spec, scrolled=scrolled)
    return None if free and is_doubtful(box, rows[end:], spec) else box


def _end_of_tall(screen: Screen, first: int, spec: BoxSpec, *, scrolled: bool) -> int:
    """Return the index behind the last row of a box without a footer, 0 if it cannot be known.

    If the cursor means something, the box ends with the cursor's row, and at most a blank row and
    one row of the footer are below.
    """
    column, line = screen.cursor
    last = max(index for index, row in enumerate(screen.rows) if row.text)
    below = screen.lines[line + 1 : line + 2]
    if (
        spec.cursor_real
        and _placed(screen)
        and first < line <= last <= line + 2
        and column > len(spec.continuation)
        and not any(below)
    ):
        return line + 1
    return last + 1 if scrolled else 0


def _prompt_of(text: str, spec: BoxSpec) -> str | None:
    """Return the prompt that a row begins with, if it begins with one."""
    prompts = (spec.prompt, *spec.prompts_same, *spec.prompts)
    return next((p for p in prompts if _begins(text, p)), None)


def _box_of(
    first: int,
    rows: Sequence[Row],
    cells: list[list[_Cell]],
    prompt: str | None,
    spec: BoxSpec,
    *,
    scrolled: bool,
) -> Box:
    """Return the box of ``rows``. ``cells`` is the content of the first of them."""
    cells += [_cells(row)[len(spec.continuation) :] for row in rows[1:]]
    text, ghost = _split_ghost(cells)
    first_tinted = rows[0].tinted == len(prompt or spec.continuation) + 1
    known = spec.ghost is not None and spec.ghost.search(text)
    if known or (spec.ghost_tinted and first_tinted and len(rows) == 1):
        text, ghost = "", text.strip()
    if prompt is not None and prompt not in (spec.prompt, *spec.prompts_same):
        text, ghost = f"{prompt.rstrip()}{text}", ""  # the mode itself was typed
    return Box(
        first,
        first + len(rows) - 1,
        tuple(row.text for row in rows),
        text,
        ghost,
        _placeholders(text, spec),
        scrolled,
    )


def _without_plain_ghost(box: Box | None, screen: Screen, spec: BoxSpec) -> Box | None:
    """Return ``box``, empty if its text is a ghost that only a screen without colours does not dim.

    The drawn cursor is on the first character, and the footer has what only an empty box leaves.
    """
    if box is None or box.empty or box.scrolled or any(True in row.dim for row in screen.rows):
        return box
    start = len(spec.prompt)
    inside = screen.rows[box.first : box.last + 1]
    drawn = [at for row in inside for at, on in enumerate(row.reverse) if on]
    if drawn != [start] or True not in inside[0].reverse or not says_empty(screen, box, spec):
        return box
    return box._replace(text="", ghost=box.text)


def _with_hidden(box: Box | None, screen: Screen, spec: BoxSpec) -> Box | None:
    """Return ``box``, with blanks for what does not show in it but has moved the cursor."""
    column, line = screen.cursor
    if box is None or not box.empty or not screen.cursor_visible or line != box.first:
        return box
    return box._replace(text=" " * max(column - len(spec.prompt), 0))


def _begins(text: str, start: str) -> bool:
    """Whether a row begins with ``start``. The row may have lost trailing spaces of ``start``."""
    return text.startswith(start) or text == start.rstrip(" ")


def _last_rules(screen: Screen, spec: BoxSpec) -> tuple[int, int, bool] | None:
    """Return the indexes of the last two rules, and whether they show that the box is scrolled."""
    found: list[int] = []
    scrolled = False
    for index in range(len(screen.rows) - 1, -1, -1):
        text = screen.rows[index].text
        plain = is_rule(text, screen.width, spec.rule)
        labelled = _labelled_rule(text, screen.width, spec) or (
            len(found) == 1 and _is_cut_label(text, screen, spec)
        )
        if not plain and not labelled:
            continue
        if not plain and spec.scrolled is not None and spec.scrolled.search(text):
            scrolled = True
        found.append(index)
        if len(found) == 2:
            bottom, top = found
            return (top, bottom, scrolled) if bottom - top > 1 else None
    return None


def _labelled_rule(text: str, width: int, spec: BoxSpec) -> bool:
    """Whether ``text`` is a rule with a word in it, as a scrolled or a named box has.

    It goes from edge to edge, with the rule at both ends. Wide characters in the word make it a few
    characters shorter than the screen.
    """
    rule, mark = spec.rule, re.escape(spec.rule)
    if not spec.prompt:
        # Nothing but its width tells it from text. It may say what it works at, and what scrolled.
        wide = sum(map(cells_of, text)) == width
        return wide and re.fullmatch(f"(?:{mark}+ [^{mark}]+ ){{1,2}}{mark}+", text) is not None
    return (
        text.startswith(rule)
        and text.endswith(rule)
        and width // 2 < len(text) <= width
        and re.fullmatch(f"{mark}+ [^{mark}]+ {mark}+", text) is not None
    )


def _is_cut_label(text: str, screen: Screen, spec: BoxSpec) -> bool:
    """Whether ``text`` is the upper rule of a box whose label leaves no room for the rule.

    The label is cut, and fills the row up to the rule's last character. It must be the text behind
    the sign in the pane's title. Any other row like this is not the program's.
    """
    if not text.endswith(f"… {spec.rule}"):
        return False
    match = re.fullmatch(f" (\\S.*)… {re.escape(spec.rule)}", text)
    name = screen.title.partition(" ")[2]
    whole = sum(map(cells_of, text)) == screen.width
    return match is not None and whole and name != match[1] and name.startswith(match[1])


def _placed_box(screen: Screen, spec: BoxSpec, place: BoxPlace) -> Box:
    """Return the box that is at ``place``. A ghost of the profile does not count as a draft."""
    last = place.first + len(place.cuts) - 1
    rows = screen.rows[place.first : last + 1]
    cells = [_cells(row)[start:end] for row, (start, end) in zip(rows, place.cuts, strict=True)]
    text, ghost = _split_ghost(cells)
    if spec.ghost is not None and spec.ghost.search(text):
        text, ghost = "", text.strip()
    return Box(
        place.first,
        last,
        tuple(row.text for row in rows),
        text,
        ghost,
        _placeholders(text, spec),
        place.scrolled,
    )


def echo_in(line: str, spec: BoxSpec, *, queued: bool = True) -> str | None:
    """Return the part of a submitted message that a row shows, None if it shows none.

    ``queued`` says that a message that waits for its turn counts too.
    """
    if spec.echoes is not None:
        match = spec.echoes.match(line)
        return line[match.end() :] if match else None
    known = (spec.echo, spec.echo_queued if queued else "")
    marks = [mark for mark in known if mark and line.startswith(mark)]
    return line[len(marks[0]) :] if marks else None


def _prompt_box(screen: Screen, spec: BoxSpec) -> Box | None:
    """Return the last row with text, if the prompt pattern matches there."""
    index = max((i for i, row in enumerate(screen.rows) if row.text), default=None)
    if index is None:
        return None
    row = screen.rows[index]
    match = re.match(spec.prompt, row.text)
    if match is None:
        return None
    column, line = screen.cursor
    if spec.cursor_real and (line != index or column < match.end()):
        return None
    text, ghost = _split_ghost([_cells(row)[match.end() :]])
    return Box(index, index, (row.text,), text, ghost, _placeholders(text, spec))


def _cells(row: Row) -> list[_Cell]:
    off = (False,) * len(row.text)
    return list(zip(row.text, row.dim or off, row.reverse or off, strict=True))


def _split_ghost(rows: list[list[_Cell]]) -> tuple[str, str]:
    """Return (text, ghost): what is before the dim end of the box, and that end."""
    flat: list[_Cell] = []
    for row in rows:
        flat += [*row, ("\n", False, False)]
    flat.pop()
    start = len(flat)
    while start and (flat[start - 1][1] or flat[start - 1][0].isspace()):
        start -= 1
    if not any(dim for _, dim, _ in flat[start:]):
        start = len(flat)
    elif start and flat[start - 1][2] and flat[start][1]:
        start -= 1  # the drawn cursor is on the ghost's first character
    text, ghost = _text(flat[:start]), _text(flat[start:]).strip()
    return ("" if ghost and not text.strip() else text), ghost


def _text(cells: list[_Cell]) -> str:
    lines = "".join(cell[0] for cell in cells).split("\n")
    return "\n".join(line.rstrip(_BLANKS) for line in lines)


def _placeholders(text: str, spec: BoxSpec) -> tuple[int, ...]:
    if spec.placeholder is None:
        return ()
    found = spec.placeholder.finditer(text.replace("\n", " "))
    return tuple(placeholder_number(match) for match in found)


def placeholder_number(match: re.Match[str]) -> int:
    """Return the number in a placeholder: its first group that matched."""
    return int(next(group for group in match.groups() if group))
