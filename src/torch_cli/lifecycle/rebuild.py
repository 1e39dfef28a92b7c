"""Rebuilding the sessions of agents: windows in order, with names, layouts, and shells."""

import contextlib
import os
import secrets
import select
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from torch_cli import procs
from torch_cli.errors import TorchError
from torch_cli.lifecycle.arrangement import forget
from torch_cli.lifecycle.prospect import Course, Prospect
from torch_cli.lifecycle.rebuild_plan import LostProcess, PanePlan, WindowPlan, held_name
from torch_cli.lifecycle.site import Site
from torch_cli.lifecycle.window import create_window
from torch_cli.store import Store
from torch_cli.tmux.arrange import bring_forward, call, give, join, lay_out, split
from torch_cli.tmux.panes import Pane, list_panes
from torch_cli.tmux.socket import Socket
from torch_cli.tmux.window import DIRECTORY_LAG_SECONDS, check_directory


class Rebuilt(NamedTuple):
    """What became of a window: its ``shells``, what is missing, and why, in words.

    ``error`` says that nothing of it was made, and why. ``places`` are the panes that hold the
    places of processes.
    """

    plan: WindowPlan
    shells: int = 0
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: TorchError | None = None
    places: tuple[tuple[LostProcess, str], ...] = ()

    @property
    def lacks(self) -> str:
        """What is missing, in words, '' if nothing is but an agent, which is told by itself."""
        if not self.plan.is_noteworthy:
            return ""
        return self.error.message if self.error is not None else "; ".join(self.missing)


def _nobody() -> dict[str, str]:
    """Return the variables of a shell that is no agent, even if one has asked for it."""
    return {"TORCH_AGENT": ""} if "TORCH_AGENT" in os.environ else {}


class Builder:
    """Makes one window, in the session of ``site``.

    ``begin`` starts an agent and returns its pane, ``None`` if it cannot.
    """

    def __init__(
        self,
        store: Store,
        plan: WindowPlan,
        site: Site,
        begin: Callable[[Prospect], Pane | None],
    ) -> None:
        self._store, self._plan, self._begin = store, plan, begin
        self._site, self._session = site, ""
        self._socket = Socket(path=plan.socket)
        self._made: dict[int, str] = {}
        self._missing: list[str] = []
        self._notes: list[str] = []

    def build(self) -> Rebuilt:
        """Make the window; return what became of it."""
        try:
            return self._build()
        except BaseException:  # an interrupt: what is there gets its name
            with contextlib.suppress(TorchError):
                if self._made:
                    self._finish()
            raise
        finally:
            if self._plan.ends:
                self._site.close()
                forget(self._store, self._plan.socket, self._plan.session)

    def _build(self) -> Rebuilt:
        plan = self._plan
        if plan.error is not None:
            return Rebuilt(plan, error=plan.error)
        if plan.unset:
            self._notes.append(f"variables that are not set here: {', '.join(plan.unset)}")
        try:
            self._session = self._site.session(self._home())
        except TorchError as obstacle:
            return self._not_made(obstacle)
        for place, pane in enumerate(plan.panes):
            if pane.absent:
                continue
            made = self._agent(pane.agent) if pane.agent else self._shell(pane)
            if made:
                self._made[place] = made
        try:
            if self._made:
                self._finish()
        except TorchError as failed:
            self._notes.append(failed.message)
        shells = sum(plan.panes[place] in plan.shells for place in self._made)
        missing = tuple(self._missing)
        error = None
        if not self._made:
            error = TorchError("; ".join(missing) or "its agents did not come back", code="no-pane")
        held = ((plan.panes[place].process, pane) for place, pane in self._made.items())
        places = tuple((process, pane) for process, pane in held if process is not None)
        return Rebuilt(plan, shells, missing, tuple(self._notes), error, places)

    def _home(self) -> str:
        """Return the directory of a session that begins with this window."""
        there = (
            one.agent.agent.directory if one.agent else one.directory for one in self._plan.panes
        )
        return next((one for one in there if os.path.isdir(one)), "/")

    def _not_made(self, error: TorchError) -> Rebuilt:
        """Say of each agent, too, that nothing was opened."""
        for pane in self._plan.panes:
            if pane.agent is not None:
                why = error if pane.agent.error is None else pane.agent.error
                self._begin(
                    pane.agent._replace(course=Course.CANNOT, why=why.message, plan=None, error=why)
                )
        return Rebuilt(self._plan, error=error)

    @property
    def _variables(self) -> dict[str, str]:
        """The variables of its session, as this process has them."""
        return {one: os.environ[one] for one in self._plan.variables if one in os.environ}

    @property
    def _last(self) -> str:
        return list(self._made.values())[-1]

    def _agent(self, one: Prospect) -> str:
        if one.plan is not None:
            order = replace(one.plan.order, session=self._session)
            one = one._replace(plan=one.plan._replace(order=order))
        pane = self._begin(one)
        if pane is None:
            return ""
        if self._made:
            try:
                join(self._socket, pane.id, self._last)
            except TorchError as error:
                self._notes.append(f"agent '{one.agent.name}' has a window of its own: {error}")
                return ""
        return pane.id

    def _shell(self, pane: PanePlan) -> str:
        try:
            if pane.why:
                raise TorchError(pane.why)
            directory = check_directory(pane.directory)
            if self._made:
                made = split(self._socket, self._last, directory, self._variables | _nobody())
                self._prove(made, directory)
                return made
            # Its own name may be that of an agent whose window is opened next.
            opened = create_window(
                *(self._store, self._socket),
                name=f"torch-{secrets.token_hex(6)}",
                session=self._session,
                directory=directory,
                environment=self._variables | _nobody(),
            )
            self._notes += opened.notes
            return opened.pane.id
        except TorchError as error:
            if pane.process is None:
                self._missing.append(f"a shell: {error.message}")
            return ""

    def _prove(self, pane_id: str, directory: str) -> None:
        """Check that a new pane is where it should be: tmux starts it elsewhere without a word."""
        panes = list_panes(self._socket)
        pane = next((one for one in panes if one.id == pane_id), None)
        deadline = time.monotonic() + DIRECTORY_LAG_SECONDS
        while True:
            found = procs.directory(pane.pid) if pane is not None else None
            if found in (None, directory) or time.monotonic() >= deadline:
                break
            select.select([], [], [], 0.01)  # a new process takes a moment to get there
        if found not in (None, directory):
            self._notes.append(f"a shell is in {found!r}, not in {directory!r}")

    def _name(self) -> str:
        """Return the name of the window: not that of an agent that may come back elsewhere.

        An agent whose start was interrupted is in a window of its name, and was kept as a shell.
        """
        kept, plan = self._plan.kept, self._plan
        if any(pane.process and pane.process.name == kept.name for pane in plan.panes):
            return held_name(kept.name)
        inside = [plan.panes[place].agent for place in self._made]
        agents = plan.others - {one.agent.name for one in inside if one is not None}
        agents |= {one.absent for one in plan.panes}
        if kept.name not in agents:
            return kept.name
        self._notes.append(f"it is called '{kept.name}-shells': agent '{kept.name}' is not in it")
        return held_name(kept.name)

    def _finish(self) -> None:
        kept, first = self._plan.kept, next(iter(self._made.values()))
        self._site.give_place(first)
        has_agent = any(self._plan.panes[place].agent for place in self._made)
        call(self._socket, first, self._name(), automatic=kept.automatic and not has_agent)
        if len(self._made) == len(kept.panes):
            try:
                lay_out(self._socket, first, kept.layout)
            except TorchError as error:
                self._notes.append(f"its layout was not made again: {error.message}")
        elif len(kept.panes) > 1:
            there = f"{len(self._made)} of {len(kept.panes)} panes are there"
            self._notes.append(f"its layout was not made again: {there}")
        give(self._socket, first, self._variables)
        front = self._made.get(kept.front, first)
        bring_forward(self._socket, front, window=kept.active)
        for pane in list_panes(self._socket):
            if pane.id in self._made.values():
                self._store.agents.placed(pane)
