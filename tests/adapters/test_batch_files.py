"""Real CSV and Parquet files, well-formed and not: what is read, what is set aside, and what a kill leaves behind."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from mlops_ci.adapters.batch_files import LocalBatchFiles
from mlops_ci.adapters.data_files import LocalDataFiles
from mlops_ci.core.signature import ColumnKind
from mlops_ci.errors import ConfigurationError, DataGateError, OutsideError
from mlops_ci.ports import BatchRows


def read(
    path: Path, kinds: Mapping[str, ColumnKind] | None = None, *, batch_rows: int = 1000, source: str = ""
) -> list[BatchRows]:
    return list(LocalBatchFiles(batch_rows=batch_rows).read(source or path.name, path.parent, kinds or {}))


def csv(tmp_path: Path, text: str, name: str = "input.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def whole(parts: list[BatchRows]) -> pd.DataFrame:
    return pd.concat([part.frame for part in parts], ignore_index=True)


def kept(parts: list[BatchRows]) -> dict[str, list[Any]]:
    return dict(pa.concat_tables([part.table for part in parts]).to_pydict())


CSV = """\
flight,distance,carrier,zip,late,comment,empty,mixed
1,100,AA,01234,true,"a, quoted
line",,1
2,200.5,NA,00501,false,"say ""hi"" x",,x
3,,UA,10115,true,é,,2.5

4,-3e2,,99999,false,null,,
"""


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_a_csv_file_is_read_as_training_reads_it(tmp_path: Path, batch_rows: int) -> None:
    path = csv(tmp_path, "\ufeff" + CSV)
    parts = read(path, batch_rows=batch_rows)
    expected = LocalDataFiles().read(path.name, tmp_path)
    expected["empty"] = expected["empty"].astype(object)
    assert_frame_equal(whole(parts).astype(expected.dtypes), expected, check_dtype=False)
    assert all(part.frame.dtypes["flight"] == np.int64 for part in parts)
    assert all(part.frame.dtypes["distance"] == np.float64 for part in parts)
    assert [number for part in parts for number in part.rows] == [1, 2, 3, 4]
    assert max(len(part.rows) for part in parts) <= batch_rows


def test_what_is_written_back_loses_nothing(tmp_path: Path) -> None:
    columns = kept(read(csv(tmp_path, CSV)))
    assert columns["zip"] == ["01234", "00501", "10115", "99999"]
    assert columns["flight"] == [1, 2, 3, 4]
    assert columns["late"] == [True, False, True, False]
    assert columns["distance"] == [100.0, 200.5, None, -300.0]
    assert columns["comment"][0] == "a, quoted\nline"


def test_whole_numbers_stay_whole_next_to_missing_ones_and_long_ones_stay_as_they_are(tmp_path: Path) -> None:
    columns = kept(read(csv(tmp_path, "a,b,c\n1,12345678901234567890,+5\n,2,6\n")))
    assert columns == {"a": [1, None], "b": ["12345678901234567890", "2"], "c": ["+5", "6"]}


def test_a_text_that_looks_like_numbers_stays_the_text_it_is(tmp_path: Path) -> None:
    parts = read(csv(tmp_path, "code\n007\n1.0\nNA\n"), {"code": "text"})
    assert whole(parts)["code"].tolist()[:2] == ["007", "1.0"]
    assert whole(parts)["code"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("batch_rows", [1, 2, 7, 1000])
def test_bad_rows_are_set_aside_with_their_number_and_reason(tmp_path: Path, batch_rows: int) -> None:
    text = "id,x,y\n1,5,a\n2,abc,b\n3,7\n4,8,d\n5,9,e,f\n6, 10 ,g\n7,\u0661,h\n8,inf,i\n9,1_0,j\n"
    parts = read(csv(tmp_path, text), {"x": "number"}, batch_rows=batch_rows)
    assert sorted(row for part in parts for row in part.unreadable) == [
        (2, "column x is no number"),
        (3, "has 2 fields, the header has 3"),
        (5, "has 4 fields, the header has 3"),
        (7, "column x is no number"),
        (9, "column x is no number"),
    ]
    assert whole(parts)["x"].tolist() == [5, 8, 10, np.inf]
    assert [number for part in parts for number in part.rows] == [1, 4, 6, 8]
    assert kept(parts)["y"] == ["a", "d", "g", "i"]


def test_row_numbers_are_right_beyond_one_block_of_the_parser(tmp_path: Path) -> None:
    """Ten megabytes, more than two blocks, with a bad row every thousand."""
    lines = [f"{number},{'y' * 90}" + (",surplus" if number % 1000 == 0 else "") for number in range(1, 100_001)]
    parts = read(csv(tmp_path, "id,text\n" + "\n".join(lines) + "\n"), batch_rows=16_384)
    assert [row for part in parts for row, _ in part.unreadable] == list(range(1000, 100_001, 1000))
    for part in parts:
        assert part.rows.tolist() == part.frame["id"].tolist()
    assert sum(len(part.rows) for part in parts) == 99_900


def test_a_column_with_one_bad_value_is_still_written_as_numbers(tmp_path: Path) -> None:
    assert kept(read(csv(tmp_path, "x\n1\nabc\n3\n"), {"x": "number"})) == {"x": [1, 3]}
    assert kept(read(csv(tmp_path, "x\ntrue\nmaybe\n", "b.csv"), {"x": "number"})) == {"x": []}


def test_booleans_are_numbers_too(tmp_path: Path) -> None:
    (part,) = read(csv(tmp_path, "x\ntrue\nFALSE\n\n"), {"x": "number"})
    assert part.frame["x"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is no readable CSV file: Empty CSV file"),
        ("a,,c\n1,2,3\n", "column 2 has no name"),
        ("a,b,a\n1,2,3\n", "has the column a twice"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataGateError, match=what) as caught:
        read(csv(tmp_path, text))
    assert "input.csv" in caught.value.where


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("name\ncafé\n".encode("latin-1"))
    with pytest.raises(DataGateError, match="UTF8"):
        read(path)


def test_a_header_alone_is_a_table_of_no_rows(tmp_path: Path) -> None:
    (part,) = read(csv(tmp_path, "a,b\n"))
    assert (list(part.frame.columns), len(part.frame), part.table.num_rows) == (["a", "b"], 0, 0)


def test_several_files_by_a_pattern_are_typed_together(tmp_path: Path) -> None:
    csv(tmp_path, "a,b\n1,x\n2,y\n", "day-1.csv")
    csv(tmp_path, "b,a\nz,2.5\n", "day-2.csv")
    parts = read(tmp_path / "any", source="day-*.csv")
    assert [(part.file, part.rows.tolist()) for part in parts] == [("day-1.csv", [1, 2]), ("day-2.csv", [1])]
    assert kept(parts) == {"a": [1.0, 2.0, 2.5], "b": ["x", "y", "z"]}
    csv(tmp_path, "a,c\n1,x\n", "day-3.csv")
    with pytest.raises(DataGateError, match="other columns than the first") as caught:
        read(tmp_path / "any", source="day-*.csv")
    assert caught.value.where == "day-3.csv"


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("batch_rows", [2, 3, 1000])
def test_a_parquet_file_keeps_its_types(tmp_path: Path, batch_rows: int) -> None:
    path = parquet(
        tmp_path / "input.parquet",
        small=pa.array([1, 2, 3, 4, 5], pa.int8()),
        when=pa.array([0, 1, 2, 3, None], pa.timestamp("ms")),
        what=pa.array(["a", "b", None, "a", "c"]).dictionary_encode(),
        parts=[[1], [], None, [2], [3]],
    )
    parts = read(path, {"small": "number", "what": "text"}, batch_rows=batch_rows)
    assert (
        pa.concat_tables([part.table for part in parts], promote_options="permissive").to_pylist()
        == pq.read_table(path).to_pylist()
    )
    assert {part.table.schema.field("small").type for part in parts} == {pa.int8()}
    assert [number for part in parts for number in part.rows] == [1, 2, 3, 4, 5]
    frame = LocalDataFiles().read("input.parquet", tmp_path)
    assert whole(parts)["what"].astype(object).tolist() == frame["what"].astype(object).tolist()


def test_texts_in_a_number_column_of_a_parquet_file(tmp_path: Path) -> None:
    path = parquet(tmp_path / "input.parquet", x=["1", " 2.5", "abc", None], y=[1, 2, 3, 4])
    (part,) = read(path, {"x": "number"})
    assert part.unreadable == [(3, "column x is no number")]
    assert part.frame["x"].tolist()[:2] == [1.0, 2.5]
    assert part.table.to_pydict() == {"x": ["1", " 2.5", None], "y": [1, 2, 4]}


def test_an_index_that_pandas_stored_is_a_column(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1.0]}, index=pd.Index(["row"], name="key")).to_parquet(tmp_path / "input.parquet")
    (part,) = read(tmp_path / "input.parquet")
    assert set(part.frame.columns) == {"x", "key"}


def test_parquet_files_of_other_types_go_together_where_nothing_is_lost(tmp_path: Path) -> None:
    parquet(tmp_path / "1.parquet", x=pa.array([1], pa.int8()))
    parquet(tmp_path / "2.parquet", x=pa.array([2.5], pa.float32()))
    parquet(tmp_path / "3.parquet", x=pa.array([], pa.int64()))
    parts = read(tmp_path / "any", source="*.parquet")
    assert kept(parts) == {"x": [1.0, 2.5]}
    parquet(tmp_path / "4.parquet", x=["a"])
    with pytest.raises(DataGateError, match="do not go together"):
        read(tmp_path / "any", source="*.parquet")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    table = pa.table({f"x{number}": np.random.default_rng(number).normal(size=400_000) for number in range(8)})
    pq.write_table(table, tmp_path / "large.parquet", row_group_size=20_000)
    size = table.nbytes
    del table
    before, most = pa.total_allocated_bytes(), 0
    for part in LocalBatchFiles(batch_rows=5000).read("large.parquet", tmp_path, {}):
        most = max(most, pa.total_allocated_bytes() - before)
        assert len(part.rows) <= 5000
    assert most < size / 4


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataGateError, match="no such file"):
        read(tmp_path / "none.parquet")
    with pytest.raises(DataGateError, match="no file matches"):
        read(tmp_path / "none", source="*.csv")
    with pytest.raises(DataGateError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(ConfigurationError, match="on this machine"):
        read(tmp_path / "x", source="s3://bucket/x.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataGateError, match="no readable Parquet file") as caught:
        read(tmp_path / "broken.parquet")
    assert caught.value.where == "broken.parquet"
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigurationError, match="neither all CSV nor all Parquet"):
        read(tmp_path / "notes.txt")


def some_rows() -> BatchRows:
    table = pa.table({"id": [1, 2, 3]})
    return BatchRows(file="f", rows=np.arange(1, 4), frame=table.to_pandas(), table=table, unreadable=())


ANSWERS = {"prediction": np.array(["a", "b"], dtype=object), "probability": np.array([0.25, 0.75])}


def test_both_files_appear_together(tmp_path: Path) -> None:
    scored, rejected = tmp_path / "new" / "out.parquet", tmp_path / "new" / "out.rejected.parquet"
    with LocalBatchFiles().write(scored, rejected) as output:
        output.scored(some_rows(), np.array([0, 2]), ANSWERS)
        output.rejected("f", [(2, "bad")])
        assert not scored.exists()
        assert not rejected.exists()
    assert pq.read_table(scored).to_pylist() == [
        {"id": 1, "prediction": "a", "probability": 0.25},
        {"id": 3, "prediction": "b", "probability": 0.75},
    ]
    assert pq.read_table(rejected).to_pylist() == [{"file": "f", "row": 2, "reason": "bad"}]
    assert {path.name for path in scored.parent.iterdir()} == {scored.name, rejected.name}
    assert scored.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.umask(0))"], capture_output=True, check=True)
    return int(done.stdout)


def test_an_error_leaves_the_older_files_as_they_were(tmp_path: Path) -> None:
    scored, rejected = tmp_path / "out.parquet", tmp_path / "rejected.parquet"
    scored.write_bytes(b"the older one")

    def fail_half_way() -> None:
        with LocalBatchFiles().write(scored, rejected) as output:
            output.scored(some_rows(), np.array([0, 2]), ANSWERS)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    assert scored.read_bytes() == b"the older one"


KILLED = """
import sys
import numpy as np
import pyarrow as pa
from pathlib import Path
from mlops_ci.adapters.batch_files import GROUP_ROWS, LocalBatchFiles
from mlops_ci.ports import BatchRows

table = pa.table({"id": np.arange(GROUP_ROWS)})
rows = BatchRows(file="f", rows=np.arange(GROUP_ROWS), frame=None, table=table, unreadable=())
with LocalBatchFiles().write(Path(sys.argv[1]), Path(sys.argv[2])) as output:
    output.scored(rows, np.arange(GROUP_ROWS), {"prediction": np.zeros(GROUP_ROWS)})
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_kill_leaves_no_half_written_output(tmp_path: Path) -> None:
    scored, rejected = tmp_path / "out.parquet", tmp_path / "rejected.parquet"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, scored, rejected],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = [path.name for path in tmp_path.iterdir()]
    assert scored.name not in left
    assert rejected.name not in left
    assert all(name.startswith(".") and name.endswith(".part") for name in left)


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder"), LocalBatchFiles().write(tmp_path, tmp_path / "r"):
        pass
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(OutsideError, match="cannot be written"),
        LocalBatchFiles().write(tmp_path / "file" / "out.parquet", tmp_path / "file" / "r.parquet"),
    ):
        pass


def test_small_parts_become_large_row_groups(tmp_path: Path) -> None:
    table = pa.table({"id": np.arange(10_000)})
    rows = BatchRows(file="f", rows=np.arange(10_000), frame=pd.DataFrame(), table=table, unreadable=())
    with LocalBatchFiles().write(tmp_path / "out.parquet", tmp_path / "r.parquet") as output:
        for _ in range(30):
            output.scored(rows, np.arange(10_000), {"prediction": np.zeros(10_000)})
    metadata = pq.read_metadata(io.BytesIO((tmp_path / "out.parquet").read_bytes()))
    assert (metadata.num_rows, metadata.num_row_groups) == (300_000, 3)
