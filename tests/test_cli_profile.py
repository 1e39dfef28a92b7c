"""``torch profile``: list, show and check."""

from pathlib import Path

import pytest

from conftest import Torch, accept_profiles
from test_profiles import STOCK

SCREENS = Path(__file__).parent / "screens" / "claude"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The directory of the user's own profiles."""
    folder = tmp_path / "torch" / "config" / "profiles"
    folder.mkdir(parents=True)
    return folder


def test_list_names_the_stock_profiles(torch: Torch) -> None:
    done = torch("profile", "list")
    assert done.code == 0
    lines = [line.split("  ") for line in done.out.splitlines()]
    assert [line[0] for line in lines] == ["NAME", *STOCK]
    assert "2.1.330" in done.out
    said = torch("profile", "list", "--json").json
    verified = {one["name"]: one["verified"] for one in said["profiles"]}
    assert verified["claude"] == ["2.1.330"]


def test_a_profile_of_ones_own_comes_first(torch: Torch, own: Path) -> None:
    (own / "claude.toml").write_text('name = "claude"\ntitle = "Mine"\n')
    (own / "other.toml").write_text('name = "other"\nbox = 3\n')
    accept_profiles()
    done = torch("profile", "list")
    assert done.code == 0
    assert ["claude", "Mine", "no", f"{own}/claude.toml"] in [
        line.split() for line in done.out.splitlines()
    ]
    assert "other.toml:2: box must be a table" in done.err
    assert f"{own}/claude.toml hides the stock profile 'claude'" in done.err


def test_no_file_in_the_directory_hides_another(torch: Torch, own: Path) -> None:
    (own / "bad.toml").write_text("x = [")
    (own / "My.toml").write_text('name = "My"\n')
    (own / "bytes.toml").write_bytes(b"\xff")
    (own / "version.toml").write_text(
        'name = "version"\n[launch]\ncommand = ["sh"]\nversion = ["sh", "-c", "echo 1"]\n'
        "version_pattern = '1'\n"
    )
    accept_profiles()
    (own / "directory.toml").mkdir()
    (own / "dangling.toml").symlink_to("/nowhere")
    (own / "\udcff.toml").touch()
    done = torch("profile", "list", "--json")
    assert done.code == 0
    fine = [row["name"] for row in done.json["profiles"] if "error" not in row]
    assert fine == sorted([*STOCK, "version"])
    plain = torch("profile", "list")
    assert (plain.code, "Traceback" in plain.err) == (0, False)
    found = torch("doctor", "--json").json["findings"]
    levels = {one["subject"]: one["level"] for one in found}
    assert (levels["profile bad"], levels["profile My"]) == ("warning", "warning")
    assert (levels["demo"], levels["version"]) == ("ok", "note")
    (words,) = [one["message"] for one in found if one["subject"] == "profiles"]
    assert words == f"7 of your own in {own}"


def test_help_says_where_ones_own_profiles_stand(torch: Torch) -> None:
    text = " ".join(torch("profile", "--help").out.split())
    assert "$TORCH_HOME/config/profiles" in text
    assert "configuration directory" in text


def test_show_prints_the_file(torch: Torch, own: Path, tmp_path: Path) -> None:
    shown = torch("profile", "show", "claude")
    assert shown.code == 0
    (tmp_path / "claude.toml").write_text(shown.out)
    assert torch("profile", "check", str(tmp_path / "claude.toml")).code == 0
    assert torch("profile", "show", "claude", "--json").json["profile"]["name"] == "claude"
    (own / "claude.toml").write_text('name = "claude"\n')
    assert torch("profile", "show", "claude").out == 'name = "claude"\n'


def test_a_profile_that_is_not_there(torch: Torch) -> None:
    done = torch("profile", "show", "cluade")
    assert done.code == 3
    assert "'claude'" in done.err


@pytest.mark.parametrize(
    ("screen", "state", "rule"),
    [
        ("permission_dialog.ansi.txt", "waiting", "permission dialog"),
        ("working@40x40.ansi.txt", "working", None),
        ("idle@200x15.ansi.txt", "idle", "box"),
    ],
)
def test_check_says_which_state_a_screen_gets_and_why(
    torch: Torch, screen: str, state: str, rule: str | None
) -> None:
    said = torch("profile", "check", "claude", "--screen", str(SCREENS / screen), "--json").json
    assert said["schema"] == "torch.profile-check/1"
    assert said["state"] == state
    assert said["evidence"]
    if rule:
        assert said["rule"] == rule


def test_check_reads_the_size_from_the_capture_or_is_told(torch: Torch) -> None:
    screen = str(SCREENS / "idle@80x40.ansi.txt")
    words = ("profile", "check", "claude", "--screen", screen)
    assert torch(*words, "--json").json["size"] == "80x40"
    assert torch(*words, "--size", "120x50", "--json").json["size"] == "120x50"
    assert torch(*words, "--size", "0x3").code == 2


def test_check_shows_drafts_and_dialogs(torch: Torch) -> None:
    dialog = str(SCREENS / "permission_dialog.ansi.txt")
    shown = torch("profile", "check", "claude", "--screen", dialog).out
    assert "dialog question  Do you want to proceed?" in shown
    draft = str(SCREENS / "draft_one_line@80x40.ansi.txt")
    assert torch("profile", "check", "claude", "--screen", draft, "--json").json["box"]


def test_check_names_what_is_wrong_with_a_profile(torch: Torch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[submit]\nkeys = ["Enter"]\n')
    done = torch("profile", "check", str(file))
    assert done.code == 2
    assert "submit.keys" in done.err
    assert "'key'" in done.err


def test_a_screen_that_cannot_be_read(torch: Torch) -> None:
    done = torch("profile", "check", "claude", "--screen", "/nowhere")
    assert done.code == 2
    assert "/nowhere cannot be read" in done.err


def test_without_a_verb_it_says_how(torch: Torch) -> None:
    """As git and gh do: the help is what was asked for, so it is the result."""
    for words in ([], ["profile"]):
        done = torch(*words)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(" ".join(["Usage: torch", *words]))
