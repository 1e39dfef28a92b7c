"""What protects a message from answering a dialog that opens at the same moment.

Only this module decides on the key, the word and the sentence. All others press or print them.
"""

import enum
import os
from typing import Any, NamedTuple

from torch_cli.errors import TorchError
from torch_cli.programs.profile import Profile
from torch_cli.programs.proof import VERIFIABLE, Proof, proof_of
from torch_cli.roster.registry import knows_chord, profile_named
from torch_cli.store.agents import Agent


class SubmitKey(NamedTuple):
    """The keys that submit the box of one program.

    ``safe`` says that dialogs ignore the keys. ``while_working`` says that a working program queues
    the message. ``retries`` are the seconds before each repetition.
    """

    keys: tuple[str, ...]
    safe: bool
    while_working: bool
    retries: tuple[float, ...]


class Degree(enum.StrEnum):
    """How well a message is protected. The best comes first."""

    SAFE = "safe"
    """A key that dialogs ignore, in an idle program and in a working one."""
    SAFE_IDLE = "safe-idle"
    """A key that dialogs ignore, in an idle program only."""
    UNPROVEN = "unproven"
    """A key that dialogs ignored in other versions; nobody has tried this one."""
    ENTER = "enter"
    """Plain Enter, only into the box of an idle program."""


class Safety(NamedTuple):
    """What protects messages to one program: ``degree`` is the word, ``why`` the sentence.

    ``ignored`` says whether dialogs ignore ``key``, ``None`` if that is not known for this version.
    ``more`` is the command that leads to a better degree or to its proof, '' if there is none.
    """

    degree: Degree
    key: str
    ignored: bool | None
    why: str
    more: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as it appears in receipts, states and lists."""
        return {
            "degree": str(self.degree),
            "key": self.key,
            "dialogs_ignore_it": self.ignored,
            "why": self.why,
        }

    @property
    def sentence(self) -> str:
        """The word, the sentence and the command in one line, for people."""
        more = f" (more: {self.more})" if self.more else ""
        return f"{self.degree}. {self.why}{more}"


def submit_key(profile: Profile, *, chord: bool, version: str) -> SubmitKey:
    """Return the best submit key that the program is known to have.

    ``chord`` says that the program knows the profile's chord. ``version`` is the program's version,
    '' if it is not known. A proof of that version on this machine overrides the profile: a key that
    failed is not pressed, and a key that passed counts as safe. Without a proof, an unverified
    profile allows only keys into the box of an idle program.
    """
    return _key(profile, chord, version, proof_of(profile, version))


def _key(profile: Profile, chord: bool, version: str, proof: Proof | None) -> SubmitKey:
    submit = profile.submit
    tried = proof.keys if proof else {}
    repeated = (submit.chord_retry,) * 3
    asked = submit.chord_setup or submit.chord_launch or submit.chord_match
    if submit.chord and (chord or not asked) and tried.get("chord", True):
        proven = tried.get("chord", bool(profile.verified))
        queues = profile.paste.queues and (proof is None or proof.queues is not False)
        return SubmitKey(submit.chord, proven, proven and queues, repeated)
    if submit.idle_key and tried.get("idle_key", version in profile.verified):
        return SubmitKey(submit.idle_key, True, False, repeated)
    return SubmitKey(submit.key, False, False, submit.enter_retries)


def safety_of(profile: Profile, *, chord: bool, version: str) -> Safety:
    """Return what protects messages to a program. The parameters are as in ``submit_key``."""
    proof = proof_of(profile, version)
    key = _key(profile, chord, version, proof)
    name = " ".join(key.keys)
    if not key.safe and key.keys == profile.submit.chord:
        why = f"{name} submits, only while it is idle; nobody has proven that dialogs ignore it"
        return Safety(Degree.UNPROVEN, name, None, why, _more(profile, chord, version, proof))
    if not key.safe:
        why = (
            f"{name} submits, only while it is idle and its input box is as it was read; a "
            "dialog that opens at that very moment would take it for its answer"
        )
        lost = _lost(profile, version, proof)
        return Safety(Degree.ENTER, name, False, why + lost, _more(profile, chord, version, proof))
    role = "chord" if key.keys == profile.submit.chord else "idle_key"
    if version not in profile.verified and not (proof and role in proof.keys):
        here = (
            f"nobody has tried version {version}"
            if version
            else "which version this is is not known"
        )
        why = f"{name} submits; dialogs ignored it in {', '.join(profile.verified)}, and {here}"
        more = _more(profile, chord, version, proof)
        return Safety(Degree.UNPROVEN, name, None, why, more)
    degree = Degree.SAFE if key.while_working else Degree.SAFE_IDLE
    works = ", also while it works" if key.while_working else "; messages wait while it works"
    why = f"{name} submits and dialogs ignore it{works}"
    if proof and role in proof.keys:
        why += f" (proven on this machine on {proof.date})"
    more = "" if key.while_working else _more(profile, chord, version, proof)
    return Safety(degree, name, True, why, more)


def safety_for(agent: Agent | None, profile: Profile | None = None) -> Safety | None:
    """Return what protects messages to ``agent``, or to an unregistered program of ``profile``.

    ``None`` for a program that gets no messages, and if the profile cannot be read.
    """
    if agent is None:
        if profile is None or not _gets_messages(profile):
            return None
        return safety_of(profile, chord=knows_chord(profile, os.environ), version="")
    try:
        known = profile or profile_named(agent.profile)
    except TorchError:
        return None
    if not _gets_messages(known):
        return None
    return safety_of(known, chord=agent.chord, version=agent.version)


def _gets_messages(profile: Profile) -> bool:
    """Return whether messages are ever typed into the program: it is no shell, and has a box."""
    return not profile.process.shells and profile.box.kind != "none"


def caution_of(profile: Profile, version: str) -> str:
    """Return what people are told of a profile that was proven with no version of its program.

    '' if it was proven, or if a proof on this machine of ``version`` found nothing.
    """
    if profile.verified:
        return ""
    proof = proof_of(profile, version)
    unverified = f"the profile '{profile.name}' is unverified"
    if proof is None:
        if profile.process.shells:
            return unverified
        if profile.box.kind == "none":
            return f"{unverified}: it gets no messages, for its input box is not known"
        return f"{unverified}: messages go only to an idle program"
    if not proof.failures:
        return ""
    failed = f"{len(proof.failures)} of what was tried on this machine on {proof.date} failed"
    return f"{unverified}: {failed}; 'torch doctor' says what"


def _lost(profile: Profile, version: str, proof: Proof | None) -> str:
    """Say which better key of the profile is not pressed, and why; '' if there is none."""
    submit = profile.submit
    failed = [name for name, ignored in (proof.keys if proof else {}).items() if not ignored]
    if failed:
        keys = " and ".join(" ".join(getattr(submit, name)) for name in failed)
        return f". {keys} failed on this machine, so it is not pressed"
    if submit.idle_key and version not in profile.verified and profile.verified:
        which = f"{profile.title} {version}" if version else f"this version of {profile.title}"
        proven = ", ".join(profile.verified)
        key = " ".join(submit.idle_key)
        return f". {which} is not proven ({proven} is), so {key}, which dialogs ignore, is not used"
    return ""


def _more(profile: Profile, chord: bool, version: str, proof: Proof | None) -> str:
    """Return the one command that leads to a better degree, '' if there is none."""
    proven = version in profile.verified or proof is not None
    if profile.name in VERIFIABLE and not proven:
        return f"torch profile verify {profile.name}"
    if profile.submit.chord_setup and not chord:
        return f"torch agent-setup {profile.name}"
    if profile.submit.chord_launch and not chord:
        return f"torch spawn NAME --profile {profile.name}"
    return ""
