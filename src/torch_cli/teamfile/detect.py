"""What kind of project a directory is: its package manager, and its dev server if it names one."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple


class Project(NamedTuple):
    """``kind`` is a word for people. ``server`` is the command of its dev server, if it names one.

    ``port`` is the usual port of that server, 0 if it is not known.
    """

    kind: str
    server: tuple[str, ...] = ()
    port: int = 0


_LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
}
"""The lock file of each package manager of JavaScript."""

_SCRIPTS = ("dev", "start", "serve")
_PORTS = {"vite": 5173, "astro": 4321, "next": 3000, "react-scripts": 3000, "nuxt": 3000}
"""The default port of each dev server, by its documentation."""

_PORT = re.compile(r"(?:--port[ =]|-p |PORT=)(\d{2,5})\b")


def detect(root: Path) -> Project:
    """Return what kind of project ``root`` is."""
    for look in (_javascript, _django, _python, _rust, _go, _ruby):
        found = look(root)
        if found is not None:
            return found
    return Project("a project")


def _javascript(root: Path) -> Project | None:
    package = _read(root / "package.json", json.loads)
    if package is None:
        return None
    manager = next((name for lock, name in _LOCKS.items() if (root / lock).exists()), "npm")
    scripts = package.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    script = next((name for name in _SCRIPTS if isinstance(scripts.get(name), str)), "")
    if not script:
        return Project(f"JavaScript, {manager}")
    line = scripts[script]
    told = _PORT.search(line)
    port = int(told[1]) if told else next((p for name, p in _PORTS.items() if name in line), 0)
    return Project(f"JavaScript, {manager}", (manager, "run", script), port)


def _django(root: Path) -> Project | None:
    if not (root / "manage.py").exists():
        return None
    run = ("uv", "run", "python") if (root / "uv.lock").exists() else ("python3",)
    return Project("Django", (*run, "manage.py", "runserver"), 8000)


def _python(root: Path) -> Project | None:
    project = _read(root / "pyproject.toml", tomllib.loads)
    if project is None:
        return Project("Python") if (root / "setup.py").exists() else None
    manager = "uv" if (root / "uv.lock").exists() else "pip"
    manager = "poetry" if "poetry" in project.get("tool", {}) else manager
    return Project(f"Python, {manager}")


def _rust(root: Path) -> Project | None:
    return Project("Rust, cargo") if (root / "Cargo.toml").exists() else None


def _go(root: Path) -> Project | None:
    return Project("Go") if (root / "go.mod").exists() else None


def _ruby(root: Path) -> Project | None:
    if not (root / "Gemfile").exists():
        return None
    rails = (root / "bin/rails").exists()
    return Project("Rails", ("bin/rails", "server"), 3000) if rails else Project("Ruby, bundler")


def _read(path: Path, parse: Any) -> dict[str, Any] | None:
    try:
        found = parse(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
