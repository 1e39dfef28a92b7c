"""The working agreement: each rule, its breach with evidence, and what is none."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Torch
from repository import Repository
from test_task import PERSON, mine
from test_task import agent as registered
from test_task import new as new_task
from torch_cli.errors import TorchError
from torch_cli.roster.actor import Actor
from torch_cli.store import Store
from torch_cli.store.messages import new_id, new_message
from torch_cli.store.teams import MemberKind, Started
from torch_cli.tasks import life as tasks
from torch_cli.teamfile.described import Team
from torch_cli.teamfile.load import load_team
from torch_cli.teams.agreement import Breach, check

NAMES = ("boss", "pm", "dev", "qa")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        registered(opened, "boss", role="orchestrator")
        registered(opened, "pm", role="project-manager", parent="boss")
        registered(opened, "dev", role="developer", parent="pm")
        registered(opened, "qa", role="qa", parent="pm")
        yield opened


def team(tmp_path: Path, rules: str) -> Team:
    agents = "".join(f'[[agent]]\nname = "{name}"\nprofile = "demo"\n' for name in NAMES)
    (tmp_path / "torch.toml").write_text(f"[agreement]\n{rules}\n{agents}")
    return load_team(str(tmp_path / "torch.toml"))


def said(
    store: Store,
    sender: str,
    to: str,
    kind: str = "message",
    reply_to: str = "",
    body: str = "x",
    *,
    free: bool = False,
) -> str:
    """Write a message down as one that was sent."""
    author, agent = store.agents.get(sender), store.agents.get(to)
    message, _ = store.messages.accept(
        new_message(
            new_id(),
            key=None,
            sender=sender,
            recipient=to,
            kind=kind,
            body=body,
            typed=body,
            server="s",
            pane="%1",
            pane_pid=1,
            evidence=(),
            reply_to=reply_to,
            free=free,
            author=author.identity if author else "",
            agent=agent.identity if agent else "",
        )
    )
    return message.id


def breaches(store: Store, tmp_path: Path, rules: str, later: float = 0.0) -> list[Breach]:
    return check(store, team(tmp_path, rules), time.time() + later)


def test_without_rules_everything_holds(store: Store, tmp_path: Path) -> None:
    said(store, "dev", "boss")
    assert breaches(store, tmp_path, "") == []


def test_who_may_write_to_whom(store: Store, tmp_path: Path) -> None:
    rules = 'may_message = { developer = ["parent", "qa"], qa = [], boss = ["*"] }'
    said(store, "dev", "pm")
    said(store, "dev", "qa")
    said(store, "pm", "dev")
    said(store, "boss", "dev")
    assert breaches(store, tmp_path, rules) == []
    wrong = said(store, "dev", "boss")
    (one,) = breaches(store, tmp_path, rules)
    assert (one.rule, one.agent, one.evidence) == ("may_message", "dev", {"message": wrong})
    assert one.words == "wrote to boss, but may write only to parent, qa"
    asked = said(store, "boss", "qa")
    said(store, "qa", "boss", reply_to=asked)
    assert len(breaches(store, tmp_path, rules)) == 1, "an answer is always allowed"
    said(store, "qa", "pm", reply_to=asked)
    assert len(breaches(store, tmp_path, rules)) == 2, "it is no answer to what another has asked"
    store.database.write("DELETE FROM messages WHERE recipient = 'pm' AND sender = 'qa'")
    said(store, "qa", "dev", kind="broadcast")
    assert len(breaches(store, tmp_path, rules)) == 2
    said(store, "qa", "qa", kind="check-in")
    said(store, "qa", "dev", free=True)
    assert len(breaches(store, tmp_path, rules)) == 2, "to itself, and what Torch writes"
    assert breaches(store, tmp_path, rules, later=2 * 86_400) == [], "of the last day"


def test_the_rules_go_with_the_hierarchy(store: Store, tmp_path: Path) -> None:
    rules = 'may_message = { developer = ["parent"], project-manager = ["qa"] }'
    registered(store, "kid", parent="dev")
    dev = store.agents.get("dev")
    assert dev is not None
    path = str(tmp_path / "torch.toml")
    store.teams.add(Started(path, "dev", MemberKind.AGENT, {"environment": ""}, agent=dev.identity))
    said(store, "kid", "dev")
    assert breaches(store, tmp_path, rules) == [], "without a role it is bound as its parent is"
    said(store, "kid", "qa")
    (one,) = breaches(store, tmp_path, rules)
    assert (one.agent, one.words) == ("kid", "wrote to qa, but may write only to parent")
    store.agents.stopped("pm")
    said(store, "dev", "boss")
    assert len(breaches(store, tmp_path, rules)) == 1, "who is above a parent that was stopped"


def test_what_was_let_pass_stays_so(store: Store, tmp_path: Path) -> None:
    rules = 'may_message = { developer = ["parent"] }'
    identity = said(store, "dev", "boss")
    assert len(breaches(store, tmp_path, rules)) == 1
    store.database.write("UPDATE messages SET permitted = 1 WHERE id = ?", identity)
    assert breaches(store, tmp_path, rules) == []


def test_what_an_earlier_agent_of_the_name_has_said_is_not_the_next_ones(
    store: Store, tmp_path: Path
) -> None:
    rules = "one_topic = true\nblocked_at_most = '1s'"
    said(store, "dev", "pm", body="t-00000001 and t-00000002")
    dev = store.agents.get("dev")
    assert dev is not None
    tasks.block(store, mine(store, dev, new_task(store)), Actor(dev), "no key")
    assert len(breaches(store, tmp_path, rules, later=9)) == 2
    store.agents.stopped("dev")
    registered(store, "dev", role="developer", parent="pm")
    assert breaches(store, tmp_path, rules, later=9) == []


def test_a_briefing_is_acknowledged_in_time(store: Store, tmp_path: Path) -> None:
    dev = store.agents.get("dev")
    assert dev is not None
    store.briefings.add("m-1", dev.identity, "developer")
    rules = 'ack_within = "10m"'
    assert breaches(store, tmp_path, rules, later=599) == []
    (one,) = breaches(store, tmp_path, rules, later=660)
    assert (one.agent, one.evidence) == ("dev", {"message": "m-1"})
    assert "for 11 min" in one.words
    store.briefings.acknowledge(dev.identity, "")
    assert breaches(store, tmp_path, rules, later=660) == []


def test_who_is_blocked_says_so(store: Store, tmp_path: Path) -> None:
    dev = store.agents.get("dev")
    assert dev is not None
    task = tasks.block(store, mine(store, dev, new_task(store)), Actor(dev), "no key")
    rules = 'blocked_at_most = "10m"'
    assert breaches(store, tmp_path, rules, later=500) == []
    (one,) = breaches(store, tmp_path, rules, later=700)
    assert (one.agent, one.evidence) == ("dev", {"task": task.id})
    assert "no key" in one.words
    said(store, "dev", "pm", kind="escalation")
    assert breaches(store, tmp_path, rules, later=700) == []


def test_an_exchange_that_goes_on_is_escalated(store: Store, tmp_path: Path) -> None:
    rules = "exchanges_at_most = 3"
    last = said(store, "dev", "qa")
    for sender, to in (("qa", "dev"), ("dev", "qa"), ("qa", "dev")):
        last = said(store, sender, to, reply_to=last)
    assert breaches(store, tmp_path, rules) == []
    last = said(store, "dev", "qa", reply_to=last)
    (one,) = breaches(store, tmp_path, rules)
    assert one.words == "and qa have answered each other 4 times"
    assert len(one.evidence["messages"]) == 5
    said(store, "dev", "pm", kind="escalation", reply_to=last)
    assert breaches(store, tmp_path, rules) == []


def test_work_is_committed_in_time(store: Store, tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "project", {"a": "1\n", ".gitignore": "*.log\n"})
    registered(store, "own", directory=str(repository.path))
    path = tmp_path / "torch.toml"
    path.write_text('[agreement]\nuncommitted_at_most = "2h"\n[[agent]]\nname = "own"\n')
    now = time.time()
    old = repository.write("old file", "x\n")
    os.utime(old, (now - 9999, now - 9999))
    os.utime(repository.write("x.log", "ignored\n"), (now - 99999, now - 99999))
    repository.write("a", "2\n")
    assert check(store, load_team(str(path)), now) == [], "it was there before the agent"
    (one,) = check(store, load_team(str(path)), now + 7275)
    assert one.evidence == {"dir": str(repository.path), "path": "old file"}
    assert one.words == "has not committed old file for 2 h 1 min"
    repository.commit("all")
    assert check(store, load_team(str(path)), now) == []


def test_a_third_try_asks_first(store: Store, tmp_path: Path) -> None:
    dev = store.agents.get("dev")
    assert dev is not None
    task = new_task(store)
    rules = "research_after = 3"
    for turn in range(3):
        assert breaches(store, tmp_path, rules) == []
        task = mine(store, dev, task)
        if turn < 2:
            task = tasks.release(store, task, PERSON, "")
    (one,) = breaches(store, tmp_path, rules)
    assert one.words == f"tries {task.id} for the 3rd time, and has asked nobody"
    said(store, "dev", "pm", kind="question")
    assert breaches(store, tmp_path, rules) == []


def test_a_check_that_fails_is_a_try(store: Store, tmp_path: Path) -> None:
    dev = store.agents.get("dev")
    assert dev is not None
    task = mine(store, dev, new_task(store, check=("false",)))
    for _ in range(2):
        assert breaches(store, tmp_path, "research_after = 3") == []
        with pytest.raises(TorchError, match="exited with 1"):
            tasks.done(store, task, Actor(dev), "")
    (one,) = breaches(store, tmp_path, "research_after = 3")
    assert one.words == f"tries {task.id} for the 3rd time, and has asked nobody"
    assert "the check of task" in store.tasks.history(task.id)[-1].words


def test_a_message_is_about_one_task(store: Store, tmp_path: Path) -> None:
    said(store, "dev", "pm", body="t-11111111 is done; see t-11111111.")
    assert breaches(store, tmp_path, "one_topic = true") == []
    both = said(store, "dev", "pm", body="t-11111111 is done, (t-22222222) is not; t-shirt.")
    (one,) = breaches(store, tmp_path, "one_topic = true")
    assert (one.evidence, one.words) == (
        {"message": both},
        "wrote one message about t-11111111 and t-22222222",
    )


def test_the_command(store: Store, tmp_path: Path, torch: Torch) -> None:
    team(tmp_path, 'may_message = { developer = ["parent"] }')
    there = ("--dir", str(tmp_path))
    good = torch("agreement", "check", *there)
    assert (good.code, "no breach of the agreement" in good.err) == (0, True)
    wrong = said(store, "dev", "boss")
    done = torch("agreement", "check", *there)
    assert (done.code, done.out.startswith("may_message  dev  wrote to boss")) == (1, True)
    assert f"message {wrong}" in done.err
    printed = json.loads(torch("agreement", "check", *there, "--json").out)
    assert printed["evidence"] == {"message": wrong}
