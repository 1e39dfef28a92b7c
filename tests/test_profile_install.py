"""``torch profile install`` and ``remove``: a profile is used only as a person installed it."""

import json
import os
from pathlib import Path

import pytest

from conftest import TmuxServer, Torch
from torch_cli.paths import state_dir
from torch_cli.programs.loading import STOCK

CAT = 'name = "mine"\ntitle = "Mine"\n[launch]\ncommand = ["cat"]\n[submit]\nkey = ["F7"]\n'


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The directory of the user's own profiles."""
    return tmp_path / "torch" / "config" / "profiles"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "given" / "a file.toml"
    path.parent.mkdir()
    path.write_text(CAT)
    return path


def listed(torch: Torch, name: str) -> dict[str, object]:
    rows = torch("profile", "list", "--json").json["profiles"]
    return next(row for row in rows if row["name"] == name)


def happened(torch: Torch) -> list[tuple[str, str]]:
    said = torch("events", "--json", "--kind", "profile").out.splitlines()
    return [(one["verb"], one["target"]) for one in map(json.loads, said) if "verb" in one]


def test_a_profile_is_installed_as_it_was_checked(torch: Torch, own: Path, file: Path) -> None:
    done = torch("profile", "install", str(file))
    assert done.code == 0, done
    assert done.out.split() == ["installed", "mine", str(own / "mine.toml")]
    assert "starts: cat" in done.err
    assert "submit: F7" in done.err
    assert (own / "mine.toml").read_text() == CAT
    assert (own / "mine.toml").stat().st_mode & 0o777 == 0o600
    assert listed(torch, "mine")["used"] is True
    assert torch("profile", "show", "mine").err == f"torch: {own}/mine.toml\n"
    assert happened(torch) == [("install", "mine")]
    assert list(own.iterdir()) == [own / "mine.toml"], "nothing else was written"


def test_a_dry_run_shows_what_is_new_and_installs_nothing(
    torch: Torch, own: Path, file: Path
) -> None:
    done = torch("profile", "install", str(file), "--dry-run")
    assert done.code == 0
    assert '+key = ["F7"]' in done.out
    assert not own.exists()
    assert torch("profile", "install", str(file)).code == 0
    file.write_text(CAT.replace("F7", "Enter"))
    done = torch("profile", "install", str(file), "--dry-run", "--json")
    (row,) = done.json["profiles"]
    assert (done.json["installed"], row["before"]) == (False, "changed")
    assert row["keys"] == {"submit": ["Enter"]}
    assert '-key = ["F7"]\n+key = ["Enter"]' in row["changes"]
    assert (own / "mine.toml").read_text() == CAT


@pytest.mark.parametrize("written", ["by hand", "changed"])
def test_what_no_person_has_installed_is_not_used(
    torch: Torch, tmux: TmuxServer, own: Path, file: Path, written: str
) -> None:
    """A program that can write to the directory would otherwise decide which keys are pressed."""
    if written == "changed":
        assert torch("profile", "install", str(file)).code == 0
    own.mkdir(parents=True, exist_ok=True)
    (own / "mine.toml").write_text(CAT.replace("F7", "Enter"))
    refused = torch("spawn", "dev", "--profile", "mine", "--session", "s", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "untrusted"), refused
    assert f"torch profile install {own}/mine.toml" in refused.json["error"]["hint"]
    assert "dev" not in torch("ps").out
    row = listed(torch, "mine")
    assert row["used"] is False
    assert "is not used" in str(row["error"])
    assert "it is not used" in torch("profile", "show", "mine").err
    found = torch("doctor", "--json").json["findings"]
    (words,) = [one["message"] for one in found if one["subject"] == "profile mine"]
    assert "is not used" in words
    assert torch("profile", "check", "mine").code == 0, "looking is free"
    assert torch("profile", "install", str(own / "mine.toml")).code == 0
    assert torch("spawn", "dev", "--profile", "mine", "--session", "s", "--wait", "0").code == 0


def test_a_file_that_hides_a_stock_profile_is_not_used_in_its_place(
    torch: Torch, tmux: TmuxServer, own: Path
) -> None:
    own.mkdir(parents=True)
    (own / "demo.toml").write_text(Path(STOCK, "demo.toml").read_text())
    done = torch("spawn", "dev", "--profile", "demo", "--session", "s", "--json")
    assert done.json["error"]["code"] == "untrusted"
    installed = torch("profile", "install", str(own / "demo.toml"))
    assert "hides the stock profile 'demo'" in installed.err
    removed = torch("profile", "remove", "demo", "--json").json
    assert (removed["name"], removed["stock"]) == ("demo", True)
    assert listed(torch, "demo")["source"] == "built in"


def test_a_program_in_an_unregistered_pane_is_not_recognised_by_it(
    torch: Torch, tmux: TmuxServer, own: Path
) -> None:
    pane = tmux.new_session("other", "exec cat")
    tmux.wait_until(lambda: tmux.pane(pane.id).command == "cat", "cat")
    own.mkdir(parents=True)
    text = 'name = "aaa"\n[process]\nnames = ["cat"]\n[box]\nkind = "prompt"\nprompt = ".*"\n'
    (own / "aaa.toml").write_text(text)
    done = torch("send", pane.id, "hello", "--json")
    assert done.json["error"]["code"] == "not-an-agent", done
    assert "hello" not in tmux.screen(pane)


def test_a_directory_is_installed_whole_or_not_at_all(torch: Torch, own: Path, file: Path) -> None:
    (file.parent / "b.toml").write_text('name = "other"\n[[rules]]\nstate = "idle"\n')
    (file.parent / "c.toml").write_text('name = "third"\n\n[box]\nfooter = "("\n')
    (file.parent / "notes.txt").write_text("not a profile")
    done = torch("profile", "install", str(file.parent), "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "bad-profile")
    said = done.json["error"]["message"]
    assert "b.toml:2: rules.name is missing" in said
    assert "c.toml:4: box.footer is not a regular expression" in said
    assert not own.exists()
    (file.parent / "b.toml").write_text('name = "other"\n')
    (file.parent / "c.toml").write_text('name = "mine"\n')
    assert "has the name 'mine', too" in torch("profile", "install", str(file.parent)).err
    (file.parent / "c.toml").unlink()
    assert torch("profile", "install", str(file.parent)).code == 0
    assert sorted(os.listdir(own)) == ["mine.toml", "other.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not TOML"),
        ('name = "mine"\n[submit]\nkeys = ["Enter"]\n', "a file.toml:3: submit.keys is not a key"),
        (CAT + "\n[[rules]]\n" * 2, "a file.toml:8: rules."),
        (
            'name = "mine"\n[[rules]]\nstate = "idle"\nname = "a"\nwhere = "box"\nmatch = "x"\n'
            '[[rules]]\nstate = "idle"\nname = "b"\nwhere = "box"\nmatch = "["\n',
            "a file.toml:11: rules.match is not a regular expression",
        ),
        (
            'name = "mine"\n[submit]\nchord_file = "../../etc/x"\nchord_match = "x"\n',
            "a file.toml:3: submit.chord_file must be a path inside the home directory",
        ),
        ('name = "mine"\n#' + "x" * (1 << 20), "larger than"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    torch: Torch, own: Path, file: Path, text: str, words: str
) -> None:
    file.write_text(text)
    done = torch("profile", "install", str(file))
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert not own.exists()


def test_nothing_but_the_given_file_is_read(torch: Torch, own: Path, file: Path) -> None:
    os.mkfifo(file.parent / "pipe.toml")
    done = torch("profile", "install", str(file.parent))
    assert "pipe.toml: cannot be read: Not a regular file" in done.err
    (file.parent / "pipe.toml").unlink()
    (file.parent / "link.toml").symlink_to("/etc/passwd")
    done = torch("profile", "install", str(file.parent))
    assert (done.code, "is a link" in done.err, "root:" in done.err) == (2, True, False)
    assert torch("profile", "install", "/nowhere").code == 3
    (file.parent / "link.toml").unlink()
    file.unlink()
    assert "no file of it ends in .toml" in torch("profile", "install", str(file.parent)).err
    assert not own.exists()


def test_another_profile_of_that_name_is_replaced_only_with_force(
    torch: Torch, own: Path, file: Path
) -> None:
    assert torch("profile", "install", str(file)).code == 0
    assert torch("profile", "install", str(file)).code == 0, "it is the same"
    file.write_text(CAT.replace("F7", "F8"))
    done = torch("profile", "install", str(file), "--json")
    assert done.json["error"]["code"] == "name-taken"
    assert (own / "mine.toml").read_text() == CAT
    assert torch("profile", "install", str(file), "--force").code == 0
    assert "F8" in (own / "mine.toml").read_text()
    assert listed(torch, "mine")["used"] is True


def test_a_removed_profile_is_gone_with_its_copy(
    torch: Torch, tmux: TmuxServer, own: Path, file: Path
) -> None:
    assert torch("profile", "install", str(file)).code == 0
    tmux.new_session("s", "cat")
    spawn = ("spawn", "dev", "--profile", "mine", "--session", "s", "--wait", "0")
    assert torch(*spawn).code == 0
    done = torch("profile", "remove", "mine", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "in-use")
    assert "dev" in done.json["error"]["message"]
    assert torch("profile", "remove", "mine", "--force").code == 0
    assert os.listdir(own) == []
    assert os.listdir(Path(state_dir(), "accepted")) == []
    for name in ("mine", "claude"):
        done = torch("profile", "remove", name, "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "no-own")
    assert happened(torch) == [("install", "mine"), ("uninstall", "mine")]


def test_bash_offers_ones_own_profiles_to_remove(torch: Torch, file: Path) -> None:
    assert torch("profile", "install", str(file)).code == 0
    words = {"COMP_WORDS": "torch profile remove ", "COMP_CWORD": "3"}
    done = torch(env={"_TORCH_COMPLETE": "bash_complete", **words})
    assert done.out.split() == ["plain,mine"]
