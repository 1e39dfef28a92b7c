"""Starting the daemon by the system: a systemd user unit, or a launchd agent on macOS."""

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

from torch_cli.errors import TorchError
from torch_cli.paths import state_dir
from torch_cli.regular import open_regular
from torch_cli.schedule.command import environment, torch_words

LABEL = "torch"
WATCHDOG_SECONDS = 60
"""systemd restarts the daemon after this many seconds without a sign of life. The loop gives one
every quarter of a second. A writer that holds the store can delay it by ten seconds.
"""

LARGEST_UNIT_BYTES = 64 * 1024
"""The most bytes of a service's file that are read. Torch's has about 600."""

CONTROL_SECONDS = 60.0
"""Seconds that systemctl or launchctl may take. A daemon that ends finishes a delivery first."""


class Service(NamedTuple):
    """A file and its text, and the commands with which the system starts or ends the service.

    ``again`` starts it once more, when its file is there and was read before. ``caution`` is what a
    person should know of it, '' if nothing.
    """

    path: str
    text: str
    start: tuple[tuple[str, ...], ...]
    end: tuple[tuple[str, ...], ...]
    again: tuple[tuple[str, ...], ...]
    caution: str = ""


def service(platform: str = sys.platform) -> Service:
    """Return the service of this user and state directory, in the form for ``platform``."""
    words = [*torch_words(), "daemon", "run", "--quiet", "--if-needed"]
    return _launchd(words) if platform == "darwin" else _systemd(words)


def _systemd(words: list[str]) -> Service:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    unit = f"{LABEL}.service"
    lines = [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment().items()]
    text = "\n".join(
        [
            "[Unit]",
            "Description=Torch: check-ins and messages for agents in tmux",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={' '.join(_quoted(word) for word in words)}",
            *lines,
            "Restart=on-failure",
            "RestartSec=5",
            f"WatchdogSec={WATCHDOG_SECONDS}",
            "# A tmux server that is started from here, to bring agents back, outlives the unit.",
            "KillMode=process",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )
    control = ("systemctl", "--user")
    return Service(
        os.path.join(home, "systemd", "user", unit),
        text,
        ((*control, "daemon-reload"), (*control, "enable", "--now", unit)),
        ((*control, "disable", "--now", unit),),
        ((*control, "daemon-reload"), (*control, "restart", unit)),
    )


def _quoted(word: str) -> str:
    """Return a word quoted for systemd.syntax(7), in which "%" and "$" are special."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'


def _launchd(words: list[str]) -> Service:
    label = f"cli.{LABEL}.daemon"
    path = os.path.join(os.path.expanduser("~"), "Library", "LaunchAgents", f"{label}.plist")
    agent = {
        "Label": label,
        "ProgramArguments": words,
        "EnvironmentVariables": environment(),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        # As KillMode=process above: a tmux server that is started from here outlives the daemon.
        "AbandonProcessGroup": True,
        "StandardErrorPath": f"{state_dir()}/daemon.err",
    }
    domain = f"gui/{os.getuid()}"
    return Service(
        path,
        plistlib.dumps(agent, sort_keys=False).decode(),
        (("launchctl", "bootstrap", domain, path),),
        (("launchctl", "bootout", f"{domain}/{label}"),),
        (("launchctl", "kickstart", "-k", f"{domain}/{label}"),),
        "Torch has not been tested on macOS yet: see 'torch daemon status' whether it runs",
    )


def install(unit: Service, *, before_start: Callable[[], object] | None) -> list[str]:
    """Write the service's file; return the commands that are left to do.

    With ``before_start`` none are left: it is called, and then the service is started.
    """
    try:
        os.makedirs(os.path.dirname(unit.path), exist_ok=True)
        with open(unit.path, "w", encoding="utf-8") as file:
            file.write(unit.text)
    except OSError as error:
        raise TorchError(
            f"{unit.path} could not be written: {error.strerror}; nothing was installed",
            hint="'torch daemon install --dry-run' prints what would be written.",
            code="service",
        ) from error
    if before_start is None:
        return [" ".join(words) for words in unit.start]
    _check_control(unit)
    before_start()
    return _carry_out(unit.start)


def is_installed(unit: Service) -> bool:
    """Return whether the system is to start just this service: this Torch, with this state."""
    try:
        with open_regular(unit.path) as file:
            return file.read(LARGEST_UNIT_BYTES) == unit.text.encode()
    except OSError:
        return False


def start_again(unit: Service) -> None:
    """Have the system start the service, whether it runs or not. Raises ``TorchError``."""
    _check_control(unit)
    _carry_out(unit.again)


def remove(unit: Service, *, now: bool) -> list[str]:
    """Remove the service's file. With ``now``, end the service first. Return what is left to do.

    The file is removed also if the service could not be ended. Then raises ``TorchError``.
    """
    left, failed = [" ".join(words) for words in unit.end], None
    if now:
        try:
            _check_control(unit)
            left = _carry_out(unit.end)
        except TorchError as error:
            failed = error
    try:
        os.unlink(unit.path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise TorchError(
            f"{unit.path} could not be removed: {error.strerror}", code="service"
        ) from error
    if failed is not None:
        raise TorchError(
            f"{failed.message}; {unit.path} was removed",
            hint=f"If the service still runs: {left[0]}",
            code="service",
        )
    return left


def _check_control(unit: Service) -> None:
    """Raise ``TorchError`` if the program that starts and ends services is missing."""
    name = unit.start[0][0]
    if shutil.which(name) is None:
        raise TorchError(f"this machine has no {name}", code="service")


def _carry_out(commands: tuple[tuple[str, ...], ...]) -> list[str]:
    for words in commands:
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=CONTROL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            wrong = f"did not end within {CONTROL_SECONDS:g} s"
        else:
            wrong = f"failed: {(done.stderr or done.stdout).strip()}" if done.returncode else ""
        if wrong:
            raise TorchError(
                f"'{' '.join(words)}' {wrong}",
                hint="Without it: 'torch daemon start', or 'torch crontab install'.",
                code="service",
            )
    return []
