"""The ``torch`` command. What runs all day does without click: the hook, and ``cli.direct``."""

# Ctrl-C shows a traceback until ``main`` runs, so only what Python has loaded is imported here.
import os
import sys

_NOT_LOADED = ("map segment", "allocate", "open files", "Error 24")
"""What the C library says if a limit keeps it from loading a part of Python (glibc, musl)."""

TOLD_HINT = "       You hear of it only here: no daemon is running ('torch daemon start')."
"""The second line of what a person is told of an agent that needs them."""


def main() -> None:
    """Run the command line in ``sys.argv``. Print errors as sentences, also errors of the start."""
    try:
        _execute()
    except KeyboardInterrupt as interrupt:
        # A command handles its own signals. This one came while Torch was loaded, or after the end.
        status = 128 + getattr(interrupt, "number", 2)
        if getattr(sys.modules.get("torch_cli.cli.present"), "begun", False):
            os._exit(status)
        _end(status, "interrupted", "interrupted, nothing was done")
    except (MemoryError, OSError, ImportError) as error:
        words = _exhausted(error)
        if not words:
            raise
        _end(7, "exhausted", f"Torch could not be loaded: {words}; nothing was done")
    finally:
        # A signal while Python ends would only show a traceback.
        if "signal" in sys.modules and sys.argv[1:2] != ["hook"]:
            _ignore_signals()


def _execute() -> None:
    _open_streams()
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"} & set(sys.argv):
        from torch_cli.programs.hook import main as hook

        hook(sys.argv[2:], _answer)
    elif sys.argv[1:] == ["--version"]:
        from torch_cli import __version__

        try:
            os.write(1, f"torch {__version__}\n".encode())
        except OSError:
            sys.exit(1)
    else:
        from torch_cli.cli.signals import heed

        heed()
        if os.isatty(0) and os.isatty(1):  # a person: agents and scripts read what is printed
            from torch_cli.attention.presence import note_command

            if told := note_command():
                from torch_cli.cli.present import say

                say(f"torch: {told}\n{TOLD_HINT}", err=True)
        if sys.argv[1:2] in (["send"], ["ask"], ["ps"], ["status"]):
            from torch_cli.cli import direct

            direct.execute(sys.argv[1], sys.argv[2:])
        from torch_cli.cli.group import torch

        torch(prog_name="torch")


def _answer(event: bytes) -> bytes:
    from torch_cli.rules.hook import answer

    return answer(event)


def _ignore_signals() -> None:
    from torch_cli.cli.signals import ignore

    ignore()


def _exhausted(error: BaseException) -> str:
    """Return the limit that ``error`` comes from, '' if it comes from none."""
    if isinstance(error, MemoryError):
        return "no memory is left for it"
    if isinstance(error, OSError):
        from errno import EMFILE, ENFILE, ENOMEM

        exhausted = error.errno in (EMFILE, ENFILE, ENOMEM)
        return os.strerror(error.errno or 0) if exhausted else ""
    said = str(error)
    return said if any(words in said for words in _NOT_LOADED) else ""


def _end(status: int, code: str, words: str) -> None:
    """Say why nothing was done, with what is loaded already, and end at once."""
    try:
        if "--json" in sys.argv:
            words = words.replace("\\", "\\\\").replace('"', "'")
            text = f'{{"error": {{"code": "{code}", "message": "{words}", "hint": ""}}}}\n'
            os.write(1, text.encode())
        else:
            os.write(2, f"torch: {words}\n".encode())
    except OSError:
        pass
    os._exit(status)


def _open_streams() -> None:
    """Open the null device for closed standard streams, so that no pipe to tmux gets their numbers.

    A character that the encoding of an output does not have is printed as an escape, so that a
    receipt does not fail because of it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w":
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
