"""Whose text is in the input box: pure comparisons of a box with the typed text.

A placeholder alone proves nothing, because any paste shows as one. It is ours if it has the size of
our text and Torch saw it come, or if it still has the number that it had then.
"""

import re
from collections.abc import Mapping

from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.text import may_show_as_placeholder, skeletons
from torch_cli.programs.profile import Profile
from torch_cli.programs.state import Box


def is_ours(box: Box, typed: str, before: Baseline, profile: Profile, *, pasted: bool) -> bool:
    """Say whether the box holds our text, whole and alone.

    ``pasted`` says that we have pasted it just now into the empty box. A placeholder must be the
    only thing in the box and fit ``typed``. Unless it was just ``pasted`` it must also be known:
    by the number that we saw it with, or by its count of characters. A box that is lower than the
    text shows only part of it, which then must be the end of ours.
    """
    if box.empty:
        return False
    alone = _alone(box, profile)
    if alone is not None:
        if not _fits(alone, typed, profile):
            return False
        if before.chip:
            return before.chip == _number(alone)
        return pasted or bool(_sizes(alone).get("characters"))
    tab = profile.box.tab or "\t"
    shown, wanted = skeletons(box.text, typed.replace("\t", tab))
    if shown == wanted:
        return True
    return box.scrolled and bool(shown) and wanted.endswith(shown)


def begins_with(typed: str, box: Box, profile: Profile) -> bool:
    """Say whether the box holds the beginning of ``typed``, all of it, or nothing."""
    shown, wanted = skeletons(box.text, typed)
    return not _placeholders(box, profile) and wanted.startswith(shown)


def chip_in(box: Box, profile: Profile) -> int:
    """Return the number of the only placeholder in ``box``, 0 if there is none."""
    alone = _alone(box, profile)
    return _number(alone) if alone is not None else 0


def holds(box: Box, typed: str, before: Baseline, profile: Profile) -> bool:
    """Say whether our text, or a placeholder that may stand for it, is part of the box's."""
    shown, wanted = skeletons(box.text, typed)
    if bool(wanted) and wanted in shown:
        return True
    return any(
        before.chip == _number(found) if before.chip else _fits(found, typed, profile)
        for found in _placeholders(box, profile)
    )


def may_be_anybodys(box: Box, typed: str, before: Baseline, profile: Profile) -> bool:
    """Say whether the box holds a placeholder that fits our text, and nobody saw whose it is."""
    alone = _alone(box, profile)
    return alone is not None and not before.chip and _fits(alone, typed, profile)


def _placeholders(box: Box, profile: Profile) -> list[re.Match[str]]:
    pattern = profile.box.placeholder
    return list(pattern.finditer(box.text.replace("\n", " "))) if pattern is not None else []


def _alone(box: Box, profile: Profile) -> re.Match[str] | None:
    """Return the placeholder if ``box`` holds nothing else, otherwise None."""
    found = _placeholders(box, profile)
    whole = box.text.replace("\n", " ").strip()
    return found[0] if len(found) == 1 and found[0][0] == whole else None


def _sizes(placeholder: re.Match[str]) -> Mapping[str, str | None]:
    return placeholder.groupdict()


def _number(placeholder: re.Match[str]) -> int:
    """Return its number, 0 if the program gives only sizes."""
    if {"lines", "characters"} & _sizes(placeholder).keys():
        return 0
    return int(next(group for group in placeholder.groups() if group))


def _fits(placeholder: re.Match[str], typed: str, profile: Profile) -> bool:
    """Say whether the program may show ``typed`` as this ``placeholder``, by the size it gives."""
    if not may_show_as_placeholder(typed, profile):
        return False
    counted = typed.strip() if profile.normalise.placeholder_trims else typed
    newlines = counted.count("\n")
    ours = {"characters": len(counted), "lines": newlines + 1, "newlines": newlines}
    given = _sizes(placeholder)
    if "newlines" in given and int(given["newlines"] or 0) != newlines:
        return False
    return all(int(size) == ours[name] for name, size in given.items() if size and name in ours)
