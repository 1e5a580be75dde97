"""The pages of docs/reference say what the code says, and every link of the documentation leads somewhere."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

from mlops_ci.cli.main import COMMANDS
from tools.reference import answers, pages
from tools.reference.markdown import COMMAND

DOCUMENTS = sorted(
    [
        *pages.ROOT.glob("*.md"),
        *pages.ROOT.glob("docs/**/*.md"),
        *pages.ROOT.glob("actions/*.md"),
        *pages.ROOT.glob("infra/**/README.md"),
    ]
)


def test_the_pages_are_what_the_code_says() -> None:
    assert pages.differing() == [], f"make them anew, then read the diff: {COMMAND}"


def test_a_page_that_was_edited_is_found_and_written_anew(tmp_path: Path) -> None:
    written = pages.write(tmp_path)
    assert written == list(pages.pages(tmp_path))
    assert pages.write(tmp_path) == []

    edited = tmp_path / written[0]
    edited.write_text(edited.read_text("utf-8").replace("`--json`", "`--yaml`"))

    assert pages.differing(tmp_path) == [written[0]]
    assert pages.write(tmp_path) == [written[0]]
    assert "`--yaml`" not in edited.read_text("utf-8")


def test_every_command_has_its_section() -> None:
    page = pages.pages()["docs/reference/commands.md"]
    for command in COMMANDS:
        for name in [f"{command.name} {action.name}" for action in command.actions] or [command.name]:
            assert f"\n## `{name}`\n" in page


def test_what_is_listed_of_answers_is_of_commands_that_there_are() -> None:
    page = pages.pages()["docs/reference/commands.md"]
    for command in answers.answers():
        assert f"\n## `{command}`\n" in page


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(pages.ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(document.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), f"{document.name} names {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in _anchors(linked), f"{document.name} names {target}"


@pytest.mark.parametrize("module", ["markdown", "schemas", "github"])
def test_doctests(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"tools.reference.{module}"))
    assert result.attempted
    assert not result.failed


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings: small letters, no punctuation, hyphens for spaces."""
    titles = re.findall(r"^#+ (.+)$", _without_code(document.read_text("utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
