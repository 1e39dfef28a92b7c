"""The stub of the Messages API as a program of its own: ``python -m torch_cli.profiling.stub``."""

import argparse
import sys
import threading
from contextlib import suppress
from pathlib import Path

from torch_cli.profiling.stub import StubServer
from torch_cli.profiling.stub.messages import MessagesHandler


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stub of the Messages API on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    with StubServer(MessagesHandler, options.log, options.port) as stub:
        sys.stdout.write(stub.url + "\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
