"""Whose answer a program took, by what it records itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import wait_until
from torch_cli import procs
from torch_cli.attention.heard import AnswerOutcome, Witness
from torch_cli.programs.asked import asked
from torch_cli.programs.loading import load_profile
from torch_cli.programs.state import Dialog
from torch_cli.programs.transcript.calls import calls_in

SESSION = "83f011c0-2943-4b2e-b6d1-d23a360989ee"
REJECTED = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if"
QUESTION = "Which database should the demo use?"


def claude_call(name: str, **given: Any) -> dict[str, Any]:
    part = {"type": "tool_use", "id": f"toolu_{name}", "name": "Bash", "input": given}
    return {"type": "assistant", "message": {"role": "assistant", "content": [part]}}


def claude_result(name: str, said: str, **more: Any) -> dict[str, Any]:
    part = {"type": "tool_result", "tool_use_id": f"toolu_{name}", "content": said}
    return {"type": "user", "message": {"role": "user", "content": [part]}, **more}


ALLOWED = {"permissionDecision": {"decision": "accept", "source": "user_temporary"}}


def codex_call(name: str, command: str) -> dict[str, Any]:
    given = json.dumps({"cmd": command, "justification": "it is wanted"})
    call = {"type": "function_call", "name": "exec_command", "arguments": given, "call_id": name}
    return {"type": "response_item", "payload": call}


def codex_result(name: str, said: str) -> dict[str, Any]:
    result = {"type": "function_call_output", "call_id": name, "output": said}
    return {"type": "response_item", "payload": result}


class Recorded:
    """A process that stands for a program, and its transcript."""

    def __init__(self, kind: str, home: Path, started: list[subprocess.Popen[bytes]]) -> None:
        self.profile = load_profile(kind, None)
        environ = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / "claude")}
        if kind == "claude":
            self.path = home / "claude" / "projects" / "work" / f"{SESSION}.jsonl"
        else:
            day = home / ".codex" / "sessions" / "2026" / "11" / "29"
            self.path = day / f"rollout-2026-11-29T01-02-03-{SESSION}.jsonl"
        self.path.parent.mkdir(parents=True)
        self.path.touch()
        with self.path.open() as file:
            sleeper = subprocess.Popen([*SLEEP], env=environ, stdin=file)
        started.append(sleeper)
        # For a moment a program that was just started has no environment yet.
        wait_until(lambda: procs.environment(sleeper.pid), what="its environment")
        process = procs.identify(sleeper.pid)
        assert process is not None
        self.process = process
        if kind == "claude":
            record = home / "claude" / "sessions" / f"{sleeper.pid}.json"
            record.parent.mkdir()
            record.write_text(json.dumps({"sessionId": SESSION}))

    def write(self, *lines: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def witness(self, dialog: Dialog) -> Witness:
        return Witness(self.profile, self.process, dialog)


SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def permission(command: str) -> Dialog:
    rows = (f"   {command}", " Do you want to proceed?", " ❯ 1. Yes", "   2. No")
    return Dialog("permission", "Do you want to proceed?", rows, "0" * 12, "digit", 2)


def said(witness: Witness, dialog: Dialog, key: str, text: str | None = None) -> AnswerOutcome:
    one = asked(dialog)
    option = next(each for each in one.options if each.key == key)
    return witness.look(one, option, text)


@pytest.mark.parametrize("kind", ["claude", "codex"])
def test_the_programs_own_record_tells_whose_answer_it_took(
    kind: str, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    program, dialog = Recorded(kind, tmp_path, started), permission("touch approved")
    for number, allowed in enumerate((True, False)):
        name = f"c{number}"
        if kind == "claude":
            call = claude_call(name, command="touch approved", description="make it")
            result = claude_result(name, "(no output)", **ALLOWED)
            if not allowed:
                result = claude_result(name, REJECTED)
        else:
            call = codex_call(name, "touch approved")
            result = codex_result(name, "Process exited with code 0\nOutput:\n")
            if not allowed:
                result = codex_result(name, "Wall time: 2.4 seconds\naborted by user")
        program.write(call)
        witness = program.witness(dialog)
        assert witness.knows
        assert said(witness, dialog, "1") == AnswerOutcome.PRESSED, "it is still open"
        program.write(result)
        yes, no = said(witness, dialog, "1"), said(witness, dialog, "2")
        expected = [AnswerOutcome.ANSWERED, AnswerOutcome.OVERTAKEN]
        assert [yes, no] == (expected if allowed else expected[::-1])


def test_what_is_not_certain_is_not_said(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    program, dialog = Recorded("claude", tmp_path, started), permission("touch approved")
    assert not program.witness(dialog).knows, "nothing is recorded"
    program.write(claude_call("a", command="rm -r build"))
    assert not program.witness(dialog).knows, "the dialog is about another call"
    program.write(claude_call("b", command="touch approved"))
    witness = program.witness(dialog)
    program.write(claude_result("a", REJECTED))
    assert said(witness, dialog, "2") == AnswerOutcome.PRESSED, "that was the other call"
    program.write(claude_call("c", command="touch approved"))
    assert not program.witness(dialog).knows, "two calls are shown alike"
    program.write(claude_result("b", "an error of the tool"))
    assert said(witness, dialog, "1") == AnswerOutcome.PRESSED, "it does not say who decided"
    menu = dialog._replace(kind="menu")
    program.write(claude_result("c", REJECTED), claude_call("d", command="touch approved"))
    assert program.witness(dialog).knows
    assert not program.witness(menu).knows
    assert not Witness(load_profile("gemini", None), program.process, dialog).knows
    assert not Witness(program.profile, None, dialog).knows


@pytest.mark.parametrize(("result", "no"), [("(no output)", False), (REJECTED, True)])
def test_which_of_two_that_allow_it_was_chosen_is_not_said(
    result: str, no: bool, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    program, plain = Recorded("claude", tmp_path, started), permission("touch approved")
    rows = (*plain.rows[:-1], "   2. Yes, and don't ask again for touch", "   3. No")
    dialog = plain._replace(rows=rows)
    program.write(claude_call("a", command="touch approved"))
    witness = program.witness(dialog)
    program.write(claude_result("a", result, **({} if no else ALLOWED)))
    allow = AnswerOutcome.OVERTAKEN if no else AnswerOutcome.PRESSED
    decline = AnswerOutcome.ANSWERED if no else AnswerOutcome.OVERTAKEN
    assert [said(witness, dialog, key) for key in "123"] == [allow, allow, decline]


def test_words_elsewhere_in_the_record_are_no_answer(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    program, which = Recorded("claude", tmp_path, started), "Which language?"
    rows = (which, "❯ 1. Go", "  2. Python", "  3. Type something")
    dialog = Dialog("question", which, rows, "0" * 12, "arrows", 1)
    program.write(claude_call("q", questions=[{"question": which}]))
    witness = program.witness(dialog)
    answers = f'"{which}"="Python", "Where to keep it?"="Google Drive"'
    program.write(claude_result("q", f"Your questions were answered: {answers}."))
    assert said(witness, dialog, "1") == AnswerOutcome.PRESSED
    assert said(witness, dialog, "2") == AnswerOutcome.ANSWERED
    assert said(witness, dialog, "3", "Python") == AnswerOutcome.PRESSED, "or the option"
    assert said(witness, dialog, "3", "Pyth") == AnswerOutcome.PRESSED


def test_an_answer_in_words_is_known_by_its_words(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    program = Recorded("claude", tmp_path, started)
    rows = (QUESTION, "❯ 1. SQLite", "  2. PostgreSQL", "  3. Type something")
    dialog = Dialog("question", QUESTION, rows, "0" * 12, "arrows", 1)
    program.write(claude_call("q", questions=[{"question": QUESTION}]))
    witness = program.witness(dialog)
    assert witness.knows
    program.write(claude_result("q", f'Your questions were answered: "{QUESTION}"="PostgreSQL".'))
    assert said(witness, dialog, "2") == AnswerOutcome.ANSWERED
    assert said(witness, dialog, "1") == AnswerOutcome.PRESSED
    assert said(witness, dialog, "3", "demo") == AnswerOutcome.PRESSED, "the question says that"


def test_odd_lines_of_a_transcript_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    odd = ["{", "[]", '{"message": 1}', '{"message": {"content": [1, {"type": "tool_result"}]}}']
    good = json.dumps(claude_call("a", command="ls"))
    path.write_text("\n".join([*odd, good]) + "\n" + good[:20])
    assert [one.given for one in calls_in("claude", str(path)).values()] == [("ls",)]
    odd = ['{"type": "response_item", "payload": 1}', json.dumps(codex_result("x", "lost"))]
    broken = codex_call("b", "ls")
    broken["payload"]["arguments"] = "{"
    path.write_text("\n".join([*odd, json.dumps(broken)]) + "\n")
    assert [one.given for one in calls_in("codex", str(path)).values()] == [()]
