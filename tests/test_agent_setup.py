"""``torch agent-setup``: a person's files are changed with consent, and undone byte for byte."""

import json
import os
import pty
import resource
import select
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import PATIENCE, Result, Torch
from torch_cli.errors import TorchError
from torch_cli.programs import setup, setup_files
from torch_cli.programs.changes import FileChange, apply

SETTINGS = b"""{
    "$schema": "settings.json", "zeta": 1.50,
    "hooks": {
        "Stop": [
            {"matcher": "", "hooks": [{"type": "command", "command": "say done"}]}
        ],
        "PreToolUse": []
    },
    "alpha": "\\u00e9 \xc3\xa9",
    "permissions": { "allow": [ "Bash(ls:*)" ] }
}"""
BINDINGS = b'{"bindings":[{"context":"Chat","bindings":{"ctrl+s":"chat:stash"}}]}\n'


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """The configuration directory of a person who uses Claude Code."""
    folder = tmp_path / "home" / ".claude"
    folder.mkdir()
    (folder / "settings.json").write_bytes(SETTINGS)
    (folder / "keybindings.json").write_bytes(BINDINGS)
    return folder


def install(torch: Torch, *more: str, code: int = 0) -> Result:
    done = torch("agent-setup", "claude", "--yes", *more)
    assert done.code == code, done.err
    return done


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_was_there_is_kept_and_ours_is_added(torch: Torch, claude: Path) -> None:
    install(torch)
    settings = json.loads((claude / "settings.json").read_bytes())
    before = json.loads(SETTINGS)
    assert list(settings) == list(before)
    assert {k: v for k, v in settings.items() if k != "hooks"} == {
        k: v for k, v in before.items() if k != "hooks"
    }
    assert settings["hooks"]["Stop"][0] == before["hooks"]["Stop"][0]
    assert list(settings["hooks"])[:2] == ["Stop", "PreToolUse"]
    for event in setup.EVENTS:
        entry = settings["hooks"][event][-1]["hooks"][0]
        assert entry["timeout"] == 5
        assert shlex.split(entry["command"])[-1] == "hook"
    bindings = json.loads((claude / "keybindings.json").read_bytes())
    assert bindings["bindings"] == [
        {"context": "Chat", "bindings": {"ctrl+s": "chat:stash", "ctrl+x ctrl+q": "chat:submit"}}
    ]
    assert setup.chord_installed()
    assert set(setup.hooks_installed()) == set(setup.EVENTS)


def test_a_version_gets_the_hooks_that_it_knows(
    torch: Torch, claude: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others make it ignore the file, or ask at each start what to do about it."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for version, missing in (
        ("2.1.330", set()),
        ("2.1.77", {"StopFailure"}),
        ("2.0.42", {"StopFailure", "SubagentStart", "PermissionRequest"}),
        ("2.1.78", set()),
    ):
        program.write_text(f"#!/bin/sh\necho '{version} (Claude Code)'\n")
        program.chmod(0o755)
        install(torch)
        assert setup.EVENTS.keys() - setup.hooks_installed().keys() == missing, version
    install(torch, "--undo")
    assert (claude / "settings.json").read_bytes() == SETTINGS


def test_no_line_that_was_there_changes(torch: Torch, claude: Path) -> None:
    install(torch)
    written = (claude / "settings.json").read_bytes().splitlines()
    for line in SETTINGS.splitlines():
        assert any(new.startswith(line.rstrip(b",")) for new in written), line


def test_undo_restores_every_byte(torch: Torch, claude: Path, tmp_path: Path) -> None:
    install(torch)
    install(torch)
    assert torch("agent-setup", "claude", "--undo", "--yes").code == 0
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}
    assert list((tmp_path / "torch" / "agent-setup").iterdir()) == []


def test_undo_removes_what_was_not_there(torch: Torch, tmp_path: Path) -> None:
    install(torch)
    assert set(contents(tmp_path / "home" / ".claude")) == {"settings.json", "keybindings.json"}
    install(torch, "--undo")
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("start", [b"", b"{}", b"{}\n", b'{"hooks":{}}', b"\xef\xbb\xbf{}\r\n"])
def test_odd_beginnings_come_back(torch: Torch, claude: Path, start: bytes) -> None:
    (claude / "settings.json").write_bytes(start)
    install(torch)
    assert set(setup.hooks_installed()) == set(setup.EVENTS)
    install(torch, "--undo")
    assert (claude / "settings.json").read_bytes() == start


def test_an_undo_that_is_only_planned_is_not_told_as_done(torch: Torch, tmp_path: Path) -> None:
    install(torch)
    planned = torch("agent-setup", "claude", "--undo", "--dry-run").err
    assert "to be removed" in planned
    assert "Nothing was changed" in planned


def test_undo_spares_what_others_changed_since(torch: Torch, claude: Path) -> None:
    install(torch)
    path = claude / "settings.json"
    changed = path.read_bytes().replace(b'"zeta": 1.50', b'"zeta": 1.50, "theirs": [1,  2]')
    path.write_bytes(changed)
    done = install(torch, "--undo")
    assert "others have changed it" in done.err
    assert path.read_bytes() == SETTINGS.replace(
        b'"zeta": 1.50', b'"zeta": 1.50, "theirs": [1,  2]'
    )
    assert (claude / "keybindings.json").read_bytes() == BINDINGS


def test_a_lost_memory_is_no_hindrance(torch: Torch, claude: Path, tmp_path: Path) -> None:
    install(torch)
    for kept in (tmp_path / "torch" / "agent-setup").iterdir():
        kept.write_bytes(b"not what it was")
    install(torch, "--undo")
    assert json.loads((claude / "settings.json").read_bytes()) == json.loads(SETTINGS)
    assert json.loads((claude / "keybindings.json").read_bytes()) == json.loads(BINDINGS)


def test_a_second_time_changes_nothing(torch: Torch, claude: Path) -> None:
    install(torch)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in claude.iterdir()}
    done = install(torch)
    assert "installed already" in done.err
    assert done.out == ""
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in claude.iterdir()
    }


def test_the_path_of_an_older_torch_is_brought_up_to_date(torch: Torch, claude: Path) -> None:
    install(torch)
    path = claude / "settings.json"
    text = path.read_bytes()
    command = json.loads(text)["hooks"]["Stop"][1]["hooks"][0]["command"]
    path.write_bytes(text.replace(command.encode(), b"'/old place/torch' hook"))
    install(torch)
    assert path.read_bytes() == text
    install(torch, "--undo")
    assert path.read_bytes() == SETTINGS


def test_the_difference_is_shown_and_nothing_done_on_a_dry_run(torch: Torch, claude: Path) -> None:
    done = torch("agent-setup", "claude", "--dry-run")
    assert done.code == 0
    assert f"--- {claude}/settings.json\n+++ {claude}/settings.json" in done.out
    assert '+        "SessionStart": [' in done.out
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}


def test_json_says_what_would_change(torch: Torch, claude: Path) -> None:
    said = torch("agent-setup", "claude", "--dry-run", "--json").json
    assert said["schema"] == "torch.agent-setup/1"
    assert said["applied"] is False
    assert [change["changed"] for change in said["changes"]] == [True, True]
    assert install(torch, "--json").json["applied"] is True
    assert install(torch, "--json").json["applied"] is False


def test_without_a_terminal_and_without_yes_it_refuses(torch: Torch, claude: Path) -> None:
    for words in ((), ("--json",)):
        done = torch("agent-setup", "claude", *words, input="y\n")
        assert done.code == 2
        assert "--yes" in done.out + done.err
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"\x04", 130)])
def test_at_a_terminal_it_asks(torch: Torch, claude: Path, answer: bytes, code: int) -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        torch.argv("agent-setup", "claude"), stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    said = b""
    while b"[y/N]" not in said:
        assert select.select([master], [], [], PATIENCE)[0], said
        said += os.read(master, 65536)
    os.write(master, answer)
    assert process.wait(PATIENCE) == code
    os.close(master)
    assert b'+        "SessionStart"' in said
    unchanged = contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}
    assert unchanged == (code != 0)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("settings.json", b'{\n  "a": 1,\n  b\n}', "line 3, column 3"),
        ("settings.json", b"// mine\n{}", "line 1, column 1"),
        ("settings.json", b"[]", "not an object"),
        ("settings.json", b'{"a": "\xff"}', "utf-8"),
        ("settings.json", b'{"hooks": []}', "'hooks' is not an object"),
        ("settings.json", b'{"hooks": {"Stop": {}}}', "'hooks.Stop' is not a list"),
        ("keybindings.json", b'{"bindings": {}}', "'bindings' is not a list"),
        ("keybindings.json", b"{", "line 1, column 2"),
    ],
)
def test_what_is_no_such_file_is_refused(
    torch: Torch, claude: Path, name: str, content: bytes, says: str
) -> None:
    (claude / name).write_bytes(content)
    before = contents(claude)
    done = install(torch, code=2)
    assert says in done.err
    assert str(claude / name) in done.err
    assert contents(claude) == before


@pytest.mark.parametrize(
    "keys",
    [
        {"ctrl+x ctrl+q": "chat:externalEditor"},
        {"Control+X  Ctrl+Q": "chat:externalEditor"},
        {"ctrl+x ctrl+q": None},
        {"ctrl+x": "chat:undo"},
    ],
)
def test_a_chord_that_is_taken_is_refused(torch: Torch, claude: Path, keys: dict[str, Any]) -> None:
    mine = json.dumps({"bindings": [{"context": "Chat", "bindings": keys}]}).encode()
    (claude / "keybindings.json").write_bytes(mine)
    done = install(torch, code=2)
    assert next(iter(setup.chat_keys(json.loads(mine)))) in done.err
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": mine}
    assert not setup.chord_installed()


def test_links_stay_links_and_modes_stay(torch: Torch, claude: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_bytes(SETTINGS)
    real.chmod(0o640)
    (claude / "settings.json").unlink()
    (claude / "settings.json").symlink_to(real)
    install(torch)
    assert (claude / "settings.json").readlink() == real
    assert b"SessionStart" in real.read_bytes()
    assert real.stat().st_mode & 0o777 == 0o640
    install(torch, "--undo")
    assert real.read_bytes() == SETTINGS
    assert (claude / "settings.json").readlink() == real
    assert [path.name for path in real.parent.iterdir()] == ["claude.json"]


def test_a_read_only_file_is_left_alone(torch: Torch, claude: Path) -> None:
    (claude / "keybindings.json").chmod(0o444)
    done = install(torch, code=2)
    assert "read-only" in done.err
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}


def test_a_full_disk_leaves_everything_as_it_was(torch: Torch, claude: Path) -> None:
    """A limit that holds for root as well: no file may grow beyond two kilobytes."""

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        torch.argv("agent-setup", "claude", "--yes"),
        capture_output=True,
        preexec_fn=little_room,
        check=False,
    )
    assert done.returncode == 1
    assert b"cannot be written" in done.stderr
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}


def test_a_failure_restores_the_files_before_it(claude: Path, tmp_path: Path) -> None:
    good = FileChange(str(claude / "settings.json"), SETTINGS, b"{}", original=SETTINGS)
    bad = FileChange(str(tmp_path / "missing" / "deep" / "x.json"), None, b"{}")
    with pytest.raises(TorchError, match="cannot be written"):
        apply([good, bad])
    assert (claude / "settings.json").read_bytes() == SETTINGS


def test_a_file_that_changed_meanwhile_is_not_written(claude: Path) -> None:
    changes = setup_files.plan(None, "torch hook")
    (claude / "keybindings.json").write_bytes(b"{}")
    with pytest.raises(TorchError, match="another program has just changed"):
        apply(changes)
    assert (claude / "settings.json").read_bytes() == SETTINGS


def test_hooks_for_one_project_stand_in_its_local_settings(
    torch: Torch, claude: Path, tmp_path: Path
) -> None:
    project = tmp_path / "a project"
    project.mkdir()
    install(torch, "--project", str(project))
    assert set(contents(project)) == {".claude/settings.local.json"}
    assert (claude / "settings.json").read_bytes() == SETTINGS
    assert setup.chord_installed()
    install(torch, "--project", str(project), "--undo")
    assert list(project.iterdir()) == []
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}


def test_the_chord_stays_while_another_place_has_hooks(
    torch: Torch, claude: Path, tmp_path: Path
) -> None:
    install(torch)
    install(torch, "--project", str(tmp_path / "home"))
    done = install(torch, "--undo", "--project", str(tmp_path / "home"))
    assert "kept for the hooks" in done.err
    assert setup.chord_installed()
    install(torch, "--undo")
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}


def test_a_missing_project_is_an_error(torch: Torch, tmp_path: Path) -> None:
    assert "no directory" in install(torch, "--project", str(tmp_path / "no"), code=3).err


def test_the_configuration_directory_can_be_elsewhere(
    torch: Torch, claude: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "elsewhere"))
    install(torch)
    assert set(contents(tmp_path / "elsewhere")) == {"settings.json", "keybindings.json"}
    assert contents(claude) == {"settings.json": SETTINGS, "keybindings.json": BINDINGS}
    assert setup.chord_installed()
    assert not setup.chord_installed({"HOME": str(tmp_path / "home")})


def test_the_installed_hook_reaches_the_store(torch: Torch, claude: Path, tmp_path: Path) -> None:
    """The very command that was written, run as the program runs it."""
    from torch_cli.store import Store

    install(torch)
    settings = json.loads((claude / "settings.json").read_bytes())
    command = settings["hooks"]["SessionStart"][0]["hooks"][0]["command"]
    event = {"hook_event_name": "SessionStart", "session_id": "s1"}
    with Store() as store:
        subprocess.run(
            ["sh", "-c", command],
            input=json.dumps(event).encode(),
            env={**os.environ, "TMUX": "/tmp/x/default,1,0", "TMUX_PANE": "%1"},
            check=True,
        )
        report = store.hooks.latest("/tmp/x/default|1|0", "%1")
    assert report is not None
    assert (report.name, report.session) == ("SessionStart", "s1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["hooks", "Stop", "context", "bindings", "matcher", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["hooks", "bindings", "x"]), JSON, max_size=3),
    st.sampled_from([None, 2, "\t"]),
)
def test_adding_and_removing_leaves_the_same_settings(
    value: dict[str, Any], indent: int | str | None
) -> None:
    text = json.dumps(value, indent=indent)

    def add_hooks(text: str) -> str:
        return setup_files.add_hooks(text, "torch hook", "file")

    def add_chord(text: str) -> str:
        return setup_files.add_chord(text, "file")

    for add, remove in (
        (add_hooks, setup_files.remove_hooks),
        (add_chord, setup_files.remove_chord),
    ):
        try:
            added = add(text)
        except TorchError:
            continue
        assert add(added) == added
        assert json.loads(remove(added, value)) == value
