"""``torch profile``: list, show, check, install and draft profiles of agent programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_profiles
from torch_cli.cli.machine.profile_install import install_command, remove_command
from torch_cli.cli.machine.profile_new import new_command
from torch_cli.cli.machine.profile_verify import verify_command
from torch_cli.cli.options import ANY_BYTES, common_options, table_options
from torch_cli.cli.present import (
    note,
    print_fields,
    print_json,
    print_text,
    printable,
)
from torch_cli.cli.table import Column, TableForm, print_table
from torch_cli.cli.verbs import Verbs
from torch_cli.errors import RefusedError, TorchError

if TYPE_CHECKING:
    from torch_cli.programs.profile import Profile
    from torch_cli.programs.state import AgentState
    from torch_cli.tmux.screen import Screen

_COLUMNS = (
    Column("name", 0, 0),
    Column("title", 1, 10),
    Column("verified", 2, 10),
    Column("source", 3, 12, "path"),
)


@click.group("profile", cls=Verbs)
def command() -> None:
    """List, show, check, install and draft profiles: what Torch knows of each agent program.

    A profile is a TOML file. A profile of yours comes before a stock profile of the same name.
    Yours are in $TORCH_HOME/config/profiles, or without TORCH_HOME in the directory torch/profiles
    of your platform's configuration directory; 'torch doctor' shows which one. Torch uses them only
    as a person has installed them.

    \b
    Examples:
      torch profile list
      torch profile show claude > mine.toml
      torch profile check mine.toml --screen screen.txt
      torch profile install mine.toml
      torch profile new mine --command "mine --no-update"
    """


@command.command("list")
@common_options
@table_options(_COLUMNS)
def list_command(common: Common, look: TableForm) -> None:
    """List the profiles, with the versions that each was proven with, and where each comes from.

    A profile that was proven with no version is unverified ("no"): Torch types messages only while
    its program is idle. The profile's file, and the JSON, say what is missing. A profile of yours
    that no person has installed, or that has changed since, is named: it is not used.

    \b
    Examples:
      torch profile list
      torch profile list --json
    """
    from torch_cli.programs.loading import list_profiles, load_profile, stock_path
    from torch_cli.programs.profile import BUILT_IN
    from torch_cli.roster.registry import profile_named, profiles_dir

    rows: list[dict[str, Any]] = []
    for name, source in list_profiles(profiles_dir()):
        row: dict[str, Any] = {"name": name, "title": "", "verified": [], "unproven": []}
        row |= {"source": source, "used": True}
        row["hides_stock"] = source != BUILT_IN and stock_path(name) != ""
        try:
            profile = load_profile(name, profiles_dir())
            row |= {
                "title": profile.title,
                "verified": list(profile.verified),
                "unproven": list(profile.unproven),
            }
            profile_named(name)
        except TorchError as error:  # the other profiles are still listed
            row |= {"used": False, "error": error.message, "hint": error.hint}
        rows.append(row)
    if common.json:
        print_json({"schema": "torch.profiles/1", "profiles": rows})
        return
    print_table(
        _COLUMNS,
        [[r["name"], r["title"], ", ".join(r["verified"]) or "no", r["source"]] for r in rows],
        look,
    )
    for row in rows:
        if "error" in row:
            note(printable(f"torch: {row['error']}\n  {row['hint']}"), quiet=common.quiet)
        elif row["hides_stock"]:
            hidden = f"torch: {row['source']} hides the stock profile '{row['name']}'"
            note(printable(hidden), quiet=common.quiet)


@command.command("show")
@click.argument("name", shell_complete=complete_profiles)
@common_options
def show_command(common: Common, name: str) -> None:
    """Print a profile's file; claude's explains every key. A note says where it comes from.

    \b
    Examples:
      torch profile show claude
      torch profile show claude > mine.toml
    """
    import tomllib

    from torch_cli.programs.accepted import STANDING_WORDS, Standing, standing_of
    from torch_cli.programs.loading import load_profile, stock_path
    from torch_cli.programs.profile import BUILT_IN
    from torch_cli.roster.registry import profiles_dir

    profile = load_profile(name, profiles_dir())
    stock = profile.source == BUILT_IN
    text = Path(stock_path(name) if stock else profile.source).read_text(encoding="utf-8")
    standing = Standing.INSTALLED if stock else standing_of(name, text)
    if common.json:
        used = {"source": profile.source, "used": standing is Standing.INSTALLED}
        print_json({"schema": "torch.profile/1", **used, "profile": tomllib.loads(text)})
        return
    print_text(text)
    why = f"; it is not used: {STANDING_WORDS[standing]}" if STANDING_WORDS[standing] else ""
    note(printable(f"torch: {profile.source}{why}"), quiet=common.quiet)


@command.command("check")
@click.argument("file", type=ANY_BYTES)
@click.option(
    "--screen",
    "screen_file",
    type=ANY_BYTES,
    metavar="FILE",
    help="A screen from tmux capture-pane -p -e.",
)
@click.option("--size", metavar="COLUMNSxROWS", help="The pane's size (default: the capture's).")
@common_options
def check_command(common: Common, file: str, screen_file: str | None, size: str | None) -> None:
    """Check FILE, or the profile of that name, and show how it reads a screen.

    Torch prints the state with the rule that decided and the evidence. It takes the cursor to be
    behind the last text.

    \b
    Examples:
      tmux capture-pane -p -e -t work:2 > screen.txt
      torch profile check claude --screen screen.txt
      torch profile check ./mine.toml --screen screen.txt --size 120x40
    """
    from torch_cli.programs.classify import classify
    from torch_cli.programs.loading import load_profile, load_profile_file
    from torch_cli.roster.registry import profiles_dir

    path = Path(file)
    profile = load_profile_file(path) if path.is_file() else load_profile(file, profiles_dir())
    result: dict[str, Any] = {
        "schema": "torch.profile-check/1",
        "profile": profile.name,
        "verified": list(profile.verified),
        "unproven": list(profile.unproven),
    }
    if screen_file is not None:
        screen = _read_screen(screen_file, size)
        result |= _words(profile, screen, classify(screen, profile))
    if common.json:
        print_json(result)
    elif screen_file is None:
        proven = (
            f"verified with {', '.join(profile.verified)}" if profile.verified else "unverified"
        )
        note(f"{file} is a profile: '{profile.name}', {len(profile.rules)} rules, {proven}")
        for missing in profile.unproven:
            note(f"  not proven: {missing}")
    else:
        dialog = result.pop("dialog") or {}
        result |= {f"dialog {key}": value for key, value in dialog.items()}
        result |= {key: "; ".join(result[key]) for key in ("verified", "unproven")}
        print_fields({key: value for key, value in result.items() if value and key != "schema"})


def _read_screen(file: str, size: str | None) -> "Screen":
    """Read a capture. Unless ``size`` is given, its lines and the longest line are the size."""
    import re

    from rich.cells import cell_len

    from torch_cli.tmux.screen import Screen

    try:
        text = Path(file).read_bytes().decode("utf-8", "surrogateescape").removesuffix("\n")
    except OSError as error:
        raise RefusedError(f"{file} cannot be read: {error.strerror}", code="unreadable") from None
    height = text.count("\n") + 1
    screen = Screen.parse(text, width=1, height=height)
    width = max((cell_len(line) for line in screen.lines), default=1)
    if size is not None:
        given = re.fullmatch(r"(\d{1,4})x(\d{1,4})", size)
        if given is None or not (int(given[1]) and int(given[2])):
            raise RefusedError(
                f"invalid size '{size}'", hint="Write it as in --size 120x40.", code="usage"
            )
        width, height = int(given[1]), int(given[2])
    last = min(len(screen.text.split("\n")), height) - 1
    cursor = (min(cell_len(screen.lines[last]), width - 1), last)
    return Screen.parse(text, width=max(width, 1), height=height, cursor=cursor)


def _words(profile: "Profile", screen: "Screen", found: "AgentState") -> dict[str, Any]:
    dialog = found.dialog
    return {
        "size": f"{screen.width}x{screen.height}",
        "state": str(found.state),
        "rule": found.rule,
        "evidence": found.evidence,
        "box": None if found.box is None else found.box.text,
        "ghost": "" if found.box is None else found.box.ghost,
        "dialog": dialog
        and {"kind": dialog.kind, "question": dialog.question, "hash": dialog.hash},
        "queued": found.queued,
        "reset": found.reset,
    }


command.add_command(install_command)
command.add_command(new_command)
command.add_command(remove_command)
command.add_command(verify_command)
