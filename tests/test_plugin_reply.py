"""Answers through the plugin of a program: taken once, by who asked, or not at all."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import wait_until
from torch_cli import paths, procs
from torch_cli.attention import reply as module
from torch_cli.attention.reply import ReplyLostError, give_reply, open_request, reply_of
from torch_cli.programs.asked import Option
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import Dialog

ROWS = ("  ┃  △ Permission required", "  ┃  $ touch approved", "  ┃   Allow once   Reject")
DIALOG = Dialog("permission", "Permission required", ROWS, "0" * 12, "click")
PROFILE = load_profile("opencode", None)
VERSION = PROFILE.verified[0]


@pytest.fixture
def program() -> Iterator[procs.Process]:
    """A process that stands for the program."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process = procs.identify(sleeper.pid)
    assert process is not None
    yield process
    sleeper.kill()
    sleeper.wait()


def opened(pid: int, name: str, *given: object) -> Path:
    """Have a plugin say that a request is open; return the beginning of its files' names."""
    folder = Path(paths.answers())
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{pid}-{name}"
    Path(f"{stem}.open").write_text(json.dumps({"permission": "bash", "given": given}))
    drawn = time.time() - 2 * module.DRAWN_SECONDS
    os.utime(f"{stem}.open", (drawn, drawn))
    return stem


def test_the_request_that_the_dialog_shows_is_found_or_none(program: procs.Process) -> None:
    assert open_request(PROFILE, program, VERSION, DIALOG) == "", "nothing is open"
    stem = opened(program.pid, "per_1", "touch approved", "touch *")
    assert open_request(PROFILE, program, VERSION, DIALOG) == str(stem)
    opened(os.getpid(), "per_3", "touch approved")
    assert open_request(PROFILE, program, VERSION, DIALOG) == str(stem), "that is another program's"
    for version in ("", "9.9.9"):
        assert open_request(PROFILE, program, version, DIALOG) == "", "nobody has tried it"
    assert open_request(PROFILE, None, VERSION, DIALOG) == ""
    assert open_request(load_profile("kilo", None), program, VERSION, DIALOG) == ""
    assert open_request(PROFILE, program, VERSION, DIALOG._replace(kind="question")) == ""
    other = DIALOG._replace(rows=("  ┃  $ rm -r build", DIALOG.rows[-1]))
    assert open_request(PROFILE, program, VERSION, other) == "", "it is not shown"


def test_of_two_open_requests_none_is_taken_for_the_one_that_is_shown(
    program: procs.Process,
) -> None:
    """A command that is longer than its dialog stands nowhere in it, and "tmp" in many."""
    rows = ("  ┃  △ Permission required", "  ┃  $ rm -r /tmp/build", "  ┃   Allow once   Reject")
    shown = DIALOG._replace(rows=rows)
    small = opened(program.pid, "per_2", "/tmp/*")
    assert open_request(PROFILE, program, VERSION, shown) == str(small)
    opened(program.pid, "per_1", "rm -r /tmp/build && echo all the rest that does not fit")
    assert open_request(PROFILE, program, VERSION, shown) == ""


def test_a_request_that_may_not_be_drawn_yet_is_not_taken_for_the_one_that_is(
    program: procs.Process,
) -> None:
    stem = opened(program.pid, "per_1", "touch approved")
    os.utime(f"{stem}.open")
    assert open_request(PROFILE, program, VERSION, DIALOG) == ""
    wait_until(lambda: open_request(PROFILE, program, VERSION, DIALOG) == str(stem), what="its age")


def test_files_that_are_no_requests_are_passed_over(program: procs.Process) -> None:
    stem = opened(program.pid, "per_1", "touch approved")
    for name in ("per_2.new", "x.open", "per_../x.open"):
        stem.with_name(f"{program.pid}-{name.replace('/', '')}").write_text("{}")
    assert open_request(PROFILE, program, VERSION, DIALOG) == str(stem)
    with subprocess.Popen(["true"]) as ended:
        left = opened(ended.pid, "per_6", "touch approved")
        for kind in ("done", "reply", "taken", "open.new"):
            Path(f"{left}.{kind}").touch()
    assert open_request(PROFILE, program, VERSION, DIALOG) == str(stem)
    assert not Path(f"{left}.open").exists(), "its program has ended"
    assert not list(left.parent.glob(f"{left.name}.*"))
    unread = Path(f"{opened(program.pid, 'per_5')}.open")
    unread.write_text("[")
    assert open_request(PROFILE, program, VERSION, DIALOG) == "", (
        "that may be the one that is shown"
    )
    unread.unlink()
    os.utime(f"{stem}.open", (1, 1))
    assert open_request(PROFILE, program, VERSION, DIALOG) == "", "it is of an earlier process"


@pytest.mark.parametrize(
    ("done", "taken"),
    [
        ({"ok": True}, True),
        ({"ok": False, "status": 404}, False),
        ({"ok": False, "status": 400}, None),
    ],
)
def test_the_plugin_says_whose_answer_was_taken(
    program: procs.Process, done: dict[str, object], taken: bool | None
) -> None:
    stem = opened(program.pid, "per_1", "touch approved")
    stale = not done["ok"]
    Path(f"{stem}.done").write_text(json.dumps({"ok": stale}))  # of a reply that was lost
    said = []

    def plugin() -> None:
        wait_until(Path(f"{stem}.reply").exists, what="a reply")
        Path(f"{stem}.reply").rename(f"{stem}.taken")
        said.append(json.loads(Path(f"{stem}.taken").read_text()))
        Path(f"{stem}.new").write_text(json.dumps(done))
        Path(f"{stem}.new").rename(f"{stem}.done")

    thread = threading.Thread(target=plugin)
    thread.start()
    assert give_reply(str(stem), "reject") is taken
    thread.join()
    assert said == [{"reply": "reject"}]
    assert not Path(f"{stem}.done").exists()


def test_a_reply_that_nobody_takes_is_withdrawn(
    program: procs.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TAKEN_SECONDS", 0.1)
    stem = opened(program.pid, "per_1", "touch approved")
    assert give_reply(str(stem), "once") is None
    assert not Path(f"{stem}.reply").exists()
    assert give_reply(str(stem.parent / "missing" / "x"), "once") is None


def test_what_became_of_a_reply_may_not_be_known(
    program: procs.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DONE_SECONDS", 0.1)
    stem = opened(program.pid, "per_1", "touch approved")

    def plugin() -> None:
        while not Path(f"{stem}.reply").exists():
            time.sleep(0.01)
        Path(f"{stem}.reply").unlink()

    thread = threading.Thread(target=plugin)
    thread.start()
    with pytest.raises(ReplyLostError):
        give_reply(str(stem), "once")
    thread.join()


def test_only_some_options_have_a_word_of_the_programs_own() -> None:
    words = {one: reply_of(PROFILE, Option("1", one)) for one in ("Allow once", "Allow always")}
    assert words == {"Allow once": "once", "Allow always": ""}


def test_a_reply_of_which_one_is_interrupted_is_withdrawn(
    program: procs.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that is held up would take it later, when its sender thinks otherwise."""
    stem = opened(program.pid, "per_1", "touch approved")
    asked: list[bool] = []

    def interrupted(*given: object) -> bool:
        asked.append(Path(f"{stem}.reply").exists())
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_await", interrupted)
    with pytest.raises(KeyboardInterrupt):
        give_reply(str(stem), "once")
    assert asked == [True]
    assert not Path(f"{stem}.reply").exists()
