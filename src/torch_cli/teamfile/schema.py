"""The keys of ``torch.toml`` as data, for reading, checking, and the published JSON schema."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch_cli import duration
from torch_cli.errors import RefusedError
from torch_cli.number import LARGEST_NUMBER
from torch_cli.roster.rest import policy_of
from torch_cli.store.health import DEFAULT, STALLED

STRATEGIES = ("least-loaded", "best-skilled", "round-robin", "sticky-to-directory")
RESTARTS = ("never", "on-failure", "always")


class Key(NamedTuple):
    """A key. ``read`` converts its value, or raises ``ValueError`` with a sentence.

    ``schema`` is its type in JSON Schema, ``about`` says what it is for.
    """

    read: Callable[[Any], Any]
    schema: dict[str, Any]
    about: str
    required: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if "\0" in value:
        raise ValueError("cannot contain a NUL character")
    return value


def _word(value: Any) -> str:
    if not _text(value).strip():
        raise ValueError("must not be empty")
    return str(value)


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('must be a list of texts, for example ["a", "b"]')
    return tuple(_text(one) for one in value)


def _command(value: Any) -> tuple[str, ...]:
    words = _words(value)
    if not words or not words[0]:
        raise ValueError('must be a list of words, for example ["npm", "run", "dev"]')
    return words


def _patterns(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise ValueError('must be a text or a list of texts, for example ["a", "b"]')
    return tuple(_word(one) for one in value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _port(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise ValueError("must be a port, 1 to 65535")
    return value


def _seconds(value: Any) -> float:
    try:
        return duration.parse(_text(value))
    except RefusedError as error:
        raise ValueError(f"must be a duration, for example 90s or 2m: {error.message}") from error


def _restart(value: Any) -> str:
    if value not in RESTARTS:
        raise ValueError(f"must be one of {', '.join(RESTARTS)}")
    return str(value)


def _stalled(value: Any) -> str:
    if value not in STALLED:
        raise ValueError(f"must be one of {', '.join(STALLED)}")
    return str(value)


def _hibernate(value: Any) -> str:
    try:
        return policy_of(_word(value)) if value != DEFAULT else _word("")
    except RefusedError as error:
        raise ValueError(f'must be a time of at least 1m, or "never": {error.message}') from error


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('must be a table, for example { NAME = "value" }')
    return {name: _text(one) for name, one in value.items()}


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise ValueError(f"must be a number, 0 to {LARGEST_NUMBER}")
    return value


_COUNT = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}


def _edges(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ValueError('must be a table, for example { developer = ["parent"] }')
    return {name: _words(one) for name, one in value.items()}


def _strategy(value: Any) -> str:
    if value not in STRATEGIES:
        raise ValueError(f"must be one of {', '.join(STRATEGIES)}")
    return str(value)


_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING}
_VARIABLES = {"type": "object", "additionalProperties": _STRING}

NAME_KEY = Key(_word, _STRING, "Its name, unique in the file.", required=True)
_DIRECTORY = Key(_word, _STRING, "Its directory, relative to this file's directory.")
_ENVIRONMENT = Key(_environment, _VARIABLES, "Variables; a value may have several lines.")
_ENV_FILES = Key(_words, _STRINGS, "dotenv files, relative to this file's directory.")
_AFTER = Key(_words, _STRINGS, "The members that must be ready before it.")
_AUTOSTART = Key(
    _yes_or_no, {"type": "boolean"}, "Whether 'torch up' starts it; if false, --only starts it."
)
_RESTART = Key(
    _restart,
    {"enum": list(RESTARTS)},
    "When the daemon restarts it; default: never.",
)

TEAM = {
    "name": Key(_word, _STRING, "The team's name; default: the directory's."),
    "session": Key(_word, _STRING, "The tmux session; default: the team's name."),
    "max_agents": Key(
        _count, _COUNT, "The most agents; at that number agents start no more; default: 16."
    ),
    "max_depth": Key(
        _count, _COUNT, "How many levels agents may be below a person's agent; default: 4."
    ),
    "spawners": Key(_words, _STRINGS, "The roles that may start agents; default: all."),
}
AGENT = {
    "name": NAME_KEY,
    "role": Key(_text, _STRING, "Its role; also its briefing, unless that is given."),
    "profile": Key(_word, _STRING, "Its program's profile; default: claude."),
    "dir": _DIRECTORY,
    "worktree": Key(
        _word, _STRING, "A branch: the agent works in a git worktree beside the project."
    ),
    "parent": Key(_word, _STRING, "Its parent: the agent that it answers to."),
    "briefing": Key(_text, _STRING, "A briefing's name, or a file; '' for none."),
    "model": Key(_word, _STRING, "The model, given to the program as --model."),
    "args": Key(_words, _STRINGS, "More arguments for the program."),
    "skills": Key(_words, _STRINGS, "Its skills, for giving out tasks."),
    "env": _ENVIRONMENT,
    "env_files": _ENV_FILES,
    "after": _AFTER,
    "autostart": _AUTOSTART,
    "restart": _RESTART,
    "stalled": Key(
        _stalled,
        {"enum": list(STALLED)},
        "What the daemon does if it makes no progress; default: tell.",
    ),
    "hibernate": Key(
        _hibernate,
        _STRING,
        "How long it is idle and unseen until its program is ended, and a message wakes it, or "
        '"never"; default: as [health] in config.toml says.',
    ),
    "resume": Key(
        _yes_or_no,
        {"type": "boolean"},
        "Whether it continues its conversation if it has ended and starts again; default: true.",
    ),
}
PROCESS = {
    "name": NAME_KEY,
    "command": Key(
        _command, {**_STRINGS, "minItems": 1}, "The program and its arguments.", required=True
    ),
    "dir": _DIRECTORY,
    "port": Key(
        _port,
        {"type": "integer", "minimum": 1, "maximum": 65535},
        "It is ready when this port is open on this machine.",
    ),
    "ready": Key(_word, _STRING, "It is ready when its screen shows this text."),
    "timeout": Key(_seconds, _STRING, "The most time until it is ready; default: 60s."),
    "env": _ENVIRONMENT,
    "env_files": _ENV_FILES,
    "after": _AFTER,
    "autostart": _AUTOSTART,
    "restart": _RESTART,
}
AGREEMENT = {
    "may_message": Key(
        _edges,
        {"type": "object", "additionalProperties": _STRINGS},
        'Who may write to whom: for a role or name, a list of names, roles, "parent", "*". '
        "Answers are always allowed.",
    ),
    "ack_within": Key(_seconds, _STRING, "How long a briefing may stay unacknowledged."),
    "blocked_at_most": Key(
        _seconds, _STRING, "How long a task may be blocked without an escalation."
    ),
    "exchanges_at_most": Key(_count, _COUNT, "The most answers in a thread without an escalation."),
    "uncommitted_at_most": Key(_seconds, _STRING, "How old a change may be that is in no commit."),
    "research_after": Key(
        _count,
        _COUNT,
        "At which try of a task a question must have been asked; failed checks count.",
    ),
    "one_topic": Key(_yes_or_no, {"type": "boolean"}, "A message is about at most one task."),
    "enforce": Key(
        _yes_or_no, {"type": "boolean"}, "Refuse what may_message forbids, from 'torch up' on."
    ),
    "remind": Key(
        _yes_or_no, {"type": "boolean"}, "Whether agents are told of their breaches; default: true."
    ),
    "parent_after": Key(
        _seconds, _STRING, "How long after its reminder an agent's parent is told; default: 5m."
    ),
}
TASKS = {
    "route": Key(_yes_or_no, {"type": "boolean"}, "Whether the daemon gives out tasks."),
    "strategy": Key(
        _strategy, {"enum": list(STRATEGIES)}, "How to rank the agents that can take a task."
    ),
    "roles": Key(_words, _STRINGS, "The roles that get tasks; default: all."),
}
_ONES_OWN = ("name", "role", "worktree", "autostart", "restart", "stalled", "hibernate", "resume")
POOL = {
    "role": Key(_word, _STRING, "The role of its agents; also their briefing.", required=True),
    "name": Key(_word, _STRING, "Its agents are named NAME-1, NAME-2 …; default: the role."),
    "min": Key(_count, _COUNT, "How many agents run from the start; default: 1."),
    "max": Key(_count, _COUNT, "The most agents.", required=True),
    "wait": Key(
        _seconds, _STRING, "How long a task waits until the pool grows by one; default: 2m."
    ),
    "idle": Key(_seconds, _STRING, "How long an agent is idle until it is retired; default: 15m."),
    "memory_mib": Key(
        _count,
        _COUNT,
        "The memory that one agent takes, until a running one shows more; default: 400.",
    ),
    "headroom_mib": Key(_count, _COUNT, "Memory of the machine that stays free; default: 1024."),
    "worktrees": Key(
        _yes_or_no,
        {"type": "boolean"},
        "Whether each agent works in a git worktree, on a branch with its name.",
    ),
    **{name: key for name, key in AGENT.items() if name not in _ONES_OWN},
}
_PATTERNS = {"oneOf": [_STRING, {**_STRINGS, "minItems": 1}]}
RULE_TABLE = {
    "tool": Key(
        _patterns, _PATTERNS, "The tools, as the program names them: Bash, Edit, mcp__SERVER__*."
    ),
    "command": Key(
        _patterns, _PATTERNS, "Patterns for the command, word by word: 'git status*'. Tool: Bash."
    ),
    "dir": Key(
        _word,
        _STRING,
        "Where the files or the command are, relative to this file's directory; default of an "
        "allow: the agent's own directory.",
    ),
    "dry_run": Key(
        _yes_or_no, {"type": "boolean"}, "Answer nothing, and only write down what it would do."
    ),
}
TABLES: dict[str, dict[str, Key]] = {
    "team": TEAM,
    "agreement": AGREEMENT,
    "agent": AGENT,
    "process": PROCESS,
    "pool": POOL,
    "tasks": TASKS,
    "allow": RULE_TABLE,
    "deny": RULE_TABLE,
}
"""The tables of the file. All but ``team``, ``agreement`` and ``tasks`` may occur repeatedly."""


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "torch.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "team": _object(TEAM),
            "agreement": _object(AGREEMENT),
            "agent": {"type": "array", "items": _object(AGENT)},
            "process": {"type": "array", "items": _object(PROCESS)},
            "pool": {"oneOf": [_object(POOL), {"type": "array", "items": _object(POOL)}]},
            "tasks": _object(TASKS),
            "allow": {"type": "array", "items": _object(RULE_TABLE)},
            "deny": {"type": "array", "items": _object(RULE_TABLE)},
        },
    }


def _object(keys: dict[str, Key]) -> dict[str, Any]:
    required = [name for name, key in keys.items() if key.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {n: {**key.schema, "description": key.about} for n, key in keys.items()},
        **({"required": required} if required else {}),
    }
