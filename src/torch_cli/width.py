"""How wide a character is on a terminal."""

import unicodedata


def cells_of(char: str) -> int:
    """Return how many cells of a terminal a character takes."""
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
