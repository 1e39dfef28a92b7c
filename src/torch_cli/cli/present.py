"""How results are printed: for people, or as JSON for programs. Notes go to stderr.

Text from elsewhere never reaches a terminal unchanged, because a name, a message, a file or a
screen could contain control characters.
"""

import contextlib
import os
import re
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from torch_cli.errors import DONE, Interrupted, TorchError, of_system

if TYPE_CHECKING:
    from torch_cli.health.limits import LimitProspect
    from torch_cli.programs.state import OwnReport
    from torch_cli.store import Store


begun = False
"""Whether a command has begun. Then it reports itself what it has done."""


def run(command: Callable[[], int], *, as_json: bool) -> int:
    """Run ``command`` and return its exit status; print its errors in words.

    With ``as_json`` an error or an interrupt is an object on stdout. A reader that goes away is not
    an error.
    """
    global begun
    begun = True
    try:
        with for_a_reader():
            return command()
        return DONE
    except KeyboardInterrupt as interrupt:
        said = interrupt if isinstance(interrupt, Interrupted) else Interrupted()
        if as_json or said.message:  # a terminal needs no text if there is nothing to say
            said.message = said.message or "interrupted"
            print_error(said, as_json)
        return said.exit_code
    except TorchError as error:
        print_error(error, as_json)
        return error.exit_code
    except (OSError, MemoryError) as error:
        # Other expected errors have sentences of their own. Often it is the output that fails.
        written = drop_output()
        unforeseen = of_system(error)
        assert isinstance(unforeseen, TorchError)
        print_error(unforeseen, as_json and written)
        return unforeseen.exit_code


def error_object(error: TorchError | Interrupted) -> dict[str, Any]:
    """Return an error under its published schema; ``details`` only if there are any."""
    details = {"details": error.details} if error.details else {}
    return {"code": error.code, "message": error.message, "hint": error.hint, **details}


def print_error(error: TorchError | Interrupted, as_json: bool) -> None:
    """Put ``error`` into words on stderr, or with ``as_json`` into an object on stdout."""
    try:
        if as_json:
            print_json({"error": error_object(error)})
        else:
            _print_words(error)
    except OSError:
        drop_output()
        if as_json:  # stdout cannot be written, which may be the error itself
            print_error(error, as_json=False)


def _print_words(error: TorchError | Interrupted) -> None:
    # A message can quote a name or a screen, whose control characters must not reach the terminal.
    lines = f"{_PREFIX}{error.message}".split("\n")
    lines += [f"{' ' * len(_PREFIX)}{line}" for line in error.hint.split("\n") if line]
    for line in lines:
        say(printable(line), err=True)


@contextlib.contextmanager
def for_a_reader() -> Iterator[None]:
    """Print inside the block. If the reader goes away, the rest is dropped without an error."""
    try:
        yield
    except BrokenPipeError:
        if not (nobody_reads(sys.stdout) or nobody_reads(sys.stderr)):
            raise  # it is another pipe that broke, and the command did not do what it should
        drop_output()


def nobody_reads(stream: TextIO) -> bool:
    """Return whether ``stream`` is a pipe or a socket that nobody reads any more.

    A write would show that too, but there may be nothing to write yet.
    """
    try:
        number = stream.fileno()
        kind = os.fstat(number).st_mode
    except (OSError, ValueError):  # closed, or without a descriptor
        return False
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return False
    poll = select.poll()
    poll.register(number, 0)  # errors and hang-ups are always reported
    return any(found & (select.POLLERR | select.POLLHUP) for _, found in poll.poll(0))


def drop_output() -> bool:
    """Drop what could not be printed, so that Python does not try again at its end.

    Returns whether stdout took all that it was given.
    """
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _put_nowhere(stream.fileno())
            written = written and stream is not sys.stdout
    return written


def _put_nowhere(number: int) -> None:
    """Drop what is written to the descriptor, also if no file can be opened any more."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except OSError:
        os.close(number)
        return
    os.dup2(nowhere, number)
    os.close(nowhere)


def say(text: str, *, err: bool = False, exact: bool = False, indent: int | None = None) -> None:
    """Print one or several lines at once, with control characters made visible.

    On a terminal a line that does not fit is folded between words, the further rows by ``indent``,
    unless it is a command, or ``exact``: a text for a file. It is ``click.echo`` without the cost
    of importing click.
    """
    stream = sys.stderr if err else sys.stdout
    shown = text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
    if not exact and stream.isatty():
        columns = terminal_size(stream).columns
        if any(2 * len(line) > columns for line in shown.split("\n")):  # a character takes two
            shown = "\n".join(_fitted(line, columns, indent) for line in shown.split("\n"))
    _write(f"{shown}\n", stream)


_PREFIX = "torch: "
"""What is before an error, and a note that is not about a line above it."""


def _fitted(line: str, columns: int, indent: int | None) -> str:
    """Return ``line`` in rows of a terminal, all but the first indented.

    At most half of a row is indent, and less if a word needs more: what a screen had far to the
    right would leave no room.
    """
    words = line.lstrip(" ")
    if words.startswith("torch "):
        return line
    from torch_cli.cli.cells import cells, folded

    if cells(line) <= columns:
        return line
    if indent is None:
        indent = len(_PREFIX) if words.startswith(_PREFIX) else len(line) - len(words) + 2
    longest = max(map(cells, words.split(" ")))
    most = max(0, min(columns // 2, columns - longest))
    begun = " " * min(len(line) - len(words), most)
    return "\n".join(folded(f"{begun}{words}", columns, min(indent, most), whole=True))


def print_text(text: str, *, colours: bool = False) -> None:
    """Print a text from elsewhere: a file, an agent's answer, a screen.

    On a terminal its control characters are made visible, because the terminal would obey them. A
    pipe and a file get every byte. Line ends and tabs stay, and with ``colours`` also sequences
    that set attributes.
    """
    data = text.encode("utf-8", "surrogateescape")
    if sys.stdout.isatty():
        steps = _ATTRIBUTES.split(text) if colours else [text]
        text = "".join(step if number % 2 else _visible(step) for number, step in enumerate(steps))
        data = text.encode(sys.stdout.encoding, "backslashreplace")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


_ATTRIBUTES = re.compile(r"(\x1b\[[0-9;:]*m|[\x0e\x0f])")
"""Select Graphic Rendition (ECMA-48, 8.3.117), and the shifts between two character sets."""


def _visible(text: str) -> str:
    """Return ``text`` with control characters made visible, except line ends and tabs."""
    return "".join(char if char in "\n\t" else printable(char) for char in text)


def _write(text: str, stream: TextIO) -> None:
    stream.write(text)
    stream.flush()


def print_json(value: Any) -> None:
    """Print ``value`` as one line of JSON; bytes that are not UTF-8 become U+FFFD.

    If stdout is not UTF-8, all characters that are not ASCII are escaped.
    """
    import json

    unicode = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not (unicode and text.isprintable()):
        text = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
        # JSON permits U+007F to U+009F as they are, and a terminal obeys them.
        text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    say(text if unicode else json.dumps(json.loads(text)), exact=True)


def note(text: str, *, quiet: bool = False) -> None:
    """Print words about the result to stderr, unless ``quiet``."""
    if not quiet:
        say(text, err=True)


def unscheduled(store: "Store") -> str:
    """Say what is missing for later work, '' if a scheduler is running."""
    if store.lease.at_work() is not None:
        return ""
    from torch_cli.schedule import cron_mark
    from torch_cli.store.lease import HolderKind

    last = store.lease.holder()
    if cron_mark.is_installed():
        if last is None or last.kind is not HolderKind.TICK:
            return "cron has not called 'torch tick' yet: it does so once a minute, if it runs"
        ago = age(time.time() - last.clock.wall)
        return f"cron has not called 'torch tick' for {ago}: see whether cron runs"
    crashed = last is not None and last.kind is HolderKind.DAEMON and not last.released
    why = ", because the daemon was killed, stopped or has crashed" if crashed else ""
    return f"no scheduler is running{why}: 'torch daemon start', or 'torch crontab install'"


def listed(words: Sequence[str]) -> str:
    """Return ``words`` as a sentence has them: ``a``, ``a and b``, ``a, b and c``."""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def printable(text: str) -> str:
    """Return ``text`` with control characters made visible, so that a terminal ignores them.

    A no-break space becomes a blank: Claude Code's input box has one.
    """
    return "".join(
        char if char.isprintable() else repr(char)[1:-1].replace("\\udc", "\\x")
        for char in text.replace("\u00a0", " ")
    )


def terminal_size(stream: TextIO | None = None) -> os.terminal_size:
    """Return the size of the terminal that ``stream`` is, else stdout.

    What ``COLUMNS`` says may be old.
    """
    with contextlib.suppress(OSError, ValueError):
        size = os.get_terminal_size((stream or sys.stdout).fileno())
        if size.columns and size.lines:
            return size
    import shutil

    return shutil.get_terminal_size()


def print_folded(text: str, indent: int, *, behind: str = "") -> None:
    """Print ``text`` as a line; on a terminal what does not fit goes into rows that are indented.

    Text with something ``behind`` it stays in one row, and that is cut if it does not fit.
    """
    shown, behind = printable(text), f"  {printable(behind)}" if behind else ""
    if not sys.stdout.isatty():
        say(shown + behind)
        return
    from torch_cli.cli.cells import cells, cut, folded

    columns = terminal_size().columns
    if behind or shown.lstrip().startswith("torch "):
        say(shown + cut(behind, columns - cells(shown)))
        return
    for row in folded(shown, columns, min(indent, columns // 2)):
        say(row)


def print_fields(fields: Mapping[str, object]) -> None:
    """Print ``name  value`` lines, empty values left out; of a tuple each value has a line."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        each = value if isinstance(value, tuple) else () if value in (None, "") else (value,)
        for number, one in enumerate(each):
            label = name if number == 0 else ""
            say(f"{label:<{width}}  {printable(str(one))}", indent=width + 2)


def report_words(report: "OwnReport") -> str:
    """Return what a program says of itself in one line."""
    old = f"{age(time.time() - report.at)} ago" + (": too old to count" if report.stale else "")
    return "  ".join(filter(None, [str(report.state), report.words, old]))


def age(seconds: float) -> str:
    """Return a duration in words short enough for a table: ``4s``, ``12m``, ``3h``, ``2d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def limit_sentences(found: "LimitProspect", now: float) -> Iterator[str]:
    """Yield what is known at ``now`` (epoch seconds) of an agent's limit, and what comes next."""
    limit, over = found.limit, found.over
    yield f"usage limit since {age(now - limit.since)}, reset: {limit.said or 'not known'}"
    if over is not None:
        did = (
            f"told to go on ({over.message})" if over.message else f"not told to go on: {over.why}"
        )
        yield f"counts as over since {age(now - over.at)}; {did}"
    elif limit.due is None:
        yield "its program does not say when that is, so everything waits until it moves"
    elif found.why_not:
        yield f"it will not be told to go on: {found.why_not}"
    else:
        yield f"if it has not moved in {age(max(0.0, limit.due - now))}, it is told to go on"
