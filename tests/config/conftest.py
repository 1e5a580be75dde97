"""A model's folder with a small valid configuration to break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.errors import ConfigurationError

MINIMAL = """\
schema: 1
model: flight-delay
task: binary-classification
data:
  source: data/flights.parquet
  target: late
train:
  entrypoint: train:build_model
"""


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def problems(tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of a `mlops.yaml`, as `line: what | fix`; none where it loads. Further files lie beside it."""

    def of(text: str, **beside: str) -> list[str]:
        (tmp_path / "mlops.yaml").write_text(text, encoding="utf-8")
        for name, content in beside.items():
            (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
        try:
            load(tmp_path / "mlops.yaml")
        except ConfigurationError as error:
            return [f"{each.where.removeprefix('mlops.yaml:')}: {each.what} | {each.fix}" for each in error.problems]
        return []

    return of
