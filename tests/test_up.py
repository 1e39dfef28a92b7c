"""``torch up`` and ``torch down``: from any state to that of the file, and back."""

import contextlib
import json
import os
import random
import signal
import socket as sockets
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from agent import DEMO_PROGRAM, whole_lines
from conftest import PATIENCE, SOURCE, Result, TmuxServer, Torch, wait_until
from repository import Repository
from torch_cli.store import Store
from torch_cli.teamfile.load import load_team

BIN = str(Path(sys.executable).parent)
ENV = {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"}

TEAM = """\
[team]
name = "shop"

[[process]]
name = "server"
command = ["{python}", "-u", "-c", "import time; print('serving'); time.sleep(600)"]
ready = "serving"

[[agent]]
name = "pm"
role = "project-manager"
profile = "demo"
briefing = "short"
args = ["--log", "{log}/pm.log"]

[[agent]]
name = "dev"
role = "developer"
profile = "demo"
parent = "pm"
briefing = "short"
after = ["server"]
dir = "src"
args = ["--log", "{log}/dev.log"]
env = {{ GREETING = '''two
"lines"''' }}
"""


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return Repository.make(
        tmp_path / "my project",
        {
            "torch.toml": TEAM.format(python=sys.executable, log=tmp_path),
            "src/a.py": "a\n",
            "briefings/short.md": "You are {{ agent }} of {{ team }}, under {{ parent }}.\n",
        },
    )


def up(torch: Torch, project: Repository, *words: str) -> Result:
    return torch("up", "--dir", str(project.path), *words, env=ENV)


def down(torch: Torch, project: Repository, *words: str) -> Result:
    return torch("down", "--dir", str(project.path), *words, env=ENV)


def states(done: Result) -> dict[str, str]:
    """Return the state of each member that ``up``, ``down`` or a dry run has printed."""
    found = [json.loads(line) for line in done.out.splitlines()]
    return {one["name"]: one.get("state") or one["what"] for one in found if "name" in one}


def edit(project: Repository, before: str, after: str) -> None:
    text = project.read("torch.toml")
    assert before in text
    project.write("torch.toml", text.replace(before, after))


def crash(tmux: TmuxServer, window: str) -> None:
    """End the program in a window, as if it had crashed, and wait for tmux to see it."""
    (ended,) = [pane for pane in tmux.panes() if pane.window == window]
    os.kill(ended.pid, signal.SIGKILL)
    wait_until(lambda: any(pane.dead for pane in tmux.panes()), what="its end")


def prompts(tmp_path: Path, name: str) -> list[str]:
    """Return what a demo agent was sent."""
    found = whole_lines(tmp_path / f"{name}.log")
    return [one["text"] for one in found if one.get("event") == "submit"]


def test_a_team_comes_up_and_goes_down(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    dry = up(torch, project, "--dry-run", "--json")
    assert states(dry) == {"server": "start", "pm": "start", "dev": "start"}
    assert tmux.run("list-panes", "-a").returncode != 0, "nothing was started"
    done = up(torch, project, "--json")
    assert done.code == 0, done.out + done.err
    assert states(done) == {"server": "started", "pm": "started", "dev": "started"}
    receipts = [json.loads(line).get("briefing") for line in done.out.splitlines()]
    assert [one and one["state"] for one in receipts] == [None, "confirmed", "confirmed"]
    assert prompts(tmp_path, "pm") == ["You are pm of shop, under ."]
    assert prompts(tmp_path, "dev") == ["You are dev of shop, under pm."]
    panes = {pane.window: pane for pane in tmux.panes()}
    assert {pane.session for pane in panes.values()} == {"shop"}
    dev = Path(f"/proc/{panes['dev'].pid}")
    if dev.exists():
        assert os.readlink(dev / "cwd") == str(project.path / "src")
        assert b'GREETING=two\n"lines"' in (dev / "environ").read_bytes()
    tree = torch("tree").out.splitlines()
    names = [line.rpartition(")  ")[0] for line in tree]
    assert names == ["pm (project-manager", "   dev (developer"]

    again = up(torch, project, "--json")
    assert states(again) == {"server": "running", "pm": "running", "dev": "running"}
    assert {pane.pid for pane in tmux.panes()} == {pane.pid for pane in panes.values()}
    assert len(prompts(tmp_path, "dev")) == 1

    project.write("src/a.py", "not committed\n")
    ended = down(torch, project, "--json")
    assert ended.code == 0, ended.out
    assert list(states(ended).items()) == [
        ("dev", "stopped"),
        ("pm", "stopped"),
        ("server", "stopped"),
    ]
    assert project.content("src/a.py") == b"not committed\n"
    assert tmux.run("list-panes", "-a").returncode != 0
    assert "nothing of this team is running" in down(torch, project).err
    with Store() as store:
        assert store.agents.all() == []


def test_only_a_role_and_what_is_not_started_by_itself(torch: Torch, project: Repository) -> None:
    edit(project, 'role = "developer"', 'role = "developer"\nautostart = false')
    done = up(torch, project, "--json")
    assert states(done) == {"server": "started", "pm": "started", "dev": "off"}
    done = up(torch, project, "--only", "developer", "--json")
    assert states(done) == {"server": "running", "pm": "running", "dev": "started"}
    assert up(torch, project, "--only", "nobody").code == 3


def test_a_changed_file_changes_only_what_differs(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    assert up(torch, project).code == 0
    before = {pane.window: pane.pid for pane in tmux.panes()}
    edit(project, 'role = "developer"', 'role = "tester"')
    edit(project, "print('serving')", "print('serving anew')")
    dry = up(torch, project, "--dry-run", "--json")
    assert states(dry) == {"server": "changed", "pm": "running", "dev": "update"}
    dry = up(torch, project, "--dry-run", "--json", "--restart-changed")
    assert states(dry) == {"server": "restart", "pm": "running", "dev": "update"}
    done = up(torch, project, "--json")
    assert states(done) == {"server": "changed", "pm": "running", "dev": "updated"}
    assert {pane.window: pane.pid for pane in tmux.panes()} == before
    assert "dev (tester)" in torch("tree").out
    assert len(prompts(tmp_path, "dev")) == 2, "its role is another: it is briefed again"
    assert states(up(torch, project, "--json"))["dev"] == "running"
    done = up(torch, project, "--restart-changed", "--json")
    assert states(done) == {"server": "restarted", "pm": "running", "dev": "running"}
    after = {pane.window: pane.pid for pane in tmux.panes()}
    assert after["server"] != before["server"]
    assert (after["pm"], after["dev"]) == (before["pm"], before["dev"])
    edit(project, '"lines"', '"others"')
    assert states(up(torch, project, "--dry-run", "--json"))["dev"] == "changed"
    done = up(torch, project, "--restart-changed", "--json")
    assert states(done)["dev"] == "restarted"
    assert len(prompts(tmp_path, "dev")) == 3, "a new life is briefed again"
    edit(project, 'role = "project-manager"', 'role = "orchestrator"')
    assert states(up(torch, project, "--json"))["pm"] == "updated"
    ended = list(states(down(torch, project, "--json")))
    assert ended.index("dev") < ended.index("pm"), "the last that was started first"


def test_what_is_no_longer_in_the_file_is_named_and_ended_alone(
    torch: Torch, project: Repository
) -> None:
    assert up(torch, project).code == 0
    whole = (project.path / "torch.toml").read_text("utf-8")
    project.write("torch.toml", whole[: whole.index("[[agent]]")])
    for words in ((), ("--dry-run",)):
        done = up(torch, project, "--json", *words)
        assert states(done) == {"server": "running", "pm": "unlisted", "dev": "unlisted"}
        assert "torch down --only dev" in done.out
    ended = down(torch, project, "--only", "dev", "--json")
    assert (ended.code, states(ended)) == (0, {"dev": "stopped"})
    nobody = down(torch, project, "--only", "dev")
    assert (nobody.code, "Running: server, pm" in nobody.err) == (3, True), nobody.err
    (project.path / "torch.toml").unlink()
    ended = down(torch, project, "--json")
    assert states(ended) == {"pm": "stopped", "server": "stopped"}
    assert down(torch, project).code == 3, "there is neither a file nor a team"


def test_a_member_that_was_renamed_is_known(torch: Torch, project: Repository) -> None:
    assert up(torch, project).code == 0
    assert torch("rename", "dev", "backend").code == 0
    dry = up(torch, project, "--json")
    assert states(dry)["dev"] == "changed"
    assert "it is now named 'backend'" in dry.out
    kept = torch("rename", "pm", "dev")
    assert (kept.code, "is reserved for a member of" in kept.err) == (2, True)
    edit(project, 'name = "dev"', 'name = "backend"')
    assert states(up(torch, project, "--json"))["backend"] == "running"
    assert torch("rename", "pm", "dev").code == 0, "nobody is called so any more"
    assert torch("rename", "dev", "pm").code == 0, "and back, to its own"
    assert states(up(torch, project, "--json")).keys() == {"server", "pm", "backend"}
    assert torch("rename", "pm", "boss").code == 0
    edit(project, 'role = "developer"', 'role = "tester"')
    assert states(up(torch, project, "--json"))["backend"] == "updated"
    assert "boss (project-manager)" in torch("tree").out, "the parent is known by its new name"
    assert "   backend (tester)" in torch("tree").out
    ended = down(torch, project, "--json", "--deadline", "30")
    assert all("note " in json.loads(line)["words"] for line in ended.out.splitlines()[:2])
    assert states(ended) == {"backend": "stopped", "pm": "stopped", "server": "stopped"}


def test_a_member_that_was_renamed_and_is_started_again_leaves_nothing(
    torch: Torch, project: Repository
) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    assert up(torch, project).code == 0
    assert torch("rename", "dev", "backend").code == 0
    edit(project, 'name = "dev"', 'name = "backend"')
    edit(project, '"lines"', '"others"')
    assert states(up(torch, project, "--restart-changed", "--json"))["backend"] == "restarted"
    with Store() as store:
        assert set(store.teams.members(str(project.path / "torch.toml"))) == {
            *("server", "pm", "backend")
        }
    project.git("checkout", "torch.toml")
    assert "was removed" in down(torch, project).out


def test_a_briefing_comes_with_every_change_and_to_no_other(
    torch: Torch, project: Repository, tmp_path: Path
) -> None:
    assert up(torch, project).code == 0
    roles = ["developer", "tester", "developer", "tester"]
    for count, (before, after) in enumerate(pairwise(roles), 2):
        edit(project, f'role = "{before}"', f'role = "{after}"')
        assert up(torch, project, "--only", "pm").code == 0
        assert len(prompts(tmp_path, "dev")) == count - 1, "it was not meant"
        assert up(torch, project).code == 0
        assert len(prompts(tmp_path, "dev")) == count


def test_what_has_ended_by_itself_is_no_hindrance(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    os.mkfifo(end)
    edit(project, "time.sleep(600)", f"open('{end}').read()")
    assert states(up(torch, project, "--json"))["server"] == "started"
    end.write_text("")
    wait_until(lambda: any(pane.dead for pane in tmux.panes()), what="its end")
    assert states(down(torch, project, "--json"))["server"] == "gone"
    assert tmux.run("list-panes", "-a").returncode != 0
    assert states(up(torch, project, "--json"))["server"] == "started"


def test_down_means_the_server_that_was_demanded(torch: Torch, project: Repository) -> None:
    assert up(torch, project, "--only", "pm").code == 0
    other = torch("down", "-L", "other", "--dir", str(project.path), "--json")
    assert (other.code, other.out) == (0, "")
    assert states(down(torch, project, "--json")) == {"pm": "stopped"}


def test_a_branch_has_its_own_worktree_and_nothing_in_it_is_overlooked(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    edit(project, 'dir = "src"', 'worktree = "fix/login"')
    project.commit("a worktree for dev")
    dry = [json.loads(one) for one in up(torch, project, "--dry-run", "--json").out.splitlines()]
    made = {one["name"]: one["dir"] for one in dry if one["makes_worktree"]}
    assert made == {"dev": f"{project.path}-fix-login"}
    shown = up(torch, project, "--dry-run").out
    assert f"makes worktree {project.path}-fix-login of branch fix/login" in shown
    beside = Repository(project.path.parent / "my project-fix-login")
    assert up(torch, project).code == 0
    assert torch("down", "--only", "dev", "--dir", str(beside.path)).code == 0, "the same team"
    assert not beside.path.exists()
    assert up(torch, project).code == 0
    beside.git("update-index", "--skip-worktree", "src/a.py")
    beside.write("src/a.py", "a local setting\n")
    assert "stays: it has changes" in down(torch, project).out
    edit(project, "fix/login", "fix-login")
    refused = up(torch, project)
    assert "is the worktree of the branch 'fix/login', not of 'fix-login'" in refused.err
    edit(project, "fix-login", "fix/login")
    beside.git("update-index", "--no-skip-worktree", "src/a.py")
    beside.git("checkout", "-q", "src/a.py")
    assert up(torch, project).code == 0
    shell = tmux.new_session("own", "sleep", "600", directory=str(beside.path))
    assert f"still used by sleep (process {shell.pid})" in down(torch, project).out
    assert beside.path.exists()


def test_a_branch_that_was_made_for_a_member_of_its_name_goes_with_it(
    torch: Torch, project: Repository
) -> None:
    edit(project, 'dir = "src"', 'worktree = "dev"')
    project.commit("a worktree for dev")
    assert up(torch, project).code == 0
    assert "was removed" in down(torch, project).out
    assert project.git("branch", "--list", "dev") == ""
    project.git("branch", "dev")
    assert up(torch, project).code == 0
    assert "was removed" in down(torch, project).out
    assert "dev" in project.git("branch", "--list", "dev"), "somebody else made this one"


def test_a_name_that_is_taken_concerns_who_asks_for_it(torch: Torch, project: Repository) -> None:
    pool = '[[pool]]\nrole = "painter"\nprofile = "demo"\nmin = 0\nmax = 2\n'
    project.write("torch.toml", f"{project.read('torch.toml')}\n{pool}")
    (project.path.parent / "elsewhere").mkdir()
    words = ("--session", "own", "--dir", str(project.path.parent / "elsewhere"))
    assert torch("spawn", "painter-2", "--profile", "demo", *words, env=ENV).code == 0
    done = up(torch, project, "--json")
    assert (done.code, states(done)["painter-2"], states(done)["dev"]) == (0, "off", "started")
    assert "belongs to another agent" in done.out
    assert up(torch, project, "--only", "painter-2").code == 2


def test_a_renamed_member_that_has_ended_gives_way(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    edit(project, 'role = "project-manager"', 'role = "project-manager"\nworktree = "pm-x"')
    project.commit("a worktree for pm")
    assert up(torch, project).code == 0
    assert torch("checkin", "add", "pm", "How far?", "--in", "9m").code == 0
    assert torch("rename", "pm", "boss").code == 0
    crash(tmux, "boss")
    assert states(up(torch, project, "--json"))["pm"] == "started"
    assert "pm (project-manager)" in torch("tree").out
    assert "\n   dev (developer)" in torch("tree").out
    with Store() as store:
        (checkin,) = store.checkins.all()
        agent = store.agents.get("pm")
        assert agent is not None
        assert (checkin.to.name, checkin.to.agent) == ("pm", agent.identity)
    assert "was removed" in down(torch, project).out
    listed = torch("ps", "--json")
    assert (listed.code, listed.json["error"]["code"]) == (3, "no-server"), "nobody is left"


def test_who_is_gone_keeps_no_worktree(tmux: TmuxServer, torch: Torch, project: Repository) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    assert up(torch, project).code == 0
    beside = project.path.parent / "my project-feature-x"
    words = ("--profile", "demo", "--session", "own", "--dir", str(beside))
    assert torch("spawn", "helper", *words, env=ENV).code == 0
    crash(tmux, "helper")
    assert "was removed" in down(torch, project).out


def test_a_member_that_is_started_by_hand_stays_what_it_was(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    assert up(torch, project).code == 0
    crash(tmux, "dev")
    words = ("--profile", "demo", "--session", "shop", "--dir", str(project.path / "src"))
    assert torch("spawn", "dev", *words, env=ENV).code == 0
    assert "\n   dev (developer)" in torch("tree").out


def test_check_ins_go_on_in_another_worktree(torch: Torch, project: Repository) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    assert up(torch, project).code == 0
    assert torch("checkin", "add", "dev", "How far?", "--in", "9m", "--name", "how").code == 0
    edit(project, "feature/x", "feature/y")
    done = up(torch, project, "--restart-changed", "--json")
    assert states(done)["dev"] == "restarted"
    assert not (project.path.parent / "my project-feature-x").exists(), "clean and merged"
    assert torch("checkin", "run", "how", "--json").json["recipient"] == "dev"


def test_a_worktree_whose_making_was_cut_short_is_ours(torch: Torch, project: Repository) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    hook = project.path / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\nkill -9 $PPID; kill -9 $(ps -o ppid= $PPID)\n")
    hook.chmod(0o755)
    assert torch("checkpoint", "trust", str(project.path), "--yes").code == 0
    # git ends with its hook, and torch with git: what it has made is there, and unmarked.
    assert up(torch, project).code != 0
    hook.unlink()
    beside = project.path.parent / "my project-feature-x"
    assert beside.is_dir()
    assert up(torch, project).code == 0
    assert "was removed" in down(torch, project).out


def test_a_team_of_a_part_of_a_repository_is_known_in_its_worktree(
    torch: Torch, project: Repository, tmp_path: Path
) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    mono = Repository.make(tmp_path / "mono", {"top": "x\n"})
    for name in ("torch.toml", "src/a.py", "briefings/short.md"):
        mono.write(f"sub/{name}", project.read(name))
    mono.commit("a part")
    part = Repository(mono.path / "sub")
    assert up(torch, part).code == 0
    inside = mono.path / "sub-feature-x"
    added = torch("task", "add", "x", "--json", cwd=inside).json
    assert added["dir"] == str(part.path)
    assert torch("up", "--dry-run", cwd=inside).code == 0
    ended = torch("down", "--dir", str(inside / "sub"))
    assert "was removed" in ended.out, ended.out


def test_who_is_typing_is_not_started_anew(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    assert up(torch, project).code == 0
    (dev,) = [pane for pane in tmux.panes() if pane.window == "dev"]
    tmux.cmd("send-keys", "-t", dev.id, "-l", "half a thought")
    tmux.wait_for_text(dev, "half a thought")
    edit(project, 'name = "shop"', 'name = "shop"\nsession = "other"')
    shown = up(torch, project, "--dry-run").out
    assert "changed: session; 'torch up --restart-changed' restarts it" in shown
    done = up(torch, project, "--restart-changed", "--json")
    assert (done.code, states(done)["dev"], states(done)["pm"]) == (4, "failed", "restarted")
    assert "half a thought" in tmux.screen(dev)


def test_down_says_that_there_is_no_checkpoint_outside_git(torch: Torch, tmp_path: Path) -> None:
    place = tmp_path / "outside"
    place.mkdir()
    (place / "torch.toml").write_text(
        '[team]\nname = "o"\n\n[[agent]]\nname = "only"\nprofile = "demo"\n'
    )
    assert torch("up", cwd=place, env=ENV).code == 0
    done = torch("down", "--deadline", "0", cwd=place, env=ENV)
    assert (done.code, f"no checkpoint: {place} is outside git" in done.out) == (0, True), done


def test_what_waits_for_a_member_is_told_by_down(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    assert up(torch, project).code == 0
    (dev,) = [pane for pane in tmux.panes() if pane.window == "dev"]
    tmux.cmd("send-keys", "-t", dev.id, "-l", "half a thought")
    tmux.wait_for_text(dev, "half a thought")
    assert torch("send", "dev", "later", "--timeout", "1").code == 4
    assert "1 message for it did not arrive" in down(torch, project, "--only", "dev").out


def test_an_agent_leaves_alone_what_others_have_made(torch: Torch, project: Repository) -> None:
    assert up(torch, project).code == 0
    as_dev = {**ENV, "TORCH_AGENT": "dev"}
    for name, target in (("theirs", "pm"), ("own", "dev")):
        made = torch("checkin", "add", target, "How far?", "--in", "9m", "--name", name)
        assert made.code == 0
    for verb in ("pause", "resume", "run", "remove"):
        refused = torch("checkin", verb, "theirs", env=as_dev)
        assert (refused.code, "which does not answer to it" in refused.err) == (2, True), verb
        assert torch("checkin", verb, "own", env=as_dev).code == 0, "it comes to itself"
    held = torch("send", "pm", "x", "--when", "idle", "--json")
    for words in (("cancel",), ("retry",)):
        refused = torch("outbox", words[0], held.json["id"], env=as_dev)
        assert (refused.code, "a person has sent message" in refused.err) == (2, True), words
    refused = torch("outbox", "edit", held.json["id"], "other words", env=as_dev)
    assert (refused.code, "it was not edited" in refused.err) == (2, True)
    assert torch("move", "pm", "--session", "x", "--create", env=as_dev).code == 2


def test_an_agent_takes_no_name_that_the_team_needs(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    assert up(torch, project, "--only", "pm", "--only", "server").code == 0
    as_pm = {**ENV, "TORCH_AGENT": "pm"}
    words = ("--profile", "demo", "--session", "shop", "--dir", str(project.path))
    for name in ("server", "dev", "pm"):
        refused = torch("spawn", name, *words, env=as_pm)
        assert (refused.code, "torch.toml" in refused.err or name == "pm") == (2, True)
    pane = tmux.new_session("other", DEMO_PROGRAM)
    tmux.wait_for_text(pane, "? for help")
    refused = torch("adopt", pane.id, "server", "--profile", "demo")
    assert (refused.code, "nothing was registered" in refused.err) == (2, True)
    assert states(down(torch, project, "--json")) == {"pm": "stopped", "server": "stopped"}


def test_check_ins_go_on_also_if_the_start_was_cut_short(torch: Torch, project: Repository) -> None:
    assert up(torch, project).code == 0
    assert torch("checkin", "add", "dev", "How far?", "--in", "9m", "--name", "how").code == 0
    assert down(torch, project).code == 0
    assert up(torch, project).code == 0
    path = str(project.path / "torch.toml")
    with Store() as store:  # as if it had been killed before it noted the agent
        row = store.teams.members(path)["dev"]
        started = store.agents.known_as(row.agent)
        assert started is not None
        store.teams.add(row._replace(agent="", spec={**row.spec, "before": "a-before"}))
        store.database.write("UPDATE checkins SET agent = 'a-before'")
    assert states(up(torch, project, "--json"))["dev"] == "running"
    with Store() as store:
        (checkin,) = store.checkins.all()
        assert checkin.to.agent == started.identity


def test_a_name_that_the_file_keeps_is_no_other_agents(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    assert up(torch, project, "--only", "pm").code == 0
    as_pm = {**ENV, "TORCH_AGENT": "pm"}
    assert torch("spawn", "d1", "--profile", "demo", env=as_pm, cwd=project.path).code == 0
    kept = torch("rename", "d1", "dev")
    assert (kept.code, "is reserved for a member of" in kept.err) == (2, True)
    assert torch("rename", "d1", "d2").code == 0
    assert torch("spawn", "d1", "--profile", "demo", env=as_pm, cwd=project.path).code == 0
    with Store() as store:
        assert set(store.teams.members(str(project.path / "torch.toml"))) == {"pm", "d1", "d2"}
    assert states(down(torch, project, "--json")) == dict.fromkeys(("d1", "d2", "pm"), "stopped")


def test_one_that_asks_something_first_is_said_to_ask(
    torch: Torch, project: Repository, tmp_path: Path
) -> None:
    edit(project, f'"{tmp_path}/pm.log"', f'"{tmp_path}/pm.log", "--trust"')
    done = up(torch, project, "--only", "pm", "--only", "dev", "--json")
    assert (done.code, states(done)["pm"], states(done)["dev"]) == (4, "asks", "blocked")
    (asks,) = [one for one in map(json.loads, done.out.splitlines()) if one["name"] == "pm"]
    error = asks["error"]
    assert error["code"] == "dialog"
    assert "trust" in error["message"]
    assert f"torch answer pm OPTION --hash {error['details']['dialog']}" in error["hint"]
    again = up(torch, project, "--only", "pm")
    assert (again.code, "asks       agent pm" in again.out) == (4, True)
    assert "'torch up' again" in again.err
    answered = torch("press", "pm", "Enter", "--dialog", error["details"]["dialog"])
    assert answered.code == 0, answered.err
    wait_until(lambda: torch("state", "pm", "--json").json["state"] == "idle", what="its box")
    assert up(torch, project, "--only", "pm").code == 0
    assert prompts(tmp_path, "pm") == ["You are pm of shop, under ."]


FAILS = """
import os, sqlite3, time
store = sqlite3.connect(os.path.join(os.environ["TORCH_HOME"], "torch.db"), timeout=60)
noted = "SELECT 1 FROM team_members WHERE name = 'server' AND pane <> ''"
while not store.execute(noted).fetchall():
    time.sleep(0.01)
print("no")
exit(3)
"""
"""Fails once Torch has seen that it was started."""


def test_what_waits_for_one_that_fails_is_not_started(
    torch: Torch, project: Repository, tmp_path: Path
) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    serves, fails = "import time; print('serving')", f"exec(open('{tmp_path}/fails.py').read())"
    edit(project, serves, fails)
    done = up(torch, project, "--json")
    assert done.code == 1
    assert states(done) == {"server": "failed", "pm": "started", "dev": "blocked"}
    (failed,) = [one for one in map(json.loads, done.out.splitlines()) if one["name"] == "server"]
    assert "ended while starting" in failed["error"]["message"]
    edit(project, fails, serves)
    done = up(torch, project, "--json")
    assert states(done) == {"server": "started", "pm": "running", "dev": "started"}


def test_a_port_on_which_somebody_listens_already_is_noticed(
    torch: Torch, project: Repository
) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        edit(project, 'ready = "serving"', f"port = {port}")
        done = up(torch, project, "--json")
        assert states(done) == {"server": "elsewhere", "pm": "started", "dev": "started"}
    ended = down(torch, project, "--json")
    assert "server" not in states(ended)


def free_port() -> int:
    """Return a port that nobody has, and that the system gives to nobody who asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), sockets.create_server(("127.0.0.1", port)):
            return port


def test_a_process_is_ready_when_its_port_is(torch: Torch, project: Repository) -> None:
    port = free_port()
    edit(project, 'ready = "serving"', f'port = {port}\ntimeout = "{PATIENCE:.0f}s"')
    edit(
        project,
        '"-u", "-c", "import time; print(\'serving\'); time.sleep(600)"',
        f'"-m", "http.server", "{port}"',
    )
    done = up(torch, project, "--only", "server", "--json")
    assert states(done)["server"] == "started", done.out
    with sockets.create_connection(("127.0.0.1", port), timeout=PATIENCE):
        pass
    assert states(down(torch, project, "--json"))["server"] == "stopped"


def test_an_agent_that_was_there_is_taken_and_left(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    words = ("--profile", "demo", "--session", "own", "--dir", str(project.path))
    log = ("--", "--log", str(tmp_path / "pm.log"))
    assert torch("spawn", "pm", *words, *log, env=ENV).code == 0
    done = up(torch, project, "--json")
    assert states(done) == {"server": "started", "pm": "running", "dev": "started"}
    ended = down(torch, project, "--json")
    assert states(ended)["pm"] == "left"
    assert [pane.window for pane in tmux.panes()] == ["pm"]


def test_an_agent_that_was_there_is_never_ended_for_a_changed_file(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    words = ("--profile", "demo", "--session", "own", "--dir", str(project.path))
    log = ("--", "--log", str(tmp_path / "pm.log"))
    assert torch("spawn", "pm", *words, *log, env=ENV).code == 0
    assert up(torch, project).code == 0
    (pm,) = [pane for pane in tmux.panes() if pane.window == "pm"]
    edit(project, 'role = "project-manager"', 'role = "lead"')
    assert states(up(torch, project, "--json"))["pm"] == "updated"
    edit(project, 'role = "lead"', 'role = "lead"\nenv = { NEW = "1" }')
    done = up(torch, project, "--restart-changed", "--json")
    assert (states(done)["pm"], "is left" in done.out) == ("changed", True)
    assert states(down(torch, project, "--json"))["pm"] == "left"
    assert [(pane.window, pane.pid) for pane in tmux.panes()] == [("pm", pm.pid)]


def test_a_dead_window_of_the_same_name_is_not_the_teams(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    """What somebody else's program left on the screen, nobody has read yet."""
    assert up(torch, project).code == 0
    (dev,) = [pane for pane in tmux.panes() if pane.window == "dev"]
    os.kill(dev.pid, signal.SIGKILL)
    wait_until(lambda: all(pane.dead for pane in tmux.panes() if pane.window == "dev"), what="it")
    if any(pane.window == "dev" for pane in tmux.panes()):
        tmux.run("kill-pane", "-t", dev.id)
    tmux.run("set-option", "-g", "remain-on-exit", "on")
    tmux.run("new-window", "-d", "-t", "shop:", "-n", "dev", "echo theirs")
    wait_until(lambda: any(pane.dead for pane in tmux.panes()), what="the end of their program")
    (theirs,) = [pane for pane in tmux.panes() if pane.dead]
    done = up(torch, project, "--json")
    assert states(done)["dev"] == "failed", done.out
    assert [pane.id for pane in tmux.panes() if pane.dead] == [theirs.id]


def test_a_name_that_is_another_agents_is_refused(torch: Torch, project: Repository) -> None:
    (project.path.parent / "elsewhere").mkdir()
    words = (
        "--profile",
        "demo",
        "--session",
        "own",
        "--dir",
        str(project.path.parent / "elsewhere"),
    )
    assert torch("spawn", "pm", *words, env=ENV).code == 0
    done = up(torch, project)
    assert (done.code, "belongs to another agent" in done.err) == (2, True)
    assert torch("ps").out.count("\n") == 2, "nothing was started"


def test_an_agent_that_crashed_comes_back_and_is_briefed(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    assert up(torch, project).code == 0
    (dev,) = [pane for pane in tmux.panes() if pane.window == "dev"]
    os.kill(dev.pid, signal.SIGKILL)
    wait_until(lambda: any(p.dead for p in tmux.panes()) or len(tmux.panes()) == 2, what="its end")
    done = up(torch, project, "--json")
    assert states(done) == {"server": "running", "pm": "running", "dev": "started"}
    assert len(prompts(tmp_path, "dev")) == 2


def test_check_ins_go_on_when_the_team_comes_back(torch: Torch, project: Repository) -> None:
    assert up(torch, project).code == 0
    assert torch("checkin", "add", "dev", "How far?", "--in", "1s", "--name", "how").code == 0
    assert down(torch, project).code == 0
    wait_until(
        lambda: torch("tick").code == 0 and "1 check-in is overdue" in torch("ps").err,
        what="the moment, with nobody there",
    )
    assert up(torch, project).code == 0
    assert torch("tick").code == 0
    run = torch("checkin", "history", "how", "--json").json
    assert (run["recipient"], run["outcome"]) == ("dev", "confirmed")
    assert "overdue" not in torch("ps").err


def test_worktrees_are_made_kept_and_removed(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    beside = project.path.parent / "my project-feature-x"
    assert up(torch, project).code == 0
    linked = Repository(beside)
    assert linked.git("branch", "--show-current") == "feature/x"
    (dev,) = [pane for pane in tmux.panes() if pane.window == "dev"]
    if Path(f"/proc/{dev.pid}").exists():
        assert os.readlink(f"/proc/{dev.pid}/cwd") == str(beside)
    linked.write("work", "not merged\n")
    ended = down(torch, project)
    assert "stays: it has changes" in ended.out
    assert linked.content("work") == b"not merged\n", "a checkpoint has it"
    assert up(torch, project).code == 0
    linked.commit("work")
    assert "stays: it is not merged" in down(torch, project).out
    assert up(torch, project).code == 0
    project.git("merge", "-q", "feature/x")
    assert "was removed: all of it is merged" in down(torch, project).out
    assert not beside.exists()
    beside.mkdir()
    (beside / "somebody's").touch()
    done = up(torch, project, "--json")
    assert states(done)["dev"] == "failed"
    assert (beside / "somebody's").exists()


def test_a_worktree_stays_while_anybody_works_in_it(torch: Torch, project: Repository) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    beside = project.path.parent / "my project-feature-x"
    assert up(torch, project).code == 0
    for name in ("own", "theirs"):
        as_dev = {"TORCH_AGENT": "dev"} if name == "own" else {}
        words = ("--profile", "demo", "--session", "other", "--dir", str(beside))
        assert torch("spawn", name, *words, env={**ENV, **as_dev}).code == 0
    kept = torch("retire", "own", "--deadline", "0")
    assert (kept.code, "stays: still used by dev, theirs" in kept.err) == (0, True), kept.err
    ended = down(torch, project)
    assert (ended.code, "stays: still used by theirs" in ended.out) == (0, True), ended.out
    assert beside.is_dir()
    again = up(torch, project, "--json")
    assert states(again)["dev"] == "started"
    assert torch("stop", "theirs").code == 0
    assert "was removed" in down(torch, project).out


def test_a_worktree_that_somebody_else_made_stays(torch: Torch, project: Repository) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"')
    project.commit("a worktree for dev")
    beside = project.path.parent / "my project-feature-x"
    project.git("worktree", "add", "-q", "-b", "feature/x", str(beside))
    assert up(torch, project).code == 0
    ended = down(torch, project, "--json")
    assert (ended.code, states(ended)["dev"]) == (0, "stopped"), ended.out
    assert beside.is_dir(), "it is clean and merged, and not ours"


def test_who_may_write_to_whom_is_enforced_from_up_to_down(
    torch: Torch, project: Repository
) -> None:
    rules = '[agreement]\nmay_message = { developer = ["parent"], pm = [] }\n'
    project.write("torch.toml", f"{rules}{project.read('torch.toml')}")
    assert up(torch, project).code == 0
    as_dev, as_pm = {**ENV, "TORCH_AGENT": "dev"}, {**ENV, "TORCH_AGENT": "pm"}
    assert torch("send", "dev", "free", env=as_pm).code == 0
    edit(project, "[agreement]", "[agreement]\nenforce = true")
    assert torch("send", "dev", "not yet enforced", env=as_pm).code == 0
    assert up(torch, project).code == 0
    asked = torch("send", "pm", "to the parent", "--json", env=as_dev)
    assert asked.code == 0
    spawned = torch(
        *("spawn", "helper", "--profile", "demo", "--role", "developer", "--session", "shop"),
        *("--dir", str(project.path)),
        env=as_dev,
    )
    assert spawned.code == 0, spawned.err
    for words, name in (
        (("send", "dev", "no"), "pm"),
        (("send", "pm", "no", "--from", "dev"), "helper"),
        (("send", "pm", "no", "--kind", "status", "--field", "done=x"), "helper"),
        (("send", "dev", "no", "--kind", "broadcast", "--field", "text=x"), "pm"),
        (("broadcast", "no", "--everywhere"), "pm"),
        (("checkin", "add", "dev", "no", "--in", "1m"), "pm"),
        (("checkin", "add", "pm", "no", "--in", "1m", "--fallback", "dev"), "pm"),
        (("press", "dev", "Escape"), "pm"),
        (("command", "dev", "/clear"), "pm"),
        (("mode", "dev", "plan"), "pm"),
        (("handoff", "pm", "dev", "--deadline", "0"), "pm"),
        (("task", "assign", torch("task", "add", "x", "--json").json["id"], "dev"), "pm"),
    ):
        refused = torch(*words, env={**ENV, "TORCH_AGENT": name})
        assert (refused.code, "may not write to" in refused.err) == (2, True), words
        said = (
            "nothing was sent",
            "no check-in was made",
            "nothing was pressed",
            "no key was",
            "nothing was handed over",
            "nothing was done",
        )
        assert any(one in refused.err for one in said), refused.err
    for words in (("checkin", "add", "pm", "own", "--in", "9m"), ("press", "pm", "Escape")):
        assert torch(*words, env=as_pm).code == 0, words
    dry = torch("broadcast", "x", "--everywhere", "--dry-run", env={"TORCH_AGENT": "helper"})
    assert dry.out.split() == ["dev"], "its parent alone"
    assert "It may write to 'dev'" in torch("send", "pm", "no", env={"TORCH_AGENT": "helper"}).err
    with Store() as store:
        dev = store.agents.get("dev")
        assert dev is not None
        bodies = [one.body for one in store.messages.inbox(dev, 9)]
        assert bodies[1:] == ["free", "not yet enforced"]
        assert [one.state for one in store.tasks.all()] == ["open"], "nothing half done"
    identity = asked.json["id"]
    assert torch("reply", identity, "an answer is free", env=as_pm).code == 0
    assert torch("send", "dev", "a person is free").code == 0
    foreign = torch("reply", identity, "no answer", env={"TORCH_AGENT": "helper"})
    assert (foreign.code, "may not write to" in foreign.err) == (0, False), "to its parent"
    assert torch("rename", "pm", "boss", env=as_pm).code == 0
    as_boss = {**ENV, "TORCH_AGENT": "boss"}
    refused = torch("send", "dev", "no", env=as_boss)
    assert (refused.code, "may not write to" in refused.err) == (2, True), "a name is no way round"
    assert torch("rename", "boss", "pm").code == 0
    ended = down(torch, project, "--json")
    assert states(ended)["helper"] == "stopped", "what an agent has started ends with the team"
    with Store() as store:
        assert store.teams.enforced(str(project.path / "torch.toml")) is None


def test_an_agent_ends_only_what_answers_to_it(torch: Torch, project: Repository) -> None:
    assert up(torch, project).code == 0
    as_dev, as_pm = {**ENV, "TORCH_AGENT": "dev"}, {**ENV, "TORCH_AGENT": "pm"}
    for words in (
        ("stop", "pm"),
        ("stop", "pm", "--forget"),
        ("retire", "pm"),
        ("rename", "pm", "x"),
        ("handoff", "pm", "dev"),
        ("down", "--dir", str(project.path)),
    ):
        refused = torch(*words, env=as_dev)
        assert (refused.code, "which does not answer to it" in refused.err) == (2, True), words
    edit(project, "pm.log", "other.log")
    refused = torch("up", "--dir", str(project.path), "--restart-changed", env=as_dev)
    assert (refused.code, "'torch trust --dir" in refused.err) == (2, True), "nobody accepted it"
    assert torch("trust", "--dir", str(project.path)).code == 0
    changed = torch("up", "--dir", str(project.path), "--restart-changed", "--json", env=as_dev)
    assert (changed.code, states(changed)["pm"]) == (2, "failed")
    assert torch("ps").out.count("\n") == 3, "both are there"
    assert torch("down", "--only", "dev", "--dir", str(project.path), env=as_pm).code == 0
    assert torch("stop", "pm", env=as_pm).code == 0, "itself it may"


def test_two_at_once_and_killed_at_any_point(
    tmux: TmuxServer, torch: Torch, project: Repository, tmp_path: Path
) -> None:
    """However far an ``up`` has come when it is killed, the next makes the same team of it."""
    words = [*torch.argv("up", "--dir", str(project.path), "--json")]
    environment = {**os.environ, **ENV, "PYTHONPATH": str(SOURCE)}
    for seconds in (0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.6):
        child = subprocess.Popen(
            words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)  # which point that is does not matter
        child.kill()
        child.wait()
    children = [
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    codes = [(child.communicate(timeout=2 * PATIENCE), child.returncode)[1] for child in children]
    assert set(codes) <= {0, 4}
    done = up(torch, project, "--json")
    assert states(done) == {"server": "running", "pm": "running", "dev": "running"}, done.out
    living = [pane for pane in tmux.panes() if not pane.dead]
    assert sorted(pane.window for pane in living) == ["dev", "pm", "server"]
    assert len(prompts(tmp_path, "pm")) <= 1 + len([p for p in tmux.panes() if p.dead])
    ended = down(torch, project, "--json")
    assert set(states(ended).values()) == {"stopped"}
    assert tmux.run("list-panes", "-a").returncode != 0


def test_no_checkpoint_no_end(
    tmux: TmuxServer, torch: Torch, project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert up(torch, project).code == 0
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    done = down(torch, project, "--json")
    assert (done.code, set(states(done).values())) == (2, {"failed"})
    assert len(tmux.panes()) == 3
    forced = down(torch, project, "--force", "--json")
    assert set(states(forced).values()) == {"stopped"}


def test_a_team_of_what_runs(torch: Torch, project: Repository) -> None:
    assert up(torch, project).code == 0
    text = torch("team", "freeze", str(project.path)).out
    assert 'session = "shop"' in text
    assert 'dir = "src"' in text
    (project.path / "torch.toml").rename(project.path / "kept.toml")
    project.write("torch.toml", text)
    before = {one.name: one for one in load_team(str(project.path / "kept.toml")).members}
    after = {one.name: one for one in load_team(str(project.path / "torch.toml")).members}
    for name in ("command", "role", "parent", "profile", "arguments", "briefing", "directory"):
        assert {key: getattr(one, name) for key, one in after.items()} == {
            key: getattr(one, name) for key, one in before.items()
        }, name
    elsewhere = torch("team", "freeze", str(project.path.parent))
    assert 'name = "dev"' in elsewhere.out, "in no project: all"


def test_a_worktree_is_frozen_as_one(torch: Torch, project: Repository) -> None:
    edit(project, 'dir = "src"', 'worktree = "feature/x"\nskills = ["sql"]')
    project.commit("a worktree for dev")
    assert up(torch, project).code == 0
    text = torch("team", "freeze", str(project.path)).out
    assert 'worktree = "feature/x"' in text
    assert 'skills = ["sql"]' in text


def test_members_start_where_the_team_runs(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    """Also if the caller, or the terminal that it is in, has another tmux server."""
    assert up(torch, project, "--only", "pm").code == 0
    elsewhere = Torch(torch.socket, demands=False)
    other = str(Path(torch.socket.file).with_name("torch-no-such-server"))
    done = elsewhere(
        *("up", "--dir", str(project.path), "--only", "server", "-v"),
        env={**ENV, "TORCH_TMUX_SOCKET": other},
    )
    assert done.code == 0, done.out + done.err
    assert "the team runs in the tmux server" in done.err
    assert sorted(one.window for one in tmux.panes()) == ["pm", "server"]
    assert not Path(other).exists()


def test_a_start_that_another_process_came_before_leaves_the_member_the_teams_own(
    torch: Torch, project: Repository
) -> None:
    """``torch resurrect`` may bring an agent back while the daemon's ``torch up`` begins to."""
    assert up(torch, project, "--only", "pm").code == 0
    with Store() as store:
        (row,) = store.teams.members(str(project.path / "torch.toml")).values()
        begun = {**row.spec, "mark": "0", "before": row.agent}
        cut = row._replace(spec=begun, agent="", started=time.time())
        store.teams.add(cut._replace(socket="", server="", pane="", pane_pid=0))
    done = up(torch, project, "--only", "pm")
    assert (done.code, "existed already" in done.out) == (0, False), done.out + done.err
    down = torch("down", "--dir", str(project.path), "--force", "--deadline", "0")
    assert "stopped  pm" in down.out
