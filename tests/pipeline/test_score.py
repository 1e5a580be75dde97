"""Real files scored with real ONNX graphs, compared with what the model answers when it is asked directly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from mlops_ci.adapters.batch_files import LocalBatchFiles
from mlops_ci.adapters.clock import SystemClock
from mlops_ci.config.schema_types import ColumnSchema, DataSchema
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import DataGateError
from mlops_ci.pipeline.score import ScoreResult, score
from mlops_ci.ports import LoadedModel
from mlops_ci.scoring.model import OnnxRuntime
from tests.scoring import tiny_models
from tests.scoring.tiny_models import TinyModel

RELEASE = "ab" * 32


def run(
    source: Path, model: LoadedModel, signature: Signature, *, batch_rows: int = 64, **options: Any
) -> tuple[ScoreResult, pd.DataFrame, list[dict[str, Any]]]:
    """What `score` says, the rows that it wrote, and those that it set aside."""
    output = source.parent / "out" / "scored.parquet"
    result = score(
        source=source.name,
        root=source.parent,
        output=output,
        model=model,
        signature=signature,
        release=RELEASE,
        version=7,
        files=LocalBatchFiles(batch_rows=batch_rows),
        clock=SystemClock(),
        **options,
    )
    assert result.output == str(output)
    rejected: list[dict[str, Any]] = pq.read_table(result.rejected_output).to_pylist()
    return result, pq.read_table(output).to_pandas(), rejected


def loaded(tiny: TinyModel) -> LoadedModel:
    return OnnxRuntime().load(tiny.onnx, tiny.signature)


def parquet(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "input.parquet"
    frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("batch_rows", [1, 7, 64, 10_000])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_binary_classifier_answers_in_bulk_as_it_answers_directly(tmp_path: Path, kind: str, batch_rows: int) -> None:
    tiny = tiny_models.binary()
    frame = tiny.frame.assign(flight=np.arange(len(tiny.frame)), note="keep me")
    path = tmp_path / f"input.{kind}"
    frame.to_parquet(path, index=False) if kind == "parquet" else frame.to_csv(path, index=False)
    result, scored, rejected = run(path, loaded(tiny), tiny.signature, batch_rows=batch_rows)

    expected = loaded(tiny).predict(tiny.columns)
    assert expected.labels is not None
    assert list(scored) == [*frame.columns, "prediction", "probability", "model_version", "release"]
    assert scored["prediction"].tolist() == expected.labels.tolist()
    assert scored["probability"].tolist() == expected.scores[:, 1].tolist()
    assert scored["flight"].tolist() == list(range(len(frame)))
    assert (set(scored["model_version"]), set(scored["release"]), set(scored["note"])) == ({7}, {RELEASE}, {"keep me"})
    assert (result.rows, result.rejected, rejected) == (len(frame), 0, [])
    assert result.seconds > 0
    assert result.rows_per_second == pytest.approx(result.rows / result.seconds)


def test_a_multiclass_classifier_gives_a_probability_a_class_and_rows_without_an_answer_are_set_aside(
    tmp_path: Path,
) -> None:
    tiny = tiny_models.multiclass()
    frame = tiny.frame.copy()
    frame.loc[[5, 9], "distance"] = np.nan
    result, scored, rejected = run(parquet(tmp_path, frame), loaded(tiny), tiny.signature)

    expected = loaded(tiny).predict({name: frame[name].to_numpy() for name in frame})
    assert expected.labels is not None
    fine = np.isfinite(expected.scores).all(axis=1)
    assert (~fine).sum() == 2
    assert scored["prediction"].tolist() == expected.labels[fine].tolist()
    names = ["probability_early", "probability_late", "probability_on time"]
    assert scored[names].to_numpy().tolist() == expected.scores[fine].tolist()
    assert rejected == [
        {"file": "input.parquet", "row": int(row) + 1, "reason": "the model's answer is not a finite number"}
        for row in np.flatnonzero(~fine)
    ]
    assert (result.rows, result.rejected) == (fine.sum(), (~fine).sum())


def test_a_regressor_gives_a_value(tmp_path: Path) -> None:
    tiny = tiny_models.regression()
    _, scored, _ = run(parquet(tmp_path, tiny.frame), loaded(tiny), tiny.signature)
    expected = loaded(tiny).predict(tiny.columns)
    assert expected.values is not None
    assert list(scored) == [*tiny.frame.columns, "prediction", "model_version", "release"]
    assert scored["prediction"].tolist() == expected.values.tolist()


class Doubling:
    """Answers x doubled; like a graph with an encoder that errs on unknown categories, it refuses some texts."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Predictions:
        self.calls += 1
        if "unknown" in columns.get("carrier", np.array([])).tolist():
            raise ValueError("the model cannot answer these rows: unknown category")
        return Predictions(values=columns["x"] * 2)


X = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
X_AND_CARRIER = Signature(task="regression", inputs=(*X.inputs, Column(name="carrier", kind="text")))


def test_every_row_is_answered_or_set_aside_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_text("id,x,carrier\n1,1,AA\n2,abc,AA\n3,inf,UA\n4,,UA\n5,5,unknown\n6,6\n7,7,AA\n8,-Infinity,\n9,9,\n")
    result, scored, rejected = run(path, Doubling(), X_AND_CARRIER, batch_rows=4)

    assert scored[["id", "prediction"]].to_numpy().tolist() == [[1, 2], [7, 14], [9, 18]]
    assert [(row["row"], row["reason"]) for row in rejected] == [
        (2, "column x is no number"),
        (3, "column x is infinite"),
        (4, "the model's answer is not a finite number"),
        (5, "the model cannot answer these rows: unknown category"),
        (6, "has 2 fields, the header has 3"),
        (8, "column x is infinite"),
    ]
    assert (result.rows, result.rejected) == (3, 6)


def test_the_row_that_a_model_refuses_is_found_in_few_calls(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(1024.0), "carrier": "AA"})
    frame.loc[700, "carrier"] = "unknown"
    model = Doubling()
    _, scored, rejected = run(parquet(tmp_path, frame), model, X_AND_CARRIER, batch_rows=1024, threads=1)
    assert [row["row"] for row in rejected] == [701]
    assert scored["x"].tolist() == [x for x in range(1024) if x != 700]
    assert model.calls <= 1 + 2 * 10


def test_missing_columns_are_all_named_and_nothing_is_written(tmp_path: Path) -> None:
    tiny = tiny_models.binary()
    path = parquet(tmp_path, tiny.frame[["hour"]].assign(late=1))
    with pytest.raises(DataGateError) as caught:
        run(path, loaded(tiny), tiny.signature)
    assert caught.value.where == "input.parquet"
    assert [problem.where for problem in caught.value.problems] == ["column distance", "column carrier"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_column_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path, pd.DataFrame({"x": pd.to_datetime(["2026-01-01"]), "carrier": [1]}))
    with pytest.raises(DataGateError) as caught:
        run(path, Doubling(), X_AND_CARRIER)
    assert [problem.where for problem in caught.value.problems] == ["column x", "column carrier"]


def test_a_column_is_never_overwritten(tmp_path: Path) -> None:
    path = parquet(tmp_path, pd.DataFrame({"x": [1.0], "prediction": [0], "release": ["old"]}))
    with pytest.raises(DataGateError, match="would overwrite prediction, release"):
        run(path, Doubling(), X)


def test_a_run_that_can_score_nothing_is_an_error_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_text("x\n" + "abc\n" * 30)
    with pytest.raises(DataGateError, match="none of the 30 rows") as caught:
        run(path, Doubling(), X)
    assert caught.value.problems[0].where == "input.csv row 1"
    assert len(caught.value.problems) == 5
    assert list((tmp_path / "out").iterdir()) == []


def test_a_table_of_no_rows_gives_a_table_of_no_rows(tmp_path: Path) -> None:
    tiny = tiny_models.binary()
    result, scored, _ = run(parquet(tmp_path, tiny.frame.iloc[:0]), loaded(tiny), tiny.signature)
    assert (result.rows, len(scored)) == (0, 0)
    assert list(scored) == [*tiny.frame.columns, "prediction", "probability", "model_version", "release"]


def test_prepare_sees_the_rows_as_training_does(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_text("when,km\n0515,1\n1730,2\n")

    def prepare(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(x=frame["when"] // 100 + frame["km"])

    _, scored, _ = run(path, Doubling(), X, prepare=prepare, batch_rows=1)
    assert scored["prediction"].tolist() == [12.0, 38.0]
    assert scored["when"].tolist() == ["0515", "1730"]
    assert list(scored) == ["when", "km", "prediction", "model_version", "release"]


def test_the_schema_says_which_rows_are_bad_before_prepare_sees_them(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_text("km\n1\nfar\n3\n")
    schema = DataSchema(path="data.schema.yaml", columns=(ColumnSchema(name="km", type="number"),))

    def prepare(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(x=frame["km"] * 10)

    _, scored, rejected = run(path, Doubling(), X, prepare=prepare, schema=schema)
    assert scored["prediction"].tolist() == [20.0, 60.0]
    assert [(row["row"], row["reason"]) for row in rejected] == [(2, "column km is no number")]


def test_prepare_may_not_lose_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path, pd.DataFrame({"x": [1.0, 2.0]}))
    with pytest.raises(DataGateError, match="returned 1 rows for 2"):
        run(path, Doubling(), X, prepare=lambda frame: frame.head(1))


def test_an_error_half_way_keeps_the_output_of_the_last_run(tmp_path: Path) -> None:
    path = parquet(tmp_path, pd.DataFrame({"x": np.arange(100.0)}))
    run(path, Doubling(), X)

    def fail_late(frame: pd.DataFrame) -> pd.DataFrame:
        if frame["x"].iloc[0] > 60:
            raise RuntimeError("half way")
        return frame

    with pytest.raises(RuntimeError, match="half way"):
        run(path, Doubling(), X, prepare=fail_late, batch_rows=8)
    assert len(pq.read_table(tmp_path / "out" / "scored.parquet")) == 100
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_no_more_than_a_few_parts_are_held_at_a_time(tmp_path: Path) -> None:
    """The reader may be ahead of the writer by what the threads work on, whatever the size of the input."""
    ahead: list[int] = []
    read, written = 0, 0

    class Watched(LocalBatchFiles):
        def read(self, *arguments: Any) -> Iterator[Any]:
            nonlocal read
            for part in super().read(*arguments):
                read += 1
                yield part

    class Watching(Doubling):
        def predict(self, columns: Mapping[str, NDArray[Any]]) -> Predictions:
            nonlocal written
            ahead.append(read - written)
            written += 1
            return super().predict(columns)

    path = parquet(tmp_path, pd.DataFrame({"x": np.arange(2000.0)}))
    score(
        source=path.name,
        root=tmp_path,
        output=tmp_path / "out.parquet",
        model=Watching(),
        signature=X,
        release=RELEASE,
        version=1,
        files=Watched(batch_rows=10),
        clock=SystemClock(),
        threads=2,
    )
    assert (read, written) == (200, 200)
    assert max(ahead) <= 5


def test_answers_have_the_same_types_whatever_is_in_them(tmp_path: Path) -> None:
    tiny = tiny_models.multiclass()
    run(parquet(tmp_path, tiny.frame.iloc[:0]), loaded(tiny), tiny.signature)
    schema = pq.read_schema(tmp_path / "out" / "scored.parquet")
    assert schema.field("prediction").type == pa.string()
    assert schema.field("probability_late").type == pa.float64()
    assert schema.field("model_version").type == pa.int64()
