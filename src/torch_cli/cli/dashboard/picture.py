"""``torch top`` as a picture: drawn once, without a terminal, and exported as SVG by Textual."""

import asyncio
import os
import re
from typing import Any

from textual.widgets import Footer

from torch_cli.cli.dashboard.app import Dashboard
from torch_cli.cli.table import Paper
from torch_cli.errors import RefusedError, TorchError
from torch_cli.tmux.socket import Socket

LOOK_SECONDS = 20.0
"""Seconds within which all agents must have been looked at."""

_FONT_FACES = re.compile(r"\s{0,20}@font-face \{[^}]{0,2000}\}")
"""What would load fonts from the network whenever somebody looks at the picture."""


def check_picture(path: str) -> None:
    """Raise ``RefusedError`` if no file can be written at ``path``."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise RefusedError(
            f"no file can be written at {path}; nothing was saved",
            hint="Name a file in a directory that exists and is yours.",
            code="bad-path",
        )


def save_picture(socket: Socket, on: Paper, path: str, size: tuple[int, int]) -> int:
    """Save the dashboard, ``size`` columns and rows large; return how many agents it shows.

    Raises ``TorchError`` if the agents could not be looked at, ``OSError`` if it is not written.
    """
    app = Dashboard(socket, on, for_picture=True)
    made: list[str] = []

    async def take(pilot: Any) -> None:
        async with asyncio.timeout(LOOK_SECONDS):
            await app.looked.wait()
        app.query_one(Footer).refresh(recompose=True)  # its first drawing has other spaces
        await pilot.pause()
        await pilot.pause()
        made.append(app.export_screenshot(title="torch top"))
        app.exit()

    try:
        asyncio.run(app.run_async(headless=True, size=size, auto_pilot=take))
    finally:
        app.await_end()
    if app.board.error is not None:
        raise app.board.error
    if not made:
        raise TorchError(f"the agents were not looked at in {LOOK_SECONDS:g} s; nothing was saved")
    # Some programs drop spaces at the beginning of a text, no-break spaces too (librsvg 2.54).
    drawn = _FONT_FACES.sub("", made[0]).replace("<svg ", '<svg xml:space="preserve" ', 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{drawn.rstrip()}\n")
    return len(app.board.rows)
