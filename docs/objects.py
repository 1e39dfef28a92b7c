"""The page on the objects that commands print, docs/json-objects.md, made from docs/schemas.

``python docs/objects.py --write`` writes the page. A test fails if it is out of date.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("schemas")
PAGE = Path(__file__).with_name("json-objects.md")

HEAD = """<!-- made by docs/objects.py from docs/schemas -->

# All objects

What commands print with `--json`: [how to read it](json.md). Each object has a JSON Schema (draft
2020-12) of its own. The examples are of real runs, with other paths, and cut where they are long. A
test checks them, and what the commands print, by these files. A field with a star can be missing.
"""

COMMON, ERROR = "common", "error"


def page() -> str:
    """Return the page as it should be."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    common, error = found.pop(COMMON), found.pop(ERROR)
    lines = [HEAD, *_object(ERROR, error)]
    for stem, schema in sorted(found.items(), key=lambda one: one[1]["title"]):
        lines += _object(stem, schema)
    lines += ["## Parts of several objects", "", f"[schemas/{COMMON}.json](schemas/{COMMON}.json)"]
    for name, part in common["$defs"].items():
        lines += ["", f"### {name}", "", *_shape(part)]
    return "\n".join([*lines, ""])


def _object(stem: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {schema['title']}", "", f"{schema['description']}", "")
    yield from (f"[schemas/{stem}.json](schemas/{stem}.json)", "")
    shapes = [one["$ref"].rpartition("/")[2] for one in schema.get("oneOf", ())]
    parts = dict(schema.get("$defs", {}))
    if not shapes:
        yield from (*_fields(schema), "")
    for name, part in [(name, parts.pop(name)) for name in shapes] + list(parts.items()):
        yield from (f"**{name}**: " + (part["description"]), "", *_fields(part), "")
    for example in schema.get("examples", ()):
        text = json.dumps(example, ensure_ascii=False, indent=2)
        yield from ("```json", text, "```", "")


def _shape(part: dict[str, Any]) -> Iterator[str]:
    yield part["description"]
    if fields := list(_fields(part)):
        yield from ("", *fields)
    elif "enum" in part:
        yield from ("", _type(part))


def _fields(part: dict[str, Any]) -> Iterator[str]:
    properties = part.get("properties")
    if not properties:
        return
    yield from ("| field | type | |", "|---|---|---|")
    for name, field in properties.items():
        star = "" if name in part["required"] else "\\*"
        said = field["description"].replace("|", "&#124;").replace("<", "&lt;")
        yield f"| `{name}`{star} | {_type(field)} | {said} |"


def _type(field: dict[str, Any]) -> str:
    """Return the type of a field in words."""
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "$ref" in field:
        return _link(field["$ref"])
    if "enum" in field:
        return ", ".join("null" if one is None else f"`{one}`" for one in field["enum"])
    kinds = field.get("type", "anything")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    names = [_kind(kind, field) for kind in kinds]
    return " or ".join(names)


def _kind(kind: str, field: dict[str, Any]) -> str:
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {_type(field['additionalProperties'])}"
    return "time" if field.get("format") == "date-time" and kind == "string" else kind


def _link(ref: str) -> str:
    file, _, inside = ref.partition("#")
    name = inside.rpartition("/")[2]
    if file == f"{COMMON}.json":
        return f"[{name}](#{name})"
    if not file:
        return f"*{name}*"
    title = json.loads((FOLDER / file).read_text("utf-8"))["title"]
    return f"[{title}](#{title.replace('.', '').replace('/', '')})" + (f" ({name})" if name else "")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
