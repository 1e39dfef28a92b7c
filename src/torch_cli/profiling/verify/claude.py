"""Claude Code under proof."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch_cli.profiling.houses import claude as house
from torch_cli.profiling.stub import Behaviour, StubMode
from torch_cli.profiling.stub.messages import MessagesHandler
from torch_cli.profiling.verify.subject import ASKS, Acts, Stubbed

QUESTION = {
    "questions": [
        {
            "question": "Which colour?",
            "header": "Colour",
            "options": [
                {"label": "Red", "description": "the first"},
                {"label": "Blue", "description": "the second"},
            ],
            "multiSelect": False,
        }
    ]
}


class ClaudeCode(Stubbed):
    """Claude Code with the stub of the Messages API, and the chord in its key bindings."""

    handler = MessagesHandler
    dialogs: ClassVar[tuple[str, ...]] = ("permission", "question", "plan")
    at_start: ClassVar[tuple[str, ...]] = ("trust", "auto-mode")
    commands: ClassVar[Mapping[str, str]] = {"model": "/model"}
    raises: ClassVar[Mapping[str, Behaviour]] = {
        "permission": ASKS,
        "question": Behaviour(StubMode.TOOL, tool="AskUserQuestion", given=QUESTION),
        "plan": Behaviour(StubMode.TOOL, tool="ExitPlanMode", given={"plan": "1. Nothing."}),
    }
    renderers: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "full-screen": {},
        "classic": {"CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1"},
    }

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ask_at_start("")

    @property
    def configuration(self) -> dict[str, Any]:
        """What its settings were."""
        return {"permissions.defaultMode": "default", "telemetry": False, "chord": True}

    def environment(self) -> dict[str, str]:
        """The stub's address, an invented key, and settings that stop all other traffic."""
        assert isinstance(self.home, house.ClaudeHome)
        return house.environment(self.home, self.stub.url) | self.quiet

    def ask_at_start(self, kind: str) -> None:
        """Write its settings so that the next start asks this question and no other."""
        from torch_cli.programs.setup_files import add_chord

        home = house.ClaudeHome(self.home.path, self.home.work)
        house.furnish(home, trusted=kind != "trust", mode_asked=kind != "auto-mode")
        self.home = home
        home.keybindings.write_text(add_chord("{}\n", str(home.keybindings)))

    def prepare(self, stage: Acts, kind: str) -> None:
        """Switch the mode: the program asks about a plan only in plan mode."""
        stage.mode("plan" if kind == "plan" else "manual")
