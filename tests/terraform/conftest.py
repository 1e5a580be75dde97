"""A world whose environments Terraform makes, and the router before their services."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.terraform.router import PlaneRouter, routing
from tests.terraform.world import TerraformWorld


@pytest.fixture(autouse=True)
def _terraform(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("there is no terraform on the PATH")
    configuration = home / "terraform.rc"
    configuration.write_text("disable_checkpoint = true\n")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))


@pytest.fixture
def router(tmp_path: Path) -> Iterator[PlaneRouter]:
    (tmp_path / "plane").mkdir()
    with routing(tmp_path / "plane") as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, router: PlaneRouter) -> Iterator[TerraformWorld]:
    world = TerraformWorld(tmp_path, router, steps=(50, 100), window=timedelta(seconds=0.5))
    try:
        yield world
    finally:
        world.end()
