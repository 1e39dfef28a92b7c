"""A task's check: the command that shows whether it is done."""

import subprocess
import time

from torch_cli.child import end
from torch_cli.errors import TimedOutError, TorchError
from torch_cli.store.tasks import Task

CHECK_SECONDS = 600.0
"""Seconds that a check may take."""

EVIDENCE_LINES = 20
"""Lines of the check's output that are kept as evidence."""


def prove(task: Task, directory: str, timeout: float) -> dict[str, object]:
    """Run the check in ``directory``; return what shows that the task is done.

    Raises ``TorchError`` if it does not exit with 0, ``TimedOutError`` after ``timeout`` seconds.
    """
    shown = " ".join(task.check)
    began = time.time()
    try:
        ran = subprocess.Popen(
            task.check,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise TorchError(
            f"the check of task {task.id} cannot be run in {directory}: {shown}: "
            f"{error.strerror}; it is not done",
            code="check",
        ) from error
    try:
        output, _ = ran.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise TimedOutError(
            f"the check of task {task.id} took more than {timeout:g} s: {shown}; it is not done"
        ) from error
    finally:
        if ran.returncode is None:  # processes that it started hold the pipe open, too
            end(ran)
    lines = output.decode("utf-8", "replace").splitlines()[-EVIDENCE_LINES:]
    if ran.returncode != 0:
        said = "\n".join(f"  {line}" for line in lines)
        raise TorchError(
            f"the check of task {task.id} exited with {ran.returncode} in {directory}: {shown}\n"
            f"{said}\nit is not done",
            code="check",
        )
    seconds = round(time.time() - began, 3)
    return {"check": list(task.check), "exit": 0, "seconds": seconds, "output": lines}
