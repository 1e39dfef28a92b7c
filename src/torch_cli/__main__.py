"""The ``torch`` command. The hook, ``send`` and ``ask``, which run all day, go past click."""

import os
import sys


def main() -> None:
    """Run the command line in ``sys.argv``."""
    _open_streams()
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"} & set(sys.argv):
        from torch_cli.agents.hook import main as hook

        hook(sys.argv[2:])
    elif sys.argv[1:] == ["--version"]:
        from torch_cli import __version__

        try:
            os.write(1, f"torch {__version__}\n".encode())
        except OSError:
            sys.exit(1)
    else:
        if sys.argv[1:2] in (["send"], ["ask"]):
            from torch_cli.cli import direct

            direct.execute(sys.argv[1], sys.argv[2:])
        from torch_cli.cli.group import torch

        torch(prog_name="torch")


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
