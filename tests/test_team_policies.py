"""What torch.toml says of stalls and hibernation holds for a member, also for one that runs."""

from pathlib import Path
from typing import Any

import pytest

from conftest import TmuxServer, Torch
from repository import Repository
from test_up import edit, project, states, up
from torch_cli.errors import RefusedError
from torch_cli.teamfile.load import load_team

__all__ = ["project"]


def policy(torch: Torch) -> tuple[Any, Any]:
    said = torch("health", "dev", "--json").json
    return said["stalled"], said["hibernate"]


def test_torch_up_sets_them_changes_them_and_takes_them_back(
    tmux: TmuxServer, torch: Torch, project: Repository
) -> None:
    edit(project, 'name = "dev"', 'name = "dev"\nstalled = "nudge"\nhibernate = "1h"')
    assert states(up(torch, project, "--json"))["dev"] == "started"
    panes = {pane.pid for pane in tmux.panes()}
    assert policy(torch) == ("nudge", 3600)
    for words in (("--stalled", "tell"), ("--hibernate", "2h")):
        refused = torch("health", "dev", *words, "--json")
        assert (refused.code, refused.json["error"]["code"]) == (2, "in-file")
    edit(project, '"nudge"\nhibernate = "1h"', '"restart"\nhibernate = "never"')
    dry = up(torch, project, "--dry-run", "--json")
    assert states(dry)["dev"] == "update"
    assert policy(torch) == ("nudge", 3600), "a dry run changes nothing"
    assert states(up(torch, project, "--json"))["dev"] == "updated"
    assert policy(torch) == ("restart", None)
    edit(project, '\nstalled = "restart"\nhibernate = "never"', "")
    assert states(up(torch, project, "--json"))["dev"] == "updated"
    assert policy(torch) == ("tell", None)
    assert torch("health", "dev", "--hibernate", "2h", "--json").json["hibernate"] == 7200
    assert states(up(torch, project, "--json"))["dev"] == "running"
    assert policy(torch) == ("tell", 7200), "what the file does not say is a person's"
    assert {pane.pid for pane in tmux.panes()} == panes, "nothing was restarted"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('stalled = "kill"', "'stalled' must be one of tell, nudge, restart"),
        ('hibernate = "5s"', "'hibernate' must be a time of at least 1m"),
        ("hibernate = true", "'hibernate' must be a text"),
        ('hibernate = "default"', "'hibernate' must"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "torch.toml").write_text(f'[[agent]]\nname = "dev"\n{text}\n')
    with pytest.raises(RefusedError) as refused:
        load_team(str(tmp_path / "torch.toml"))
    assert said in f"{refused.value.message} {refused.value.hint}"
