"""What the words of ``torch checkin add`` mean: when, and which note."""

from typing import TYPE_CHECKING

from torch_cli.errors import RefusedError

if TYPE_CHECKING:
    from torch_cli.schedule.trigger import Trigger


def _one_of(**given: str | None) -> tuple[str, str]:
    """Return the option that was given and its value; raise ``RefusedError`` unless it is one."""
    chosen = [(name, value) for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise RefusedError(
            "give one of --in, --at, --every or --cron; no check-in was made", code="usage"
        )
    return chosen[0]


def trigger_of(zone: str | None, now: float, **given: str | None) -> "Trigger":
    from torch_cli.schedule import trigger

    kind, value = _one_of(**given)
    return trigger.make(kind, value, zone, now)


def note_of(note: str | None, file: str | None) -> bytes:
    from torch_cli.cli.sending import body_of

    if (note is None) == (file is None):
        raise RefusedError("give a NOTE or a --file; no check-in was made", code="usage")
    if note is not None:
        return body_of(note)
    assert file is not None
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError as error:
        raise RefusedError(
            f"the file {file} cannot be read: {error.strerror}; no check-in was made",
            code="no-file",
        ) from error
