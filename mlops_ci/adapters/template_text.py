"""What a template says once its questions are answered: every file that it makes, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.adapters.template_infrastructure import QUESTION as INFRASTRUCTURE
from mlops_ci.adapters.template_infrastructure import infrastructure_files
from mlops_ci.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    import jinja2

EVERY_KIND = "all"
"""The folder of what every kind begins with; a kind's own file of the same path takes the place of such a one."""
QUESTIONS = "questions.yaml"
DECLARATION = "template.yaml"
PARTS = "parts"
"""The folder of what files of several kinds include by `[% include %]`."""
WHEN = "when"
"""Below a template, `when/<question>/<answer>/` has the files that only this answer brings."""
_LITTER = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".mlops"})


def rendered(folder: Path, answers: Mapping[str, str]) -> dict[str, bytes]:
    """The files of the template in the folder, by their paths in a team's repository, in order.

    A name that ends in `.jinja` loses that, and the file its `[[ marks ]]`, which know the `kind` besides the answers;
    others are taken as they are.
    """
    import jinja2

    # GitHub's own `${{ }}` has to pass through untouched, so the template's marks are others.
    engine = jinja2.Environment(
        variable_start_string="[[", variable_end_string="]]", block_start_string="[%", block_end_string="%]",
        comment_start_string="[#", comment_end_string="#]", undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True, loader=jinja2.FileSystemLoader(folder.parent / PARTS),
        autoescape=False,  # noqa: S701 - YAML and Markdown, not HTML
    )  # fmt: skip
    files = _infrastructure(folder, answers, engine)
    for origin in (folder.parent / EVERY_KIND, folder):
        for name, path in _files(origin, answers):
            if path.suffix == ".jinja":
                text = engine.from_string(path.read_text(encoding="utf-8")).render(answers, kind=folder.name)
                files[name.removesuffix(".jinja")] = text.encode()
            else:
                files[name] = path.read_bytes()
    return dict(sorted(files.items()))


def _infrastructure(folder: Path, answers: Mapping[str, str], engine: jinja2.Environment) -> dict[str, bytes]:
    """None where the template does not ask for it."""
    import yaml

    if INFRASTRUCTURE not in answers:
        return {}
    places = yaml.safe_load(engine.get_template("infrastructure.yaml").render(answers))
    return infrastructure_files(folder.parents[1], answers[INFRASTRUCTURE], **places)


def _files(folder: Path, answers: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Each file with its path in a team's repository: those of every answer, then those of these answers."""
    for place in (folder, *(folder / WHEN / question / answers[question] for question in sorted(answers))):
        for path in sorted(place.rglob("*")):
            parts = path.relative_to(place).parts
            declares = place == folder and (parts[0] == WHEN or parts in {(DECLARATION,), (QUESTIONS,)})
            if path.is_file() and not declares and not _LITTER & set(parts):
                yield "/".join(parts), path


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
