"""Moving a pane to another session or window of its server, by ids, in one step of the server.

The decision depends on one line that tmux prints: which window, how many panes share it, and who
looks at it. The step that moves compares this line again, and does nothing if it differs.
"""

from typing import NamedTuple

from torch_cli.tmux import quote
from torch_cli.tmux.control import TmuxError
from torch_cli.tmux.panes import Pane
from torch_cli.tmux.process import run
from torch_cli.tmux.socket import Socket

# No names are in here, because they could contain anything.
_FACTS = (
    "#{pid} #{start_time} #{session_id} #{window_id} #{pane_id} #{pane_pid} #{window_panes}"
    " #{?pane_active,1,0} #{?window_zoomed_flag,1,0} #{session_windows} #{window_linked_sessions}"
    " #{?session_grouped,#{session_group_size},1} #{window_active_clients_list}"
)
_GOAL = "#{session_id} #{session_windows}"
_NEIGHBOUR = "#{pane_id} #{window_id} #{?window_zoomed_flag,1,0}"
_CLIENT = "#{client_name} #{session_id} #{client_flags}"
_MOVED = "torch-moved"


class Client(NamedTuple):
    """A client of the server. ``person`` is false for the clients with which Torch listens."""

    name: str
    session_id: str
    person: bool


class Goal(NamedTuple):
    """Where a pane is to go: into a session, or ``beside`` a pane (an id) of a window of it.

    ``horizontal`` puts it to the right of that pane, as ``join-pane -h`` does. Otherwise it goes
    below.
    """

    session_id: str
    beside: str = ""
    horizontal: bool = False

    @property
    def asked(self) -> tuple[str, str]:
        """The target of the goal, and the format of the facts that must not change."""
        return (self.beside, _NEIGHBOUR) if self.beside else (f"{self.session_id}:", _GOAL)


class Placement(NamedTuple):
    """Where a pane and its goal were at one moment.

    ``facts`` and ``goal_facts`` are what tmux printed. ``alone`` says that no other pane is in the
    window. ``linked`` says that sessions of different groups show it. ``clients`` are all clients
    of the server, ``shown`` those that show the window.
    """

    pane: Pane
    goal: Goal
    facts: str
    goal_facts: str
    alone: bool
    active: bool
    zoomed: bool
    linked: bool
    panes: int
    shown: tuple[Client, ...]
    clients: tuple[Client, ...]

    @property
    def deprived(self) -> tuple[Client, ...]:
        """The clients of people whose keyboard would suddenly type into another program."""
        return tuple(c for c in self.shown if c.person and (self.alone or self.active))


class Act(NamedTuple):
    """How to move the pane.

    ``name`` is the new name of the window, '' to keep its name. A pane that leaves a shared window
    needs a name. It is made from an agent's name, which has no special meaning to tmux.
    ``taken_along`` are the clients that move too; ``select`` shows them the pane. ``held_by`` is
    the target of the placeholder in a session that was made for the pane.
    """

    name: str = ""
    taken_along: tuple[Client, ...] = ()
    select: bool = False
    held_by: str = ""


def placement_of(socket: Socket, pane: Pane, goal: Goal) -> Placement | None:
    """Return how ``pane`` and ``goal`` are now, ``None`` if either is not where it was."""
    target, wanted = goal.asked
    asked = [
        quote.line("display-message", "-p", "-t", _full(pane), _FACTS),
        quote.line("display-message", "-p", "-t", target, wanted),
        quote.line("list-clients", "-F", _CLIENT),
    ]
    done = run(socket, "-N", "source-file", "-", stdin=b"\n".join([*asked, b""]))
    facts, goal_facts, *listed = [*done.out.splitlines(), "", ""]
    before = f"{pane.server_pid} {pane.server_started} {pane.session_id} {pane.window_id}"
    # If its target is gone, display-message answers for another pane.
    if not facts.startswith(f"{before} {pane.id} {pane.pid} "):
        return None
    if goal_facts.split(" ")[0] != (goal.beside or goal.session_id):
        return None
    clients = tuple(_client(line) for line in listed if line)
    panes, active, zoomed, _, links, group, *shown = facts.split(" ", 12)[6:]
    names = "".join(shown).split(",")
    return Placement(
        pane,
        goal,
        facts,
        goal_facts,
        alone=panes == "1",
        active=active == "1",
        zoomed=zoomed == "1",
        linked=int(links) > int(group),
        panes=int(panes),
        shown=tuple(client for client in clients if client.name in names),
        clients=clients,
    )


def carry_out(socket: Socket, placement: Placement, act: Act) -> bool:
    """Move the pane if nothing has changed since; return whether it was moved.

    The active window and pane of a client change only if they move themselves. A zoom of other
    panes stays. Raises ``TmuxError`` with tmux's words if tmux refuses.
    """
    goal, pane = placement.goal, placement.pane
    target, wanted = goal.asked
    acts = [
        quote.line("switch-client", "-E", "-c", client.name, "-t", goal.session_id)
        for client in act.taken_along
        if client.session_id != goal.session_id
    ]
    acts += [*_acts(placement, act), quote.line("display-message", "-p", _MOVED)]
    # An error ends the inner list only.
    body = [_if("1", pane.id, b" ; ".join(acts))]
    if placement.zoomed and not placement.active and placement.panes > 2:
        body.append(_zoom(pane.window_id))
    if goal.beside and placement.goal_facts.endswith(" 1") and not act.select:
        body.append(_zoom(placement.goal_facts.split(" ")[1]))
    inner = _if(_equal(wanted, placement.goal_facts), target, b" ; ".join(body))
    step = _if(_equal(_FACTS, placement.facts), _full(pane), inner)
    done = run(socket, "-N", "source-file", "-", stdin=step + b"\n")
    if _MOVED in done.out.split("\n"):
        return True
    if done.error and "can't find" not in done.error:
        raise TmuxError(f"tmux: {done.error}; pane {pane.id} was not moved")
    return False


def _acts(placement: Placement, act: Act) -> list[bytes]:
    """Return the commands that move the pane, in order."""
    goal, pane = placement.goal, placement.pane
    quietly = [] if act.select else ["-d"]
    into = f"{goal.session_id}:"
    if goal.beside:
        split = "-h" if goal.horizontal else "-v"
        return [quote.line("join-pane", *quietly, split, "-s", pane.id, "-t", goal.beside)]
    if placement.alone:
        where = ["-k", "-t", act.held_by] if act.held_by else ["-t", into]
        acts = [quote.line("move-window", *quietly, "-s", _full(pane).split(".")[0], *where)]
        if act.name:
            acts.append(quote.line("rename-window", "-t", pane.window_id, "--", act.name))
        return acts
    acts = [
        quote.line("break-pane", *quietly, "-s", pane.id, "-t", into, "-n", act.name),
        quote.line("set-option", "-w", "-t", pane.id, "automatic-rename", "off"),
        quote.line("set-option", "-w", "-t", pane.id, "allow-rename", "off"),
    ]
    if act.held_by:
        acts += [quote.line("kill-window", "-t", act.held_by)]
        acts += [quote.line("move-window", "-r", "-t", into)]
    return acts


def _full(pane: Pane) -> str:
    """Return the target of ``pane`` in its session, so that tmux chooses no other session."""
    return f"{pane.session_id}:{pane.window_id}.{pane.id}"


def _client(line: str) -> Client:
    name, session, flags = line.rsplit(" ", 2)
    # Torch attaches in this way. A program that a person types into does not.
    listens = {"control-mode", "ignore-size"} <= set(flags.split(","))
    return Client(name, session, person=not listens)


def _equal(wanted: str, value: str) -> str:
    escaped = "".join(f"#{char}" if char in "#,}" else char for char in value)
    return "#{==:%s,%s}" % (wanted, escaped)


def _if(condition: str, target: str, body: bytes) -> bytes:
    return quote.line("if-shell", "-F", "-t", target, condition, body.decode("utf-8"))


def _zoom(window: str) -> bytes:
    """Return the command that zooms the active pane of ``window`` if it is not zoomed yet."""
    zoom = quote.line("resize-pane", "-Z", "-t", window).decode()
    return quote.line("if-shell", "-F", "-t", window, "#{?window_zoomed_flag,0,1}", zoom)
