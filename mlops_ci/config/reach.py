"""What each model of a repository is made from, read from thousands of `mlops.yaml` in about a second.

A whole reading, which knows every line and every mistake, costs half a millisecond a file. Which models a change
touches depends on three keys alone; a file that has only the first of them is not parsed at all.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath

from mlops_ci.config.document import Document
from mlops_ci.config.loading import find_models
from mlops_ci.config.reader import parse
from mlops_ci.core.plan import Reach
from mlops_ci.errors import ConfigurationError, Problem

_NAME = re.compile(rb"^model:[ \t]*([a-z][a-z0-9-]*)[ \t]*(?:#.*)?$", re.MULTILINE)
_TOP_KEY = re.compile(rb"^(?=[A-Za-z\"'])", re.MULTILINE)
_WANTED = (b"model", b"data", b"shared")
_CHARACTERS = re.compile(r"\[[^\]]*\]")


def reaches(root: Path) -> list[Reach]:
    """One for each model, in the order of their files.

    Raises ConfigurationError with every file that does not say its model's name, or says one that another has.
    """
    found: list[Reach] = []
    problems: list[Problem] = []
    files: dict[str, str] = {}
    for path in find_models(root):
        shown = path.relative_to(root).as_posix()
        try:
            reach = _reach(path.read_bytes(), shown)
        except (OSError, ConfigurationError) as error:
            problems += getattr(error, "problems", ()) or [
                Problem(where=shown, what=str(error), fix="see mlops-ci check")
            ]
            continue
        first = files.setdefault(reach.model, shown)
        if first != shown:
            what = f"model '{reach.model}' is declared here and in {first}"
            problems.append(Problem(where=shown, what=what, fix="give each its own name"))
        found.append(reach)
    if problems:
        raise ConfigurationError("not every model of the repository can be planned", problems=problems)
    return found


def _reach(text: bytes, name: str) -> Reach:
    folder = name.rpartition("/")[0]
    names = _NAME.findall(text)
    if len(names) == 1 and b"shared" not in text and b".." not in text:
        return Reach(model=names[0].decode(), folder=folder)
    document = _wanted_part(text, name)
    value = document.value if document else {}
    model = document.plain.get(("model",), value.get("model")) if document else None
    if not isinstance(model, str) or not model:
        problem = Problem(where=name, what="the file does not say its model's name", fix="write `model: name` into it")
        raise ConfigurationError(problem.what, where=name, problems=[problem])
    data, shared = value.get("data"), value.get("shared")
    written = [*shared] if isinstance(shared, list) else []
    if isinstance(data, dict):
        written += [data.get(key) for key in ("source", "schema")]
    patterns = [each for path in written if isinstance(path, str) for each in _outside(folder, path)]
    return Reach(model=model, folder=folder, patterns=tuple(patterns))


def _wanted_part(text: bytes, name: str) -> Document | None:
    """The sections that are asked for, as they would be read in the whole file; None where it has none of them."""
    sections = _TOP_KEY.split(text)
    wanted = b"".join(section for section in sections if section.lstrip(b"\"'").startswith(_WANTED))
    return parse(wanted, name) if wanted else None


def _outside(folder: str, written: str) -> list[str]:
    """Patterns for a path that leads out of the model's folder, and for the pointer that DVC keeps beside it."""
    path = normpath(f"{folder}/{written}")
    if "://" in written or not folder or path.startswith(("..", "/", f"{folder}/")):
        return []
    pattern = "/" + _CHARACTERS.sub("?", path)
    return [pattern] if path.endswith(".dvc") else [pattern, f"{pattern}.dvc"]
