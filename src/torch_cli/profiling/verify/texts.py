"""The texts that are sent to a program to see whether they arrive, difficult ones among them."""

import random
from collections.abc import Callable

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "at", "night"]

_serial = iter(range(1, 1_000_000))


def tag() -> str:
    """Return a word that is in no other message of this run."""
    return f"m{next(_serial):05d}"


def prose(length: int) -> str:
    """Return a line of exactly ``length`` characters that begins with a tag."""
    words = [tag()]
    while sum(map(len, words)) + len(words) <= length:
        words.append(WORDS[len(words) % len(WORDS)])
    line = " ".join(words)[:length]
    return line[:-1] + "." if line.endswith(" ") else line


def lines(count: int) -> str:
    """Return ``count`` lines that begin with a tag."""
    return "\n".join(
        [prose(60), *(f"line {n} of {count}: {WORDS[n % len(WORDS)]}" for n in range(1, count))]
    )


ASKING = """ Bash command
 Do you want to proceed?
 ❯ 1. Yes
   2. No
 Esc to cancel · Tab to amend"""

SPECIALS: dict[str, Callable[[], str]] = {
    "! first": lambda: f"!touch ran-{tag()}",
    "! on the second line": lambda: f"{tag()}\n!touch ran",
    "a path first": lambda: f"/tmp/foo is {tag()}",
    "a command on the second line": lambda: f"{tag()}\n/exit",
    "# first": lambda: f"#{tag()} # note",
    "@ first": lambda: f"@{tag()} and @README.md",
    "- first": lambda: f"-{tag()} --help",
    "? first": lambda: f"? {tag()}",
    "& first": lambda: f"& {tag()} &",
    "quotes": lambda: f"'{tag()}' \"two\" `three` $(touch ran) $HOME ${{X}}",
    "emoji": lambda: f"{tag()} 👍🏽 👨‍👩‍👧 ❤️ 🇪🇺 1️⃣",
    "CJK": lambda: f"{tag()} 你好，世界 日本語 한국어",
    "combining": lambda: f"{tag()} e\u0301 a\u0308 o\u0302\u0323",
    "right to left": lambda: f"{tag()} مرحبا שלום",
    "tabs": lambda: f"{tag()}\ta\t\tb",
    "a tab first": lambda: f"\t{tag()}",
    "leading spaces": lambda: f"   {tag()}",
    "trailing spaces": lambda: f"{tag()}   ",
    "trailing newlines": lambda: f"{tag()}\n\n\n",
    "blanks ending a line": lambda: f"{tag()}  \nand more",
    "an empty line": lambda: f"{tag()}\n\nand more",
    "CR": lambda: f"{tag()}\rand more",
    "CRLF": lambda: f"{tag()}\r\nand more\r\n",
    "trailing \\": lambda: f"{tag()} ends in \\",
    "trailing \\\\": lambda: f"{tag()} ends in \\\\",
    "\\ ending a line": lambda: f"{tag()} \\\nand more",
    "a dialog's text": lambda: f"{tag()}\n Do you want to proceed?\n ❯ 1. Yes",
    "a whole dialog's text": lambda: f"{tag()}\n{ASKING}",
    "a box's text": lambda: f"❯\u00a0{tag()} ─────",
    "a footer's text": lambda: f"{tag()} · esc to interrupt",
    "#(…)": lambda: f"{tag()} #(touch ran)",
    "#(…) first": lambda: f"#(touch ran) {tag()}",
    "#{…}": lambda: f"#{{pane_id}} {tag()} #S ##",
    "}": lambda: f"}} {tag()} }}",
    ",": lambda: f",{tag()},",
    "trailing ;": lambda: f"{tag()};",
    "[": lambda: f"[{tag()} [[ (",
    "^$": lambda: f"^{tag()}$ .* \\d+ |",
    "%": lambda: f"%1 %s {tag()} %%",
    "~": lambda: f"~{tag()}",
    "a key's name": lambda: random.choice(["Enter", "C-c", "Escape", "Space", "C-x C-q"]),
    "one character": lambda: random.choice(["1", "2", "y", "n", "q", "a"]),
    "800 characters": lambda: prose(800),
    "801 characters": lambda: prose(801),
    "a word of 799 characters": lambda: tag() + "x" * 793,
    "3 lines": lambda: lines(3),
    "4 lines": lambda: lines(4),
}
