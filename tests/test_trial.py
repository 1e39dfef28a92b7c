"""A day as a new user has it: eight agents, trouble while nobody looks, and nothing configured."""

import time
from datetime import datetime
from pathlib import Path

import scheduler
from agent import DemoAgent, spawn_demo, whole_lines
from conftest import PATIENCE, TmuxServer, Torch, wait_until
from test_answer import Terminal
from test_attention import status
from test_since import said, since
from torch_cli.schedule.logs import log_file

ASKERS = ("one", "two", "three")
TROUBLES = {
    **dict.fromkeys(ASKERS, ("waiting",)),
    "four": ("error",),
    "five": ("limited",),
    "six": ("dead", "exited"),
}
"""What befalls whom, as ``torch status`` may show it. Two others work, and end their turns."""

TOLD_WITHIN_SECONDS = 5.0
"""What a user is promised, on a machine that is not overloaded."""


def make_trouble(agents: dict[str, DemoAgent]) -> dict[str, float]:
    """Let everything go wrong; return when each trouble began (epoch seconds)."""
    began = {}
    for name in ASKERS:
        agents[name].open_dialog()
        began[name] = time.time()
    for name, message in (("four", "ERROR(529 overloaded)"), ("five", "LIMIT(3pm)")):
        assert agents[name].send(message).code == 0
        began[name] = time.time()
    agents["six"].kill()
    began["six"] = time.time()
    return began


def told() -> dict[str, list[float]]:
    """Return when the daemon told of which agents, by its log (epoch seconds)."""
    found: dict[str, list[float]] = {}
    for record in whole_lines(Path(log_file())):
        if record["event"] == "notice":
            at = datetime.fromisoformat(record["at"]).timestamp()
            for name in record["agents"].split(", "):
                found.setdefault(name, []).append(at)
    return found


def test_eight_agents_and_five_kinds_of_trouble(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    names = (*TROUBLES, "seven", "eight")
    agents = {name: spawn_demo(tmux, torch, tmp_path / name, name=name) for name in names}
    daemon = scheduler.start(torch, intervals="health=600")
    for name in ("seven", "eight"):
        assert agents[name].send("hello").code == 0
    began = make_trouble(agents)

    wait_until(
        lambda: told().keys() >= TROUBLES.keys(), what="all told", screen=lambda: f"{told()}"
    )
    now = status(torch)
    assert all(now[name]["state"] in shown for name, shown in TROUBLES.items()), now
    found = since(torch, "1h")
    assert {one["name"] for one in found["needs"]} >= TROUBLES.keys() - {"five"}, "it only waits"
    failed = " · ".join(said(found, "failed"))
    assert all(name in failed for name in ("four", "five", "six")), failed

    walk = Terminal(torch.argv("answer"))
    for _ in ASKERS:
        walk.wait_for("q quits: ")
        walk.type("yes\n")
        walk.wait_for("pressed")
    assert walk.finish() == 0, walk.shown
    assert all(agents[name].events("approved") for name in ASKERS)
    assert not [name for name, one in status(torch).items() if one["do"] == "answer"]

    daemon.stop()
    late = {name: [at - began[name] for at in ats] for name, ats in told().items()}
    assert sorted(late) == sorted(TROUBLES), "nothing else was told"
    assert all(len(each) == 1 for each in late.values()), late

    assert max(each[0] for each in late.values()) < TOLD_WITHIN_SECONDS + PATIENCE, late
