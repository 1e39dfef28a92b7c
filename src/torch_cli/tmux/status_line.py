"""Texts for the people at a server, in the status line of every attached terminal."""

from torch_cli.tmux import quote
from torch_cli.tmux.control import ControlClient
from torch_cli.tmux.panes import list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.terminals import terminals

SHOWN_MILLISECONDS = 10_000
"""Milliseconds that the text stays if nobody presses a key. tmux's own default is 750."""


def show(client: ControlClient, words: str) -> int:
    """Show ``words`` to everybody; return to how many. Programs in control mode do not count.

    With tmux 3.2 it shows them to nobody: display-message takes no client there.
    """
    # tmux also gives the text to strftime (cmd-display-message.c).
    literal = quote.format_literal(words).replace("%", "%%")
    asked = [
        client.ask(
            quote.line(
                *("display-message", "-c", one.name, "-d", str(SHOWN_MILLISECONDS), "--", literal)
            )
        )
        for one in terminals(client)
    ]
    return sum(reply.ok for replies in asked for reply in replies)


def show_at(path: str, words: str) -> int:
    """Show ``words`` at the server whose socket is ``path``; as ``show``.

    Raises ``TorchError`` if there is no server, or tmux does not answer.
    """
    socket = Socket(path=path)
    panes = list_panes(socket)
    with ControlClient(socket, panes[0].session_id) as client:
        return show(client, words)
