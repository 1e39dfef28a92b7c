"""What `torch since` says of the answers that were pressed in dialogs."""

from collections.abc import Iterable, Iterator

from torch_cli.store.events import HEARD, Event

_MISSED = {
    "overtaken": "an answer was not taken",
    "unknown": "it is not known whether an answer was taken",
}
"""What is told of an answer that was not, or may not have been, the one that counts."""


def answers_told(events: Iterable[Event]) -> Iterator[tuple[float, str, str]]:
    """Yield when, in which agent and what: how many questions were answered, and by whom.

    ``events`` are those of answers and of what became of them, in order. Of an answer of which the
    program has recorded nothing it is told that it was pressed, of one that was not taken that it
    was not, and of one after which the same is asked, still or again, that this is not known.
    """
    told = list(events)
    became = _became(told)
    given = dict[tuple[str, str], list[Event]]()
    for event in told:
        if event.verb == HEARD:
            continue
        if (missed := _MISSED.get(str(became.get(event.id)))) is not None:
            yield event.at, event.target, f"{missed}: {_choice(event)}"
            continue
        given.setdefault((event.target, event.actor), []).append(event)
    for (who, actor), answers in given.items():
        by = f" by {actor}" if actor else ""
        sure = all(became.get(event.id) == "answered" for event in answers)
        words = "question answered" if sure else "answer pressed"
        if len(answers) > 1:
            words = words.replace(" ", "s ", 1)
        last = ", the last" * (len(answers) > 1)
        yield answers[-1].at, who, f"{len(answers)} {words}{by}{last}: {_choice(answers[-1])}"


def _choice(event: Event) -> str:
    return f"{event.detail.get('words')}  {event.detail.get('question')}"


def _became(events: Iterable[Event]) -> dict[int, object]:
    """Return what became of answers, by the ids of their events."""
    newest, found = dict[tuple[object, ...], int](), dict[int, object]()
    for event in events:
        about = (event.agent, event.detail.get("dialog"), event.detail.get("option"))
        if event.verb != HEARD:
            newest[about] = event.id
        elif about in newest:
            found[newest[about]] = event.detail.get("outcome")
    return found
