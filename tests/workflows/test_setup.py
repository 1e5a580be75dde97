"""The setup action for real: a small toolkit, whose packages come from a folder, into an environment of its own."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflows.documents import ROOT, action

INSTALL = ROOT / "actions/setup/install.py"
BACKEND = """\
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "mlops_ci-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("mlops_ci/__init__.py", pathlib.Path("mlops_ci/__init__.py").read_text())
        info = "mlops_ci-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: mlops-ci\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nmlops-ci = mlops_ci:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "mlops-ci"
version = "1.0"
"""
# What must not be run, in the folder that a pull request fills.
HOSTILE = "import pathlib; pathlib.Path(__file__).with_name('owned').touch()\n"


def wheel(folder: Path, name: str, files: Mapping[str, str]) -> str:
    """A wheel, version 1.0, in the folder; its SHA-256."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info/"
    texts = dict(files) | {
        info + "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        record = ""
        for file, text in texts.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{file},sha256={digest},{len(text.encode())}\n"
        archive.writestr(info + "RECORD", record + f"{info}RECORD,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A runner, and the toolkit as a job finds it."""

    root: Path

    @property
    def toolkit(self) -> Path:
        return self.root / "toolkit"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    def run(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PIP_NO_INDEX": "1", "UV_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.root / "wheels"), "UV_FIND_LINKS": str(self.root / "wheels"),
            "RUNNER_TOOL_CACHE": str(self.root / "tools"), "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_PATH": str(self.root / "path"), "GITHUB_OUTPUT": str(self.root / "output"),
            "GITHUB_STEP_SUMMARY": str(self.root / "summary"), "PYTHONPATH": str(self.workspace), **variables,
        }  # fmt: skip
        command = [sys.executable, "-I", str(self.toolkit / "actions/setup/install.py"), *options]
        return subprocess.run(
            command, cwd=self.workspace, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def folder(self, **variables: str) -> Path:
        return Path(self.run("--folder", **variables).stdout.strip())

    def outputs(self) -> list[str]:
        return (self.root / "output").read_text().splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(root=tmp_path)
    for folder in ("wheels", "workspace", "toolkit/actions/setup", "toolkit/mlops_ci", "toolkit/templates"):
        (tmp_path / folder).mkdir(parents=True)
    # The real uv, by its path: in its own wheel it would be 20 MB.
    real = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert real
    script = f'#!/bin/sh\nexec "{real}" "$@"\n'
    pinned = {
        "uv": wheel(tmp_path / "wheels", "uv", {"uv-1.0.data/scripts/uv": script}),
        "needed": wheel(tmp_path / "wheels", "needed", {"needed.py": "VALUE = 1\n"}),
    }
    wheel(tmp_path / "wheels", "teams", {"teams.py": ""})
    shutil.copy(INSTALL, place.toolkit / "actions/setup")
    (place.toolkit / "actions/setup/requirements.lock").write_text(
        "".join(f"{name}==1.0 \\\n    --hash=sha256:{digest}\n" for name, digest in pinned.items())
    )
    (place.toolkit / "pyproject.toml").write_text(PROJECT)
    (place.toolkit / "backend.py").write_text(BACKEND)
    (place.toolkit / "mlops_ci/__init__.py").write_text("def main():\n    import needed\n    print('here')\n")
    return place


def test_it_installs_once_and_finds_it_again(place: Place) -> None:
    for name in ("pip.py", "venv.py", "hashlib.py", "sitecustomize.py", "backend.py", "subprocess.py"):
        (place.workspace / name).write_text(HOSTILE)
    (place.workspace / "uv.toml").write_text("no-index = 7\n")
    (place.workspace / "requirements.txt").write_text("teams==1.0\n")
    before = {path: path.read_bytes() for path in place.toolkit.rglob("*") if path.is_file()}

    done = place.run()
    assert done.returncode == 0, done.stdout + done.stderr
    folder = place.folder()
    assert folder.parent == place.root / "tools/mlops-ci"
    assert (place.root / "path").read_text() == f"{folder}/bin\n"
    assert place.outputs() == [f"environment={folder}", "cached=false"]
    assert subprocess.check_output([folder / "bin/mlops-ci"], text=True, cwd=place.workspace) == "here\n"
    # Nothing of the team's was asked for, and nothing that lies about was run.
    subprocess.run([folder / "bin/python", "-I", "-c", "import needed"], check=True)
    assert list(folder.rglob("teams*")) == []
    assert not (place.workspace / "owned").exists()
    after = {path: path.read_bytes() for path in place.toolkit.rglob("*") if path.is_file()}
    # Python's own cache of the small backend aside; the real one is not in the tree.
    assert before == {path: text for path, text in after.items() if path.suffix != ".pyc"}

    assert place.run().returncode == 0
    assert place.outputs()[2:] == [f"environment={folder}", "cached=true"]

    # A job that was killed has left a folder that nobody may use.
    (folder / "complete").unlink()
    (folder / "bin/mlops-ci").write_text("half")
    assert place.run().returncode == 0
    assert place.outputs()[5] == "cached=false"
    assert (folder / "complete").exists()


def test_the_teams_packages_come_into_an_environment_of_their_own(place: Place) -> None:
    (place.workspace / "model").mkdir()
    (place.workspace / "model/requirements.txt").write_text("teams==1.0\n")
    asked = {"MLOPS_REQUIREMENTS": "requirements.txt", "MLOPS_DIRECTORY": "model"}
    folder = place.folder(**asked)
    assert folder != place.folder()
    done = place.run(**asked)
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([folder / "bin/python", "-I", "-c", "import teams, needed, mlops_ci"], check=True)
    assert not place.folder().exists()


def test_pip_does_what_uv_cannot(place: Place) -> None:
    """As where only pip knows the way to the packages."""
    lock = place.toolkit / "actions/setup/requirements.lock"
    broken = wheel(place.root / "wheels", "uv", {"uv-1.0.data/scripts/uv": "#!/bin/sh\nexit 1\n"})
    lock.write_text(re.sub(r"(?<=uv==1.0 \\\n    --hash=sha256:)\w+", broken, lock.read_text()))
    (place.workspace / "requirements.txt").write_text("teams\n")
    asked = {"MLOPS_REQUIREMENTS": "requirements.txt"}
    done = place.run(**asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::warning::" in done.stdout
    subprocess.run([place.folder(**asked) / "bin/python", "-I", "-c", "import teams, needed, mlops_ci"], check=True)


def test_packages_that_do_not_fit_are_named(place: Place) -> None:
    (place.workspace / "requirements.txt").write_text("needed==2.0\n")
    done = place.run(MLOPS_REQUIREMENTS="requirements.txt")
    assert done.returncode == 2
    assert "::error::cannot install requirements.txt beside mlops-ci" in done.stdout
    assert "cannot install requirements.txt" in (place.root / "summary").read_text()
    assert not (place.root / "path").exists()
    assert not (place.folder(MLOPS_REQUIREMENTS="requirements.txt") / "complete").exists()


def test_a_package_with_another_hash_is_not_installed(place: Place) -> None:
    wheel(place.root / "wheels", "needed", {"needed.py": "VALUE = 2\n"})
    done = place.run()
    assert done.returncode == 2
    assert "::error::cannot install what actions/setup/requirements.lock pins" in done.stdout
    assert not (place.folder() / "complete").exists()


def test_another_checkout_is_another_environment(place: Place) -> None:
    """So an older one is never taken for a newer one, and a run on the same machine keeps its own."""
    folders = [place.folder()]
    for file, text in (
        ("mlops_ci/__init__.py", "pass\n"), ("mlops_ci/new.py", ""), ("templates/new.txt", ""),
        ("pyproject.toml", PROJECT + "#"), ("actions/setup/requirements.lock", "uv==2\n"),
    ):  # fmt: skip
        (place.toolkit / file).write_text(text)
        folders.append(place.folder())
    (place.toolkit / "mlops_ci/new.pyc").write_bytes(b"")
    assert place.folder() == folders[-1]
    assert len(set(folders)) == len(folders)


def test_the_usual_file_may_be_missing_and_no_other(place: Place) -> None:
    assert place.folder(MLOPS_REQUIREMENTS="requirements.txt") == place.folder()
    done = place.run(MLOPS_REQUIREMENTS="dev.txt")
    assert (done.returncode, "there is no file" in done.stdout) == (2, True)


def test_the_action_starts_it_apart_from_what_is_checked_out() -> None:
    last = action("setup").value["runs"]["steps"][-1]
    assert last["run"] == 'python3 -I "$GITHUB_ACTION_PATH/install.py"'


def test_what_it_installs_is_part_of_what_is_tested() -> None:
    """Nothing is pinned otherwise than in requirements.lock, and nothing that the toolkit needs is left out."""

    def lines(path: Path) -> set[str]:
        return {line for line in path.read_text().splitlines() if "==" in line}

    own, all_of_it = lines(INSTALL.with_name("requirements.lock")), lines(ROOT / "requirements.lock")
    assert {line.partition(" ;")[0].rstrip(" \\") for line in own} <= {
        line.partition(" ;")[0].rstrip(" \\") for line in all_of_it
    }
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = {line.partition("==")[0] for line in own}
    needed = {re.split(r"[^A-Za-z0-9._-]", name)[0].lower().replace(".", "-") for name in named} | {"uv", "hatchling"}
    assert needed - pinned == set()
