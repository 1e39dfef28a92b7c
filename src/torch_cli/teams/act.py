"""What the scheduler does for the agents of teams, by its name in the log."""

import enum


class TeamAct(enum.StrEnum):
    """Something that is done for an agent, or is not: then its report says why."""

    BRIEF = "brief"
    """It lost its briefing, and gets it again."""
    RESTART = "restart"
    """It ended by itself, and is started again."""
    WAIT = "wait"
    """It is started again later."""
    GIVE_UP = "give-up"
    """It ended too often."""
    GROW = "grow"
    """It is started, because its pool is too small."""
    SHRINK = "shrink"
    """It is retired, because its pool is too large."""
    STAY = "stay"
    """Its pool is too small, and cannot grow."""
    ROUTE = "route"
    """It gets a task."""
    REMIND = "remind"
    """It broke a rule of the team, and is told."""
    TELL_PARENT = "tell-parent"
    """It broke a rule of the team, and its parent is told, or people are."""
    UNTRUSTED = "untrusted"
    """The file of its team has changed, and nobody has accepted that."""
    TEAM = "team"
    """Its team could not be looked after."""


PAST = {TeamAct.GROW: "started", TeamAct.SHRINK: "retired", TeamAct.RESTART: "restarted"}
"""The words for acts that are commands of their own, once they are done."""
