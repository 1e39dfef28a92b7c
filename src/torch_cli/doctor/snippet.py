"""What the doctor finds about the snippet in a person's own tmux."""

from collections.abc import Iterator

from torch_cli.doctor.finding import Finding, Level
from torch_cli.errors import TorchError
from torch_cli.regular import read_regular
from torch_cli.schedule.command import words_for_tmux
from torch_cli.snippet import conf
from torch_cli.snippet.text import KEY_MARK, KEYS, SOURCED, snippet
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

SUBJECT = "tmux snippet"
INSTALL = "torch shell tmux --install"


def in_tmux(socket: Socket, *, has_server: bool) -> Iterator[Finding]:
    """Say whether the snippet is installed and is that of this Torch, and which keys it has not."""
    try:
        found = conf.installed()
    except TorchError as error:
        yield Finding(SUBJECT, Level.WARNING, error.message, error.hint)
        return
    sourced = has_server and bool(
        run(socket, "-N", "display-message", "-p", f"#{{{SOURCED}}}").out.strip()
    )
    if not found.line:
        words = "this server has read it" if sourced else "your tmux does not show who needs you"
        yield Finding(SUBJECT, Level.NOTE, f"not installed: {words}", INSTALL)
    elif _text(found.snippet) != snippet(words_for_tmux()).encode("utf-8", "surrogateescape"):
        words = f"{found.file} sources {found.snippet}, which is not that of this Torch"
        yield Finding(SUBJECT, Level.WARNING, words, INSTALL)
    else:
        read = "" if sourced or not has_server else "; this server has not read it"
        advice = f"tmux source-file '{found.snippet}'" if read else ""
        yield Finding(SUBJECT, Level.OK, f"{found.file} sources it{read}", advice)
    if sourced:
        yield from _keys(socket)


def _keys(socket: Socket) -> Iterator[Finding]:
    for key in KEYS:
        bound = run(socket, "-N", "list-keys", "-T", "prefix", key.key).out
        if bound.strip() and KEY_MARK not in bound:
            words = f"prefix {key.key} is yours, and was not taken for {key.words}"
            advice = "Bind another key to the command that 'torch shell tmux' prints."
            yield Finding(SUBJECT, Level.NOTE, words, advice)


def _text(path: str) -> bytes:
    try:
        return read_regular(path, conf.LARGEST_CONF_BYTES)
    except OSError:
        return b""
