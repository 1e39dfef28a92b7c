"""What went wrong: what Torch said of each message, held against what the agents say they got.

Nothing here asks Torch what arrived. All is a function of records, so that tests can plant errors.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

NOT_DELIVERED = frozenset({1, 2, 3, 6, 7})
"""The exit codes by which Torch says that a message was not delivered, and will not be."""

SIGNALLED = frozenset({129, 130, 143})
"""The exit codes of a command that a signal has ended; its words say what became of its message."""

_CANCELLED = re.compile(
    r"cancelled m-\w+, nothing was typed|interrupted, nothing was (?:sent|done)"
)

DELIVERED = frozenset({"submitted", "confirmed"})
GONE = 5.0
"""Seconds before the end of its program in which a message may go down with it unnoticed."""

QUEUED = "queued by the program"
"""What the receipt says of a message that the program has, and has not begun on."""

UNKNOWN_SHARE = 0.001
"""The share of messages that may end as ``unknown``; one always may."""

TOO_FEW, BY_CHANCE = 1000, 3
"""In a run of fewer messages so many ``unknown`` say nothing about the rate: at one in a thousand,
more than three of 700 come in one of 170 runs."""

ASKED_SHARE = 0.01
"""The share for which a person may be asked; three always may. In runs of 700 messages, of which
every thirtieth sender is killed, there were two at most (2026-11-28)."""


class Wrong(StrEnum):
    """What can be wrong with a message, a check-in, a dialog, a draft or a process."""

    LOST = "lost"
    DOUBLED = "doubled"
    ALTERED = "altered"
    MISDIRECTED = "misdirected"
    REORDERED = "reordered"
    LIED = "delivered, though said not to be"
    STUCK = "still waiting at the end"
    APPROVED = "dialogs approved by Torch"
    DRAFT = "drafts submitted by Torch"
    CHECKIN_LOST = "check-ins lost"
    CHECKIN_DOUBLED = "check-ins doubled"
    TRACEBACK = "tracebacks"
    HUNG = "processes that did not end"
    SCHEDULER = "schedulers that ended by themselves"
    UNKNOWN = "unknown"
    ASKED = "a person was asked to submit or clear what was left in a box"
    WENT_DOWN = "unknown, its pane was killed"


@dataclass(frozen=True)
class Attempt:
    """One run of ``torch``: when, how it ended (``None``: it had to be killed), what it printed.

    ``fault`` is what was done to it, ''  if nothing.
    """

    began: float
    ended: float
    status: int | None
    out: str = ""
    err: str = ""
    fault: str = ""


@dataclass
class Sent:
    """A message, or the note of a check-in, and the runs of ``torch`` that were to send it.

    ``expected`` is its text as the recipient's program is known to change it. ``sender`` is the
    name that its envelope must show, '' without one. ``ordered`` says that it may not be overtaken
    by, nor overtake, others that are ordered. ``repeats`` is a check-in that fires again and again.
    """

    number: int
    recipient: str
    expected: str
    sender: str = ""
    ordered: bool = True
    checkin: bool = False
    repeats: bool = False
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True)
class Claim:
    """What Torch says at the end of one message: its receipt.

    ``created`` and ``settled`` are epoch seconds.
    """

    number: int
    id: str
    state: str
    reason: str = ""
    waits: bool = False
    settled: float = 0.0
    created: float = 0.0


@dataclass(frozen=True)
class Arrival:
    """A message in an agent's own log. ``order`` counts up for each agent.

    ``mixed`` is whether a person's draft stood in the same text.
    """

    agent: str
    number: int
    text: str
    at: float
    order: int
    sender: str = ""
    id: str = ""
    due: str = ""
    mixed: bool = False


@dataclass(frozen=True)
class Draft:
    """A person's draft, and the moment of their Enter, if they pressed it."""

    word: str
    agent: str
    entered: float | None = None


@dataclass(frozen=True)
class Records:
    """All that is known at the end of a run; times are epoch seconds.

    ``drafts_arrived`` are words of drafts with the moment at which the agent got them. ``approved``
    are moments at which an agent's dialog was approved, and ``entered`` those of a person's Enter
    in an agent. ``ended`` are the moments at which an agent's pane was killed, by its name.
    ``asked`` are messages for which a person was asked to look at the box, and did, with the words.
    ``others`` are runs of ``torch`` that sent nothing, ``schedulers`` the last words of daemons
    that ended though nobody ended them.
    """

    sent: Sequence[Sent]
    claims: Sequence[Claim]
    arrivals: Sequence[Arrival]
    drafts: Sequence[Draft] = ()
    drafts_arrived: Sequence[tuple[str, float]] = ()
    approved: Sequence[tuple[str, float]] = ()
    entered: Sequence[tuple[str, float]] = ()
    ended: Sequence[tuple[str, float]] = ()
    asked: Sequence[tuple[int, str]] = ()
    others: Sequence[tuple[str, Attempt]] = ()
    schedulers: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: ``about`` is a message's number and ids, or what else it is of."""

    wrong: Wrong
    about: str
    words: str


def judge(records: Records) -> list[Finding]:
    """Return all that is wrong, the messages in the order of their numbers."""
    claims: defaultdict[int, list[Claim]] = defaultdict(list)
    for claim in records.claims:
        claims[claim.number].append(claim)
    arrivals: defaultdict[int, list[Arrival]] = defaultdict(list)
    for arrival in records.arrivals:
        arrivals[arrival.number].append(arrival)
    found: list[Finding] = []
    for sent in records.sent:
        found += _of_message(sent, claims[sent.number], arrivals[sent.number], records)
    found += _strangers(records)
    found += _reordered(records, arrivals)
    found += [Finding(Wrong.ASKED, f"K{number}q", words) for number, words in records.asked]
    found += _of_persons(records)
    found += _of_processes(records)
    return found


def passes(findings: Iterable[Finding], messages: int) -> bool:
    """Say whether a run of so many messages is good: nothing is wrong, and little is unknown.

    What became of a text in the box of a program that is killed, nobody can know; and where nothing
    shows whose a pasted text is, asking is right, as long as it is rare.
    """
    counted = Counter(finding.wrong for finding in findings)
    del counted[Wrong.WENT_DOWN]
    unknown, asked = counted.pop(Wrong.UNKNOWN, 0), counted.pop(Wrong.ASKED, 0)
    most = max(BY_CHANCE if messages < TOO_FEW else 1, messages * UNKNOWN_SHARE)
    return not counted and unknown <= most and asked <= max(3, messages * ASKED_SHARE)


# -- one message -----------------------------------------------------------------------------------


def _of_message(
    sent: Sent, claims: list[Claim], arrived: list[Arrival], records: Records
) -> list[Finding]:
    about = " ".join([f"K{sent.number}q", f"to {sent.recipient}", *(one.id for one in claims)])

    def finding(wrong: Wrong, words: str) -> Finding:
        return Finding(wrong, about, words)

    found = [
        finding(
            Wrong.WENT_DOWN if _was_under_way(sent, one, records) else Wrong.UNKNOWN, one.reason
        )
        for one in claims
        if one.state == "unknown" and not one.waits
    ]
    found += [finding(Wrong.STUCK, f"{one.state}: {one.reason}") for one in claims if one.waits]
    here = [one for one in arrived if one.agent == sent.recipient]
    found += [
        finding(Wrong.MISDIRECTED, f"arrived at {one.agent}")
        for one in arrived
        if one.agent != sent.recipient
    ]
    found += [
        finding(Wrong.ALTERED, _difference(sent, one))
        for one in here
        if _is_altered(sent, one, claims)
    ]
    again = _doubled(sent, here)
    if again:
        found.append(
            finding(Wrong.CHECKIN_DOUBLED if sent.checkin else Wrong.DOUBLED, f"arrived {again}")
        )
    if not arrived and (words := _lost(sent, claims, records)):
        found.append(finding(Wrong.CHECKIN_LOST if sent.checkin else Wrong.LOST, words))
    if arrived and (words := _lie(sent, claims)):
        found.append(finding(Wrong.LIED, words))
    return found


def _was_under_way(sent: Sent, claim: Claim, records: Records) -> bool:
    """Say whether the recipient's pane was killed while a process was at this message.

    Only a message that says so itself counts: its pane is gone.
    """
    killed = any(name == sent.recipient and at >= claim.created for name, at in records.ended)
    return killed and ("is gone" in claim.reason or "was closed" in claim.reason)


def _is_altered(sent: Sent, arrival: Arrival, claims: list[Claim]) -> bool:
    if arrival.text != sent.expected:
        return True
    if arrival.mixed:  # a person's draft may stand before the envelope
        return False
    known = {claim.id for claim in claims}
    wrong_head = arrival.id and known and arrival.id not in known
    return not sent.checkin and (arrival.sender != sent.sender or bool(wrong_head))


def _difference(sent: Sent, arrival: Arrival) -> str:
    if arrival.text == sent.expected:
        return f"its envelope says from {arrival.sender!r}, {arrival.id or 'no id'}"
    at = next(
        (
            i
            for i, (one, two) in enumerate(zip(arrival.text, sent.expected, strict=False))
            if one != two
        ),
        min(len(arrival.text), len(sent.expected)),
    )
    got, wanted = arrival.text[at : at + 40], sent.expected[at : at + 40]
    return f"from character {at} on {got!r} instead of {wanted!r}"


def _doubled(sent: Sent, here: list[Arrival]) -> str:
    """Return in words how often it arrived too often, '' if it did not."""
    if not sent.repeats:
        return f"{len(here)} times" if len(here) > 1 else ""
    often = [due for due, times in Counter(one.due for one in here).items() if times > 1]
    return f"more than once for {', '.join(often)}" if often else ""


def _lost(sent: Sent, claims: list[Claim], records: Records) -> str:
    """Return how it is known that a message that has not arrived is lost, '' if it is not."""
    for claim in claims:
        if claim.state in DELIVERED and not _went_down(sent, claim, records):
            return f"Torch says {claim.state}, and the agent has not got it"
    said = [one for one in sent.attempts if one.status in (0, 4)]
    if said and not claims and not sent.repeats:
        return f"exit {said[-1].status}, and Torch knows nothing of it: {said[-1].out[:200]!r}"
    if sent.repeats and said and not claims:
        return "it has not fired once"
    return ""


def _went_down(sent: Sent, claim: Claim, records: Records) -> bool:
    """Say whether the recipient's program was ended just after it had taken the message.

    One that the program has queued goes down with it at any time before that takes up a message
    again: it keeps its queue in memory, and its receipt says that it is there.
    """
    after = [at - claim.settled for name, at in records.ended if name == sent.recipient]
    if any(-1.0 <= seconds < GONE for seconds in after):
        return True
    if QUEUED not in claim.reason:
        return False
    end = min((seconds for seconds in after if seconds >= 0), default=0.0)
    return end > 0 and not any(
        one.agent == sent.recipient and 0 <= one.at - claim.settled < end
        for one in records.arrivals
    )


def _lie(sent: Sent, claims: list[Claim]) -> str:
    """Return what was said wrongly of a message that has arrived, '' if nothing."""
    if claims and all(one.state == "failed" for one in claims) and not sent.repeats:
        return f"Torch says failed: {claims[-1].reason}"
    last = sent.attempts[-1] if sent.attempts else None
    if last is None or sent.repeats:
        return ""
    cancelled = last.status in SIGNALLED and _CANCELLED.search(last.out + last.err)
    if last.status in NOT_DELIVERED or cancelled:
        return f"exit {last.status}: {(last.err or last.out).strip()[:300]}"
    return ""


def _strangers(records: Records) -> list[Finding]:
    known = {sent.number for sent in records.sent}
    return [
        Finding(
            Wrong.ALTERED, f"K{one.number}q", f"{one.agent} got what nobody sent: {one.text[:80]!r}"
        )
        for one in records.arrivals
        if one.number not in known
    ]


# -- the order -------------------------------------------------------------------------------------


def _reordered(records: Records, arrivals: dict[int, list[Arrival]]) -> list[Finding]:
    """Return the messages that were overtaken by one whose sending began after theirs had ended."""
    found = []
    once: defaultdict[str, list[tuple[Sent, Attempt, Arrival]]] = defaultdict(list)
    for sent in records.sent:
        here = [one for one in arrivals[sent.number] if one.agent == sent.recipient]
        clean = len(sent.attempts) == 1 and not sent.attempts[0].fault
        if sent.ordered and len(here) == 1 and clean and sent.attempts[0].status in (0, 4):
            once[sent.recipient].append((sent, sent.attempts[0], here[0]))
    for all_here in once.values():
        for sent, attempt, arrival in all_here:
            early = [
                other
                for other, its, there in all_here
                if its.began > attempt.ended and there.order < arrival.order
            ]
            if early:
                others = ", ".join(f"K{other.number}q" for other in early)
                about = f"K{sent.number}q to {sent.recipient}"
                found.append(Finding(Wrong.REORDERED, about, f"overtaken by {others}"))
    return found


# -- what belongs to persons -----------------------------------------------------------------------


def _of_persons(records: Records) -> list[Finding]:
    found = []
    for agent, at in records.approved:
        by_person = any(
            name == agent and -0.5 <= at - when <= 3.0 for name, when in records.entered
        )
        if not by_person:
            found.append(Finding(Wrong.APPROVED, agent, f"at {at:.1f}"))
    drafts = {draft.word: draft for draft in records.drafts}
    for word, at in records.drafts_arrived:
        draft = drafts.get(word)
        # A person who presses Enter submits whatever stands in the box.
        if draft is not None and any(
            name == draft.agent and -0.5 <= at - when <= 3.0 for name, when in records.entered
        ):
            continue
        if draft is None or draft.entered is None or at < draft.entered - 0.05:
            whose = draft.agent if draft else "nobody"
            found.append(Finding(Wrong.DRAFT, word, f"of {whose}, at {at:.1f}"))
    return found


# -- processes -------------------------------------------------------------------------------------

_FRAME = re.compile(r'^  File ".*/torch_cli/.*", line', re.MULTILINE)


def _of_processes(records: Records) -> list[Finding]:
    found = [Finding(Wrong.SCHEDULER, "daemon", words[-500:]) for words in records.schedulers]
    runs = [(f"K{sent.number}q", one) for sent in records.sent for one in sent.attempts]
    for about, attempt in [*runs, *records.others]:
        words = attempt.err.strip()
        if "Traceback (most recent call last)" in words and _FRAME.search(words):
            fault = f" ({attempt.fault})" if attempt.fault else ""
            found.append(Finding(Wrong.TRACEBACK, about + fault, words[-500:]))
        if attempt.status is None:
            found.append(Finding(Wrong.HUNG, about, f"{attempt.fault}: {words[-300:]}"))
    return found
