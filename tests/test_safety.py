"""What protects a message from answering a dialog: one word and one sentence, said everywhere."""

import json
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from torch_cli.paths import make_private
from torch_cli.programs import proof
from torch_cli.programs.loading import load_profile
from torch_cli.programs.profile import Profile
from torch_cli.roster.safety import Degree, safety_of, submit_key

FIELDS = {"degree", "key", "dialogs_ignore_it", "why"}


def keep(profile: Profile, version: str, *, queues: bool | None = True, **keys: bool) -> None:
    """Keep a proof of this machine's, as a verification does."""
    make_private(proof.folder())
    kept = {
        "schema": proof.PROOF_SCHEMA,
        "version": version,
        "profile_digest": proof.digest(profile),
        "date": "2026-11-28T10:00:00+00:00",
        "keys": {name: {"ignored": ignored} for name, ignored in keys.items()},
        "queues": queues,
        "failures": [{"sentence": "x"}] if False in keys.values() else [],
    }
    Path(proof.path_of(profile.name, version)).write_text(json.dumps(kept))


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return load_profile("claude", None)


@pytest.mark.parametrize(
    ("name", "chord", "version", "degree", "ignored"),
    [
        ("claude", True, "2.1.330", Degree.SAFE, True),
        ("claude", False, "2.1.330", Degree.SAFE_IDLE, True),
        ("claude", True, "2.1.332", Degree.UNPROVEN, None),
        ("claude", True, "", Degree.UNPROVEN, None),
        ("claude", False, "2.1.332", Degree.ENTER, False),
        ("claude", False, "", Degree.ENTER, False),
        ("codex", True, "0.169.0", Degree.SAFE, True),
        ("codex", False, "0.169.0", Degree.ENTER, False),
        ("aider", False, "0.86.2", Degree.ENTER, False),
    ],
)
def test_the_degree_follows_from_key_and_version(
    claude: Profile, name: str, chord: bool, version: str, degree: Degree, ignored: bool | None
) -> None:
    profile = load_profile(name, None)
    safety = safety_of(profile, chord=chord, version=version)
    assert (safety.degree, safety.ignored) == (degree, ignored)
    key = submit_key(profile, chord=chord, version=version)
    assert safety.key == " ".join(key.keys), "it says the key that is pressed"


def test_an_unproven_version_says_what_is_lost(claude: Profile) -> None:
    safety = safety_of(claude, chord=False, version="2.1.332")
    assert "Claude Code 2.1.332 is not proven (2.1.330 is), so C-x C-s" in safety.why


def test_what_was_proven_here_counts_for_that_version_and_profile_only(claude: Profile) -> None:
    keep(claude, "2.1.332", idle_key=True)
    proven = safety_of(claude, chord=False, version="2.1.332")
    assert (proven.degree, proven.key) == (Degree.SAFE_IDLE, "C-x C-s")
    assert "on this machine on 2026-11-28" in proven.why
    assert safety_of(claude, chord=False, version="2.1.333").degree is Degree.ENTER
    changed = claude._replace(source="/nowhere/claude.toml")
    assert safety_of(changed, chord=False, version="2.1.332").degree is Degree.ENTER
    with_chord = safety_of(claude, chord=True, version="2.1.332")
    assert with_chord.degree is Degree.UNPROVEN, "the other key was not tried"


def test_what_failed_here_is_not_believed_also_if_the_profile_was_proven_with_it(
    claude: Profile,
) -> None:
    keep(claude, "2.1.330", chord=False, idle_key=False)
    safety = safety_of(claude, chord=True, version="2.1.330")
    assert (safety.degree, safety.key) == (Degree.ENTER, "Enter")
    assert "C-x C-q and C-x C-s failed on this machine" in safety.why
    keep(claude, "2.1.330", chord=False, idle_key=True)
    safety = safety_of(claude, chord=True, version="2.1.330")
    assert (safety.degree, safety.key) == (Degree.SAFE_IDLE, "C-x C-s")


def test_a_queue_that_failed_here_is_not_used(claude: Profile) -> None:
    keep(claude, "2.1.330", chord=True, queues=False)
    safety = safety_of(claude, chord=True, version="2.1.330")
    assert safety.degree is Degree.SAFE_IDLE
    assert not submit_key(claude, chord=True, version="2.1.330").while_working


def test_a_profile_that_nobody_has_proven_can_be_proven_here(claude: Profile) -> None:
    own = load_profile("demo", None)._replace(verified=())
    assert safety_of(own, chord=True, version="1.0").degree is Degree.UNPROVEN
    keep(own, "1.0", chord=True)
    assert safety_of(own, chord=True, version="1.0").degree is Degree.SAFE
    assert submit_key(own, chord=True, version="1.0").while_working


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "torch.verified/1"}', "null"])
def test_a_damaged_proof_proves_nothing(claude: Profile, text: str) -> None:
    keep(claude, "2.1.332", idle_key=True)
    Path(proof.path_of("claude", "2.1.332")).write_text(text)
    assert safety_of(claude, chord=False, version="2.1.332").degree is Degree.ENTER


def test_a_version_cannot_lead_out_of_the_directory(claude: Profile) -> None:
    assert proof.read("claude", "../../x") is None


@pytest.fixture
def demo(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    return spawn_demo(tmux, torch, tmp_path / "project")


def test_every_place_says_the_same(demo: DemoAgent, torch: Torch) -> None:
    said = demo.send("hello").json["submit"]
    assert set(said) == FIELDS
    assert (said["degree"], said["key"], said["dialogs_ignore_it"]) == ("safe", "C-x C-q", True)
    assert torch("receipt", "--json").json["submit"] == said
    assert torch("state", "demo", "--json").json["submit"] == said
    assert torch("ps", "--json").json["submit"] == said
    assert said["why"] in torch("state", "demo", "-v").err
    assert said["why"] in torch("ps", "-v").out
    assert said["why"] in torch("receipt", "-v").err


def test_spawn_and_adopt_say_it_in_one_line(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    path = str(Path(DEMO_PROGRAM).parent)
    words = ("spawn", "one", "--profile", "demo", "--dir", str(tmp_path / "one"))
    done = torch(*words, env={"PATH": f"{path}:/usr/bin:/bin:/usr/local/bin"})
    assert done.code == 0, done
    assert "protection: safe. C-x C-q submits and dialogs ignore it" in done.err
    pane = tmux.new_session("main", DEMO_PROGRAM)
    tmux.wait_for_text(pane, "? for help")
    adopted = torch("adopt", pane.id, "two", "--profile", "demo")
    assert "protection: unproven. C-x C-q submits" in adopted.err, "its version is not known"


def test_a_message_that_was_not_delivered_says_nothing_of_it(demo: DemoAgent, torch: Torch) -> None:
    demo.tmux.cmd("kill-pane", "-t", demo.pane.id)
    waits = torch("send", "demo", "later", "--json")
    assert waits.json["submit"] is None
