"""What ``torch resurrect`` prints, in lines and objects: of windows, processes and agents."""

import shlex
from typing import TYPE_CHECKING, Any

from torch_cli.cli.common import Common
from torch_cli.cli.present import error_object, note, print_json, printable, say
from torch_cli.errors import DONE, NOT_BACK, TorchError

if TYPE_CHECKING:
    from torch_cli.lifecycle.rebuild import Rebuilt
    from torch_cli.lifecycle.rebuild_plan import WindowPlan
    from torch_cli.lifecycle.resurrect import RaisedProcess
    from torch_cli.teams.lost import ProcessProspect

_WIDTH = 8
"""Of the first column: the longest word in it."""


def show_plan(common: Common, plan: "WindowPlan") -> int:
    """Print what would be done for a window; return the exit code that a run would have."""
    if not plan.is_noteworthy:
        return DONE
    lost = [one.why for one in plan.shells if one.why]
    if common.json:
        facts: dict[str, Any] = {"session": plan.session, "window": plan.kept.name}
        facts |= {"course": "cannot" if plan.error else "raise"}
        facts |= {"shells": [{"dir": one.directory, "why": one.why or None} for one in plan.shells]}
        facts |= {"agents": [one.agent.agent.name for one in plan.panes if one.agent]}
        facts |= {"unset": plan.unset}
        print_object("torch.resurrect-window-plan/1", facts, plan.error)
    elif plan.error is not None:
        print_line("cannot", plan.place, plan.error.message)
        print_hint(common, plan.error)
    else:
        there = [one.directory for one in plan.shells if not one.why]
        words = f"{_shells(len(there))}: {', '.join(there)}" if there else ""
        print_line("raise", plan.place, words or _agents(plan))
        for why in lost:
            print_line("cannot", plan.place, f"a shell: {why}")
        if plan.unset:
            words = f"variables that are not set here: {', '.join(plan.unset)}"
            note(f"  {printable(words)}", quiet=common.quiet)
    return NOT_BACK if plan.error is not None or lost else DONE


def show_rebuilt(common: Common, one: "Rebuilt") -> None:
    """Print what became of a window."""
    plan = one.plan
    if not plan.is_noteworthy:
        return
    if common.json:
        facts: dict[str, Any] = {"session": plan.session, "window": plan.kept.name}
        facts |= {"what": "failed" if one.error else "back", "shells": one.shells}
        facts |= {"missing": list(one.missing), "notes": list(one.notes)}
        print_object("torch.resurrect-window/1", facts, one.error)
        return
    if one.error is not None:
        print_line("failed", plan.place, one.error.message)
        print_hint(common, one.error)
        return
    print_line("back", plan.place, _shells(one.shells) if one.shells else _agents(plan))
    for words in one.missing:
        print_line("failed", plan.place, words)
    for words in one.notes:
        note(f"  {printable(words)}", quiet=common.quiet)


def show_process_plan(common: Common, one: "ProcessProspect") -> int:
    """Print what would be done for a process of a team; return the exit code of a run."""
    process, raised = one.process, bool(one.command)
    course = "cannot" if one.error is not None else "raise" if raised else "stays"
    why = one.error.message if one.error is not None else one.step.words if one.step else ""
    if common.json:
        facts: dict[str, Any] = {"team": process.team, "process": process.name}
        facts |= {"session": process.session, "course": course, "command": list(one.command)}
        facts |= {"why": (why if not raised else "") or None}
        print_object("torch.resurrect-process-plan/1", facts, one.error)
    else:
        words = f"process of its team: {shlex.join(one.command)}" if raised else why
        print_line(course, f"{process.session}:{process.name}", words)
        print_hint(common, one.error)
    return NOT_BACK if one.error is not None else DONE


def show_process(common: Common, one: "RaisedProcess") -> None:
    """Print what became of a process of a team."""
    process, pane = one.process, one.pane
    if common.json:
        facts: dict[str, Any] = {"team": process.team, "process": process.name}
        facts |= {"session": process.session, "what": one.what, "why": one.why or None}
        facts |= {"pane": pane.id if pane is not None else None}
        print_object("torch.resurrect-process/1", facts, one.error)
        return
    words = "process of its team" + (f" ({pane.id})" if pane is not None else "")
    words = f"{words}: {one.why}" if one.why else words
    print_line(one.what, f"{process.session}:{process.name}", words)
    print_hint(common, one.error)


def _agents(plan: "WindowPlan") -> str:
    return "its agents side by side" if len(plan.panes) > 1 else "the window of its agent"


def _shells(count: int) -> str:
    return "a shell" if count == 1 else f"{count} shells"


def print_line(what: str, name: str, words: str) -> None:
    """Print one line, and the other lines of ``words`` below it."""
    # A reason may be of several lines: the program's last screen.
    first, *rest = words.split("\n")
    words_of = filter(None, [f"{what:<{_WIDTH}}", name, first])
    say(printable("  ".join(words_of)), indent=_WIDTH + 2)
    for line in rest:
        say(printable(line))


def print_hint(common: Common, error: TorchError | None) -> None:
    """Print what to do about ``error``, if anything is to be done."""
    if error is not None and error.hint:
        note(f"  {printable(error.hint)}", quiet=common.quiet)


def print_object(schema: str, facts: dict[str, Any], error: TorchError | None) -> None:
    """Print an object under its published schema."""
    failed = {"error": error_object(error)} if error is not None else {}
    print_json({"schema": schema, **facts, **failed})
