"""What a template says once its questions are answered: every file that it makes, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mlops_ci.errors import ConfigurationError, Problem

EVERY_KIND = "all"
"""The folder of what every kind begins with; a kind's own file of the same path takes the place of such a one."""
QUESTIONS = "questions.yaml"
DECLARATION = "template.yaml"
_LITTER = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".mlops"})


def rendered(folder: Path, answers: Mapping[str, str]) -> dict[str, bytes]:
    """The files of the template in the folder, by their paths in a team's repository, in order.

    A name that ends in `.jinja` loses that, and the file its `[[ marks ]]`; others are taken as they are.
    """
    import jinja2

    # GitHub's own `${{ }}` has to pass through untouched, so the template's marks are others.
    engine = jinja2.Environment(
        variable_start_string="[[", variable_end_string="]]", block_start_string="[%", block_end_string="%]",
        comment_start_string="[#", comment_end_string="#]", undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701 - YAML and Markdown, not HTML
    )  # fmt: skip
    files: dict[str, bytes] = {}
    for origin in (folder.parent / EVERY_KIND, folder):
        for path in _files(origin):
            name = path.relative_to(origin).as_posix()
            if path.suffix == ".jinja":
                text = engine.from_string(path.read_text(encoding="utf-8")).render(answers)
                files[name.removesuffix(".jinja")] = text.encode()
            else:
                files[name] = path.read_bytes()
    return dict(sorted(files.items()))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        declares = path.parent == folder and path.name in {DECLARATION, QUESTIONS}
        if path.is_file() and not declares and not _LITTER & set(path.relative_to(folder).parts):
            yield path


def require_free_places(files: Mapping[str, bytes], folder: Path, own: frozenset[str]) -> None:
    """Raises ConfigurationError naming every place where a file cannot go: a folder or a link is there, or a file is
    where a folder has to be.
    """
    problems = []
    for name in files.keys() - own:
        path = folder / name
        above = [folder.joinpath(*Path(name).parts[:depth]) for depth in range(1, len(Path(name).parts))]
        blocked = next((each for each in above if each.is_symlink() or (each.exists() and not each.is_dir())), None)
        if blocked or path.is_symlink() or path.is_dir():
            shown = (blocked or path).relative_to(folder).as_posix()
            problems.append(Problem(where=name, what=f"{shown} is in the way", fix=f"move {shown} elsewhere"))
    if problems:
        raise ConfigurationError(f"the template does not fit into {folder}", problems=sorted(problems, key=str))
