"""Answering a permission request of an agent's program, through the program's own hook.

Only the rules that a person has accepted count (``torch_cli.teams.trust``), and only for agents of
that team: the agent is the one whose program started this process. Whatever goes wrong here answers
nothing, so the question is a person's.
"""

import hashlib
import json
import os
import time
import tomllib
from collections.abc import Mapping
from typing import Any

from torch_cli import procs
from torch_cli.programs.state import one_line
from torch_cli.regular import read_regular
from torch_cli.roster.membership import team_of
from torch_cli.roster.project import LARGEST_TEAM_FILE_BYTES
from torch_cli.rules.match import denies, verdicts
from torch_cli.rules.rule import PermissionRequest, PermissionRule, Verdict, unpacked
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.events import RULE
from torch_cli.store.teams import Accepted

SAME_SECONDS = 2.0
"""Seconds within which the same request again is the same one: a program that has the hook from two
settings files runs it twice."""

WHAT = 200
"""Characters of a request that are kept."""


def answer(event: bytes) -> bytes:
    """Return the answer to the permission request ``event``, '' if no rule answers it.

    What was answered, or would have been, is in the log before this returns. Raises any error.
    """
    asked = json.loads(event.decode("utf-8", "replace"))
    with Store(create=False) as store:
        agent = _agent(store)
        team = team_of(store, agent) if agent else ""
        accepted = store.teams.accepted(team) if team else None
        if agent is None or accepted is None or not accepted.rules:
            return b""
        request = _request(asked, agent)
        current = unchanged(team, accepted)
        found = verdicts(unpacked(accepted.rules), request, may_allow=current)
        _record(store, agent, team, request, found, asked)
    acting = next((one.rule for one in found if one.acts), None)
    return decision(acting) if acting else b""


def _agent(store: Store) -> Agent | None:
    """Return the agent whose program started this process, whatever the environment says."""
    above = procs.ancestors(os.getpid())
    found = {agent.program_pid: agent for agent in reversed(store.agents.among(above))}
    for pid in above:
        agent = found.get(pid)
        if agent and procs.alive(procs.Process(pid, agent.program_started)):
            return agent
    return None


def _request(asked: Mapping[str, Any], agent: Agent) -> PermissionRequest:
    tool, given = asked["tool_name"], asked["tool_input"]
    cwd, mode = asked["cwd"], asked.get("permission_mode", "")
    if not (isinstance(tool, str) and isinstance(cwd, str) and isinstance(given, dict)):
        raise TypeError("not a permission request")
    return PermissionRequest(tool, given, cwd, agent.directory, str(mode))


def unchanged(path: str, accepted: Accepted) -> bool:
    """Return whether the team file says what it said when it was ``accepted``."""
    try:
        content = read_regular(path, LARGEST_TEAM_FILE_BYTES)
        if content == os.fsencode(accepted.text):
            return True
        return tomllib.loads(content.decode("utf-8")) == tomllib.loads(accepted.text)
    except (OSError, ValueError, RecursionError):
        return False


def decision(rule: PermissionRule) -> bytes:
    """Return the decision of ``rule`` as Claude Code's hook ``PermissionRequest`` takes it."""
    said: dict[str, object] = {"behavior": "allow"}
    if denies(rule):
        words = (
            f"A rule of this project does not allow it (torch.toml, line {rule.line}). Do not try "
            "it in another way: go on without it, or ask the person that you work for."
        )
        said = {"behavior": "deny", "message": words}
    output = {"hookEventName": "PermissionRequest", "decision": said}
    return json.dumps({"hookSpecificOutput": output}).encode()


def _record(
    store: Store,
    agent: Agent,
    team: str,
    request: PermissionRequest,
    found: list[Verdict],
    asked: Mapping[str, Any],
) -> None:
    """Write an event for each verdict, unless this very request has one already."""
    identity = [asked.get("session_id"), asked.get("prompt_id"), request.tool, request.given]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    with store.database.transaction():
        since = time.time() - SAME_SECONDS
        last = store.events.read(since=since, name=agent.name, agent=agent.identity, verbs=[RULE])
        if any(one.detail.get("request") == digest for one in last):
            return
        for verdict in found:
            detail = {
                "decision": verdict.rule.decision,
                "acted": verdict.acts,
                "dry_run": verdict.rule.dry_run,
                "rule": f"{team}:{verdict.rule.line}",
                "tool": request.tool,
                "what": _what(request),
                "cwd": request.cwd,
                "request": digest,
            }
            store.events.insert(RULE, agent.name, detail, agent=agent.identity)


def _what(request: PermissionRequest) -> str:
    """Return what is asked for in one line: the command, the file, or all that is given."""
    for key in ("command", "file_path", "notebook_path", "path", "url"):
        if isinstance(said := request.given.get(key), str):
            return _visible(said)
    return _visible(json.dumps(request.given, ensure_ascii=False))


def _visible(text: str) -> str:
    """Return ``text`` in one line, short and without odd characters."""
    return one_line("".join(char if char.isprintable() else " " for char in text), WHAT)
