"""How cron, systemd or launchd calls this Torch: the command line, and the environment."""

import os
import shutil
import sys

from torch_cli.paths import is_chosen, state_dir
from torch_cli.tmux.process import program


def torch_words() -> list[str]:
    """Return the absolute command line of this installation of Torch, without a command."""
    script = os.path.join(os.path.dirname(sys.executable), "torch")
    return [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "torch_cli"]


def environment() -> dict[str, str]:
    """Return the variables that the system would not set: paths, and Torch's directory."""
    found = {}
    if is_chosen():
        found["TORCH_HOME"] = state_dir()
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        if os.environ.get(name):
            found[name] = os.environ[name]
    if os.environ.get("TORCH_TMUX"):
        found["TORCH_TMUX"] = program()
    places = ["/usr/local/bin", "/usr/bin", "/bin"]
    tmux = shutil.which("tmux")
    if tmux and os.path.dirname(tmux) not in places:
        places.insert(0, os.path.dirname(tmux))
    found["PATH"] = os.pathsep.join(places)
    return found


def words_for_tmux() -> list[str]:
    """Return the command line by which tmux starts this Torch; its server has a ``PATH``."""
    given = {name: value for name, value in environment().items() if name != "PATH"}
    variables = [f"{name}={value}" for name, value in given.items()]
    return ["env", *variables, *torch_words()] if variables else torch_words()
