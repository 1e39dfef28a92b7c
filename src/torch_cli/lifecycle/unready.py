"""Why an agent that was started is not ready: it asks something first, or has ended."""

import textwrap
from collections.abc import Sequence

from torch_cli.errors import HeldError, TorchError
from torch_cli.programs.asked import answer_command
from torch_cli.programs.observe import Sight
from torch_cli.store.agents import Agent


def asks_first(agent: Agent, sight: Sight) -> HeldError:
    """Return the error for a program that begins with a question."""
    dialog = sight.state.dialog
    shown = textwrap.dedent("\n".join(dialog.rows if dialog else ())).split("\n")
    rows = "\n".join(f"  {row}" for row in shown if row.strip())
    hint = "Torch did not answer for you. "
    if dialog:
        hint += f"Answer it with '{answer_command(agent.name, dialog)}', or with 'torch attach "
        hint += f"{agent.name}'."
    # The evidence also quotes the row that it was seen by, which stands among the rows.
    seen = sight.state.evidence.partition(": ")[0] if rows else sight.state.evidence
    return HeldError(
        f"agent '{agent.name}' runs in pane {agent.pane}, and first asks a question "
        f"({seen})" + (f":\n{rows}" if rows else ""),
        hint=hint,
        code="dialog",
        details={"pane": agent.pane, "dialog": dialog.hash if dialog else None},
    )


def ended_early(agent: Agent, sight: Sight, lines: Sequence[str]) -> TorchError:
    """Return the error for a program that has ended; ``lines`` are what it has shown."""
    rows = [line for line in lines if line.strip()][-12:]
    last = "\n".join(f"  {row}" for row in rows)
    again = f" A new conversation: torch restart {agent.name} --fresh"
    fresh = again if agent.conversation else ""
    return TorchError(
        f"agent '{agent.name}' ended while starting ({sight.state.evidence}); its last screen:\n"
        f"{last}",
        hint=f"The pane was kept; 'torch stop {agent.name}' closes it.{fresh}",
        code="crashed",
    )
