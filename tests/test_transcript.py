"""Transcripts of programs, in the forms that were seen of the real ones on 2026-11-24."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.programs.loading import load_profile
from torch_cli.programs.transcript import (
    TRANSCRIPT_KINDS,
    Origin,
    Transcript,
    Turn,
    aider,
    claude,
    codex,
    gemini,
    kilo,
    opencode,
    pi,
    qwen,
    turn_of,
)
from torch_cli.programs.transcript.lines import Conversation

OPENERS: dict[str, Callable[[Origin], Transcript]] = {
    "aider": aider.open_transcript,
    "claude": claude.open_transcript,
    "codex": codex.open_transcript,
    "gemini": gemini.open_transcript,
    "kilo": kilo.open_transcript,
    "opencode": opencode.open_transcript,
    "pi": pi.open_transcript,
    "qwen": qwen.open_transcript,
}
CONVERSATIONS: dict[str, Callable[[Callable[[str], bool]], Conversation]] = {
    "claude": claude.Session,
    "codex": codex.Rollout,
    "gemini": gemini.Chat,
    "pi": pi.Entries,
    "qwen": qwen.Recording,
}
ASKED = "what is 2 + 2?\nsay it"
ANSWER = "Here:\n\n```python\n4\n```\n\n> Tokens are cheap.\n#### done\n日本語"


class Writer:
    """Writes one program's transcripts as the program does, one turn at a time."""

    def __init__(self, kind: str, root: Path) -> None:
        self.kind, self.root, self.number = kind, root, 0
        self.work = root / "work"
        (self.work / ".git").mkdir(parents=True)

    def open(self, since: float = 0.0, environ: Mapping[str, str] | None = None) -> Transcript:
        """Return the reader."""
        given = {"HOME": str(self.root), **(environ or {})}
        return OPENERS[self.kind](Origin(str(self.work), given, since))

    def asked(self, text: str, session: str = "one", at: float | None = None) -> None:
        """Write a message down."""
        self.number += 1
        getattr(self, f"_{self.kind}")(session, text, None, time.time() if at is None else at)

    def answered(self, text: str, session: str = "one", *, tool: bool = False) -> None:
        """Write its answer down, or with ``tool`` a part before the answer."""
        getattr(self, f"_{self.kind}")(session, None, text, time.time(), tool)

    def append(self, path: Path, *lines: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def path(self, session: str) -> Path:
        """Return the file of a session."""
        return {
            "claude": self.root / ".claude/projects/-work" / f"{session}.jsonl",
            "codex": self.root / ".codex/sessions/2026/11/24" / f"rollout-{session}.jsonl",
            "gemini": self.root / ".gemini/tmp/work/chats" / f"session-{session}.jsonl",
            "kilo": self.root / ".local/share/kilo/kilo.db",
            "opencode": self.root / ".local/share/opencode/opencode.db",
            "pi": self.root / ".pi/agent/sessions/--work--" / f"{session}.jsonl",
            "qwen": self.root / ".qwen/projects/-work/chats" / f"{session}.jsonl",
            "aider": self.work / ".aider.chat.history.md",
        }[self.kind]

    def _claude(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        common = {"timestamp": stamp(at), "isSidechain": False}
        if asked is not None:
            message: dict[str, Any] = {"role": "user", "content": asked}
            self.append(self.path(session), {"type": "user", "message": message, **common})
            return
        blocks: list[dict[str, Any]] = [{"type": "text", "text": said}]
        blocks += [{"type": "tool_use", "name": "Bash"}] if tool else []
        for block in blocks:
            message = {
                "id": f"msg_{self.number}{tool}",
                "content": [block],
                "stop_reason": "tool_use" if tool else "end_turn",
            }
            self.append(self.path(session), {"type": "assistant", "message": message, **common})

    def _codex(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        turn = f"turn-{self.number}"
        if asked is not None:
            item = {"type": "UserMessage", "content": [{"type": "text", "text": asked}]}
            payload = {"type": "item_completed", "turn_id": turn, "item": item}
        elif tool:
            item = {"type": "AgentMessage", "content": [{"type": "Text", "text": said or ""}]}
            payload = {"type": "item_completed", "turn_id": turn, "item": item}
        else:
            payload = {"type": "task_complete", "turn_id": turn, "last_agent_message": said or ""}
        line = {"timestamp": stamp(at), "type": "event_msg", "payload": payload}
        self.append(self.path(session), line)

    def _gemini(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        line: dict[str, Any] = {"id": f"{self.number}{said is None}{tool}", "timestamp": stamp(at)}
        if asked is not None:
            line |= {"type": "user", "content": [{"text": asked}]}
        else:
            line |= {"type": "gemini", "content": said}
            line |= {"toolCalls": [{"name": "run"}]} if tool else {}
        self.append(self.path(session), line, {"$set": {"lastUpdated": stamp(at)}})

    def _qwen(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        parts: list[dict[str, Any]] = [{"text": asked if said is None else said}]
        if said is not None:
            parts.insert(0, {"text": "Let me think.", "thought": True})
        parts += [{"functionCall": {"name": "run"}}] if tool else []
        line = {"type": "assistant" if asked is None else "user", "timestamp": stamp(at)}
        result = {"type": "tool_result", "message": {"parts": [{"functionResponse": {}}]}}
        lines = [{**line, "message": {"parts": parts}}, *([result] if tool else [])]
        self.append(self.path(session), *lines, {"type": "system", "subtype": "ui_telemetry"})

    def _opencode(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        path = self.path(session)
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as store:
            store.executescript(
                "CREATE TABLE IF NOT EXISTS session (id, directory);"
                "CREATE TABLE IF NOT EXISTS message (id, session_id, time_created, data);"
                "CREATE TABLE IF NOT EXISTS part (id, message_id, data);"
            )
            if not store.execute("SELECT 1 FROM session WHERE id = ?", (session,)).fetchall():
                store.execute("INSERT INTO session VALUES (?, ?)", (session, str(self.work)))
            number = f"{self.number:04}"
            identity = f"{number}b{tool:d}" if said is not None else f"{number}a"
            data: dict[str, Any] = {"role": "user"}
            if said is not None:
                finish = "tool-calls" if tool else "stop"
                data = {"role": "assistant", "parentID": f"{number}a", "finish": finish}
                data["time"] = {"created": 1, "completed": 2}
            row = (identity, session, int(at * 1000), json.dumps(data))
            store.execute("INSERT INTO message VALUES (?, ?, ?, ?)", row)
            part = json.dumps({"type": "text", "text": asked or said})
            store.execute("INSERT INTO part VALUES (?, ?, ?)", (f"p{identity}", identity, part))
        store.close()

    def _pi(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        content: list[dict[str, Any]] = [{"type": "text", "text": asked or said}]
        content += [{"type": "toolCall", "name": "bash", "arguments": {}}] if tool else []
        message: dict[str, Any] = {"role": "user" if asked is not None else "assistant"}
        message["content"] = content
        if asked is None:
            message["stopReason"] = "toolUse" if tool else "stop"
        self.append(
            self.path(session), {"type": "message", "timestamp": stamp(at), "message": message}
        )

    _kilo = _opencode  # its database has the same form

    def _aider(
        self, session: str, asked: str | None, said: str | None, at: float, tool: bool = False
    ) -> None:
        with self.path(session).open("a") as file:
            if asked is not None:
                file.write("\n" + "".join(f"#### {line}  \n" for line in asked.split("\n")))
            else:
                file.write(f"\n{said}\n\n")
                file.write("" if tool else "> Tokens: 2.3k sent, 7 received.  \n")


def stamp(at: float) -> str:
    """Return a time as the programs write it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at % 1 * 1000):03}Z"


def is_ours(text: str) -> bool:
    return text.strip() == ASKED


@pytest.fixture(params=TRANSCRIPT_KINDS)
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Writer:
    return Writer(str(request.param), tmp_path)


def test_every_kind_has_a_profile_that_names_it() -> None:
    assert {load_profile(kind, None).answer.transcript for kind in TRANSCRIPT_KINDS} == set(
        TRANSCRIPT_KINDS
    )


def test_an_answer_is_read_word_for_word_once_the_turn_has_ended(writer: Writer) -> None:
    transcript = writer.open(time.time())
    assert turn_of(transcript, is_ours) is None
    writer.asked(ASKED)
    transcript = writer.open(time.time() - 5)
    assert turn_of(transcript, is_ours) == Turn()
    writer.answered("I shall look.", tool=True)
    assert turn_of(transcript, is_ours) == Turn()
    if writer.kind == "aider":  # it has no parts: what it says before the end is the answer
        writer.answered(ANSWER)
        assert turn_of(transcript, is_ours) == Turn(f"I shall look.\n\n\n{ANSWER}")
    else:
        writer.answered(ANSWER)
        assert turn_of(transcript, is_ours) == Turn(ANSWER)


def test_the_newest_of_equal_messages_counts(writer: Writer) -> None:
    began = time.time() - 5
    writer.asked(ASKED)
    writer.answered("first")
    writer.asked("something else")
    writer.answered("no")
    writer.asked(ASKED)
    transcript = writer.open(began)
    assert turn_of(transcript, is_ours) == Turn()
    writer.answered("second")
    assert turn_of(transcript, is_ours) == Turn("second")


def test_what_somebody_else_asked_afterwards_is_no_part_of_it(writer: Writer) -> None:
    """A message that waited in the program's queue is answered before anybody looks."""
    writer.asked(ASKED)
    writer.answered(ANSWER)
    writer.asked("and another thing")
    writer.answered("to somebody else")
    assert turn_of(writer.open(time.time() - 5), is_ours) == Turn(ANSWER)


def test_a_turn_that_was_broken_off_has_no_answer_of_a_later_one(writer: Writer) -> None:
    writer.asked(ASKED)
    writer.asked("and another thing")
    writer.answered("to somebody else")
    assert turn_of(writer.open(time.time() - 5), is_ours) == Turn()


def test_what_was_asked_before_does_not_count(writer: Writer) -> None:
    writer.asked(ASKED, at=time.time() - 60)
    path = writer.path("one")
    os.utime(path, (time.time() - 60,) * 2)
    assert turn_of(writer.open(time.time() - 30), is_ours) is None


@pytest.mark.parametrize("kind", [kind for kind in TRANSCRIPT_KINDS if kind != "aider"])
def test_two_conversations_with_the_same_message_say_nothing(kind: str, tmp_path: Path) -> None:
    """But for aider, which has one transcript a directory."""
    writer = Writer(kind, tmp_path)
    for session in ("one", "two"):
        writer.asked(ASKED, session)
        writer.answered(f"from {session}", session)
    assert turn_of(writer.open(time.time() - 5), is_ours) is None


def test_a_file_that_is_none_says_nothing(writer: Writer) -> None:
    path = writer.path("one")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'\xff\x00{"type": [], "message": 3}\n{"type": "event_msg"}\n[1]\n{"half')
    assert turn_of(writer.open(time.time() - 5), is_ours) is None


KEYS = (
    "type message role content parts payload item turn_id text id toolCalls parentID time finish"
    " timestamp isMeta stop_reason"
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "text", "gemini", ASKED]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(written=st.lists(SHAPES, max_size=4))
def test_what_has_another_form_than_is_known_says_nothing_and_is_no_error(
    written: list[Any],
) -> None:
    for kind in CONVERSATIONS:
        conversation = CONVERSATIONS[kind](is_ours)
        for line in written:
            if isinstance(line, dict):
                conversation.read(line, 0.0)
        turn = conversation.turn()
        assert turn is None or isinstance(turn.answer, str | None)


@pytest.mark.parametrize("data", ["[]", "3", '{"role": ["user"]}', '{"role": "user"}', "{"])
def test_a_store_of_another_form_says_nothing(tmp_path: Path, data: str) -> None:
    writer = Writer("opencode", tmp_path)
    writer.asked(ASKED)
    with sqlite3.connect(writer.path("one")) as store:
        store.execute("UPDATE message SET data = ?", (data,))
        store.execute("UPDATE part SET data = ?", ("[1]",))
    store.close()
    assert turn_of(writer.open(time.time() - 5), is_ours) is None


def test_a_directory_that_cannot_be_read_says_nothing(writer: Writer) -> None:
    path = writer.path("one")
    path.mkdir(parents=True)
    assert turn_of(writer.open(time.time() - 5), is_ours) is None


@pytest.mark.parametrize("kind", [*CONVERSATIONS])
def test_a_line_that_is_half_written_is_read_when_it_is_whole(kind: str, tmp_path: Path) -> None:
    writer = Writer(kind, tmp_path)
    writer.asked(ASKED)
    writer.answered(ANSWER)
    path = writer.path("one")
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    transcript = writer.open(time.time() - 5)
    found = turn_of(transcript, is_ours)
    path.write_bytes(whole)
    assert found in (Turn(), Turn(ANSWER))  # Gemini's last line carries nothing
    assert turn_of(transcript, is_ours) == Turn(ANSWER)


@pytest.mark.parametrize(
    ("kind", "variable", "place"),
    [
        ("codex", "CODEX_HOME", ".codex"),
        ("claude", "CLAUDE_CONFIG_DIR", ".claude"),
        ("kilo", "XDG_DATA_HOME", ".local/share"),
        ("opencode", "XDG_DATA_HOME", ".local/share"),
        ("pi", "PI_CODING_AGENT_DIR", ".pi/agent"),
        ("qwen", "QWEN_HOME", ".qwen"),
    ],
)
def test_the_programs_own_variable_moves_it(
    kind: str, variable: str, place: str, tmp_path: Path
) -> None:
    writer = Writer(kind, tmp_path)
    writer.asked(ASKED)
    moved = tmp_path / "moved [x]"
    (tmp_path / place).rename(moved)
    assert turn_of(writer.open(time.time() - 5), is_ours) is None
    assert turn_of(writer.open(time.time() - 5, {variable: str(moved)}), is_ours) == Turn()


def test_aider_writes_at_the_root_of_the_repository(tmp_path: Path) -> None:
    writer = Writer("aider", tmp_path)
    writer.asked(ASKED)
    below = writer.work / "src" / "deep"
    below.mkdir(parents=True)
    origin = Origin(str(below), {}, time.time() - 5)
    assert turn_of(aider.open_transcript(origin), is_ours) == Turn()
    (below / ".git").mkdir()
    assert turn_of(aider.open_transcript(origin), is_ours) is None


# -- what a hook of the user's refused

REFUSED = "UserPromptSubmit operation blocked by hook:\n{}\n\nOriginal prompt: {}"


def refusal(root: Path, *texts: str, session: str = "one") -> Path:
    """Write down what Claude Code 2.1.330 writes of messages that a hook refused."""
    path = root / ".claude" / "projects" / "-work" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for text in texts:
            line = {"type": "system", "subtype": "informational", "content": text}
            file.write(json.dumps({**line, "timestamp": "2026-11-28T11:00:00Z"}) + "\n")
    return path


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
MARKED = TEXT | st.tuples(TEXT, TEXT).map("\n\nOriginal prompt: ".join)


@given(words=MARKED, prompt=MARKED)
def test_a_message_that_a_hook_refused_has_the_hooks_words(words: str, prompt: str) -> None:
    read = claude.Session(lambda text: text == prompt)
    content = REFUSED.format(words, prompt)
    read.read({"type": "system", "subtype": "informational", "content": content}, 1.0)
    turn = read.turn()
    assert turn is not None
    assert turn.refused == " ".join(words.split())


def test_only_what_the_program_itself_says_is_a_refusal(tmp_path: Path) -> None:
    reader = claude.open_transcript(Origin(str(tmp_path), {"HOME": str(tmp_path)}, 0.0))
    assert not reader.exists
    refusal(tmp_path, REFUSED.format("no", "another"), REFUSED.format("no", "asked")[:-1], "asked")
    assert reader.exists
    assert turn_of(reader, lambda text: text == "asked") is None
    refusal(tmp_path, REFUSED.format("[/a/hook.sh]: not\nso", "asked"))
    reader = claude.open_transcript(Origin(str(tmp_path), {"HOME": str(tmp_path)}, 0.0))
    assert turn_of(reader, lambda text: text == "asked") == Turn(refused="[/a/hook.sh]: not so")


def test_a_message_that_was_sent_again_is_not_refused_any_more() -> None:
    read = claude.Session(lambda text: text == "asked")
    content = REFUSED.format("no", "asked")
    read.read({"type": "system", "subtype": "informational", "content": content}, 1.0)
    read.read({"type": "user", "message": {"role": "user", "content": "asked"}}, 2.0)
    assert read.turn() == Turn()


def test_a_message_that_waits_in_the_queue_is_written_down() -> None:
    """Its turn begins later, and what is answered before belongs to another."""
    read = claude.Session(is_ours)
    operation = {"type": "queue-operation", "operation": "enqueue", "content": "another"}
    read.read(operation, 1.0)
    assert read.turn() is None
    read.read({**operation, "operation": "remove", "content": ASKED}, 1.0)
    assert read.turn() is None
    read.read({**operation, "content": ASKED}, 1.0)
    assert read.turn() == Turn()
    said = {"id": "msg_1", "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn"}
    read.read({"type": "assistant", "message": said}, 1.0)
    assert read.turn() == Turn()
    read.read({"type": "user", "message": {"content": ASKED}}, 1.0)
    assert read.turn() == Turn()
    read.read({"type": "assistant", "message": {**said, "id": "msg_2"}}, 1.0)
    assert read.turn() == Turn("x")


def test_a_turn_that_a_hook_stopped_has_the_hooks_words() -> None:
    """They name no message, so they are of the one that stands before them."""
    stopped = {"type": "system", "subtype": "informational"}
    stopped["content"] = "Operation stopped by hook: not\nso"
    read = claude.Session(is_ours)
    read.read(stopped, 1.0)
    read.read({"type": "user", "message": {"content": ASKED}}, 1.0)
    assert read.turn() == Turn()
    read.read(stopped, 1.0)
    assert read.turn() == Turn(stopped="not so")
    read.read({"type": "user", "message": {"content": "another"}}, 1.0)
    read.read({**stopped, "content": "Operation stopped by hook: other"}, 1.0)
    assert read.turn() == Turn(stopped="not so")
    read.read({"type": "user", "message": {"content": ASKED}}, 1.0)
    assert read.turn() == Turn()
