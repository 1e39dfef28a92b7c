"""``torch run``."""

import sys

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import ANY_BYTES, common_options, seconds_option
from torch_cli.cli.present import print_json


@click.command("run")
@click.argument("target", shell_complete=complete_agents)
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=ANY_BYTES)
@seconds_option(
    "--timeout",
    600.0,
    "The most seconds to wait for the command's end; the command continues after that.",
)
@click.option(
    "--apart",
    is_flag=True,
    help="Run it in a subshell: cd, variables and exit do not affect the shell.",
)
@common_options
def command(
    common: Common, target: str, command: tuple[str, ...], timeout: float, apart: bool
) -> int:
    """Run COMMAND in the shell of pane TARGET, print its output, and exit with its status.

    One word is a line of shell; several are a program and its arguments. The shell must be at its
    prompt. If torch itself fails, its own exit codes apply, and stderr says so; --json tells the
    two apart.

    \b
    Examples:
      torch run work:build -- make test
      torch run --apart %7 -- 'cd src && ls | wc -l'
    """
    from torch_cli.cli.progress import check_reader
    from torch_cli.shell.run import run
    from torch_cli.store import Store

    kept: list[bytes] = []

    def print_output(data: bytes) -> None:
        if common.json:
            kept.append(data)
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    with Store() as store:
        ran = run(
            store,
            common.socket,
            target,
            command,
            timeout=timeout,
            apart=apart,
            on_output=print_output,
            on_wait=check_reader,
        )
    if common.json:
        print_json(
            {
                "schema": "torch.run/1",
                "target": target,
                "pane": ran.pane,
                "shell": ran.shell,
                "status": ran.status,
                "output": b"".join(kept).decode("utf-8", "replace"),
                "elapsed_ms": round(ran.elapsed_ms, 1),
            }
        )
    return ran.status
