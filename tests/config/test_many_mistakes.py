"""A file with a dozen mistakes is told all of them at once, in the order of its lines, and its data schema's too."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.errors import ConfigurationError

GOLDEN = Path(__file__).parent / "golden"


def message(folder: Path) -> str:
    shutil.copy(GOLDEN / "many_mistakes.yaml", folder / "mlops.yaml")
    shutil.copy(GOLDEN / "many_mistakes.data.schema.yaml", folder / "data.schema.yaml")
    with pytest.raises(ConfigurationError) as caught:
        load(folder / "mlops.yaml")
    return f"{caught.value}\n"


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    expected = (GOLDEN / "many_mistakes.txt").read_text("utf-8")
    assert message(tmp_path) == expected, "to accept: python -m tests.config.test_many_mistakes"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        (GOLDEN / "many_mistakes.txt").write_text(message(Path(temporary)), encoding="utf-8")
