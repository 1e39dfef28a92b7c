"""Telling a person that an agent needs them: once, not of old news, not while they look."""

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import scheduler
from agent import DemoAgent, spawn_demo
from conftest import PATIENCE, TMUX_VERSION, wait_until
from test_move import looking
from torch_cli import procs
from torch_cli.attention import notices as notices_module
from torch_cli.attention.channels import ChannelProgram, Programs, desktop_command
from torch_cli.attention.history import Change
from torch_cli.attention.notices import MOST_LISTED, Notice, Notices, notice_object
from torch_cli.attention.notify_settings import NotifySettings, load_notify_settings
from torch_cli.attention.quiet import Quiet, parse_quiet
from torch_cli.attention.told import SEVERITIES, TOLD
from torch_cli.errors import RefusedError, TorchError
from torch_cli.intervals import Intervals
from torch_cli.programs.asked import NOTHING
from torch_cli.programs.state import AgentState, State
from torch_cli.schedule.passes import Passes
from torch_cli.settings import settings_file
from torch_cli.store import Store
from torch_cli.store.agents import Agent

NOTHING_GIVEN: Mapping[str, Any] = {}

KEPT = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def configure(words: str) -> None:
    Path(settings_file()).parent.mkdir(parents=True, exist_ok=True)
    Path(settings_file()).write_text(f"[notify]\n{words}\n")


def keep_in(file: Path, also: str = "") -> None:
    """Have notices kept in ``file``, after a very short time."""
    command = json.dumps([sys.executable, "-c", KEPT, str(file)])
    configure(f'command = {command}\ndwell = "0.1s"\n{also}')


def kept(file: Path) -> list[dict[str, Any]]:
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def wait_for_state(demo: DemoAgent, state: str) -> None:
    """Wait until the history has the agent in ``state``."""

    def last() -> str:
        with Store() as store:
            event = store.events.last_state(store.agents.all()[0].identity)
        return str(event.detail["state"]) if event else ""

    wait_until(lambda: last() == state, what=state, screen=demo.screen)


def logged(demo: DemoAgent) -> list[dict[str, Any]]:
    return [json.loads(line) for line in demo.torch("daemon", "logs", "-n", "999").out.splitlines()]


# -- the whole way ---------------------------------------------------------------------------------


def test_a_person_is_told_of_a_question_and_then_of_an_end(demo: DemoAgent, tmp_path: Path) -> None:
    file = tmp_path / "notices"
    keep_in(file, 'cooldown = "0.1s"')
    demo.tmux.new_session("other", "cat")
    where = f"{demo.name} (agents:{demo.name})"
    with looking(demo.tmux, "other") as terminal:
        scheduler.start(demo.torch)
        wait_for_state(demo, "idle")
        demo.open_dialog()
        (notice,) = wait_until(lambda: kept(file), what="the notice")
        hashed = demo.torch("state", demo.name, "--json").json["dialog"]["hash"]
        demo.kill()
        ended = wait_until(lambda: kept(file)[1:], what="the second notice")
        said = demo.tmux.cmd("show-messages", "-t", terminal)
    words = f"{where} waits for your answer (torch answer demo): Do you want to proceed?"
    assert notice["schema"] == "torch.notice/1"
    assert notice["words"].startswith(words)
    assert words in said or TMUX_VERSION < (3, 3), "display-message takes no client there"
    (agent,) = notice["agents"]
    assert (agent["name"], agent["state"]) == (demo.name, "waiting")
    assert (agent["question"], agent["dialog"]) == ("Do you want to proceed?", hashed)
    assert agent["options"][0] == {"key": "1", "words": "Yes"}
    assert [one["words"].partition(" (torch status)")[0] for one in ended] == [f"{where} has ended"]
    wait_until(lambda: [one["event"] for one in logged(demo)].count("notice") == 2, what="the log")
    assert "Do you want" not in json.dumps(logged(demo)), "no text of others"
    assert [one for one in logged(demo) if one["level"] == "error"] == []


def test_what_was_so_before_the_daemon_is_no_news(demo: DemoAgent, tmp_path: Path) -> None:
    """A question, and the end of a program that nobody had seen end."""
    file = tmp_path / "notices"
    keep_in(file)
    other = spawn_demo(demo.tmux, demo.torch, tmp_path / "other", name="other")
    demo.open_dialog()
    wrote = int(demo.tmux.cmd("display-message", "-p", "-t", demo.pane.id, "#{window_activity}"))
    wait_until(lambda: time.time() > wrote + 1, what="the next second: tmux tells no less")
    other.kill()
    scheduler.start(demo.torch)
    wait_until(
        lambda: {"waiting", "dead"} <= {one["state"] for one in written(demo)}, what="both states"
    )
    third = spawn_demo(demo.tmux, demo.torch, tmp_path / "third", name="third")
    wait_until(lambda: "third" in {one["name"] for one in written(demo)}, what="the third")
    third.open_dialog()
    wait_until(lambda: kept(file), what="news")
    assert [one["agents"][0]["name"] for one in kept(file)] == ["third"]


def written(demo: DemoAgent) -> list[dict[str, str]]:
    lines = demo.torch("events", "--kind", "state", "--json").out.splitlines()[:-1]
    found = [json.loads(line) for line in lines]
    return [{"name": one["target"], "state": one["detail"]["state"]} for one in found]


def test_a_command_that_hangs_holds_up_nothing(demo: DemoAgent, tmp_path: Path) -> None:
    """Neither the next states, nor messages, nor the end of the daemon, with which it ends."""
    pid = tmp_path / "pid"
    script = f"echo $$ > {shlex.quote(str(pid))}.new; mv {pid}.new {pid}; exec sleep 1000"
    command = json.dumps(["/bin/sh", "-c", script])
    configure(f'command = {command}\ndwell = "0.1s"\ntimeout = "1h"')
    daemon = scheduler.start(demo.torch)
    wait_for_state(demo, "idle")
    demo.open_dialog()
    wait_until(pid.exists, what="the command")
    hung = procs.identify(int(pid.read_text()))
    dialog = demo.torch("state", demo.name, "--json").json["dialog"]["hash"]
    assert demo.torch("press", demo.name, "2", "--dialog", dialog).code == 0
    wait_for_state(demo, "idle")
    assert demo.send("hello").code == 0
    assert hung is not None
    assert procs.alive(hung)
    assert daemon.stop() == 0
    wait_until(lambda: not procs.alive(hung), what="its end")


def test_a_tick_tells_nobody(demo: DemoAgent, tmp_path: Path) -> None:
    file = tmp_path / "notices"
    keep_in(file)
    assert demo.torch("tick", "--quiet").code == 0
    demo.open_dialog()
    assert demo.torch("tick", "--quiet").code == 0
    assert written(demo)[-1]["state"] == "waiting"
    assert kept(file) == []


# -- programs --------------------------------------------------------------------------------------


def program(command: tuple[str, ...], given: Mapping[str, Any] = NOTHING_GIVEN) -> ChannelProgram:
    return ChannelProgram("command", command, given, command[0])


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    programs, pids = Programs(), tmp_path / "pids"
    script = f"sleep 1000 & echo $! $$ > {shlex.quote(str(pids))}.new; mv {pids}.new {pids}; wait"
    began = time.monotonic()
    programs.start(program(("/bin/sh", "-c", script), {"words": "x" * 1_000_000}), 0.5)
    assert time.monotonic() - began < PATIENCE, "nobody read it, and nobody waited"
    wait_until(pids.exists)
    found = [procs.identify(int(pid)) for pid in pids.read_text().split()]
    (error,) = wait_until(programs.check, what="the end of its time")
    assert "did not end within 0.5 s, and was killed" in error.message
    assert not programs.running
    wait_until(lambda: not any(procs.alive(one) for one in found if one), what="their end")


def test_the_whole_notice_is_on_standard_input(tmp_path: Path) -> None:
    """However long it is: a pipe would take 16 or 64 KiB."""
    file, programs = tmp_path / "notice", Programs()
    many = [change(f"agent-{number}", State.WAITING) for number in range(1000)]
    long = many[0].asked._replace(about=("x" * 10_000,))
    notice = notice_object([one._replace(asked=long) for one in many], "words")
    programs.start(program((sys.executable, "-c", KEPT, str(file)), notice), PATIENCE)
    while programs.running:
        assert programs.check() == []
    assert kept(file) == [notice]
    assert (notice["count"], len(notice["agents"])) == (1000, MOST_LISTED)
    assert file.stat().st_size > 65_536


def test_a_program_that_fails_is_reported_with_its_words() -> None:
    programs = Programs()
    programs.start(program(("/bin/sh", "-c", "echo no such bus >&2; exit 3")), PATIENCE)
    (error,) = wait_until(programs.check, what="its end")
    assert error.message == "'/bin/sh' of [notify] ended with status 3: no such bus"
    with pytest.raises(TorchError, match="cannot be started"):
        programs.start(program(("/nowhere/x",)), PATIENCE)
    for _ in range(4):
        programs.start(program(("sleep", "1000")), PATIENCE)
    with pytest.raises(TorchError, match="4 programs of \\[notify\\] have not ended"):
        programs.start(program(("sleep", "1000")), PATIENCE)
    programs.close()


def test_a_program_that_says_much_is_not_held_up() -> None:
    programs = Programs()
    programs.start(program(("/bin/sh", "-c", "head -c 500000 /dev/zero >&2; exit 1")), PATIENCE)
    (error,) = wait_until(programs.check, what="its end")
    assert "ended with status 1" in error.message


def test_a_program_that_fails_is_tried_again_and_not_for_ever() -> None:
    """It may hang, too: it is killed first."""
    programs = Programs((0.0,))
    programs.start(program(("sleep", "1000")), 0.2, ["a-one"])
    said = list[str]()
    while programs.running:
        said += [error.message for error in programs.check()]
    killed = "'sleep' of [notify] did not end within 0.2 s, and was killed"
    assert said == [f"{killed}; it is tried again in 0 s", killed]
    programs = Programs((0.0, 0.1))
    programs.start(program(("/bin/false",)), PATIENCE, ["a-one"])
    said = []
    while programs.running:
        said += [error.message for error in programs.check()]
    ended = "'/bin/false' of [notify] ended with status 1"
    again = [f"{ended}; it is tried again in {pause} s" for pause in ("0", "0.1")]
    assert said == [*again, ended]


def test_what_is_over_is_not_told_by_another_try(notices: Notices) -> None:
    configure(f'{SOON}cooldown = "0.01s"\ncommand = ["/bin/false"]')

    def is_tried_again() -> bool:
        notices.tell(ALIVE, {})
        return bool(notices._programs._waiting)

    for is_stopped in (False, True):
        notices.take([change("one", State.WAITING)])
        wait_until(lambda: notices.tell(alive("one"), {}), what="the notice")
        wait_until(is_tried_again, what="its failure")
        if is_stopped:
            notices.tell(alive("two"), {})
        else:
            notices.take([change("one", State.WORKING)])
        assert not notices.busy


def test_the_desktop_is_told_where_there_is_one(tmp_path: Path) -> None:
    """Its text is never code, an option or markup."""
    for name in ("notify-send", "osascript"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    here = {"PATH": str(tmp_path)}
    words = '--x <b>" & do shell script "touch ran'
    assert desktop_command(words, here, "linux") == (), "no desktop"
    assert desktop_command(words, {"PATH": "/nowhere", "DISPLAY": ":0"}, "linux") == ()
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):
        found = desktop_command(words, {**here, display: "x"}, "linux")
        assert found[-3:-1] == ("--", "Torch")
        assert found[-1] == '--x &lt;b&gt;" &amp; do shell script "touch ran'
    found = desktop_command(words, here, "darwin")
    assert found[0] == str(tmp_path / "osascript")
    assert found[-2:] == ("Torch", words)
    assert not any("touch" in word for word in found[:-1])


# -- the decision ----------------------------------------------------------------------------------


@pytest.fixture
def errors() -> list[TorchError]:
    return []


SOON = 'tmux = false\nbell = false\ndesktop = false\ndwell = "0.01s"\n'


@pytest.fixture
def notices(errors: list[TorchError]) -> Iterator[Notices]:
    configure(f'{SOON}cooldown = "0.01s"')
    one = Notices(100.0, errors.append)
    yield one
    one.close()


def change(name: str, state: State, since: float = 200.0) -> Change:
    agent = Agent(
        *(name, "demo", "spawned", "/nowhere", "s", "%1", 1, "work", name, "/", 1, "1"),
        identity=f"a-{name}",
    )
    return Change(agent, AgentState(state, f"evidence of {name}", "rule"), NOTHING, since)


def alive(*names: str) -> dict[str, Agent]:
    return {f"a-{name}": change(name, State.IDLE).agent for name in names}


ALIVE = alive("one", "two", "three")


def told(notices: Notices) -> Notice | None:
    """Return what is told until nothing is left to be told."""
    found = None
    while notices.busy:
        found = notices.tell(ALIVE, {}) or found
    return found


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.DEAD, "has ended"),
        (State.EXITED, "has ended"),
        (State.UNKNOWN, "needs a look"),
        (State.WAITING, "waits for your answer"),
    ],
)
def test_who_needs_a_person_is_told_once(notices: Notices, state: State, words: str) -> None:
    notices.take([change("one", state)])
    command = "torch answer one" if state is State.WAITING else "torch status"
    said = f"one (work:one) {words} ({command}): evidence of one"
    assert told(notices) == Notice(("one",), said)
    notices.take([])
    assert told(notices) is None


@pytest.mark.parametrize("state", [State.IDLE, State.WORKING, State.STARTING])
def test_what_needs_nobody_is_not_told(notices: Notices, state: State) -> None:
    notices.take([change("one", state)])
    assert not notices.busy


def test_every_state_that_needs_a_person_is_told_of() -> None:
    from torch_cli.attention.groups import GROUP_OF, URGENT

    urgent = {state for state, group in GROUP_OF.items() if group in URGENT}
    assert urgent | {State.LIMITED} == set(TOLD), "and of the limit that ends work for hours"
    assert {told.severity for told in TOLD.values()} <= set(SEVERITIES)


def test_a_limit_of_several_is_not_said_to_need_anybody(notices: Notices) -> None:
    notices.take([change("one", State.LIMITED), change("two", State.LIMITED)])
    found = told(notices)
    assert found is not None
    assert found.words == "2 agents have reached their usage limit (torch status): one, two"


def test_what_is_less_severe_than_wanted_is_not_told(notices: Notices) -> None:
    configure(f'{SOON}severity = "high"')
    notices.take([change("one", State.UNKNOWN), change("two", State.WAITING)])
    assert not notices.busy
    notices.take([change("three", State.DEAD)])
    found = told(notices)
    assert found is not None
    assert found.agents == ("three",)
    assert notice_object([change("one", State.DEAD)], "")["severity"] == "high"
    both = [change("one", State.UNKNOWN), change("two", State.WAITING)]
    assert notice_object(both, "")["severity"] == "normal"


def test_in_quiet_hours_nothing_is_told_until_they_end(
    notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.localtime()
    ends = (clock.tm_hour * 60 + clock.tm_min + 600) % 1440
    begins = (ends - 1200) % 1440
    hours = "-".join(f"{at // 60:02}:{at % 60:02}" for at in (begins, ends))
    configure(f'{SOON}quiet = "{hours}"')
    monkeypatch.setattr(notices_module, "LATER_SECONDS", 0.0)
    notices.take([change("one", State.WAITING), change("two", State.WAITING)])
    wait_until(lambda: all(one.at < time.monotonic() for one in notices._pending.values()))
    for _ in range(3):
        assert notices.tell(ALIVE, {}) is None
    notices.take([change("two", State.WORKING)])
    configure(SOON)
    found = notices.tell(ALIVE, {})
    assert found is not None
    assert found.agents == ("one",), "what still waits"


@pytest.mark.parametrize(
    ("hours", "at", "left"),
    [
        ("22:00-07:00", "21:59", 0),
        ("22:00-07:00", "22:00", 540),
        ("22:00-07:00", "00:30", 390),
        ("22:00-07:00", "06:59", 1),
        ("22:00-07:00", "07:00", 0),
        ("12:30-13:00", "12:45", 15),
        ("12:30-13:00", "13:00", 0),
        ("00:00-23:59", "12:00", 719),
    ],
)
def test_quiet_hours_can_go_on_after_midnight(hours: str, at: str, left: int) -> None:
    moment = time.mktime(time.strptime(f"2026-03-03 {at}", "%Y-%m-%d %H:%M"))
    assert parse_quiet(hours).left(moment) == left * 60
    assert Quiet().left(moment) == 0


def test_what_is_over_or_old_or_stopped_is_not_told(notices: Notices) -> None:
    notices.take([change("one", State.WAITING)])
    notices.take([change("one", State.WORKING)])
    notices.take([change("two", State.WAITING, since=99.0)])
    notices.take([change("four", State.DEAD)])
    assert told(notices) is None


def test_a_clock_that_is_set_back_makes_nothing_old(errors: list[TorchError]) -> None:
    notices = Notices(time.time() + 3600, errors.append)
    notices.take([change("one", State.WAITING)])
    assert notices.busy


def test_a_question_must_stand_and_what_is_unclear_for_longer(notices: Notices) -> None:
    configure(f"{SOON.replace('0.01s', '1h')}")
    now = time.time()
    notices.take([change("one", State.WAITING, now), change("two", State.UNKNOWN, now - 3600)])
    assert notices.tell(ALIVE, {}) is None
    assert notices.busy
    notices.take([change("three", State.WAITING, now - 3600)])
    found = notices.tell(ALIVE, {})
    assert found is not None
    assert found.agents == ("three",), "it has stood for an hour"


def test_an_end_is_told_as_soon_as_its_first_sign_has_stood(notices: Notices) -> None:
    configure(f"{SOON.replace('0.01s', '1h')}")
    now = time.time()
    notices.take([change("one", State.EXITED, now - 3600), change("two", State.WORKING, now)])
    notices.take([change("one", State.DEAD, now), change("two", State.DEAD, now)])
    found = notices.tell(ALIVE, {})
    assert found is not None
    assert found.agents == ("one",), "its pane only says what its hook has said"


def test_an_agent_is_told_of_by_the_name_that_it_has_now(notices: Notices) -> None:
    notices.take([change("one", State.WAITING)])
    found = notices.tell({"a-one": change("two", State.IDLE).agent}, {})
    assert found is not None
    assert found.agents == ("two",)


def test_many_at_once_are_one_notice(notices: Notices) -> None:
    names = [f"n{number}" for number in range(1000)]
    notices.take([change(name, State.WAITING) for name in names])
    found = notices.tell(alive(*names), {})
    assert found is not None
    assert found.agents == tuple(names)
    assert found.words == "1000 agents need you (torch status): n0, n1, n2, n3, n4 and 995 more"
    assert not notices.busy


def test_what_comes_right_after_is_gathered(
    notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "GATHER_SECONDS", 1e9)
    configure(f"{SOON.replace('0.01s', '1h')}")
    notices.take([change("one", State.WAITING)])
    assert notices.tell(ALIVE, {}) is not None
    for name in ("two", "three"):
        notices.take([change(name, State.WAITING)])
        assert notices.tell(ALIVE, {}) is None
    notices._rests = 0.0
    found = notices.tell(ALIVE, {})
    assert found is not None
    assert found.words == "2 agents need you (torch status): two, three"


def test_a_few_are_told_within_five_seconds_and_a_crowd_is_gathered(
    notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 2 * Intervals().states
    assert NotifySettings().dwell + notices_module.GATHER_SECONDS + looks <= 5.0
    monkeypatch.setattr(notices_module, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(notices_module, "CROWD_GATHER_SECONDS", 1e9)
    configure(f"{SOON.replace('0.01s', '1h')}")
    names = [f"n{number}" for number in range(notices_module.FEW_NOTICES)]
    for name in names:
        notices.take([change(name, State.WAITING)])
        assert notices.tell(alive(*names), {}) is not None
    notices.take([change("one", State.WAITING)])
    assert notices.tell(ALIVE, {}) is None


def test_the_same_agent_is_told_of_again_only_after_a_while(notices: Notices) -> None:
    configure(f'{SOON}cooldown = "1h"')
    notices.take([change("one", State.WAITING)])
    assert notices.tell(ALIVE, {}) is not None
    notices.take([change("one", State.WORKING), change("one", State.WAITING)])
    deadline = time.monotonic() + 0.05
    while time.monotonic() < deadline:
        assert notices.tell(ALIVE, {}) is None
    assert notices.busy, "it is told later, if it still waits"


def test_nobody_is_told_of_what_they_look_at(
    demo: DemoAgent,
    notices: Notices,
    errors: list[TorchError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Store() as store:
        (agent,) = store.agents.all()
    waits = change("x", State.WAITING)._replace(agent=agent)
    here = {agent.identity: agent}
    with demo.tmux.client() as client:
        clients = {agent.socket: client}
        with looking(demo.tmux, "agents"):
            notices.take([waits])
            deadline = time.monotonic() + 0.2
            while time.monotonic() < deadline:
                assert notices.tell(here, clients) is None
        found = wait_until(lambda: notices.tell(here, clients), what="the notice when they left")
        assert found is not None
        assert found.agents == (demo.name,)
        with looking(demo.tmux, "agents"):
            monkeypatch.setattr(notices_module, "TOUCHED_SECONDS", 0.0)
            notices.take([waits])
            wait_until(lambda: notices.tell(here, clients), what="the notice: they are away")
    assert errors == []


def test_a_server_that_is_gone_stops_no_notice(
    demo: DemoAgent, notices: Notices, errors: list[TorchError], tmp_path: Path
) -> None:
    file = tmp_path / "notices"
    keep_in(file)
    with Store() as store:
        (agent,) = store.agents.all()
    with demo.tmux.client() as client:
        demo.tmux.kill()
        notices.take([change("x", State.DEAD)._replace(agent=agent)])
        found = wait_until(lambda: notices.tell({agent.identity: agent}, {agent.socket: client}))
        assert found is not None
        assert found.shown == 0
        wait_until(lambda: kept(file), what="the notice")
    assert errors == []


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('command = "notify-send"', "'notify.command' must be a program and its arguments"),
        ('command = [""]', "'notify.command' must be"),
        ("command = [1]", "'notify.command' must be"),
        ('dwell = "soon"', "'notify.dwell' must be a duration"),
        ("dwell = 5", "'notify.dwell' must be a duration"),
        ('dwel = "5s"', "unknown setting 'notify.dwel'"),
        ("tmux = 1", "'notify.tmux' must be true or false"),
        ('quiet = "22-7"', "'notify.quiet' must be hours of the day"),
        ('quiet = "24:00-07:00"', "'notify.quiet' must be"),
        ('quiet = "07:00-07:00"', "'notify.quiet' must be"),
        ('severity = "higher"', "'notify.severity' must be one of low, normal, high"),
        ('webhook = "file:///etc/passwd"', "'notify.webhook' must be an address of http or https"),
        ('webhook = "http://"', "'notify.webhook' must be"),
        ('webhook = "http://x:y/"', "'notify.webhook' must be"),
        ('webhook = "http://me:pw@example.org/"', "'notify.webhook' must be"),
        ('ntfy = "my-topic"', "'notify.ntfy' must be"),
        ('apprise = "mailto://x"', "'notify.apprise' must be addresses"),
    ],
)
def test_settings_that_are_wrong_are_named_once(
    words: str, said: str, notices: Notices, errors: list[TorchError]
) -> None:
    configure(words)
    with pytest.raises(RefusedError, match=said.replace(".", r"\.")):
        load_notify_settings()
    for _ in range(3):
        notices.take([change("one", State.WAITING)])
    assert len(errors) == 1, "the daemon goes on by the usual settings, and says so once"


def test_nothing_need_be_set() -> None:
    assert load_notify_settings() == NotifySettings()
    assert NotifySettings().tmux
    assert NotifySettings().bell
    assert NotifySettings().dwell == 3.0


# -- the passes ------------------------------------------------------------------------------------


def test_a_program_is_killed_though_no_agent_is_left(tmp_path: Path) -> None:
    """And the loop comes back for that."""
    passes = Passes(None, 1, lambda: False)  # type: ignore[arg-type]
    errors: list[TorchError] = []
    passes._notices = Notices(0.0, errors.append)
    passes._notices._programs.start(program(("sleep", "1000")), 0.1)
    assert passes.watches
    with Store() as store:
        wait_until(lambda: [passes.run("states", store, time.time()), errors][1], what="its end")
    assert not passes.watches
    passes._notices._programs.start(program(("sleep", "1000")), PATIENCE)
    assert passes.close(1.0)
    assert not passes._notices.busy
