"""How results are printed: for people, or as JSON for programs. Words about them go to stderr."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch_cli.errors import DONE, INTERRUPTED, TorchError


def run(command: Callable[[], int], *, as_json: bool) -> int:
    """Run ``command`` and return its exit status; what it raises is put into words.

    With ``as_json`` an error is an object on stdout. A reader that goes away is no error.
    """
    try:
        with for_a_reader():
            return command()
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except TorchError as error:
        _print_error(error, as_json)
        return error.exit_code
    except OSError as error:
        # All that is expected has words of its own: this is output that cannot be written.
        drop_output()
        unwritten = TorchError(str(error), code="os")
        _print_error(unwritten, as_json=False)
        return unwritten.exit_code


def _print_error(error: TorchError, as_json: bool) -> None:
    try:
        if as_json:
            detail = {"code": error.code, "message": error.message, "hint": error.hint}
            print_json({"error": detail})
        else:
            # A message can quote a name or a screen: neither may steer the terminal.
            lines = f"torch: {error.message}".split("\n")
            lines += [f"       {error.hint}"] if error.hint else []
            for line in lines:
                say(printable(line), err=True)
    except OSError:
        drop_output()  # the exit status is all that can still be said


@contextlib.contextmanager
def for_a_reader() -> Iterator[None]:
    """Print in here: a reader that goes away has that right, and the rest is dropped."""
    try:
        yield
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Drop what could not be printed, so that Python does not try again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str, *, err: bool = False) -> None:
    """Print one line at once. It is ``click.echo`` without the cost of importing click."""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def print_json(value: Any) -> None:
    """Print ``value`` as one line of JSON; bytes that are not UTF-8 become U+FFFD."""
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    say(text.encode("utf-8", "replace").decode("utf-8"))


def note(text: str, *, quiet: bool = False) -> None:
    """Print words about the result to stderr, unless ``quiet``."""
    if not quiet:
        say(text, err=True)


def printable(text: str) -> str:
    """Return ``text`` with control characters made visible: a name must not steer a terminal."""
    return "".join(
        char if char.isprintable() else repr(char)[1:-1].replace("\\udc", "\\x") for char in text
    )


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table: columns padded, nothing cut when stdout is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        say(line.rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print ``name  value`` lines, empty values left out."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        if value not in (None, ""):
            say(f"{name:<{width}}  {printable(str(value))}")


def age(seconds: float) -> str:
    """Return a duration in words short enough for a table: ``4s``, ``12m``, ``3h``, ``2d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
