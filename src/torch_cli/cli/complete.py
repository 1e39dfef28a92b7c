"""Live names for shell completion. Nothing here may print or fail."""

from click import Context, Parameter
from click.shell_completion import CompletionItem


def complete_agents(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the registered agents whose names begin so."""
    return []
