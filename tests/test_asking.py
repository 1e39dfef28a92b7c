"""How a person at a terminal is asked."""

import os
import sys
from pathlib import Path

from conftest import SOURCE
from read_terminal import on_terminal

PROGRAM = """
import os
given, typed = os.pipe()
os.write(typed, b"maybe\\ny\\n")
os.close(typed)
os.dup2(given, 0)
from torch_cli.cli.asking import confirmed
print(confirmed("dev: it begins a new conversation, and its question is declined. Restart it?"))
"""


def test_a_question_breaks_between_words_and_says_which_answers_it_takes(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    shown = on_terminal([sys.executable, "-c", PROGRAM], environ, tmp_path, (60, 20), errors=True)
    question = (
        "dev: it begins a new conversation, and its question is\n  declined. Restart it? [y/N]: "
    )
    assert shown.decode() == f"{question}  the answer is y or n\n{question}True\n"
