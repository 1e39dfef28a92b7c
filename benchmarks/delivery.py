"""A verified delivery through the library, beside the same agent driven without tmux."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.figures import Row, median
from benchmarks.lab import COLUMNS, ROWS, Lab, timed
from benchmarks.sending import RIPE, WORK, adopted, answered
from torch_cli.delivery.queueing import deliver
from torch_cli.delivery.reading import Policy
from torch_cli.delivery.receipt import Outcome
from torch_cli.delivery.recipient import Recipient, recipient
from torch_cli.programs.loading import load_profile
from torch_cli.roster.registry import find
from torch_cli.store import Store
from torch_cli.store.messages import new_id, new_message
from torch_cli.tmux.control import ControlClient

GROUP = "delivery"
RUNS = 40
WARM_UP = 5
LIMIT = 15.0
"""Milliseconds that a proven delivery may cost beyond what the program itself takes."""

_CHORD = bytes(ord(key[-1]) & 0x1F for key in load_profile("demo", None).submit.chord)
"""The bytes of the profile's submit keys, each of which is pressed with Ctrl."""
_EMPTY_BOX = "»\u00a0\x1b[7m \x1b[0m".encode()


def measure(lab: Lab) -> list[Row]:
    """Return the rows: the agent alone, then a delivery with proof."""
    alone: list[float] = []
    proven: list[float] = []
    torch = str(lab.bin / "torch")
    os.environ["TORCH_TMUX_SOCKET"] = lab.socket.name
    pane = adopted(lab, torch, "library")
    ripe = time.monotonic() + RIPE
    with _demo_on_a_pty(str(lab.bin / "torch-demo-agent")) as terminal, Store() as store:
        found = find(store, lab.socket, "library")
        with ControlClient(found.socket, found.pane.session_id) as client:
            to = recipient(store, found, client)
            time.sleep(max(0.0, ripe - time.monotonic()))
            for number in range(WARM_UP + RUNS):
                text = f"message {number} through the library"
                direct = _echo_and_clear(terminal, text.encode())
                took = timed(partial(deliver_one, client, store, to, text))
                lab.wait_for_screen(pane, partial(answered, text))
                if number >= WARM_UP:
                    alone.append(direct)
                    proven.append(took)
    more = median(proven) - median(alone)
    return [
        Row(GROUP, "demo agent on a bare pty: echo a paste, clear its box", tuple(alone)),
        Row(
            GROUP,
            "accepted, delivered and proven through the library",
            tuple(proven),
            f"{more:.1f} ms more than the agent alone",
            more,
            LIMIT,
            False,
            f"at most {LIMIT:g} ms more",
        ),
    ]


def deliver_one(client: ControlClient, store: Store, to: Recipient, text: str) -> str:
    """Accept and deliver a message; return the state of its receipt."""
    message, _ = store.messages.accept(
        new_message(
            new_id(),
            recipient=to.name,
            body=text,
            typed=text,
            server=to.pane.server,
            pane=to.pane.id,
            pane_pid=to.pane.pid,
        )
    )
    receipt = deliver(client, store, to, message, Policy())
    if receipt.state not in (Outcome.SUBMITTED, Outcome.CONFIRMED):
        raise RuntimeError(f"{receipt.state}: {receipt.reason}")
    return str(receipt.state)


@contextmanager
def _demo_on_a_pty(program: str) -> Iterator[int]:
    """Run a demo agent on a pseudo-terminal; give the descriptor of its other side."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(program, [program, "--work", WORK])
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        _read_until(terminal, b"? for help")
        yield terminal
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _echo_and_clear(terminal: int, text: bytes) -> float:
    """Paste ``text`` and submit it once it shows; return the milliseconds until the box is empty.

    Returns when the agent waits for the next.
    """

    def exchange() -> None:
        os.write(terminal, b"\x1b[200~" + text + b"\x1b[201~")
        _read_until(terminal, text)
        os.write(terminal, _CHORD)
        _read_until(terminal, _EMPTY_BOX)

    _read_until(terminal, b"", quiet=0.05)
    took = timed(exchange)
    _read_until(terminal, b"? for help")
    return took


def _read_until(terminal: int, wanted: bytes, *, quiet: float = 10.0) -> None:
    """Read until ``wanted`` has come, or with nothing wanted until the agent is ``quiet``."""
    seen = b""
    while not wanted or wanted not in seen:
        if not select.select([terminal], [], [], quiet)[0]:
            if wanted:
                raise RuntimeError(f"no {wanted!r} within {quiet:g} s: {seen!r}")
            return
        seen += os.read(terminal, 1 << 16)
