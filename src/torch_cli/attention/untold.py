"""Telling a person at a command that an agent needs them, where no daemon tells it: once."""

import time

from torch_cli.attention.account import is_refused
from torch_cli.attention.history import Change, digest_of, key_in, key_of_state
from torch_cli.attention.mute import muted_until
from torch_cli.attention.needs import Need, needs
from torch_cli.attention.notices import words_of
from torch_cli.attention.told import TOLD
from torch_cli.roster.account import account_of
from torch_cli.store import Store
from torch_cli.store.lease import HolderKind
from torch_cli.tmux.socket import Socket

TELL_VERB = "tell"
"""The verb of the event that keeps what was said."""

SAID_AGAIN_SECONDS = 3600.0
"""Seconds for which the same is not said again. Without a scheduler nobody knows whether it was
over in between."""


def untold(store: Store) -> str:
    """Return what a person is told of agents that need them, in one line; '' if nothing.

    It is nothing while a daemon works, which tells it, and of what was said within
    ``SAID_AGAIN_SECONDS``, to whomever. Raises ``TorchError`` if an agent cannot be looked at.
    """
    held, now = store.lease.current(), time.time()
    if (held is not None and held.kind is HolderKind.DAEMON) or not store.agents.any():
        return ""
    muted = muted_until(store, now)
    said = store.events.read(verbs=[TELL_VERB], since=now - SAID_AGAIN_SECONDS)
    known = {(event.agent, key_in(event)) for event in said}
    accounts = {str(event.detail["account"]) for event in said if "account" in event.detail}
    found = [
        one
        for one in needs(store, Socket())
        if one.urgent
        and one.state.state.shown in TOLD
        and one.agent.identity not in muted
        and (one.agent.identity, _key(one)) not in known
        and not (is_refused(one.state.state) and account_of(one.agent) in accounts)
    ]
    for one in found:
        seen = one.state.state
        detail = {"state": str(seen.shown), "asked": digest_of(seen)}
        if is_refused(seen):
            detail["account"] = account_of(one.agent)
        store.events.add(TELL_VERB, one.agent.name, detail, agent=one.agent.identity)
    changes = [Change(one.agent, one.state.state, one.asked, one.since or now) for one in found]
    return words_of(changes) if changes else ""


def _key(need: Need) -> str:
    return key_of_state(need.state.state)
