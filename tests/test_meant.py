"""A command that Torch does not have is refused, with what may have been meant."""

import click
import pytest

from conftest import Torch
from torch_cli.cli.group import torch as group
from torch_cli.cli.meant import ELSEWHERE, meant


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("kill", "dev"), "Did you mean 'torch stop'?"),
        (("list",), "Did you mean 'torch ps'?"),
        (("logs", "dev"), "Did you mean 'torch log' or 'torch capture'?"),
        (("new", "dev"), "Did you mean 'torch spawn'?"),
        (("rm", "dev"), "Did you mean 'torch stop' or 'torch retire'?"),
        (("restore", "shop.py"), "Did you mean 'torch checkpoint restore'?"),
        (("tell", "dev", "hello"), "Did you mean 'torch send'?"),
        (("spwan", "dev"), "Did you mean 'torch spawn'?"),
        (("xyzzy",), "See 'torch --help'."),
        (("outbox", "ls"), "Did you mean 'torch outbox list'?"),
        (("profile", "delete", "x"), "Did you mean 'torch profile remove'?"),
        (("task", "lst"), "Did you mean 'torch task list'?"),
        (("task", "xyzzy"), "See 'torch task --help'."),
    ],
)
def test_an_unknown_command_does_nothing_and_says_what_was_meant(
    torch: Torch, words: tuple[str, ...], said: str
) -> None:
    done = torch(*words)
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.endswith("; nothing was done")
    assert second.strip() == said
    as_json = torch(*words, "--json").json["error"]
    assert (as_json["code"], as_json["hint"]) == ("usage", said)


def test_what_is_proposed_exists_and_what_exists_is_not_asked_about() -> None:
    context = click.Context(group)
    known = group.list_commands(context)
    assert not set(ELSEWHERE) & set(known)
    for proposed in {one for several in ELSEWHERE.values() for one in several}:
        first, *rest = proposed.split()
        command = group.get_command(context, first)
        assert command is not None, proposed
        if rest and not rest[0].startswith("-"):
            assert isinstance(command, click.Group)
            assert rest[0] in command.list_commands(context), proposed
        elif rest:
            assert rest[0] in [opt for param in command.params for opt in param.opts], proposed


def test_a_verb_of_the_same_kind_comes_before_a_close_name() -> None:
    known = ["list", "now", "restore", "show"]
    assert meant("create", known, "checkpoint") == "Did you mean 'torch checkpoint now'?"
    assert meant("removee", ["remove", "cancel"], "checkin") == (
        "Did you mean 'torch checkin remove'?"
    )
    assert meant("rm", ["list", "cancel"], "outbox") == "Did you mean 'torch outbox cancel'?"
    assert meant("xyzzy", ["list"], "outbox") == ""
