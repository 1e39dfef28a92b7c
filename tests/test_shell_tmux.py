"""``torch shell tmux --install`` and ``--remove``: one line more in the user's file, and back."""

import os
import stat
from pathlib import Path

import pytest

from conftest import TmuxServer, Torch
from torch_cli.paths import state_dir
from torch_cli.snippet import conf

CALL = ["/bin/torch"]

CONTENTS = [
    b"",
    b"set -g status on\n",
    b"set -g status on",
    b"\n\n# comment",
    b"set -g @x 'caf\xe9 \xff\0'\r\n",
    b"set -g @x a\\\\\n",
    b"bind x {\n  display-message a\n}\n\n\n",
]


@pytest.fixture
def file() -> Path:
    """Where tmux looks first; it is not there yet."""
    return Path(os.environ["HOME"]) / ".tmux.conf"


def install() -> None:
    """Install, as the command does."""
    conf.carry_out(conf.plan(CALL))


def remove() -> None:
    """Remove, as the command does."""
    conf.carry_out(conf.plan_removal())


@pytest.mark.parametrize("content", CONTENTS)
def test_what_was_there_comes_back_byte_for_byte(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o640)
    install()
    line = conf.installed().line
    assert file.read_bytes().startswith(content)
    assert file.read_bytes().rstrip().endswith(line.encode())
    again = file.read_bytes()
    install()
    assert file.read_bytes() == again
    remove()
    assert file.read_bytes() == content
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert not Path(conf.snippet_file()).exists()
    remove()
    assert file.read_bytes() == content


@pytest.mark.parametrize("content", CONTENTS)
def test_what_others_have_changed_since_stays(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    install()
    file.write_bytes(b"# above\n" + file.read_bytes() + b"# below\n")
    remove()
    end = b"" if not content or content.endswith(b"\n") else b"\n"
    assert file.read_bytes() == b"# above\n" + content + end + b"# below\n"
    install()
    file.write_bytes(b"# more\n" + file.read_bytes())
    remove()
    assert file.read_bytes() == b"# more\n# above\n" + content + end + b"# below\n"


@pytest.mark.parametrize("content", CONTENTS)
def test_a_change_above_the_line_does_not_cost_a_newline(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    install()
    file.write_bytes(b"# above\n" + file.read_bytes())
    remove()
    assert file.read_bytes() == b"# above\n" + content


def test_a_file_that_torch_made_is_removed(file: Path) -> None:
    install()
    assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
    remove()
    assert not file.exists()
    install()
    file.write_bytes(file.read_bytes() + b"set -g status on\n")
    remove()
    assert file.read_bytes() == b"set -g status on\n"


def test_the_file_is_the_last_that_tmux_reads(
    tmux: TmuxServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = file.parent / "xdg"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(chosen))
    places = [file, chosen / "tmux" / "tmux.conf", file.parent / ".config" / "tmux" / "tmux.conf"]
    assert conf.candidates() == [str(place) for place in places]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("# mine\n")
        assert conf.installed().file == str(place)
    install()
    assert "torch" in places[-1].read_text()
    assert places[0].read_text() == places[1].read_text() == "# mine\n"


def test_a_link_stays_a_link(file: Path) -> None:
    target = file.parent / "dotfiles"
    target.write_bytes(b"# mine")
    file.symlink_to(target)
    install()
    assert file.is_symlink()
    assert b"torch" in target.read_bytes()
    remove()
    assert file.is_symlink()
    assert target.read_bytes() == b"# mine"


@pytest.mark.parametrize("kind", ["pipe", "directory", "dangling", "huge"])
def test_what_is_not_a_file_is_refused(torch: Torch, file: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    elif kind == "dangling":
        file.symlink_to("nowhere/else")
    else:
        file.write_bytes(b"#" * (conf.LARGEST_CONF_BYTES + 1))
    for option in ("--install", "--remove"):
        done = torch("shell", "tmux", option, "--json")
        assert (done.code, done.json["error"]["code"]) == (2, "unreadable"), option
    assert not Path(conf.snippet_file()).exists()


@pytest.mark.parametrize("content", [b"set -g @x a \\\n", b"set -g @x a \\", b"# b \\\\\\\n"])
def test_a_line_that_continues_is_not_continued(torch: Torch, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    done = torch("shell", "tmux", "--install", "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "unfinished")
    assert file.read_bytes() == content
    file.write_bytes(content.rstrip(b"\n") + b"\n\n")
    assert torch("shell", "tmux", "--install").code == 0


def test_tmux_reads_the_line_with_any_path(
    tmux: TmuxServer, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "a 'b' \"c\" $HOME #{pid} #(touch x) ; ü"))
    install()
    tmux.new_session("main", "cat")
    assert tmux.cmd("source-file", str(file)) == ""
    assert tmux.cmd("display-message", "-p", "#{@torch_tmux}") == "1"
    assert not list(tmp_path.rglob("x"))


def test_the_command_says_what_it_does(torch: Torch, file: Path) -> None:
    dry = torch("shell", "tmux", "--install", "--dry-run")
    assert dry.code == 0
    assert "+source-file -q " in dry.out
    assert not file.exists()
    assert not Path(state_dir()).exists()
    done = torch("shell", "tmux", "--install")
    assert (done.code, done.out) == (0, "")
    assert f"{file}: made" in done.err
    assert f"the line: source-file -q {conf.snippet_file()} # torch shell tmux" in done.err
    assert "prefix N: the agent that has waited longest for you" in done.err
    assert f"tmux source-file '{conf.snippet_file()}'" in done.err
    assert "installed already" in torch("shell", "tmux", "--install").err
    done = torch("shell", "tmux", "--remove", "--json")
    assert done.json["applied"]
    assert [one["path"] for one in done.json["changes"]] == [str(file), conf.snippet_file()]
    assert "Nothing is installed" in torch("shell", "tmux", "--remove").err
    for words in (("--install", "--remove"), ("--dry-run",)):
        assert torch("shell", "tmux", *words).code == 2
    assert torch("shell", "tmux", "--json").json["schema"] == "torch.snippet/1"
