"""How a person starts anew what Torch cannot restart: an agent that was adopted."""

import shlex

from torch_cli.store.agents import Agent

OTHER = "other"
"""The profile of programs that no profile knows."""


def spawn_words(agent: Agent) -> tuple[str, ...]:
    """Return the words that start an agent as ``agent`` is: its directory, program, conversation.

    None for a program that no profile knows, because those words do not name it.
    """
    if agent.profile == OTHER:
        return ()
    words = ["torch", "spawn", agent.name, "--profile", agent.profile]
    words += ["--dir", agent.directory] if agent.directory else []
    words += ["--resume", agent.conversation] if agent.conversation else []
    return tuple(words)


def spawn_hint(agent: Agent, *options: str) -> str:
    """Return what a person does about an adopted agent that Torch cannot restart.

    ``options`` are more words of ``torch spawn``.
    """
    words = spawn_words(agent) or ("torch", "spawn", agent.name)
    how = shlex.join([*words, *options]) + ("" if spawn_words(agent) else " -- PROGRAM")
    return f"End it, and start it with Torch: {how}"
