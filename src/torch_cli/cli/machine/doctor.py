"""``torch doctor``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options

_WORDS_AT = 23
"""Columns before the words of a finding."""

_COMMANDS_AT = 16
"""Columns before a command of its own line: fewer, so that it needs no second one."""


@click.command("doctor")
@common_options
def command(common: Common) -> int:
    """Find problems on this machine, and say how to fix them.

    Torch looks at tmux and its server, what a logout does to it, the locale, the state directory
    and the store, the scheduler, Python, git, and the agent programs: versions, hooks, submit
    chord. Exit status 1 if something fails; warnings do not count. -q shows problems only.

    Torch runs the 'tmux' on the PATH, or the program that TORCH_TMUX names (a name or a path), also
    for the agents that it spawns. The first line says which, and its version.

    \b
    Examples:
      torch doctor
      torch doctor -L work --json
      TORCH_TMUX=/opt/tmux-3.5a/bin/tmux torch doctor
    """
    from torch_cli.cli.present import print_json, printable, say
    from torch_cli.doctor.examine import examine
    from torch_cli.doctor.finding import Finding, Level

    findings: list[Finding] = []
    for finding in examine(common.socket):
        findings.append(finding)
        quiet = common.quiet and finding.level in (Level.OK, Level.NOTE)
        if common.json or quiet:
            continue
        subject, message = printable(finding.subject), printable(finding.message)
        say(f"{finding.level:<8} {subject:<13} {message}", indent=_WORDS_AT)
        if finding.advice:
            first, *commands = map(printable, finding.advice.split("\n"))
            say(f"{'':<{_WORDS_AT}}-> {first}", indent=_WORDS_AT + 3)
            for line in commands:  # whole, to be copied
                say(f"{'':<{_COMMANDS_AT}}{line}")
    failed = any(finding.level is Level.FAILURE for finding in findings)
    if common.json:
        rows = [
            {
                "subject": finding.subject,
                "level": str(finding.level),
                "message": finding.message,
                "advice": finding.advice,
            }
            for finding in findings
        ]
        print_json({"schema": "torch.doctor/1", "ok": not failed, "findings": rows})
    return int(failed)
