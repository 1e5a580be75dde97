"""The files of the service are enough for it, and hold nothing else of the toolkit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ci.adapters.service_files import service_files

FOREIGN = ("adapters", "cli", "config", "errors.py", "pipeline", "ports", "resources", "templates")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's files, and nothing else of the toolkit."""
    place = tmp_path_factory.mktemp("alone")
    for name, data in service_files().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def test_every_module_of_the_service_loads_without_the_rest(alone: Path) -> None:
    names = [name for name in service_files() if name.endswith(".py")]
    modules = sorted(".".join(Path(name).with_suffix("").parts).removesuffix(".__init__") for name in names)
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "print(importlib.import_module('mlops_ci').__file__)\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(alone), "ORT_DISABLE_TELEMETRY": "1"}

    said = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=alone, env=environment, capture_output=True, text=True, check=False
    )

    assert said.returncode == 0, said.stderr
    loaded, file = said.stdout.splitlines()
    assert file == str(alone / "mlops_ci" / "__init__.py")
    assert not {"sklearn", "pandas", "scipy", "onnx", "skl2onnx", "yaml", "jinja2", "docker"} & set(loaded.split())


def test_nothing_else_of_the_toolkit_is_among_them() -> None:
    names = service_files()

    assert not [name for name in names if name.split("/")[1] in FOREIGN]
    assert {"mlops_ci/scoring/__main__.py", "mlops_ci/scoring/healthcheck.py", "mlops_ci/core/signature.py"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name]
