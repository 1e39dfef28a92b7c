"""Options that mean the same in every command, and the context they fill."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from torch_cli.cli.common import LONGEST_SECONDS, Common, as_utf8
from torch_cli.cli.direct import PRIORITIES, WHEN
from torch_cli.errors import RefusedError
from torch_cli.number import LARGEST_NUMBER
from torch_cli.tmux.socket import Socket

if TYPE_CHECKING:
    from torch_cli.cli.table import Column

F = TypeVar("F", bound=Callable[..., Any])


class _Seconds(click.FloatRange):
    """A number of seconds that a clock can count."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if not seconds <= LONGEST_SECONDS:  # in this form, because "nan" is not <= anything
            self.fail(f"{value} seconds is too long to wait.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0)


def seconds_option(name: str, default: float, about: str) -> Callable[[F], F]:
    """Return the option ``name``: how many seconds something may take."""
    return click.option(
        name,
        type=SECONDS,
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=about,
    )


STALLED = ("tell", "nudge", "restart")
"""What can be done for an agent that makes no progress."""

POLICIES = ("never", "on-failure", "always")
"""The restart policies, as in torch.toml, whose reader would have to be imported for them."""

COUNT = click.IntRange(min=1, max=LARGEST_NUMBER)
COUNT_OR_NONE = click.IntRange(min=0, max=LARGEST_NUMBER)


class _AnyBytes(click.types.StringParamType):
    """Text in any encoding: a path, a variable's value, a message."""


ANY_BYTES = _AnyBytes()

IN_DIR = click.option(
    "-C",
    "--dir",
    "directory",
    type=click.Path(),
    default=".",
    help="A directory of the worktree (default: this one).",
)

EVERYWHERE = click.option(
    "--everywhere", is_flag=True, help="In all projects, not only the one you are in."
)
IN_PROJECT = click.option(
    "--dir",
    "directory",
    type=ANY_BYTES,
    default=".",
    show_default=True,
    metavar="DIR",
    help="A directory of the project.",
)

_COMMON = [
    click.option(
        "-L", "--socket-name", metavar="NAME", help="The tmux server by name, as tmux -L."
    ),
    click.option(
        "-S", "--socket-path", metavar="PATH", help="The tmux server by path, as tmux -S."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, for errors too."),
    click.option("-q", "--quiet", is_flag=True, help="Print the result only."),
    click.option("-v", "--verbose", is_flag=True, help="Print more about each step."),
]


_MESSAGE = [
    click.option("--plain", is_flag=True, help="Send the body alone, without an envelope."),
    click.option(
        "--clean", is_flag=True, help="Remove control and invisible characters, and say so."
    ),
    click.option(
        "--from", "sender", metavar="NAME", help="The sender's name (default: the agent you are)."
    ),
]
_DELIVERY = [
    click.option(
        "--when",
        type=click.Choice(WHEN),
        default="ready",
        show_default=True,
        help="ready: also send to a working program that queues messages safely; "
        "idle: wait for the end of its turn; now: do not wait.",
    ),
    seconds_option(
        "--timeout",
        30.0,
        "The most seconds to wait until the agent takes the message. Torch holds the message "
        "sooner if waiting would not help: for a dialog or a limit at once, for a draft or copy "
        "mode after 2 s.",
    ),
    click.option(
        "--wait",
        type=SECONDS,
        default=0.0,
        metavar="SECONDS",
        help="Keep trying a held message for this long, until its outcome is known.",
    ),
    click.option(
        "--expires",
        metavar="DURATION",
        help="The longest time in the outbox (30m, 2h); then the message fails.",
    ),
    click.option(
        "--priority",
        type=click.Choice(list(PRIORITIES)),
        default="normal",
        show_default=True,
        help="high: before all other waiting messages of the agent; low: after them.",
    ),
    click.option(
        "--key",
        metavar="KEY",
        help="An idempotency key: of all kept messages with the same key, one is delivered.",
    ),
]


def message_options(function: F) -> F:
    """Add the options of a command that sends a message."""
    return _with(_MESSAGE, function)


def delivery_options(function: F) -> F:
    """Add those, and the options of a command that ends when the message is delivered."""
    return _with([*_DELIVERY, *_MESSAGE], function)


def _with(options: Sequence[Callable[[F], F]], function: F) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def declare_common(function: F) -> F:
    """Add ``-L``, ``-S``, ``--json``, ``-q`` and ``-v`` to a command."""
    return _with(_COMMON, function)


def common_options(function: F) -> F:
    """Add the common options, and pass them as one ``common`` argument.

    They may also be before the command's name. This checks everything that must be UTF-8.
    """

    @declare_common
    @wraps(function)
    def wrapper(**given: Any) -> Any:
        context = click.get_current_context()
        given = _readable(context, given)
        before = context.find_root().params
        near = (given.pop("socket_name"), given.pop("socket_path"))
        far = (before.get("socket_name"), before.get("socket_path"))
        socket = Socket.choose(*(near if any(near) else far))
        flags = (given.pop(name) or before.get(name) for name in ("as_json", "quiet", "verbose"))
        return function(common=Common(socket, *map(bool, flags)), **given)

    return wrapper  # type: ignore[return-value]


class _Columns(click.types.StringParamType):
    """Names of columns, with commas between them."""

    name = "columns"

    def __init__(self, columns: "Sequence[Column]") -> None:
        self.names = [column.name for column in columns]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        names = dict.fromkeys(name.strip().lower() for name in value.split(","))
        for name in names:
            if name not in self.names:
                self.fail(f"no column is named '{name}'; there are: {', '.join(self.names)}")
        return ",".join(names)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        left = [name for name in self.names if name not in before.split(",")]
        return [CompletionItem(f"{before}{comma}{name}") for name in left if name.startswith(last)]


def table_options(columns: "Sequence[Column]") -> Callable[[F], F]:
    """Add the options of a command that prints a table, and pass them as one ``look`` argument.

    They stand below ``common_options``.
    """

    def decorate(function: F) -> F:
        @wraps(function)
        def wrapper(common: Common, names: str | None, wide: bool, **given: Any) -> Any:
            if names and common.json:
                raise RefusedError(
                    "give -o or --json, not both: JSON has every field; nothing was shown",
                    code="usage",
                )
            from torch_cli.cli.table import TableForm  # commands without a table do without it

            look = TableForm(tuple(names.split(",")) if names else (), wide, common.verbose)
            return function(common=common, look=look, **given)

        known = _Columns(columns)
        options = [
            click.option(
                "-o",
                "--columns",
                "names",
                type=known,
                metavar="NAMES",
                help=f"Only these columns, in this order: {', '.join(known.names)}.",
            ),
            click.option(
                "--wide",
                is_flag=True,
                help="Cut nothing, also if the terminal is too narrow. A pipe always gets all.",
            ),
        ]
        return _with(options, wrapper)  # type: ignore[return-value]

    return decorate


def _readable(context: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters as UTF-8 text; raise ``RefusedError`` for one that is not."""
    for level in (context.find_root(), context):
        for parameter in level.command.params:
            kind, value = parameter.type, level.params.get(parameter.name or "")
            if isinstance(kind, _AnyBytes) or kind is click.UNPROCESSED:
                continue
            try:
                if isinstance(value, str):
                    text: Any = as_utf8(value)
                elif isinstance(value, tuple):
                    text = tuple(as_utf8(v) if isinstance(v, str) else v for v in value)
                else:
                    continue
            except UnicodeDecodeError as error:
                if isinstance(parameter, click.Argument):
                    raise _not_utf8(f"'{(parameter.name or '').upper()}'", error) from None
                raise _not_utf8(parameter.get_error_hint(level), error) from None
            if level is context:
                given[parameter.name or ""] = text
    return given


def _not_utf8(what: str, error: UnicodeDecodeError) -> RefusedError:
    byte = error.object[error.start]
    return RefusedError(
        f"{what} is not UTF-8: byte 0x{byte:02x} at offset {error.start}; nothing was done",
        code="not-utf8",
    )
