"""What a run shows at its end: the faults, what was sent, what was wrong, and where to look."""

from collections import Counter
from collections.abc import Sequence
from statistics import median, quantiles

from soak.oracle import Finding, Records, Wrong

MOST = 12
"""Findings of a kind that are shown in words."""


def table(records: Records, findings: Sequence[Finding], faults: Counter[str]) -> str:
    """Return the table: faults, messages by receipt, and each kind of finding with its number."""
    messages = [one for one in records.sent if not one.checkin]
    notes = len(records.sent) - len(messages)
    states = Counter(claim.state for claim in records.claims)
    arrived = len({arrival.number for arrival in records.arrivals})
    rows = [("fault", "times"), *((name, str(times)) for name, times in sorted(faults.items()))]
    rows += [("", ""), ("sent", "")]
    rows += [("messages", str(len(messages))), ("check-ins", str(notes))]
    rows += [("arrived", str(arrived))]
    rows += [(f"receipts: {state}", str(times)) for state, times in sorted(states.items())]
    taken = sorted(
        one.ended - one.began
        for sent in messages
        for one in sent.attempts
        if one.status == 0 and not one.fault
    )
    if len(taken) > 1:
        rows += [
            (
                "torch send, delivered: median / 95 %",
                f"{median(taken):.1f} / {quantiles(taken, n=20)[-1]:.1f} s",
            )
        ]
    rows += [("", ""), ("wrong", "times")]
    counted = Counter(finding.wrong for finding in findings)
    rows += [(str(wrong), str(counted[wrong])) for wrong in Wrong]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value:>12}".rstrip() for name, value in rows)


def in_words(findings: Sequence[Finding]) -> str:
    """Return each finding in a line or some, the kinds one after the other."""
    lines = []
    for wrong in Wrong:
        of_kind = [finding for finding in findings if finding.wrong is wrong]
        for finding in of_kind[:MOST]:
            words = finding.words.replace("\n", "\n      ")
            lines.append(f"{wrong}: {finding.about}\n      {words}")
        if len(of_kind) > MOST:
            lines.append(f"{wrong}: and {len(of_kind) - MOST} more")
    return "\n".join(lines)
