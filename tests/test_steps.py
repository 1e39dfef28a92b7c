"""What may become of a message: a table of states and steps, and nothing writes past it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_cli.pane_id import PaneId
from torch_cli.store import Store
from torch_cli.store.messages import Message, new_message
from torch_cli.store.steps import (
    AFTER_SETTLED,
    NEXT_STEPS,
    Status,
    Step,
    before,
    may_follow,
    statuses,
)

SOURCE = Path(__file__).parents[1] / "src" / "torch_cli"
PANE = PaneId("/s|1|2", "%1", 7)


def written(store: Store, status: Status) -> Message:
    """Return a message that has come to be of that status."""
    place = {"recipient": "dev", "body": "hello", "typed": "hello", **PANE.columns}
    message, _ = store.messages.accept(new_message("m-1", state="queued", **place))
    store.database.write(
        "UPDATE messages SET state = ?, step = ? WHERE id = 'm-1'", status.state, status.step
    )
    return message._replace(state=status.state, step=status.step)


@pytest.mark.parametrize("was", statuses())
def test_a_message_becomes_only_what_may_follow(was: Status) -> None:
    with Store() as store:
        for becomes in statuses():
            store.database.write("DELETE FROM messages")
            message = written(store, was)
            after = message._replace(state=becomes.state, step=becomes.step)
            assert store.messages.settle(after) is may_follow(was, becomes), (was, becomes)
            now = store.messages.get("m-1")
            left = becomes if may_follow(was, becomes) else was
            assert (now.state, now.step) == left, (was, becomes)


def test_what_was_typed_is_never_typed_again_by_itself() -> None:
    """Only a person, or the same key, brings one back, and only if it is not known to be there."""
    for was in statuses():
        if was.step in (Step.SEEN, Step.SUBMITTING):
            assert not may_follow(was, Status("queued", Step.ACCEPTED))
            assert not may_follow(was, Status("queued", Step.ATTEMPTING))
        if was.state in ("submitted", "confirmed"):
            assert not [status for status in statuses() if may_follow(was, status)]


def test_every_status_can_be_reached_and_every_open_one_can_end() -> None:
    fresh = {Status("queued", Step.ACCEPTED)}
    reached = set(fresh)
    while found := {s for s in statuses() if any(may_follow(b, s) for b in reached)} - reached:
        reached |= found
    assert reached == set(statuses())
    for status in statuses():
        if status.step != Step.DONE:
            assert any(may_follow(status, s) for s in statuses() if s.step == Step.DONE)


@given(st.sampled_from(statuses()), st.text(max_size=8), st.text(max_size=8))
def test_nothing_follows_that_is_not_in_the_table(was: Status, state: str, step: str) -> None:
    after = Status(state, step)
    if after not in statuses():
        assert not may_follow(was, after)
        with pytest.raises(ValueError, match="no message can be"):
            before(after)


def test_a_message_cannot_be_settled_as_what_it_cannot_be() -> None:
    with Store() as store:
        message = written(store, Status("queued", Step.ACCEPTED))
        with pytest.raises(ValueError, match="queued at the step done"):
            store.messages.settle(message._replace(step=Step.DONE))


def test_the_table_names_every_step() -> None:
    assert {*NEXT_STEPS, Step.DONE} == set(Step)
    assert {status.step for status in AFTER_SETTLED} == {Step.DONE}


def test_no_other_code_writes_the_state_or_step_of_a_message() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for text in re.findall(r"UPDATE messages SET(?:.(?!\bWHERE\b))*", path.read_text(), re.S)
        if re.search(r"\b(?:state|step) = ", text)
    }
    assert found == {"store/progress.py"}, "its other writes are put together of columns"


def test_whatever_types_or_presses_does_it_through_the_typist() -> None:
    acts = re.compile(r"\bgate\.(?:paste|press|load|unload)\(|\"(?:send-keys|paste-buffer)\"")
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if path.parent.name != "tmux" and acts.search(path.read_text())
    }
    words = {"cli/meant.py"}  # that people may have meant
    assert found - words == {"delivery/typist.py"}, "the gate is the typist's to use"
