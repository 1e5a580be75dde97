"""Which pages there are, and whether they are what the code says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.reference.commands import commands_page
from tools.reference.github import actions_page, actions_readme, workflows_page
from tools.reference.schemas import schemas_page
from tools.reference.terraform import readmes

ROOT = Path(__file__).parents[2]


def pages(root: Path = ROOT) -> Mapping[str, str]:
    """The text of each page by its path from `root`, made from the code that is there."""
    return {
        "docs/reference/commands.md": commands_page(),
        "docs/reference/mlops-yaml.md": schemas_page(),
        "docs/reference/actions.md": actions_page(root),
        "docs/reference/workflows.md": workflows_page(root),
        "actions/README.md": actions_readme(root),
        **readmes(root),
    }


def write(root: Path = ROOT) -> list[str]:
    """Writes all of them; returns those that were changed."""
    changed = differing(root)
    for path in changed:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(pages(root)[path], encoding="utf-8")
    return changed


def differing(root: Path = ROOT) -> list[str]:
    """Those that are not there, or not what the code says."""
    return [path for path, text in pages(root).items() if not _same(root / path, text)]


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
