"""No regular expression takes a time that grows faster than the text it is run over.

The texts are made of the pattern itself: each of its repeats is fed with what it takes, many times
over, and then with what it does not take. Time is not measured but for how it grows.
"""

import ast
import pkgutil
import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import torch_cli
from torch_cli.checkpoint import secret
from torch_cli.commit.commit import has_markers
from torch_cli.programs.loading import list_profiles, load_profile

parser: Any = import_module("re._parser")
codes: Any = import_module("re._constants")

AT_ONCE = {"match", "fullmatch"}
"""Methods that begin at one place only."""

MATCHED = (
    *("torch_cli.watch.log_writer._END_OF_OSC", "torch_cli.watch.log_writer._END_OF_OTHER"),
    *("aider.box.echoes", "opencode.box.echoes"),
)
"""Patterns that are used under another name, and tried at the beginning only."""

SHORT, LONG = 12, 6_144
"""Repeats that are tried, each size twice the one before."""

SLOW = 0.01
"""Seconds below which a growth is noise; a linear search of ``LONG`` takes less than a tenth."""

LONGER, BAD = 6, 15
"""How much longer the second text is, and the growth from which a pattern is bad.

In proportion it is 6, with the square 36: a machine that is twice as slow for one of the two texts,
at each try, changes no finding.
"""


class Used(NamedTuple):
    """A pattern, where it is, and whether it is tried at one place only or at each."""

    where: str
    pattern: "re.Pattern[str] | re.Pattern[bytes]"
    methods: frozenset[str]


def in_modules() -> Iterator[Used]:
    """Yield the patterns of every module: its constants, and what is in a call."""
    for found in pkgutil.walk_packages(torch_cli.__path__, "torch_cli."):
        if found.name.endswith("__main__"):
            continue
        module = import_module(found.name)
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        methods = [n.func for n in calls if isinstance(n.func, ast.Attribute)]
        for name, value in vars(module).items():
            used = {m.attr for m in methods if isinstance(m.value, ast.Name) and m.value.id == name}
            for pattern in value if isinstance(value, list | tuple) else [value]:
                if isinstance(pattern, re.Pattern):
                    yield Used(f"{found.name}.{name}", pattern, frozenset(used))
        for call in calls:
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re"), attr=used_by),
                    args=[ast.Constant(value=str(source)), *_],
                ) if used_by != "compile":
                    where = f"{found.name}:{call.lineno}"
                    yield Used(where, re.compile(source), frozenset({used_by}))


def in_profiles() -> Iterator[Used]:
    """Yield the patterns of every profile."""
    for name, _ in list_profiles(None):
        for where, pattern in _patterns(load_profile(name, None), name):
            yield Used(where, pattern, frozenset())


def _patterns(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, re.Pattern):
        yield where, value
    elif hasattr(value, "_asdict"):
        for name, part in value._asdict().items():
            yield from _patterns(part, f"{where}.{name}")
    elif isinstance(value, tuple | list):
        for number, part in enumerate(value):
            yield from _patterns(part, f"{where}.{number}")


# -- hostile texts ---------------------------------------------------------------------------------


class Attack(NamedTuple):
    """A text: ``before``, then ``again`` as often as wanted, then ``after``."""

    before: str
    again: str
    after: str

    def text(self, times: int) -> str:
        return self.before + self.again * times + self.after


def attacks(pattern: str, flags: int) -> set[Attack]:
    """Return texts that a bad pattern takes long for."""
    tree = parser.parse(pattern, flags)
    literals = {chr(value) for code, value in _nodes(tree) if code is codes.LITERAL}
    found = set()
    for wanted in {" ", "a", "0", "\n", *literals}:
        whole = _sample(tree, wanted)
        for before, body in _repeats(tree, "", wanted):
            for after in ("", "\0", "\n\0", whole):
                found.add(Attack(before, body, after))
            found.add(Attack("", before + body, "\0"))
        found |= {Attack("", whole[:-1] or " ", "\0"), Attack("", wanted, "\0")}
        found.add(Attack("", whole[: len(whole) // 2] or " ", "\0"))
    return {attack for attack in found if attack.again}


def _nodes(tree: Any) -> Iterator[Any]:
    for code, value in tree:
        yield code, value
        for inner in _inside(code, value):
            yield from _nodes(inner)


def _inside(code: Any, value: Any) -> list[Any]:
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        return [value[2]]
    if code is codes.SUBPATTERN:
        return [value[3]]
    if code is codes.BRANCH:
        return list(value[1])
    if code is codes.ATOMIC_GROUP:
        return [value]
    return []


def _repeats(tree: Any, before: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield, for each repeat without a near end, what leads to it and what it repeats."""
    for code, value in tree:
        for inner in _inside(code, value):
            yield from _repeats(inner, before, wanted)
            if code is not codes.BRANCH and code is not codes.SUBPATTERN and value[1] > 8:
                yield before, _sample(inner, wanted)
        before += _sample([(code, value)], wanted)


def _sample(tree: Any, wanted: str) -> str:
    """Return a text that the pattern takes, of the character ``wanted`` where it can be."""
    text = ""
    for code, value in tree:
        if code is codes.LITERAL:
            text += chr(value)
        elif code in (codes.IN, codes.ANY, codes.NOT_LITERAL):
            text += _character(code, value, wanted)
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            text += _sample(value[2], wanted) * max(value[0], min(1, value[1]))
        elif inner := _inside(code, value):
            text += _sample(inner[0], wanted)
    return text


def _character(code: Any, value: Any, wanted: str) -> str:
    one = parser.SubPattern(parser.State(), [(code, value)])
    fits = re.compile(_source(one))
    return next((c for c in (wanted, *"a 0-=A_.\n\x1b/") if fits.fullmatch(c)), wanted)


def _source(tree: Any) -> str:
    ((code, value),) = tree
    if code is codes.ANY:
        return "."
    if code is codes.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    words = ""
    for kind, part in value:
        if kind is codes.NEGATE:
            words += "^"
        elif kind is codes.LITERAL:
            words += re.escape(chr(part))
        elif kind is codes.RANGE:
            words += f"{re.escape(chr(part[0]))}-{re.escape(chr(part[1]))}"
        else:
            words += _CATEGORIES[str(part)]
    return f"[{words}]"


_CATEGORIES = {
    f"CATEGORY_{'NOT_' * (letter.isupper())}{name}": f"\\{letter}"
    for name, letters in (("DIGIT", "dD"), ("SPACE", "sS"), ("WORD", "wW"))
    for letter in letters
}


def growth(used: Used, attack: Attack) -> float:
    """Return how often as long ``LONGER`` times the text takes, 1 if that is too short to say."""
    pattern: Any = used.pattern
    run = pattern.search
    if (used.methods and used.methods <= AT_ONCE) or used.where in MATCHED:
        run = pattern.fullmatch if "fullmatch" in used.methods else pattern.match
    times = SHORT
    while times < LONG and _taken(run, pattern, attack, times) < SLOW:
        times *= 2
    if (first := _taken(run, pattern, attack, times)) < SLOW:
        return 1.0
    if times < 10 * SHORT:
        return float("inf")
    return _taken(run, pattern, attack, times * LONGER, first * BAD) / first


def _taken(run: Any, pattern: Any, attack: Attack, times: int, enough: float = SLOW) -> float:
    """Return the seconds of one run, the shortest of three if it is not below ``enough``.

    A machine that stood still for a moment is thus not taken for a slow pattern.
    """
    text: Any = attack.text(times)
    if isinstance(pattern.pattern, bytes):
        text = text.encode("latin-1", "replace")
    shortest = float("inf")
    for _ in range(3):
        began = time.process_time()
        run(text)
        shortest = min(shortest, time.process_time() - began)
        if shortest < enough:
            break
    return shortest


def worst(used: Used) -> str:
    """Return the text upon which it takes longer than in proportion, '' if there is none."""
    source = used.pattern.pattern
    words = source.decode("latin-1") if isinstance(source, bytes) else source
    for attack in sorted(attacks(words, used.pattern.flags & ~re.UNICODE)):
        if (grown := growth(used, attack)) > BAD:
            return f"{used.where} {words!r}: {grown:.1f} times as long, {LONGER} times {attack}"
    return ""


def test_the_search_for_a_bad_pattern_finds_the_known_ones() -> None:
    bad = [r"(a+)+b", r" +$", r"^\s*(\w*)[^\]]*\]", r"^<{7} .*\n(?:.*\n)*?={7}\n(?:.*\n)*?>{7} "]
    for pattern in bad:
        used = Used("", re.compile(pattern, re.MULTILINE), frozenset())
        assert worst(used), pattern
    for pattern in [r"a+b?", r"^ *x", r"\d{3}-[a-z]+"]:
        assert not worst(Used("", re.compile(pattern), frozenset())), pattern


@pytest.mark.parametrize("kind", [in_modules, in_profiles])
def test_no_pattern_takes_longer_than_in_proportion_to_the_text(kind: Any) -> None:
    found = list(kind())
    assert len(found) > 50
    assert [said for used in found if (said := worst(used))] == []


def test_a_file_of_underlines_is_no_conflict_and_is_seen_at_once() -> None:
    """One line as git begins a conflict with, and a great many that look like its middle."""
    text = b"<<<<<<< a heading\n" + b"title\n=======\n" * 700_000
    began = time.process_time()
    assert not has_markers(text)
    assert time.process_time() - began < 5  # 10 MiB; it was hours


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_markers_of_a_conflict_are_found(end: bytes) -> None:
    lines = [b"x", b"<<<<<<< ours", b"a", b"=======", b"b", b">>>>>>> theirs", b"y"]
    assert has_markers(end.join(lines))
    assert not has_markers(end.join([*lines[3:], *lines[:3]]))
    assert not has_markers(end.join(lines).replace(b"=======", b"======= x"))


def test_a_file_full_of_old_keys_is_seen_at_once() -> None:
    keys = b"".join(b"AKIA%016d\n" % n for n in range(100_000))
    began = time.process_time()
    assert secret.Contents().find_new(keys, keys) is None
    assert secret.Contents().find_new(keys + b"AKIA" + b"Q" * 16, keys) is not None
    assert time.process_time() - began < 10  # it was minutes
