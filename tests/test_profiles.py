"""Profiles: data that is read strictly, with errors that name the key and the right word."""

import os
import tomllib
from pathlib import Path

import pytest

from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.programs.loading import (
    list_profiles,
    load_profile,
    load_profile_file,
    parse_profile,
    stock_path,
)
from torch_cli.programs.profile import BUILT_IN, Profile
from torch_cli.programs.state import State
from torch_cli.programs.swift import table_of

STOCK = [
    *("aider", "antigravity", "bash", "claude", "cline", "codex", "copilot", "crush", "cursor"),
    *("demo", "droid", "fish", "gemini", "kilo", "opencode", "other", "pi", "python", "qwen"),
    *("shell", "vibe", "zsh"),
]
RULE = '[[rules]]\nstate = "idle"\nname = "r"\nwhere = "box"\nmatch = "x"\n'


def refusal(text: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parse_profile(text, "mine.toml")
    assert caught.value.message.startswith("mine.toml:")
    return caught.value


@pytest.mark.parametrize("name", STOCK)
def test_stock_profiles_load(name: str) -> None:
    profile = load_profile(name, None)
    assert (profile.name, profile.source) == (name, BUILT_IN)
    assert profile.title


@pytest.mark.parametrize("name", [name for name, _ in list_profiles(None)])
def test_a_stock_profile_is_the_same_in_json(name: str) -> None:
    with open(stock_path(name), encoding="utf-8") as file:
        text = file.read()
    assert table_of(name, text) == tomllib.loads(text), "python -m torch_cli.programs.swift"
    assert table_of(name, text.replace("title", "Title", 1)) is None, "made of another text"
    assert table_of("unknown", text) is None


def test_claude_is_read_as_written() -> None:
    claude = load_profile("claude", None)
    assert claude.verified == ("2.1.330",)
    assert claude.launch.command == ("claude",)
    assert [step.text or step.keys for step in claude.launch.stop] == ["/exit", ("C-c", "C-c")]
    assert claude.box.prompt == "❯\u00a0"
    assert claude.paste.framed_in == (State.IDLE, State.WORKING)
    assert claude.submit.enter_retries == (0.5, 1.0, 2.0)
    assert claude.hooks.events["Stop"] == "idle"
    assert claude.guard.last == ("\\",)


def test_the_wrapper_of_claude_unwraps_a_long_paste() -> None:
    opening, end = load_profile("claude", None).normalise.wrapper
    text = '<pasted_content id="4998">\nbody\n</pasted_content id="4998">'
    assert end.sub("", opening.sub("", text)) == "body"


def test_a_shell_takes_no_messages_and_says_so() -> None:
    for name in ("bash", "zsh", "fish", "shell", "python"):
        shell = load_profile(name, None)
        assert shell.process.shells
        assert not shell.submit.chord


def test_every_key_has_a_default_or_is_asked_for() -> None:
    assert parse_profile('name = "x"', "f") == Profile("x", source="f")
    assert refusal("").message == "mine.toml: name is missing."


def test_a_users_file_comes_before_the_stock_one(tmp_path: Path) -> None:
    mine = tmp_path / "claude.toml"
    mine.write_text('name = "claude"\ntitle = "Mine"\n')
    assert load_profile("claude", tmp_path).title == "Mine"
    assert load_profile("demo", tmp_path).source == BUILT_IN
    assert dict(list_profiles(tmp_path)) == {
        **dict.fromkeys(STOCK, BUILT_IN),
        "claude": str(mine),
    }


def test_a_missing_user_directory_is_no_error(tmp_path: Path) -> None:
    assert [name for name, _ in list_profiles(tmp_path / "none")] == STOCK


@pytest.mark.parametrize("name", ["claud", "", "../claude", "a/b", "Claude"])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_profile(name, None)
    assert caught.value.hint == "Known profiles: " + ", ".join(STOCK) + "."


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'claude'"):
        load_profile("claud", None)


def test_a_change_in_the_same_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    """The file is of the same size and time then."""
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\ntitle = "one"\n')
    time_of_writing = file.stat().st_mtime_ns
    assert load_profile("mine", tmp_path).title == "one"
    file.write_text('name = "mine"\ntitle = "two"\n')
    os.utime(file, ns=(time_of_writing, time_of_writing))
    assert load_profile("mine", tmp_path).title == "two"


def test_a_file_that_stays_the_same_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n')
    os.utime(file, (1, 1))
    assert load_profile_file(file) is load_profile_file(file)


def test_a_file_under_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "yours"')
    with pytest.raises(RefusedError, match="name is 'yours'"):
        load_profile("mine", tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RefusedError, match=r"x\.toml: cannot be read"):
        load_profile_file(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not TOML"),
        ('name = "X y"', "name must be lower-case"),
        ('name = "x"\ntitel = "y"', "titel is not a key of a profile. Did you mean 'title'?"),
        ('name = "x"\nsource = "y"', "source is set by Torch"),
        ('name = "x"\n[box]\npromt = "y"', "box.promt is not a key of a profile. Did you mean"),
        ('name = "x"\nbox = 1', "box must be a table"),
        ('name = "x"\n[box]\nkind = "ruler"', "box.kind must be one of 'ruled'"),
        ('name = "x"\n[box]\nkind = "ruled"', "box.rule (one character) and box.prompt"),
        ('name = "x"\n[box]\nkind = "footed"\nprompt = "> "', "box.footer and box.prompt must"),
        ('name = "x"\n[submit]\nchord_file = "a"', "submit.chord_file and submit.chord_match"),
        ('name = "x"\n[box]\nkind = "prompt"\nprompt = "("', "box.prompt is not a regular"),
        ('name = "x"\n[box]\nplaceholder = "a"', "box.placeholder must contain a group"),
        ('name = "x"\nverified = "1.0"', "verified must be a list"),
        ('name = "x"\nverified = [1]', "verified must be text, not 1"),
        ('name = "x"\n[paste]\nqueues = 1', "paste.queues must be true or false"),
        ('name = "x"\n[paste]\nmax_bytes = true', "paste.max_bytes must be a whole number"),
        ('name = "x"\n[paste]\nsettle = "1"', "paste.settle must be a number"),
        ('name = "x"\n[paste]\nsettle = -1', "paste.settle must not be negative"),
        ('name = "x"\n[paste]\nframed_in = ["idel"]', "Did you mean 'idle'?"),
        ('name = "x"\n[hooks.events]\nStop = "stopped"', "hooks.events.Stop must be one of"),
        ('name = "x"\n[hooks]\nevents = 1', "hooks.events must be a table"),
        ('name = "x"\n[normalise]\nwrapper = ["a"]', "normalise.wrapper must be two patterns"),
        ('name = "x"\n[launch]\nstop = [{}]', "launch.stop steps must have either"),
        ('name = "x"\n' + RULE.replace("match", "mach"), "rules.mach is not a key"),
        ('name = "x"\n' + RULE.replace('match = "x"', ""), "rules.match is missing"),
        ('name = "x"\n' + RULE.replace('"x"', '"("'), "rules.match is not a regular expression"),
        ('name = "x"\n' + RULE.replace('"x"', "1"), "rules.match must be a regular expression"),
        ('name = "x"\n' + RULE + "rows = 0", "rules.rows (r) must be at least 1"),
        ('name = "x"\n' + RULE + "box = 1", "rules.box must be true or false"),
        ('name = "x"\n' + RULE + 'reset = "a"', "rules.reset (r) must contain a group"),
        ('name = "x"\nrules = [1]', "rules must be a table"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    error = refusal(text)
    assert words in error.message
    assert error.exit_code == 2
