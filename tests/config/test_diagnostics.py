from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.config.diagnostics import DiagnosticsConfig
from mlops_ci.config.loading import load
from mlops_ci.errors import ConfigurationError

MODEL = """\
schema: 1
model: late
task: regression
data: {{source: data.csv, target: late}}
train: {{entrypoint: "train:build_model"{}}}
"""


def written(folder: Path, diagnostics: str) -> DiagnosticsConfig:
    (folder / "mlops.yaml").write_text(MODEL.format(diagnostics))
    return load(folder / "mlops.yaml").train.diagnostics


def test_without_the_section_there_is_what_costs_little(tmp_path: Path) -> None:
    assert written(tmp_path, "") == DiagnosticsConfig(learning_curve=True, shap=False, prediction_intervals=None)


def test_what_is_written_is_what_is_asked_for(tmp_path: Path) -> None:
    section = ", diagnostics: {learning_curve: false, shap: true, prediction_intervals: 0.9}"
    assert written(tmp_path, section) == DiagnosticsConfig(learning_curve=False, shap=True, prediction_intervals=0.9)


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("prediction_intervals: 1", "train.diagnostics.prediction_intervals"),
        ("prediction_intervals: 0", "train.diagnostics.prediction_intervals"),
        ("prediction_intervals: true", "train.diagnostics.prediction_intervals"),
        ("shap: yes", "train.diagnostics.shap"),
        ("learning_curves: true", "learning_curves"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, section: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        written(tmp_path, f", diagnostics: {{{section}}}")

    (problem,) = raised.value.problems
    assert what in problem.what
