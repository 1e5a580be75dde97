"""What a model is made from, read quickly, is what a whole reading of its file would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.config.reach import reaches
from mlops_ci.core.plan import Reach
from mlops_ci.errors import ConfigurationError


def write(top: Path, **files: str) -> None:
    for name, text in files.items():
        folder = top if name == "root" else top / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mlops.yaml").write_text(text)


def test_name_folder_and_what_is_shared(tmp_path: Path) -> None:
    write(
        tmp_path,
        root="model: top  # the first\ndata: {source: data/x.csv}\n",
        a=(
            '# shared: nothing\nmodel: "a"\ndata:\n  source: ../../data/a.parquet\n'
            "  target: y\n  schema: ../common.yaml\n"
        ),
        b=(
            "schema: 1\nmodel: b\nshared:\n  - ../../libs/**\n  - ../../[ab].sql\n  - words.txt\n  - ../../../x\n"
            "data: {source: s3://bucket/../b, target: y}\n"
        ),
        c="model: c\ndata: {source: ../c/own.csv.dvc, target: y}\n",
    )
    assert reaches(tmp_path) == [
        Reach(model="top", folder=""),
        Reach(
            model="a",
            folder="models/a",
            patterns=("/data/a.parquet", "/data/a.parquet.dvc", "/models/common.yaml", "/models/common.yaml.dvc"),
        ),
        Reach(model="b", folder="models/b", patterns=("/libs/**", "/libs/**.dvc", "/?.sql", "/?.sql.dvc")),
        Reach(model="c", folder="models/c"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "does not say its model's name"),
        ("model:\n", "does not say its model's name"),
        ("model: [a]\n", "does not say its model's name"),
        ("shared: [\nmodel: x\n", "models/bad/mlops.yaml"),
        ("model: one\n", "declared here and in models/a/mlops.yaml"),
    ],
)
def test_what_cannot_be_planned_is_named(text: str, what: str, tmp_path: Path) -> None:
    write(tmp_path, a="model: one\n", bad=text)
    with pytest.raises(ConfigurationError) as caught:
        reaches(tmp_path)
    assert what in str(caught.value) + "".join(map(str, caught.value.problems))


def test_a_folder_without_models_has_none(tmp_path: Path) -> None:
    assert reaches(tmp_path) == []
