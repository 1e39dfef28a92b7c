"""The published schemas of what commands print, docs/schemas, and the check of an output by them.

``conftest.Torch`` checks by them whatever a command prints with ``--json``, in every test.
"""

import functools
import importlib.util
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"

COMMON, ERROR = "common.json", "error.json"
"""The files without a name of a schema: parts of others, and the object of an error."""


def is_installed() -> bool:
    """Return whether objects can be checked. The group "dev" has what it needs."""
    return importlib.util.find_spec("jsonschema") is not None


@functools.cache
def files() -> Mapping[str, Any]:
    """Return the content of each file, by its name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}


def file_of(name: str) -> str:
    """Return the file of a schema: ``torch.receipt/1`` is in ``receipt-1.json``."""
    return f"{name.removeprefix('torch.').replace('/', '-')}.json"


def complaints(value: Any, file: str = "") -> list[str]:
    """Return what is wrong with an object by its schema, each in a line; nothing if it fits.

    Without ``file`` its ``schema`` names the file.
    """
    if not isinstance(value, dict):
        return [f"not an object: {value!r}"]
    file = file or (file_of(value["schema"]) if "schema" in value else ERROR)
    if file not in files():
        return [f"docs/schemas/{file} is missing"]
    return [_words(error, file) for error in _validator(file).iter_errors(value)]


def check_output(out: str) -> None:
    """Fail if a line of a command's output is an object that its schema does not allow.

    What is not JSON is left alone: the output may be that of a program.
    """
    if not is_installed():
        return
    for value in _objects(out):
        if wrong := complaints(value):
            said = "\n  ".join(wrong)
            raise AssertionError(f"this is not as docs/schemas has it:\n  {said}\n{value}")


def _objects(out: str) -> Iterator[Any]:
    """Yield the objects of Torch in a text: one a line, with a schema, or an error."""
    for line in out.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if not isinstance(value, dict):
            continue
        named = str(value.get("schema", "")).startswith("torch.")
        if named or isinstance(value.get("error"), dict):
            yield value


@functools.cache
def _validator(file: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator, FormatChecker
    from referencing import Registry, Resource

    dates = FormatChecker(formats=())
    dates.checks("date-time", raises=ValueError)(_is_moment)
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(content)) for name, content in files().items()
    )
    return Draft202012Validator({"$ref": file}, registry=registry, format_checker=dates)


def _is_moment(value: object) -> bool:
    """Return whether ``value`` is a moment with its distance to UTC, if it is a text at all."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def _words(error: "ValidationError", file: str) -> str:
    """Return one complaint in words: of the shape that fits best, if there are several."""
    while error.context:
        error = min(
            error.context, key=lambda one: (-len(one.absolute_path), one.validator == "required")
        )
    return f"{file}: {error.json_path}: {error.message}"
