"""The Markdown that all reference pages are made of."""

from __future__ import annotations

from collections.abc import Sequence

COMMAND = "python -m tools.reference"
NOTICE = f"<!-- Made from the code by `{COMMAND}`; edits here are lost. -->"


def page(title: str, *parts: str) -> str:
    """A whole page; parts that are empty are left out."""
    return "\n\n".join([f"# {title}", NOTICE, *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, or nothing where there are no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """`text` on one line, with no character that would end its cell.

    >>> cell("a | b\\n  c")
    'a \\\\| b c'
    """
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """As code; nothing stays nothing.

    >>> code("--all"), code("")
    ('`--all`', '')
    """
    return f"`{text}`" if text else ""
