"""Which models a change touches, and how they are divided over the jobs of a CI matrix."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mlops_ci.core.codeowners import matches

MOST_JOBS = 256
"""What GitHub allows one matrix."""
ENVIRONMENT_FILES = (
    "requirements*.txt", "requirements*.in", "requirements*.lock", "pyproject.toml", "uv.lock", "poetry.lock",
    "Pipfile", "Pipfile.lock", "environment.yml", "environment.yaml", "setup.py", "setup.cfg", ".python-version",
)  # fmt: skip
"""Files at the repository's root that say which packages there are: every model is trained with them."""
_NO_INPUT = frozenset({"environments", "docs", "infra"})
"""Folders at the repository's root, besides hidden ones, that no training reads."""
_NO_INPUT_NAMES = (
    *("*.md", "*.rst", "LICENSE*", "NOTICE*", "CODEOWNERS"),
    *(".gitignore", ".gitattributes", ".gitlab-ci.yml", "Jenkinsfile"),
)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What of the repository one model is made from.

    `folder` is its own (empty: the repository's root), `patterns` name what it shares with others, as in a
    `.gitignore`. All paths are from the repository's root, with slashes.
    """

    model: str
    folder: str
    patterns: tuple[str, ...] = ()


def touched(changed: Iterable[str], reaches: Sequence[Reach]) -> dict[str, str]:
    """The models that a change of these files may make anew, in the order given, each with the first such file.

    Rather one too many than one too few: a model whose lock is the same after all is not trained again. A file in a
    model's folder touches that model alone, unless others declare that they share it.
    """
    paths = sorted(set(changed))
    by_folder = {reach.folder: reach.model for reach in reaches}
    sharing: dict[str, list[str]] = {}
    for reach in reaches:
        for pattern in reach.patterns:
            sharing.setdefault(pattern, []).append(reach.model)
    found: dict[str, str] = {}
    for path in paths:
        if any(fnmatchcase(path, pattern) for pattern in ENVIRONMENT_FILES):
            for reach in reaches:
                found.setdefault(reach.model, path)
        owner = next((by_folder[folder] for folder in _folders(path) if folder in by_folder), None)
        if owner is not None and not _is_no_input(path):
            found.setdefault(owner, path)
    for pattern, models in sharing.items():
        path_of = next((path for path in paths if matches(pattern, path)), None)
        if path_of is not None:
            for model in models:
                found.setdefault(model, path_of)
    return {reach.model: found[reach.model] for reach in reaches if reach.model in found}


def desired(changed: Iterable[str], models: Collection[str]) -> list[tuple[str, str]]:
    """Model and environment of each changed file that says what an environment is to serve, in order.

    >>> desired(["environments/qa/hail.yaml", "environments/qa/gone.yaml", "train.py"], {"hail", "rain"})
    [('hail', 'qa')]
    """
    parts = (path.split("/") for path in changed)
    found = {
        (part[2].removesuffix(".yaml"), part[1])
        for part in parts
        if len(part) == 3 and part[0] == "environments" and part[2].endswith(".yaml")
    }
    return sorted(pair for pair in found if pair[0] in models)


def matrix(models: Sequence[str], *, most: int = MOST_JOBS) -> Mapping[str, list[dict[str, str]]]:
    """A matrix for GitHub Actions: a job for each model, or, where these are too many, for each of `most` groups.

    Each job has a `name` and its `models`, separated by spaces, as `mlops-ci ci` takes them. Groups differ by one
    model at most.

    >>> matrix(["a", "b", "c"], most=2)["include"]
    [{'name': 'a and 1 more', 'models': 'a b'}, {'name': 'c', 'models': 'c'}]
    """
    if most < 1:
        raise ValueError(f"a matrix of {most} jobs")
    jobs = []
    for group in _groups(models, min(most, len(models))):
        name = group[0] if len(group) == 1 else f"{group[0]} and {len(group) - 1} more"
        jobs.append({"name": name, "models": " ".join(group)})
    return {"include": jobs}


def share(models: Sequence[str], number: int, *, of: int) -> Sequence[str]:
    """What the job of that number has to do, counted from 1, where always the same `of` jobs are started.

    >>> [list(share(["a", "b", "c"], number, of=2)) for number in (1, 2)], list(share(["a"], 2, of=2))
    ([['a', 'b'], ['c']], [])
    """
    if not 1 <= number <= of:
        raise ValueError(f"share {number} of {of}")
    return list(_groups(models, of))[number - 1]


def _groups(models: Sequence[str], count: int) -> Iterator[Sequence[str]]:
    start = 0
    for number in range(count):
        size = len(models) // count + (number < len(models) % count)
        yield models[start : start + size]
        start += size


def _folders(path: str) -> Iterator[str]:
    """The folders in which the file lies, from the innermost to the root."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _is_no_input(path: str) -> bool:
    top, inside, _ = path.partition("/")
    if inside and (top in _NO_INPUT or top.startswith(".")):
        return True
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in _NO_INPUT_NAMES)
