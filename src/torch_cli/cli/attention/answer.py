"""``torch answer``."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from torch_cli.cli.asking import confirmed, typed
from torch_cli.cli.common import Common
from torch_cli.cli.complete import complete_agents
from torch_cli.cli.options import common_options

if TYPE_CHECKING:
    from torch_cli.attention.given import AnswerGiven, Waiting
    from torch_cli.attention.needs import Need
    from torch_cli.errors import HeldError
    from torch_cli.store import Store


@click.command("answer")
@click.argument("agent", required=False, shell_complete=complete_agents)
@click.argument("option", metavar="[OPTION]...", nargs=-1)
@click.option("--text", metavar="TEXT", help="Words of your own, for an OPTION that takes them.")
@click.option("--hash", "dialog", metavar="HASH", help="The dialog that you answer.")
@common_options
def command(
    common: Common,
    agent: str | None,
    option: tuple[str, ...],
    dialog: str | None,
    text: str | None,
) -> int:
    """Answer what AGENT asks, by an OPTION: its key, or its words.

    Without an AGENT it goes through all that wait, the longest waiting first: it shows each
    question with its options, and takes an option, or Enter to skip, or q to quit. Without a
    terminal it only lists them.

    The key is pressed only while exactly the dialog is up that was shown, or that --hash names, in
    one step of the tmux server. Then Torch waits until the dialog has gone, and says what the agent
    does now: answered if the program has recorded your choice, pressed if nothing says whose key it
    took, overtaken if it has recorded another choice.

    With --text the text is typed into the dialog's own field, seen there, and submitted; the OPTION
    may be left out if one must have a text. Without --hash it shows the question first and asks you
    whether that is the one.

    Exit status 0: answered or pressed, or nobody waits. 4: another dialog, or none; nothing was
    chosen. 5: the dialog still shows, somebody else's answer came first, or the program does not
    say whether it took yours. 8: somebody waits for an answer.

    \b
    Examples:
      torch answer
      torch answer dev
      torch answer dev 2 --hash 3f9a1c55d0e7
      torch answer dev "yes, proceed" --hash 3f9a1c55d0e7
      torch answer dev --text "DuckDB, please" --hash 3f9a1c55d0e7
    """
    from torch_cli.errors import RefusedError
    from torch_cli.store import Store

    if text is not None and agent is None:
        raise RefusedError("--text is for one AGENT; nothing was pressed", code="usage")
    meant = bool(option) or text is not None
    if dialog and not meant:
        raise RefusedError("--hash is for an OPTION; nothing was pressed", code="usage")
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not common.json
    with Store() as store:
        if agent is not None and meant and (dialog or asks):
            return _answer_one(store, common, agent, " ".join(option), dialog, text)
        if meant:
            _check_asks(store, common, agent)
            raise RefusedError(
                "without a terminal to ask you, an answer needs --hash, for the dialog may be "
                "another one by now; nothing was pressed",
                hint=f"'torch answer {agent}' shows its options and the command.",
                code="usage",
            )
        waiting = _waiting(store, common, agent)
        return _walk(store, common, waiting) if asks else _list(waiting, common)


def _check_asks(store: "Store", common: Common, agent: str | None) -> None:
    """Raise ``HeldError`` if ``agent`` asks nothing: then no other word about it matters."""
    from torch_cli.attention.answer import waiting

    waiting(store, common.socket, agent or "")


def _waiting(store: "Store", common: Common, agent: str | None) -> "list[Need]":
    """Return who waits for an answer, the longest waiting first; of ``agent`` alone if named.

    What a named agent seems to ask is shown, too, although nobody knows which key answers it.
    Raises ``HeldError`` if it asks nothing.
    """
    from torch_cli.attention.needs import needs
    from torch_cli.roster.registry import registered

    if agent is not None:
        agent = registered(store, agent, "nothing was pressed").name
    found = needs(store, common.socket)
    asking = [one for one in found if one.group == "answer"]
    if agent is None:
        return asking
    own = [one for one in found if one.agent.name == agent]
    meant = [one for one in own if one.group == "answer" or one.asked.question]
    if not meant:
        raise _asks_nothing(agent, own, [one.agent.name for one in asking])
    return meant


def _asks_nothing(agent: str, own: "list[Need]", others: list[str]) -> "HeldError":
    """Return the error for ``agent``, which asks nothing, that also says who does."""
    from torch_cli.cli.present import listed
    from torch_cli.errors import HeldError

    state = f": it is {own[0].state.state.shown}" if own else ""
    does = f"{listed(others)} {'does' if len(others) == 1 else 'do'}" if others else ""
    words = f"'{agent}' asks nothing; {does}" if does else f"'{agent}' asks nothing{state}"
    hint = f"'torch answer {others[0]}' shows what it asks." if others else ""
    return HeldError(words, hint=hint or f"Look with 'torch state {agent}'.", code="no-dialog")


def _list(waiting: "list[Need]", common: Common) -> int:
    from torch_cli.cli.attention.status_shown import need_object, print_needs
    from torch_cli.cli.present import note, print_json
    from torch_cli.errors import DONE, NEEDED

    if common.json:
        for one in waiting:
            print_json(need_object(one))
    elif waiting:
        print_needs(waiting)
    else:
        note("nobody waits for an answer", quiet=common.quiet)
    return NEEDED if waiting else DONE


# -- with words ------------------------------------------------------------------------------------


def _answer_one(
    store: "Store", common: Common, agent: str, said: str, dialog: str | None, text: str | None
) -> int:
    from torch_cli.attention.answer import answer, waiting
    from torch_cli.attention.answer_text import chosen, is_own_words
    from torch_cli.cli.present import note
    from torch_cli.errors import DONE

    if dialog is None:
        shown = waiting(store, common.socket, agent)
        dialog = shown.dialog.hash
        _show(shown, None)
        if shown.asked.choose:
            if text is None and is_own_words(shown.asked, said):
                said, text = "", said
            option = chosen(shown.asked, said, text)
            words = option.words if text is None else f"{option.words}: {text}"
            sure = f"Answer this with {option.key} {words}?"
            with _unanswered(agent):
                meant = confirmed(sure)
            if not meant:
                note("nothing was pressed", quiet=common.quiet)
                return DONE
    return _tell(answer(store, common.socket, agent, said, dialog, text), common)


def _tell(done: "AnswerGiven", common: Common) -> int:
    """Print what became of an answer; return the exit status."""
    from torch_cli.cli.present import print_folded, print_json, say
    from torch_cli.errors import DONE, UNKNOWN

    if common.json:
        print_json(answered_object(done))
    else:
        chosen = f"{done.option.key} {done.option.words}"
        say(f"{done.outcome}  {done.name} ({done.pane})  {chosen}")
        print_folded(f"  {done.words}", 4)
    return UNKNOWN if done.outcome in ("unknown", "overtaken") else DONE


def answered_object(done: "AnswerGiven") -> dict[str, Any]:
    """Return an answer and what became of it under its published schema."""
    return {
        "schema": "torch.answer/1",
        "name": done.name,
        "pane": done.pane,
        "dialog": done.dialog,
        "question": done.question,
        "option": done.option.key,
        "words": done.option.words,
        "keys": list(done.keys),
        "outcome": str(done.outcome),
        "gone": done.gone,
        "state": str(done.state.shown),
        "evidence": done.state.evidence,
        "asks": done.asks.words or None,
    }


# -- one after the other ---------------------------------------------------------------------------


def _walk(store: "Store", common: Common, found: "list[Need]") -> int:
    """Go through all that wait; return the exit status."""
    from torch_cli.cli.present import note
    from torch_cli.errors import DONE, NEEDED

    if not found:
        note("nobody waits for an answer", quiet=common.quiet)
    left = len(found)
    for one in found:
        outcome = _ask(store, common, one)
        if outcome == "quit":
            break
        left -= outcome == "done"
    return NEEDED if left else DONE


def _ask(store: "Store", common: Common, one: "Need") -> str:
    """Show what one agent asks until that is answered: return ``done``, ``skip`` or ``quit``."""
    from torch_cli.attention.answer import answer, waiting
    from torch_cli.cli.present import note, print_error
    from torch_cli.errors import HeldError, TorchError

    name = one.agent.name
    while True:
        try:
            shown = waiting(store, common.socket, name)
        except HeldError:
            note(f"{name} asks nothing any more", quiet=common.quiet)
            return "done"
        except TorchError as error:
            print_error(error, as_json=False)
            return "done"
        _show(shown, one.since)
        with _unanswered(name):
            said = _read(shown)
            if said is None or said == "q":
                return "quit"
            if said in ("", "s"):
                return "skip"
            text = _own_words(shown, said)
        try:
            said = said if text is None else ""
            done = answer(store, common.socket, name, said, shown.dialog.hash, text)
        except TorchError as error:
            print_error(error, as_json=False)
            if error.code in ("not-yours", "may-not-message"):
                return "skip"
            continue
        _tell(done, common)
        if not done.asks.words:
            return "done" if done.gone else "skip"


@contextlib.contextmanager
def _unanswered(name: str) -> Iterator[None]:
    """Say in the block's interrupt that nothing was pressed in the agent ``name``."""
    from torch_cli.errors import Interrupted

    try:
        yield
    except KeyboardInterrupt as interrupt:
        number = Interrupted.number_of(interrupt)
        sys.stdout.write("\n")  # behind the question
        sys.stdout.flush()
        said = f"interrupted; '{name}' was not answered: nothing was pressed"
        raise Interrupted(number, said, hint="'torch answer' begins again.") from None


def _own_words(shown: "Waiting", said: str) -> str | None:
    """Return the words of one's own that an option takes, ``None`` for a plain option."""
    from torch_cli.attention.answer_text import is_own_words
    from torch_cli.errors import RefusedError
    from torch_cli.programs.asked import option_of

    if is_own_words(shown.asked, said):
        return said if confirmed(f"Answer with the text '{said}'?") else None
    try:
        option = option_of(shown.asked, said)
    except RefusedError:
        return None
    if option.text != "needed":
        return None
    return typed(f"{option.words}: ") or ""


def _show(shown: "Waiting", since: float | None) -> None:
    from torch_cli.cli.attention.status_shown import INDENT_COLUMNS
    from torch_cli.cli.present import age, print_folded, say

    found, asked = shown.found, shown.asked
    pane = found.pane
    waited = f"for {age(time.time() - since)}" if since is not None else ""
    say("")
    print_folded("  ".join(filter(None, [found.name, pane.place, pane.id, waited])), INDENT_COLUMNS)
    # All of it: a command that is approved may begin far above its question.
    # A question that these rows have themselves is not said twice.
    told = asked.question in " ".join(" ".join(asked.rows).split())
    said = [words for words in ("" if told else asked.question, *asked.rows) if words]
    indent = _indent_of(said)
    for words in said:
        print_folded(f"{' ' * indent}{words}", indent)
    for option in asked.options:
        print_folded(f"      {option.key}  {option.words}", 3 * INDENT_COLUMNS)
    if asked.cut:
        words = f"this is not all of it, in a pane of {pane.height} rows: "
        words += f"'torch attach {found.name}' in a taller terminal shows the rest"
        print_folded(f"    {words}", INDENT_COLUMNS)
    if not asked.choose:
        say(f"    which key answers it is not known: torch attach {found.name}")


def _indent_of(rows: Sequence[str]) -> int:
    """Return by how many columns ``rows`` begin later: less than usual if they are that wide.

    Rows that fill the agent's pane fit a terminal as wide as that, and break where it broke them.
    """
    from torch_cli.cli.attention.status_shown import INDENT_COLUMNS
    from torch_cli.cli.cells import cells
    from torch_cli.cli.present import printable, terminal_size

    room = terminal_size().columns - max((cells(printable(row)) for row in rows), default=0)
    return min(room, INDENT_COLUMNS) if room >= 0 else INDENT_COLUMNS


def _read(shown: "Waiting") -> str | None:
    """Return what a person types, ``None`` at the end of the input."""
    keys = [option.key for option in shown.asked.options] if shown.asked.choose else []
    return typed(f"{', '.join([*keys, 'Enter skips', 'q quits'])}: ")
