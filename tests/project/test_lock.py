"""What pyproject.toml asks for, requirements.lock pins; what the package imports, pyproject.toml asks for."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.architecture import load

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [Requirement(text) for extra in PROJECT["optional-dependencies"].values() for text in extra]
LOCK = (ROOT / "requirements.lock").read_text()
RELOCK = "run `.venv/bin/nox -s lock`"


def pins() -> dict[str, list[Requirement]]:
    """Each locked package's pins: more than one where they differ by Python version or platform."""
    found: dict[str, list[Requirement]] = {}
    for line in LOCK.splitlines():
        if not line.startswith((" ", "#")):
            pin = Requirement(line.removesuffix("\\"))
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


@pytest.mark.parametrize("asked", RUNTIME + EXTRAS, ids=str)
def test_the_lock_satisfies_what_is_asked_for(asked: Requirement) -> None:
    locked = pins().get(canonicalize_name(asked.name), [])

    assert locked, f"{asked.name} is not in requirements.lock; {RELOCK}"
    for pin in locked:
        (version,) = pin.specifier
        assert asked.specifier.contains(version.version), f"{pin} is not {asked.specifier}; {RELOCK}"


def test_everything_is_pinned_to_one_version_with_its_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())

    assert len(entries) > len(RUNTIME)
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+ (; .*)?\\\n", entry), entry
        assert re.fullmatch(r"(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+", entry.partition("\n")[2]), entry


def test_every_library_that_the_package_imports_is_asked_for() -> None:
    asked = {canonicalize_name(requirement.name) for requirement in [*RUNTIME, *EXTRAS]}
    owners = packages_distributions()

    for module in load(ROOT / "mlops_ci").values():
        for line, name in module.imports:
            library = name.partition(".")[0]
            if library in sys.stdlib_module_names or library == "mlops_ci":
                continue
            distributions = {canonicalize_name(owner) for owner in owners.get(library, [library])}
            assert distributions & asked, f"{module.path}:{line} imports {library}; name it in pyproject.toml"
