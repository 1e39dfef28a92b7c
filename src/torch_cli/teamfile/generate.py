"""Writing ``torch.toml``: a commented one for a project, or one of what is running."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from torch_cli.errors import RefusedError, TorchError
from torch_cli.git.worktree import locate
from torch_cli.roster.project import FILE
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.teamfile import briefing
from torch_cli.teamfile.detect import Project, detect
from torch_cli.teamfile.directories import worktree_path
from torch_cli.toml_text import document, value

_HEAD = """\
# The team of this project. 'torch up' starts it, 'torch up --dry-run' shows what that would do,
# 'torch down' ends what it started, and nothing else. 'torch config schema' prints every key.

[team]
name = {name}
# session = {name}            # the tmux session
"""

_AGENTS = """
[[agent]]
name = {pm}
role = "project-manager"        # also its briefing: 'torch briefing list'
# profile = "claude"            # 'torch profile list'

[[agent]]
name = {dev}
role = "developer"
parent = {pm}                   # the agent that it answers to, and that is started first
# worktree = "feature/x"        # works on this branch, in a git worktree beside the project
# model = "opus"                # given to the program as --model
# args = []                     # more arguments for the program
# skills = ["python"]
# env = {{ NAME = "value" }}
# env_files = [".env"]
# stalled = "nudge"             # a message if it makes no progress; or "restart"
# hibernate = "1h"              # its program ends when it is idle for so long; a message wakes it
# resume = false                # a new conversation whenever it starts again
# autostart = false             # only with 'torch up --only NAME'

# [[pool]]                      # grows while tasks wait; needs 'torch daemon start'
# role = "developer"
# max = 4

# [tasks]
# route = true                  # the daemon gives tasks to idle agents
# roles = ["developer"]         # only to agents of these roles

# [agreement]                   # 'torch agreement check'; the daemon reminds agents of breaches
# ack_within = "10m"
# blocked_at_most = "10m"
# exchanges_at_most = 3
# uncommitted_at_most = "1h"
# research_after = 3
# may_message = {{ developer = ["parent"] }}
# enforce = true                # refuse messages that may_message forbids

# [[allow]]                     # answers what Claude Code asks permission for; 'deny' wins
# command = ["git status*", "git diff*"]
# dry_run = true                # only writes down what it would do: 'torch events --kind answer'
"""

_SERVER = """
[[process]]
name = "server"
command = {command}
{ready}
"""

_NO_SERVER = """
# [[process]]                   # a dev server, or tests in watch mode, in its own window
# name = "server"
# command = ["npm", "run", "dev"]
# port = 3000                   # ready when this port is open; or: ready = "a text it shows"
"""


def template(root: Path, taken: Collection[str] = ()) -> tuple[str, Project]:
    """Return a commented team file for the project in ``root``, and what is known of the project.

    Names are unique on a machine, so it uses none of the names that are ``taken``.
    """
    project = detect(root)
    name = value(root.name or "team")
    text = f"# {project.kind}\n" + _HEAD.format(name=name)
    if project.server:
        ready = f"port = {project.port}" if project.port else "# port = 3000"
        ready += "                     # ready when this port is open"
        text += _SERVER.format(command=value(project.server), ready=ready)
    else:
        text += _NO_SERVER
    base = re.sub(r"[^\w.-]+", "-", root.name).strip("-.")[:40]
    free = {name: f"{base}-{name}" if name in taken else name for name in ("pm", "dev")}
    return text + _AGENTS.format(**{name: value(one) for name, one in free.items()}), project


def frozen(
    root: Path,
    agents: Sequence[Agent],
    members: Mapping[str, Started] = {},
    processes: Sequence[Started] = (),
) -> str:
    """Return a team file of the ``agents``, as far as Torch knows how they were started.

    ``members`` are the agents that a team has started, by identity. ``processes`` are the processes
    that teams have started.
    """
    sessions = {agent.session for agent in agents}
    team = {"name": root.name or "team"}
    team |= {"session": sessions.pop()} if len(sessions) == 1 else {}
    beside = [
        {"name": one.name, "command": one.spec["command"], **_place(root, one.directory)}
        for one in processes
    ]
    ordered = _parents_first(agents)
    before = {one.name: {other.name for other in ordered[:n]} for n, one in enumerate(ordered)}
    roles = briefing.names(root)
    started = [
        _agent(root, one, members.get(one.identity), roles, before[one.name]) for one in ordered
    ]
    tables = {"team": team, "process": beside, "agent": started}
    return document({name: table for name, table in tables.items() if table})


def _agent(
    root: Path,
    agent: Agent,
    member: Started | None,
    roles: Collection[str],
    before: Collection[str],
) -> dict[str, Any]:
    """Return the table of an agent. ``before`` are the names of the agents before it."""
    spec = member.spec if member else {}
    named = spec.get("briefing", agent.role if agent.role in roles else "")
    return {
        "name": agent.name,
        **({"role": agent.role} if agent.role else {}),
        **({"briefing": named} if named != agent.role else {}),
        **({"profile": agent.profile} if agent.profile != "claude" else {}),
        **({"args": spec["arguments"]} if spec.get("arguments") else {}),
        **(_worktree(root, agent.directory) or _place(root, agent.directory)),
        **({"parent": agent.parent} if agent.parent in before else {}),
        **({"skills": spec["skills"]} if spec.get("skills") else {}),
    }


def _place(root: Path, directory: str) -> dict[str, str]:
    place = os.path.relpath(directory, root)
    place = directory if place.startswith("../..") else place
    return {"dir": place} if place != "." else {}


def _worktree(root: Path, directory: str) -> dict[str, str]:
    """Return the branch if the directory is where ``torch up`` would make its worktree."""
    if not directory.startswith(f"{root}-"):
        return {}
    with contextlib.suppress(TorchError):
        branch = locate(directory).git().text("branch", "--show-current")
        if branch and worktree_path(str(root), branch) == directory:
            return {"worktree": branch}
    return {}


def _parents_first(agents: Iterable[Agent]) -> list[Agent]:
    named = {agent.name: agent for agent in agents}
    parents = {name: [one.parent] if one.parent in named else [] for name, one in named.items()}
    try:
        return [named[name] for name in TopologicalSorter(parents).static_order()]
    except CycleError:  # an agent with the name of a parent came later
        return list(named.values())


def write_file(root: Path, text: str) -> Path:
    """Write the team file into ``root``; raises ``RefusedError`` if there is one."""
    path = root / FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise RefusedError(f"{path} already exists; it was not changed", code="exists") from error
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}", code="os") from error
    return path
