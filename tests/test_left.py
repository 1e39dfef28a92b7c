"""A text of Torch's that is still in an agent's input box."""

import time

from agent import DemoAgent
from test_attention import status
from test_ours import typing_into
from test_store import written
from torch_cli.attention.left import RESTS_SECONDS
from torch_cli.store import Store

TEXT = "Please fix the parser"


def add(store: Store, identity: str, text: str, **others: object) -> None:
    """Write down a message whose outcome is not known, which was last touched a while ago."""
    agent = store.agents.all()[0]
    at = time.time() - RESTS_SECONDS - 1
    facts: dict[str, object] = {"agent": agent.identity, "recipient": agent.name}
    facts |= {"body": text, "typed": text, "state": "unknown", "step": "done"}
    facts |= {"created": at, "updated": at, **others}
    with store.database.transaction():
        store.messages.insert(written(identity, **facts))


def test_a_text_of_ours_that_was_never_sent_is_shown(demo: DemoAgent, store: Store) -> None:
    add(store, "m-other", "Another text")
    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", TEXT)
    demo.tmux.wait_for_text(demo.pane, TEXT)
    assert status(demo.torch)[demo.name]["do"] == "nothing", "a person typed it"

    add(store, "m-sent", TEXT, state="confirmed")
    add(store, "m-going", TEXT, step="seen", state="queued", updated=time.time())
    assert status(demo.torch)[demo.name]["do"] == "nothing", "it was sent, or is being sent"

    add(store, "m-waits", TEXT, step="seen", state="queued")
    agent = store.agents.all()[0]
    with typing_into(agent.at):
        assert status(demo.torch)[demo.name]["do"] == "nothing", "its sender still waits there"
    assert status(demo.torch)[demo.name]["left"] == "m-waits", "its sender has ended"
    store.messages.settle(store.messages.get("m-waits")._replace(state="confirmed", step="done"))

    add(store, "m-left", TEXT)
    needed = status(demo.torch)[demo.name]
    assert (needed["do"], needed["state"], needed["left"]) == ("look", "idle", "m-left")
    shown = demo.torch("status")
    assert shown.code == 8
    assert "the text of m-left is in its box, and was not submitted" in shown.out
    assert f"torch attach {demo.name}  # submit it, or delete it" in shown.out

    demo.tmux.cmd("send-keys", "-t", demo.pane.id, "-l", " and its tests")
    demo.tmux.wait_for_text(demo.pane, "and its tests")
    assert status(demo.torch)[demo.name]["do"] == "nothing", "somebody goes on with it"
