"""``torch profile install`` and ``remove``: profiles of a person's own."""

from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_own_profiles
from torch_cli.cli.options import ANY_BYTES, common_options
from torch_cli.cli.present import note, print_json, print_text, printable, say

if TYPE_CHECKING:
    from torch_cli.profiling.install import ProfileFile


@click.command("install")
@click.argument("place", type=ANY_BYTES, metavar="FILE|DIRECTORY")
@click.option("--dry-run", is_flag=True, help="Check, show what is new, and install nothing.")
@click.option("--force", is_flag=True, help="Replace another profile of yours of the same name.")
@common_options
def install_command(common: Common, place: str, dry_run: bool, force: bool) -> None:
    """Check profiles, and install them: a file, or all .toml files in a directory.

    A profile decides which program Torch starts and which keys it presses. So Torch uses a profile
    of yours only as long as its file is exactly what a person has installed. If you change the
    file, install it again; agents cannot. It comes before a stock profile of the same name.

    \b
    Examples:
      torch profile install ./mine.toml --dry-run
      torch profile install ./mine.toml
      torch profile install ~/.config/torch/profiles/claude.toml
    """
    from torch_cli.profiling.install import candidates, install
    from torch_cli.store import Store

    with Store() as store:
        found = candidates(store, place)
        changes = [one.changes for one in found]
        if not dry_run:
            install(store, found, force=force)
    if common.json:
        rows = [_row(*pair) for pair in zip(found, changes, strict=True)]
        done = {"installed": not dry_run, "profiles": rows}
        print_json({"schema": "torch.profile-install/1", **done})
        return
    for one, changed in zip(found, changes, strict=True):
        if dry_run:
            print_text(changed)
        say(
            printable(f"{one.standing if dry_run else 'installed'}  {one.profile.name}  {one.path}")
        )
        for words in _notes(one):
            note(printable(f"  {words}"), quiet=common.quiet)


def _row(one: "ProfileFile", changes: str) -> dict[str, Any]:
    return {
        "name": one.profile.name,
        "file": one.file,
        "path": one.path,
        "before": str(one.standing),
        "hides_stock": one.hides,
        "agents": list(one.agents),
        "keys": _keys(one),
        "changes": changes or None,
    }


def _keys(one: "ProfileFile") -> dict[str, list[str]]:
    """Return the keys that Torch presses by this profile, by what they are for."""
    submit, launch, modes = one.profile.submit, one.profile.launch, one.profile.modes
    stop = [" ".join(step.keys) or step.text for step in launch.stop]
    known = [" ".join(keys) for keys in (modes.cycle, *(mode.keys for mode in modes.known)) if keys]
    keys = {
        "submit": [" ".join(k) for k in (submit.key, submit.chord, submit.idle_key) if k],
        "clear": [" ".join(submit.clear)] if submit.clear else [],
        "stop": stop,
        "interrupt": [" ".join(launch.interrupt)] if launch.interrupt else [],
        "mode": list(dict.fromkeys(known)),
    }
    return {name: pressed for name, pressed in keys.items() if pressed}


def _notes(one: "ProfileFile") -> list[str]:
    """Return what a person should know of a profile, each in a sentence."""
    launch = one.profile.launch
    said = [f"starts: {' '.join((*launch.env_set, *launch.command, *launch.arguments))}"]
    said += [f"{name}: {', '.join(keys)}" for name, keys in _keys(one).items()]
    if one.hides:
        said.append(f"hides the stock profile '{one.profile.name}'")
    if one.agents:
        said.append(f"these agents use it: {', '.join(one.agents)}")
    return said if launch.command else said[1:]


@click.command("remove")
@click.argument("name", shell_complete=complete_own_profiles)
@click.option("--force", is_flag=True, help="Also if agents are left without a profile.")
@common_options
def remove_command(common: Common, name: str, force: bool) -> None:
    """Remove a profile of yours; a stock profile of that name is used again.

    \b
    Examples:
      torch profile remove mine
      torch profile remove claude --json
    """
    from torch_cli.profiling.install import remove
    from torch_cli.store import Store

    with Store() as store:
        path, stock = remove(store, name, force=force)
    if common.json:
        print_json({"schema": "torch.profile-remove/1", "name": name, "path": path, "stock": stock})
        return
    say(printable(f"removed  {name}  {path}"))
    if stock:
        note(f"  the stock profile '{name}' is used again", quiet=common.quiet)
