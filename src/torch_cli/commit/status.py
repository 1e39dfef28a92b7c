"""What an agent last said about its work, as the message of a commit."""

from torch_cli.delivery.kinds import read_form
from torch_cli.git.worktree import Worktree
from torch_cli.store import Store

SUBJECT_CHARACTERS = 72
"""The most characters of a subject, by git's convention."""


def last_status(store: Store, worktree: Worktree, agent: str) -> str:
    """Return a message made from the agent's last STATUS, '' if it has sent none since HEAD.

    Its first line is ``Progress:`` and what the status says is done.
    """
    known = store.agents.get(agent) if agent else None
    message = store.messages.last_said(known.identity, "status") if known else None
    if message is None:
        return ""
    head = worktree.git().run("log", "-1", "--format=%ct %s", "HEAD", "--", status=(0, 128))
    at, _, last = head.decode("utf-8", "replace").strip().partition(" ")
    if message.created < float(at or 0):
        return ""
    done = read_form("status", message.body).get("done", "").partition("\n")[0].strip()
    if not done:
        return ""
    subject = f"Progress: {done}"
    body = ""
    if len(subject) > SUBJECT_CHARACTERS:
        subject, body = f"{subject[: SUBJECT_CHARACTERS - 1].rstrip()}…", f"\n\n{done}"
    # Git's times are of whole seconds: HEAD may have been committed after this, and say it.
    if message.created < float(at or 0) + 1 and subject == last:
        return ""
    return f"{subject}{body}"
