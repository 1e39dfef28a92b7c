"""``torch checkin``: messages that time sends."""

import time
from typing import Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_checkins
from torch_cli.cli.options import ANY_BYTES, COUNT, common_options, table_options
from torch_cli.cli.schedule.checkin_given import note_of, trigger_of
from torch_cli.cli.schedule.checkin_runs import history_command, run_command
from torch_cli.cli.schedule.checkin_shown import (
    CHECKIN_COLUMNS,
    FIRINGS,
    LONG_LIST_ROWS,
    ahead,
    checkin_object,
    last_run,
    print_added,
    print_changed,
    print_list,
    run_line,
    when,
)
from torch_cli.cli.table import TableForm
from torch_cli.cli.verbs import Verbs


@click.group("checkin", cls=Verbs)
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
@click.option(
    "--count",
    type=COUNT,
    help="How often it fires at most. A run that a later one replaced untyped does not count.",
)
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
    from torch_cli.schedule.checkin import CheckinOrder, add
    from torch_cli.schedule.trigger import once_at
    from torch_cli.schedule.zone import local_zone
    from torch_cli.store import Store

    now = time.time()
    times = {"in": given.pop("in_"), **{name: given.pop(name) for name in ("at", "every", "cron")}}
    zone, until = given.pop("timezone"), given.pop("until")
    trigger = trigger_of(zone, now, **times)
    note = note_of(given.pop("note"), given.pop("file"))
    order = CheckinOrder(
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
            print_added(store, checkin, found.pane.id, now, common)


@command.command("list")
@click.option(
    "--agent", metavar="NAME", shell_complete=complete_agents, help="Check-ins for this agent only."
)
@click.option("--all", "ended", is_flag=True, help="Also check-ins that have ended.")
@common_options
@table_options(CHECKIN_COLUMNS)
def list_command(common: Common, look: TableForm, agent: str | None, ended: bool) -> None:
    """List the check-ins, the next first, with the outcome of each one's last run.

    With --json, one object for each check-in.

    \b
    Examples:
      torch checkin list
      torch checkin list --agent dev --json
    """
    from torch_cli.cli.present import note, print_json, unscheduled
    from torch_cli.store import Store

    with Store() as store:
        missing = "" if common.json else unscheduled(store)
        checkins = [one for one in store.checkins.all(ended=ended) if agent in (None, one.to.name)]
        runs = store.checkins.last_runs()
        overdue = {run.checkin for run in store.checkins.overdue()}
        if not ended:  # one that has ended may still have a run that nobody took
            rest = [store.checkins.get(one) for one in overdue - {c.id for c in checkins}]
            checkins += [c for c in rest if c is not None and agent in (None, c.to.name)]
        messages = (
            {run.id: store.messages.get(run.message) for run in runs.values() if run.message}
            if len(checkins) <= LONG_LIST_ROWS
            else {}
        )
    if common.json:
        for one in checkins:
            run = runs.get(one.id)
            print_json(checkin_object(one, run and (run, messages.get(run.id))))
    elif checkins:
        print_list(checkins, runs, messages, look)
        if missing:
            note(f"torch: none of them is sent: {missing}", quiet=common.quiet)
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
    bounds, zone = checkin.bounds, checkin.trigger.zone
    limits = {
        "until": show(bounds.until, zone) if bounds.until is not None else "",
        "jitter": f"{bounds.jitter:g} s" if bounds.jitter else "",
        "grace": f"{bounds.grace:g} s" if bounds.grace is not None else "",
    }
    print_fields(
        {
            "name": checkin.name,
            "id": checkin.id,
            "state": checkin.state,
            "to": checkin.to.name,
            "when": when(checkin),
            "if": checkin.condition,
            **limits,
            "fallback": checkin.fallback.name,
            "from": checkin.creator.name,
            "made": show(checkin.created, zone),
            "next": tuple(f"{show(at, zone)}  {ahead(at)}" for at in upcoming(checkin, FIRINGS)),
            "last runs": tuple(
                run_line(run, checkin, message, named=False)
                for run, message in zip(runs, messages, strict=True)
            ),
        }
    )
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
    from torch_cli.schedule.checkin import cancel
    from torch_cli.store import Store

    with Store() as store:
        for checkin in cancel(store, *names):
            print_changed(checkin, done, common)


@command.command("pause")
@click.argument("name", shell_complete=complete_checkins)
@common_options
def pause_command(common: Common, name: str) -> None:
    """Pause a check-in until you resume it.

    \b
    Examples:
      torch checkin pause tests
    """
    from torch_cli.schedule.checkin import pause
    from torch_cli.store import Store

    with Store() as store:
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
    from torch_cli.schedule.checkin import resume
    from torch_cli.store import Store

    with Store() as store:
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
    from torch_cli.schedule.checkin import snooze
    from torch_cli.store import Store

    seconds = parse(duration)
    with Store() as store:
        print_changed(snooze(store, name, seconds, time.time()), "snoozed", common)


command.add_command(run_command)
command.add_command(history_command)
