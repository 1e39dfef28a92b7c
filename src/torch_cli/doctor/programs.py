"""What the doctor finds about profiles and the agent programs that they are for."""

import contextlib
import shlex
import shutil
from collections.abc import Iterator, Mapping

from torch_cli.doctor.finding import Finding, Level
from torch_cli.errors import NotFoundError, RefusedError, TorchError
from torch_cli.programs.loading import list_profiles
from torch_cli.programs.profile import BUILT_IN, Profile
from torch_cli.programs.program import ask_version, find_program
from torch_cli.programs.proof import VERIFIABLE, proof_of
from torch_cli.programs.setup import EVENTS, hooks_installed, known_events
from torch_cli.roster.registry import knows_chord, profile_named, profiles_dir
from torch_cli.roster.safety import Degree, caution_of, safety_of


def own_profiles() -> Finding:
    """Say where your own profiles are, how many there are, and whether the daemon proves others."""
    from torch_cli.schedule.proofs import is_wanted

    try:
        proves = "; the daemon proves new versions of programs" if is_wanted() else ""
    except TorchError as error:
        return Finding("profiles", Level.WARNING, error.message, error.hint)
    own = [source for _, source in list_profiles(profiles_dir()) if source != BUILT_IN]
    words = f"{len(own)} of your own" if own else "none of your own"
    return Finding("profiles", Level.OK, f"{words} in {profiles_dir()}{proves}")


def killed_proofs() -> Iterator[Finding]:
    """Name what proofs have left that were killed together with all their processes."""
    from torch_cli.profiling.verify.left import left

    for root in left():
        words = f"a killed 'torch profile verify' has left programs and tmux servers in {root}"
        advice = "The next 'torch profile verify' ends them, and no others."
        yield Finding("proofs", Level.WARNING, words, advice)


def unlogged_agents() -> Iterator[Finding]:
    """Name the agents of whose attempts after an error of their API nothing can be seen."""
    from torch_cli.procs import Process
    from torch_cli.programs.attempts import LOG_VARIABLE, UNSEEN_ADVICE, unlogged
    from torch_cli.store import Store

    with Store(create=False) as store:
        agents = store.agents.all()
    found = []
    for one in agents:
        with contextlib.suppress(NotFoundError, RefusedError):  # told as a finding of its own
            profile = profile_named(one.profile)
            if unlogged(profile, Process(one.program_pid, one.program_started)):
                found.append(one.name)
    if found:
        words = f"those of {', '.join(found)} are not seen: they run without {LOG_VARIABLE}"
        yield Finding("retries", Level.NOTE, words, f"{UNSEEN_ADVICE}.")


def programs(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look for the program of every profile, and at its hooks and its submit chord.

    Those that are not installed are one finding: most people have one or two of them.
    """
    missing: list[str] = []
    for name, _ in list_profiles(profiles_dir()):
        try:
            profile = profile_named(name)
        except TorchError as error:
            yield Finding(f"profile {name}", Level.WARNING, error.message, error.hint)
            continue
        if not profile.launch.command or profile.process.shells:
            continue
        program = find_program(profile, environ)
        if program is None:
            command = profile.launch.command[0]
            missing.append(name if command == name else f"{name} ({command})")
            continue
        version = ask_version(profile, program, environ)
        yield _version(profile, program, version)
        yield from _submit(profile, version, environ)
        if profile.hooks.kind == "claude" and profile.launch.settings_flag:
            yield from _hooks(profile, version, environ)
    if missing:
        words = f"not on the PATH: {', '.join(missing)}"
        yield Finding("programs", Level.NOTE, words, "Only needed for agents of these profiles.")


def _version(profile: Profile, program: str, version: str | None) -> Finding:
    """Say whether the profile was proven with this version of the program."""
    if version is None:
        return Finding(
            profile.name,
            Level.WARNING,
            f"{program} does not print its version",
            f"Run '{shlex.join([program, *profile.launch.version[1:]])}' and see what it prints.",
        )
    words = f"{program}, version {version}" if version else program
    proof = proof_of(profile, version)
    if proof is not None and not proof.failures:
        return Finding(profile.name, Level.OK, f"{words}, proven on this machine on {proof.date}")
    if proof is not None:
        failed = f"{words}; on this machine failed: {'; '.join(proof.failures)}"
        return Finding(profile.name, Level.WARNING, failed, "Torch does not use what failed.")
    if version in profile.verified:
        return Finding(profile.name, Level.OK, words)
    if not profile.verified:
        return Finding(profile.name, Level.NOTE, f"{words}; {caution_of(profile, version)}")
    verify = f", or prove it here: torch profile verify {profile.name}"
    return Finding(
        profile.name,
        Level.WARNING,
        f"{words}; the profile was proven with {', '.join(profile.verified)}",
        "It will probably work. If a state is read wrongly: torch profile check --help"
        + (verify if profile.name in VERIFIABLE else ""),
    )


def _submit(profile: Profile, version: str | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say which key submits messages to agents that Torch starts, and what that means."""
    chord = knows_chord(profile, environ, launched=True)
    safety = safety_of(profile, chord=chord, version=version or "")
    subject, levels = f"{profile.name} chord", {Degree.SAFE: Level.OK, Degree.SAFE_IDLE: Level.NOTE}
    level = levels.get(safety.degree, Level.WARNING)
    if profile.submit.chord_setup:
        words = f"{'installed' if chord else 'not installed'}: {safety.degree}, {safety.why}"
        advice = f"torch agent-setup {profile.name}" if not chord else safety.more
        yield Finding(subject, level, words, advice)
    elif safety.degree is not Degree.ENTER or profile.submit.chord:
        yield Finding(subject, level, f"{safety.degree}: {safety.why}", safety.more)


def _hooks(profile: Profile, version: str | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the hooks in the program's own settings, and whether the program they call exists."""
    subject, advice = f"{profile.name} hooks", f"torch agent-setup {profile.name}"
    commands = hooks_installed(environ)
    if not commands:
        words = "not installed: the agents that 'torch spawn' starts have them, others do not"
        yield Finding(subject, Level.NOTE, words, advice)
    known = known_events(version or "")
    if strange := [one for one in EVENTS if one in commands and one not in known]:
        words = f"version {version} does not know {', '.join(strange)}, and may ignore all settings"
        yield Finding(subject, Level.WARNING, words, advice)
    missing = [one for one in known if one not in commands]
    for command in sorted(set(commands.values())):
        program = shlex.split(command)[0]
        if shutil.which(program, path=environ.get("PATH")) is None:
            words = f"they call {program}, which does not exist"
            yield Finding(subject, Level.FAILURE, words, advice)
        elif missing:
            words = f"installed, but not for {', '.join(missing)}: they call {program}"
            yield Finding(subject, Level.NOTE, words, advice)
        else:
            yield Finding(subject, Level.OK, f"installed: they call {program}")
