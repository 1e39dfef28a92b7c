"""Kinds of messages, inboxes, broadcasts, and finding an agent."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from repository import Repository
from torch_cli.delivery.kinds import MESSAGE_KINDS, compose, fields_of, form, kind_named, read_form
from torch_cli.errors import RefusedError
from torch_cli.store import Store
from torch_cli.store.teams import MemberKind, Started


@pytest.fixture
def agents(tmux: TmuxServer, torch: Torch, tmp_path: Path) -> dict[str, DemoAgent]:
    found = {}
    for name, role in (("pm", "project-manager"), ("dev", "developer"), ("qa", "qa")):
        found[name] = spawn_demo(tmux, torch, tmp_path / name, name=name)
        with Store() as store:
            store.agents.describe(name, role=role, parent="" if name == "pm" else "pm")
    return found


# -- forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MESSAGE_KINDS)
def test_every_form_can_be_filled_in_and_read_back(kind: str) -> None:
    names = [field.name for field in MESSAGE_KINDS[kind]]
    lines = []
    for line in form(kind).splitlines():
        name = line.partition(":")[0]
        lines.append(f"{line}value of {name}\nand more" if name in names else line)
    fields = read_form(kind, "\n".join(lines))
    assert fields == {name: f"value of {name}\nand more" for name in names}
    composed = compose(kind, fields)
    assert all(f"value of {name}" in composed for name in names)


def test_an_empty_form_is_refused() -> None:
    with pytest.raises(RefusedError, match="needs problem, tried, need"):
        compose("escalation", read_form("escalation", form("escalation")))


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("status", {"doen": "x"}, "Did you mean 'done'?"),
        ("status", {"doing": "x"}, "needs done"),
        ("status", {"done": "  "}, "needs done"),
    ],
)
def test_fields_are_checked(kind: str, fields: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        compose(kind, fields)
    assert said in f"{refused.value.message} {refused.value.hint}"


def test_kinds_are_named_in_any_case() -> None:
    assert kind_named("STATUS") == "status"
    with pytest.raises(RefusedError) as refused:
        kind_named("statsu")
    assert refused.value.hint == "Did you mean 'status'?"
    with pytest.raises(RefusedError, match="not NAME=VALUE"):
        fields_of(["done"])
    with pytest.raises(RefusedError, match="belongs to no field"):
        read_form("status", "hello\ndone: x\n")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
def test_values_are_data(value: str) -> None:
    assert compose("question", {"question": value}) == f"question: {value.strip()}"
    assert compose("broadcast", {"text": value}) == value.strip()


# -- between agents --------------------------------------------------------------------------------


def test_a_status_is_sent_by_fields_or_as_a_form(
    agents: dict[str, DemoAgent], torch: Torch
) -> None:
    as_dev = {"TORCH_AGENT": "dev"}
    done = torch(
        *("send", "pm", "--kind", "STATUS", "--field", "done=the 'parser' {{ x }} #{pane_id}"),
        *("--field", "next=tests"),
        env=as_dev,
    )
    assert done.code == 0, done.err
    (text,) = agents["pm"].submitted()
    head, _, body = text.partition("\n")
    assert head.startswith("[from dev · status · m-")
    assert body == "done: the 'parser' {{ x }} #{pane_id}\nnext: tests"
    printed = torch("message", "new", "question").out
    filled = printed.replace("question: \n", "question: which port?\n")
    assert torch("send", "pm", "--kind", "question", "-", input=filled, env=as_dev).code == 0
    assert agents["pm"].submitted()[1].endswith("question: which port?")
    refused = torch("send", "pm", "--kind", "status", "--field", "doing=x", env=as_dev)
    assert (refused.code, "needs done" in refused.err) == (2, True)
    assert len(agents["pm"].submitted()) == 2
    short = torch("send", "pm", "all is well", "--kind", "status", env=as_dev)
    assert short.code == 0
    assert agents["pm"].submitted()[2].endswith("done: all is well")
    assert torch("send", "pm", "--field", "done=x").code == 2
    assert torch("send", "pm").code == 2


def test_an_inbox_shows_what_came_and_what_is_not_answered(
    agents: dict[str, DemoAgent], torch: Torch
) -> None:
    as_dev, as_pm = {"TORCH_AGENT": "dev"}, {"TORCH_AGENT": "pm"}
    words = ("send", "dev", "--kind", "question", "--field", "question=why?", "--json")
    asked = torch(*words, env=as_pm).json["id"]
    assert torch("send", "dev", "from a person").code == 0
    lines = [json.loads(line) for line in torch("inbox", "--json", env=as_dev).out.splitlines()]
    assert [(one["from"], one["kind"]) for one in lines] == [("pm", "question"), (None, "message")]
    assert asked in torch("inbox", "dev", "--open").out
    assert torch("reply", asked, "because", env=as_dev).code == 0
    assert asked not in torch("inbox", "dev", "--open").out
    reported = torch("send", "dev", "all is well", "--kind", "status", "--json", env=as_pm).json
    told = torch("send", "dev", "look at this", "--json", env=as_pm).json
    shown = torch("inbox", "dev", "--open").out
    assert told["id"] in shown
    assert reported["id"] not in shown, "a report asks for nothing"
    cut = torch("inbox", "dev", "-n", "2")
    assert (cut.out.count("\n"), "-n 4 shows more" in cut.err) == (3, True)
    assert torch("inbox").code == 2
    assert torch("inbox", "nobody").code == 3
    assert torch("stop", "dev").code == 0
    spawn_demo(agents["dev"].tmux, torch, agents["dev"].directory, name="dev")
    assert "no messages" in torch("inbox", "dev").err, "another agent of that name"


def test_a_broadcast_goes_to_all_others_or_to_a_role(
    agents: dict[str, DemoAgent], torch: Torch
) -> None:
    as_pm = {"TORCH_AGENT": "pm"}
    dry = torch("broadcast", "hello", "--dry-run", env=as_pm)
    assert dry.out.split() == ["dev", "qa"]
    done = torch("broadcast", "hello all", env=as_pm)
    assert done.code == 0, done.err
    for name in ("dev", "qa"):
        (text,) = agents[name].submitted()
        assert text.startswith("[from pm · broadcast · m-")
        assert text.endswith("hello all")
    assert agents["pm"].submitted() == []
    assert torch("broadcast", "for developers", "--role", "developer", "--everywhere").code == 0
    assert len(agents["dev"].submitted()) == 2
    assert len(agents["qa"].submitted()) == 1
    assert torch("broadcast", "x", "--role", "nobody").code == 3


def test_agents_are_found_by_skill_role_and_state(
    agents: dict[str, DemoAgent], torch: Torch
) -> None:
    with Store() as store:
        for name, skills in (("dev", ["Auth", "sql"]), ("qa", ["auth"])):
            agent = store.agents.get(name)
            assert agent is not None
            spec = {"skills": skills}
            store.teams.add(
                Started("/p/torch.toml", name, MemberKind.AGENT, spec, agent=agent.identity)
            )

    def names(*words: str) -> list[str]:
        done = torch("who", *words, "--json")
        return [json.loads(line)["name"] for line in done.out.splitlines()]

    assert names() == ["dev", "pm", "qa"]
    assert names("--skill", "auth") == ["dev", "qa"]
    assert names("--skill", "auth", "--skill", "SQL") == ["dev"]
    assert names("--role", "qa", "--state", "idle") == ["qa"]
    nobody = torch("who", "--skill", "cobol")
    assert (nobody.code, nobody.out) == (3, "")
    assert "no agent matches" in nobody.err


def test_a_commit_says_what_the_agent_last_said(
    tmux: TmuxServer, torch: Torch, tmp_path: Path
) -> None:
    repository = Repository.make(tmp_path / "project", {"a.py": "1\n"})
    spawn_demo(tmux, torch, repository.path, name="dev")
    spawn_demo(tmux, torch, tmp_path / "pm", name="pm")
    as_dev = {"TORCH_AGENT": "dev"}
    there = ("-C", str(repository.path))
    field = "done=the parser reads comments"
    repository.git("commit", "-q", "--amend", "--no-edit", "--date", "2020-01-01T00:00:00")
    assert torch("send", "pm", "--kind", "status", "--field", field, env=as_dev).code == 0
    repository.write("a.py", "2\n")
    with Store() as store:  # git's time of the commit is cut to the second of the message
        (message,) = store.messages.latest(limit=1)
    same_second = {"GIT_COMMITTER_DATE": f"@{int(message.created)} +0000"}
    assert torch("commit", *there, env=same_second).code == 0
    assert repository.git("log", "-1", "--format=%s") == "Progress: the parser reads comments"
    repository.write("a.py", "2.5\n")
    assert torch("commit", *there).code == 0
    assert repository.git("log", "-1", "--format=%s") == "Progress: change a.py", "it was said"
    repository.write("a.py", "3\n")
    env = {"GIT_COMMITTER_DATE": "2099-01-01T00:00:00"}
    assert torch("commit", "-m", "later", *there, env=env).code == 0
    repository.write("a.py", "4\n")
    assert torch("commit", *there).code == 0
    assert repository.git("log", "-1", "--format=%s") == "Progress: change a.py"
