"""The package keeps to its own tree: who may import whom, what is pure, who starts processes, how long a file is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project.architecture import Finding, check

Plant = Callable[[str, str], list[Finding]]

PACKAGE = Path(__file__).parents[2] / "mlops_ci"

# path of a file -> why it is better long than split
OVERSIZE: dict[str, str] = {}


def test_the_package_keeps_to_its_rules() -> None:
    findings = check(PACKAGE, oversize=OVERSIZE)

    assert not findings, "\n" + "\n".join(map(str, findings))


def test_every_oversize_file_is_still_oversize_and_says_why() -> None:
    too_long = {finding.path for finding in check(PACKAGE, oversize={}) if " lines; the limit is " in finding.what}

    assert set(OVERSIZE) <= too_long, "these have become short enough: take them out of OVERSIZE"
    assert all(reason.strip() for reason in OVERSIZE.values())


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes one module into a small package that keeps to the rules, and returns what the checker finds."""

    def _plant(name: str, source: str) -> list[Finding]:
        package = tmp_path / "mlops_ci"
        sound = {
            "__init__.py": '__version__ = "1"\n',
            "__main__.py": "from mlops_ci.cli.main import main\n",
            "errors.py": "from mlops_ci import __version__\n",
            "ports.py": "from .core import gate\n",
            "core/__init__.py": "",
            "core/gate.py": "from datetime import datetime\n\nfrom ..errors import E\n",
            "core/plots.py": "import pandas\n",
            "pipeline/__init__.py": "",
            "pipeline/train.py": "from mlops_ci import ports\nfrom . import evaluate\n",
            "pipeline/evaluate.py": "",
            "adapters/processes.py": "import subprocess\n",
            "adapters/environment.py": "import os\n\nos.environ\n",
            "scoring/__init__.py": "",
            "scoring/__main__.py": "import os\n\nfrom mlops_ci.core import gate\n\nos.getenv\n",
            "cli/main.py": "from mlops_ci import adapters, pipeline\nprint()\n",
        }
        for path, text in {**sound, name: source}.items():
            (package / path).parent.mkdir(parents=True, exist_ok=True)
            (package / path).write_text(text)
        return check(package, oversize={})

    return _plant


def test_a_sound_package_has_no_findings(plant: Plant) -> None:
    assert plant("core/extra.py", "import json\n") == []


@pytest.mark.parametrize(
    ("name", "source", "line", "what"),
    [
        ("core/bad.py", "import mlops_ci.adapters.store\n", 1, "imports mlops_ci.adapters.store"),
        ("core/bad.py", "from mlops_ci import config\n", 1, "imports mlops_ci.config"),
        ("core/bad.py", "from ..pipeline import train\n", 1, "imports mlops_ci.pipeline.train"),
        ("core/__init__.py", "from ..ports import Store\n", 1, "imports mlops_ci.ports.Store"),
        ("core/deep/bad.py", "from ...cli import main\n", 1, "imports mlops_ci.cli.main"),
        ("pipeline/bad.py", "def f():\n    from mlops_ci.adapters import git\n", 2, "imports mlops_ci.adapters.git"),
        ("pipeline/bad.py", "import importlib\nimportlib.import_module('mlops_ci.cli')\n", 2, "imports mlops_ci.cli"),
        ("adapters/bad.py", "from mlops_ci.config.types import Gate\n", 1, "imports mlops_ci.config.types.Gate"),
        ("config/bad.py", "from mlops_ci.ports import Store\n", 1, "imports mlops_ci.ports.Store"),
        ("ports.py", "from .config import types\n", 1, "imports mlops_ci.config.types"),
        ("errors.py", "from .core import gate\n", 1, "imports mlops_ci.core.gate"),
        ("scoring/bad.py", "from mlops_ci.errors import E\n", 1, "imports mlops_ci.errors.E"),
        ("extra/bad.py", "", 1, "extra is no part of the tree"),
        ("core/utils.py", "", 1, "is called utils"),
    ],
)
def test_the_direction_of_imports(plant: Plant, name: str, source: str, line: int, what: str) -> None:
    assert ("mlops_ci/" + name, line, what) in facts(plant(name, source))


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import os.path\n", "imports os.path"),
        ("from pathlib import Path\n", "imports pathlib.Path"),
        ("from urllib import request\n", "imports urllib.request"),
        ("import time\n", "imports time"),
        ("open('x')\n", "calls open()"),
        ("print('x')\n", "calls print()"),
        ("import datetime as dt\ndt.datetime.now()\n", "reads the clock by dt.datetime.now()"),
        ("import numpy as np\nnp.random.default_rng()\n", "draws random numbers without a seed"),
    ],
)
def test_core_is_pure(plant: Plant, source: str, what: str) -> None:
    assert ("mlops_ci/core/bad.py", source.count("\n"), what) in facts(plant("core/bad.py", source))


@pytest.mark.parametrize(
    ("name", "source", "what"),
    [
        ("adapters/git.py", "from subprocess import run\n", "imports subprocess.run"),
        ("pipeline/bad.py", "import os as system\nsystem.execvp('x', [])\n", "uses os.execvp"),
        ("cli/bad.py", "import asyncio\nasyncio.create_subprocess_exec()\n", "uses asyncio.create_subprocess_exec"),
        ("cli/bad.py", "import os\nos.environ['A']\n", "uses os.environ"),
        ("adapters/git.py", "from os import getenv\n", "uses os.getenv"),
        ("scoring/server.py", "import os\nos.getenv('A')\n", "uses os.getenv"),
    ],
)
def test_processes_and_the_environment_have_one_module_each(plant: Plant, name: str, source: str, what: str) -> None:
    assert ("mlops_ci/" + name, source.count("\n"), what) in facts(plant(name, source))


def test_scoring_imports_nothing_heavy(plant: Plant) -> None:
    findings = facts(plant("scoring/server.py", "import numpy\nimport onnxruntime\nimport sklearn.base\n"))

    assert findings == {("mlops_ci/scoring/server.py", 3, "imports sklearn.base")}


def test_scoring_imports_nothing_heavy_by_way_of_core(plant: Plant) -> None:
    findings = facts(plant("scoring/server.py", "from mlops_ci.core.plots import draw\n"))

    assert findings == {("mlops_ci/core/plots.py", 1, "imports pandas")}


def test_long_files_and_functions_are_found(plant: Plant) -> None:
    body = "    x = 1\n"
    functions = "def f():\n" + 59 * body + "async def g():\n" + 60 * body

    assert facts(plant("core/long.py", functions)) == {
        ("mlops_ci/core/long.py", 61, "g has 61 lines; the limit is 60"),
    }
    assert facts(plant("core/long.py", 300 * "x = 1\n")) == set()
    assert facts(plant("core/long.py", 301 * "x = 1\n")) == {
        ("mlops_ci/core/long.py", 301, "has 301 lines; the limit is 300"),
    }


def test_a_finding_says_where_what_and_which_rule(plant: Plant) -> None:
    (finding,) = plant("ports.py", "\nfrom mlops_ci.adapters import git\n")

    assert str(finding) == (
        "mlops_ci/ports.py:2: imports mlops_ci.adapters.git\n    rule: ports may import core, errors"
    )


def facts(findings: list[Finding]) -> set[tuple[str, int, str]]:
    return {(finding.path, finding.line, finding.what) for finding in findings}
