"""The team's own Python: hashed, imported from the model's folder, run, and forgotten again."""

from __future__ import annotations

import ast
import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from mlops_ci.adapters.shared_files import shared_digests
from mlops_ci.errors import ConfigurationError, MlopsError

NOT_CODE = frozenset({"__pycache__", "build", "dist", "environments", "node_modules", "site-packages", "tests", "venv"})
"""Folders whose Python does not train the model; nor do hidden ones, virtual environments and other models."""


class PythonUserCode:
    """Implements `ports.UserCode`."""

    def __init__(self) -> None:
        self._open: list[Path] = []

    def __reduce__(self) -> tuple[type[PythonUserCode], tuple[()]]:
        """In another process no session is open yet."""
        return PythonUserCode, ()

    def digests(self, root: Path, shared: Sequence[str] = ()) -> Mapping[str, str]:
        return source_digests(root) | shared_digests(root, shared)

    def imports(self, root: Path) -> frozenset[str]:
        root = root.resolve()
        own = {path.relative_to(root).parts[0].removesuffix(".py") for path in sources(root)}
        found = {name for path in sources(root) for name in _imported(path)}
        return frozenset(found - own - sys.stdlib_module_names)

    @contextmanager
    def session(self, root: Path) -> Iterator[None]:
        root = root.resolve()
        if root in self._open:
            yield
            return
        # A module of this folder that somebody imported before may be older than the file on disk.
        before = {name: sys.modules.pop(name) for name in _own_modules(root)}
        path, bytecode = sys.path[:], sys.dont_write_bytecode
        sys.path.insert(0, str(root))
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        self._open.append(root)
        try:
            yield
        finally:
            self._open.remove(root)
            sys.path[:], sys.dont_write_bytecode = path, bytecode
            for name in _own_modules(root):
                del sys.modules[name]
            sys.modules.update(before)

    @contextmanager
    def guarded(self, root: Path, doing: str) -> Iterator[None]:
        root = root.resolve()
        try:
            with _stdout_to_stderr():
                yield
        except MlopsError:
            raise
        except (Exception, SystemExit) as error:
            reason = "\n".join(str(error).strip().splitlines()[:8])[:1000]
            raise ConfigurationError(
                f"{doing} failed: {type(error).__name__}: {reason}".rstrip(": "),
                where=_where(error, root),
                fix="correct the code, or the parameters and data that it is given",
            ) from error

    def load(self, root: Path, entrypoint: str) -> Callable[..., Any]:
        root = root.resolve()
        module_name, _, function_name = entrypoint.partition(":")
        with self.session(root):
            function = getattr(self._import(root, module_name, entrypoint), function_name, None)
        if not callable(function):
            what = f"there is no function {function_name} in {module_name}"
            raise ConfigurationError(what, where=_file_of(root, module_name), fix=f"define {function_name} there")

        def call(*args: Any, **kwargs: Any) -> Any:
            with self.session(root), self.guarded(root, f"{entrypoint}()"):
                return function(*args, **kwargs)

        return call

    def _import(self, root: Path, name: str, entrypoint: str) -> ModuleType:
        try:
            with self.guarded(root, f"import {name}"):
                module = importlib.import_module(name)
        except ConfigurationError as error:
            if isinstance(error.__cause__, ModuleNotFoundError) and error.__cause__.name == name:
                fix = f"add {name.replace('.', '/')}.py, or correct {entrypoint} in mlops.yaml"
                raise ConfigurationError(f"there is no module {name}", where=str(root), fix=fix) from error
            raise
        if not _is_own(Path(module.__file__ or ""), root):
            what = f"module {name} is not the one of this folder: Python has another of this name ({module.__file__})"
            raise ConfigurationError(what, where=_file_of(root, name), fix="rename the file and the entrypoint")
        outside = next((path for path in _loaded(root) if path.relative_to(root).parts[0] in {"tests", "build"}), None)
        if outside:
            what = f"{name} imports {outside.relative_to(root)}, which the lock leaves out"
            raise ConfigurationError(
                what, where=_file_of(root, name), fix="move what training needs out of that folder"
            )
        return module


def sources(root: Path) -> list[Path]:
    """Every Python file that training may import from the folder, linked folders included, in order.

    A link to nothing, or to a device, is no file.
    """
    found: list[Path] = []
    seen: set[Path] = set()
    for folder, names, files in os.walk(root, followlinks=True):
        here = Path(folder)
        if here.resolve() in seen:
            names[:] = []
            continue
        seen.add(here.resolve())
        names[:] = sorted(name for name in names if _may_hold_code(here / name))
        found += [here / name for name in files if name.endswith(".py") and (here / name).is_file()]
    return sorted(found)


def source_digests(root: Path) -> dict[str, str]:
    """The SHA-256 of each of the folder's `sources`, by its path relative to the folder."""
    root = root.resolve()
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sources(root)}


def _may_hold_code(folder: Path) -> bool:
    return not (
        folder.name.startswith(".")
        or folder.name in NOT_CODE
        or folder.name.endswith(".egg-info")
        or (folder / "pyvenv.cfg").exists()
        or (folder / "mlops.yaml").exists()
    )


def _is_own(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root):
        return False
    parts = path.relative_to(root).parts[:-1]
    return all(_may_hold_code(root.joinpath(*parts[: count + 1])) for count in range(len(parts)))


def _own_modules(root: Path) -> list[str]:
    return [name for name, paths in _modules_below(root) if any(_is_own(path, root) for path in paths)]


def _loaded(root: Path) -> list[Path]:
    return [path for _, paths in _modules_below(root) for path in paths if path.suffix == ".py"]


def _modules_below(root: Path) -> list[tuple[str, list[Path]]]:
    """Loaded modules with their files, or folders where they are namespace packages, that are below the root."""
    start = str(root) + os.sep
    below = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        paths = [file] if file else [f"{path}{os.sep}" for path in getattr(module, "__path__", None) or ()]
        inside = [Path(path, "") for path in paths if isinstance(path, str) and path.startswith(start)]
        if inside and name != "__main__":
            below.append((name, inside))
    return below


def _imported(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError):
        return  # whoever imports it will say so, with the line
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _where(error: BaseException, root: Path) -> str:
    """The innermost line of the team's own code in the traceback, such as `train.py line 7`."""
    if isinstance(error, SyntaxError) and error.filename and _is_own(Path(error.filename), root):
        return f"{Path(error.filename).relative_to(root).as_posix()} line {error.lineno}"
    where = ""
    step: TracebackType | None = error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if _is_own(file, root):
            where = f"{file.relative_to(root).as_posix()} line {step.tb_lineno}"
        step = step.tb_next
    return where


def _file_of(root: Path, module: str) -> str:
    path = root / f"{module.replace('.', '/')}.py"
    return path.relative_to(root).as_posix() if path.exists() else ""


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Stdout belongs to the command's result, so what code prints goes to stderr, from C and child processes too."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # no stdout at all
        with redirect_stdout(sys.stderr):
            yield
        return
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
