"""Without a daemon a person is told at a command, once, that an agent needs them."""

import sys

import pytest

import scheduler
from agent import DemoAgent
from test_since import in_a_terminal
from torch_cli.attention import untold as untold_module
from torch_cli.store import Store

MISSING = "You hear of it only here: no daemon is running ('torch daemon start')."


def typed(store: Store, *words: str) -> str:
    """Return what a person sees of a command that they type after a while without any."""
    store.database.write("DELETE FROM looks", durable=False)
    return in_a_terminal([sys.executable, "-m", "torch_cli", *words])


def test_the_next_command_says_once_who_needs_a_person(
    demo: DemoAgent, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MISSING not in typed(store, "outbox", "list"), "nobody waits"
    demo.open_dialog()
    assert MISSING not in typed(store, "outbox", "list", "--quiet")
    assert demo.torch("outbox", "list").err.count("told") == 0, "a script"
    *told, last, rest = typed(store, "outbox", "list").splitlines()
    name = demo.name
    said = f"torch: {name} (agents:{name}) waits for your answer (torch answer {name}): "
    asks = "Do you want to proceed? · Run command · touch approved"
    assert " ".join(map(str.strip, told)) == f"{said}{asks}", "in as many rows as it takes"
    assert last.strip() == MISSING
    assert [rest] == in_a_terminal(
        [sys.executable, "-m", "torch_cli", "outbox", "list"]
    ).splitlines()
    assert MISSING not in typed(store, "outbox", "list"), "it was said"
    (event,) = store.events.read(verbs=["tell"])
    assert (event.target, event.detail["state"]) == (demo.name, "waiting")
    kinds = demo.torch("events", "--kind", "notice").out
    assert f"{demo.name}" in kinds
    assert "told  state waiting" in kinds
    monkeypatch.setattr(untold_module, "SAID_AGAIN_SECONDS", 0.0)
    assert untold_module.untold(store), "it still waits after an hour"


def test_who_shows_or_tells_it_is_not_preceded(demo: DemoAgent, store: Store) -> None:
    demo.open_dialog()
    assert "(agents:" not in typed(store, "status")
    assert "(agents:" not in typed(store, "-L", "t", "-q", "status"), "behind options"
    assert demo.torch("mute", demo.name, "1h").code == 0
    assert MISSING not in typed(store, "outbox", "list"), "muted"
    assert demo.torch("mute", demo.name, "--off").code == 0
    scheduler.start(demo.torch)
    assert MISSING not in typed(store, "outbox", "list"), "the daemon tells it"
    assert store.events.read(verbs=["tell"]) == []
