"""``torch profile verify`` on the demo agent, and on ones that were changed on purpose."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM
from conftest import PATIENCE, SOURCE, Torch, accept_profiles, wait_until
from torch_cli import paths, procs
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.profiling.verify.leaving import leave_nothing
from torch_cli.profiling.verify.left import end_left, left, noted
from torch_cli.profiling.verify.plan import QUICK, Plan, Tried
from torch_cli.profiling.verify.run import VerifyReport, verify
from torch_cli.profiling.verify.stage import Stage
from torch_cli.profiling.verify.subject import Signalled
from torch_cli.programs import proof
from torch_cli.programs.loading import load_profile
from torch_cli.roster.safety import Degree, safety_of
from torch_cli.store import Store

SMALL = QUICK._replace(texts=("40 characters",), specials=(), openings=1, patience=20.0)
KEYS = SMALL._replace(deliveries=False, openings=20)

WRAPPER = """#!{python}
import sys
sys.path.insert(0, {source!r})
from torch_cli.demo_agent import __main__, agent, keys, program, view
{change}
sys.exit(__main__.main())
"""

MOVED_RULE = """
rows = view.bottom_rows
def bottom_rows(*given):
    shown, cursor = rows(*given)
    return [row.replace("─", "═") for row in shown], cursor
view.bottom_rows = bottom_rows
"""

RENAMED_DIALOG = """
rows = view.dialog_rows
def dialog_rows(*given):
    return [row.replace("Do you want to proceed?", "Shall I?") for row in rows(*given)]
view.dialog_rows = dialog_rows
"""

HIDDEN_DIALOG = """
rows = view.dialog_rows
def dialog_rows(*given):
    return [row.replace(" ❯ ", " + ") for row in rows(*given)]
view.dialog_rows = dialog_rows
"""

OBEDIENT_DIALOG = """
answer = agent.DemoState._answer_dialog
def answer_dialog(self, event, now):
    answer(self, keys.KeyPress.ENTER if event is keys.KeyPress.SUBMIT else event, now)
agent.DemoState._answer_dialog = answer_dialog
"""

DEAF_CHORD = """
press = agent.DemoState._press
def press_key(self, key, now):
    if key is not keys.KeyPress.SUBMIT:
        press(self, key, now)
agent.DemoState._press = press_key
"""

NEWLINE_FIRST = """
press = agent.DemoState._press
pressed = []
def press_key(self, key, now):
    if key is keys.KeyPress.SUBMIT and not pressed:
        pressed.append(key)
        self.box.type("\\n")
    else:
        press(self, key, now)
agent.DemoState._press = press_key
"""

LATE_MODE = """
import time
press = agent.DemoState._press
def press_key(self, key, now):
    if key is keys.KeyPress.MODE:
        open("pressed", "a").write("x")
        time.sleep(4)
    press(self, key, now)
agent.DemoState._press = press_key
"""

REDRAWN = """
import time
late = {"blank": 0.0}
opens, bottom = agent.DemoState.open_dialog, view.bottom_rows
def open_dialog(self, command, **more):
    if late.pop("due", False):
        opens(self, command, **more)
        return
    late.update(due=True, blank=time.monotonic() + 0.5)
    self._planned.append((time.monotonic() + 3.5, command))
def bottom_rows(*given):
    return (["", ""], (0, 1)) if time.monotonic() < late["blank"] else bottom(*given)
agent.DemoState.open_dialog, view.bottom_rows = open_dialog, bottom_rows
"""

FORGETFUL_BOX = """
submit = agent.DemoState._submit
def submit_less(self, now):
    self.box.erase()
    submit(self, now)
agent.DemoState._submit = submit_less
"""

SILENT_HOOKS = """
agent.DemoState._hook = lambda self, event, **fields: None
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory of the person who proves."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / "torch"


def changed(tmp_path: Path, change: str) -> str:
    """Return the path of a demo agent that was changed."""
    path = tmp_path / "changed"
    path.write_text(WRAPPER.format(python=sys.executable, source=str(SOURCE), change=change))
    path.chmod(0o755)
    return str(path)


def prove(program: str = DEMO_PROGRAM, plan: Plan = SMALL) -> VerifyReport:
    return verify("demo", plan, command=program)


def words(report: VerifyReport) -> str:
    return "\n".join(one["sentence"] for one in report.failures)


def test_a_program_that_keeps_its_word_is_believed(tmp_path: Path) -> None:
    own = load_profile("demo", None)
    report = prove(plan=SMALL._replace(openings=20, patience=PATIENCE))
    assert report.failures == [], report
    kept = json.loads(Path(report.path).read_text())
    assert (kept["schema"], kept["profile"], kept["version"]) == ("torch.verified/1", "demo", "1.0")
    assert kept["keys"]["chord"]["dialogs"]["permission"] == {
        "openings": 20,
        "presses": 0,
        "answered": 0,
    }
    assert sum(kept["held"].values()) == kept["total"]
    assert len(kept["binary"]["sha256"]) == 64
    found = proof.proof_of(own, "1.0")
    assert found is not None
    assert (dict(found.keys), found.queues) == ({"chord": True}, True)
    safety = safety_of(own._replace(verified=()), chord=True, version="1.0")
    assert safety.degree is Degree.SAFE, "what the profile does not say was proven here"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("torch-")] == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(RENAMED_DIALOG, "dialog at 120x40 is read as a 'menu'", id="name"),
        pytest.param(HIDDEN_DIALOG, "at 120x40 is read as 'waiting' (hook", id="hidden"),
        pytest.param(FORGETFUL_BOX, "did not arrive", id="text"),
        pytest.param(SILENT_HOOKS, "its hook did not report it", id="hooks"),
    ],
)
def test_what_differs_is_said_in_words(tmp_path: Path, change: str, sentence: str) -> None:
    report = prove(changed(tmp_path, change))
    assert sentence in words(report), report.failures
    assert all(one["screen"] for one in report.failures)


def test_a_dialog_that_obeys_the_chord_is_caught_and_the_chord_not_pressed_any_more(
    tmp_path: Path,
) -> None:
    own = load_profile("demo", None)
    assert safety_of(own, chord=True, version="1.0").key == "C-x C-q"
    report = prove(changed(tmp_path, OBEDIENT_DIALOG), KEYS)
    assert re.search("C-x C-q (answered|approved) the permission dialog", words(report))
    safety = safety_of(own, chord=True, version="1.0")
    assert (safety.degree, safety.key) == (Degree.ENTER, "Enter")


def test_a_chord_that_does_not_submit_is_not_pressed_any_more(tmp_path: Path) -> None:
    report = prove(changed(tmp_path, DEAF_CHORD), KEYS)
    assert "C-x C-q does not submit" in words(report)
    assert not report.result["keys"]["chord"]["ignored"]


def test_a_key_that_a_busy_program_took_for_a_newline_is_pressed_again(tmp_path: Path) -> None:
    """The box has changed then, and has sent nothing: only what arrived counts."""
    plan = KEYS._replace(openings=1, presses=1, at_start=False, patience=PATIENCE)
    report = prove(changed(tmp_path, NEWLINE_FIRST), plan)
    assert report.failures == []
    assert report.result["keys"]["chord"]["submitted"] == 1


def test_a_chord_that_only_empties_the_box_is_told_from_one_that_submits(tmp_path: Path) -> None:
    report = prove(changed(tmp_path, FORGETFUL_BOX), KEYS._replace(openings=1, patience=4.0))
    assert "C-x C-q took the text out of the box, and it did not arrive" in words(report)
    assert not report.result["keys"]["chord"]["ignored"]


def test_a_screen_that_is_redrawn_before_a_dialog_opens_is_no_misread_dialog(
    tmp_path: Path,
) -> None:
    """It shows no box for a moment, and then the working program again, as on a busy machine."""
    report = prove(changed(tmp_path, REDRAWN), SMALL._replace(patience=30.0))
    assert report.failures == []
    assert report.result["held"]["states"] == 1


def test_a_box_that_is_not_found_is_never_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = tmp_path / "torch" / "config" / "profiles"
    profiles.mkdir(parents=True)
    from torch_cli.programs.loading import STOCK

    text = Path(STOCK, "demo.toml").read_text()
    (profiles / "demo.toml").write_text(text.replace("ready_timeout = 60", "ready_timeout = 1"))
    accept_profiles()
    report = prove(changed(tmp_path, MOVED_RULE))
    assert "was not ready after 3 s: unknown" in words(report)
    assert "═══" in report.failures[0]["screen"]
    assert report.result["keys"]["chord"]["ignored"] is False


def test_a_quick_run_that_finds_nothing_is_not_kept(tmp_path: Path) -> None:
    plan = SMALL._replace(patience=PATIENCE)
    report = verify("demo", plan, command=DEMO_PROGRAM, quick=True)
    assert (report.failures, report.path) == ([], "")
    assert not Path(proof.folder()).exists()


def test_too_few_dialogs_prove_nothing_and_one_that_was_answered_all() -> None:
    tried = Tried("x", submitted=1)
    tried.met("permission", openings=19)
    assert tried.ignored is None
    tried.met("question", openings=1)
    assert tried.ignored is True
    tried.broken = True
    assert tried.ignored is False


def test_a_mode_that_a_busy_program_shows_late_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second key is pressed meanwhile: it would go on to the next mode."""
    profile, root = load_profile("demo", None), tmp_path / "proof" / "0"
    path = Path(changed(tmp_path, LATE_MODE))
    path.rename(path.with_name(profile.launch.command[0]))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    root.mkdir(parents=True)
    subject = Signalled(root)
    try:
        with Store() as store:
            stage = Stage(root, subject, profile, store, PATIENCE)
            stage.start()
            stage.mode("plan")
            assert stage.look().state.mode == "plan"
            assert (subject.home.work / "pressed").read_text() == "x"
            stage.end()
    finally:
        leave_nothing(root.parent)


def test_what_cannot_be_proven_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be verified"):
        verify("bash", SMALL)
    with pytest.raises(NotFoundError, match="was found; nothing was started"):
        verify("demo", SMALL, command=str(tmp_path / "nothing"))
    assert not Path(proof.folder()).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_an_interrupted_proof_leaves_nothing(
    tmp_path: Path, torch: Torch, number: signal.Signals
) -> None:
    begun = subprocess.Popen(
        torch.argv("profile", "verify", "demo", "--command", DEMO_PROGRAM, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )

    def inside() -> list[procs.Process]:
        home = f"{tmp_path}{os.sep}torch-"
        return [
            one
            for one in procs.descendants(0)
            if procs.alive(one)
            and (procs.environment(one.pid) or {}).get("HOME", "").startswith(home)
        ]

    wait_until(lambda: len(inside()) > 3, what="programs that run")
    os.kill(begun.pid, number)
    begun.communicate(timeout=PATIENCE)
    wait_until(lambda: not inside(), what="the end of its processes")
    wait_until(lambda: not list(tmp_path.glob("torch-*")), what="the end of its directory")
    assert begun.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL)
    assert not Path(proof.folder()).exists()


def test_what_a_proof_left_whose_processes_were_all_killed_is_named_and_ended_by_the_next(
    tmp_path: Path, torch: Torch
) -> None:
    """It ends nothing else: not a proof that runs, nor who only looks at what was left."""
    argv = torch.argv("profile", "verify", "demo", "--command", DEMO_PROGRAM, "--quick")
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    begun = subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=environ)
    (root,) = wait_until(lambda: list(tmp_path.glob("torch-*")), what="its directory")

    def homed() -> list[procs.Process]:
        every = [one for one in procs.descendants(0) if procs.alive(one)]
        homes = [(procs.environment(one.pid) or {}).get("HOME", "") for one in every]
        return [
            one
            for one, home in zip(every, homes, strict=True)
            if home.startswith(f"{root}{os.sep}")
        ]

    wait_until(lambda: len(homed()) > 3, what="programs that run")
    assert left() == []
    for one in procs.descendants(begun.pid):  # the servers of tmux are nobody's children
        os.kill(one.pid, signal.SIGKILL)
    begun.kill()
    begun.wait()
    assert homed()
    assert left() == [root]
    doctor = torch("doctor")
    assert f"has left programs and tmux servers in {root}" in " ".join(doctor.out.split())
    work = next(path for path in root.iterdir() if path.is_dir())
    with subprocess.Popen(["sleep", "600"], cwd=work) as person:
        try:
            done = torch("profile", "verify", "demo", "--command", DEMO_PROGRAM, "--quick")
            assert done.code == 0, done
            assert f"ended what a killed proof had left in {root}" in done.err
            assert not homed()
            assert not root.exists()
            assert person.poll() is None
        finally:
            person.kill()
    assert left() == []


def test_a_note_of_a_proof_does_not_lead_to_another_directory_of_that_name(tmp_path: Path) -> None:
    root = tmp_path / "torch-x"
    root.mkdir()
    with noted(root):
        assert left() == []
        note = Path(paths.state_dir(), "verifying", root.name)
        kept = note.read_bytes()
    assert not note.exists()
    note.write_bytes(kept)
    assert left() == [root]
    root.rename(tmp_path / "before")
    root.mkdir()
    (root / "mine").touch()
    assert (left(), end_left()) == ([], [])
    assert (root / "mine").exists()
    assert not note.exists()


def test_the_command_says_what_held(torch: Torch) -> None:
    done = torch("profile", "verify", "demo", "--command", DEMO_PROGRAM, "--quick")
    assert done.code == 0, done
    assert "verified  Torch demo agent 1.0" in done.out
    assert "C-x C-q: too few dialogs to tell (permission 3)" in done.out
    assert "not kept" in done.err
