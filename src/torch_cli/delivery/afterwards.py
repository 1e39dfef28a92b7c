"""Settles messages later, by the reports or records of their program: ``unknown`` ones, and those
whose text was left in a box and that wait for nobody, such as the one of an ``ask``.

This types nothing and looks at no screen. A report proves nothing if another message with the same
text could have caused it.
"""

from collections.abc import Callable

from torch_cli import procs
from torch_cli.delivery.evidence import Baseline
from torch_cli.delivery.lock import typist_of
from torch_cli.delivery.receipt import Outcome, Receipt, receipt_of
from torch_cli.delivery.text import carries, same
from torch_cli.errors import TorchError
from torch_cli.programs.profile import Profile
from torch_cli.programs.transcript import REFUSALS, Transcript, open_transcript, turn_of
from torch_cli.programs.transcript.lines import TranscriptFiles
from torch_cli.roster.registry import profile_named
from torch_cli.store import Store
from torch_cli.store.agents import Agent
from torch_cli.store.messages import COMMAND, Message
from torch_cli.store.steps import Step


def settle_unknown(
    store: Store, since: float, until: Callable[[], bool] = lambda: False
) -> list[Receipt]:
    """Look for the outcome of ``unknown`` messages, and of those that were left in a box by a
    sender that has ended; return the receipts of those that were found.

    They became so after ``since`` (epoch seconds). It stops once ``until`` returns true.
    """
    found = []
    for message in (*store.messages.unknown(since), *store.messages.left(since)):
        agent = store.agents.known_as(message.agent) if message.agent else None
        if until() or agent is None or message.kind == COMMAND:
            continue
        if message.step != Step.DONE and typist_of(message.server, message.pane):
            continue  # somebody types there, perhaps this message
        evidence = "" if store.messages.has_twin(message) else _evidence(store, message, agent)
        if evidence:
            arrived = message._replace(
                state=str(Outcome.CONFIRMED),
                reason="found afterwards",
                evidence=(*message.evidence, evidence),
                step=str(Step.DONE),
            )
            if store.messages.settle(arrived, only_at=(Step(message.step),)):
                detail = {"message": message.id, "state": arrived.state, "reason": arrived.reason}
                store.events.add("deliver", message.recipient, detail, actor=message.sender)
                found.append(receipt_of(store.messages.get(message.id)))
    return found


def _evidence(store: Store, message: Message, agent: Agent) -> str:
    """Return the evidence that the program of ``agent`` got ``message``, '' if there is none."""
    try:
        profile = profile_named(agent.profile)
    except TorchError:
        return ""  # the profile was deleted or is invalid, which is reported elsewhere
    after = Baseline.from_json(message.baseline).report
    transcript = _transcript(message, agent, profile)
    turn = turn_of(transcript, lambda text: _is_it(text, message, profile)) if transcript else None
    if turn is not None and turn.refused is not None:
        return ""  # refused by a user's hook, which runs beside ours
    for report in store.hooks.after(message.server, message.pane, after):
        if report.prompt and _is_it(report.prompt, message, profile):
            denied = turn is None and _tells(profile, transcript)
            return "" if denied else f"hook {report.name} carried the text"
    return "the program's transcript has the text" if turn is not None else ""


def _is_it(reported: str, message: Message, profile: Profile) -> bool:
    """Return whether a text is the message, or contains it, with the id in its envelope."""
    if same(reported, message.typed, profile):
        return True
    return message.id in message.typed and carries(reported, message.typed, profile)


def _tells(profile: Profile, transcript: Transcript | None) -> bool:
    """Return whether a text that is missing in ``transcript`` says more than a hook's report.

    A program can report what it has queued, and end or drop it before it acts on it.
    """
    if profile.answer.transcript not in REFUSALS:
        return False
    return transcript is None or (isinstance(transcript, TranscriptFiles) and transcript.named)


def _transcript(message: Message, agent: Agent, profile: Profile) -> Transcript | None:
    """Return the transcript of the program that got ``message``, if that still runs."""
    program = procs.Process(agent.program_pid, agent.program_started)
    if message.at != agent.at or not procs.alive(program):
        return None
    if not profile.answer.transcript:
        return None
    return open_transcript(profile.answer.transcript, program.pid, message.created)
