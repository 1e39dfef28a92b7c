"""What MkDocs needs beside the pages: README.md and LEARNINGS.md as pages, links that hold, and
flowcharts as pictures.

The files of the repository that no page is made of are not on the site: a link to one becomes its
name. A link to a page that is not there stays, and MkDocs refuses it.
"""

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

sys.path.append(str(ROOT / "docs"))  # MkDocs loads this file alone

from flowchart import drawn  # noqa: E402

PAGES = {"README.md": "index.md", "LEARNINGS.md": "learnings.md"}
"""Files of the repository that are pages of the site, and the names of these pages."""

_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are elsewhere in the repository."""
    for source, name in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_moved(text, ROOT)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text of a page with links that hold on the site, and with pictures drawn."""
    markdown = drawn(markdown, page.title or "A flowchart")
    if page.file.src_uri in PAGES.values():
        return markdown
    return _moved(markdown, Path(config.docs_dir) / Path(page.file.src_uri).parent)


def _moved(text: str, folder: Path) -> str:
    """Return a text of the repository's ``folder`` with its links as they are on the site."""

    def moved(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        if "://" in target:
            return found[0]
        path = (folder / target).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return found[0]
        inside = path.relative_to(ROOT).as_posix()
        if inside in PAGES:
            return f"[{words}]({_up(folder)}{PAGES[inside]}{anchor})"
        if not path.is_relative_to(ROOT / "docs"):
            return words
        here = path.relative_to(ROOT / "docs").as_posix()
        return f"[{words}]({_up(folder)}{here}{anchor})"

    return _LINK.sub(moved, text)


def _up(folder: Path) -> str:
    """Return the way from the pages of ``folder`` to the top of the site."""
    docs = ROOT / "docs"
    depth = len(folder.relative_to(docs).parts) if folder.is_relative_to(docs) else 0
    return "../" * depth
