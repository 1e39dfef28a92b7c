"""``torch.toml``: what it may hold, what is wrong with it and where, and writing one."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Torch
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.store.agents import Agent
from torch_cli.teamfile.described import Team
from torch_cli.teamfile.detect import Project, detect
from torch_cli.teamfile.directories import is_branch
from torch_cli.teamfile.generate import frozen, template, write_file
from torch_cli.teamfile.load import find_file, load_team
from torch_cli.teamfile.schema import TABLES, json_schema

GOOD = '''\
[team]
name = "shop"
session = "shop-session"

[[agent]]
name = "dev"
role = "developer"
parent = "pm"
profile = "demo"
args = ["--delay", "0.1"]
model = "small"
skills = ["python", "sql"]
after = ["server"]
env = { KEY = """
two
lines""" }

[[agent]]
name = "pm"
role = "project-manager"
profile = "demo"
dir = "docs"
briefing = ""

[[process]]
name = "server"
command = ["python3", "-m", "http.server", "8123"]
port = 8123
timeout = "90s"
'''


def load(root: Path, text: str) -> Team:
    (root / "docs").mkdir(exist_ok=True)
    (root / "torch.toml").write_text(text)
    return load_team(str(root / "torch.toml"))


def mistakes(root: Path, text: str) -> list[tuple[int, str]]:
    with pytest.raises(RefusedError) as refused:
        load(root, text)
    assert refused.value.code == "bad-team"
    return [(one["line"], one["message"]) for one in refused.value.details["mistakes"]]


def test_a_team_is_read_in_the_order_in_which_it_is_started(tmp_path: Path) -> None:
    team = load(tmp_path, GOOD)
    assert (team.name, team.session) == ("shop", "shop-session")
    assert [one.name for one in team.members] == ["server", "pm", "dev"]
    server, pm, dev = team.members
    assert (server.kind, server.port, server.timeout) == ("process", 8123, 90.0)
    assert (pm.directory, pm.briefing) == (str(tmp_path / "docs"), "")
    assert (dev.briefing, dev.after) == ("developer", ("server", "pm"))
    assert dev.arguments == ("--model", "small", "--delay", "0.1")
    assert dev.environment == {"KEY": "two\nlines"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[team]\nsession = 'a:b'",
            (2, "'session' cannot be 'a:b': tmux would change it to 'a_b'"),
        ),
        ("[[agent]]\nname = 'a'\nworktree = 'x..y'", (3, "'x..y' is not a valid branch name")),
        (
            "[[agent]]\nname = 'a'\nrole = 'develper'",
            (
                3,
                "no briefing for the role 'develper'; did you mean 'developer'? "
                "(if it needs none: briefing = '')",
            ),
        ),
        (
            "[agreement]\nmay_message = { develper = ['*'] }",
            (
                2,
                "'may_message' names 'develper', which is not a role here; "
                "did you mean 'developer'?",
            ),
        ),
        (
            "[agreement]\n\n[agreement.may_message]\ndevelper = ['*']",
            (
                3,
                "'may_message' names 'develper', which is not a role here; "
                "did you mean 'developer'?",
            ),
        ),
        (
            "[agreement]\nmay_message = { developer = ['parnt'] }",
            (2, "'may_message' names 'parnt', which is not a role here; did you mean 'parent'?"),
        ),
        (
            "[team]\nspawners = ['orchestator']",
            (
                2,
                "'spawners' names 'orchestator', which is not a role here; did you mean "
                "'orchestrator'?",
            ),
        ),
        (
            "[tasks]\nroles = ['qa', 'researchers']",
            (
                2,
                "'roles' names 'researchers', which is not a role here; did you mean 'researcher'?",
            ),
        ),
    ],
)
def test_a_name_that_would_mean_nobody_is_noticed(
    tmp_path: Path, text: str, said: tuple[int, str]
) -> None:
    assert mistakes(tmp_path, text) == [said]


def test_what_is_like_no_name_may_come_later(tmp_path: Path) -> None:
    team = load(
        tmp_path,
        "[team]\nname = 'my.shop: x'\nspawners = ['boss']\n"
        "[agreement]\nmay_message = { boss = ['*'], chief = ['zoe', 'zoe-2'] }\n"
        + "".join(
            f"[[agent]]\nname = 'x{number}'\nrole = '{role}'\n"
            for number, role in enumerate(
                ("dev", "manager", "engineer", "ops", "frontend-developer", "tech-writer")
            )
        )
        + "[[agent]]\nname = 'a'\nrole = 'develper'\nbriefing = ''\n"
        "[[agent]]\nname = 'zoe'\nrole = 'translator'\nworktree = 'feature/übung-1.x'\n",
    )
    assert team.session == "my_shop_ x"


def test_branches_are_as_git_says(tmp_path: Path) -> None:
    good_and_bad = (
        "a a/b -a a.lock a.lock/b .a a/.b a. a/ /a @ @a a@{b a..b a~b a^ a:b a? a* a[ é a]"
    )
    for name in (*good_and_bad.split(), "a\\b", "a//b", "a b", "a\x7f", "a\tb"):
        asked = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True)
        assert is_branch(name) == (asked.returncode == 0), name


def test_an_empty_file_is_a_team_of_nobody(tmp_path: Path) -> None:
    team = load(tmp_path, "")
    assert (team.name, team.session, team.members) == (tmp_path.name, tmp_path.name, ())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            '[[agent]]\nname = "a"\nprofle = "demo"\n',
            3,
            "'profle' in agent; did you mean 'profile'",
        ),
        ('[[agent]]\nname = "a"\nprofile = "cluade"\n', 3, "did you mean 'claude'"),
        ('[[agent]]\nrole = "x"\n', 1, "agent needs 'name'"),
        ('[[agent]]\nname = "a b"\n', 2, "not a valid agent name"),
        ('[[agent]]\nname = "a"\n\n[[agent]]\nname = "a"\n', 4, "'a' is taken in line 1"),
        ('[[agent]]\nname = "a"\nparent = "b"\n', 1, "no agent named 'b' to be the parent"),
        ('[[agent]]\nname = "a"\nafter = ["x"]\n', 1, "'after' names no member: 'x'"),
        ('[[agent]]\nname = "a"\ndir = "nowhere"\n', 3, "no directory"),
        ('[[agent]]\nname = "a"\ndir = "docs"\nworktree = "x"\n', 3, "dir or worktree, not both"),
        ('[[agent]]\nname = "a"\nbriefing = "develper"\n', 3, "did you mean 'developer'"),
        ('[[agent]]\nname = "a"\nbriefing = "docs/x.md"\n', 3, "no briefing docs/x.md"),
        ('[[agent]]\nname = "a"\nenv_files = [".env"]\n', 3, "no file"),
        ('[[agent]]\nname = "a"\nenv = { A = 1 }\n', 3, "'env' must be a text"),
        ('[[agent]]\nname = "a"\nautostart = "yes"\n', 3, "must be true or false"),
        ('[[agent]]\nname = "a"\nrestart = "maybe"\n', 3, "one of never, on-failure, always"),
        ('[[process]]\nname = "s"\n', 1, "process needs 'command'"),
        ('[[process]]\nname = "s"\ncommand = "npm run dev"\n', 3, "must be a list"),
        ('[[process]]\nname = "s"\ncommand = ["x"]\nport = 0\n', 4, "must be a port"),
        ('[[process]]\nname = "s"\ncommand = ["x"]\ntimeout = "9"\n', 4, "must be a duration"),
        ('[agent]\nname = "a"\n', 1, "write [[agent]]"),
        ('[[agnet]]\nname = "a"\n', 1, "'agnet'; did you mean 'agent'"),
        ('[team]\nname = ""\n', 2, "must not be empty"),
        ("title = 1\n", 1, "unknown table or key 'title'"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found[0] == line
    assert said in found[1]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = '[[agent]]\nname = "a"\nx = 1\ny = 2\n\n[[process]]\nname = "p"\n'
    assert [line for line, _ in mistakes(tmp_path, text)] == [3, 4, 6]


@pytest.mark.parametrize(
    "value",
    [
        '"""\n[[agent]]\nname = "no"\n"""',
        "'''\n[[agent]]\nname = 1\\\n'''",
        '"""\\"""\n[[agent]]\n"""" # """',
        '"#" # """',
        "'\\' # '''",
        '"""\u2028[[agent]]\u2028"""',
    ],
)
def test_what_stands_in_a_text_is_not_counted_as_a_table(tmp_path: Path, value: str) -> None:
    text = f'[[agent]]\nname = "a"\nrole = {value}\n\n[[agent]]\nname = "b"\nx = 1\n'
    ((line, said),) = mistakes(tmp_path, text)
    assert (line, "'x'" in said) == (text.count("\n"), True)


def test_those_that_wait_for_each_other_are_named(tmp_path: Path) -> None:
    agents = "".join(
        f'[[agent]]\nname = "{name}"\nprofile = "demo"\nafter = ["{after}"]\n'
        for name, after in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    (found,) = mistakes(tmp_path, agents)
    assert found[1] == "these wait for each other: a → b → c → a"


def agents_after(edges: Mapping[str, Sequence[str]]) -> str:
    return "".join(
        f'[[agent]]\nname = "{name}"\nprofile = "demo"\nafter = {json.dumps(list(after))}\n'
        for name, after in edges.items()
    )


def test_each_circle_is_named_from_its_first_member(tmp_path: Path) -> None:
    edges = {"z": ["a"], "b": ["b"], "c": ["d"], "d": ["c"], "a": []}
    found = [said for _, said in mistakes(tmp_path, agents_after(edges))]
    assert found == [f"these wait for each other: {one}" for one in ("b → b", "c → d → c")]


def test_members_that_wait_for_all_before_them_take_no_time(tmp_path: Path) -> None:
    names = [f"m{n}" for n in range(300)]
    (tmp_path / "torch.toml").write_text(
        agents_after({name: names[:n] for n, name in enumerate(names) if n < 120})
    )
    assert [one.name for one in load_team(str(tmp_path / "torch.toml")).members] == names[:120]
    chain = {name: names[n + 1 : n + 2] for n, name in enumerate(names)}
    (tmp_path / "torch.toml").write_text(agents_after(chain))
    assert [one.name for one in load_team(str(tmp_path / "torch.toml")).members] == names[::-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = " + "[" * 20_000, "nested too deeply"),
        ("x = " + "{a=" * 20_000, "nested too deeply"),
        ("x = " + "9" * 5_000, "digits"),
        ("# " + "x" * 300_000, "Larger than"),
        ('[[agent]]\nname = "a"\n' * 600, "600 members; at most 500 are possible"),
    ],
)
def test_a_file_that_would_take_too_much_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "torch.toml").write_text(text)
    with pytest.raises(RefusedError, match=said):
        load_team(str(tmp_path / "torch.toml"))


def test_a_pipe_is_no_team_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "torch.toml")
    with pytest.raises(RefusedError, match="Not a regular file"):
        load_team(str(tmp_path / "torch.toml"))


def test_no_toml_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "torch.toml").write_text("[[agent]\n")
    with pytest.raises(RefusedError, match="line 1"):
        load_team(str(tmp_path / "torch.toml"))
    (tmp_path / "deep/er").mkdir(parents=True)
    assert find_file(str(tmp_path / "deep/er")) == str(tmp_path / "torch.toml")
    (tmp_path / "torch.toml").unlink()
    with pytest.raises(NotFoundError, match=r"no torch\.toml"):
        find_file(str(tmp_path / "deep"))


def test_the_schema_has_every_key(torch: Torch) -> None:
    printed = json.loads(torch("config", "schema").out)
    assert printed == json_schema()
    for name, keys in TABLES.items():
        table = printed["properties"][name]
        table = table.get("oneOf", [table])[0]
        table = table.get("items", table)
        assert set(table["properties"]) == set(keys)
        assert all(one["description"] for one in table["properties"].values())
        assert table["additionalProperties"] is False


def test_the_check_says_what_is_wrong_for_people_and_programs(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "torch.toml").write_text('[[agent]]\nname = "a"\nprofle = "demo"\n')
    there = ("--dir", str(tmp_path))
    done = torch("config", "check", *there)
    assert done.code == 2
    assert f"{tmp_path}/torch.toml:3: unknown key 'profle'" in done.err
    said = torch("config", "check", *there, "--json").json["error"]
    assert said["details"]["mistakes"][0]["line"] == 3
    (tmp_path / "torch.toml").write_text('[[agent]]\nname = "a"\n')
    assert "1 members" in torch("config", "check", *there).out


# -- writing one -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"package.json": '{"scripts": {"dev": "vite"}}', "pnpm-lock.yaml": ""},
            Project("JavaScript, pnpm", ("pnpm", "run", "dev"), 5173),
        ),
        (
            {"package.json": '{"scripts": {"start": "node x --port 4000"}}'},
            Project("JavaScript, npm", ("npm", "run", "start"), 4000),
        ),
        ({"package.json": "{}", "yarn.lock": ""}, Project("JavaScript, yarn")),
        ({"package.json": "no json", "go.mod": ""}, Project("Go")),
        ({"manage.py": ""}, Project("Django", ("python3", "manage.py", "runserver"), 8000)),
        ({"pyproject.toml": "", "uv.lock": ""}, Project("Python, uv")),
        ({"pyproject.toml": "[tool.poetry]\n"}, Project("Python, poetry")),
        ({"Cargo.toml": ""}, Project("Rust, cargo")),
        ({"Gemfile": "", "bin/rails": ""}, Project("Rails", ("bin/rails", "server"), 3000)),
        ({}, Project("a project")),
    ],
)
def test_a_project_is_recognised_and_gets_a_file_that_is_good(
    tmp_path: Path, files: dict[str, str], expected: Project
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert detect(tmp_path) == expected
    text, _ = template(tmp_path, {"dev"})
    assert f'name = "{tmp_path.name}-dev"' in text
    assert 'parent = "pm"' in text
    text, _ = template(tmp_path)
    team = load(tmp_path, text)
    assert [one.name for one in team.members if one.kind == "agent"] == ["pm", "dev"]
    servers = [one for one in team.members if one.kind == "process"]
    assert [one.command for one in servers] == ([expected.server] if expected.server else [])
    # What is commented out is good as well.
    meant = re.compile(r"# (\[|\w+ = )")
    lines = [one.removeprefix("# ") if meant.match(one) else one for one in text.splitlines()]
    (tmp_path / ".env").touch()
    whole = load(tmp_path, "\n".join(lines))
    assert (whole.pools[0].names[3], whole.route) == ("developer-4", True)
    assert (whole.agreement.enforce, whole.agreement.ack_within) == (True, 600.0)


def test_init_writes_once(torch: Torch, tmp_path: Path) -> None:
    project = tmp_path / 'a "name" 🔥'
    project.mkdir()
    done = torch("init", str(project))
    assert (done.code, done.out.startswith("written")) == (0, True), done.err
    assert load_team(str(project / "torch.toml")).name == 'a "name" 🔥'
    again = torch("init", str(project))
    assert (again.code, "was not changed" in again.err) == (2, True)
    assert torch("init", str(tmp_path / "no")).code == 3


def test_init_in_a_directory_whose_name_is_not_utf_8(torch: Torch, tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"odd-\xff-name")
    project.mkdir()
    done = torch("init", str(project))
    assert done.code == 0, done.err
    assert load_team(str(project / "torch.toml")).name == "odd-\ufffd-name"


def agent(name: str, **more: str) -> Agent:
    facts = {"profile": "demo", "origin": "spawned", "socket": "", "server": "", "pane": "%1"}
    facts |= {"session": "s", "window": name, "directory": "/p", "program_started": "", **more}
    return Agent(name=name, pane_pid=1, program_pid=1, **facts)  # type: ignore[arg-type]


def test_what_runs_is_frozen_parents_first(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    agents = [
        agent("dev", parent="pm", role="developer", directory=str(tmp_path / "src")),
        agent("pm", parent="boss", directory=str(tmp_path)),
    ]
    team = load(tmp_path, frozen(tmp_path, agents))
    assert [(one.name, one.parent) for one in team.members] == [("pm", ""), ("dev", "pm")]
    assert team.session == "s"
    assert team.members[1].directory == str(tmp_path / "src")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda t: "\0" not in t)
)
def test_any_text_is_written_as_toml(text: str) -> None:
    document = tomllib.loads(frozen(Path("/p"), [agent("a", role=text, directory="/p")]))
    assert document["agent"][0]["role"] == text


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        write_file(tmp_path / "nowhere", "")
