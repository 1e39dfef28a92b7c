"""Rendering a briefing's template in a process of its own, which can be ended at any time.

It reads an order from standard input, ``{"name", "folders", "root", "variables"}``, and prints
``{"text"}``, or ``{"wrong"}`` with what is wrong with the template.
"""

import contextlib
import json
import os
import resource
import sys
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.exceptions import TemplateNotFound
from jinja2.loaders import split_template_path
from jinja2.sandbox import SandboxedEnvironment

from torch_cli.regular import read_regular
from torch_cli.teamfile.briefing import is_inside

RENDERED_CHARACTERS = 1024 * 1024
"""The most characters of a rendered briefing, and the most bytes of a part of it."""

MEMORY_BYTES = 512 * 1024 * 1024
"""The most bytes of memory of the process, with those of Python itself."""


class _Parts(BaseLoader):
    """Finds a template and its parts in folders, and reads only regular files of limited size.

    Files in the folder of the project ``root`` must not lead out of the project.
    """

    def __init__(self, folders: list[str], root: str) -> None:
        self._folders, self._root = folders, root

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        pieces = split_template_path(template)
        for folder in self._folders:
            path = "/".join([folder, *pieces])
            within = folder.startswith(f"{self._root}/")
            if within and os.path.lexists(path) and not is_inside(path, self._root):
                raise TemplateError(f"{path} leads out of {self._root}")
            try:
                return read_regular(path, RENDERED_CHARACTERS).decode("utf-8"), path, None
            except FileNotFoundError:
                continue
            except OSError as error:
                raise TemplateError(f"{path}: {error.strerror}") from error
        raise TemplateNotFound(template)


def main() -> None:
    """Render the template that standard input names."""
    with contextlib.suppress(ValueError, OSError):  # macOS does not know this limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    order = json.load(sys.stdin)
    try:
        answer = {"text": _render(**order)}
    except TemplateSyntaxError as error:
        answer = {"wrong": f"line {error.lineno}: {error.message}"}
    except MemoryError:
        answer = {"wrong": "it takes too much memory"}
    except Exception as error:  # a template can raise anything
        answer = {"wrong": str(error) or type(error).__name__}
    json.dump(answer, sys.stdout)


def _render(name: str, folders: list[str], root: str, variables: dict[str, Any]) -> str:
    environment = SandboxedEnvironment(  # the text is for a terminal, so no escapes for HTML
        loader=_Parts(folders, root), undefined=StrictUndefined, autoescape=False
    )
    text, size = [], 0
    for piece in environment.get_template(name).generate(variables):
        size += len(piece)
        if size > RENDERED_CHARACTERS:
            raise TemplateError(f"it prints more than {RENDERED_CHARACTERS} characters")
        text.append(piece)
    return "".join(text)


if __name__ == "__main__":
    main()
