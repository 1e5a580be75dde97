from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.adversarial import Kind
from mlops_ci.core.parity import compare
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes


def classes(second: list[float], labels: list[Any]) -> Predictions:
    probabilities = np.array([[1 - value, value] for value in second])
    return Predictions(labels=np.array(labels), probabilities=probabilities)


def values(*numbers: float) -> Predictions:
    return Predictions(values=np.array(numbers))


@pytest.mark.parametrize(
    ("native", "onnx", "ok", "over", "flips", "largest"),
    [
        (classes([0.2, 0.7], [0, 1]), classes([0.2, 0.7], [0, 1]), True, 0, 0, 0.0),
        (classes([0.2, 0.7], [0, 1]), classes([0.2000099, 0.7], [0, 1]), True, 0, 0, 0.0000099),
        (classes([0.2, 0.7], [0, 1]), classes([0.2000101, 0.7], [0, 1]), False, 1, 0, 0.0000101),
        (classes([0.2, 0.5], [0, 1]), classes([0.2, 0.4999999], [0, 0]), False, 0, 1, 0.0000001),
        (classes([0.2, 0.7], ["a", "b"]), classes([0.2, np.nan], ["a", "b"]), False, 1, 0, np.inf),
        (classes([0.2, np.nan], ["a", "b"]), classes([0.2, np.nan], ["a", "b"]), True, 0, 0, 0.0),
        (classes([0.2, np.nan], ["a", "b"]), classes([0.2, 0.5], ["a", "b"]), False, 1, 0, np.inf),
        (values(1.0, -2.0), values(1.0, -2.0), True, 0, 0, 0.0),
        (values(0.5), values(0.500009), True, 0, 0, 0.000009),
        (values(0.5), values(0.500011), False, 1, 0, 0.000011),
        (values(1e6), values(1e6 + 9), True, 0, 0, 9e-6),
        (values(-1e6), values(-1e6 - 11), False, 1, 0, 11e-6),
        (values(1e300), values(1e300 * (1 + 1e-6)), True, 0, 0, 1e-6),
        (values(1e308), values(-1e308), False, 1, 0, np.inf),
        (values(np.inf), values(np.inf), True, 0, 0, 0.0),
        (values(-np.inf), values(np.inf), False, 1, 0, np.inf),
        (values(3.0), values(np.inf), False, 1, 0, np.inf),
        (values(np.nan), values(np.nan), True, 0, 0, 0.0),
        (values(np.nan), values(0.0), False, 1, 0, np.inf),
        (values(0.0), values(-0.0), True, 0, 0, 0.0),
    ],
)
def test_limits(native: Predictions, onnx: Predictions, ok: bool, over: int, flips: int, largest: float) -> None:
    parity = compare(native, onnx, atol=1e-5, max_flips=0)
    assert (parity.ok, parity.over, parity.flips, parity.rows) == (ok, over, flips, len(native))
    assert parity.max_abs_diff == pytest.approx(largest, rel=1e-6, abs=1e-16)
    assert len(parity.offenders) == (0 if ok else 1)
    json.dumps(parity.to_json(), allow_nan=False)


def test_flips_may_be_allowed_and_are_still_told() -> None:
    native, onnx = classes([0.5, 0.5, 0.1], [1, 1, 0]), classes([0.5, 0.5, 0.1], [0, 0, 0])
    assert not compare(native, onnx, atol=1e-5, max_flips=1).ok
    parity = compare(native, onnx, atol=1e-5, max_flips=2)
    assert parity.ok
    assert [(offender.row, offender.native_label, offender.onnx_label) for offender in parity.offenders] == [
        (0, 1, 0),
        (1, 1, 0),
    ]


def test_the_worst_ten_rows_are_named_flips_first() -> None:
    second = np.linspace(0.1, 0.3, 50)
    native = classes(second.tolist(), [0] * 50)
    onnx = classes((second + np.arange(50) * 1e-3).tolist(), [0] * 49 + [0])
    assert onnx.labels is not None
    onnx.labels[7] = 1
    parity = compare(native, onnx, atol=1e-5, max_flips=0)
    assert parity.over == 49
    assert [offender.row for offender in parity.offenders] == [7, 49, 48, 47, 46, 45, 44, 43, 42, 41]
    assert [offender.flipped for offender in parity.offenders] == [True] + [False] * 9
    assert parity.offenders[1].native == pytest.approx((0.7, 0.3))
    assert parity.to_json()["offenders"][0]["onnx_label"] == 1


def test_every_class_counts() -> None:
    native = Predictions(labels=np.array([0]), probabilities=np.array([[0.5, 0.3, 0.2]]))
    onnx = Predictions(labels=np.array([0]), probabilities=np.array([[0.5, 0.2, 0.3]]))
    assert compare(native, onnx, atol=1e-5, max_flips=0).max_abs_diff == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("native", "onnx"),
    [
        (values(1.0, 2.0), values(1.0)),
        (classes([0.5], [1]), Predictions(labels=np.array([1]), probabilities=np.array([[0.2, 0.5, 0.3]]))),
        (values(), values()),
    ],
)
def test_answers_that_cannot_be_compared(native: Predictions, onnx: Predictions) -> None:
    with pytest.raises(ValueError, match=r"rows of|no row"):
        compare(native, onnx, atol=1e-5, max_flips=0)


def probes(answers: Predictions, *made: tuple[Kind, tuple[str, ...]]) -> Probes:
    return Probes(
        columns={}, kinds=[kind for kind, _ in made], changes=[names for _, names in made], answers=answers,
        refused=np.zeros(len(made), dtype=np.bool_),
    )  # fmt: skip


def test_rows_are_counted_by_kind_and_named_by_the_column_that_was_changed() -> None:
    native, onnx = values(1.0, 2.0, 3.0, 4.0, 5.0), values(1.0, 2.0, 3.5, 4.0, 5.1)
    made = probes(values(3.0, 4.0, 5.0), ("missing", ("age",)), ("missing", ("height",)), ("threshold", ("height",)))
    parity = compare(native, onnx, atol=1e-5, max_flips=0, probes=made)
    assert (parity.ok, parity.rows, parity.over, parity.columns) == (False, 5, 2, ("age", "height"))
    assert [(kind.kind, kind.rows, kind.over, round(kind.max_abs_diff, 6)) for kind in parity.kinds] == [
        ("holdout", 2, 0, 0.0),
        ("threshold", 1, 1, 0.02),
        ("missing", 2, 1, round(0.5 / 3, 6)),
    ]
    assert [(offender.kind, offender.row) for offender in parity.offenders] == [("missing", 0), ("threshold", 2)]
    assert parity.text == (
        "2 of 5 rows differ too much (by up to 0.167), 0 labels are others; by kind of row: threshold 1 and 0, "
        "missing 1 and 0; columns that matter: age, height"
    )
    value = json.loads(json.dumps(parity.to_json(), allow_nan=False))
    assert value["kinds"][2] == {"kind": "missing", "rows": 2, "max_abs_diff": 0.5 / 3, "flips": 0, "over": 1}
    assert value["columns"] == ["age", "height"]
    assert value["offenders"][0]["kind"] == "missing"


def test_flips_of_all_kinds_count_together() -> None:
    native = classes([0.5, 0.5, 0.5], [1, 1, 1])
    onnx = classes([0.5, 0.5, 0.5], [0, 1, 0])
    made = probes(classes([0.5], [1]), ("unseen", ("colour",)))
    parity = compare(native, onnx, atol=1e-5, max_flips=1, probes=made)
    assert (parity.ok, parity.flips, [kind.flips for kind in parity.kinds]) == (False, 2, [1, 1])
    assert compare(native, onnx, atol=1e-5, max_flips=2, probes=made).ok


def test_an_infinite_difference_of_a_kind_is_null_in_json() -> None:
    parity = compare(values(1.0), values(np.nan), atol=1e-5, max_flips=0)
    assert parity.to_json()["kinds"][0]["max_abs_diff"] is None
