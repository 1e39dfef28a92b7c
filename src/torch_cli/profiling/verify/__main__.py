"""The process that does the proof, in an environment of its own. ``run`` starts it.

Its standard input stays open as long as the process that started it lives. When that process
ends, this one ends too. It writes JSON lines: its progress, each failure, and the result.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from torch_cli.profiling.verify.plan import Plan
from torch_cli.profiling.verify.proving import Proving
from torch_cli.profiling.verify.subjects import SUBJECTS
from torch_cli.roster.registry import profile_named

_CLEAN = """
import pathlib, sys
from torch_cli.profiling.verify.leaving import leave_nothing
leave_nothing(pathlib.Path(sys.argv[1]))
"""


def main() -> int:
    """Prove the profile that the first line of standard input names; return the exit status."""
    order = json.loads(sys.stdin.readline())
    root = Path(order["root"])
    threading.Thread(target=_end_with_parent, args=(root,), daemon=True).start()
    plan = Plan(**order["plan"])
    name = order["profile"]
    _say({"result": Proving(root, SUBJECTS[name], profile_named(name), plan, _say).run()})
    return 0


def _end_with_parent(root: Path) -> None:
    """Wait for the end of standard input, then end this process and all that it has started.

    Another process cleans up, because this one would start programs again while it lives.
    """
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when this process ends
        pass
    subprocess.Popen([sys.executable, "-c", _CLEAN, str(root)], start_new_session=True, cwd="/")
    os._exit(1)


def _say(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
