"""A profile that nobody has proven: what is said of it, and how carefully it is used."""

import json
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, DemoAgent
from conftest import TmuxServer, Torch, accept_profiles
from torch_cli.paths import make_private
from torch_cli.programs import proof
from torch_cli.programs.loading import STOCK, load_profile, parse_profile
from torch_cli.roster.safety import caution_of, submit_key

MISSING = "no dialog was seen"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The demo agent's profile as a person's own, which was not proven."""
    text = Path(STOCK, "demo.toml").read_text()
    text = text.replace('name = "demo"', f'name = "mine"\nunproven = ["{MISSING}"]')
    lines = ["verified = false" if row.startswith("verified") else row for row in text.split("\n")]
    folder = tmp_path / "torch" / "config" / "profiles"
    folder.mkdir(parents=True)
    file = folder / "mine.toml"
    file.write_text("\n".join(lines).replace('"torch-demo-agent"', f'"{DEMO_PROGRAM}"'))
    accept_profiles()
    return file


@pytest.fixture
def agent(own: Path, tmux: TmuxServer, torch: Torch, tmp_path: Path) -> DemoAgent:
    work, log = tmp_path / "work", tmp_path / "demo.log"
    work.mkdir()
    done = torch(
        *("spawn", "demo", "--profile", "mine", "--session", "agents", "--dir", str(work)),
        *("--json", "--", "--log", str(log)),
    )
    assert done.code == 0, done.err + tmux.screens()
    assert any("unverified" in note for note in done.json["notes"])
    return DemoAgent(tmux, torch, "demo", tmux.pane(done.json["pane"]), log, work)


def test_false_is_no_version() -> None:
    assert parse_profile('name = "x"\nverified = false', "f").verified == ()
    assert caution_of(parse_profile('name = "x"', "f"), "1")
    assert not caution_of(parse_profile('name = "x"\nverified = ["1"]', "f"), "2")


def test_the_list_says_which_are_unverified_and_what_is_missing(own: Path, torch: Torch) -> None:
    rows = [line.split() for line in torch("profile", "list").out.splitlines()]
    assert {row[0] for row in rows if "no" in row} == {
        *("antigravity", "cline", "copilot", "crush", "cursor", "droid", "kilo", "mine", "other"),
        *("python", "vibe"),
    }
    said = {one["name"]: one for one in torch("profile", "list", "--json").json["profiles"]}
    assert (said["mine"]["verified"], said["mine"]["unproven"]) == ([], [MISSING])
    checked = torch("profile", "check", str(own))
    assert "unverified" in checked.err
    assert MISSING in checked.err
    assert torch("profile", "check", "mine", "--json").json["unproven"] == [MISSING]


def test_of_its_keys_none_is_believed_to_be_safe() -> None:
    """Not even one that it says dialogs ignore: nobody has tried."""
    demo = load_profile("demo", None)
    proven = submit_key(demo, chord=True, version="")
    assert (proven.keys, proven.safe, proven.while_working) == (("C-x", "C-q"), True, True)
    mine = submit_key(demo._replace(verified=()), chord=True, version="")
    assert (mine.keys, mine.safe, mine.while_working) == (("C-x", "C-q"), False, False)


@pytest.mark.parametrize("when", ["ready", "now", "idle"])
def test_nothing_is_typed_while_it_works(agent: DemoAgent, when: str) -> None:
    """The demo agent would queue it; its profile is not believed."""
    assert agent.send("DELAY(60)").code == 0
    agent.wait_for("working")
    held = agent.send("too early", "--when", when, "--timeout", "1")
    assert held.code in (4, 6), held
    assert held.json["state"] == "held"
    assert agent.submitted() == ["DELAY(60)"]
    assert "too early" not in agent.screen()


def test_an_idle_one_gets_it_and_the_receipt_says_what_it_rests_on(agent: DemoAgent) -> None:
    sent = agent.send("hello")
    assert sent.code == 0, sent
    assert any("unverified" in line for line in sent.json["evidence"])
    assert agent.submitted() == ["hello"]


def test_adopting_says_so(own: Path, tmux: TmuxServer, torch: Torch) -> None:
    pane = tmux.new_session("main", DEMO_PROGRAM)
    tmux.wait_for_text(pane, "? for help")
    done = torch("adopt", pane.id, "demo", "--profile", "mine")
    assert done.code == 0, done
    assert "unverified" in done.err
    assert torch("adopt", "-q", pane.id, "other", "--profile", "mine").err.count("unverified") == 0


def keep_proof(own: Path, *failures: str) -> None:
    """Keep a proof of this machine's, as a verification of that profile does."""
    profile = load_profile("mine", str(own.parent))
    make_private(proof.folder())
    kept = {
        "schema": proof.PROOF_SCHEMA,
        "version": "1.0",
        "profile_digest": proof.digest(profile),
        "date": "2026-11-28T10:00:00+00:00",
        "keys": {"chord": {"ignored": True}},
        "queues": True,
        "failures": [{"sentence": one} for one in failures],
    }
    Path(proof.path_of("mine", "1.0")).write_text(json.dumps(kept))


def test_a_proof_on_this_machine_ends_the_caution_everywhere(
    own: Path, tmux: TmuxServer, torch: Torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    keep_proof(own)
    words = ("--profile", "mine", "--session", "agents", "--dir", str(tmp_path))
    spawned = torch("spawn", "demo", *words, "--json")
    assert spawned.code == 0, spawned
    assert spawned.json["submit"]["degree"] == "safe"
    adopted = torch("adopt", spawned.json["pane"], "other", "--profile", "mine")
    sent = torch("send", "demo", "hello", "--json")
    seen = torch("doctor")
    for said in (spawned, adopted, sent, seen):
        assert "unverified" not in said.out + said.err, said
    assert "proven on this machine on 2026-11-28" in seen.out


def test_what_failed_on_this_machine_is_said_in_its_place(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    mine = load_profile("mine", str(own.parent))
    keep_proof(own, "a draft was sent")
    assert "1 of what was tried on this machine on 2026-11-28 failed" in caution_of(mine, "1.0")
    assert "only to an idle program" in caution_of(mine, "1.1"), "of that version nothing is known"
