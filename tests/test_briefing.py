"""Briefings: where they come from, what is filled in, and that an agent acknowledges them."""

import os
import sys
from pathlib import Path

import pytest

from agent import DemoAgent, spawn_demo
from conftest import TmuxServer, Torch
from torch_cli import paths
from torch_cli.errors import NotFoundError, RefusedError
from torch_cli.teamfile import briefing
from torch_cli.teamfile.briefing import Colleague, Facts, learnings, names, project_of, read, render
from torch_cli.teamfile.load import load_team

ROLES = (
    *("developer", "devops", "orchestrator", "project-manager"),
    *("qa", "researcher", "reviewer", "writer"),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project/src").mkdir(parents=True)
    (tmp_path / "project/torch.toml").touch()
    return tmp_path / "project"


def own(name: str, text: str) -> None:
    path = Path(paths.config_dir()) / "briefings" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def of_project(project: Path, name: str, text: str) -> None:
    (project / "briefings").mkdir(exist_ok=True)
    (project / "briefings" / f"{name}.md").write_text(text)


def facts(project: Path, **more: object) -> Facts:
    return Facts("dev", directory=str(project))._replace(**more)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_says_what_it_owns_does_escalates_and_hands_off(
    role: str, project: Path
) -> None:
    text = render(role, facts(project, role=role, parent="pm", team="shop"))
    for wanted in ("What is yours", "You escalate", "You hand off", "torch send", "torch ack"):
        assert wanted in text
    assert "you are `dev` of team shop" in text
    assert "You answer to `pm`" in text
    assert "{{" not in text
    assert "{%" not in text
    assert len(text) < 5000
    assert "\n\n\n" not in text


def test_the_roles_that_come_with_torch_are_these() -> None:
    assert names() == dict.fromkeys(ROLES, "built in")


def test_the_project_goes_before_ones_own_and_that_before_torch(project: Path) -> None:
    own("developer", "mine\n")
    own("poet", "verse\n")
    assert read("developer", facts(project)) == "mine\n"
    of_project(project, "developer", "the project's, for {{ agent }} in {{ project }}\n")
    assert read("developer", facts(project / "src")) == "the project's, for dev in project\n"
    assert names(project)["developer"] == "project"
    assert names(project)["poet"] == "yours"
    of_project(project, "_common", "our common part\n")
    assert "our common part" in read("qa", facts(project))


@pytest.mark.parametrize(
    "value", ["{{ 7 * 7 }}", "{% include 'qa.md' %}", "#{pane_id}", 'it\'s "quoted" & <b>']
)
def test_what_is_filled_in_is_data(project: Path, value: str) -> None:
    of_project(project, "x", "{{ agent }}|{{ learnings[0] }}|{{ agents[0].role }}")
    (project / "LEARNINGS.md").write_text(f"- {value}\n")
    text = read("x", facts(project, agent=value, agents=(Colleague("a", value),)))
    assert text == f"{value}|- {value}|{value}\n"


def test_a_file_and_standard_input_are_no_templates(project: Path) -> None:
    path = project / "brief.md"
    path.write_text("{{ nothing }} {% x\n")
    assert read(str(path), facts(project)) == "{{ nothing }} {% x\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("one\n{% if %}", "line 2"),
        ("{% include 'no' %}", "no"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ range(10**9) | list }}", "Range too big"),
        ("{{ 'x' * 10**10 }}", "memory"),
        ("{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", "more than"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_refused(project: Path, text: str, said: str) -> None:
    of_project(project, "bad", text)
    with pytest.raises(RefusedError, match="cannot be rendered") as refused:
        read("bad", facts(project))
    assert said in refused.value.message
    assert "learnings" in refused.value.hint


def test_a_template_that_does_not_end_is_ended(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = "{% for n in range(99999) %}"
    of_project(project, "bad", f"{loop * 4}{'{% endfor %}' * 4}")
    monkeypatch.setattr(briefing, "TEMPLATE_SECONDS", 1.0)
    with pytest.raises(RefusedError, match="did not end in 1 s"):
        read("bad", facts(project))


def test_no_pipe_is_waited_for(project: Path) -> None:
    of_project(project, "bad", "{% include '_part.md' %}")
    os.mkfifo(project / "briefings/_part.md")
    with pytest.raises(RefusedError, match="Not a regular file"):
        read("bad", facts(project))
    os.mkfifo(project / "LEARNINGS.md")
    assert learnings(project) == []
    os.mkfifo(project / "briefings/pipe.md")
    with pytest.raises(NotFoundError):
        read("pipe", facts(project))


@pytest.mark.parametrize("name", ["../developer", "_common", ".hidden", "no"])
def test_no_such_briefing(project: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        briefing.find(name, project)


def test_a_link_out_of_the_project_is_not_followed(project: Path, tmp_path: Path) -> None:
    """An agent can make one, and would be given what it cannot read itself."""
    secret = tmp_path / "secret.md"
    secret.write_text("- the key\n")
    of_project(project, "developer", "of the project\n")
    of_project(project, "_part", "x\n")
    (project / "briefings/spy.md").symlink_to(secret)
    (project / "briefings/part.md").write_text('{% include "_out.md" %}')
    (project / "briefings/_out.md").symlink_to(secret)
    (project / "briefings/within.md").symlink_to("developer.md")
    (project / "LEARNINGS.md").symlink_to(secret)
    with pytest.raises(RefusedError, match="leads out of"):
        render("spy", facts(project))
    with pytest.raises(RefusedError, match="leads out of"):
        render("part", facts(project))
    assert "spy" not in names(project)
    assert learnings(project) == []
    assert render("within", facts(project)) == "of the project\n"


@pytest.mark.parametrize("name", ["../secret.md", "briefings/../../secret.md", "briefings/spy.md"])
def test_a_members_briefing_is_a_file_of_the_project(
    project: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret.md").write_text("the key\n")
    (project / "briefings").mkdir()
    (project / "briefings/spy.md").symlink_to(tmp_path / "secret.md")
    for given in (name, str((project / name).absolute())):
        with pytest.raises(RefusedError, match="leads out of"):
            briefing.read_member(given, facts(project))
        file = project / "torch.toml"
        file.write_text(f'[[agent]]\nname = "dev"\nprofile = "demo"\nbriefing = "{given}"\n')
        with pytest.raises(RefusedError, match=r"4: .* leads out of the project"):
            load_team(str(file))
    (project / "briefings/mine.md").write_text("mine\n")
    assert briefing.read_member("briefings/mine.md", facts(project)) == "mine\n"


def test_the_newest_learnings_are_given(project: Path) -> None:
    (project / "LEARNINGS.md").write_text(
        "# Learnings\n\n- no date\n- **2026-01-02 · Old.** One.\n"
        "- **2026-03-01 · Newer.** Two\n  lines.\n\n## More\n"
        "- **2026-02-01 · Middle.** \x1b[31mred\x1b[0m\n- **2026-03-01 · Newest.** Last.\n"
        + "- 2025-01-01 "
        + "x" * 900
        + "\n"
    )
    found = learnings(project)
    assert [entry.split("·")[-1].strip() for entry in found][:3] == [
        "Newest.** Last.",
        "Newer.** Two\n  lines.",
        "Middle.** [31mred[0m",
    ]
    assert len(found) == 5
    assert len(found[4]) == 400
    assert found[4].endswith("…")
    assert learnings(project / "src") == []


def test_the_project_is_where_its_file_is(project: Path, tmp_path: Path) -> None:
    assert project_of(str(project / "src")) == project
    (tmp_path / "bare").mkdir()
    assert project_of(str(tmp_path / "bare")) == tmp_path / "bare"


# -- the commands ----------------------------------------------------------------------------------


def test_an_agent_is_briefed_by_name_and_acknowledges(
    tmux: TmuxServer, torch: Torch, project: Path
) -> None:
    of_project(project, "tester", "You are {{ agent }}, {{ role }}, under {{ parent }}.\n")
    pm = spawn_demo(tmux, torch, project, name="pm")
    words = ("--role", "tester", "--parent", "pm", "--brief", "tester", "--session", "agents")
    path = f"{Path(sys.executable).parent}"
    log = project.parent / "dev.log"
    done = torch(
        *("spawn", "dev", "--profile", "demo", "--dir", str(project), *words),
        *("--", "--log", str(log)),
        env={"PATH": f"{path}:/usr/bin:/bin"},
    )
    assert done.code == 0, done.err
    dev = DemoAgent(tmux, torch, "dev", tmux.panes()[-1], log, project)
    assert dev.submitted() == ["You are dev, tester, under pm."]
    assert "tester, not acknowledged" in torch("ps").out
    outside = torch("ack")
    assert (outside.code, "only an agent can acknowledge" in outside.err) == (2, True)
    tmux.cmd("send-keys", "-t", dev.pane.id, "-l", f"!{path}/torch ack 'I see'")
    tmux.wait_for_text(dev.pane, "ack 'I see'")  # in one read with Enter it would be a paste
    tmux.cmd("send-keys", "-t", dev.pane.id, "Enter")
    tmux.wait_until(lambda: "tester, acknowledged" in torch("ps").out, "the acknowledgement")
    said = [line for line in torch("ps", "--json").out.splitlines() if '"dev"' in line]
    assert '"words": "I see"' in said[0]
    tmux.wait_until(lambda: len(pm.submitted()) == 1, "the introduction")
    (told,) = pm.submitted()
    assert told.splitlines()[1:] == [
        "of: the briefing tester",
        f"words: dev (tester) is here, in {project}",
    ]
    again = torch("ack", env={"TORCH_AGENT": "dev"})
    assert (again.code, len(pm.submitted())) == (0, 1), "once in its life"
    unbriefed = torch("ack", env={"TORCH_AGENT": "pm"})
    assert (unbriefed.code, "has no briefing" in unbriefed.err) == (3, True)


def test_briefings_are_listed_shown_rendered_and_edited(torch: Torch, project: Path) -> None:
    there = ("--dir", str(project))
    assert "developer        built in" in torch("briefing", "list", *there).out
    assert "{% include" in torch("briefing", "show", "qa", *there).out
    assert "You answer to `pm`" in torch("briefing", "render", "qa", "--parent", "pm", *there).out
    editor = project / "editor"
    editor.write_text("#!/bin/sh\necho 'also {{ agent }}' >>\"$1\"\n")
    editor.chmod(0o755)
    done = torch("briefing", "edit", "qa", "--project", *there, env={"EDITOR": str(editor)})
    assert (done.code, done.out) == (0, f"{project}/briefings/qa.md\n"), done.err
    assert torch("briefing", "render", "qa", "--agent", "q1", *there).out.endswith("also q1\n")
    editor.write_text("#!/bin/sh\necho '{{ wrong }}' >>\"$1\"\n")
    broken = torch("briefing", "edit", "qa", "--project", *there, env={"EDITOR": str(editor)})
    assert (broken.code, "'wrong' is undefined" in broken.err) == (2, True)
    assert torch("briefing", "edit", "../x", *there).code == 2
