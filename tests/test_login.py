"""A login that was refused is one fact for all agents of its account."""

import os
from functools import partial
from pathlib import Path

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import wait_until
from test_notices import change, errors, keep_in, kept, notices, wait_for_state
from test_turn import Start, start
from torch_cli.attention.history import Change
from torch_cli.attention.notices import Notice, Notices
from torch_cli.attention.untold import untold
from torch_cli.delivery.post import word_to
from torch_cli.programs.state import State
from torch_cli.programs.trouble import error_of
from torch_cli.roster.account import account_of, refused_login
from torch_cli.store import Store
from torch_cli.tasks.assignment import Rules, candidates

__all__ = ["errors", "notices", "start"]  # fixtures

REFUSED = error_of("Please run /login · API Error: 401 no", "authentication_failed", "hook")


def refused(name: str) -> Change:
    one = change(name, State.IDLE)
    state = one.state._replace(trouble=REFUSED, evidence="authentication: no")
    return one._replace(agent=one.agent._replace(program_pid=os.getpid()), state=state)


ALIVE = {f"a-{name}": refused(name).agent for name in ("one", "two", "three")}


def told(notices: Notices) -> Notice | None:
    """Return what is told until nothing is left to be told."""
    found = None
    while notices.busy:
        found = notices.tell(ALIVE, {}) or found
    return found


def went_on(name: str) -> Change:
    one = refused(name)
    return one._replace(state=one.state._replace(trouble=None), before="working")


def fail(demo: DemoAgent, words: str = "401 no") -> None:
    assert demo.send(f"ERROR({words})").code == 0
    demo.wait_for("error")


def test_the_first_agent_is_told_of_and_the_others_are_not(notices: Notices) -> None:
    notices.take([refused("one")])
    notice = told(notices)
    assert notice is not None
    words = "one (work:one) needs you to log in again (torch status): authentication: no"
    assert notice.words == words
    notices.take([refused("two"), change("three", State.WAITING)])
    notice = told(notices)
    assert notice is not None
    assert notice.agents == ("three",)
    notices.take([went_on("two")])
    assert told(notices) is None
    notices.take([refused("one")])
    notice = told(notices)
    assert notice is not None, "it was refused anew"
    assert notice.agents == ("one",)


def test_all_that_were_refused_are_in_one_notice(notices: Notices) -> None:
    """Also those that have not stood for long enough to be told of alone."""
    notices.take([refused("one"), refused("two")])
    notices._pending = {
        one: what._replace(at=what.at + (3600 if one == "a-two" else 0))
        for one, what in notices._pending.items()
    }
    notice = wait_until(lambda: notices.tell(ALIVE, {}), what="the notice")
    assert notice is not None
    words = "the login of 2 agents was refused (torch status): one, two: authentication: no"
    assert (notice.agents, notice.words) == (("one", "two"), words)
    assert not notices.busy


def test_an_account_that_nobody_uses_any_more_is_forgotten(notices: Notices) -> None:
    notices.take([refused("one")])
    assert told(notices) is not None
    notices.tell({}, {})
    notices.take([refused("two")])
    assert told(notices) is not None


def test_where_a_login_is_kept_and_which_key_is_given_make_an_account(
    start: Start, tmp_path: Path
) -> None:
    def account(profile: str = "claude", **environ: str) -> str:
        process = start(tmp_path, HOME="/h", **environ)
        agent = refused("one").agent
        return account_of(agent._replace(program_pid=process.pid, profile=profile))

    plain = account(LANG="C")
    assert plain == account(LANG="de")
    others = [
        account(CLAUDE_CONFIG_DIR="/other"),
        account(ANTHROPIC_API_KEY="one"),
        account(ANTHROPIC_API_KEY="two"),
        account("codex"),
    ]
    assert len({plain, *others}) == 5
    assert not any("one" in each for each in others)
    gone = refused("x").agent._replace(program_pid=2**22 + 1)
    assert account_of(gone) == gone.identity


def test_a_refused_login_is_told_once_for_all_agents_of_an_account(
    demo: DemoAgent, tmp_path: Path
) -> None:
    file = tmp_path / "notices"
    keep_in(file, 'cooldown = "0.1s"')
    second = spawn_demo(demo.tmux, demo.torch, tmp_path / "2", "--work", "0", name="second")
    scheduler.start(demo.torch)
    for one in (demo, second):
        wait_for_state(one, "idle")
    fail(demo)
    (first,) = wait_until(lambda: kept(file), what="the notice")
    assert "needs you to log in again" in first["words"]
    assert (first["agents"][0]["state"], first["agents"][0]["error"]["code"]) == ("error", 401)
    fail(second)
    wait_for_state(second, "error")
    fail(second, "500 no")  # another fact
    found = wait_until(lambda: kept(file)[1:], what="what is told next")
    assert ["500 no" in each["words"] for each in found] == [True]


def has_torchs_words(demo: DemoAgent) -> bool:
    return any("Torch's words" in text for text in demo.submitted())


def test_a_refused_login_holds_what_no_person_sends_to_all_agents_of_its_account(
    demo: DemoAgent, tmp_path: Path
) -> None:
    """What a person sends goes out, and once a turn ends as it should, so does the rest."""
    second = spawn_demo(demo.tmux, demo.torch, tmp_path / "2", "--work", "0", name="second")
    scheduler.start(demo.torch)
    for one in (demo, second):
        wait_for_state(one, "idle")
    fail(demo)
    wait_for_state(demo, "error")
    with Store() as store:
        known = {agent.name: agent for agent in store.agents.all()}
        assert refused_login(store, known["second"].identity) == "demo"
        (line,) = [one for one in candidates(store, [known["second"]], Rules()) if one.name]
        assert "the login of its account was refused (demo)" in line.unreachable
        for name in ("demo", "second"):
            store.messages.accept(word_to(known[name], f"Torch's words to {name}", None))

    def reasons() -> set[str]:
        with Store() as store:
            waiting = [store.messages.waiting(one.identity) for one in known.values()]
        return {one.reason.partition(";")[0] for found in waiting for one in found}

    theirs = "login: the login of agent 'demo', which has the same account, was refused"
    wait_until(lambda: reasons() == {"login: the login was refused", theirs}, what="the reasons")
    assert demo.torch("send", "second", "Does it work again?").code == 0
    for one in (demo, second):
        wait_until(partial(has_torchs_words, one), what="what was held")
    assert "Does it work" in second.submitted()[0]


def test_at_a_command_it_is_said_once_for_all(demo: DemoAgent, tmp_path: Path) -> None:
    second = spawn_demo(demo.tmux, demo.torch, tmp_path / "2", "--work", "0", name="second")
    with Store() as store:
        fail(demo)
        assert "needs you to log in again" in untold(store)
        fail(second)
        assert untold(store) == ""
        fail(second, "500 no")
        assert untold(store).startswith("second ")
