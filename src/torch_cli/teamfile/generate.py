"""Writing ``torch.toml``: a commented one for a project, or one of what is running."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from torch_cli.errors import RefusedError, TorchError
from torch_cli.git.worktree import locate
from torch_cli.roster.project import FILE
from torch_cli.store.agents import Agent
from torch_cli.store.teams import Started
from torch_cli.teamfile import briefing
from torch_cli.teamfile.detect import Project, detect
from torch_cli.teamfile.directories import worktree_path
from torch_cli.toml_text import string as _text
from torch_cli.toml_text import strings as _list

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
    """Return a commented team file for the project in ``root``, and what was seen of it.

    Names are unique on a machine: of those that are ``taken`` none is given.
    """
    project = detect(root)
    name = _text(root.name or "team")
    text = f"# {project.kind}\n" + _HEAD.format(name=name)
    if project.server:
        ready = f"port = {project.port}" if project.port else "# port = 3000"
        ready += "                     # ready when this port is open"
        text += _SERVER.format(command=_list(project.server), ready=ready)
    else:
        text += _NO_SERVER
    base = re.sub(r"[^\w.-]+", "-", root.name).strip("-.")[:40]
    free = {name: f"{base}-{name}" if name in taken else name for name in ("pm", "dev")}
    return text + _AGENTS.format(**{name: _text(one) for name, one in free.items()}), project


def frozen(
    root: Path,
    agents: Sequence[Agent],
    members: Mapping[str, Started] = {},
    processes: Sequence[Started] = (),
) -> str:
    """Return a team file of the ``agents``, as far as it is known how they were started.

    ``members`` are those of them that a team has started, by their identity; ``processes`` are what
    teams have started beside them.
    """
    sessions = {agent.session for agent in agents}
    lines = ["[team]", f"name = {_text(root.name or 'team')}"]
    lines += [f"session = {_text(sessions.pop())}"] if len(sessions) == 1 else []
    for process in processes:
        lines += ["", "[[process]]", f"name = {_text(process.name)}"]
        lines += [f"command = {_list(process.spec['command'])}"]
        lines += _place(root, process.directory)
    roles = briefing.names(root)
    placed: set[str] = set()
    for agent in _parents_first(agents):
        member = members.get(agent.identity)
        spec = member.spec if member else {}
        named = spec.get("briefing", agent.role if agent.role in roles else "")
        lines += ["", "[[agent]]", f"name = {_text(agent.name)}"]
        lines += [f"role = {_text(agent.role)}"] if agent.role else []
        lines += [f"briefing = {_text(named)}"] if named != agent.role else []
        lines += [f"profile = {_text(agent.profile)}"] if agent.profile != "claude" else []
        lines += [f"args = {_list(spec['arguments'])}"] if spec.get("arguments") else []
        lines += _worktree(root, agent.directory) or _place(root, agent.directory)
        lines += [f"parent = {_text(agent.parent)}"] if agent.parent in placed else []
        lines += [f"skills = {_list(spec['skills'])}"] if spec.get("skills") else []
        placed.add(agent.name)
    return "\n".join([*lines, ""])


def _place(root: Path, directory: str) -> list[str]:
    place = os.path.relpath(directory, root)
    place = directory if place.startswith("../..") else place
    return [f"dir = {_text(place)}"] if place != "." else []


def _worktree(root: Path, directory: str) -> list[str]:
    """Return the branch if the directory is where ``torch up`` would make its worktree."""
    if not directory.startswith(f"{root}-"):
        return []
    with contextlib.suppress(TorchError):
        branch = locate(directory).git().text("branch", "--show-current")
        if branch and worktree_path(str(root), branch) == directory:
            return [f"worktree = {_text(branch)}"]
    return []


def _parents_first(agents: Iterable[Agent]) -> list[Agent]:
    left, placed = list(agents), set[str]()
    ordered: list[Agent] = []
    while left:
        known = {agent.name for agent in left}
        ready = [agent for agent in left if agent.parent in placed or agent.parent not in known]
        for agent in ready or left[:1]:
            ordered.append(agent)
            placed.add(agent.name)
            left.remove(agent)
    return ordered


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
