"""What a user installs: the package with the templates in it, and nothing that a run has left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build reads, with litter such as runs leave."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    for name in ("mlops_ci", "templates", "infra"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        for litter in ("__pycache__/a.cpython-311.pyc", "b.pyc", ".mlops/store/blob", ".pytest_cache/c"):
            (copy / name / litter).parent.mkdir(parents=True, exist_ok=True)
            (copy / name / litter).touch()
    (copy / "templates" / "planted").mkdir()
    (copy / "templates" / "planted" / ".github").write_text("hidden files belong to a template too")
    return copy


def build(checkout: Path, target: str) -> Path:
    out = checkout / "dist" / target
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def in_wheel(checkout: Path) -> set[str]:
    return set(zipfile.ZipFile(build(checkout, "wheel")).namelist())


@pytest.fixture(scope="module")
def in_sdist(checkout: Path) -> set[str]:
    with tarfile.open(build(checkout, "sdist")) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_carries_every_template_as_a_resource(checkout: Path, in_wheel: set[str]) -> None:
    litter = ("__pycache__", ".pyc", ".mlops", ".pytest_cache")
    paths = [path.relative_to(checkout).as_posix() for path in (checkout / "templates").rglob("*") if path.is_file()]
    wanted = {f"mlops_ci/resources/{path}" for path in paths if not any(word in path for word in litter)}

    assert wanted == {name for name in in_wheel if name.startswith("mlops_ci/resources/templates/")}
    assert "mlops_ci/resources/templates/planted/.github" in wanted


def test_the_wheel_carries_the_infrastructure_that_a_template_takes_in(in_wheel: set[str]) -> None:
    carried = {name.split("/")[3] for name in in_wheel if name.startswith("mlops_ci/resources/infra/")}
    assert carried == {"examples", "kubernetes"}


def test_the_sdist_carries_the_templates_where_the_checkout_has_them(in_sdist: set[str]) -> None:
    assert {"templates/planted/.github", "mlops_ci/__init__.py", "pyproject.toml", "LICENSE"} <= in_sdist


def test_neither_carries_what_runs_leave_behind(in_wheel: set[str], in_sdist: set[str]) -> None:
    names = in_wheel | in_sdist

    assert not [name for name in names if name.endswith(".pyc") or ".mlops/" in name or "_cache" in name]


def test_the_wheel_holds_the_package_only(in_wheel: set[str]) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in in_wheel} == {"mlops_ci"}
