"""The ``torch`` command. The hook, ``send`` and ``ask``, which run all day, go past click."""

import errno
import os
import sys

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_NOT_LOADED = ("map segment", "allocate", "open files", "Error 24")
"""What the C library says if a limit keeps it from loading a part of Python (glibc, musl)."""


def main() -> None:
    """Run the command line in ``sys.argv``; print an error in words, also if the start itself
    fails.
    """
    try:
        _execute()
    except KeyboardInterrupt as interrupt:
        # A command answers for itself: this came while Torch was being loaded, or after the answer.
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
        # A signal while Python ends would show a traceback, and change nothing.
        if "signal" in sys.modules and sys.argv[1:2] != ["hook"]:
            _ignore_signals()


def _execute() -> None:
    _open_streams()
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"} & set(sys.argv):
        from torch_cli.programs.hook import main as hook

        hook(sys.argv[2:])
    elif sys.argv[1:] == ["--version"]:
        from torch_cli import __version__

        try:
            os.write(1, f"torch {__version__}\n".encode())
        except OSError:
            sys.exit(1)
    else:
        from torch_cli.cli.signals import heed

        heed()
        if sys.argv[1:2] in (["send"], ["ask"]):
            from torch_cli.cli import direct

            direct.execute(sys.argv[1], sys.argv[2:])
        from torch_cli.cli.group import torch

        torch(prog_name="torch")


def _ignore_signals() -> None:
    from torch_cli.cli.signals import ignore

    ignore()


def _exhausted(error: BaseException) -> str:
    """Return which limit ``error`` is of, '' if it is of none."""
    if isinstance(error, MemoryError):
        return "no memory is left for it"
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0) if error.errno in _EXHAUSTED else ""
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
    """Put nothing where a standard stream was closed, lest a pipe to tmux gets its number.

    What an output's encoding lacks is shown as an escape: a receipt must not fail at a letter.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w":
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
