"""The ``torch`` command. The hook is reached without click: it runs at every prompt."""

import sys


def main() -> None:
    """Run the command line in ``sys.argv``."""
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"} & set(sys.argv):
        from torch_cli.agents.hook import main as hook

        hook(sys.argv[2:])
    elif sys.argv[1:] == ["--version"]:
        from torch_cli import __version__

        sys.stdout.write(f"torch {__version__}\n")
    else:
        from torch_cli.cli import torch

        torch(prog_name="torch")


if __name__ == "__main__":
    main()
