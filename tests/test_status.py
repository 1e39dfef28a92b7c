"""``torch status`` on a terminal."""

from agent import DemoAgent
from test_since import in_a_terminal


def test_a_question_takes_four_rows_of_a_terminal(demo: DemoAgent) -> None:
    """Eight questions must fit a screen, and what decides must be seen of each."""
    command = "rm -rf " + " ".join(f"/srv/data/{number}" for number in range(5))
    assert demo.send(f"DIALOG({command})").code == 0
    demo.tmux.wait_for_text(demo.pane, "Do you want to proceed?")
    rows = in_a_terminal(demo.torch.argv("status", "-q")).splitlines()
    assert len(rows) == 4, rows
    assert all(len(row) <= 80 for row in rows)
    assert rows[0] == "ANSWER a question"
    assert "Do you want to proceed?" in rows[1]
    assert "rm -rf /srv" in rows[1]
    assert rows[2] == "    1 Yes · 2 No"
    assert rows[3].startswith(f"    torch answer {demo.name} OPTION --hash ")
    assert "# 'torch answer" in rows[3], "where the rest is"
    assert f"Run command · {command}\n" in demo.torch("status").out, "a pipe gets all of it"
