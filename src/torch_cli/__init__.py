"""Torch: a thin toolkit over tmux for people who run teams of coding agents.

``Torch`` does from Python what the command ``torch`` does. docs/python-api.md has examples.
"""

TYPE_CHECKING = False  # importing typing would cost half of what "torch hook" does
if TYPE_CHECKING:
    from typing import Any

    from torch_cli.api import Spawned, Torch
    from torch_cli.attention.given import AnswerGiven, Waiting
    from torch_cli.delivery.ask import Answer
    from torch_cli.delivery.receipt import Outcome, Receipt
    from torch_cli.errors import (
        HeldError,
        NotFoundError,
        RefusedError,
        TimedOutError,
        TorchError,
    )
    from torch_cli.programs.state import State

__version__ = "0.1.0"

__all__ = ["Answer", "AnswerGiven", "HeldError", "NotFoundError", "Outcome", "Receipt"]
__all__ += ["RefusedError", "Spawned", "State", "TimedOutError", "Torch", "TorchError", "Waiting"]
__all__ += ["__version__"]

_HOMES = {
    **dict.fromkeys(("Spawned", "Torch"), "torch_cli.api"),
    **dict.fromkeys(("AnswerGiven", "Waiting"), "torch_cli.attention.given"),
    "Answer": "torch_cli.delivery.ask",
    **dict.fromkeys(("Outcome", "Receipt"), "torch_cli.delivery.receipt"),
    "State": "torch_cli.programs.state",
}
"""The module of each public name. The errors are in ``torch_cli.errors``."""


def __getattr__(name: str) -> "Any":
    """Load a public name when it is used, because the command line needs none of them."""
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "torch_cli.errors")), name)
