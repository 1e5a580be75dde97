from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.model import CHUNK_ROWS, OnnxRuntime
from tests.scoring.tiny_models import TinyModel, binary, multiclass, regression

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("tiny", [binary, multiclass], ids=["binary", "multiclass"])
def test_a_classifier_answers_as_the_native_model(tiny: Callable[[], TinyModel]) -> None:
    model = tiny()

    predictions = OnnxRuntime().load(model.onnx, model.signature).predict(model.columns)

    assert predictions.probabilities is not None
    assert predictions.labels is not None
    assert predictions.values is None
    np.testing.assert_allclose(predictions.probabilities, model.estimator.predict_proba(model.frame), atol=1e-6)
    assert predictions.labels.tolist() == model.estimator.predict(model.frame).tolist()
    assert len(set(predictions.labels.tolist())) > 1


def test_a_regressor_answers_as_the_native_model() -> None:
    model = regression()

    predictions = OnnxRuntime().load(model.onnx, model.signature).predict(model.columns)

    assert predictions.values is not None
    assert predictions.labels is None
    np.testing.assert_allclose(predictions.values, model.estimator.predict(model.frame), atol=1e-6)


def test_the_label_follows_from_the_threshold() -> None:
    model = binary()
    probabilities = OnnxRuntime().load(model.onnx, model.signature).predict(model.columns).scores[:, 1]
    threshold = float(np.sort(probabilities)[-5])
    signature = dataclasses.replace(model.signature, threshold=threshold)

    labels = OnnxRuntime().load(model.onnx, signature).predict(model.columns).labels

    assert labels is not None
    assert labels.tolist() == (probabilities >= threshold).astype(int).tolist()
    assert 5 <= labels.sum() < (probabilities >= 0.5).sum()


@pytest.mark.parametrize("tiny", [binary, multiclass, regression], ids=["binary", "multiclass", "regression"])
def test_many_rows_get_the_answers_that_they_get_alone(tiny: Callable[[], TinyModel]) -> None:
    model = tiny()
    loaded = OnnxRuntime().load(model.onnx, model.signature)
    rows = np.random.default_rng(1).integers(0, len(model.frame), 2 * CHUNK_ROWS + 3)

    many = loaded.predict({name: values[rows] for name, values in model.columns.items()})
    alone = loaded.predict(model.columns)

    assert len(many) == len(rows)
    np.testing.assert_array_equal(many.scores, alone.scores[rows])
    if alone.labels is not None:
        assert many.labels is not None
        assert many.labels.tolist() == alone.labels[rows].tolist()


@pytest.mark.parametrize("tiny", [binary, multiclass, regression], ids=["binary", "multiclass", "regression"])
def test_no_rows_get_no_answers_of_the_usual_kind(tiny: Callable[[], TinyModel]) -> None:
    model = tiny()
    loaded = OnnxRuntime().load(model.onnx, model.signature)

    none = loaded.predict({name: values[:0] for name, values in model.columns.items()})
    some = loaded.predict(model.columns)

    assert len(none) == 0
    assert none.scores.shape == (0, some.scores.shape[1])
    assert (none.labels is None) == (some.labels is None)
    assert none.labels is None or (some.labels is not None and none.labels.dtype == some.labels.dtype)


@pytest.mark.parametrize("onnx", [b"", b"junk", b"\x08\x07"])
def test_bytes_that_are_no_graph_are_refused(onnx: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be loaded"):
        OnnxRuntime().load(onnx, binary().signature)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"inputs": (Column(name="distance", kind="number"),)}, "input hour is not in the signature"),
        ({"inputs": (*binary().signature.inputs, Column(name="extra", kind="number"))}, "no input extra"),
        (
            {"inputs": tuple(Column(name=column.name, kind="number") for column in binary().signature.inputs)},
            r"input carrier is tensor\(string\)",
        ),
        ({"task": "regression", "classes": ()}, "no output prediction, only label, probabilities"),
        ({"classes": ("no", "yes")}, r"output label is tensor\(int64\)"),
        ({"task": "multiclass-classification", "classes": (0, 1, 2)}, "output probabilities"),
        ({"classes": (0, 1, 2)}, "binary-classification with the classes"),
        ({"classes": (0, 0)}, "binary-classification with the classes"),
        ({"classes": (0, "1")}, "all integers or all texts"),
    ],
)
def test_a_graph_that_does_not_fit_its_signature_is_refused(changes: dict[str, object], what: str) -> None:
    signature = dataclasses.replace(binary().signature, **changes)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=what):
        OnnxRuntime().load(binary().onnx, signature)


def test_all_that_does_not_fit_is_said_at_once() -> None:
    signature = Signature(task="regression", inputs=(Column(name="a", kind="number"), Column(name="b", kind="text")))

    with pytest.raises(ValueError, match="fit its signature") as caught:
        OnnxRuntime().load(binary().onnx, signature)

    for name in ("distance", "hour", "carrier", " a", " b", "prediction"):
        assert name in str(caught.value)


def test_a_graph_with_packed_or_single_precision_inputs_is_refused() -> None:
    features = np.random.default_rng(0).normal(size=(20, 2))
    column = Column(name="X", kind="number")
    packed = to_onnx(LinearRegression().fit(features, features[:, 0]), features)
    single = to_onnx(LinearRegression().fit(features[:, :1], features[:, 0]), features[:, :1].astype(np.float32))

    for graph, what in ((packed, r"tensor\(double\) \[None, 2\]"), (single, r"tensor\(float\)")):
        with pytest.raises(ValueError, match=what):
            OnnxRuntime().load(graph.SerializeToString(), Signature(task="regression", inputs=(column,)))


def test_probabilities_as_a_list_of_maps_are_refused() -> None:
    features = np.random.default_rng(0).normal(size=(20, 1)).astype(np.float32)
    graph = to_onnx(LogisticRegression().fit(features, features[:, 0] > 0), features)
    signature = Signature(
        task="binary-classification", inputs=(Column(name="X", kind="number"),), classes=(0, 1), threshold=0.5
    )

    with pytest.raises(ValueError, match="no output probabilities"):
        OnnxRuntime().load(graph.SerializeToString(), signature)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda columns: columns.pop("hour"), r"missing \['hour'\]"),
        (lambda columns: columns.update(other=columns["hour"]), r"unknown \['other'\]"),
        (lambda columns: columns.update(hour=columns["hour"][:-1]), "lengths"),
        (lambda columns: columns.update(hour=columns["carrier"]), "column hour holds object, not numbers"),
        (lambda columns: columns.update(carrier=columns["hour"]), "column carrier holds something"),
        (lambda columns: columns["carrier"].__setitem__(0, None), "column carrier holds something"),
        (lambda columns: columns["carrier"].__setitem__(0, np.nan), "column carrier holds something"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_name(change: Callable[[dict[str, object]], None], what: str) -> None:
    model = binary()
    columns: dict[str, object] = {name: values.copy() for name, values in model.columns.items()}
    change(columns)

    with pytest.raises(ValueError, match=what):
        OnnxRuntime().load(model.onnx, model.signature).predict(columns)  # type: ignore[arg-type]


def test_integers_and_booleans_are_numbers_and_fixed_width_texts_are_texts() -> None:
    model = binary()
    loaded = OnnxRuntime().load(model.onnx, model.signature)
    hours = np.array([5, 6])
    texts = np.array(["AA", "UA"])

    given = loaded.predict({"distance": np.array([True, False]), "hour": hours, "carrier": texts})
    plain = loaded.predict(
        {"distance": np.array([1.0, 0.0]), "hour": hours.astype(float), "carrier": texts.astype(object)}
    )

    np.testing.assert_array_equal(given.scores, plain.scores)


def test_a_failure_at_run_time_is_a_value_error() -> None:
    model = binary()
    loaded = OnnxRuntime().load(model.onnx, model.signature)
    surrogate = np.array(["\ud800"], dtype=object)

    with pytest.raises(ValueError, match="cannot answer these rows"):
        loaded.predict({"distance": np.zeros(1), "hour": np.zeros(1), "carrier": surrogate})


def test_onnxruntime_neither_reports_home_nor_keeps_an_id_there(home: Path, tmp_path: Path) -> None:
    model = binary()
    (tmp_path / "model.onnx").write_bytes(model.onnx)
    program = f"""
import json
from pathlib import Path
from mlops_ci.core.signature import Signature
from mlops_ci.scoring.model import OnnxRuntime
signature = Signature.from_json(json.loads({json.dumps(model.signature.to_json())!r}))
OnnxRuntime().load(Path({str(tmp_path / "model.onnx")!r}).read_bytes(), signature)
"""
    before = sorted(home.rglob("*"))

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

    assert sorted(home.rglob("*")) == before


def test_a_locale_that_the_system_lacks_is_named_when_the_graph_is_loaded() -> None:
    from onnx import TensorProto, helper

    lower = helper.make_node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", locale="xx_YY")
    ends = [helper.make_tensor_value_info(name, TensorProto.STRING, [None]) for name in "xy"]
    graph = helper.make_graph([lower], "lower", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    with pytest.raises(ValueError, match=r"the locale xx_YY, which this system does not have; install it, or let the"):
        OnnxRuntime().function(model.SerializeToString())
