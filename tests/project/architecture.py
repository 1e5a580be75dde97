"""The rules of the tree, checked on the syntax of every module: nothing of the package is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# What each part may import besides itself. The package's own version, `mlops_ci.__version__`, may be read by all.
EVERYTHING = frozenset(
    {"errors", "core", "config", "ports", "pipeline", "adapters", "scoring", "cli", "resources"},
)
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "__init__": frozenset(),
    "__main__": frozenset({"cli"}),
    "errors": frozenset(),
    "core": frozenset({"errors"}),
    "config": frozenset({"core", "errors", "resources"}),
    "ports": frozenset({"core", "errors"}),
    "pipeline": frozenset({"ports", "config", "core", "errors", "resources"}),
    "adapters": frozenset({"ports", "core", "errors", "resources"}),
    "scoring": frozenset({"core"}),
    "cli": EVERYTHING,
    "resources": frozenset(),
}

IMPURE_MODULES = frozenset(
    {
        *("asyncio", "glob", "http", "logging", "multiprocessing", "os", "pathlib", "random", "requests", "secrets"),
        *("shutil", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request", "uuid"),
    }
)
IMPURE_CALLS = frozenset({"input", "open", "print"})
CLOCKS = frozenset({"date", "datetime", "Timestamp"})
CLOCK_READINGS = frozenset({"now", "today", "utcnow"})

PROCESSES = frozenset({"adapters.processes"})
PROCESS_CALLS = ("create_subprocess_", "exec", "popen", "posix_spawn", "spawn", "system")
ENVIRONMENT = frozenset({"adapters.environment", "scoring.__main__"})
ENVIRONMENT_NAMES = frozenset({"environ", "environb", "getenv"})

NOT_IN_THE_IMAGE = frozenset(
    {
        *("dask", "docker", "jinja2", "joblib", "jsonschema", "matplotlib", "obstore", "onnx", "pandas", "pandera"),
        *("pyarrow", "requests", "ruamel", "scipy", "skl2onnx", "sklearn", "yaml"),
    }
)

MODULE_LINES, FUNCTION_LINES = 300, 60
SHAPELESS_NAMES = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    path: str
    line: int
    what: str
    rule: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}\n    rule: {self.rule}"


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file of the package; `name` is relative to it: `core.gate`, `core.__init__`, `errors`."""

    name: str
    path: Path
    package: str

    @property
    def part(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, filename=str(self.path))

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """(line, absolute dotted name) of each imported module or name, those inside functions too."""
        return list(self._imports())

    def _imports(self) -> Iterator[tuple[int, str]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = self._absolute(node)
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Call) and last_name(node.func) in {"import_module", "__import__"} and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield node.lineno, name.value

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        # a module's own name goes first, and for a package that is `__init__`
        origin = [self.package, *self.name.split(".")][: -node.level]
        return ".".join([*origin, *([node.module] if node.module else [])])

    def finding(self, line: int, what: str, rule: str) -> Finding:
        path = self.path.relative_to(self.path.parents[self.name.count(".") + 1])
        return Finding(path=path.as_posix(), line=line, what=what, rule=rule)


def check(package: Path, *, oversize: Mapping[str, str]) -> list[Finding]:
    """Every breach of a rule in the package folder; `oversize` names the files, with a reason, that may be long."""
    modules = load(package)
    findings = [finding for module in modules.values() for finding in check_module(module, oversize=oversize)]
    return sorted([*findings, *scoring_is_light(modules)], key=lambda finding: (finding.path, finding.line))


def load(package: Path) -> dict[str, Module]:
    paths = (path for path in sorted(package.rglob("*.py")) if "templates" not in path.relative_to(package).parts)
    names = {".".join(path.relative_to(package).with_suffix("").parts): path for path in paths}
    return {name: Module(name=name, path=path, package=package.name) for name, path in names.items()}


def check_module(module: Module, *, oversize: Mapping[str, str]) -> Iterator[Finding]:
    yield from direction(module)
    yield from names(module)
    if module.part == "core":
        yield from purity(module)
    if module.name not in PROCESSES:
        yield from processes(module)
    if module.name not in ENVIRONMENT:
        yield from environment(module)
    if module.finding(1, "", "").path not in oversize:
        yield from size(module)


def direction(module: Module) -> Iterator[Finding]:
    allowed = MAY_IMPORT.get(module.part)
    if allowed is None:
        rule = f"the parts of the package are {', '.join(sorted(MAY_IMPORT))}; a new one needs a line in MAY_IMPORT"
        yield module.finding(1, f"{module.part} is no part of the tree", rule)
        return
    rule = f"{module.part} may import {', '.join(sorted(allowed)) or 'no other part of the package'}"
    for line, name in module.imports:
        root, _, inner = name.partition(".")
        part = inner.partition(".")[0]
        if root == module.package and part in MAY_IMPORT and part not in allowed | {module.part}:
            yield module.finding(line, f"imports {name}", rule)


def names(module: Module) -> Iterator[Finding]:
    for word in module.name.split("."):
        if word in SHAPELESS_NAMES:
            yield module.finding(1, f"is called {word}", "a module is named after what it holds, in the field's terms")


def purity(module: Module) -> Iterator[Finding]:
    rule = "core is pure: files, processes, the clock and randomness come in as arguments"
    for line, name in module.imports:
        if within(name, IMPURE_MODULES):
            yield module.finding(line, f"imports {name}", rule)
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = last_name(node.func)
        if isinstance(node.func, ast.Name) and name in IMPURE_CALLS:
            yield module.finding(node.lineno, f"calls {name}()", rule)
        elif isinstance(node.func, ast.Attribute) and name in CLOCK_READINGS and last_name(node.func.value) in CLOCKS:
            yield module.finding(node.lineno, f"reads the clock by {ast.unparse(node.func)}()", rule)
        elif name == "default_rng" and not node.args and not node.keywords:
            yield module.finding(node.lineno, "draws random numbers without a seed", rule)


def processes(module: Module) -> Iterator[Finding]:
    rule = "only adapters/processes.py starts processes; elsewhere ask for the port"
    for line, name in module.imports:
        if within(name, frozenset({"subprocess"})):
            yield module.finding(line, f"imports {name}", rule)
    for line, name in uses_of_os(module):
        if name.startswith(PROCESS_CALLS):
            yield module.finding(line, f"uses os.{name}", rule)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("create_subprocess_"):
            yield module.finding(node.lineno, f"uses {ast.unparse(node)}", rule)


def environment(module: Module) -> Iterator[Finding]:
    rule = "only adapters/environment.py (and the image's scoring/__main__.py) reads the environment"
    for line, name in uses_of_os(module):
        if name in ENVIRONMENT_NAMES:
            yield module.finding(line, f"uses os.{name}", rule)


def size(module: Module) -> Iterator[Finding]:
    rule = "a long file or function is asking to be two; if not, give it a reason in OVERSIZE of test_imports.py"
    lines = module.source.count("\n")
    if lines > MODULE_LINES:
        yield module.finding(lines, f"has {lines} lines; the limit is {MODULE_LINES}", rule)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield module.finding(node.lineno, f"{node.name} has {lines} lines; the limit is {FUNCTION_LINES}", rule)


def scoring_is_light(modules: Mapping[str, Module]) -> Iterator[Finding]:
    rule = "the scoring image holds numpy, onnxruntime and the HTTP server only, also for what scoring takes from core"
    for module in reachable([name for name in modules if name.startswith("scoring.")], modules):
        for line, name in module.imports:
            if within(name, NOT_IN_THE_IMAGE):
                yield module.finding(line, f"imports {name}", rule)


def reachable(start: Iterable[str], modules: Mapping[str, Module]) -> list[Module]:
    """The modules that importing `start` loads, parent packages included."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for _, imported in modules[name].imports:
            root, _, inner = imported.partition(".")
            if root == modules[name].package:
                waiting += loaded_by(inner, modules)
    return [modules[name] for name in sorted(seen)]


def loaded_by(dotted: str, modules: Mapping[str, Module]) -> list[str]:
    words = dotted.split(".") if dotted else []
    prefixes = [".".join(words[:count]) for count in range(len(words) + 1)]
    candidates = [name for prefix in prefixes for name in (prefix, f"{prefix}.__init__".lstrip("."))]
    return [name for name in candidates if name in modules]


def uses_of_os(module: Module) -> Iterator[tuple[int, str]]:
    aliases = {"os"}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname for alias in node.names if alias.name == "os" and alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "os" and not node.level:
            yield from ((node.lineno, alias.name) for alias in node.names)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield node.lineno, node.attr


def within(name: str, modules: frozenset[str]) -> bool:
    words = name.split(".")
    return any(".".join(words[:count]) in modules for count in range(1, len(words) + 1))


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
