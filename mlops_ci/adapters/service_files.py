"""The files of the scoring service: the modules that `mlops_ci.scoring` imports, and nothing else of the toolkit."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlops_ci
from mlops_ci.errors import MlopsError

ENTRY = "mlops_ci.scoring"
KINDS = frozenset({".css", ".html", ".js", ".json", ".py", ".svg"})
"""What an editor or a run leaves beside them is no part of the service."""


def service_files() -> Mapping[str, bytes]:
    """The files by name, relative to where packages are, such as `mlops_ci/scoring/app.py`.

    Every file of the scoring package belongs to it, and of the rest the modules that these import, directly or not.
    """
    root = Path(mlops_ci.__file__).parent.parent
    scoring = root.joinpath(*ENTRY.split("."))
    files = {path for path in scoring.rglob("*") if path.suffix in KINDS and not path.name.startswith(".")}
    waiting = [path for path in files if path.suffix == ".py"]
    while waiting:
        found = {place for name in _imports(waiting.pop(), root) for place in _loaded_by(name, root)} - files
        files |= found
        waiting += found
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _imports(path: Path, root: Path) -> Iterator[str]:
    """The dotted names of the toolkit that a module imports, inside functions too; not those for type checkers."""
    package = ".".join(path.relative_to(root).with_suffix("").parts[:-1])
    for node in _code(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*parents, *([node.module] if node.module else [])])
            names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "mlops_ci")


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            children = list(node.orelse)
        waiting += children


def _loaded_by(name: str, root: Path) -> Iterator[Path]:
    """The files that importing `name` runs: its packages' and its own; `name` may also be a name in a module."""
    words = name.split(".")
    for count in range(1, len(words) + 1):
        place = root.joinpath(*words[:count])
        if (place / "__init__.py").is_file():
            yield place / "__init__.py"
        elif place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
            return
        elif count < len(words) or count == 1:
            raise MlopsError(f"the scoring service imports {name}, which is not there", fix="install mlops-ci again")
        else:
            return
