"""Whether an agent can be started in an earlier conversation, and the arguments that do it."""

import os
import uuid
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import HeldError, NotFoundError, RefusedError
from torch_cli.programs.conversation import (
    RESUMED,
    held_by,
    holds_anything,
    latest_in,
    said_in,
    transcript_of,
    used_at,
    why_none,
)
from torch_cli.programs.profile import Profile
from torch_cli.programs.program import packaged_version
from torch_cli.programs.setup import numbers
from torch_cli.roster.conversation import changes_are_seen, follow
from torch_cli.store import Store
from torch_cli.store.agents import Agent

LAST = "last"
"""Instead of an id: the conversation of the directory that was written last."""


class Resumable(NamedTuple):
    """An earlier conversation, '' if it cannot be continued, and ``why`` not."""

    conversation: str
    why: str = ""


def earlier(profile: Profile, conversation: str, environ: Mapping[str, str]) -> Resumable:
    """Return the conversation if the program with ``environ`` can continue it."""
    title = profile.title or profile.name
    kind = profile.answer.transcript
    if not profile.launch.resume or kind not in RESUMED:
        return Resumable("", f"the profile '{profile.name}' does not say how {title} continues one")
    if not conversation:
        return Resumable("", "its id is not known")
    path = transcript_of(kind, conversation, environ)
    if not path:
        why = why_none(kind, conversation, environ)
        none = f"{title} has no transcript of {conversation}"
        return Resumable("", f"{none}: {why}" if why else none)
    if not holds_anything(kind, path):
        return Resumable("", f"{title}'s transcript of {conversation} is empty or damaged: {path}")
    return Resumable(conversation)


def chosen(profile: Profile, wanted: str, directory: str, environ: Mapping[str, str]) -> str:
    """Return the id of the conversation ``wanted``: that id, or ``LAST`` for the newest.

    Raises ``RefusedError`` if the program cannot continue it, ``NotFoundError`` if there is none,
    ``HeldError`` if another program has it open. Nothing was started then.
    """
    title, kind = profile.title or profile.name, profile.answer.transcript
    if not profile.launch.resume or kind not in RESUMED:
        raise RefusedError(
            f"the profile '{profile.name}' does not say how {title} continues a conversation; "
            "nothing was started",
            hint="Start it without --resume.",
            code="no-resume",
        )
    found = latest_in(kind, directory, environ) if wanted == LAST else wanted
    path = transcript_of(kind, found, environ) if found else ""
    if not path:
        what = f"conversation '{found}'" if found else f"conversation in {directory}"
        raise NotFoundError(
            f"{title} has no {what}; nothing was started",
            hint="Start it without --resume, or give the id of another one.",
            code="no-conversation",
        )
    if not holds_anything(kind, path):
        raise NotFoundError(
            f"{title}'s transcript of conversation '{found}' is empty or damaged: {path}; nothing "
            "was started",
            hint="Start it without --resume, or give the id of another one.",
            code="no-conversation",
        )
    check_free(profile, found, environ)
    return found


def check_free(
    profile: Profile, conversation: str, environ: Mapping[str, str], but: Container[int] = ()
) -> None:
    """Raise ``HeldError`` if a running program has the conversation open, none of ``but``."""
    pid = held_by(profile.answer.transcript, conversation, environ)
    if pid and pid not in but:
        raise HeldError(
            f"process {pid} has the conversation {conversation} open; nothing was started, because "
            "two programs in one conversation would write over each other",
            hint="End that program first. 'torch ps --json' shows the conversation of each agent.",
            code="in-use",
        )


def own_id(profile: Profile, given: Sequence[str], program: str) -> str:
    """Return an id for the conversation that ``program`` begins with the arguments ``given``.

    '' if it takes none, its version is not known to, or the arguments choose a conversation.
    """
    launch = profile.launch
    if not launch.begin or arguments_for(profile, "", given) != list(given):
        return ""
    if numbers(packaged_version(program)) < numbers(launch.begin_since):
        return ""
    return str(uuid.uuid4())


def check_not_unknown(
    store: Store, profile: Profile, conversation: str, directory: str, environ: Mapping[str, str]
) -> None:
    """Raise ``HeldError`` if an agent may have the conversation open and Torch cannot know that.

    That is one of the same program in that ``directory`` whose own conversation is not known, or
    may have changed unseen, if something was said in this one since its program began.
    """
    kind, where = profile.answer.transcript, os.path.realpath(directory)
    used, agents = used_at(kind, conversation, environ), store.agents.all()
    is_anothers = any(one.conversation == conversation for one in agents)
    for other in agents:
        program = procs.Process(other.program_pid, other.program_started)
        same = other.profile == profile.name and os.path.realpath(other.directory) == where
        if not same or not procs.alive(program):
            continue
        why = "Torch does not know which one it has"
        if follow(store, other).conversation:
            if is_anothers or changes_are_seen(store, other, profile):
                continue
            why = "Torch does not see if its program begins another one, by /clear for example"
        if used >= (procs.begun(program) or other.created):
            raise HeldError(
                f"agent '{other.name}' may have the conversation {conversation} open: {why}, and "
                "this one was used since it was started; nothing was started",
                hint=f"End that one first: torch stop {other.name}. Or start it without --resume.",
                code="in-use",
            )


def check_alone(store: Store, name: str, conversation: str) -> None:
    """Raise ``HeldError`` if an agent other than ``name`` runs in the conversation."""
    other = agent_in(store, name, conversation)
    if other is not None:
        raise HeldError(
            f"agent '{other.name}' has the conversation {conversation} open; nothing was started, "
            "because two programs in one conversation would write over each other",
            hint=f"End that one first: torch stop {other.name}",
            code="in-use",
        )


def agent_in(store: Store, name: str, conversation: str) -> Agent | None:
    """Return an agent other than ``name`` whose program runs in the conversation, if one does."""
    for other in store.agents.all():
        same = other.conversation == conversation and other.name != name
        if same and procs.alive(procs.Process(other.program_pid, other.program_started)):
            return other
    return None


def arguments_for(profile: Profile, conversation: str, given: Sequence[str]) -> list[str]:
    """Return the arguments that continue a conversation, and then those ``given`` that still hold.

    With no conversation, ``given`` without those that choose one.
    """
    rest, skips = [], False
    replaced = profile.launch.resume_replaces
    for word in given:
        if skips and not word.startswith("-"):
            skips = False
            continue
        skips = f"{word}=" in replaced
        if skips or word in replaced or f"{word.partition('=')[0]}=" in replaced:
            continue
        rest.append(word)
    start = [word.replace("{id}", conversation) for word in profile.launch.resume]
    return [*(start if conversation else []), *rest]


def without_said(
    profile: Profile, conversation: str, given: Sequence[str], environ: Mapping[str, str]
) -> list[str]:
    """Return the arguments without the messages that the conversation has already.

    A program may have been started with its first message as an argument. It is not said again.
    Only an argument of several words, or the last one, counts as a message.
    """
    kind = profile.answer.transcript
    path = transcript_of(kind, conversation, environ)
    said = {text.strip() for text in said_in(kind, path, conversation)} if path else set()
    last = len(given) - 1
    return [
        word
        for at, word in enumerate(given)
        if word.startswith("-") or word.strip() not in said or not (" " in word or at == last)
    ]
