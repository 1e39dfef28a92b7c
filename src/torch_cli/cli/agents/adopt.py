"""``torch adopt``."""

import sys
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_profiles
from torch_cli.cli.options import common_options
from torch_cli.errors import DONE, RefusedError

_OTHER_NAME = ("bad-name", "name-taken", "name-kept")
"""Codes of errors after which a person is asked for another name."""

if TYPE_CHECKING:
    from torch_cli.store import Store
    from torch_cli.store.agents import Agent
    from torch_cli.watch.strangers import Stranger


@click.command("adopt")
@click.argument("target", required=False)
@click.argument("name", required=False)
@click.option(
    "--profile",
    metavar="PROFILE",
    shell_complete=complete_profiles,
    help="The program's profile (default: recognised).",
)
@click.option("--all", "every", is_flag=True, help="Every pane that looks like an agent.")
@click.option("-y", "--yes", is_flag=True, help="With --all: do not ask.")
@click.option("--dry-run", is_flag=True, help="With --all: list the panes, and register none.")
@common_options
def command(
    common: Common,
    target: str | None,
    name: str | None,
    profile: str | None,
    every: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """Register the program in pane TARGET as the agent NAME.

    'torch stop' asks an adopted program to end, but never forces it.

    With --all Torch looks for panes that look like agents and are not registered, at the tmux
    servers of your agents and the one you are in, and asks you about each: Enter registers it by
    the name that is proposed, another name by that, n leaves it alone, q ends. It needs a terminal,
    or --yes. Registering types nothing into a pane.

    \b
    Examples:
      torch adopt %7 dev
      torch adopt work:editor.1 helper --profile claude
      torch adopt . me
      torch adopt --all
    """
    from torch_cli.cli.present import note
    from torch_cli.lifecycle.adopting import adopt
    from torch_cli.store import Store

    if every:
        if target is not None or profile is not None:
            raise RefusedError(
                "--all takes neither a TARGET nor --profile; nothing was registered", code="usage"
            )
        return _adopt_all(common, yes=yes, dry_run=dry_run)
    if yes or dry_run:
        raise RefusedError("--yes and --dry-run need --all; nothing was registered", code="usage")
    if target is None or name is None:
        missing = "NAME" if target else "TARGET"
        raise RefusedError(
            f"missing argument '{missing}'",
            hint="torch adopt TARGET NAME, or torch adopt --all; see 'torch adopt --help'.",
            code="usage",
        )
    with Store() as store:
        cautions = _print(store, adopt(store, common.socket, target, name, profile), common)
    for words in [*cautions, _ALONE]:
        note(f"  {words}", quiet=common.quiet)
    return DONE


def _print(store: "Store", agent: "Agent", common: Common) -> list[str]:
    """Print what was registered; return what a person should know of it, in sentences."""
    from torch_cli.checkpoint.coverage import outside_git
    from torch_cli.cli.present import print_json, printable, say
    from torch_cli.cli.schema import agent_object
    from torch_cli.procs import Process
    from torch_cli.programs.attempts import unlogged
    from torch_cli.roster.registry import profile_named
    from torch_cli.roster.safety import caution_of, safety_for
    from torch_cli.watch.listing import list_agents

    if common.json:
        print_json(agent_object(list_agents(store, [agent])[0]))
    else:
        say(f"adopted  {agent.name}  {agent.profile}  {printable(agent.pane)}")
    caution = caution_of(profile_named(agent.profile), agent.version)
    safety = safety_for(agent)
    protection = safety and f"protection: {safety.sentence}"
    program = Process(agent.program_pid, agent.program_started)
    unseen = unlogged(profile_named(agent.profile), program)
    said = filter(None, [caution, protection, unseen, outside_git(agent.directory)])
    return [printable(words) for words in said]


_ALONE = (
    "Torch did not start it, so it does not come back by itself after a crash: 'torch resurrect' "
    "then prints the command that starts it"
)
"""What a person should know of an agent that Torch cannot start again."""

_ALL_ALONE = (
    "Torch did not start them, so they do not come back by themselves after a crash: "
    "'torch resurrect' then prints the command that starts each"
)


# -- all -------------------------------------------------------------------------------------------


def _adopt_all(common: Common, *, yes: bool, dry_run: bool) -> int:
    from torch_cli.cli.present import note, print_json
    from torch_cli.store import Store
    from torch_cli.watch.listing import Lookout, agents_on
    from torch_cli.watch.strangers import strangers

    asks = not (yes or dry_run)
    if asks and (common.json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise RefusedError(
            "there is no terminal to ask you about each pane; nothing was registered",
            hint="--yes registers all of them; --dry-run lists them.",
            code="usage",
        )
    status = DONE
    cautions: dict[str, list[str]] = {}
    with Store() as store:
        with Lookout(store) as lookout:
            lookout.look(agents_on(store, common.socket))
            found = strangers(store, common.socket, lookout)
        if not found:
            note("every pane that looks like an agent is registered", quiet=common.quiet)
        for one in found:
            if dry_run and common.json:
                print_json(stranger_object(one))
                continue
            if not yes:
                _show(one, asks=asks)
            if dry_run:
                continue
            failed = _register(store, one, common, cautions, asks=asks)
            if failed is None:
                break
            status = status or failed
    for words, names in sorted(cautions.items(), key=lambda one: one[0] == _ALL_ALONE):
        of = f"{', '.join(names)}: " if words != _ALL_ALONE else ""
        note(f"  {of}{words}", quiet=common.quiet)
    return status


def _register(
    store: "Store",
    one: "Stranger",
    common: Common,
    cautions: dict[str, list[str]],
    *,
    asks: bool,
) -> int | None:
    """Register a pane by its name, or by that which a person says; return the exit status.

    ``None`` means that the person ends the walk. A name that cannot be is asked for again. What a
    person should know is added to ``cautions``, with the names of the agents for which it holds.
    """
    from torch_cli.cli.present import print_error
    from torch_cli.errors import TorchError
    from torch_cli.lifecycle.adopting import adopt_stranger

    while True:
        name = _answer(one) if asks else one.name
        if not name:
            return DONE if name is not None else None
        try:
            for words in [*_print(store, adopt_stranger(store, one, name), common), _ALL_ALONE]:
                cautions.setdefault(words, []).append(name)
        except TorchError as error:
            print_error(error, common.json)
            if not (asks and error.code in _OTHER_NAME):
                return error.exit_code
        else:
            return DONE


def stranger_object(one: "Stranger") -> dict[str, Any]:
    """Return a pane that looks like an agent under its published schema."""
    return {
        "schema": "torch.stranger/1",
        "pane": one.pane.id,
        "session": one.pane.session,
        "window": one.pane.window,
        "server": one.pane.socket_path,
        "profile": one.profile.name,
        "state": str(one.state.shown),
        "dir": one.directory or None,
        "name": one.name,
        "command": list(one.command),
    }


def _show(one: "Stranger", *, asks: bool) -> None:
    """Show a pane, with the command that registers it unless a person is asked."""
    from torch_cli.cli.present import say
    from torch_cli.cli.table import homely, paper

    program = one.profile.title or one.profile.name
    place = f"{one.pane.place} {one.pane.id}"
    where = homely(one.directory, paper().home)
    say("  ".join(filter(None, [program, str(one.state.shown), place, where])))
    if not asks:
        say(f"  {' '.join(one.command)}")


def _answer(one: "Stranger") -> str | None:
    """Return the name to register it by, '' to leave it alone, ``None`` to end."""
    sys.stdout.write(f"  Enter registers it as '{one.name}'; another name, n: no, q: quit: ")
    sys.stdout.flush()
    line = sys.stdin.buffer.readline()
    if not line:
        sys.stdout.write("\n")
        return None
    said = line.decode("utf-8", "replace").strip()
    if said.lower() in ("q", "quit"):
        return None
    if said.lower() in ("n", "no"):
        return ""
    return one.name if said.lower() in ("", "y", "yes") else said
