"""``torch checkin``: messages that time sends."""

import time
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_checkins
from torch_cli.cli.options import ANY_BYTES, COUNT, common_options
from torch_cli.cli.schedule.checkin_shown import (
    FIRINGS,
    MANY,
    ahead,
    checkin_object,
    last_run,
    message_of,
    print_added,
    print_changed,
    print_list,
    run_line,
    run_object,
    when,
)

if TYPE_CHECKING:
    from torch_cli.schedule.trigger import Trigger


@click.group("checkin")
def command() -> None:
    """Send a message to an agent later, once or repeatedly.

    Each check-in has its own note. Torch checks that the agent exists when you make the check-in
    and when it fires. If the agent is gone, the note goes to the fallback, else to the agent's
    parent, else it is kept and shown as overdue. 'torch daemon' fires check-ins, or 'torch tick'
    from cron.

    \b
    Examples:
      torch checkin add dev "How far are the tests?" --in 30m
      torch checkin add . "Commit, then read TASKS.md again." --every 20m --if idle
      torch checkin add pm - --cron '0 9 * * 1-5' --timezone Europe/Berlin < standup.md
      torch checkin list
      torch checkin history
    """


def _one_of(**given: str | None) -> tuple[str, str]:
    """Return the option that was given and its value; raise ``RefusedError`` unless it is one."""
    from torch_cli.errors import RefusedError

    chosen = [(name, value) for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise RefusedError(
            "give one of --in, --at, --every or --cron; no check-in was made", code="usage"
        )
    return chosen[0]


def _trigger(zone: str | None, now: float, **given: str | None) -> "Trigger":
    from torch_cli.schedule import trigger

    kind, value = _one_of(**given)
    return trigger.make(kind, value, zone, now)


@command.command("add")
@click.argument("target", shell_complete=complete_agents)
@click.argument("note", type=ANY_BYTES, required=False)
@click.option("--in", "in_", metavar="DURATION", help="Once, after this long: 30m, 1.5h, 2d.")
@click.option("--at", metavar="TIME", help="Once, at '2026-12-01 09:00', or at the next 09:00.")
@click.option("--every", metavar="DURATION", help="Repeatedly, counted from now: 20m.")
@click.option(
    "--cron", metavar="EXPRESSION", help="Repeatedly, by a cron expression: '*/15 9-18 * * 1-5'."
)
@click.option(
    "--timezone",
    metavar="ZONE",
    help="The time zone of --at and --cron, for example Europe/Berlin (default: this machine's).",
)
@click.option("--file", type=click.Path(), help="Read the note from a file.")
@click.option("--name", default="", help="The check-in's name (default: made from the note).")
@click.option("--until", metavar="TIME", help="The last moment at which it may fire.")
@click.option("--count", type=COUNT, help="How often it fires at most.")
@click.option(
    "--jitter", metavar="DURATION", help="Delay each firing by a random time, at most this long."
)
@click.option("--grace", metavar="DURATION", help="Do not send it if it would be later than this.")
@click.option(
    "--if",
    "condition",
    type=click.Choice(["idle", "always"]),
    default="always",
    show_default=True,
    help="idle: type the note once the agent is idle; always: also while the agent works, where it "
    "queues.",
)
@click.option(
    "--fallback",
    default="",
    metavar="AGENT",
    shell_complete=complete_agents,
    help="The agent that gets the note if the agent is gone (default: its parent).",
)
@click.option("--clean", is_flag=True, help="Remove control and invisible characters.")
@common_options
def add_command(common: Common, **given: Any) -> None:
    """Make a check-in that sends NOTE to TARGET: an agent, a tmux target, or . for your own pane.

    NOTE may have several lines; - reads standard input. If a recurring check-in comes late, one
    message stands for all missed moments. A note that was not yet typed is replaced by the next.

    \b
    Examples:
      torch checkin add dev "How far are the tests?" --in 30m
      torch checkin add . "Look whether the build is through." --in 1.5m
      torch checkin add pm --file standup.md --cron '0 9 * * 1-5' --timezone Europe/Berlin
      torch checkin add dev "Commit." --every 20m --if idle --until '2026-12-01 18:00'
    """
    from torch_cli.cli.present import print_json
    from torch_cli.cli.sending import duration_of
    from torch_cli.schedule.checkin import Order, add
    from torch_cli.schedule.trigger import once_at
    from torch_cli.schedule.zone import local_zone
    from torch_cli.store import Store

    now = time.time()
    times = {"in": given.pop("in_"), **{name: given.pop(name) for name in ("at", "every", "cron")}}
    zone, until = given.pop("timezone"), given.pop("until")
    trigger = _trigger(zone, now, **times)
    note = _note(given.pop("note"), given.pop("file"))
    order = Order(
        note=note,
        trigger=trigger,
        until=None
        if until is None
        else float(once_at(until, zone or local_zone(), now).expression),
        runs=given.pop("count"),
        jitter=duration_of(given.pop("jitter")) or 0.0,
        grace=duration_of(given.pop("grace")),
        **given,
    )
    with Store() as store:
        checkin, found = add(store, common.socket, order, now)
        if common.json:
            print_json(checkin_object(checkin, last_run(store, checkin)))
        else:
            print_added(store, checkin, found.pane.id, common)


def _note(note: str | None, file: str | None) -> bytes:
    from torch_cli.cli.sending import body_of
    from torch_cli.errors import RefusedError

    if (note is None) == (file is None):
        raise RefusedError("give a NOTE or a --file; no check-in was made", code="usage")
    if note is not None:
        return body_of(note)
    assert file is not None
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError as error:
        raise RefusedError(
            f"the file {file} cannot be read: {error.strerror}; no check-in was made",
            code="no-file",
        ) from error


@command.command("list")
@click.option(
    "--agent", metavar="NAME", shell_complete=complete_agents, help="Check-ins for this agent only."
)
@click.option("--all", "ended", is_flag=True, help="Also check-ins that have ended.")
@common_options
def list_command(common: Common, agent: str | None, ended: bool) -> None:
    """List the check-ins, the next first, with the outcome of each one's last run.

    With --json, one object for each check-in.

    \b
    Examples:
      torch checkin list
      torch checkin list --agent dev --json
    """
    from torch_cli.cli.present import note, print_json
    from torch_cli.store import Store

    with Store() as store:
        checkins = [one for one in store.checkins.all(ended=ended) if agent in (None, one.target)]
        runs = store.checkins.last_runs()
        overdue = {run.checkin for run in store.checkins.overdue()}
        if not ended:  # one that has ended may still have a run that nobody took
            rest = [store.checkins.get(one) for one in overdue - {c.id for c in checkins}]
            checkins += [c for c in rest if c is not None and agent in (None, c.target)]
        messages = (
            {run.id: store.messages.get(run.message) for run in runs.values() if run.message}
            if len(checkins) <= MANY
            else {}
        )
    if common.json:
        for one in checkins:
            run = runs.get(one.id)
            print_json(checkin_object(one, run and (run, messages.get(run.id))))
    elif checkins:
        print_list(checkins, runs, messages)
    else:
        note("no check-ins; 'torch checkin add' makes one", quiet=common.quiet)


@command.command("show")
@click.argument("name", shell_complete=complete_checkins)
@common_options
def show_command(common: Common, name: str) -> None:
    """Show everything about a check-in: its note, its rule, its next firings and its last runs.

    \b
    Examples:
      torch checkin show tests
      torch checkin show tests --json | jq -r .note
    """
    from torch_cli.cli.present import print_fields, print_json, printable, say
    from torch_cli.schedule.checkin import find_checkin, upcoming
    from torch_cli.schedule.trigger import show
    from torch_cli.store import Store

    with Store() as store:
        checkin = find_checkin(store, name, living=False)
        if common.json:
            print_json(checkin_object(checkin, last_run(store, checkin)))
            return
        runs = store.checkins.history(checkin.id, FIRINGS)
        messages = [store.messages.get(run.message) if run.message else None for run in runs]
    limits = {
        "until": show(checkin.until, checkin.zone) if checkin.until is not None else "",
        "jitter": f"{checkin.jitter:g} s" if checkin.jitter else "",
        "grace": f"{checkin.grace:g} s" if checkin.grace is not None else "",
    }
    print_fields(
        {
            "name": checkin.name,
            "id": checkin.id,
            "state": checkin.state,
            "to": checkin.target,
            "when": when(checkin),
            "if": checkin.condition,
            **limits,
            "fallback": checkin.fallback,
            "from": checkin.creator,
            "made": show(checkin.created, checkin.zone),
        }
    )
    for at in upcoming(checkin, FIRINGS):
        say(f"next  {show(at, checkin.zone)}  {ahead(at)}")
    for run, message in zip(runs, messages, strict=True):
        say(printable(run_line(run, checkin, message)))
    say("")
    for line in checkin.note.split("\n"):
        say(printable(line))


@command.command("remove")
@click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_checkins
)
@common_options
def remove_command(common: Common, names: tuple[str, ...]) -> None:
    """Remove check-ins. A note that has fired and waits in the outbox stays there.

    \b
    Examples:
      torch checkin remove tests
    """
    _remove(common, names, "removed")


@command.command("cancel", hidden=True)
@click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_checkins
)
@common_options
def cancel_command(common: Common, names: tuple[str, ...]) -> None:
    """End check-ins. A note that has fired and waits in the outbox stays there.

    \b
    Examples:
      torch checkin cancel tests
    """
    from torch_cli.cli.present import note

    note("'torch checkin cancel' is now 'torch checkin remove'", quiet=common.quiet)
    _remove(common, names, "cancelled")


def _remove(common: Common, names: tuple[str, ...], done: str) -> None:
    from torch_cli.roster.authority import check_over_checkin
    from torch_cli.schedule.checkin import cancel, find_checkin
    from torch_cli.store import Store

    with Store() as store:
        for name in names:  # a wrong one is refused before anything is changed
            check_over_checkin(store, find_checkin(store, name, living=False))
        for name in dict.fromkeys(names):
            print_changed(cancel(store, name), done, common)


@command.command("pause")
@click.argument("name", shell_complete=complete_checkins)
@common_options
def pause_command(common: Common, name: str) -> None:
    """Pause a check-in until you resume it.

    \b
    Examples:
      torch checkin pause tests
    """
    from torch_cli.roster.authority import check_over_checkin
    from torch_cli.schedule.checkin import find_checkin, pause
    from torch_cli.store import Store

    with Store() as store:
        check_over_checkin(store, find_checkin(store, name, living=False))
        print_changed(pause(store, name), "paused", common)


@command.command("resume")
@click.argument("name", shell_complete=complete_checkins)
@common_options
def resume_command(common: Common, name: str) -> None:
    """Resume a paused check-in; moments that passed meanwhile are not made up.

    A check-in that fires only once, and was due during the pause, fires at once.

    \b
    Examples:
      torch checkin resume tests
    """
    from torch_cli.roster.authority import check_over_checkin
    from torch_cli.schedule.checkin import find_checkin, resume
    from torch_cli.store import Store

    with Store() as store:
        check_over_checkin(store, find_checkin(store, name, living=False))
        print_changed(resume(store, name, time.time()), "resumed", common)


@command.command("snooze")
@click.argument("name", shell_complete=complete_checkins)
@click.argument("duration")
@common_options
def snooze_command(common: Common, name: str, duration: str) -> None:
    """Delay the next firing by DURATION (10m, 2h); those after it stay.

    \b
    Examples:
      torch checkin snooze tests 10m
    """
    from torch_cli.duration import parse
    from torch_cli.roster.authority import check_over_checkin
    from torch_cli.schedule.checkin import find_checkin, snooze
    from torch_cli.store import Store

    seconds = parse(duration)
    with Store() as store:
        check_over_checkin(store, find_checkin(store, name, living=False))
        print_changed(snooze(store, name, seconds, time.time()), "snoozed", common)


@command.command("run")
@click.argument("name", shell_complete=complete_checkins)
@common_options
def run_command(common: Common, name: str) -> int:
    """Fire a check-in now, in addition to its rule, and deliver its note.

    \b
    Examples:
      torch checkin run tests
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.cli.sending import print_receipt
    from torch_cli.delivery.outbox import attempt
    from torch_cli.delivery.send import check_permitted
    from torch_cli.errors import DONE, HELD
    from torch_cli.roster.authority import check_over_checkin
    from torch_cli.schedule.checkin import find_checkin
    from torch_cli.schedule.firing import run_now
    from torch_cli.store import Store

    with Store() as store:
        checkin = find_checkin(store, name)
        check_over_checkin(store, checkin)
        check_permitted(store, store.agents.known_as(checkin.agent), "it was not fired")
        run = run_now(store, checkin, time.time())
        if not run.message:
            if common.json:
                print_json(run_object(run, checkin, None))
            else:
                say(f"{run.state}  {checkin.name}")
                note(f"  {printable(run.reason)}", quiet=common.quiet)
            return HELD
        receipt = attempt(store, store.messages.get(run.message), patience=2.0)
        if common.json:
            print_json(run_object(run, checkin, store.messages.get(run.message)))
            return receipt.exit_code
        print_receipt(receipt, common)
        return receipt.exit_code if receipt.exit_code != HELD else DONE


@command.command("history")
@click.argument("name", required=False, shell_complete=complete_checkins)
@click.option("-n", "--number", type=COUNT, default=20, show_default=True)
@common_options
def history_command(common: Common, name: str | None, number: int) -> None:
    """Show the latest runs, of all check-ins or of one, the newest last.

    Each line says when the run was due, how late it came and why, where it went, and the outcome of
    its message. With --json, one object for each run.

    \b
    Examples:
      torch checkin history
      torch checkin history tests -n 5 --json
    """
    from torch_cli.cli.present import note, print_json, printable, say
    from torch_cli.schedule.checkin import find_checkin
    from torch_cli.store import Store

    with Store() as store:
        only = find_checkin(store, name, living=False) if name else None
        runs = store.checkins.history(only.id if only else None, number)
        lines = [(run, store.checkins.get(run.checkin), message_of(store, run)) for run in runs]
    for run, checkin, message in reversed(lines):
        assert checkin is not None
        if common.json:
            print_json(run_object(run, checkin, message))
        else:
            say(printable(run_line(run, checkin, message)))
    if not lines and not common.json:
        note("no check-in has fired yet", quiet=common.quiet)
