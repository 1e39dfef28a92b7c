"""``torch mode``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents, complete_modes
from torch_cli.cli.options import common_options, seconds_option


@click.command("mode")
@click.argument("target", shell_complete=complete_agents)
@click.argument("mode", required=False, shell_complete=complete_modes)
@seconds_option("--timeout", 10.0, "The most seconds to wait until the agent is idle.")
@common_options
def command(common: Common, target: str, mode: str | None, timeout: float) -> None:
    """Show the mode of TARGET's program, or switch it to MODE and prove it on the screen.

    The modes are the program's own: manual, accept-edits, plan and auto for Claude Code; default
    and plan for Codex; manual, accept-edits, plan and yolo for Gemini CLI, and also auto for Qwen
    Code; build and plan for opencode. Torch presses keys only while the program is idle and its box
    is empty, and looks after each key. If the program does not offer the mode, it stays in its
    present mode.

    \b
    Examples:
      torch mode dev
      torch mode dev plan
      test "$(torch mode dev --json | jq -r .mode)" = plan
    """
    from torch_cli.pressing.mode import mode_of, set_mode
    from torch_cli.store import Store

    with Store() as store:
        if mode is None:
            done = mode_of(store, common.socket, target)
        else:
            done = set_mode(store, common.socket, target, mode, timeout)
    was = f"  (was {done.before})" if done.before != done.mode else ""
    common.show({"schema": "torch.mode/1", **done._asdict()}, f"{done.mode}{was}")
