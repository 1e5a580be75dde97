"""Finds the models of a repository and loads their configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from errno import EINVAL
from os.path import normpath
from pathlib import Path

from mlops_ci.config.completion import complete
from mlops_ci.config.data_schema import DATA_SCHEMA_RULES, complete_data_schema
from mlops_ci.config.document import Complaint, Document
from mlops_ci.config.reader import LARGEST_FILE, parse
from mlops_ci.config.rules import MODEL_RULES
from mlops_ci.config.schema_types import DataSchema
from mlops_ci.config.types import GateConfig, ModelConfig
from mlops_ci.config.validation import DATA_SCHEMA, MODEL_SCHEMA, Checked, validate
from mlops_ci.config.wording import near, spelled_out
from mlops_ci.errors import ConfigurationError, Problem

FILE = "mlops.yaml"
_FREE = (("train", "params"), ("train", "search", "space"))


def find_models(root: Path) -> list[Path]:
    """The configuration files of the repository: the one at its root, then those in `models/`, by name."""
    candidates = [root / FILE, *sorted((root / "models").glob(f"*/{FILE}"))]
    return [path for path in candidates if _is_file(path)]


def load(path: Path, *, root: Path | None = None, drafting: bool = False) -> ModelConfig:
    """The configuration in the file at `path`, with its data schema, completed.

    Raises ConfigurationError with every problem of both files; they are named relative to `root`, the repository
    (default: the file's own folder). For a command that is `drafting` the data schema need not be there yet: then it
    has a path and no columns.
    """
    path = path.absolute()
    root = path.parent if root is None else root.absolute()
    name = _name(path, root)
    checked = validate(_parse(path, name), schema=MODEL_SCHEMA, rules=MODEL_RULES, free=_FREE)
    schema, schema_problems = _data_schema(checked, path.parent, root, drafting=drafting)
    if problems := [*checked.problems, *schema_problems]:
        raise _unusable(name, problems)
    return complete(checked.document.value, path=path, schema=schema)


def committed(data: bytes, *, path: Path, name: str) -> ModelConfig:
    """The configuration that a commit has of the file at `path`, without its data schema; `name` is for people.

    Raises ConfigurationError with every problem.
    """
    checked = validate(parse(data, name), schema=MODEL_SCHEMA, rules=MODEL_RULES, free=_FREE)
    if checked.problems:
        raise _unusable(name, checked.problems)
    return complete(checked.document.value, path=path, schema=None)


def load_policy(path: Path, model: Path, *, root: Path) -> GateConfig:
    """The gate that the file at `path` declares for the model whose `mlops.yaml` is at `model`.

    The file holds a `gate:` section and nothing else, which is read as if it stood in that `mlops.yaml`; or it is a
    whole `mlops.yaml` of its own. Raises ConfigurationError with every problem and the file's own lines.
    """
    name = _name(path.absolute(), root)
    document = _parse(path, name)
    if "model" in document.value:
        return load(path, root=root).gate
    fix = "keep the section `gate:` alone, or give a whole mlops.yaml"
    others = [
        Complaint(path=(key,), what=f"key {spelled_out(key)} is no part of a policy", fix=fix)
        for key in document.value
        if key != "gate"
    ]
    if "gate" not in document.value:
        others.append(Complaint(path=(), what="there is no section `gate:`", fix="write the policy there"))
    if others:
        problems = document.problems(document.found(others))
        raise ConfigurationError(f"{name} is no policy", problems=problems)
    base = validate(_parse(model, _name(model, root)), schema=MODEL_SCHEMA, rules=MODEL_RULES, free=_FREE)
    whole = {**base.document.value, "gate": document.value["gate"]}
    checked = validate(replace(document, value=whole), schema=MODEL_SCHEMA, rules=MODEL_RULES)
    if checked.problems:
        raise _unusable(name, checked.problems)
    return complete(checked.document.value, path=model, schema=None).gate


def declared(root: Path) -> Mapping[str, Path]:
    """The name and file of each model of the repository, read without looking any further into the files.

    A file that does not say its model's name is left out: `load` has the words for it. Raises ConfigurationError
    where two files declare the same name, since both would write to the same place of the store.
    """
    names: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in find_models(root):
        shown = _name(path, root)
        document = _readable(path, shown)
        if document is None or not isinstance(name := document.plain.get(("model",), document.value.get("model")), str):
            continue
        if (first := names.setdefault(name, path)) is not path:
            what = f"model '{name}' is declared here and in {_name(first, root)}"
            problem = Problem(where=f"{shown}:{document.line(('model',))}", what=what, fix="give each its own name")
            problems.append(problem)
    if problems:
        raise ConfigurationError("a model's name must be unique in the repository", problems=problems)
    return names


def read_data_schema(path: Path, *, root: Path) -> DataSchema:
    """The data schema in the file at `path`, of which a model need not know. Raises ConfigurationError, OSError."""
    schema, problems = _parsed_schema(_bytes(path), name=_name(path, root), written=path.name)
    if schema is None:
        raise ConfigurationError(f"{_name(path, root)} cannot be used", problems=problems)
    return schema


def select(root: Path, model: str | None, *, drafting: bool = False) -> ModelConfig:
    """The model of that name, or the only one there is where no name is given; `drafting` as for `load`.

    Raises ConfigurationError naming the models there are, and all that is wrong with the chosen one's file.
    """
    files = find_models(root)
    if not files:
        fix = f"run this where {FILE} is, name the folder with -C, or start with `mlops-ci init`"
        raise ConfigurationError(f"no {FILE} in {root} and none in its models/*/", fix=fix)
    if model is None and len(files) == 1:
        return load(files[0], root=root, drafting=drafting)
    names = declared(root)
    if model is not None and model in names:
        return load(names[model], root=root, drafting=drafting)
    listed = ", ".join(sorted(names)) or "none that can be read"
    problems = _unreadable(files, names, root)
    if model is None:
        what, fix = f"{len(files)} models here, and none was named", f"name one of: {listed}"
        raise ConfigurationError(what, fix=fix, problems=problems)
    meant = near(model, names)
    fix = f"did you mean '{meant}'? (models here: {listed})" if meant else f"models here: {listed}"
    raise ConfigurationError(f"no model is called '{model}'", fix=fix, problems=problems)


def _unusable(name: str, problems: Sequence[Problem]) -> ConfigurationError:
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return ConfigurationError(f"{name} cannot be used: {count}", problems=problems)


def _unreadable(files: list[Path], names: Mapping[str, Path], root: Path) -> list[Problem]:
    """The files among which the model that was not found may be."""
    nameless = [_name(path, root) for path in files if path not in names.values()]
    fix = "write `model: name` into it, or see what `mlops-ci check` has to say"
    return [Problem(where=name, what="the file does not say its model's name", fix=fix) for name in nameless]


def _readable(path: Path, name: str) -> Document | None:
    try:
        return _parse(path, name)
    except ConfigurationError:
        return None


def _parse(path: Path, name: str) -> Document:
    """Raises ConfigurationError, with at least one problem, where the file cannot be read."""
    try:
        data = _bytes(path)
    except OSError as error:
        fix = "check the path and its permissions"
        problem = Problem(where=name, what=f"the file cannot be read: {error.strerror}", fix=fix)
        raise ConfigurationError(f"{name} cannot be read", problems=[problem]) from error
    return parse(data, name)


def _data_schema(
    checked: Checked, folder: Path, root: Path, *, drafting: bool
) -> tuple[DataSchema | None, list[Problem]]:
    """The data schema that the model declares, and its problems. A missing file is the declaring line's problem."""
    written = (checked.sound.get("data") or {}).get("schema")
    if written is None:
        return None, []
    path = folder / written
    try:
        return _parsed_schema(_bytes(path), name=_name(path, root), written=written)
    except OSError as error:
        if drafting and isinstance(error, FileNotFoundError):
            return DataSchema(path=written, columns=()), []
        where = f"{checked.document.name}:{checked.document.line(('data', 'schema'))}"
        what = f"data.schema is {spelled_out(written)}, which cannot be read: {error.strerror}"
        fix = "correct the path, or draft the file with `mlops-ci infer-schema`"
        return None, [Problem(where=where, what=what, fix=fix)]


def _parsed_schema(data: bytes, *, name: str, written: str) -> tuple[DataSchema | None, list[Problem]]:
    try:
        document = parse(data, name)
    except ConfigurationError as error:
        return None, list(error.problems)
    schema = validate(document, schema=DATA_SCHEMA, rules=DATA_SCHEMA_RULES)
    if schema.problems:
        return None, list(schema.problems)
    return complete_data_schema(schema.document.value, path=written), []


def _bytes(path: Path) -> bytes:
    """No more of the file than shows that it is too large. Raises OSError."""
    try:
        # A pipe or a device could keep the reader waiting for ever.
        if path.exists() and not path.is_file():
            raise OSError(EINVAL, "it is no regular file")
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except ValueError as error:
        raise OSError(EINVAL, str(error)) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _name(path: Path, root: Path) -> str:
    """For people only: where there are links, `..` need not lead to where it seems to lead."""
    path, root = Path(normpath(path)), Path(normpath(root))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
