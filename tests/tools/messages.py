"""Every text that the package writes, as its source has it: what is filled in later is `…`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOLE = "…"


@cache
def written_texts() -> frozenset[str]:
    """The texts in all modules of the package and in the schemas, which say how a key has to be written."""
    texts: set[str] = set()
    for path in sorted((ROOT / "mlops_ci").rglob("*.py")):
        texts |= set(_texts(ast.parse(path.read_text(encoding="utf-8"))))
    return frozenset(texts)


def is_written(message: str) -> bool:
    """Whether one text of the package has all parts of the message, which may have `…` for what differs, in order.

    A message may end before the text does, and begin after it.
    """
    parts = [re.escape(part.strip()) for part in message.split(HOLE) if part.strip()]
    pattern = re.compile(".*".join(parts), re.DOTALL)
    return bool(parts) and any(pattern.search(text) for text in written_texts())


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
